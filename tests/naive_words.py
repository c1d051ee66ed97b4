"""A slow, obvious twin of ``operators.kernels.words``: a character is judged by its name."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

SPACELESS = (
    "BALINESE", "BOPOMOFO", "CJK COMPATIBILITY IDEOGRAPH", "CJK UNIFIED IDEOGRAPH", "COMBINING KATAKANA",
    "HALFWIDTH KATAKANA", "HANGZHOU", "HIRAGANA", "IDEOGRAPHIC", "JAVANESE", "KATAKANA",
    "KHMER", "LAO", "MASU MARK", "MYANMAR", "NEW TAI LUE", "TAI LE", "TAI THAM", "TAI VIET", "THAI",
    "VERTICAL IDEOGRAPHIC", "VERTICAL KANA", "YI",
)  # fmt: skip
"""What names of characters begin with in scripts that put no space between words."""


IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties, as of Unicode 14: first and last."""


class Word(NamedTuple):
    begin: int
    stop: int
    decided: int
    spelling: str


def role(character: str) -> str:
    """What a character does: ``part`` of a word, a word ``alone``, ``between`` words, or ``unseen``."""
    point, category = ord(character), unicodedata.category(character)
    if any(first <= point <= last for first, last in IGNORABLE):
        return "unseen"
    if 0x10000 <= point < 0x1F000:
        return "part"
    if point >= 0x10000:
        return "alone" if 0x20000 <= point < 0x40000 else "between"
    name = unicodedata.name(character, "")
    if category == "Cf":
        return "unseen"
    if character != "_" and category[0] not in "LMN":
        return "between"
    return "alone" if category[0] in "LM" and name.startswith(SPACELESS) else "part"


def folded(character: str) -> str:
    """A character of the first plane without its case, if that is one character."""
    if ord(character) > 0xFFFF:
        return character
    return next((c for c in (character.casefold(), character.lower()) if len(c) == 1), character)


def words(text: str, *, close: bool = True) -> list[Word]:
    """The words of a lane that said `text` and, or not, closed."""
    found, begin, stop, spelling = [], 0, 0, ""
    for at, character in enumerate(text):
        what = role(character)
        if what == "part":
            begin = begin if spelling else at
            spelling += folded(character)
            stop = at + 1
        if spelling and (what in {"alone", "between"} or len(spelling) == 64):
            found.append(Word(begin, stop, at + 1, spelling))
            spelling = ""
        if what == "alone":
            found.append(Word(at, at + 1, at + 1, folded(character)))
    if spelling and close:
        found.append(Word(begin, stop, len(text), spelling))
    return found
