"""What is left of a caller's limits, in the headers that its SDK knows.

Strategy. OpenAI's ``x-ratelimit-*``, whose reset is a duration, for all APIs but Anthropic's, whose
``anthropic-ratelimit-*`` say when. Whole seconds to wait are always rounded up: who comes when told to is not
turned away again.

https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers,
https://docs.anthropic.com/en/api/rate-limits#response-headers, RFC 9110, section 10.2.3 (Retry-After)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from connectors._rates import Exceeded, Left

__all__ = ["refused_headers", "tell_left"]

_REPEATED = 60.0  # seconds that official clients wait at most


def tell_left(left: Sequence[Left], dialect: str, now: float) -> list[tuple[bytes, bytes]]:
    """The headers of any answer, for an API (the last part of its name)."""
    told = []
    for what, limit, there, seconds in left:
        if dialect == "messages":
            when = datetime.fromtimestamp(math.ceil(now + seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            pattern, reset = f"anthropic-ratelimit-{what}-%s", when
        else:
            pattern, reset = f"x-ratelimit-%s-{what}", _duration(seconds)
        values = (("limit", str(limit)), ("remaining", str(there)), ("reset", reset))
        told += [((pattern % name).encode(), value.encode()) for name, value in values]
    return told


def refused_headers(exceeded: Exceeded) -> list[tuple[bytes, bytes]]:
    """When to come back; a client that would not wait so long is told not to try."""
    told = [(b"retry-after", b"%d" % math.ceil(exceeded.seconds))]
    if exceeded.seconds > _REPEATED:
        told.append((b"x-should-retry", b"false"))
    return told


def _duration(seconds: float) -> str:
    """As OpenAI writes it: ``8ms``, ``20s``, ``6m0s``."""
    millis = math.ceil(seconds * 1000)
    if millis < 1000:
        return f"{millis}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
