"""The last events of a Responses stream that we end.

The part and the item that are open are closed with the text that has left, and ``response.incomplete`` says
why: ``content_filter`` if the response was blocked, ``max_output_tokens`` if it was cut. It is the response
as it was created, with the items that have left as its output. A failure is ``response.failed`` with the code
``server_error``, and closes nothing: text that was not finished is not said to be. ``response.created`` comes
first only if nothing has left. Sequence numbers go on where they stopped.

A message of the policy is said as a refusal, a part of its own beside the text. Calls of tools that were half
sent are never closed (:mod:`connectors._open_items`). Usage is left as the provider said it, which is mostly
not at all before the end.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Event
from connectors._last_frames import Call, Cut, SseEnding, counts, kept, written
from connectors._open_items import OpenItems, Voice, Words

__all__ = ["ResponsesEnding"]

_BEGUN = ("response.created", "response.queued", "response.in_progress")
_OVER = ("response.completed", "response.incomplete", "response.failed", "response.cancelled", "error")
_REASONS = {Cut.BLOCKED: "content_filter", Cut.TRUNCATED: "max_output_tokens"}
_WORDS = Words(
    voices={
        "output_text": Voice("content", "content_index", "output_text", "text"),
        "refusal": Voice("content", "content_index", "refusal", "refusal"),
        "reasoning_text": Voice("content", "content_index", "reasoning_text", "text"),
        "reasoning_summary_text": Voice(
            "summary", "summary_index", "summary_text", "text", "reasoning_summary_part"
        ),
    },
    extra={"output_text": {"logprobs": []}},
    parts={"output_text": {"annotations": [], "logprobs": []}},
    listed={},
)


class ResponsesEnding(SseEnding):
    """Of OpenAI and of everyone who speaks the same dialect."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._items = OpenItems(_WORDS)
        self._response: dict[str, Any] = {}
        self._heard = False
        self._next = 0

    def passed_text(self, payload: bytes, count: int) -> None:
        """As everywhere, but each piece counts here and is read at once: where `count` is more than 1, text
        has left that the ending cannot repeat, and it repeats none.
        """
        if count > 1:
            self._items.lose()
        super().passed_text(payload, count)
        self._read_on()

    def _hear(self, name: str, event: dict[str, Any]) -> None:
        self._heard = True
        number = event.get("sequence_number")
        self._next = max(self._next, number if counts(number) else 0) + 1
        kind = event.get("type", name)
        if kind in _BEGUN:
            self._response = kept(event["response"])
        elif kind in _OVER:
            self._over = True
        elif isinstance(kind, str):
            self._items.hear(kind, event)

    def _cut(self, how: Cut, message: str) -> list[Event]:
        said = [] if self._heard else [self._say("response.created", self._as("in_progress"))]
        if message:
            said += self._items.refuse(message, f"msg_{self._call.name}")
        said += self._items.close()
        because = {"incomplete_details": {"reason": _REASONS[how]}}
        return self._numbered([*said, self._say("response.incomplete", self._as("incomplete") | because)])

    def _failed(self, reason: str) -> list[Event]:
        said = [] if self._heard else [self._say("response.created", self._as("in_progress"))]
        error = {"error": {"code": "server_error", "message": reason}}
        return self._numbered([*said, self._say("response.failed", self._as("failed") | error)])

    def _as(self, status: str) -> dict[str, Any]:
        return (self._response or self._unsaid()) | {"status": status, "output": self._items.output()}

    def _unsaid(self) -> dict[str, Any]:
        # what the schema requires of a response
        return {
            "id": f"resp_{self._call.name}",
            "object": "response",
            "created_at": self._call.at,
            "model": self._call.model,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
        }

    @staticmethod
    def _say(kind: str, response: dict[str, Any]) -> dict[str, Any]:
        return {"type": kind, "response": response}

    def _numbered(self, said: list[dict[str, Any]]) -> list[Event]:
        return [
            written(event["type"], event | {"sequence_number": number})
            for number, event in enumerate(said, self._next)
        ]
