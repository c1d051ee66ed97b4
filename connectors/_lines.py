"""JSON lines: one JSON object a line, bare (NDJSON, chunk fixtures) or inside a recorder's row.

Strategy. A line feed cannot stand inside JSON text, so lines are found by ``bytes.split`` and a broken
line costs that line alone. :class:`CassetteFraming` takes each line for a row of a recorder, ``{"data":
event}``, and gives the event: of a WebSocket session, where rows have a ``direction``, only what was
received. It does not wait for the times that a row may carry (``at``): playing them is the source's
business.
"""

from __future__ import annotations

import orjson

from connectors._decoder import MAX_EVENT, Event

__all__ = ["CassetteFraming", "LineFraming"]

_BOM = b"\xef\xbb\xbf"


class LineFraming:
    """Lines that hold something, without their ends (LF or CRLF); none has a name.

    :arg limit: Bytes one line may have.

    0.2 us a line.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self.failed = ""
        self._limit = limit
        self._rest: list[bytes] = []
        self._size = 0
        self._first = True

    def receive_data(self, data: bytes) -> list[Event]:
        """Lines completed by `data`."""
        if self.failed:
            return []
        lines = data.split(b"\n")
        tail = lines.pop()
        events: list[Event] = []
        if lines:
            self._rest.append(lines[0])
            lines[0] = b"".join(self._rest)
            self._rest.clear()
            self._size = 0
            events = self._events(lines)
        if tail and not self.failed:
            self._rest.append(tail)
            self._size += len(tail)
            if self._size > self._limit:
                self._fail()
        return events

    def receive_eof(self) -> list[Event]:
        """The last line, where no line feed follows it."""
        if self.failed or not self._rest:
            return []
        line = b"".join(self._rest)
        self._rest.clear()
        return self._events([line])

    def _events(self, lines: list[bytes]) -> list[Event]:
        if self._first:
            self._first = False
            lines[0] = lines[0].removeprefix(_BOM)
        events: list[Event] = []
        for line in lines:
            if len(line) > self._limit:
                self._fail()
                break
            payload = line.strip()
            if payload:
                events.append(("", payload))
        return events

    def _fail(self) -> None:
        self.failed = f"line longer than {self._limit} bytes"
        self._rest.clear()


class CassetteFraming:
    """Events of a recorder's rows: ``{"data": event}``, with ``direction`` only the ``received`` ones.

    A row ``{"kind": "close", ...}`` is an event of that name: the session is over. What is no such row
    is given as it stands. 3 us a row: its event is parsed here and once more by the decoder.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._lines = LineFraming(limit)

    @property
    def failed(self) -> str:
        """Why nothing more can be read."""
        return self._lines.failed

    def receive_data(self, data: bytes) -> list[Event]:
        """Events of the rows completed by `data`."""
        return [event for row in self._lines.receive_data(data) for event in _unpacked(row)]

    def receive_eof(self) -> list[Event]:
        """The event of the last row, where no line feed follows it."""
        return [event for row in self._lines.receive_eof() for event in _unpacked(row)]


def _unpacked(event: Event) -> list[Event]:
    try:
        row = orjson.loads(event[1])
    except orjson.JSONDecodeError:
        return [event]
    if type(row) is not dict:
        return [event]
    if row.get("kind") == "close":
        return [("close", event[1])]
    if row.get("direction", "received") != "received":
        return []
    if "data" not in row:
        return [event]
    data = row["data"]
    return [("", data.encode() if type(data) is str else orjson.dumps(data))]
