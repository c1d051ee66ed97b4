"""Whether what is repeated is a loop: what the confidence in each copy is a function of.

Strategy. Five sorts of repetition are judged by a logistic function each, since what is telling in one of
them is misleading in another: *exact* ones (nothing changed for two copies), *changing* ones, *counting*
ones (a number goes on by the same step), *bare* ones, which hardly have words (rulers, tables, numbers),
and *runs* of one sign, letter or number. The features they are given are few, and counted, not measured:
how much was repeated how often, how much of it are words, signs and numbers, how much changed, and what
kind of text was there before, just so and for long: prose, or code and data, which repeat themselves by
nature. The weights were learnt (``operators.loop``, ``benches.train_loop``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["FEATURES", "SORTS", "describe_copies"]

SORTS = ("exact", "changing", "counting", "bare", "run")

_EXACT, _CHANGING, _COUNTING, _BARE, _RUN = range(5)

FEATURES = (
    "one", "copies", "letters", "size", "clean", "prose", "prose letters", "prose clean", "signs", "same",
    "steady", "changed", "other", "lines", "single", "clean letters", "prose same", "words", "usual",
    "usual clean", "place", "clean size", "long",
)  # fmt: skip
"""What confidence is a function of. Shares are of the symbols since the first copy ended, two names are a
product. Logarithms: ``copies`` (not of exact ones); ``letters`` of a copy that came again, and one more;
``size``, characters of a copy; ``clean``, copies since the last change, and one more; ``place``, thousands
of characters before it, and one more; ``long``, thousands of characters of a run of one symbol, 0 below
one. Shares: ``prose`` of words among the last 32 symbols when it began, ``usual`` among the last 256;
``words``; ``signs`` that no prose has; ``same`` numbers; ``changed`` words and signs; ``other`` numbers,
that changed by no constant step. ``steady``: numbers of a copy that do, 1 at most. ``lines``, ``single``: 1
if it was found among lines; if a copy is one symbol."""

_MOST = 4096.0  # copies, beyond which more do not count
_LETTERS = 1000.0
_THOUSAND = 1000.0  # characters
_FAR = 20_000.0  # characters before it, beyond which more do not count
_FEW = 0.2  # share of words
_LETTER = 1.5  # characters, below which a symbol is but one
_HALF = 0.5  # numbers of a copy that go on by the same step

_Int = int | np.signedinteger[Any]


@kernel
def describe_copies(
    copies: NDArray[np.void], count: int, features: NDArray[np.float64], sorts: NDArray[np.int64]
) -> None:
    """The features of copies, and which of ``SORTS`` each is: the row of the weights that judges it.

    Parameters
    ----------
    copies : COPY[at least count]
        From ``loop.follow_copies``.
    features : float64[at least count, len(FEATURES)]
        Modified.
    sorts : int64[at least count]
        Places in ``SORTS``. Modified.
    """
    for i in range(count):
        sort, described = _described(copies[i])
        sorts[i] = sort
        for k in range(len(described)):
            features[i, k] = described[k]


@inner
def _described(copy: np.void) -> tuple[int, tuple[float, ...]]:
    """Which of ``SORTS`` a copy is, and its ``FEATURES``."""
    length, period = max(np.float64(copy["length"]), 1.0), np.float64(copy["period"])
    count = np.float64(copy["copies"])
    steady = min(np.float64(copy["steady"]) / max(count - 1.0, 1.0), 1.0)
    is_bare = copy["words"] < _FEW * length
    if period == 1.0 and (is_bare or copy["size"] < _LETTER):
        sort = _RUN
    elif is_bare:
        sort = _BARE
    elif steady >= _HALF:
        sort = _COUNTING
    else:
        sort = _EXACT if copy["clean"] + 1 >= 2 * period else _CHANGING
    said = np.float64(copy["letters"]) * (4.0 if copy["level"] else 1.0) / max(count - 1.0, 1.0)
    letters, size = math.log(1.0 + min(said, _LETTERS)), math.log(copy["size"])
    clean = math.log(min(1.0 + min(np.float64(copy["clean"]) / period, count), _MOST))
    run = min(np.float64(copy["clean"]) / period, count) * copy["size"] if period == 1.0 else 0.0
    prose, usual = 1.0 - np.float64(copy["odd"]) / 65535.0, 1.0 - np.float64(copy["usual"]) / 65535.0
    same = np.float64(copy["same"]) / length
    return sort, (
        1.0,
        0.0 if sort == _EXACT else math.log(min(count, _MOST)),
        letters,
        size,
        clean,
        prose,
        prose * letters,
        prose * clean,
        np.float64(copy["signs"]) / length,
        same,
        steady,
        (np.float64(copy["changed"]) + np.float64(copy["wrong"])) / length,
        np.float64(copy["other"]) / length,
        np.float64(copy["level"]),
        1.0 if period == 1.0 else 0.0,
        clean * letters,
        prose * same,
        np.float64(copy["words"]) / length,
        usual,
        usual * clean,
        math.log(1.0 + min(np.float64(copy["begin"]), _FAR) / 1000.0),
        clean * size,
        math.log(max(run / _THOUSAND, 1.0)),
    )
