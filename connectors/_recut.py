"""Cut the text of each lane anew, every so many characters, to see that the cutting does not matter.

What is left over of a lane goes when another lane speaks, for which of two lanes said something first can
matter (a block in one silences both), and with the stream's end. No piece is longer than 16,384 characters,
however long was asked for, so that it stays under the limit of a delta in any script.
"""

from __future__ import annotations

from collections.abc import Iterator

from operators.packet import Delta, Kind

__all__ = ["Recut"]

_TEXT, _END = int(Kind.TEXT), int(Kind.END)
_LONGEST = 16_384


class Recut:
    """Deltas in, deltas out. Re-cut text has no logprobs.

    >>> cut = Recut(3)
    >>> [d.text for said in ("ab", "cdefg") for d in cut.again(Delta(1, said))]
    ['abc', 'def']
    >>> [(d.kind, d.text) for d in cut.again(Delta(6))]
    [(1, 'g'), (6, '')]
    """

    def __init__(self, size: int) -> None:
        self._size = min(size, _LONGEST)
        self._lane: tuple[int, int, int] = (0, 0, 0)
        self._rest = ""

    def again(self, delta: Delta) -> Iterator[Delta]:
        """What `delta` completes."""
        if delta.kind != _TEXT:
            if delta.kind == _END:
                yield from self._flush(delta.at)
            yield delta
            return
        lane = (delta.channel, delta.choice, delta.item)
        if lane != self._lane:
            yield from self._flush(delta.at)
            self._lane = lane
        text = self._rest + delta.text
        whole = len(text) - len(text) % self._size
        for cut in range(0, whole, self._size):
            yield Delta(_TEXT, text[cut : cut + self._size], *lane, at=delta.at)
        self._rest = text[whole:]

    def _flush(self, at: int) -> Iterator[Delta]:
        if self._rest:
            yield Delta(_TEXT, self._rest, *self._lane, at=at)
            self._rest = ""
