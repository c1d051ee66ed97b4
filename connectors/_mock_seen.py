"""What a mock provider has seen: the far side's view of a gateway or a client under test.

Strategy. Plain counters that one loop writes and any thread may read. The last request is kept whole,
headers and body, because a test wants to know which key came through and what was struck out of a prompt;
so send this server no secret that matters. None of it is in a ``repr`` or a log.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Departure", "Request", "Seen"]

_KEPT = 10_000


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    number: int
    """From 1."""
    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Departure:
    """A client that went away before it had all."""

    request: int
    at: int
    """Monotonic ns, of this machine, when the connection was found closed."""
    chunks: int
    """Written until then."""


@dataclass
class Seen:
    """Counts since the server began."""

    requests: int = 0
    by_api: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    open: int = 0
    """Answers under way."""
    most_open: int = 0
    chunks: int = 0
    """Deltas, and the frames around them."""
    bytes: int = 0
    """Of bodies, written to the transport."""
    completed: int = 0
    aborted: int = 0
    departures: deque[Departure] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """The last of those that ``aborted`` counts."""
    last: Request | None = None

    def begins(self) -> None:
        """An answer begins."""
        self.open += 1
        self.most_open = max(self.most_open, self.open)

    def departs(self, request: int, at: int, chunks: int) -> None:
        """A client went away."""
        self.aborted += 1
        self.departures.append(Departure(request, at, chunks))

    def told(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        last = self.last
        return {
            "requests": self.requests, "by_api": dict(self.by_api), "faults": dict(self.faults),
            "open": self.open, "most_open": self.most_open, "chunks": self.chunks, "bytes": self.bytes,
            "completed": self.completed, "aborted": self.aborted,
            "departures": [
                {"request": each.request, "at": each.at, "chunks": each.chunks} for each in self.departures
            ],
            "last": last and {
                "number": last.number, "path": last.path, "headers": [list(each) for each in last.headers],
                "body": last.body.decode("utf-8", "replace"),
            },
        }  # fmt: skip
