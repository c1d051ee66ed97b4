"""Anthropic: Messages, and the Text Completions API before it.

Speaks     ``POST {base_url}/v1/messages`` and ``/v1/complete`` with ``stream: true``
Framing    SSE, one JSON object an event, its ``type`` equal to the event's name
Emits      :class:`~operators.packet.Delta`
Reference  https://docs.anthropic.com/en/api/messages-streaming
           https://docs.anthropic.com/en/api/complete

What a message's events mean is said in :mod:`connectors._anthropic_events`, because Bedrock sends the
same ones in frames of its own.
"""

from __future__ import annotations

from typing import Any

from connectors._anthropic_events import EVENTS, MessageEvents
from connectors._decoder import Dialect, listed, short
from operators.packet import Finish

__all__ = ["COMPLETE_STOPS", "AnthropicComplete", "AnthropicMessages"]

COMPLETE_STOPS = {"stop_sequence": Finish.STOP, "max_tokens": Finish.LENGTH}
"""``stop_reason`` of a completion; one that is not here ends as *stop*, with a NOTE that names it."""


class AnthropicMessages(Dialect):
    """Messages events; also the body of a message that was not streamed, and a bare error body."""

    provider = "anthropic"

    def __init__(self) -> None:
        super().__init__()
        self._events = MessageEvents(self.out)

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """A message's own event types; an error body only with the request id that is Anthropic's."""
        del name
        kind = event.get("type")
        if kind == "error":
            return "request_id" in event and isinstance(event.get("error"), dict)
        if kind == "message":
            return "stop_reason" in event and isinstance(event.get("content"), list)
        return isinstance(kind, str) and kind in EVENTS

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event."""
        self._events.receive(name, event)

    def receive_eof(self) -> None:
        """The bytes are over."""
        self._events.receive_eof()


class AnthropicComplete(Dialect):
    """Completion events: each carries the next piece; the one with a ``stop_reason`` is the last."""

    provider = "anthropic"

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """``{"type": "completion", "completion": ...}``."""
        del name
        return event.get("type") == "completion" and "completion" in event

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event."""
        kind = event.get("type", name)
        if kind == "completion":
            self.out.start(event.get("model"))
            self.out.text(event["completion"])
            reason = event.get("stop_reason")
            if reason is not None:
                if reason not in COMPLETE_STOPS:
                    self.out.note({"finish": short(reason)})
                self.out.end(COMPLETE_STOPS.get(reason, Finish.STOP))
        elif kind == "error":
            detail = event.get("error")
            code = detail.get("type") if isinstance(detail, dict) else detail
            self.out.fail(f"provider error: {listed(code) or 'no type given'}")
            self.out.end()
