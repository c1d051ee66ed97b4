"""Replicate: the stream of a prediction.

Speaks     ``GET`` of a prediction's ``urls.stream`` with ``Accept: text/event-stream``
Framing    SSE; the data of ``event: output`` is text, not JSON
Emits      :class:`~operators.packet.Delta`
Reference  https://replicate.com/docs/topics/predictions/streaming

``output`` carries the next piece of text, ``done`` ends the stream (with ``{"reason": "canceled"}`` or
``"error"`` where it did not end well), ``error`` tells that the prediction failed. The name of the event
decides, never its data: a piece of text that happens to be valid JSON is still text.
"""

from __future__ import annotations

from typing import Any

import orjson

from connectors._decoder import Dialect
from operators.packet import Finish

__all__ = ["REASONS", "Replicate"]

REASONS = {"canceled": Finish.STOP, "error": Finish.ERROR}
"""What the ``reason`` of ``done`` means; without one the prediction is complete."""


class Replicate(Dialect):
    """Events of one prediction."""

    provider = "replicate"
    text_only = True

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """An event named ``output``: no API with JSON events has that name. Its data are not looked at."""
        del event
        return name == "output"

    def receive_text(self, name: str, payload: bytes) -> bool:
        """Any event: text of ``output``, an object of the others."""
        if name == "output":
            self.out.start()
            self.out.text(payload.decode("utf-8", "replace"))
        else:
            event = orjson.loads(payload or b"{}") if payload[:1] in (b"{", b"") else {}
            self.receive(name, event)
        return True

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """An event that is not text. A bare body with a ``detail`` is an error before the stream."""
        if name == "error" or "detail" in event:
            self._fail()
        elif name == "done":
            self.out.start()
            finish = REASONS.get(str(event.get("reason", "")), Finish.STOP)
            if finish == Finish.ERROR:
                self._fail()
            self.out.end(finish)

    def _fail(self) -> None:
        self.out.fail("provider error: the prediction failed")
        self.out.end()
