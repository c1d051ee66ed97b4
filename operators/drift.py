"""Drift and stalls: since when a lane's signal has another level, and when a stream says nothing at all.

Strategy. A detector of changes is only as good as the false alarms it promises, and those of the classic
ones hold for a distribution that must be known. Here each sample is first turned into its rank among all
that the lane had before (``operators.kernels.ranks``), which nobody's distribution changes, and a classic
detector runs over the scores of the ranks: so the rate that is asked for holds for waiting times, lengths of
a few values and surprisal alike, as long as the samples are independent. Over samples of four continuous
distributions 0.6 to 1.0 times as many come as are asked for, of few values fewer, of a constant none. Samples
that depend on each other alarm more often: 2 to 3 times of lengths in recorded streams, 4 to 30 times of
surprisal; most of those of ``cusum`` are downwards, because the model that is surprised learns (only upwards:
1.1 times in whole answers, 4 times in recorded streams), of the others more than half upwards
(``benches.bench_drift``). Behind an alarm a lane is new: its new level is learnt, and one change is told
once. The price of ranks: they get used to a new level, so what is not noticed soon never is. Behind 300
samples a third of the shifts by half a deviation is missed (``adwin``: an eighth); where one of two values
comes twice as often then, ``cusum`` misses 65 %, ``bocpd`` 46, ``page_hinkley`` 30, ``adwin`` 1.

Time is not read from a clock: a silence is told when the directory says that it has lasted so long.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import DTypeLike, NDArray

from operators.columns import Columns, framed, unframed
from operators.kernels import adwin, bocpd, cusum, page_hinkley
from operators.kernels.ranks import normal_scores, rank_shares, spread_scores
from operators.packet import (
    DELTA,
    FINDING,
    OPENED,
    SAMPLE,
    Kind,
    Packet,
    Reach,
    Table,
    empty,
    joined,
)

__all__ = ["Change", "Drift", "Wait"]

_VERSION = 1
_WAIT = int(Kind.WAIT)
_INSTANT = 1.5e-9  # seconds: the directory counts whole nanoseconds, so a limit can be one off
_SIDES = {"up": (1,), "down": (-1,), "both": (1, -1)}
_RAREST, _MOST_OFTEN = 1e-6, 1e-3  # false alarms a sample for which the thresholds were measured
_FEWEST, _MOST = 8, 1024  # of the samples that are kept

_Rows = NDArray[np.int32]
_Places = NDArray[np.int64]
_Values = NDArray[np.float64]
_Shares = tuple[_Values, _Values, _Places]
_Spec = tuple[DTypeLike, tuple[int, ...]]


@dataclass(frozen=True)
class Change:
    """A signal whose changes are told.

    :raises ValueError: If a field is out of its range.
    """

    name: str
    code: int
    """Place of the name in the policy's names."""
    signal: int
    """The series that is watched (``operators.packet.Signal``)."""
    method: str = "cusum"
    """``cusum`` is the lightest, and tells shifts of a deviation or more first; ``page_hinkley`` smaller
    ones; ``adwin`` misses the fewest of those and of few values, and tells all late; ``bocpd`` finds changes
    of spread too."""
    false_alarm: float = 1e-4
    """Expected false alarms a sample while nothing happens, 1e-6 to 1e-3."""
    direction: str = "both"
    """``up``, ``down`` or ``both``."""
    reference: int = 32
    """Samples that later ones are ranked against, 8 to 1024; a lane with fewer is not judged."""

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            msg = f"drift {self.name!r}: method must be one of {', '.join(_METHODS)}, not {self.method!r}"
            raise ValueError(msg)
        if self.direction not in _SIDES:
            msg = f"drift {self.name!r}: direction must be up, down or both, not {self.direction!r}"
            raise ValueError(msg)
        if not _RAREST <= self.false_alarm <= _MOST_OFTEN:
            msg = f"drift {self.name!r}: false_alarm must be {_RAREST:g} to {_MOST_OFTEN:g} a sample, not "
            raise ValueError(msg + f"{self.false_alarm:g}")
        if not _FEWEST <= self.reference <= _MOST:
            msg = f"drift {self.name!r}: reference must be {_FEWEST} to {_MOST} samples, not {self.reference}"
            raise ValueError(msg)


@dataclass(frozen=True)
class Wait:
    """A silence that is told.

    :raises ValueError: If `after` is not a positive number.
    """

    name: str
    code: int
    """Place of the name in the policy's names."""
    after: float
    """Seconds; one of the limits of the directory."""
    first: bool = False
    """Of the silence before a stream's first text, or of any later one."""

    def __post_init__(self) -> None:
        if not 0.0 < self.after < math.inf:
            msg = f"drift {self.name!r}: after must be a positive number of seconds, not {self.after}"
            raise ValueError(msg)


