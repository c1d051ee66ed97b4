"""OpenAI Realtime: server events of a WebSocket session, under their present and their first names.

Also Azure, Azure Voice Live and xAI, who speak the same. A session holds many responses, one after the
other, and each is a stream of its own. Translation sessions have no responses: their output transcript
is one stream, from its first word until the session closes.

Strategy. The items of a response are read by :mod:`connectors._response_items`, as for Responses; this
file knows sessions. Audio passes by, its transcript does not. What the caller said (input transcripts,
conversation items) is not the model's text. An error event tells the caller of a fault, mostly of its
own, and the session goes on: it is an ERROR, not the end.

https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, error_code
from connectors._response_items import ResponseItems
from operators.packet import Channel, Finish

__all__ = ["OpenAIRealtime"]

_FAMILIES = ("session.", "conversation.", "response.", "input_audio_buffer.", "output_audio_buffer.")
_TRANSCRIPT = int(Channel.TRANSCRIPT)


class OpenAIRealtime(Dialect):
    """Server events; a recorder's ``close`` row ends the session."""

    provider = "openai"

    def __init__(self) -> None:
        super().__init__()
        self._items = ResponseItems(self.out)
        self._model: object = ""

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """An event of a session: they all have an ``event_id``."""
        del name
        kind = event.get("type")
        return isinstance(kind, str) and kind.startswith(_FAMILIES) and "event_id" in event

    def receive(self, name: str, event: dict[str, Any]) -> None:
        kind = event.get("type", name)
        if kind in ("session.created", "session.updated"):
            self._model = event["session"].get("model") or self._model
        elif kind == "response.created":
            if self.out.open:
                self.out.error("a response began before the one before it was done")
            self.out.start(event["response"].get("model") or self._model)
        elif kind == "response.done":
            self._close(event["response"], event.get("usage"))
        elif kind == "session.output_transcript.delta":
            self.out.start(self._model)
            self.out.text(event["delta"], _TRANSCRIPT)
        elif kind == "error":
            self.out.error(f"provider error: {error_code(event.get('error'))}")
        elif kind == "session.closed":
            self.out.end(Finish.STOP)
        elif name == "close":
            self.receive_eof()
        else:
            self._items.receive(kind, event)

    def receive_eof(self) -> None:
        super().receive_eof()
        self._items.clear()

    def _close(self, response: dict[str, Any], usage: dict[str, Any] | None) -> None:
        out = self.out
        finish = self._items.close(response.get("output") or [])
        usage = response.get("usage") or usage or {}
        given = usage.get("input_token_details") or {}
        out.usage(
            input=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            cached=given.get("cached_tokens"),
        )
        status = response.get("status")
        details = response.get("status_details")
        if status == "failed":
            error = details.get("error") if isinstance(details, dict) else None
            out.fail(f"provider error: {error_code(error)}")
        elif status == "incomplete":
            blocked = isinstance(details, dict) and details.get("reason") == "content_filter"
            finish = Finish.REFUSAL if blocked else Finish.LENGTH
        out.end(finish)
        self._items.clear()
