"""Plain text as a stream: the words of a file or a pipe, with no API around them.

Strategy. How the bytes are cut must not matter, so deltas follow the text: a word with the white space
before it, at most 64 characters. A word goes out when the next one begins, when it is 64 characters
long, or at the end. UTF-8 is decoded as it comes; bytes that are none become U+FFFD, and an ERROR behind
the word says where they stand, for a person who looks for them in a file.
"""

from __future__ import annotations

import re
from typing import Any

from connectors._decoder import Dialect, Event
from operators.packet import Finish

__all__ = ["PlainText", "TextFraming"]

_WORD = re.compile(r"\s{0,64}\S{1,64}|\s{1,64}")
_LONGEST = 64
"""Characters of a delta at most: what one read of a long line without spaces may hold back."""
_REPORTED = 16
"""Invalid sequences that are reported; binary data would be nothing but such reports."""


class TextFraming:
    """Words as events ``word``, the byte offsets of invalid sequences as events ``invalid``; an event
    ``begin`` comes first.
    """

    def __init__(self) -> None:
        self.failed = ""
        self._begun = False
        self._bytes = b""  # the begin of a character
        self._offset = 0  # of those bytes in the stream
        self._text = ""  # the begin of a word
        self._chars = 0  # characters of words given so far
        self._invalid: list[tuple[int, int]] = []  # place in characters, offset in bytes
        self._count = 0

    def receive_data(self, data: bytes) -> list[Event]:
        """Words completed by `data`."""
        if not data:
            return []
        events = self._begin()
        self._decode(self._bytes + data, last=False)
        self._cut(events, last=False)
        return events

    def receive_eof(self) -> list[Event]:
        """The last word."""
        events = self._begin()
        self._decode(self._bytes, last=True)
        self._cut(events, last=True)
        return events

    def _begin(self) -> list[Event]:
        if self._begun:
            return []
        self._begun = True
        return [("begin", b"")]

    def _decode(self, data: bytes, *, last: bool) -> None:
        pieces = [self._text]
        chars = self._chars + len(self._text)
        view = memoryview(data)
        at = 0
        while at < len(data):
            try:
                text = str(view[at:], "utf-8")
                at = len(data)
            except UnicodeDecodeError as error:
                text = str(view[at : at + error.start], "utf-8")
                at += error.start
                cut_short = error.reason == "unexpected end of data"
                if cut_short and not last:
                    pieces.append(text)
                    break
                text += "\ufffd"
                self._count += 1
                if self._count <= _REPORTED:
                    self._invalid.append((chars + len(text) - 1, self._offset + at))
                at += error.end - error.start
            pieces.append(text)
            chars += len(text)
        self._bytes = data[at:]
        self._offset += at
        self._text = "".join(pieces)

    def _cut(self, events: list[Event], *, last: bool) -> None:
        text = self._text
        at = 0
        while at < len(text):
            found = _WORD.match(text, at)
            end = found.end() if found else len(text)
            if end - at >= _LONGEST:
                end = at + _LONGEST
            elif end == len(text) and not last:
                break
            events.append(("word", text[at:end].encode()))
            while self._invalid and self._invalid[0][0] < self._chars + end:
                events.append(("invalid", b"%d" % self._invalid.pop(0)[1]))
            at = end
        self._chars += at
        self._text = text[at:]


class PlainText(Dialect):
    """What :class:`TextFraming` cuts; the text is over with its bytes."""

    provider = "text"
    text_only = True

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """Nothing: no payload is parsed."""

    def receive_text(self, name: str, payload: bytes) -> bool:
        if name == "word":
            self.out.text(payload.decode())
        elif name == "invalid":
            self.out.error(f"no UTF-8 at byte {payload.decode()}")
        else:
            self.out.start()
        return True

    def receive_eof(self) -> None:
        self.out.end(Finish.STOP)
