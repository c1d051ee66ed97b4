"""Play recordings (or scripts) of streams into a flow, each at its own time, all of a slot in one order.

Strategy. A :class:`Tape` gives the deltas of one recording with the time of each. A player, one per
slot, merges its tapes by time (then by their order), so the deltas of a slot come in one order however
fast they are played, however often the flow is stopped and however many workers there are; only the
packets they are packed into differ. A slot of which nothing is due gets packets of no deltas, for the
time: who waits in it for a stream learns how long. The position is how many deltas of each tape were
handed out, with a checksum of their texts: to resume, a tape is read from its beginning, that many are
skipped, and a tape that says something else than it did is refused. The position also knows the time on
the tapes, which goes on from there.

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
from itertools import islice
from typing import Any

import orjson
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from connectors._logged import logged
from connectors._stop import STOP
from operators.packet import Delta, Kind, Packet, pack

__all__ = ["Deck", "Tape", "TapeSource"]

_log = logging.getLogger(__name__)
_START = int(Kind.START)
_FOREVER = 1 << 62
_LONGEST_NAP = 0.2  # seconds between two looks at STOP while nothing is due
_TICK = 250_000_000  # nanoseconds after which a slot that heard nothing is told how late it is


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
        self._taken: dict[int, tuple[int, int]] = {}  # deltas handed out, checksum of their texts
        self._names: dict[int, tuple[str, int]] = {}
        self._readers: dict[int, Iterator[tuple[int, Delta]]] = {}
        self._next: list[tuple[int, int, Delta | None]] = []
        self.reached = 0
        """Time on the tapes (ns) up to which this deck has played."""
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
                self._open(place)
                self._reach()
                continue
            self._taken[place] = _counted(self._taken[place], delta)
            said.append((at, self._named(place, delta), delta))
            self._advance(place)
        if now < _FOREVER:
            self.reached = max(self.reached, now)
        elif said:
            self.reached = said[-1][0]
        return said

    def position(self) -> bytes:
        """Where it stands, for another deck of the same tapes."""
        known = {str(place): taken for place, taken in self._taken.items()}
        return orjson.dumps(
            {
                "version": 1, "opened": self._opened, "names": self._fingerprint(self._opened),
                "taken": known, "reached": self.reached,
            }
        )  # fmt: skip

    def _resume(self, position: dict[str, Any]) -> None:
        opened = position["opened"]
        if position["version"] != 1 or self._fingerprint(opened) != position["names"]:
            msg = (
                f"the first {opened} recordings are not those the last run played: give it the same files "
                "to resume, or start with a new recovery directory"
            )
            raise ValueError(msg)
        self._opened, self.reached = opened, position["reached"]
        for place, (taken, checksum) in position["taken"].items():
            self._open(int(place), taken, checksum)

    def _fingerprint(self, count: int) -> int:
        return zlib.crc32("\n".join(tape.name for tape in self._tapes[:count]).encode())

    def _reach(self) -> None:
        """Queue the next tape that has not begun, so that one reader is opened per running tape only."""
        if self._opened < len(self._tapes):
            heapq.heappush(self._next, (self._tapes[self._opened].begins, self._opened, None))

    def _open(self, place: int, skip: int = 0, checksum: int = 0) -> None:
        tape = self._tapes[place]
        reader = self._readers[place] = tape.deltas()
        self._names[place] = (tape.name, 0)
        taken = (0, 0)
        for _, delta in islice(reader, skip):
            taken = _counted(taken, delta)
            self._named(place, delta)
        if taken != (skip, checksum):
            msg = (
                f"recording {tape.name!r} is not what the last run read: its first {skip} deltas differ; "
                "give it back as it was, to be read as it was, or start with a new recovery directory"
            )
            raise ValueError(msg)
        self._taken[place] = taken
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


def _counted(taken: tuple[int, int], delta: Delta) -> tuple[int, int]:
    """One delta more; 0.15 us."""
    return taken[0] + 1, zlib.crc32(delta.text.encode(), taken[1])


class _Partition(StatefulSourcePartition[tuple[str, Packet], bytes]):
    def __init__(self, key: str, slot: int, deck: Deck, source: TapeSource) -> None:
        self._key, self._slot, self._deck, self._source = key, slot, deck, source
        self._told = deck.reached

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        due = self._deck.due()
        if due is None or STOP.is_set():
            raise StopIteration
        now = self._source.now(self._deck.reached)
        said = self._deck.take(now, self._source.batch)
        if not said:
            if not self._source.speed or now - self._told < _TICK * self._source.speed:
                return []
            self._told = now
            return [(self._key, pack(self._slot, [], now=now))]
        self._told = said[-1][0]
        packet = pack(
            self._slot,
            [(name, delta) for _, name, delta in said],
            now=self._told,
            arrived=time.monotonic_ns(),
        )
        packet.deltas["at"] = [at for at, _, _ in said]
        return [(self._key, packet)]

    @override
    def next_awake(self) -> datetime | None:
        due = self._deck.due()
        now = datetime.now(UTC)
        if due is None or not self._source.speed:
            return now
        wait = (due - self._source.now(self._deck.reached)) / 1e9 / self._source.speed
        return now + timedelta(seconds=min(max(wait, 0.0), _LONGEST_NAP))

    @override
    @logged
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
        batch: int = 1024,
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

    def now(self, reached: int) -> int:
        """Time on the tapes (ns). It runs for all slots from the first look on, and from what the slot
        that looks first has `reached`: 0, or where the last run was stopped (all slots within a nap).
        """
        if not self.speed:
            return _FOREVER
        clock = time.monotonic_ns()
        with self._lock:
            if self._origin is None:
                self._origin = clock, reached
        began, at = self._origin
        return at + int((clock - began) * self.speed)
