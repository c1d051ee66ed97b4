"""Known shapes in the signals of a stream: each sample is matched against every pattern, at any speed.

Strategy. SPRING (``operators.kernels.dtw``): dynamic time warping over all subsequences that end now,
one column of state per lane and pattern, so a match is seen wherever it begins and however stretched
it is. It is reported when nothing that overlaps it can still be nearer, at the latest when its lane
closes, so the same shape is never reported twice. The patterns lie one after the other, by signal and
length, as the kernel wants them; a finding names the code its pattern was given, never that place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.dtw import spring_update
from operators.packet import DELTA, FINDING, OPENED, SAMPLE, Kind, Packet, Reach, Table, joined

__all__ = ["Dtw", "Pattern"]

_VERSION = 1
_STATE = ("distance", "start", "best", "best_begin", "best_last", "best_stop")
"""Columns in the order of the kernel's arguments."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A reference series to look for in one signal."""

    name: str
    signal: int
    """The series it is looked for in (``operators.packet.Signal``)."""
    values: tuple[float, ...]
    """In units of the signal."""
    within: float
    """Matches up to this distance: squared differences along the warping path, summed, divided by the
    number of `values`. In squared units of the signal."""
    code: int
    """Place of `name` in the policy's names: the ``code`` of its findings."""


class Dtw:
    """A stage: packets with samples in, the same packets with findings of kind ``dtw`` out.

    State: 12 bytes per pattern value and 32 per pattern and lane (3.3 KiB for 8 patterns of 32).
    Emits: with the sample that decided it, or with the lane's CLOSE. ``value`` is the distance as in
    :attr:`Pattern.within`. Cost: 2 ns per sample and value of the patterns of its signal.

    :param patterns: What to look for, fixed for the life of the stage.
    :raises ValueError: If a pattern is empty or not finite, its signal no place of a ``u1`` or its
        ``within`` negative or not finite.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        for pattern in patterns:
            _check(pattern)
        known = sorted(patterns, key=lambda pattern: (pattern.signal, len(pattern.values)))
        lengths = [len(pattern.values) for pattern in known]
        signals = np.array([pattern.signal for pattern in known], np.int64)
        values = np.array([value for pattern in known for value in pattern.values], np.float64)
        self._bounds = np.cumsum([0, *lengths], dtype=np.int64)
        groups = np.searchsorted(signals, np.arange(257)).astype(np.int64)
        self._widest = int(np.diff(groups).max())
        within = np.array([pattern.within for pattern in known], np.float64)
        self._patterns: list[NDArray[Any]] = [values, self._bounds, groups, within]
        self._codes = np.array([pattern.code for pattern in known], np.int32)
        cells, count = (len(values),), (len(known),)
        self._state = Columns(
            _VERSION,
            reads=self._patterns,
            distance=(np.float64, cells),
            start=(np.int32, cells),
            best=(np.float64, count),
            best_begin=(np.int64, count),
            best_last=(np.int64, count),
            best_stop=(np.int64, count),
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the findings that its samples and its closing lanes decide."""
        self._open(packet.opened["row"])
        found = [packet.findings]
        if len(packet.samples) and self._widest:
            found.append(self._match(packet.samples))
        rows = packet.closed_rows()
        if len(rows) and self._widest:
            found.append(self._flush(packet.deltas, np.flatnonzero(packet.deltas["kind"] == Kind.CLOSE)))
        self._state.close(rows)
        if sum(map(len, found)) == len(packet.findings):
            return packet
        findings = joined(*found)
        return packet.having(findings=findings[np.argsort(findings["delta"], kind="stable")])

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load` of a stage with as many and as long patterns."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` does not fit the patterns.
        """
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernels, so that no sample pays for it. Changes no state."""
        deltas = np.zeros(1, DELTA)
        deltas["kind"] = Kind.CLOSE
        packet = Packet(0, 0, (), deltas, b"", opened=np.zeros(1, OPENED), samples=np.zeros(1, SAMPLE))
        Dtw([Pattern("", 0, (0.0,), 0.0, 0)]).update(packet)

    def _open(self, rows: NDArray[np.int32]) -> None:
        self._state.open(rows)
        if len(rows):
            self._state["distance"][rows] = np.inf
            self._state["best"][rows] = np.inf

    def _match(self, samples: Table) -> Table:
        size = len(samples) * self._widest
        out = [np.empty(size, dtype) for dtype in (np.int64, np.int64, np.float64, np.int64, np.int64)]
        # Copies: a column of a table is strided, in a packet that crossed processes read-only too, and
        # each of these would be another type to compile for.
        columns = [samples[name].copy() for name in ("row", "signal", "value", "begin", "stop")]
        state = [self._state[name] for name in _STATE]
        count = spring_update(*columns, *self._patterns, *state, *out)
        places, patterns, values, begins, stops = (column[:count] for column in out)
        found = self._findings(patterns, values, begins, stops)
        for name in ("delta", "row", "decided"):
            found[name] = samples[name][places]
        return found

    def _flush(self, deltas: Table, closing: NDArray[np.int64]) -> Table:
        best = self._state["best"][deltas["row"][closing]]
        places, patterns = np.nonzero(best < np.inf)
        closed = deltas[closing[places]]
        at = closed["row"], patterns
        begins, stops = self._state["best_begin"][at], self._state["best_stop"][at]
        values = best[places, patterns] / np.diff(self._bounds)[patterns]
        found = self._findings(patterns, values, begins, stops)
        found["delta"] = closing[places]
        found["row"] = closed["row"]
        found["decided"] = closed["begin"]
        return found

    def _findings(
        self, patterns: NDArray[Any], values: NDArray[Any], begins: NDArray[Any], stops: NDArray[Any]
    ) -> Table:
        found = np.zeros(len(patterns), FINDING)
        found["kind"] = Reach.DTW
        found["code"] = self._codes[patterns]
        found["value"] = values
        found["begin"] = begins
        found["stop"] = stops
        return found


def _check(pattern: Pattern) -> None:
    where = f"dtw: pattern {pattern.name!r}"
    if not pattern.values or not all(map(math.isfinite, pattern.values)):
        msg = f"{where} must have values, all of them finite"
        raise ValueError(msg)
    if not 0 <= pattern.signal <= 255:
        msg = f"{where} must name a signal of 0 to 255, not {pattern.signal}"
        raise ValueError(msg)
    if not (math.isfinite(pattern.within) and pattern.within >= 0):
        msg = f"{where} must have a finite distance of 0 or more as within, not {pattern.within}"
        raise ValueError(msg)
