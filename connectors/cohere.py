"""Cohere Chat, version 2 and version 1.

Speaks     ``POST {base_url}/v2/chat`` and ``/v1/chat`` with ``stream: true``
Framing    v2 SSE closed by ``[DONE]``, v1 one JSON object a line
Emits      :class:`~operators.packet.Delta`
Reference  https://docs.cohere.com/v2/docs/streaming and https://docs.cohere.com/v1/docs/streaming

The versions name their events differently (``type`` against ``event_type``) and mean the same, so one
dialect reads both. The plan that a model makes before it calls tools is reasoning. Version 1 repeats the
whole text in its last event, and calls that it streamed once more in a whole: neither is said twice.
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, listed, short
from connectors._tool_calls import ToolCalls
from connectors._untrusted import compact, facts
from operators.packet import Channel, Finish

__all__ = ["FINISH_REASONS", "CohereChat"]

FINISH_REASONS = {
    "COMPLETE": Finish.STOP,
    "STOP_SEQUENCE": Finish.STOP,
    "USER_CANCEL": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "ERROR_LIMIT": Finish.LENGTH,
    "TOOL_CALL": Finish.TOOL,
    "ERROR_TOXIC": Finish.REFUSAL,
    "ERROR": Finish.ERROR,
    "TIMEOUT": Finish.ERROR,
}
"""What ``finish_reason`` means. One that is not here ends as *stop*, with a NOTE that names it."""

_KINDS = frozenset(
    {
        "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta",
        "tool-call-start", "tool-call-delta", "tool-call-end", "citation-start", "citation-end",
        "message-end", "stream-start", "text-generation", "citation-generation", "tool-calls-chunk",
        "tool-calls-generation", "search-queries-generation", "search-results", "stream-end",
    }
)  # fmt: skip
_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)


class CohereChat(Dialect):
    """Events of either version."""

    provider = "cohere"

    def __init__(self) -> None:
        super().__init__()
        self._calls = ToolCalls(self.out)
        self._streamed = False  # calls of a v1 answer have come in pieces

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """One of Cohere's hyphenated event types; no other API has hyphens there."""
        del name
        kind = event.get("type") or event.get("event_type")
        return isinstance(kind, str) and kind in _KINDS

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event."""
        kind = event.get("type") or event.get("event_type") or name
        if kind in ("message-start", "stream-start"):
            if self.out.open:
                self.out.error(f"second {kind} before the end of the first")
            self.out.start()
            self._calls.clear()
            self._streamed = False
        elif kind not in _KINDS:
            if "message" in event:  # a bare error body: its message is not for us to repeat
                self.out.fail("provider error: no type given")
                self.out.end()
        else:
            if not self.out.open:
                self.out.error(f"{kind} before the start of a message")
                self.out.start()
            if "type" in event:
                self._second(kind, event)
            else:
                self._first(kind, event)

    def _second(self, kind: str, event: dict[str, Any]) -> None:
        """Version 2."""
        delta = event.get("delta") or {}
        message = delta.get("message") or {}
        if kind in ("content-delta", "content-start"):
            item, content = event["index"], message["content"]
            self.out.text(content.get("text") or "", _TEXT, 0, item)
            self.out.text(content.get("thinking") or "", _REASONING, 0, item)
        elif kind == "tool-plan-delta":
            self.out.text(message["tool_plan"], _REASONING)
        elif kind == "tool-call-start":
            call, item = message["tool_calls"], event["index"]
            self._calls.open(item, call["function"].get("name"), call.get("id"))
            self._calls.add(item, call["function"].get("arguments") or "")
        elif kind == "tool-call-delta":
            self._calls.add(event["index"], message["tool_calls"]["function"]["arguments"])
        elif kind == "tool-call-end":
            self._calls.close(event["index"])
        elif kind == "citation-start":
            known = facts(message["citations"], "type", "start", "end")
            self.out.note({"citation": known}, _TEXT, 0, message["citations"].get("content_index", 0))
        elif kind == "message-end":
            self._end(delta.get("finish_reason"), delta.get("usage") or {})

    def _first(self, kind: str, event: dict[str, Any]) -> None:
        """Version 1."""
        if kind == "text-generation":
            self.out.text(event["text"])
        elif kind == "tool-calls-chunk":
            self._streamed = True
            call = event.get("tool_call_delta") or {}
            if call:
                item = call["index"]
                if call.get("name"):
                    self._calls.open(item, call["name"], "")
                self._calls.add(item, call.get("parameters") or "")
            self.out.text(event.get("text") or "", _REASONING)
        elif kind == "tool-calls-generation":
            if not self._streamed:
                self.out.text(event.get("text") or "", _REASONING)
                for item, call in enumerate(event["tool_calls"]):
                    self._calls.open(item, call.get("name"), "")
                    self._calls.add(item, compact(call.get("parameters") or {}))
        elif kind == "citation-generation":
            for citation in event.get("citations") or ():
                self.out.note({"citation": facts(citation, "start", "end")})
        elif kind == "stream-end":
            meta = (event.get("response") or {}).get("meta") or {}
            self._end(event.get("finish_reason"), meta)

    def _end(self, reason: Any, usage: dict[str, Any]) -> None:
        tokens = usage.get("tokens") or usage.get("billed_units") or {}
        self.out.usage(
            input=tokens.get("input_tokens"),
            output=tokens.get("output_tokens"),
            cached=usage.get("cached_tokens"),
        )
        finish = FINISH_REASONS.get(reason)
        if finish is None:
            self.out.note({"finish": short(reason)})
            finish = Finish.STOP
        self._calls.settle(finish)
        if finish == Finish.ERROR:
            self.out.error(f"finish reason {listed(reason)}")
        self.out.end(finish)

    def receive_eof(self) -> None:
        """The bytes are over."""
        self._calls.settle(Finish.TRUNCATED)
        self.out.end()
