"""Recurrence quantification: how much of a recurrence plot stands in lines, and how long those are.

Strategy. The plot, of all pairs of times at which a series was in about the same state, is walked through by
diagonals and never stored. Along a diagonal, each value is compared once, and a point recurs if all its
coordinates do: rows of bytes, taken in vectors. Of the vertical lines only points and number are wanted, so
how far each column has come is a row of bytes as well. The plot is symmetrical: half of it is looked at, but
a column of the whole continues in a row of the half, so both are counted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import allocating, inner

__all__ = ["Lines", "quantify"]

_VECTOR = 128
"""Bytes that loops take at a time."""
_GAPS = 127
"""Gaps whose lines a byte can count, of columns and rows."""
_Bytes = NDArray[np.uint8]


class Lines(NamedTuple):
    """What :func:`quantify` finds. All of it is NaN if `x` does not determine it."""

    recurrence_rate: float
    """Share of the pairs that recur."""
    determinism: float
    """Share of the recurrent points that stand in diagonal lines. NaN, as all below, if nothing recurs."""
    laminarity: float
    """Share of them that stand in vertical lines."""
    mean_diagonal: float
    """Mean length of the diagonal lines, in samples. NaN if there is none."""
    longest_diagonal: float
    """Length of the longest one; 0 if there is none."""
    entropy: float
    """Shannon entropy of their lengths, in nats. NaN if there is none."""
    trapping_time: float
    """Mean length of the vertical lines, in samples. NaN if there is none."""


@allocating
def quantify(x: NDArray[np.float64], dim: int, lag: int, theiler: int, radius: float, shortest: int) -> Lines:
    """Recurrence quantification of `x`.

    Two times recur if the states there, of `dim` coordinates, differ by `radius` or less in each of them
    (maximum norm). The whole plot counts, without the band along its main diagonal: lines end there.

    Parameters
    ----------
    x : float64[n]
        The series, equally spaced.
    dim, lag : int
        Delay embedding: how many coordinates, and how many samples between them.
    theiler : int
        Only times more than this many samples apart are looked at; 0 leaves out the main diagonal.
    radius : float
        In the unit of `x`.
    shortest : int
        Points of a line at least: 2 to 254.

    Returns
    -------
    Lines
        All NaN when `x` is constant, not finite throughout, or has fewer than two points more than
        `theiler`.

    Raises
    ------
    ValueError
        If `dim` or `lag` is below 1, `theiler` below 0, or `shortest` none of these.

    Notes
    -----
    Independent points that recur at rate r stand in diagonal lines of 2 or more with share ``1 - (1 - r)^2``,
    less what the border cuts off; so a determinism means nothing without its recurrence rate.

    O(n^2 dim) time, 0.36 ms for 1,000 samples and 35 ms for 10,000; O(n) memory.

    References
    ----------
    .. [1] N. Marwan, M. C. Romano, M. Thiel, J. Kurths, "Recurrence plots for the analysis of complex
       systems", Physics Reports 438, 2007.

    Examples
    --------
    >>> lines = quantify(np.array([0.0, 1.0, 2.0] * 20), 1, 1, 0, 0.5, 2)
    >>> round(lines.recurrence_rate, 3), lines.determinism, lines.laminarity, lines.longest_diagonal
    (0.322, 1.0, 0.0, 57.0)
    """
    if dim < 1 or lag < 1 or theiler < 0 or shortest < 2 or shortest > 254:
        msg = "quantify: dim and lag must be 1 or more, theiler 0 or more, shortest 2 to 254"
        raise ValueError(msg)
    points = len(x) - (dim - 1) * lag
    if points < theiler + 2 or not _varies(x):
        return Lines(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    room = (len(x) + 2 * shortest + 3 * _VECTOR) // _VECTOR * _VECTOR
    values = np.full(len(x) + room, np.nan)
    for i in range(len(x)):
        values[i] = x[i]
    rows = np.zeros((7, room), np.uint8)
    lengths = np.zeros(points + 1, np.int64)
    recurrent, trapped, traps = _walk(
        values, points, dim, lag, theiler, radius, shortest, rows, rows[0].view(np.uint64), lengths
    )
    pairs = (points - theiler) * (points - theiler - 1) // 2
    if recurrent == 0:
        return Lines(0.0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    number = covered = longest = 0
    for length in range(shortest, points + 1):
        if lengths[length]:
            number += lengths[length]
            covered += length * lengths[length]
            longest = length
    spread = 0.0
    for length in range(shortest, points + 1):
        if lengths[length]:
            spread += lengths[length] * np.log(number / lengths[length])
    return Lines(
        recurrent / pairs,
        covered / recurrent,
        trapped / (2 * recurrent),
        covered / number if number else np.nan,
        float(longest),
        spread / number if number else np.nan,
        trapped / traps if traps else np.nan,
    )


@inner
def _varies(x: NDArray[np.float64]) -> bool:
    """Whether `x` is finite and not constant."""
    finite, constant = True, True
    for i in range(len(x)):
        finite &= np.isfinite(x[i])
        constant &= x[i] == x[0]
    return finite and not constant


@inner
def _walk(
    x: NDArray[np.float64],
    points: int,
    dim: int,
    lag: int,
    theiler: int,
    radius: float,
    shortest: int,
    rows: _Bytes,
    words: NDArray[np.uint64],
    lengths: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Recurrent points of the half; of the whole, points of vertical lines and the number of those.

    `x` ends in NaN, which is near nothing, so that loops can run to the end of a vector. `words` is the
    first of the `rows`, eight bytes at a time; `lengths` is made to count the diagonal lines of the half.
    """
    starts, near, begun, later = rows[0], rows[1], rows[5], rows[6]
    recur = rows[2, 1:]  # behind a 0
    # Rows 3 and 4: how far the line of each column is, in the half, and in the one that mirrors it.
    recurrent = trapped = traps = 0
    for gap in range(theiler + 1, points):
        length = points - gap
        count = (length + shortest + _VECTOR - 1) // _VECTOR * _VECTOR
        _near(near[: count + (dim - 1) * lag], x, x[gap:], radius)
        _copy(recur[:count], near)
        for d in range(1, dim):
            _and(recur[:count], near[d * lag :])
        # States that would end behind the series.
        for i in range(length, count):
            recur[i] = 0
        recurrent += _taken(recur[:count])
        _copy(starts[:count], recur)
        _without(starts[:count], rows[2])
        for k in range(1, shortest):
            _and(starts[:count], recur[k:])
        _follow(recur, words[: count // 8], starts, lengths)
        for half in range(2):
            _extend(recur[:count], rows[3 + half, half * gap :], shortest, begun, later)
        if gap % _GAPS == 0 or length == 1:
            lines = _taken(begun)
            traps += lines
            trapped += lines * shortest + _taken(later)
            begun[:] = 0
            later[:] = 0
    return recurrent, trapped, traps


@inner
def _near(out: _Bytes, one: NDArray[np.float64], other: NDArray[np.float64], radius: float) -> None:
    for i in range(len(out)):
        out[i] = abs(one[i] - other[i]) <= radius


@inner
def _copy(out: _Bytes, other: _Bytes) -> None:
    for i in range(len(out)):
        out[i] = other[i]


@inner
def _and(out: _Bytes, other: _Bytes) -> None:
    for i in range(len(out)):
        out[i] &= other[i]


@inner
def _without(out: _Bytes, other: _Bytes) -> None:
    for i in range(len(out)):
        out[i] &= other[i] ^ np.uint8(1)


@inner
def _follow(recur: _Bytes, words: NDArray[np.uint64], starts: _Bytes, lengths: NDArray[np.int64]) -> None:
    """Count the lines of a diagonal by length. Most words of starts are empty."""
    for w in range(len(words)):
        if words[w]:
            for i in range(8 * w, 8 * w + 8):
                if starts[i]:
                    end = i + 1
                    while recur[end]:
                        end += 1
                    lengths[end - i] += 1


@inner
def _extend(recur: _Bytes, line: _Bytes, shortest: int, begun: _Bytes, later: _Bytes) -> None:
    """Go on in each column: how far its line is, `shortest` at most; which become lines, which go on."""
    enough = np.uint8(shortest)
    for i in range(len(recur)):
        later[i] += recur[i] & (line[i] == enough)
        longer = np.uint8((line[i] + recur[i]) * recur[i])
        begun[i] += longer == enough and line[i] != enough
        line[i] = min(longer, enough)


@inner
def _taken(counts: _Bytes) -> int:
    total = np.int64(0)
    for i in range(len(counts)):
        total += np.int64(counts[i])
    return int(total)
