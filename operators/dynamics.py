"""The dynamics of a signal, kept up with every sample: exponent, entropies, recurrence, path, velocity.

Strategy. Each number is a matter of the last `window` samples of a lane. With a sample one enters and one
leaves, and only what that changes is computed. What is kept up are counts and whole sums, which do not drift:
the number is the one that the batch gives for the window, to 12 digits, whatever came before it. The samples
of a packet go through each kernel in one call. What comes out are samples again, of signals of their own, so
that all that looks at signals can look at them: thresholds, patterns, regimes.

What a signal's window does not determine is not said: no sample before the window is full, and none where the
batch gives NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.dynamics import freeze, unroll
from operators.kernels.exponents import fit_curves, unrelated
from operators.kernels.neighbours import follow_pairs
from operators.kernels.ordinal import follow_patterns, weights
from operators.kernels.recurring import follow_recurrences
from operators.kernels.templates import follow_templates
from operators.kernels.trajectory import advance, lengths
from operators.packet import DELTA, OPENED, SAMPLE, Packet, Signal, Table, column, empty, joined

__all__ = ["Dynamics"]

_VERSION = 1
_WIDEST = 8192  # samples of a window: beyond it sums of whole numbers could overflow
_GREATEST = 1e150  # of a sample: squares of differences stay finite
_AT_ONCE = 256  # samples that are laid out together: 2 MiB for windows of 1,000
_SMALL = 64  # samples of a window to compile with: more than the standard parameters need
_LAW, _CHANCE = 0.65, 0.8
"""Share of the pairs that are followed alike where there is a law, and by how much it may be more in noise,
times the root of how many they are. See :class:`Dynamics` for what that leaves."""
_MEASURES = tuple(range(Signal.LYAPUNOV, Signal.VELOCITY + 1))
_LINES = {Signal.DETERMINISM, Signal.LAMINARITY}
_NEEDS_RADIUS = {Signal.COMPLEXITY, *_LINES}
_OF_WINDOWS = {Signal.LYAPUNOV, Signal.PERMUTATION, *_NEEDS_RADIUS}

Values = NDArray[np.float64]


class Dynamics:
    """A stage: packets with samples in, the same packets with samples of the `measures` out.

    The new samples stand behind those already there, ordered by the sample that caused them and then as the
    measures are, and have its delta, row and characters. No cutting into packets changes them. A sample that
    is not finite, or beyond 1e150, is no measurement and is passed over.

    ``LYAPUNOV`` is the slope of ``kernels.lyapunov.divergence`` of the window by ``kernels.growth.fit``; that
    is ``largest_lyapunov`` unless the window is smooth (there that looks across the flow) or repeats itself.
    Noise has such a slope too, so it is told only of a window with a law: where the neighbours of its last
    256 points are followed alike, but for what is linear, in more than 0.65 of the cases plus 0.8 over the
    root of their number (``kernels.law``: 0.70 of 256). Of white noise, AR(1) (-0.7 to 1), moving averages,
    lognormal and discrete noise, noise that changes its mean or variance, and waves in noise, 8 series of
    2,500 samples each, no kind had a number in more than 0.4 % of windows of 64, or of 256 and more with dim
    2 and 3, but whole numbers with 0.5 % and dim 2 (with dim 5: rare ones with 0.6 %). The logistic map and
    Henon had one in 67 and 86 % of windows of 64 and in all of 128 or more, Lorenz and Roessler in steps of
    0.05 and 0.3 in all of 256; what is lost are flows sampled finely for few turns (Roessler in steps of 0.1:
    24 % of windows of 256, all of 1,000) or with 5 % noise at lag 1 (Lorenz: 3 % at 256; with dim 5 and lag 2
    90 %), and waves that a linear law foretells.
    ``PERMUTATION`` and ``COMPLEXITY`` are ``permutation_entropy`` and ``sample_entropy`` of
    ``kernels.entropy``, ``DETERMINISM`` and ``LAMINARITY`` those of ``kernels.rqa.quantify``, ``PATH`` is the
    sum of the absolute steps in the window, and ``VELOCITY`` its last sample less its first, over the steps
    between. All are equal to these to 1e-12, the path relative to itself. NaN is no sample.

    The radius of a lane is `radius` times the scale of its first window that is not constant, for good:
    recurrence is judged by the scale that the lane began with, and there is none before. The scale is the
    interquartile range over 1.349, a standard deviation that a long gap or two do not move
    (``kernels.dynamics.freeze``).

    State of a lane: 8 bytes a sample of the window, for ``LYAPUNOV`` 12 more, for ``PATH`` 8 more, the others
    under 200 bytes: all together 7.4 KiB for a window of 256, 27.7 for 1,000. Emits: with the sample that
    completes the window. Cost of a sample
    (``benches.bench_dynamics``): Lyapunov 4.4 us at 256 and 7.6 at 1,000, of which 1.7 say whether there is a
    law, sample entropy 1.0 and 2.0, recurrence 1.9 and 3.6, the others 0.5, all together 7.7 and 12.9; path
    and velocity do not depend on the window. The first full window of a lane takes some ms
    at 1,000.

    :param signal: The series it looks at (``operators.packet.Signal``).
    :param measures: What to keep up, signals ``LYAPUNOV`` to ``VELOCITY``.
    :param window: Samples that are looked at, at most 8,192.
    :param dim: Coordinates of an embedded point, and samples of a template of ``COMPLEXITY``.
    :param lag: Samples from one coordinate to the next, and from one value of a pattern of ``PERMUTATION``.
    :param theiler: Points must be more than so many samples apart to be neighbours, or to recur.
    :param steps: Samples that neighbours are followed for.
    :param order: Values of a pattern of ``PERMUTATION``, 2 to 7.
    :param radius: What is near, in units of that scale.
    :param shortest: Points of a line, at least.
    :raises ValueError: If a measure is none, or a parameter out of its range, or the window too small for it.
    """

    def __init__(
        self,
        signal: int,
        measures: Sequence[int],
        window: int = 256,
        dim: int = 3,
        lag: int = 1,
        theiler: int = 8,
        steps: int = 16,
        order: int = 4,
        radius: float = 0.2,
        shortest: int = 2,
    ) -> None:
        self._signal = signal
        self._measures = [Signal(measure) for measure in measures if measure in _MEASURES]
        if not measures or len(self._measures) < len(measures) or len({*measures}) < len(measures):
            msg = (
                f"dynamics: measures must be different signals of {_names(_MEASURES)}, not {_names(measures)}"
            )
            raise ValueError(msg)
        if (
            min(dim, lag, steps) < 1
            or theiler < 0
            or not 2 <= order <= 7
            or not 2 <= shortest <= 127
            or not 0 < radius < math.inf
        ):
            msg = (
                "dynamics: dim, lag and steps must be 1 or more, theiler 0 or more, order 2 to 7, "
                "shortest 2 to 127 and radius above 0, "
                f"not {dim}, {lag}, {steps}, {theiler}, {order}, {shortest} and {radius}"
            )
            raise ValueError(msg)
        needs = {
            Signal.LYAPUNOV: (dim - 1) * lag + steps + theiler + 2,
            Signal.PERMUTATION: 2 * (order - 1) * lag + 2,
            Signal.COMPLEXITY: dim + 2,
            Signal.DETERMINISM: (dim - 1) * lag + theiler + shortest + 1,
            Signal.LAMINARITY: (dim - 1) * lag + theiler + shortest + 1,
        }
        least = max(needs.get(measure, 3) for measure in self._measures)
        if not least <= window <= _WIDEST:
            msg = f"dynamics: with these parameters window must be {least} to {_WIDEST} samples, not {window}"
            raise ValueError(msg)
        self._window, self._dim, self._radius = window, dim, radius
        self._embedding = np.array([window, dim, lag, theiler, steps], np.int64)
        self._lines = np.array([window, dim, lag, theiler, shortest], np.int64)
        self._border = shortest + (dim - 1) * lag
        self._patterns = np.array([window, order, lag], np.int64)
        self._unrelated = unrelated(window - (dim - 1) * lag - steps)
        self._weights = weights(window - (order - 1) * lag)
        self._windowed = not _OF_WINDOWS.isdisjoint(self._measures)
        self._scratch = np.zeros((2, 0), np.int64)
        self._series = np.empty(0)
        asked = [self._embedding, self._lines, self._patterns, np.array([radius]), np.array(measures)]
        points = window - (dim - 1) * lag - steps
        spec = _columns(self._measures, window, points, steps, order)
        self._state = Columns(_VERSION, reads=(signal, *asked), **spec)

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the samples of the windows that its samples complete."""
        self._state.open(packet.opened["row"])
        samples = packet.samples
        taken = (samples["signal"] == self._signal) & (np.abs(samples["value"]) <= _GREATEST)
        samples = samples[taken]
        derived = [self._derive(samples[k : k + _AT_ONCE]) for k in range(0, len(samples), _AT_ONCE)]
        self._state.close(packet.closed_rows())
        if not any(map(len, derived)):
            return packet
        return packet.having(samples=joined(packet.samples, *derived))

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load` of a stage with the same parameters."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` was made with other parameters.
        """
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernels of the measures, so that no sample pays for it. Changes no state."""
        samples = np.zeros(_SMALL + 1, SAMPLE)
        samples["value"] = np.arange(_SMALL + 1) % 5
        packet = Packet(0, 0, (), empty(DELTA), b"", opened=np.zeros(1, OPENED), samples=samples)
        Dynamics(0, self._measures, _SMALL).update(packet)

    def _derive(self, samples: Table) -> Table:
        """The samples of all measures with the windows that `samples` complete."""
        rows, values = column(samples, "row"), column(samples, "value")
        ordinals = np.empty(len(samples), np.int64)
        velocities = np.empty(len(samples))
        found: dict[Signal, Values] = {Signal.VELOCITY: velocities}
        places = self._lay_out(rows, values) if self._windowed else None
        state = self._state
        advance(rows, values, state["ring"], state["seen"], ordinals, velocities)
        if Signal.PATH in self._measures:
            found[Signal.PATH] = paths = np.empty(len(samples))
            lengths(rows, values, ordinals, state["steps"], state["last"], state["running"], paths)
        if places is not None and places.any():
            self._slide(rows, places, found)
        nothing = np.full(len(samples), np.nan)
        table = np.stack([found.get(measure, nothing) for measure in self._measures], axis=1)
        causes, which = np.nonzero(np.isfinite(table))
        derived = samples[causes]
        derived["signal"] = np.array(self._measures, np.uint8)[which]
        derived["value"] = table[causes, which]
        return derived

    def _lay_out(self, rows: NDArray[np.int32], values: Values) -> NDArray[np.int64]:
        """Where the windows end, in the run that kernels slide along."""
        state = self._state
        if len(self._series) < len(rows) * (self._window + 1):
            self._series = np.empty(len(rows) * (self._window + 1))
        if self._scratch.shape[1] < len(state):
            self._scratch = np.zeros((2, len(state)), np.int64)
        places = np.empty(len(rows), np.int64)
        unroll(rows, values, state["ring"], state["seen"], self._scratch, places, self._series)
        return places

    def _slide(self, rows: NDArray[np.int32], places: NDArray[np.int64], found: dict[Signal, Values]) -> None:
        """Add what the measures asked for find in the windows."""
        state, window, measures = self._state, self._window, self._measures
        at = rows, places, self._series
        n = len(rows)
        if Signal.LYAPUNOV in measures:
            found[Signal.LYAPUNOV] = exponents = np.empty(n)
            curves, shares = np.empty((n, int(self._embedding[4]) + 1)), np.empty((2, n))
            follow_pairs(
                *at, self._embedding, state["squares"], state["ahead"], state["sums"], state["paired"],
                np.empty((3, window)), np.empty((3, window), np.int64),
                np.empty((self._dim + 2, self._dim + 1)), curves, shares,
            )  # fmt: skip
            alike, pairs = shares
            curves[~((alike - _LAW) * np.sqrt(pairs) > _CHANCE)] = np.nan
            scratch = np.empty((2, max(window, self._unrelated.shape[1])))
            fit_curves(places, self._series, self._embedding, self._unrelated, curves, scratch, exponents)
        if Signal.PERMUTATION in measures:
            found[Signal.PERMUTATION] = entropies = np.empty(n)
            follow_patterns(
                *at, self._patterns, self._weights, state["patterns"], state["weight"], state["ordered"],
                entropies,
            )  # fmt: skip
        if _NEEDS_RADIUS.isdisjoint(measures):
            return
        radii = np.empty(n)
        freeze(*at, window, self._radius, state["radius"], np.empty(window), radii)
        if Signal.COMPLEXITY in measures:
            found[Signal.COMPLEXITY] = entropies = np.empty(n)
            flags = np.empty(window, np.uint8)
            follow_templates(
                *at, radii, window, self._dim, state["matches"], state["matched"], flags, entropies
            )
        if not _LINES.isdisjoint(measures):
            shares = np.empty((2, n))
            flags = np.empty(
                (int(self._lines[4]) + (self._dim - 1) * int(self._lines[2]) + 4, window), np.uint8
            )
            follow_recurrences(*at, radii, self._lines, state["pairs"], state["plotted"], flags, shares)
            found[Signal.DETERMINISM], found[Signal.LAMINARITY] = shares


