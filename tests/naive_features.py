"""Slow, obvious twins of ``operators.kernels.surprisal`` and ``operators.kernels.features``.

The model builds the whole distribution over 256 bytes, link by link, with dictionaries; words are cut by
a regular expression; what was said before is a set. Only the hash that decides what a bounded table
forgets is the same here and there, because it is part of what the model is.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.surprisal import byte_prior, first_trust

MIX = 0x5BD1E995
WORD = re.compile(r"[ \t-\r]*[^ \t-\r]*", re.ASCII)
BLANK = re.compile(r"[ \t-\r]+", re.ASCII)


class Sample(NamedTuple):
    delta: int
    signal: int
    begin: int
    stop: int
    decided: int
    value: float


class Model:
    """The adaptive byte model, a distribution at a time."""

    def __init__(self) -> None:
        self.prior = byte_prior()
        self.counts = np.zeros(256)
        self.seen: dict[int, int] = defaultdict(int)
        self.distinct: dict[int, int] = defaultdict(int)
        self.pairs: dict[int, tuple[int, int]] = {}  # cell: (key, count)
        self.guesses: dict[tuple[int, int], tuple[int, int, int]] = {}  # order, cell: tag, sure, byte
        self.trust = [[int(each) for each in row] for row in first_trust()]
        self.text = b""
        self.ended = dict[int, int]()  # hash of five bytes: where they ended
        self.lag = 0
        self.run = 0

    def distribution(self) -> NDArray[np.float64]:
        """Probability of every byte to come; sums to at most 1."""
        p = (self.counts + 16 * self.prior) / (self.counts.sum() + 16)
        context = self._context(1)
        if self.seen[context]:
            count = np.zeros(256)
            for byte in range(256):
                key = self._pair(byte)
                held, many = self.pairs.get(key // 64, (0, 0))
                count[byte] = many if held == key else 0
            p = (count + self.distinct[context] * p) / (self.seen[context] + self.distinct[context])
        for guesser, sure, guess in self._guessed():
            trust = self.trust[guesser][sure] / 65536
            p = (1 - trust) * p
            p[guess] += trust
        return p

    def learn(self, byte: int) -> None:
        for guesser, sure, guess in self._guessed():
            held = self.trust[guesser][sure]
            self.trust[guesser][sure] += (65535 - held) // 32 if guess == byte else -(held // 32)
        self._learn_order0(byte)
        self._learn_order1(byte)
        for order in (2, 3):
            self._learn_guess(order, byte)
        self._learn_match(byte)

    def _context(self, order: int) -> int:
        return int.from_bytes(self.text[-order:])

    def _pair(self, byte: int) -> int:
        return (self._context(1) << 8 | byte) * MIX % 65536

    def _cell(self, order: int) -> tuple[int, int]:
        mixed = self._context(order) * MIX % 2**32
        return mixed // 2**23, mixed // 2**19 % 16

    def _guessed(self) -> list[tuple[int, int, int]]:
        """Guesser, how sure, byte."""
        said = []
        for order in (2, 3):
            cell, tag = self._cell(order)
            held, sure, byte = self.guesses.get((order, cell), (0, 0, 0))
            if sure and held == tag:
                said.append((order - 2, sure, byte))
        if self.lag:
            said.append((2, min(max(self.run, 0), 31), self.text[-self.lag]))
        return said

    def _learn_order0(self, byte: int) -> None:
        self.counts[byte] += 1
        if self.counts.sum() == 4096:
            self.counts //= 2

    def _learn_order1(self, byte: int) -> None:
        context, key = self._context(1), self._pair(byte)
        cell = key // 64
        held, many = self.pairs.get(cell, (0, 0))
        self.seen[context] += 1
        if many and held == key:
            self.pairs[cell] = key, many + 1
        else:
            self.pairs[cell] = (key, 1) if many < 2 else (held, many // 2)
            self.distinct[context] += 1
        if self.seen[context] == 255:
            self.pairs = {cell: (key, many // 2) for cell, (key, many) in self.pairs.items()}
            for each in (self.seen, self.distinct):
                for known in each:
                    each[known] = math.ceil(each[known] / 2)

    def _learn_guess(self, order: int, byte: int) -> None:
        cell, tag = self._cell(order)
        held, sure, guess = self.guesses.get((order, cell), (0, 0, 0))
        sure = min(sure + 1, 15) if (held, guess) == (tag, byte) else sure // 2
        self.guesses[order, cell] = (held, sure, guess) if sure else (tag, 1, byte)

    def _learn_match(self, byte: int) -> None:
        if self.lag:
            if self.text[-self.lag] == byte:
                self.run = max(self.run, 0) + 1
            elif self.run > -4:
                self.run = min(self.run, 0) - 1
            else:
                self.lag = self.run = 0
        self.text += bytes([byte])
        end = len(self.text) - 1
        past = self._context(5)
        mixed = past % 2**32 * MIX % 2**32 ^ past // 2**32 * 0x01000193
        place = mixed * MIX % 2**32 // 2**24
        back = end - self.ended.get(place, 0)
        if self.run <= 0 and 0 < back < 2048 - 16:
            padded = bytes(2048) + self.text
            same = 0
            while same < 16 and padded[-1 - same] == padded[-1 - back - same]:
                same += 1
            if same >= 5:
                self.lag, self.run = back, same - 4
        self.ended[place] = end


def likely(text: bytes) -> list[float]:
    """Probability of each byte of a lane, after those before it."""
    model, found = Model(), []
    for byte in text:
        found.append(float(model.distribution()[byte]))
        model.learn(byte)
    return found


def words(text: str) -> list[tuple[int, int]]:
    """Where each word of a lane begins and stops, in characters."""
    found = []
    for match in WORD.finditer(text):
        begins = range(match.start(), match.end(), 24)
        found.extend((begin, min(begin + 24, match.end())) for begin in begins)
    return found


def samples(deltas: list[tuple[str, int, float]], *, close: bool = True) -> list[Sample]:
    """All samples of a lane that said `deltas` (text, ns, log probability) and, or not, closed."""
    text = "".join(each for each, _, _ in deltas)
    ends = np.cumsum([len(each) for each, _, _ in deltas])
    found = []
    for i, (said, at, logprob) in enumerate(deltas):
        begin, stop = int(ends[i]) - len(said), int(ends[i])
        if i:
            gap = at - deltas[i - 1][1]
            found.append(Sample(i, 0, begin, stop, stop, gap / 1e9 if gap >= 0 else math.nan))
        found.append(Sample(i, 1, begin, stop, stop, len(said)))
        if not math.isnan(logprob):
            found.append(Sample(i, 2, begin, stop, stop, -logprob))
    bits = [-math.log2(p) for p in likely(text.encode())]
    spoken: list[str] = ["", ""]
    trigrams = set()
    novelty = 1.0
    for begin, stop in words(text):
        behind = stop - begin < 24 and stop < len(text)  # decided by the white space behind it
        decided = stop + behind
        first, last = len(text[:begin].encode()), len(text[:stop].encode())
        spoken.append(BLANK.sub("", text[begin:stop]))
        trigram = tuple(spoken[-3:])
        novelty += ((trigram not in trigrams) - novelty) / 16
        trigrams.add(trigram)
        if stop == len(text) and stop - begin < 24:
            if not close:
                continue
            delta = len(deltas)
        else:
            delta = int(np.searchsorted(ends, decided))
        found.append(Sample(delta, 3, begin, stop, decided, sum(bits[first:last]) / (stop - begin)))
        found.append(Sample(delta, 4, begin, stop, decided, novelty))
    return sorted(found, key=lambda sample: (sample.delta, sample.signal > 2))
