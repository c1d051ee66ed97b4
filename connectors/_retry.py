"""Whether a call is worth repeating, and when: RFC 9110 ``Retry-After``, backoff with jitter.

Strategy. A provider that says when to come back is believed, up to a minute: who is told to wait longer
is better told so. One that says nothing is asked again after a time that doubles, less up to a quarter of
it at random, so that clients that failed together do not come back together. The statuses are those that
the official OpenAI and Anthropic clients repeat; ``x-should-retry`` is theirs too, and outranks them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

__all__ = ["LONGEST", "backoff", "delay"]

LONGEST = 60.0
"""Seconds that a provider may ask for: beyond it, its answer is passed on instead."""

_FIRST, _MOST = 0.5, 8.0  # seconds
_REPEATED = frozenset({408, 409, 429})
_NUMBER = re.compile(rb"[0-9]{1,9}(\.[0-9]{1,9})?")


def backoff(attempt: int) -> float:
    """Seconds to wait after failure number `attempt` (from 0), if nobody said how long."""
    return float(min(_FIRST * 2.0 ** min(attempt, 10), _MOST) * (1.0 - 0.25 * random.random()))


def delay(status: int, headers: Sequence[tuple[bytes, bytes]], attempt: int, now: float) -> float | None:
    """Seconds to wait before a call that was answered with `status` is repeated; None: it is not.

    :arg headers: Of the answer.

    :arg attempt: How many times the call was repeated so far.

    :arg now: Unix time in seconds, for a ``Retry-After`` that is a date.

    """
    said = {name.lower(): value.strip() for name, value in headers}
    verdict = said.get(b"x-should-retry")
    if verdict == b"false" or (verdict != b"true" and status not in _REPEATED and status < 500):
        return None
    wanted = _wanted(said, now)
    if wanted is None:
        return backoff(attempt)
    return wanted if wanted <= LONGEST else None


def _wanted(said: dict[bytes, bytes], now: float) -> float | None:
    millis = said.get(b"retry-after-ms", b"")
    if _NUMBER.fullmatch(millis):
        return float(millis) / 1000
    after = said.get(b"retry-after", b"")
    if _NUMBER.fullmatch(after):
        return float(after)
    try:
        return max(0.0, parsedate_to_datetime(after.decode("ascii")).timestamp() - now)
    except (ValueError, OverflowError, TypeError):  # neither form of RFC 9110, section 10.2.3
        return None
