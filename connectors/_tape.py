"""Play recordings (or scripts) of streams into a flow, each at its own time, all of a slot in one order.

Strategy. A :class:`Tape` gives the deltas of one recording with the time of each. A player, one per
slot, merges its tapes by time (then by their order), so the deltas of a slot come in one order however
fast they are played, however often the flow is stopped and however many workers there are; only the
packets they are packed into differ. The position is how many deltas of each tape were handed out: to
resume, a tape is read from its beginning and that many are skipped.

All streams of a recording live in the slot of its name. The second stream in one recording is called
``name#2``.

Delivery   state exactly once; a replay after a crash gives the same deltas again
Parallel   one partition per slot
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from connectors._stop import STOP
from operators.packet import Delta, Kind, Packet, pack

__all__ = ["Deck", "Tape", "TapeSource"]

_log = logging.getLogger(__name__)
_START = int(Kind.START)
_FOREVER = 1 << 62
_FRESH = 5 * 10**9  # a slot whose next delta is due this early has not been played before
_LONGEST_NAP = 0.2  # seconds between two looks at STOP while nothing is due


@dataclass(frozen=True)
class Tape:
    """One recording: its name, when it begins (ns), and what it says from there on."""

    name: str
    begins: int
    deltas: Callable[[], Iterator[tuple[int, Delta]]]
    """Opens the recording: pairs of time (ns, not falling, at least ``begins``) and delta."""


class Deck:
    """The tapes of one slot, merged; pure, no clock."""

    def __init__(self, tapes: Sequence[Tape], resume: bytes | None = None) -> None:
        self._tapes = sorted(tapes, key=lambda tape: (tape.begins, tape.name))
        self._opened = 0
        self._taken: dict[int, int] = {}
        self._names: dict[int, tuple[str, int]] = {}
        self._readers: dict[int, Iterator[tuple[int, Delta]]] = {}
        self._next: list[tuple[int, int, Delta | None]] = []
        if resume is not None:
            self._resume(orjson.loads(resume))
        self._reach()

    def due(self) -> int | None:
        """When the next delta is due (ns), None when all is said."""
        return self._next[0][0] if self._next else None

    def take(self, now: int, most: int) -> list[tuple[int, str, Delta]]:
        """Up to `most` deltas due at `now`: time, stream id, delta."""
        said: list[tuple[int, str, Delta]] = []
        while self._next and self._next[0][0] <= now and len(said) < most:
            at, place, delta = heapq.heappop(self._next)
            if delta is None:
                self._opened += 1
                self._open(place, 0)
                self._reach()
                continue
            self._taken[place] += 1
            said.append((at, self._named(place, delta), delta))
            self._advance(place)
        return said

    def position(self) -> bytes:
        """Where it stands, for another deck of the same tapes."""
        known = {str(place): taken for place, taken in self._taken.items()}
        return orjson.dumps(
            {"version": 1, "opened": self._opened, "names": self._fingerprint(self._opened), "taken": known}
        )

    def _resume(self, position: dict[str, Any]) -> None:
        opened = position["opened"]
        if position["version"] != 1 or self._fingerprint(opened) != position["names"]:
            msg = (
                f"the first {opened} recordings are not those the last run played: give it the same files "
                "to resume, or start with a new recovery directory"
            )
            raise ValueError(msg)
        self._opened = opened
        for place, taken in position["taken"].items():
            self._open(int(place), taken)

    def _fingerprint(self, count: int) -> int:
        return zlib.crc32("\n".join(tape.name for tape in self._tapes[:count]).encode())

    def _reach(self) -> None:
        """Queue the next tape that has not begun, so that one reader is opened per running tape only."""
        if self._opened < len(self._tapes):
            heapq.heappush(self._next, (self._tapes[self._opened].begins, self._opened, None))

    def _open(self, place: int, skip: int) -> None:
        self._readers[place] = self._tapes[place].deltas()
        self._taken[place] = skip
        self._names[place] = (self._tapes[place].name, 0)
        for _ in range(skip):
            found = next(self._readers[place], None)
            if found is None:
                msg = (
                    f"recording {self._tapes[place].name!r} is shorter than it was when the last run read it"
                )
                raise ValueError(msg)
            self._named(place, found[1])
        self._advance(place)

    def _advance(self, place: int) -> None:
        found = next(self._readers[place], None)
        if found is None:
            del self._readers[place], self._taken[place], self._names[place]
        else:
            heapq.heappush(self._next, (found[0], place, found[1]))

    def _named(self, place: int, delta: Delta) -> str:
        name, starts = self._names[place]
        if delta.kind == _START:
            starts += 1
            if starts > 1:
                name = f"{self._tapes[place].name}#{starts}"
            self._names[place] = (name, starts)
        return name


class _Partition(StatefulSourcePartition[tuple[str, Packet], bytes]):
    def __init__(self, key: str, slot: int, deck: Deck, source: TapeSource) -> None:
        self._key, self._slot, self._deck, self._source = key, slot, deck, source

    @override
    def next_batch(self) -> list[tuple[str, Packet]]:
        due = self._deck.due()
        if due is None or STOP.is_set():
            raise StopIteration
        said = self._deck.take(self._source.now(due), self._source.batch)
        if not said:
            return []
        packet = pack(
            self._slot, [(name, delta) for _, name, delta in said],
            now=said[-1][0], arrived=time.monotonic_ns(),
        )  # fmt: skip
        packet.deltas["at"] = [at for at, _, _ in said]
        return [(self._key, packet)]

    @override
    def next_awake(self) -> datetime | None:
        due = self._deck.due()
        now = datetime.now(UTC)
        if due is None or not self._source.speed:
            return now
        wait = (due - self._source.now(due)) / 1e9 / self._source.speed
        return now + timedelta(seconds=min(max(wait, 0.0), _LONGEST_NAP))

    @override
    def snapshot(self) -> bytes:
        return self._deck.position()


class TapeSource(FixedPartitionedSource[tuple[str, Packet], bytes]):
    """Plays `tapes`; what replay and simulate are made of.

    :arg tapes: All recordings. Their names are distinct.

    :arg keys: Key of each slot, in order: one partition each.

    :arg slot_of: The slot of a name.

    :arg speed: 1.0 plays as recorded, 10.0 ten times as fast, 0 as fast as possible.

    :arg batch: Deltas in a packet at most.

    """

    def __init__(
        self,
        tapes: Sequence[Tape],
        keys: Sequence[str],
        slot_of: Callable[[str], int],
        *,
        speed: float = 1.0,
        batch: int = 256,
    ) -> None:
        self.speed, self.batch = speed, batch
        self._keys = list(keys)
        self._tapes: list[list[Tape]] = [[] for _ in keys]
        for tape in tapes:
            self._tapes[slot_of(tape.name)].append(tape)
        self._origin: tuple[int, int] | None = None
        self._lock = threading.Lock()

    @override
    def list_parts(self) -> list[str]:
        return self._keys

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: bytes | None
    ) -> StatefulSourcePartition[tuple[str, Packet], bytes]:
        slot = self._keys.index(for_part)
        try:
            return _Partition(for_part, slot, Deck(self._tapes[slot], resume_state), self)
        except Exception:
            _log.exception("%s: cannot open the recordings of slot %d", step_id, slot)
            raise

    def now(self, due: int) -> int:
        """Time on the tapes (ns). It runs for all slots from the first look on: at 0, or where the
        resumed slot stands.
        """
        if not self.speed:
            return _FOREVER
        clock = time.monotonic_ns()
        with self._lock:
            if self._origin is None:
                self._origin = clock, (0 if due < _FRESH else due)
        began, at = self._origin
        return at + int((clock - began) * self.speed)
