"""Writer: text completions. Its chat endpoint speaks Chat Completions.

Speaks     ``POST {base_url}/v1/completions`` with ``stream: true``
Framing    SSE, ``{"value": text}`` an event
Emits      :class:`~operators.packet.Delta`
Reference  https://dev.writer.com/api-reference/completion-api/text-generation

Nothing but text is sent: no model, no reason, no last event. The end of the bytes is the only end there
is, so it counts as *stop*; a connection lost between two events looks the same.
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect
from operators.packet import Finish

__all__ = ["WriterCompletions"]


class WriterCompletions(Dialect):
    """Events of one completion."""

    provider = "writer"

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """A string ``value`` and nothing else."""
        del name
        return len(event) == 1 and isinstance(event.get("value"), str)

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event."""
        if "value" in event:
            self.out.start()
            self.out.text(event["value"])
        elif "error" in event or "errors" in event or name == "error":
            self.out.fail("provider error: no type given")
            self.out.end()

    def receive_eof(self) -> None:
        """The bytes are over."""
        self.out.end(Finish.STOP)
