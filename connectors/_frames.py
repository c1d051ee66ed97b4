"""A provider's bytes, cut where its events end, and nothing of them lost: what a gateway sends on.

Strategy. A framing (``_sse.py``) gives events and forgets the bytes; who passes a stream on needs both, for a
frame that nobody touches must leave as it came, comments, ids and line ends included. So the bytes are cut
here at blank lines only, and the framing reads each piece: what is an event is decided in one place. Joined,
the frames are the bytes, whatever they were (``tests/connectors/test_frames.py``).

A body that is no stream is one frame, told when it is over.

https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.5 and 9.2.6.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from connectors._decoder import MAX_EVENT, Event
from connectors._sse import SseFraming

__all__ = ["Frame", "Frames", "SseFrames", "WholeBody", "rewritten"]

_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_CR = 13  # as a number: ``13 in data`` takes an eighth of ``b"\r" in data``
_EVENT, _ASIDE = (b"data", b"event"), (b"", b"id", b"retry")


class Frame(NamedTuple):
    """Bytes that belong together, and the event in them; None where they hold none."""

    raw: bytes
    event: Event | None
    aside: bytes = b""
    """Lines that are no part of an event: comments, ids."""


class Frames(Protocol):
    """Bytes in, frames out, in whatever pieces the bytes come. Never raises."""

    @property
    def failed(self) -> str:
        """Why nothing more can be read, "" while all is well."""
        ...

    def receive_data(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`."""
        ...

    def receive_eof(self) -> list[Frame]:
        """What was left when the bytes ended."""
        ...


class SseFrames:
    """Frames of a ``text/event-stream``; of a JSON object that is sent as one (providers do so with errors),
    one frame.

    :arg limit: Bytes one frame may have.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._framing = SseFraming(limit)
        self._limit = limit
        self._rest: list[bytes] = []  # pieces of the frame that is not complete
        self._size = 0
        self._tail = b""  # its end, where a blank line may have begun
        self._first, self._body = True, False
        self.failed = ""

    def receive_data(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`."""
        if self.failed:
            return []
        if (
            data[:6] == b"data: " and data[-2:] == b"\n\n" and not self._rest
            and data.count(b"\n") == 2 and _CR not in data
        ):  # fmt: skip
            self._first = False
            return [Frame(data, ("", data[6:-2]))]  # a read that is one event: what a live stream brings
        if self._first and not data.isspace():
            self._first = False
            self._body = data.lstrip()[:1] == b"{"
        if self._body or not _BLANK.search(self._tail + data):
            return self._keep(data)
        data = b"".join((*self._rest, data))
        self._forget()
        frames, at = [], 0
        for blank in _BLANK.finditer(data):
            frames.append(self._frame(data[at : blank.end()]))
            at = blank.end()
            if self.failed:
                return frames
        return frames + self._keep(data[at:])

    def receive_eof(self) -> list[Frame]:
        """The last frame, whose blank line never came."""
        rest = b"".join(self._rest)
        self._forget()
        if self.failed or not rest:
            return []
        if self._body:
            return [Frame(rest, ("", rest))]
        events = self._framing.receive_data(rest) or self._framing.receive_eof()
        return [Frame(rest, events[0] if events else None, self._aside(rest))]

    def _forget(self) -> None:
        self._rest.clear()
        self._size, self._tail = 0, b""

    def _keep(self, rest: bytes) -> list[Frame]:
        """Bytes that complete nothing wait; no frames."""
        if rest:
            self._rest.append(rest)
            self._size += len(rest)
            self._tail = (self._tail + rest[-3:])[-3:]
            if self._size > self._limit:
                self.failed = f"event longer than {self._limit} bytes"
        return []

    def _frame(self, raw: bytes) -> Frame:
        events = self._framing.receive_data(raw)
        self.failed = self._framing.failed
        lines = raw.count(b"\n")
        if events and (lines == 2 or (lines == 3 and raw[:6] == b"event:")) and b"\r" not in raw:
            return Frame(raw, events[0])  # nearly all
        return Frame(raw, events[0] if events else None, self._aside(raw))

    def _aside(self, raw: bytes) -> bytes:
        """The lines of a frame that are no part of its event."""
        aside = []
        for line in _LINE_END.split(raw.removeprefix(_BOM)):
            field, colon, _ = line.partition(b":")
            if not line or field in _EVENT:
                continue
            if not (colon and field in _ASIDE):
                self.failed = self.failed or "lines that are no server-sent events"
            aside.append(line)
        return b"\n".join(aside)


class WholeBody:
    """One frame, of a body that is no stream.

    :arg limit: Bytes it may have.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self.failed = ""

    def receive_data(self, data: bytes) -> list[Frame]:
        """Nothing: a body is read when it is whole."""
        self._size += len(data)
        if self._size > self._limit:
            self.failed = f"body longer than {self._limit} bytes"
            self._parts.clear()
        elif not self.failed:
            self._parts.append(data)
        return []

    def receive_eof(self) -> list[Frame]:
        """The body."""
        body = b"".join(self._parts)
        self._parts.clear()
        return [] if self.failed else [Frame(body, ("", body))]


def rewritten(raw: bytes, payload: bytes, said: bytes) -> bytes:
    r"""The frame `raw`, whose event's data is `payload`, with `said` in its place; every other line stays.

    >>> rewritten(b'id: 7\ndata: {"a":1}\n\n', b'{"a":1}', b'{"a":2}')
    b'id: 7\ndata: {"a":2}\n\n'
    """
    if raw == payload:
        return said
    lines, at, told = [], 0, False
    for end in _LINE_END.finditer(raw):
        line, stop = raw[at : end.start()], end.end()
        if line.removeprefix(_BOM).partition(b":")[0] != b"data":
            lines.append(raw[at:stop])
        elif not told:
            lines.append(b"data: " + said + raw[end.start() : stop])
            told = True
        at = stop
    rest = raw[at:]
    if rest.partition(b":")[0] != b"data":
        lines.append(rest)
    elif not told:
        lines.append(b"data: " + said)
    return b"".join(lines)
