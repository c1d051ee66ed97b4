"""What regime a signal is in: settled, cycling, drifting, chaotic or mere noise, and when that changes.

Strategy. A ring of the last samples per lane; every so many samples its window is looked at, all windows
that a packet completes in one call of each kernel; what the measures mean is said by
``operators.regimes``. One look may err, and a lane may flicker between two regimes, so a change is
reported by weight of evidence: looks that say a new regime add their confidence, looks that say the old
one take theirs away, undetermined ones do neither, and all evidence fades, so that rare wrong looks do not
add up. To go back to the regime just left takes more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.attractor import attractor_update
from operators.kernels.clearest_line import clearest_lines
from operators.kernels.divergence import PARTING, follow_neighbours
from operators.kernels.recurrence import PLAIN, RETURNS, SETTLED, standardise_and_return
from operators.packet import DELTA, FINDING, OPENED, SAMPLE, Packet, Reach, Table, empty, joined
from operators.regimes import Parting, Regime, Returns, judge

__all__ = ["Assessment", "Attractor", "Regime", "classify", "describe"]

_VERSION = 2
_REGIMES = (Regime.UNDETERMINED, *(regime for regime in Regime if regime is not Regime.UNDETERMINED))
"""As the state counts them: undetermined is 0."""
_SHORTEST = 32
"""Samples below which nothing is determined."""
_EXACT = 1e-3
"""Share of the variance that a cycle may leave to be what a transient came to."""
_STEADY = 1.6
"""How much faster one half of chaos may be than the other: of 805 stretches of 70 chaotic flows 9 were not
told for it, and no chirp was told."""
_NOTHING = 1e-5
"""Share of the variance."""
_ENTER, _RETURN = 1.2, 2.0
"""Evidence that settles a regime, and that settles the one before once more: a look is worth 1 at most, so
that is two looks at least, and three."""
_LEFT = 0.8
"""Share of the evidence that the next look finds, whatever it says: of looks that say nothing, not more than
three may be between two of 0.9, and single wrong ones, of eight looks one, settle nothing ever."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What :func:`describe` says of a series."""

    regime: Regime
    confidence: float = 0.0
    """Share of such answers that are right, or a bit less, on simulated series (``operators.regimes``); 0 of
    an undetermined series."""
    period: float = np.nan
    """Samples, of a limit cycle; NaN of what has none."""
    exponent: float = np.nan
    """Largest Lyapunov exponent of a chaotic series, nats a sample: a rough one, of the window's own
    embedding (``operators.kernels.lyapunov`` is for measuring); NaN of any other."""
    missing: str = ""
    """Of an undetermined series: what it would need."""


def classify(x: NDArray[np.float64]) -> Regime:
    """The regime of the series `x`: :func:`describe` without the rest.

    >>> classify(np.sin(np.arange(200) / 3)), classify(np.arange(200.0))
    (<Regime.LIMIT_CYCLE: 'limit_cycle'>, <Regime.TREND: 'trend'>)
    """
    return describe(x).regime


def describe(x: NDArray[np.float64]) -> Assessment:
    """The regime of the series `x`, equally spaced, float64[n] or what NumPy makes that of.

    Independent of scale and offset. Undetermined, and ``missing`` says why: below 32 samples; with NaN or
    infinity in it; or where what it does is between two regimes. Reliable from 128 samples on for maps,
    cycles and noise; a chaotic flow needs some twenty turns. O(n * n): 48 us
    for 128 samples of noise, 0.28 ms for 500, 1.0 ms for 1000, 3.8 ms for 2000.

    :raises ValueError: If `x` is not one series of numbers.

    >>> round(describe(np.sin(np.arange(200) / 3)).period, 2)
    18.85
    """
    series = np.array(x, np.float64)
    if series.ndim != 1:
        msg = f"regimes: one series of numbers is needed, not an array of shape {series.shape}"
        raise ValueError(msg)
    bad = np.flatnonzero(~np.isfinite(series))
    if len(bad):
        missing = f"finite values: {len(bad)} of {len(series)} are not, the first is number {bad[0]}"
        return Assessment(Regime.UNDETERMINED, missing=missing)
    if len(series) < _SHORTEST:
        return Assessment(Regime.UNDETERMINED, missing=f"{_SHORTEST} samples, got {len(series)}")
    return _assessed(series.reshape(1, -1))[0]


