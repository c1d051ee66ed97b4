"""Who has been silent for how long: what the directory tells of, and when it gives a stream up.

Strategy. Every stream stands once in a heap, under a time at which it is looked at again: not later than
anything can be due of it, and not sooner than the shortest limit after the last look. So a stream costs one
heap operation in that time, not one a delta, and what is due comes out in order of its time, whenever it is
asked for: a tick only makes it earlier.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Heard", "Silence"]

_NEVER = 1 << 62


@dataclass(slots=True)
class Heard:
    """What is known of a stream. Times are nanoseconds of the source's clock."""

    opened: int
    last: int
    """When it was last heard of."""
    size: int = 0
    """UTF-8 bytes said."""
    refused: bool = False
    """It broke a limit: no silence of it is told any more."""
    since: int = -1
    """When the silence began that was told of ..."""
    told: int = 0
    """... and the longest time that it was told to have lasted."""
    look: int = 0
    """When it is looked at next."""


class Silence:
    """The streams of a slot, by when they are due.

    :arg idle: Nanoseconds of silence after which a stream is over.

    :arg first: Nanoseconds after its start that are told if nothing was said yet; ascending.

    :arg later: Nanoseconds of silence that are told behind that; ascending.

    """

    def __init__(self, idle: int, first: Sequence[int] = (), later: Sequence[int] = ()) -> None:
        self._idle, self._first, self._later = idle, first, later
        self._soonest = min(idle, *first, *later, _NEVER)
        self._looks: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._looks)

    def begin(self, name: str, stream: Heard, streams: Mapping[str, Heard]) -> None:
        """Wait for `stream`, which is one of `streams`."""
        self._look(name, stream, stream.last + self._soonest)
        if len(self._looks) > 2 * len(streams) + 1024:  # mostly of streams that ended
            self._looks = sorted((each.look, name) for name, each in streams.items())

    def next(self) -> float:
        """When something may be due."""
        return self._looks[0][0] if self._looks else math.inf

    def passed(self, streams: Mapping[str, Heard], now: int) -> Iterator[tuple[str, int, int]]:
        """What is due before `now`, in order: stream, time, and how long it had been silent then if that is
        to be told, 0 if the stream is over, which its taker takes out of `streams`.
        """
        while self.next() < now:
            look, name = heapq.heappop(self._looks)
            stream = streams.get(name)
            if stream is None or stream.look != look:
                continue
            at, limit = self._due(stream)
            if look >= at:
                yield name, at, limit
                if not limit:
                    continue
                stream.told = limit
                at, _ = self._due(stream)
            # What is due by now comes back in its turn, behind what is due earlier.
            self._look(name, stream, max(at, look) if at < now else min(at, now + self._soonest))

    def _look(self, name: str, stream: Heard, at: int) -> None:
        stream.look = at
        heapq.heappush(self._looks, (at, name))

    def _due(self, stream: Heard) -> tuple[int, int]:
        """When it will have been silent for too long if it says nothing, and which limit that is; 0: idle."""
        since, limits = (stream.last, self._later) if stream.size else (stream.opened, self._first)
        if stream.since != since:
            stream.since, stream.told = since, 0
        end = stream.last + self._idle
        limit = next((each for each in limits if each > stream.told), _NEVER)
        return (end, 0) if stream.refused or since + limit > end else (since + limit, limit)
