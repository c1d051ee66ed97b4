"""The symbols of one form: classes of characters that no rule tells apart.

Strategy. Every set of characters that an expression names is learnt before any symbol is made. Along the
code points a character's membership in all the sets is one integer of bits, and changes only where a set
has an edge; characters with the same bits are one symbol. A set is then a mask of symbols, an integer too:
the construction of a machine (``operators.subsets``) never meets a single character.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from operators import alphabet, dialect
from operators.alphabet import Chars
from operators.dialect import Node
from operators.rows import bits_of

__all__ = ["BREAK", "EDGE", "FIRST_CLASS", "SPELT", "TRANSPARENT", "Symbols"]

TRANSPARENT, BREAK, EDGE, SPELT = 0, 1, 2, 0xFFFF
"""Symbols: not seen; nothing matches across it; between words; several characters, see ``spelt_at``."""

FIRST_CLASS = 3
"""The lowest symbol of a class; in ``letters`` what is in no class is an EDGE."""


class Symbols:
    """The alphabet of one form: classes of code points that none of the learnt sets tells apart."""

    def __init__(self, words: Chars, *, folded: bool) -> None:
        self.folded = folded
        self._sets: dict[Chars, int] = {words: 0}
        if folded:
            self._sets |= {alphabet.letters(): 1, alphabet.unspaced(): 2}
        self._masks: list[int] = []
        self._edges: list[int] = []
        self._classes: list[int] = []
        self.count = 0
        self.words: list[int] = []

    def learn(self, node: Node) -> None:
        """The sets of a tree."""
        if node.kind == dialect.SET:
            self._sets.setdefault(node.chars, len(self._sets))
        for part in node.parts:
            self.learn(part)

    def settle(self) -> None:
        """Make the classes, in the order of their first code points, and the mask of each set."""
        turns: dict[int, int] = defaultdict(int)
        turns[0] = 0
        for chars, place in self._sets.items():
            for low, high in chars:
                turns[low] ^= 1 << place
                turns[high + 1] ^= 1 << place
        turns.pop(alphabet.CODES, None)
        number: dict[int, int] = {}
        if self.folded:
            number[0] = EDGE  # what is in no set, not even in that of all letters
        inside = 0
        for edge in sorted(turns):
            inside ^= turns[edge]
            if inside not in number:
                number[inside] = FIRST_CLASS + len(number) - self.folded
            self._edges.append(edge)
            self._classes.append(number[inside])
        self.count = FIRST_CLASS + len(number) - self.folded
        self.words = [0] * self.count
        self._masks = [0] * len(self._sets)
        for inside, symbol in number.items():
            self.words[symbol] = inside & 1
            for place in bits_of(inside):
                self._masks[place] |= 1 << symbol

    def mask(self, chars: Chars) -> int:
        """The symbols of a learnt set, as bits."""
        return self._masks[self._sets[chars]]

    @property
    def unspaced(self) -> int:
        """The symbols of scripts without spaces, as bits."""
        return self.mask(alphabet.unspaced()) if self.folded else 0

    def table(self, single: NDArray[np.int32]) -> NDArray[np.uint16]:
        """The symbol of each code point: that of what it is read as."""
        lengths = np.diff([*self._edges, alphabet.CODES])
        own = np.repeat(np.array(self._classes, np.uint16), lengths)
        symbols = own[np.maximum(single, 0)]
        symbols[single == alphabet.UNSEEN] = TRANSPARENT
        symbols[single == alphabet.SPELT] = SPELT
        return symbols
