"""The last events of an Anthropic message that we end.

The open block is closed, ``message_delta`` gives the reason and the usage, ``message_stop`` ends it. What was
blocked is a ``refusal``, as when Anthropic's own classifiers step in, and ``stop_details`` may say more; what
was cut is ``max_tokens``. A failure is an ``error`` event and nothing more, as Anthropic sends it.
``message_start`` comes first only if none has left: there must never be two.

A tool call that was half sent is not closed. Its block has no ``content_block_stop``, because clients take
that for a complete call and run it, whatever reason comes after; and a call of which no argument has left
would be complete then, with no arguments. The official SDK takes a message whose last block is open.

Usage is what the provider said last; its counts are cumulative. What was generated since is not made up.

https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Event
from connectors._last_frames import Call, Cut, SseEnding, counts, numbered, written

__all__ = ["MessagesEnding"]

_REASONS = {Cut.BLOCKED: "refusal", Cut.TRUNCATED: "max_tokens"}
_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


class MessagesEnding(SseEnding):
    """Of Anthropic, and of Vertex and others who send its events."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._begun = False
        self._open: dict[int, str] = {}
        self._stopped = False
        self._usage: dict[str, int] = {}

    def _hear(self, name: str, event: dict[str, Any]) -> None:
        kind = event.get("type", name)
        if kind == "message_start":
            self._begun = True
            self._count(event["message"].get("usage"))
        elif kind == "content_block_start":
            self._open[numbered(event["index"])] = str(event["content_block"]["type"])
        elif kind == "content_block_stop":
            self._open.pop(event["index"], None)
        elif kind == "message_delta":
            self._stopped |= event["delta"].get("stop_reason") is not None
            self._count(event.get("usage"))
        elif kind in ("message_stop", "error"):
            self._over = True

    def _cut(self, how: Cut, message: str) -> list[Event]:
        events = [] if self._begun else [self._start()]
        if not self._stopped:
            events += [
                written("content_block_stop", {"type": "content_block_stop", "index": index})
                for index, kind in self._open.items()
                if not kind.endswith("tool_use")
            ]
            details = {"type": "refusal", "category": None, "explanation": message or None}
            delta = {
                "stop_reason": _REASONS[how],
                "stop_sequence": None,
                "stop_details": details if how is Cut.BLOCKED else None,
            }
            usage = {"output_tokens": 0} | self._usage
            events.append(written("message_delta", {"type": "message_delta", "delta": delta, "usage": usage}))
        return [*events, written("message_stop", {"type": "message_stop"})]

    def _failed(self, reason: str) -> list[Event]:
        error = {"type": "api_error", "message": reason}
        return [written("error", {"type": "error", "error": error})]

    def _count(self, usage: object) -> None:
        if isinstance(usage, dict):
            self._usage |= {key: usage[key] for key in _COUNTS if counts(usage.get(key))}

    def _start(self) -> Event:
        message: dict[str, Any] = {
            "id": f"msg_{self._call.name}",
            "type": "message",
            "role": "assistant",
            "model": self._call.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return written("message_start", {"type": "message_start", "message": message})
