"""Two sequences made fit for the kernels that compare them.

Strategy. The kernels trust their input, so all that can be wrong with it is found here, once, and said in a
sentence that names the argument. :func:`given` reads only what a sequence is, and its bytes: enough to tell
it from every other one, which is all that a cache wants to know. :func:`series` and :func:`symbols` look at
the values, and hand them over as the kernels take them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Given", "given", "series", "symbols"]

_LARGEST = 1e140
"""Magnitude of a value at most: the sum of all squared differences is still a float64."""
_Array = NDArray[Any]


class Given(NamedTuple):
    """One of the two, as it came."""

    which: str
    """What messages call it."""
    kind: str
    """``text``, ``words``, or the type of its numbers (``<f8``)."""
    values: Any
    """A string, a tuple of words, else an array."""
    shape: tuple[int, ...]

    def content(self) -> bytes:
        """All values. What follows them does not matter: `kind` and `shape` say where they end."""
        if self.kind == "text":
            return str(self.values).encode("utf-8", "surrogatepass")
        if self.kind == "words":
            return ",".join(map(str.__repr__, self.values)).encode()
        return bytes(self.values.tobytes())


def given(x: Any, y: Any) -> tuple[Given, Given]:
    """Both sequences: texts, lists of words, or numbers [n] or [n, d].

    :raises ValueError: If one is nothing of that.
    """
    return _given(x, "x, the first sequence,"), _given(y, "y, the second sequence,")


def _given(values: Any, which: str) -> Given:
    if isinstance(values, str):
        return Given(which, "text", values, (len(values),))
    if isinstance(values, list | tuple) and values and isinstance(values[0], str):
        if not all(isinstance(each, str) for each in values):
            msg = f"{which} must hold words or numbers, not both"
            raise ValueError(msg)
        return Given(which, "words", tuple(values), (len(values),))
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf" or array.ndim not in {1, 2} or 0 in array.shape[1:]:
        msg = f"{which} must be a text, words, or numbers [n] or [n, d]"
        raise ValueError(msg)
    return Given(which, array.dtype.str, array, array.shape)


def series(algorithm: str, pair: tuple[Given, Given], normalise: bool) -> tuple[_Array, _Array]:
    """Both as float64[n, d] with one `d`; normalised: each dimension with mean 0 and deviation 1.

    :raises ValueError: If one is no series, not finite, too large, or constant and to be normalised, or
        their dimensions differ.
    """
    x, y = (_finite(algorithm, each) for each in pair)
    if x.shape[1] != y.shape[1]:
        msg = f"x and y must have the same dimensions, not {x.shape[1]} and {y.shape[1]}"
        raise ValueError(msg)
    if normalise:
        return _normalised(x, pair[0].which), _normalised(y, pair[1].which)
    return x, y


def _finite(algorithm: str, one: Given) -> _Array:
    if one.kind in {"text", "words"}:
        msg = f"{one.which} must hold numbers: {algorithm} compares no {one.kind}"
        raise ValueError(msg)
    with np.errstate(over="ignore"):  # of a wider type: infinite then, and refused
        values = np.ascontiguousarray(one.values.reshape(one.shape[0], -1), np.float64)
        total = float(np.vdot(values, values))
    if not total <= _LARGEST:  # else none can be: one look at all of them is four times as fast
        wrong = ~(np.abs(values) <= _LARGEST).all(axis=1)
        if wrong.any():
            place = int(wrong.argmax())
            msg = (
                f"{one.which} must hold finite numbers up to {_LARGEST:g}, not {one.values[place]} at {place}"
            )
            raise ValueError(msg)
    return values


def _normalised(values: _Array, which: str) -> _Array:
    deviation = values.std(axis=0)
    # The deviation of a constant may come out as a rounding error; its extremes are equal.
    if not ((np.ptp(values, axis=0) > 0) & (deviation > 0)).all():
        msg = f"{which} must not be constant: what does not vary cannot be scaled to deviation 1"
        raise ValueError(msg)
    scaled: _Array = (values - values.mean(axis=0)) / deviation
    return scaled


def symbols(algorithm: str, pair: tuple[Given, Given]) -> tuple[Any, Any]:
    """Both as they came: strings, tuples of words, or arrays of integers.

    :raises ValueError: If one holds no symbols, or they are of several kinds.
    """
    one, other = (_kind(algorithm, each) for each in pair)
    if one != other:
        msg = f"x and y must be of the same kind, not {one} and {other}"
        raise ValueError(msg)
    return pair[0].values, pair[1].values


def _kind(algorithm: str, one: Given) -> str:
    if one.kind in {"text", "words"}:
        return one.kind
    if len(one.shape) > 1 or one.values.dtype.kind == "f":
        msg = f"{one.which} must be a text, words, or integers [n]: {algorithm} compares symbols"
        raise ValueError(msg)
    return "integers"