class Drift:
    """A stage: packets with samples in, the same packets with findings of kind ``drift`` out.

    A finding of a :class:`Change` covers the characters from the first sample of the estimated change to the
    one that decided. ``value`` is the mean of the signal from there on less the mean before, in the signal's
    own unit (seconds, characters, bits a character); of heavy tails, and of a change of spread alone, it can
    have either sign, while the direction is that of the ranks. ``confidence`` is 0, not told: it would depend
    on how often there are changes at all. A finding of a :class:`Wait` has the seconds as its ``value`` and 1
    as its ``confidence``; it covers no characters, and comes once a silence.

    State of a lane, with a reference of 32: 396 bytes for each change and those of its method, which are 112
    (``cusum``), 128 (``page_hinkley``), 2,528 (``adwin``), 952 (``bocpd``). Emits: with the sample that
    decided. Cost of each change (``benches.bench_drift cost``): 8 us a packet of one sample; in large ones
    0.13 us a sample (``cusum``, ``page_hinkley``), 0.15 (``adwin``), 0.62 (``bocpd``).

    :param changes: What is watched for changes.
    :param waits: What silences are told.
    """

    def __init__(self, changes: Sequence[Change], waits: Sequence[Wait] = ()) -> None:
        self._changes = tuple(changes)
        self._waits = tuple(waits)
        self._watches = [_Watch(change) for change in changes]

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return sum(watch.state.row_bytes for watch in self._watches)

    def update(self, packet: Packet) -> Packet:
        """`packet` with the changes that its samples settle, and the silences that it tells of."""
        opened, closed = packet.opened["row"], packet.closed_rows()
        found = [packet.findings]
        for watch in self._watches:
            watch.state.open(opened)
            found += watch.follow(packet.samples)
            watch.state.close(closed)
        if self._waits and _WAIT in packet.kinds():
            found += self._silences(packet)
        if len(found) == 1:
            return packet
        findings = joined(*found)
        return packet.having(findings=findings[np.lexsort((findings["decided"], findings["delta"]))])

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load` of a stage with the same changes."""
        return framed(*(watch.state.dump() for watch in self._watches))

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` was made for other changes.
        """
        parts = unframed(state)
        if len(parts) != len(self._watches):
            msg = f"state of {len(parts)} changes, this policy watches {len(self._watches)}"
            raise ValueError(msg)
        for watch, part in zip(self._watches, parts, strict=True):
            watch.state.load(part)

    def warm(self) -> None:
        """Compile the kernels, so that no sample pays for it. Changes no state."""
        samples = np.zeros(len(self._changes), SAMPLE)
        samples["signal"] = [change.signal for change in self._changes]
        packet = Packet(0, 0, (), empty(DELTA), b"", opened=np.zeros(1, OPENED), samples=samples)
        Drift(self._changes).update(packet)

    def _silences(self, packet: Packet) -> Iterator[Table]:
        for place in np.flatnonzero(packet.deltas["kind"] == _WAIT):
            delta = packet.deltas[place]
            said = orjson.loads(packet.text[delta["start"] : delta["end"]])
            for wait in self._waits:
                if wait.first == said["first"] and abs(wait.after - said["silent"]) <= _INSTANT:
                    found = np.zeros(1, FINDING)
                    found["delta"], found["row"] = place, delta["row"]
                    found["kind"], found["code"] = Reach.DRIFT, wait.code
                    found["value"], found["confidence"] = said["silent"], 1.0
                    found["begin"] = found["stop"] = found["decided"] = delta["begin"]
                    yield found


class _Watch:
    """One :class:`Change` in all lanes."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._sides = _SIDES[change.direction]
        self._method = _METHODS[change.method](change.false_alarm, self._sides)
        settings = (change.signal, change.method, change.false_alarm, change.direction)
        self.state = Columns(
            _VERSION,
            reads=(repr(settings).encode(),),
            seen=(np.int64, ()),
            edges=(np.float32, (change.reference,)),
            counts=(np.uint32, (2 * change.reference + 1,)),
            **self._method.spec,
        )

    def follow(self, samples: Table) -> Iterator[Table]:
        """What the samples of a packet settle. Behind an alarm the rest of its lane is read anew."""
        (index,) = (samples["signal"] == self._change.signal).nonzero()
        rows, values, begins = (samples[name][index] for name in ("row", "value", "begin"))
        while len(rows):
            shares = np.empty(len(rows)), np.empty(len(rows)), np.empty(len(rows), np.int64)
            seen, edges, counts = (self.state[name] for name in ("seen", "edges", "counts"))
            rank_shares(rows, values, seen, edges, counts, *shares)
            places = np.empty(len(rows), np.int64)
            count = self._method.advance(self.state, rows, values, begins, shares, places)
            if not count:
                return
            places = places[:count]
            alarmed = rows[places]
            yield self._findings(samples[index[places]], alarmed)
            self.state.open(alarmed)
            resume = np.full(len(self.state), len(rows))
            resume[alarmed] = places + 1
            rest = np.arange(len(rows)) >= resume[rows]
            rows, values, begins, index = rows[rest], values[rest], begins[rest], index[rest]

    def _findings(self, decisive: Table, rows: NDArray[np.int32]) -> Table:
        lanes = self.state["lane"][rows]
        found = np.zeros(len(rows), FINDING)
        found["kind"] = Reach.DRIFT
        found["code"] = self._change.code
        found["value"] = lanes["after"] - lanes["before"]
        found["begin"] = lanes["changed"]
        for name in ("delta", "row", "stop", "decided"):
            found[name] = decisive[name]
        return found[np.isin(lanes["side"], self._sides)]