def _columns(measures: Sequence[int], window: int, points: int, steps: int, order: int) -> dict[str, Any]:
    """What is kept of a lane: for each measure only what it needs."""
    columns: dict[str, Any] = {"ring": (np.float64, (window,)), "seen": (np.int64, ())}
    if Signal.LYAPUNOV in measures:
        columns |= {"squares": (np.float64, (points,)), "ahead": (np.int32, (points,))}
        columns |= {"sums": (np.int64, (3, steps + 1)), "paired": (np.uint8, ())}
    if Signal.PERMUTATION in measures:
        columns |= {"patterns": (np.int32, (math.factorial(order),))}
        columns |= {"weight": (np.int64, ()), "ordered": (np.uint8, ())}
    if not _NEEDS_RADIUS.isdisjoint(measures):
        columns |= {"radius": (np.float64, ())}
    if Signal.COMPLEXITY in measures:
        columns |= {"matches": (np.int64, (2,)), "matched": (np.uint8, ())}
    if not _LINES.isdisjoint(measures):
        columns |= {"pairs": (np.int64, (3,)), "plotted": (np.uint8, ())}
    if Signal.PATH in measures:
        columns |= {"steps": (np.float64, (window,)), "last": (np.float64, ()), "running": (np.float64, ())}
    return columns


def _names(measures: Sequence[int]) -> str:
    known = {int(signal): signal.name.lower() for signal in Signal}
    return " ".join(known.get(int(measure), str(measure)) for measure in measures) or "none"
