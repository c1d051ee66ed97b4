"""The last chunks of a Chat Completions stream that we end, and of the Completions before them.

Each choice that is still open gets a chunk of its own with an empty delta and its ``finish_reason``:
``content_filter`` if it was blocked, ``length`` if it was cut; then ``[DONE]``. A failure is a chunk with an
``error`` object, which makes the official SDK raise ``APIError``, then ``[DONE]``.

What the caller did not get is not made up for: the chunk of usage that ``stream_options`` asks for comes only
from the provider, who counts, and OpenAI's own streams leave it out when they are cut off. Usage that was
said on every chunk so far is said once more, because the SDK keeps that of the last.

A tool call that was half sent stays half: no chunk completes its arguments, and ``content_filter`` is not
``tool_calls``, which is what asks the caller to run anything. Where the SDK parses arguments by itself (tools
with ``strict``, a ``response_format``) it raises ``ContentFilterFinishReasonError`` and parses nothing.

Completions have no field in which a refusal could say more, so there a message of the policy is not said.

https://platform.openai.com/docs/api-reference/chat-streaming and .../completions
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Event
from connectors._last_frames import DONE, Call, Cut, SseEnding, kept, numbered, written

__all__ = ["ChatEnding", "CompletionsEnding"]

_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")
_REASONS = {Cut.BLOCKED: "content_filter", Cut.TRUNCATED: "length"}


class ChatEnding(SseEnding):
    """Of OpenAI and of everyone who speaks the same dialect."""

    _object = "chat.completion.chunk"
    _prefix = "chatcmpl"

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._finished: dict[int, bool] = {}

    def _hear(self, name: str, event: dict[str, Any]) -> None:
        if event.get("id") != self._head.get("id"):  # Azure's first has none, and no model
            self._head |= {key: event[key] for key in _HEAD if event.get(key)}
        if "usage" in event:
            self._usage = {"usage": event["usage"]}
        if name == "error" or event.get("error"):
            self._over = True
        for choice in event.get("choices") or ():
            index = numbered(choice.get("index"))
            self._finished[index] = bool(choice.get("finish_reason")) or self._finished.get(index, False)

    def _cut(self, how: Cut, message: str) -> list[Event]:
        said = {"refusal": message} if message else {}
        if not self._finished:  # a client reads the role in the first delta of a choice
            self._finished[0] = False
            said = {"role": "assistant", "content": ""} | said
        unfinished = [index for index, finished in sorted(self._finished.items()) if not finished]
        ends = ({"index": index, "finish_reason": _REASONS[how]} for index in unfinished)
        return [*(self._chunk(end | self._piece(said)) for end in ends), DONE]

    def _failed(self, reason: str) -> list[Event]:
        error = {"message": reason, "type": "server_error", "param": None, "code": "stream_failed"}
        return [written("", {"error": error}), DONE]

    def _piece(self, said: dict[str, str]) -> dict[str, Any]:
        return {"delta": said}

    def _chunk(self, choice: dict[str, Any]) -> Event:
        unsaid = {
            "id": f"{self._prefix}-{self._call.name}",
            "object": self._object,
            "created": self._call.at,
            "model": self._call.model,
        }
        return written("", unsaid | kept(self._head) | {"choices": [choice]} | kept(self._usage))


class CompletionsEnding(ChatEnding):
    """Of the API before Chat, whose choices have a ``text`` in place of a delta."""

    _object = "text_completion"
    _prefix = "cmpl"

    def _piece(self, said: dict[str, str]) -> dict[str, Any]:
        del said
        return {"text": "", "logprobs": None}
