"""A framing that finds out which one it is from the first bytes.

The events of one API come as SSE, as JSON lines, as one JSON value over many lines or in binary frames,
and neither an API's name nor a file's tells which. The first bytes do, without a doubt: a frame begins
with a zero byte (it is shorter than 16 MiB), JSON with a bracket, SSE with the name of one of its four
fields or a colon. Of JSON, one whole value in the first line means JSON lines.

Strategy. Bytes are held only while they do not tell: six for SSE, a line for JSON. Then the framing
that was meant gets all of them, and this one only passes calls on.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import orjson

from connectors._decoder import MAX_EVENT, Event, Framing
from connectors._frame import FrameFraming
from connectors._json_array import JsonArrayFraming
from connectors._lines import CassetteFraming, LineFraming
from connectors._sse import SseFraming

__all__ = ["SniffedFraming"]

_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data", b"event", b"id", b"retry")
_FIELD = re.compile(rb"(?:data|event|id|retry)[:\r\n]")


class SniffedFraming:
    """Whatever framing the bytes turn out to have.

    :arg limit: Bytes one event may have, for that framing.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._fault = ""
        self._found: Framing | None = None
        self._held = bytearray()
        self._first = True
        self.receive_data: Callable[[bytes], list[Event]] = self._sniff
        """Events completed by the bytes, and by what was held before. Once the framing is found, its own."""

    @property
    def failed(self) -> str:
        """Why nothing more can be read."""
        return self._found.failed if self._found else self._fault

    def _sniff(self, data: bytes) -> list[Event]:
        if self._fault:
            return []
        held = self._held
        if held[:1] == b"{":
            held += data
            if b"\n" not in data and len(held) <= self._limit:
                return []  # still inside the first line: nothing new to look at
        else:
            held += data
            if self._first and len(held) < len(_BOM) and _BOM.startswith(held):
                return []
            if self._first:
                self._first = False
                held = held.removeprefix(_BOM)
            held = self._held = held.lstrip()
        return self._settle(last=False)

    def receive_eof(self) -> list[Event]:
        """Events that the end of the bytes completes."""
        events: list[Event] = []
        if self._held and not self._found and not self._fault:
            events = self._settle(last=True)
        return events + self._found.receive_eof() if self._found else events

    def _settle(self, *, last: bool) -> list[Event]:
        text = bytes(self._held)
        if text[:1] == b"\0":
            self._found = FrameFraming(self._limit)
        elif text[:1] == b"[":
            self._found = JsonArrayFraming(self._limit)
        elif text[:1] == b"{":
            if b"\n" in text or len(text) > self._limit or last:
                self._found = self._json(text.partition(b"\n")[0])
        elif text[:1] == b":" or _FIELD.match(text):
            self._found = SseFraming(self._limit)
        elif last or not any(field.startswith(text) for field in _FIELDS):
            self._fault = "the bytes are no SSE, no JSON and no event-stream frames"
        if not self._found:
            return []
        self._held = bytearray()
        self.receive_data = self._found.receive_data
        return self.receive_data(text)

    def _json(self, line: bytes) -> Framing:
        if len(line) > self._limit:
            return JsonArrayFraming(self._limit)  # fails, or finds several values in one line
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return JsonArrayFraming(self._limit)  # one value, printed over many lines
        if ("data" in row and ("direction" in row or "at" in row)) or row.get("kind") == "close":
            return CassetteFraming(self._limit)
        return LineFraming(self._limit)