class _Cusum:
    """Sums of normal scores, whose level is 0 while nothing happens."""

    slack = cusum.SLACK
    spec: Mapping[str, _Spec] = {"lane": (cusum.CUSUM, ())}

    def __init__(self, false_alarm: float, sides: Sequence[int]) -> None:
        reach = cusum.threshold(false_alarm, len(sides), self.slack)
        self._shape = np.array([self.slack, *(reach if side in sides else np.inf for side in (1, -1))])

    def advance(
        self, state: Columns, rows: _Rows, values: _Values, begins: _Places, shares: _Shares, places: _Places
    ) -> int:
        """Alarms of a packet: how many, and of which samples in `places`."""
        scores = self.scores(state, rows, shares)
        return cusum.cusum(rows, scores, values, begins, self._shape, state["lane"], places)

    def scores(self, state: Columns, rows: _Rows, shares: _Shares) -> _Values:
        """What is summed."""
        scores = np.empty(len(rows))
        normal_scores(*shares[:2], scores)
        return scores


class _PageHinkley(_Cusum):
    """Sums of what they differ from their own mean by."""

    slack = page_hinkley.TOLERANCE
    spec: Mapping[str, _Spec] = {"level": (page_hinkley.LEVEL, ()), **_Cusum.spec}

    def scores(self, state: Columns, rows: _Rows, shares: _Shares) -> _Values:
        apart = np.empty(len(rows))
        page_hinkley.deviations(rows, super().scores(state, rows, shares), state["level"], apart)
        return apart


class _Adwin:
    """A window of shares, which are even on 0 to 1 while nothing happens."""

    spec: Mapping[str, _Spec] = {
        "lane": (adwin.ADWIN, ()),
        "buckets": (adwin.BUCKET, (adwin.LEVELS, adwin.MOST + 1)),
    }

    def __init__(self, false_alarm: float, sides: Sequence[int]) -> None:
        self._shape = adwin.shape(false_alarm * 2 / len(sides))

    def advance(
        self, state: Columns, rows: _Rows, values: _Values, begins: _Places, shares: _Shares, places: _Places
    ) -> int:
        """Alarms of a packet: how many, and of which samples in `places`."""
        middles = 0.5 * (shares[0] + shares[1])
        kept = state["lane"], state["buckets"]
        return adwin.adwin(rows, middles, values, begins, self._shape, *kept, places)


class _Bocpd:
    """Runs of spread scores: a density needs more than the mean of what a rank can be."""

    spec: Mapping[str, _Spec] = {"lane": (bocpd.BOCPD, ()), "runs": (bocpd.RUN, (bocpd.MOST,))}

    def __init__(self, false_alarm: float, sides: Sequence[int]) -> None:
        self._shape = bocpd.shape(false_alarm * 2 / len(sides))

    def advance(
        self, state: Columns, rows: _Rows, values: _Values, begins: _Places, shares: _Shares, places: _Places
    ) -> int:
        """Alarms of a packet: how many, and of which samples in `places`."""
        scores = np.empty(len(rows))
        spread_scores(*shares, scores)
        kept = state["lane"], state["runs"]
        return bocpd.bocpd(rows, scores, values, begins, self._shape, *kept, places)


_METHODS: dict[str, type[_Cusum] | type[_Adwin] | type[_Bocpd]] = {
    "cusum": _Cusum,
    "page_hinkley": _PageHinkley,
    "adwin": _Adwin,
    "bocpd": _Bocpd,
}
