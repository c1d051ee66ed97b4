"""Slow, obvious twin of ``operators.kernels.scorer``: a whole text at a time.

Words are cut by the other twin's regular expression; the n-grams and runs of a text are listed with slices
of strings, each with the place of the character that ends it. Only the hash is the same here and there,
because it is part of what the weights mean.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from operators.scorer import Model
from tests import naive_features

MIX, SEED = 0x5BD1E995, 0x9E3779B9
BLANKS = " \t\n\v\f\r"


class Sample(NamedTuple):
    begin: int
    stop: int
    decided: int
    value: float


def gram_hash(codes: list[int]) -> int:
    """Of an n-gram, its last character first."""
    mixed = SEED
    for code in codes:
        mixed = (mixed ^ code) * MIX % 2**32
    return mixed


def pair_hash(held: int, value: int) -> int:
    product = (held ^ value) * MIX % 2**32
    return max(product ^ product >> 15, 1)


def run_hash(codes: list[int]) -> int:
    mixed = 0
    for code in codes:
        mixed = pair_hash(mixed, code)
    return mixed


def code(character: str, model: Model) -> int:
    point = ord(character)
    return int(model.codes[point]) if point < len(model.codes) else -(point % 2**15)


def features(text: str, model: Model) -> list[tuple[int, int]]:
    """Place of the character with which each feature of a closed lane ends, and its hash."""
    found = []
    seen: list[tuple[int, int, bool]] = []  # place, sign, whether a letter; sign 0 for white space
    for place, character in enumerate(text + " "):
        if character in BLANKS:
            if seen and seen[-1][1]:
                seen.append((place, 0, False))
        elif own := code(character, model):
            seen.append((place, abs(own), own > 0))
    signs = [0, *(sign for _, sign, _ in seen)]  # as if white space stood before the lane
    for last in range(1, len(signs)):
        for size in (2, 3, 4):
            gram = signs[max(last - size + 1, 0) : last + 1]
            if len(gram) == size and 0 not in gram[1:-1]:
                found.append((seen[last - 1][0], gram_hash(gram[::-1])))
    spoken = [0, 0]
    letters = "".join("x" if letter else "." for _, _, letter in seen)
    for run in re.finditer("x+(?=[.])", letters):
        spoken.append(run_hash([sign for _, sign, _ in seen[run.start() : run.end()]]))
        older, last, this = spoken[-3:]
        pair = pair_hash(pair_hash(2, last), this)
        triple = pair_hash(pair_hash(3, older), pair)
        found += [(seen[run.end()][0], each) for each in (pair_hash(1, this), pair, triple)]
    return found


def samples(text: str, model: Model, *, close: bool = True) -> list[Sample]:
    """All samples of a lane that said `text` and, or not, closed."""
    weighed = [(place, int(model.weights[each // 2**16])) for place, each in features(text, model)]
    words = naive_features.words(text)
    found, held, heard = [], 0.0, 0
    for begin, stop in words:
        short = stop - begin < 24  # decided by the white space behind it, else by its last character
        if stop == len(text) and short and not close:
            break
        decided = stop + (short and stop < len(text))
        # What white space ends belongs to the word that ends with it, or to the next one behind a cut.
        until = stop + 1 if short else stop
        evidence = sum(weight for place, weight in weighed if heard <= place < until)
        heard = until
        held = max(held * model.left + min(max(evidence, -model.bound), model.bound), 0.0)
        odds = model.slope * held + model.intercept
        found.append(Sample(begin, stop, decided, 1 / (1 + math.exp(-odds))))
    return found
