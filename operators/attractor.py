"""What regime a signal is in: settled, cycling, drifting, chaotic or mere noise, and when that changes.

Strategy. A ring of the last samples per lane; every so many samples its window is classified, all windows
that a packet completes in one call of each kernel. Two questions decide: does the series return
(``kernels.recurrence``: at rest, on its way, periodic, a few spectral lines), and if not, what becomes
of near neighbours (``kernels.divergence``: they tell nothing of each other's future in noise, they tell
it and part in chaos). What lies between two answers is undetermined: short windows often are. One
window may err, so a regime is reported when two in a row agree, once, if it is not the one before.
The thresholds were set on 35 kinds of series at lengths 128 to 2000 (``tests/operators``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.attractor import attractor_update
from operators.kernels.divergence import PARTING, follow_neighbours
from operators.kernels.recurrence import PLAIN, RETURNS, SETTLED, standardise_and_return
from operators.packet import DELTA, FINDING, OPENED, SAMPLE, Packet, Reach, Table, empty, joined

__all__ = ["Attractor", "Regime", "classify"]

_VERSION = 1


class Regime(StrEnum):
    """What a series does."""

    FIXED_POINT = "fixed_point"
    """It stands still, or comes to."""
    LIMIT_CYCLE = "limit_cycle"
    """It repeats itself."""
    TORUS = "torus"
    """It is regular and never repeats: two frequencies without a common measure."""
    CHAOTIC = "chaotic"
    """It has a law, and what was almost equal becomes different."""
    NOISE = "noise"
    """Its past tells no more of its future than correlation does."""
    TREND = "trend"
    """It goes one way."""
    UNDETERMINED = "undetermined"
    """It is too short, or between two of these."""


_REGIMES = (Regime.UNDETERMINED, *(regime for regime in Regime if regime is not Regime.UNDETERMINED))
"""As the state counts them: undetermined is 0."""
_SHORTEST = 32
"""Samples below which nothing is determined."""


def classify(x: NDArray[np.float64]) -> Regime:
    """The regime of the series `x`, equally spaced, float64[n] or what NumPy makes that of.

    Independent of scale and offset; undetermined below 32 samples. Cost: O(n * n), 55 us for 128
    samples, 5 ms for 2000. Reliable from 128 samples on for maps, cycles and noise; a chaotic flow needs
    some twenty turns.

    :raises ValueError: If `x` is not one series of finite numbers.

    >>> classify(np.sin(np.arange(200) / 3)), classify(np.arange(200.0))
    (<Regime.LIMIT_CYCLE: 'limit_cycle'>, <Regime.TREND: 'trend'>)
    """
    series = np.array(x, np.float64)
    if series.ndim != 1 or not np.isfinite(series).all():
        msg = f"classify: one series of finite numbers is needed, not an array of shape {series.shape}"
        msg += "" if np.isfinite(series).all() else " with NaN or infinity in it"
        raise ValueError(msg)
    if len(series) < _SHORTEST:
        return Regime.UNDETERMINED
    regimes, _ = _judge(series.reshape(1, -1))
    return _REGIMES[int(regimes[0])]


class Attractor:
    """A stage: packets with samples in, the same packets with findings of kind ``regime`` out.

    A finding says that a lane's signal came to be in another regime: ``code`` is that of the regime,
    ``value`` the largest Lyapunov exponent in nats per sample of the chaotic and 0.0 of the others, and it
    covers the characters of the window that settled it. Undetermined is never reported.

    State: 16 bytes per sample of the window and 10 per lane (2.0 KiB for 128). Emits: with the sample
    that completes the window. Cost: 30 us per window of 128, so 1.0 us a sample with `every` 32.

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
            ring_begin=(np.int64, (window,)),
            seen=(np.int64, ()),
            current=(np.uint8, ()),
            candidate=(np.uint8, ()),
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the changes of regime that its samples settle."""
        self._state.open(packet.opened["row"])
        samples = packet.samples[packet.samples["signal"] == self._signal]
        found = self._changes(samples) if len(samples) else empty(FINDING)
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
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernels, so that no sample pays for it. Changes no state."""
        samples = np.zeros(_SHORTEST, SAMPLE)
        samples["value"] = np.arange(_SHORTEST) % 5  # at rest it would be decided without neighbours
        packet = Packet(0, 0, (), empty(DELTA), b"", opened=np.zeros(1, OPENED), samples=samples)
        Attractor(0, _SHORTEST, 1).update(packet)

    def _changes(self, samples: Table) -> Table:
        # Copies: columns of a table are strided, which would be another type to compile for.
        rows, values, begins = (samples[name].copy() for name in ("row", "value", "begin"))
        windows = np.empty((len(samples), self._window))
        places = np.empty(len(samples), np.int64)
        firsts = np.empty(len(samples), np.int64)
        ring = [self._state[name] for name in ("ring", "ring_begin", "seen")]
        out = [windows, places, firsts]
        count = attractor_update(rows, values, begins, self._every, *ring, *out)
        if not count:
            return empty(FINDING)
        places, firsts = places[:count], firsts[:count]
        regimes, exponents = _judge(windows[:count])
        changed = self._settle(rows[places], regimes)
        told = np.flatnonzero(changed & (self._codes[regimes] >= 0))
        seen = samples[places[told]]
        found = np.zeros(len(told), FINDING)
        found["kind"] = Reach.REGIME
        found["code"] = self._codes[regimes[told]]
        found["value"] = exponents[told]
        found["begin"] = firsts[told]
        for name in ("delta", "row", "stop", "decided"):
            found[name] = seen[name]
        return found

    def _settle(self, rows: NDArray[np.int32], regimes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which windows settle a change: the second in a row to say the same new regime."""
        current, candidate = self._state["current"], self._state["candidate"]
        changed = np.zeros(len(rows), np.bool_)
        for k, (row, regime) in enumerate(zip(rows.tolist(), regimes.tolist(), strict=True)):
            if regime and regime == candidate[row] and regime != current[row]:
                current[row] = regime
                changed[k] = True
            candidate[row] = regime
        return changed


def _judge(windows: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Place among the regimes, and exponent, of each window; `windows` are used up."""
    count, size = windows.shape
    returns = np.empty(count, RETURNS)
    partings = np.zeros(count, PARTING)
    scratch = np.empty((3, size))
    standardise_and_return(windows, returns, scratch[0])
    plain = np.flatnonzero(returns["sight"] == PLAIN)
    if len(plain):
        followed = np.empty(len(plain), PARTING)
        follow_neighbours(windows[plain], returns["lag"][plain], followed, scratch)
        partings[plain] = followed
    regimes = np.empty(count, np.int64)
    exponents = np.zeros(count)
    for k in range(count):
        parting: list[float] = list(partings[k].item())
        regime = _decide(size, *returns[k].item(), *parting[:3])
        regimes[k] = _REGIMES.index(regime)
        if regime is Regime.CHAOTIC:
            exponents[k] = parting[3]
    return regimes, exponents


def _decide(
    size: int,
    sight: int,
    lag: int,
    step: float,
    turn: float,
    period_error: float,
    repeats: bool,
    one_line: float,
    three_lines: float,
    soon: float,
    later: float,
    growth: float,
) -> Regime:
    """The first that holds; names as in the kernels' tables."""
    if sight != PLAIN:
        return Regime.FIXED_POINT if sight == SETTLED else Regime.TREND
    if repeats:
        # A chaotic band can look like a noisy cycle, but neighbours know more of it than the period.
        return Regime.CHAOTIC if soon < 0.5 * period_error and growth > 1.0 else Regime.LIMIT_CYCLE
    if lag >= size // 14:
        return Regime.UNDETERMINED
    if one_line < 1e-3:
        return Regime.LIMIT_CYCLE
    if three_lines < 1e-3:
        return Regime.TORUS
    # Measured against what correlation alone leaves open: one sample ahead (of red noise its step, of
    # blue noise its rest), and one correlation time ahead, where a smooth flow shows its law.
    unexplained = min(soon / min(step, 1.0 - (1.0 - step) ** 2), later / (1.0 - (1.0 - turn) ** 2))
    if unexplained > 0.5:
        return Regime.NOISE
    if unexplained < 0.3 and growth > 1.0:
        return Regime.CHAOTIC
    return Regime.TORUS if unexplained < 0.3 and growth < 0.7 else Regime.UNDETERMINED
