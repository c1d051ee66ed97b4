"""Cut the text of each lane anew, every so many characters, to see that the cutting does not matter."""

from __future__ import annotations

from collections.abc import Iterator

from operators.packet import Delta, Kind

__all__ = ["Recut"]

_TEXT, _END = int(Kind.TEXT), int(Kind.END)


class Recut:
    """Deltas in, deltas out; the rest of a lane goes with the stream's end. Re-cut text has no logprobs.

    >>> cut = Recut(3)
    >>> [d.text for said in ("ab", "cdefg") for d in cut.again(Delta(1, said))]
    ['abc', 'def']
    >>> [(d.kind, d.text) for d in cut.again(Delta(6))]
    [(1, 'g'), (6, '')]
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: dict[tuple[int, int, int], str] = {}

    def again(self, delta: Delta) -> Iterator[Delta]:
        """What `delta` completes."""
        if delta.kind == _TEXT:
            lane = (delta.channel, delta.choice, delta.item)
            text = self._waiting.pop(lane, "") + delta.text
            whole = len(text) - len(text) % self._size
            for cut in range(0, whole, self._size):
                yield Delta(_TEXT, text[cut : cut + self._size], *lane, at=delta.at)
            if whole < len(text):
                self._waiting[lane] = text[whole:]
            return
        if delta.kind == _END:
            for lane, text in self._waiting.items():
                yield Delta(_TEXT, text, *lane, at=delta.at)
            self._waiting.clear()
        yield delta
