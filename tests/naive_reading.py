"""Characters as symbols of both forms, one at a time and with strings: the twin of the kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_UNSEEN, _BARE = 64, 256
_AGAIN, _REPEAT = -2, 0xFFFE

Char = tuple[int, int, int, int]
"""Code point (negative: nothing goes on across it), begin, stop, place."""


@dataclass
class Forms:
    """The tables of the matcher as dictionaries: what is not in them is symbol 3 and 2."""

    plain: dict[int, int]
    letters: dict[int, int]
    spelt: dict[int, list[int]]


class _Letters:
    """What was read of one layer in the form letters."""

    def __init__(self) -> None:
        self.word, self.last, self.sentence, self.blank = 0, "", False, False

    def symbol(self, code: int, symbol: int) -> int:
        if symbol > 2:
            self.word, self.last, self.sentence, self.blank = self.word + 1, "", False, False
            return symbol
        return self.between(code, symbol == 1) if symbol else 0

    def between(self, code: int, broken: bool) -> int:
        char = chr(code) if code >= 0 else ""
        broken |= char != "" and char in "。！？｡"
        broken |= char == "\n" and self.blank
        self.blank = char == "\n" or (self.blank and char != "" and char in " \t\r")
        if char and char in ".!?":
            self.sentence |= self.word > 1
        else:
            broken |= self.sentence and char.isspace()
            self.sentence = False
        self.word = 0
        before, self.last = self.last, "break" if broken else self.last or "edge"
        if broken:
            self.sentence = False
            return 0 if before == "break" else 1
        return 0 if before else 2


def read(chars: Iterable[Char], forms: Forms) -> tuple[list[Char], list[Char]]:
    """The symbols of a layer in both forms, plain and as letters: symbol, begin, stop, place."""
    plain: list[Char] = []
    letters: list[Char] = []
    between, unseen, bare = _Letters(), 0, 0
    for code, begin, stop, place in chars:
        if code == _AGAIN:
            between, unseen, bare = _Letters(), 0, 0
            between.last = "break"
            for form in (plain, letters):
                form.append((_REPEAT, begin, stop, place))
            continue
        for piece in forms.spelt.get(code, [code]):
            symbol = 1 if piece < 0 else forms.plain.get(piece, 3)
            letter = 1 if piece < 0 else forms.letters.get(piece, 2)
            unseen = 0 if symbol else unseen + 1
            if unseen == _UNSEEN:
                symbol = letter = 1
                unseen = 0
            bare = 0 if letter > 2 else bare + 1
            if bare == _BARE:
                letter, bare = 1, 0
            letter = between.symbol(piece, letter)
            plain += [(symbol, begin, stop, place)] * (symbol > 0)
            letters += [(letter, begin, stop, place)] * (letter > 0)
    return plain, letters
