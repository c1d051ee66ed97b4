"""A piece of a log that cannot be read: where it ends.

Strategy. A broker hands out what its disk holds, and librdkafka finds that the checksum of a batch is wrong.
It says where the batch begins and stays there: where it ends stands in what is damaged. So the end is sought:
what is read from a later offset either begins with the same batch, or does not. The steps double until it
does not, and then halve. That is twice the logarithm of what the batch holds, and leads to the same end
whenever it is done.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Search", "Unreadable"]


class Unreadable(NamedTuple):
    """Offsets of a log whose records are lost."""

    first: int
    end: int
    """Behind the last."""
    cause: str


class Search:
    """Seeks the end of a damaged batch.

    :arg base: Where it begins.

    :arg ahead: The offset up to which all was read.

    :arg end: An offset that is behind it.

    :arg cause: What is wrong.

    """

    def __init__(self, base: int, ahead: int, end: int, cause: str) -> None:
        self._base, self._first, self._cause = base, max(base, ahead), cause
        self._within = base if base >= ahead else ahead - 1
        self._behind = max(end, self._first, self._within + 1)

    @property
    def found(self) -> Unreadable | None:
        """The piece, once its end is known; empty if the batch was behind us already."""
        if self._behind - self._within > 1:
            return None
        return Unreadable(self._first, self._behind, self._cause)

    @property
    def place(self) -> int:
        """Where to read next: from what is asked, or behind the piece when its end is known."""
        if self.found:
            return self._behind
        step = max(self._within - self._first + 1, 1)
        return self._within + min(step, (self._behind - self._within) // 2)

    def hear(self, base: int | None) -> None:
        """What was read from :attr:`place` on begins with a damaged batch that begins at `base`, or, if none,
        with something else.
        """
        if base == self._base:
            self._within = self.place
        else:
            self._behind = self.place
