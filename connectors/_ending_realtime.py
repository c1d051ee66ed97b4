"""The last events of responses in a Realtime session that we end. The session goes on.

The part and the item that are open are closed with what has left, as the API does it itself for a response
that was interrupted, and ``response.done`` says that it is incomplete: ``content_filter`` if it was blocked,
``max_output_tokens`` if it was cut. A failure is an ``error`` event, and ``response.done`` with the status
*failed*. A session holds many responses, and some at a time; what is ended is every one that is open.

What ends a response here does not end it at the provider: :meth:`RealtimeEnding.cancel_upstream` gives what
is to be sent there, to be asked for first.

Names are those that the session speaks: the present ones (``response.output_text.done``), or the first ones
(``response.text.done``) if the provider was heard to use them. Calls of tools that were half sent are never
closed (:mod:`connectors._open_items`).

https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from connectors._decoder import Event
from connectors._last_frames import Call, Cut, Ending, kept, mended, written
from connectors._open_items import OpenItems, Voice, Words

__all__ = ["RealtimeEnding"]

_AT_A_TIME = 64  # responses that are open; the oldest of more is forgotten
_REASONS = {Cut.BLOCKED: "content_filter", Cut.TRUNCATED: "max_output_tokens"}
_TEXT = Voice("content", "content_index", "text", "text")
_AUDIO = Voice("content", "content_index", "audio", "transcript")
_PRESENT = {"output_text": _TEXT, "output_audio_transcript": _AUDIO}
_FIRST = {"text": _TEXT, "audio_transcript": _AUDIO}
_PRESENT_WORDS = Words(
    voices=_FIRST | _PRESENT, extra={}, parts={}, listed={"text": "output_text", "audio": "output_audio"}
)
_FIRST_WORDS = Words(voices=_PRESENT | _FIRST, extra={}, parts={}, listed={})
_SOUND = {
    "response.output_audio_transcript.done": "response.output_audio.done",
    "response.audio_transcript.done": "response.audio.done",
}
"""What is said of the sound, before its transcript."""


@dataclass
class _Response:
    head: dict[str, Any]
    items: OpenItems


class RealtimeEnding(Ending[list[bytes]]):
    """Of OpenAI, Azure and xAI. Gives messages of the WebSocket, one by one."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._words = _PRESENT_WORDS
        self._responses: dict[str, _Response] = {}
        self._said = 0

    @property
    def over(self) -> bool:
        """Whether no response is open."""
        return not self._responses

    def passed_text(self, payload: bytes, count: int) -> None:
        """As everywhere, but each piece counts here and is read at once: where `count` is more than 1, text
        has left that the ending cannot repeat, and it repeats none.
        """
        if count > 1:
            for response in self._responses.values():
                response.items.lose()
        super().passed_text(payload, count)
        self._read_on()

    def cancel_upstream(self) -> list[bytes]:
        """Client events that stop the responses that are open at the provider: one each, none if none is."""
        return [
            orjson.dumps({"type": "response.cancel", "response_id": mended(name)}) for name in self._responses
        ]

    def _last(self, say: Callable[[], list[Event]]) -> list[bytes]:
        return [payload for _, payload in say()]

    def _hear(self, name: str, event: dict[str, Any]) -> None:
        kind = event.get("type", name)
        if kind == "conversation.item.created":  # has another name now, and comes before an item's text
            self._words = _FIRST_WORDS
            for response in self._responses.values():
                response.items.speak(_FIRST_WORDS)
        elif kind == "response.created":
            self._begin(event["response"])
        elif kind == "response.done":
            self._responses.pop(event["response"]["id"], None)
        elif isinstance(kind, str):
            of = self._responses.get(event.get("response_id", ""))
            if of:
                of.items.hear(kind, event)

    def _begin(self, response: dict[str, Any]) -> None:
        name = response["id"]
        if not isinstance(name, str):
            raise TypeError(type(name))
        self._responses[name] = _Response(kept(response), OpenItems(self._words))
        if len(self._responses) > _AT_A_TIME:
            del self._responses[next(iter(self._responses))]

    def _cut(self, how: Cut, message: str) -> list[Event]:
        details: dict[str, Any] = {"type": "incomplete", "reason": _REASONS[how]}
        if message:
            details["error"] = {"type": "content_filter", "code": "content_filter", "message": message}
        said: list[dict[str, Any]] = []
        for name, response in self._responses.items():
            for event in response.items.close():
                ours = event | {"response_id": mended(name)}
                if event["type"] in _SOUND:
                    without = {key: value for key, value in ours.items() if key != "transcript"}
                    said.append(without | {"type": _SOUND[event["type"]]})
                said.append(ours)
            said.append(self._done(response, "incomplete", details))
        return self._sent(said)

    def _failed(self, reason: str) -> list[Event]:
        error = {"type": "server_error", "code": "stream_failed", "message": reason}
        said: list[dict[str, Any]] = [{"type": "error", "error": error | {"param": None, "event_id": None}}]
        details = {"type": "failed", "error": error}
        said += [self._done(response, "failed", details) for response in self._responses.values()]
        return self._sent(said)

    def _done(self, response: _Response, status: str, details: dict[str, Any]) -> dict[str, Any]:
        ended = {"status": status, "status_details": details, "output": response.items.output()}
        return {"type": "response.done", "response": response.head | ended}

    def _sent(self, said: list[dict[str, Any]]) -> list[Event]:
        self._responses.clear()
        first = self._said
        self._said += len(said)
        return [
            written("", event | {"event_id": f"event_{self._call.name}_{number}"})
            for number, event in enumerate(said, first)
        ]