class Attractor:
    """A stage: packets with samples in, the same packets with findings of kind ``regime`` out.

    A finding says that a lane's signal came to be in another regime: ``code`` is that of the regime,
    ``value`` the largest Lyapunov exponent in nats per sample of the chaotic and 0.0 of the others,
    ``confidence`` that of the look that settled it, ``period`` in samples of a limit cycle and 0.0 of the
    others, and it covers the characters of that look's window. Undetermined is never reported. Looks whose
    windows overlap share samples and may share an error, so what two of them say is no surer than the
    ``confidence`` of one.

    Values that are not finite are passed over: a gap in a signal joins its two sides.

    State: 8 bytes per sample of the window, 8 per look that it overlaps, and 15 (1,071 for 128 and
    32). Emits: with the sample that completes the window. Cost: a look is O(window * window), so with `every`
    a share of the window it is O(window) a sample: 1.1 us with 128 and 32, 1.6 with 300 and 75, 4.2 with 1000
    and 250.

    :param signal: The series it looks at (``operators.packet.Signal``).
    :param window: Samples that are looked at, 32 or more.
    :param every: Samples from one look to the next.
    :param codes: Code of each regime in the policy's names; a regime without one is not reported.
    :raises ValueError: If `window` or `every` is too small.
    """

    def __init__(
        self, signal: int, window: int = 128, every: int = 32, codes: Mapping[Regime, int] | None = None
    ) -> None:
        if window < _SHORTEST or every < 1:
            msg = (
                f"attractor: window must be {_SHORTEST} samples or more and every 1 or more, "
                f"not {window} and {every}"
            )
            raise ValueError(msg)
        self._signal = signal
        self._every = every
        self._window = window
        self._codes = np.full(len(Regime), -1, np.int32)
        for regime, code in (codes or {}).items():
            if regime is not Regime.UNDETERMINED:
                self._codes[_REGIMES.index(regime)] = code
        self._state = Columns(
            _VERSION,
            reads=(signal, every),
            ring=(np.float64, (window,)),
            # Of the samples alone with which a window can begin.
            ring_begin=(np.int64, ((window - 1) // every + 1,)),
            seen=(np.int64, ()),
            current=(np.uint8, ()),
            left=(np.uint8, ()),
            candidate=(np.uint8, ()),
            evidence=(np.float32, ()),
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the changes of regime that its samples settle."""
        self._state.open(packet.opened["row"])
        self._state.wake(packet.deltas["row"])
        found = self._changes(packet.samples)
        self._state.close(packet.closed_rows())
        if not len(found):
            return packet
        findings = joined(packet.findings, found)
        return packet.having(findings=findings[np.lexsort((findings["decided"], findings["delta"]))])

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load` of a stage with the same window."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` does not fit the window.
        """
        self._state.load_asleep(state)

    def warm(self) -> None:
        """Compile the kernels, so that no sample pays for it. Changes no state."""
        samples = np.zeros(_SHORTEST, SAMPLE)
        samples["value"] = np.sin(np.arange(_SHORTEST) ** 2)  # a cycle would be decided without neighbours
        packet = Packet(0, 0, (), empty(DELTA), b"", opened=np.zeros(1, OPENED), samples=samples)
        Attractor(0, _SHORTEST, 1).update(packet)

    def _changes(self, samples: Table) -> Table:
        (index,) = (samples["signal"] == self._signal).nonzero()
        if not len(index):
            return empty(FINDING)
        rows, values, begins = (samples[name][index] for name in ("row", "value", "begin"))
        windows = np.empty((len(index), self._window))
        places = np.empty(len(index), np.int64)
        firsts = np.empty(len(index), np.int64)
        ring = [self._state[name] for name in ("ring", "ring_begin", "seen")]
        out = [windows, places, firsts]
        count = attractor_update(rows, values, begins, self._every, *ring, *out)
        if not count:
            return empty(FINDING)
        places, firsts = places[:count], firsts[:count]
        looks = _assessed(windows[:count])
        changed = self._settle(rows[places], looks)
        told = [k for k in changed if self._codes[_REGIMES.index(looks[k].regime)] >= 0]
        found = np.zeros(len(told), FINDING)
        found["kind"] = Reach.REGIME
        found["code"] = [self._codes[_REGIMES.index(looks[k].regime)] for k in told]
        found["value"] = np.nan_to_num([looks[k].exponent for k in told])
        found["confidence"] = [looks[k].confidence for k in told]
        found["period"] = np.nan_to_num([looks[k].period for k in told])
        found["begin"] = firsts[told]
        for name in ("delta", "row", "stop", "decided"):
            found[name] = samples[name][index[places[told]]]
        return found

    def _settle(self, rows: NDArray[np.int32], looks: list[Assessment]) -> list[int]:
        """Which of the looks settle a change."""
        current, left, candidate, evidence = (
            self._state[name] for name in ("current", "left", "candidate", "evidence")
        )
        changed = []
        for k, (row, look) in enumerate(zip(rows.tolist(), looks, strict=True)):
            regime = _REGIMES.index(look.regime)
            evidence[row] *= _LEFT
            if not regime:
                continue
            if regime == current[row] or (regime != candidate[row] and evidence[row] > look.confidence):
                evidence[row] = max(0.0, evidence[row] - look.confidence)
            elif regime == candidate[row]:
                evidence[row] += look.confidence
            else:
                candidate[row], evidence[row] = regime, look.confidence
            if regime == candidate[row] and evidence[row] >= (_RETURN if regime == left[row] else _ENTER):
                current[row], left[row] = regime, current[row]
                candidate[row], evidence[row] = 0, 0.0
                changed.append(k)
        return changed


def _assessed(windows: NDArray[np.float64]) -> list[Assessment]:
    """What each window is; `windows` are used up.

    Neighbours part in a transient too, and in what becomes faster: what it came to is seen in the second
    half, and chaos keeps its pace.
    """
    assessed = _looked(windows)
    half = windows.shape[1] // 2
    doubted = {Regime.CHAOTIC: _EXACT, Regime.TORUS: _NOTHING}
    asked = [k for k, each in enumerate(assessed) if each.regime in doubted and half >= _SHORTEST]
    if asked:
        tails = windows[asked, half:]
        returns = np.zeros(len(asked), RETURNS)
        standardise_and_return(tails.copy(), returns, np.empty(tails.shape[1]))
        left = np.where(returns["sight"] == PLAIN, returns["folded"], np.inf)
        left[returns["sight"] == SETTLED] = 0.0
        paces = _paces(windows[asked])
        for tail, (k, rest, pace) in enumerate(zip(asked, left.tolist(), paces, strict=True)):
            if rest <= doubted[assessed[k].regime]:
                (assessed[k],) = _looked(tails[tail : tail + 1])
            elif assessed[k].regime is Regime.CHAOTIC and not 1.0 / _STEADY < pace < _STEADY:
                why = "a steady pace: it becomes faster or slower"
                assessed[k] = Assessment(Regime.UNDETERMINED, missing=why)
    return assessed


def _paces(windows: NDArray[np.float64]) -> list[float]:
    """How much faster the first half of each goes than the second, by the length of its path."""
    steps = np.abs(np.diff(windows))
    half = steps.shape[1] // 2
    paces: list[float] = (steps[:, :half].mean(axis=1) / steps[:, -half:].mean(axis=1)).tolist()
    return paces


def _looked(windows: NDArray[np.float64]) -> list[Assessment]:
    """What each window is at one look."""
    count, size = windows.shape
    returns = np.zeros(count, RETURNS)
    scratch = np.empty((4, size))
    standardise_and_return(windows, returns, scratch[0])
    partings = np.zeros(count, PARTING)
    lines = np.zeros(count)
    # What folds to nothing is a cycle, whatever neighbours and spectrum say.
    plain = np.flatnonzero((returns["sight"] == PLAIN) & (returns["folded"] > _NOTHING))
    if len(plain):
        followed, clearest, asked = np.empty(len(plain), PARTING), np.empty(len(plain)), windows[plain]
        follow_neighbours(asked, returns["lag"][plain], followed, scratch)
        clearest_lines(asked, clearest, scratch)
        partings[plain], lines[plain] = followed, clearest
    assessed = []
    for returned, parted, line in zip(returns.tolist(), partings.tolist(), lines.tolist(), strict=True):
        seen, parting = Returns(*returned), Parting(*parted)
        regime, confidence, missing = judge(size, seen, parting, line)
        period = seen.period if regime is Regime.LIMIT_CYCLE else np.nan
        exponent = parting.exponent if regime is Regime.CHAOTIC else np.nan
        assessed.append(Assessment(regime, confidence, period, exponent, missing))
    return assessed
