"""When a mock provider says what: time to first token, gaps between deltas, deltas a write.

Strategy. Gaps are kept against a schedule, not slept one after the other: each delta is due one gap after
the one before it was due, so a rate holds however late a timer fires (libuv's count whole milliseconds).
A stream that is behind sends at once until it has caught up. With no gap at all, the loop is let run now
and then, so that other streams and a client's leaving are not kept waiting.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from itertools import islice

__all__ = ["Pace", "Waits", "paced"]

_BREATH = 16  # writes without a pause
_LONGEST = 3600.0
_TOGETHER = 10_000


@dataclass(frozen=True)
class Waits:
    """A distribution of waiting times in seconds: a normal cut off at 0, or an exponential.

    :raises ValueError: If a number is negative, not finite or above an hour.
    """

    mean: float = 0.0
    std: float = 0.0
    exponential: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if not 0 <= value <= _LONGEST:
                msg = f"{name} of a wait must be 0 to {_LONGEST:.0f} seconds, not {value}"
                raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> Waits:
        """``MEAN``, ``MEAN,STD`` or ``MEAN,exp``, in seconds.

        >>> Waits.parse("0.4,0.15")
        Waits(mean=0.4, std=0.15, exponential=False)
        >>> Waits.parse("0.02,exp").exponential
        True

        :raises ValueError: If it is none of these.
        """
        mean, _, spread = text.partition(",")
        try:
            if spread.strip() == "exp":
                return cls(float(mean), exponential=True)
            return cls(float(mean), float(spread or 0))
        except ValueError as error:
            msg = f"{text!r} must be MEAN, MEAN,STD or MEAN,exp in seconds, 0 to {_LONGEST:.0f}"
            raise ValueError(msg) from error

    def draw(self, rng: random.Random) -> float:
        """One wait, in seconds. No randomness is used where there is none."""
        if self.exponential:
            return rng.expovariate(1 / self.mean) if self.mean else 0.0
        if not self.std:
            return self.mean
        while (wait := rng.gauss(self.mean, self.std)) < 0:
            pass
        return wait


@dataclass(frozen=True)
class Pace:
    """How fast a provider speaks."""

    ttft: Waits = Waits()
    """From the request to the first chunk."""
    gap: Waits = Waits()
    """Between two chunks."""
    together: int = 1
    """Chunks in a write."""

    def __post_init__(self) -> None:
        if not 1 <= self.together <= _TOGETHER:
            msg = f"chunks in a write must be 1 to {_TOGETHER}, not {self.together}"
            raise ValueError(msg)


async def paced(
    chunks: Iterable[bytes], pace: Pace, rng: random.Random
) -> AsyncGenerator[tuple[bytes, int], None]:
    """The writes of a stream when they are due, and how many of `chunks` are in each: a write of several
    waits for the last of them.
    """
    loop = asyncio.get_running_loop()
    rest = iter(chunks)
    due = loop.time() + pace.ttft.draw(rng)
    gap, together = pace.gap, pace.together
    still = not gap.mean and not gap.std
    writes = 0
    while batch := list(islice(rest, together)):
        if writes:
            due += sum(gap.draw(rng) for _ in batch)
        wait = due - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        elif still and writes % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)
        writes += 1
        yield b"".join(batch), len(batch)
