"""The algorithms that compare two sequences: what each of them knows, wants, and says.

Strategy. All have one shape, so that a table can name them: both sequences are prepared, measured, and
aligned if that is wanted. A measure says two things, a distance and a similarity. Symbols are held against
the most that could differ. Series have no such bound: their error is told in units of their own deviation.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.damerau import damerau_distance, osa_distance
from operators.kernels.dtw import (
    derivative,
    dtw_distance,
    dtw_distance_absolute,
    dtw_distance_multivariate,
    dtw_path,
)
from operators.kernels.edit import edit_alignment, edit_distance
from operators.kernels.lcs import indel_distance, lcs_alignment, lcs_length
from operators.kernels.soft_dtw import soft_dtw
from operators.pairs import Given, series, symbols

__all__ = ["MEASURES", "Measure", "Options", "at_least"]

_LEAST_SLOPES = 3
"""Values that a derivative is estimated from."""
_COSTS = ("squared", "absolute")
_Array = NDArray[Any]


def at_least(least: int, name: str, value: int) -> int:
    """`value`, a number that is told.

    :raises ValueError: If it is no whole number, or less than that.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        msg = f"{name} must be a whole number of {least} or more, not {value!r}"
        raise ValueError(msg)
    return number


@dataclass(frozen=True, slots=True)
class Options:
    """How to compare. What an algorithm does not know (:data:`MEASURES`) must be left as it is.

    :raises ValueError: If one of them cannot be.
    """

    radius: int | None = None
    """Half-width of the Sakoe-Chiba band, in values; None allows every path."""
    cost: str = "squared"
    """Of two values on a warping path: ``squared`` difference, or ``absolute`` (in one dimension)."""
    gamma: float = 1.0
    """How soft the minimum of ``soft-dtw`` is, in squared units of the series; towards 0 it is ``dtw``."""
    normalise: bool = False
    """Whether each series is first shifted and scaled to mean 0 and deviation 1 (per dimension)."""
    alignment: bool = False
    """Whether the alignment is wanted too: two to three times the time of the distance more. Of series it
    is known for one dimension and squared costs."""
    longest: int = 100_000
    """Values, characters or words of a sequence at most: the time grows with the product of both."""

    def __post_init__(self) -> None:
        plain: dict[str, Any] = {"longest": at_least(1, "longest", self.longest), "gamma": _gamma(self.gamma)}
        if self.radius is not None:
            plain["radius"] = at_least(0, "radius", self.radius)
        if not (isinstance(self.cost, str) and self.cost in _COSTS):
            msg = f"cost must be one of {', '.join(_COSTS)}, not {self.cost!r}"
            raise ValueError(msg)
        for name in ("normalise", "alignment"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                msg = f"{name} must be true or false, not {getattr(self, name)!r}"
                raise ValueError(msg)
        for name, value in plain.items():  # an array of one number can be no part of a cache's key
            object.__setattr__(self, name, value)


def _gamma(value: Any) -> float:
    try:
        number = float(value) if math.isfinite(value) else 0.0
    except (TypeError, OverflowError):
        number = 0.0
    if number <= 0:
        msg = f"gamma must be a finite number above 0, not {value!r:.40}"
        raise ValueError(msg)
    return number


class Measure(NamedTuple):
    """How an algorithm is run."""

    knows: tuple[str, ...]
    """Names of options."""
    prepare: Callable[[str, tuple[Given, Given], Options], tuple[_Array, _Array]]
    measure: Callable[[_Array, _Array, Options], tuple[float, float]]
    """Distance and similarity."""
    align: Callable[[_Array, _Array, Options], _Array] | None = None


def _series(algorithm: str, pair: tuple[Given, Given], options: Options) -> tuple[_Array, _Array]:
    return series(algorithm, pair, options.normalise)


def _slopes(algorithm: str, pair: tuple[Given, Given], options: Options) -> tuple[_Array, _Array]:
    for each in pair:
        if each.shape[0] < _LEAST_SLOPES:
            msg = f"{each.which} must hold {_LEAST_SLOPES} values or more: {algorithm} compares slopes"
            raise ValueError(msg)
    x, y = series(algorithm, pair, options.normalise)
    return _derivatives(x), _derivatives(y)


def _derivatives(values: _Array) -> _Array:
    return np.column_stack([derivative(dimension.copy()) for dimension in values.T])


def _likeness(error: float, x: _Array, y: _Array) -> float:
    """``1 / (1 + error / deviation)``, the deviation being that of both series."""
    deviation = math.sqrt((_variance(x) + _variance(y)) / 2)
    return deviation / (deviation + error) if error else 1.0


def _variance(values: _Array) -> float:
    """Of all dimensions together. Not ``values.var()``, which takes as long as to warp a hundred values."""
    around = values - values.sum(axis=0) / len(values)
    return float(np.vdot(around, around)) / len(values)


def _band(x: _Array, y: _Array, options: Options) -> int:
    least = abs(len(x) - len(y))
    if options.radius is None:
        return max(len(x), len(y))
    if options.radius < least:
        msg = f"radius must be the difference of the lengths or more, {least}, not {options.radius}"
        raise ValueError(msg)
    return min(options.radius, max(len(x), len(y)))


def _dtw(x: _Array, y: _Array, options: Options) -> tuple[float, float]:
    band, steps = _band(x, y, options), max(len(x), len(y))
    if options.cost == "absolute":
        _needs_one_dimension(x, "absolute costs")
        distance = dtw_distance_absolute(x.ravel(), y.ravel(), band)
        return distance, _likeness(distance / steps, x, y)
    if x.shape[1] > 1:
        distance = dtw_distance_multivariate(x, y, band)
    else:
        distance = dtw_distance(x.ravel(), y.ravel(), band)
    return distance, _likeness(math.sqrt(distance / steps), x, y)


def _dtw_path(x: _Array, y: _Array, options: Options) -> _Array:
    _needs_one_dimension(x, "a warping path")
    if options.cost != "squared":
        msg = f"the alignment is known for squared costs, not for {options.cost} ones"
        raise ValueError(msg)
    return dtw_path(x.ravel(), y.ravel(), _band(x, y, options))


def _needs_one_dimension(x: _Array, what: str) -> None:
    if x.shape[1] > 1:
        msg = f"x and y must have one dimension for {what}, not {x.shape[1]}"
        raise ValueError(msg)


def _soft_dtw(x: _Array, y: _Array, options: Options) -> tuple[float, float]:
    _needs_one_dimension(x, "soft-dtw")
    a, b, gamma = x.ravel(), y.ravel(), float(options.gamma)
    distance = soft_dtw(a, b, gamma)
    # Blondel, Mensch, Vert 2021: less what both are from themselves, it is 0 for equal series.
    divergence = distance - (soft_dtw(a, a, gamma) + soft_dtw(b, b, gamma)) / 2
    return distance, _likeness(math.sqrt(max(divergence, 0.0) / max(len(x), len(y))), x, y)


def _euclidean(x: _Array, y: _Array, options: Options) -> tuple[float, float]:
    if len(x) != len(y):
        msg = f"x and y must be of the same length for euclidean, not {len(x)} and {len(y)}"
        raise ValueError(msg)
    distance = float(np.linalg.norm(x - y))
    return distance, _likeness(distance / math.sqrt(len(x)), x, y)


def _of_symbols(
    distance: Callable[[Any, Any], int],
    most: Callable[[int, int], int],
    align: Callable[[Any, Any], _Array] | None = None,
) -> Measure:
    """A distance of symbols, beside the largest one of sequences as long."""

    def prepare(algorithm: str, pair: tuple[Given, Given], options: Options) -> tuple[_Array, _Array]:
        return symbols(algorithm, pair)

    def measure(x: _Array, y: _Array, options: Options) -> tuple[float, float]:
        far = distance(x, y)
        return far, 1 - far / most(len(x), len(y))

    if align is None:
        return Measure((), prepare, measure)
    return Measure(("alignment",), prepare, measure, lambda x, y, options: align(x, y))


def _lcs_distance(x: _Array, y: _Array) -> int:
    return max(len(x), len(y)) - lcs_length(x, y)


MEASURES = {
    "dtw": Measure(("radius", "cost", "normalise", "alignment"), _series, _dtw, _dtw_path),
    "ddtw": Measure(("radius", "cost", "normalise", "alignment"), _slopes, _dtw, _dtw_path),
    "soft-dtw": Measure(("gamma", "normalise"), _series, _soft_dtw),
    "euclidean": Measure(("normalise",), _series, _euclidean),
    "edit": _of_symbols(edit_distance, max, edit_alignment),
    "osa": _of_symbols(osa_distance, max),
    "damerau": _of_symbols(damerau_distance, max),
    "indel": _of_symbols(indel_distance, operator.add, lcs_alignment),
    "lcs": _of_symbols(_lcs_distance, max, lcs_alignment),
}
"""All there are, by their names."""
