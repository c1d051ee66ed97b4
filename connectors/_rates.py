"""How much one caller may ask for: requests and tokens a minute, tokens a day.

Strategy. What is allowed a minute is a bucket that fills evenly, so that who pauses may ask for a minute's
worth at once and nobody waits for a clock to strike. A request is taken when it comes. Tokens are only known
when they were said, so a call begins while any are left, and what it takes may leave the bucket in debt: the
next call waits until that is paid. A day is one by the calendar (UTC), as budgets are; it is kept in memory
and begins anew with the process.

No clock: `now` is Unix time in seconds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from connectors._keys import Key

__all__ = ["Exceeded", "Left", "Rates"]

_MINUTE, _DAY = 60.0, 86_400.0


class Exceeded(NamedTuple):
    """What there is too much of."""

    what: str
    seconds: float
    """Until it is worth asking again."""


class Left(NamedTuple):
    """The state of one limit."""

    what: str
    """``requests`` or ``tokens``."""
    limit: int
    left: int
    reset: float
    """Seconds until all of it is there again."""


class _Bucket:
    """`limit` a minute."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit, self._level, self._at = limit, float(limit), now

    def level(self, now: float) -> float:
        """How much there is."""
        passed = max(now - self._at, 0.0)  # a clock that was set back refills nothing
        self._level = min(self._level + passed * self.limit / _MINUTE, self.limit)
        self._at = now
        return self._level

    def take(self, count: float, now: float) -> None:
        self._level = self.level(now) - count

    def wait(self, now: float) -> float:
        """Seconds until there is one."""
        return max(1.0 - self.level(now), 0.0) * _MINUTE / self.limit

    def left(self, what: str, now: float) -> Left:
        level = self.level(now)
        return Left(what, self.limit, max(int(level), 0), (self.limit - level) * _MINUTE / self.limit)


class Rates:
    """What one key has used."""

    def __init__(self) -> None:
        self._requests: _Bucket | None = None
        self._tokens: _Bucket | None = None
        self._day, self._spent = 0, 0.0

    def ask(self, key: Key, now: float) -> Exceeded | None:
        """Count one request, unless that would be too much.

        :arg key: What its holder may do, which may change from call to call.
        """
        requests = self._requests = _limited(self._requests, key.requests_per_minute, now)
        tokens = self._tokens = _limited(self._tokens, key.tokens_per_minute, now)
        self._turn(now)
        if key.tokens_per_day is not None and self._spent >= key.tokens_per_day:
            return Exceeded("tokens a day", _DAY - now % _DAY)
        if tokens is not None and (seconds := tokens.wait(now)):
            return Exceeded("tokens a minute", seconds)
        if requests is not None:
            if seconds := requests.wait(now):
                return Exceeded("requests a minute", seconds)
            requests.take(1, now)
        return None

    def spend(self, tokens: int, now: float) -> None:
        """Count tokens; fewer than none where too many were counted before."""
        self._turn(now)
        self._spent = max(self._spent + tokens, 0)
        if self._tokens is not None:
            self._tokens.take(tokens, now)

    def left(self, now: float) -> list[Left]:
        """Of what is limited by the minute."""
        buckets = (("requests", self._requests), ("tokens", self._tokens))
        return [bucket.left(what, now) for what, bucket in buckets if bucket is not None]

    def _turn(self, now: float) -> None:
        if (day := math.floor(now / _DAY)) > self._day:
            self._day, self._spent = day, 0


def _limited(bucket: _Bucket | None, limit: int | None, now: float) -> _Bucket | None:
    if limit is None:
        return None
    if bucket is None:
        return _Bucket(limit, now)
    if bucket.limit != limit:
        bucket.level(now)  # until now it filled as fast as it was allowed to
        bucket.limit = limit
    return bucket
