"""What holding back cost each stream, by rule: the pool of entries that ``kernels.release`` writes.

Strategy. A stream meets a few of hundreds of rules, and nearly every delta is held for one of them. So the
entries of all streams of a slot lie in one pool, each stream has a chain of its own, and the kernel
walks it. An entry is made when a rule first does something, and is free again when its stream ends.

State: 68 bytes an entry; the head of each chain is a column of the stage that owns the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from operators.columns import framed, unframed

__all__ = ["Entry", "Ledger"]

_VERSION = 1


class Entry(NamedTuple):
    """What one rule did in one stream. ``code`` -1: text that may turn out to be encoded."""

    code: int
    held: int
    """Characters held back, summed over the deltas after which they were."""
    held_max: int
    waited: int
    """Deltas after which some were."""
    masked: int
    """Characters covered under its name."""
    matches: int
    leaked: int
    """Characters of its masked or blocked matches that had left before the match was decided."""


class Ledger:
    """The `pool` and its `free` entries, as the kernel takes them."""

    def __init__(self) -> None:
        self.pool: NDArray[np.int64] = np.zeros((0, 8), np.int64)
        self.free: NDArray[np.int32] = np.zeros(1, np.int32)

    def make_room(self, entries: int) -> None:
        """Grow, until so many entries are free."""
        free, size = int(self.free[-1]), len(self.pool)
        if free >= entries:
            return
        more = max(size, entries - free, 16)
        self.pool = np.concatenate([self.pool, np.zeros((more, 8), np.int64)])
        unused = np.concatenate([self.free[:free], np.arange(size, size + more)])
        self.free = np.zeros(size + more + 1, np.int32)
        self.free[: len(unused)], self.free[-1] = unused, len(unused)

    def entries(self, head: int) -> Iterator[Entry]:
        """The chain that begins at `head`, the rule that came last first."""
        while head:
            code, following, *sums = self.pool[head - 1].tolist()
            yield Entry(code, *sums)
            head = following

    def release(self, head: int) -> None:
        """The entries of a chain are free."""
        while head:
            self.free[self.free[-1]] = head - 1
            self.free[-1] += 1
            head = int(self.pool[head - 1, 1])

    def dump(self) -> bytes:
        """The pool."""
        return framed(orjson.dumps({"version": _VERSION}), self.pool.tobytes(), self.free.tobytes())

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If it is of another version, cut or damaged.
        """
        head, pool, free = unframed(state)
        version = orjson.loads(head)["version"]
        if version != _VERSION:
            msg = f"ledger state of version {version}, this program reads version {_VERSION}"
            raise ValueError(msg)
        self.pool = np.frombuffer(pool, np.int64).reshape(-1, 8).copy()
        self.free = np.frombuffer(free, np.int32).copy()
