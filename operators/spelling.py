"""What a word is: which characters make one, what they are read as, and a whole text cut into words.

A word is a run of letters, digits, marks and underscores, at most 64 of them. Letter case does not count.
Scripts that put no space between words are cut into characters, each a word of its own: Han, Hiragana,
Katakana, Bopomofo, Yi, Thai, Lao, Khmer, Myanmar, and others of their kind. Characters that Unicode lists as
not to be seen (Default_Ignorable_Code_Point: soft hyphens, joiners, direction marks, variation selectors,
tags, fillers) and all other format characters (Cf) of the first plane do not count and do not separate, so
that none of these hides a word. Everything else separates.

Case is undone character by character, as far as one character becomes one (``ß`` stays what it is), and
nothing is normalised: ``é`` in one and in two characters are two spellings.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

from operators.kernels.words import LANE, UNSEEN, cut
from operators.packet import DELTA, WORD, Kind

__all__ = ["codes", "uncased", "words_of"]

_LETTERS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))
"""Han and Hangul: most of the plane, and nothing of them has to be looked up."""
_UNASSIGNED = ((0xD800, 0xF8FF),)
"""Surrogates and private use."""
_HIDDEN = (
    (0x034F, 0x034F),  # grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # inherent vowels of Khmer
    (0x180B, 0x180F),  # variation selectors of Mongolian
    (0x2065, 0x2065),  # not assigned
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # Hangul filler, halfwidth
    (0xFFF0, 0xFFF8),  # not assigned
)
"""What is not to be seen in the first plane and is no format character by its category. Those of the other
planes are known to the kernel."""
_SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x3005, 0x302D),  # iteration marks and what belongs to Han
    (0x3031, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo and Katakana, extended
    (0x3400, 0xA48F),  # Han, Yi
    (0xA980, 0xA9FF),  # Javanese, Myanmar extended
    (0xAA60, 0xAADF),  # Myanmar extended, Tai Viet
    (0xF900, 0xFAFF),  # Han, compatibility
    (0xFF66, 0xFF9F),  # Katakana, halfwidth
)
"""First and last code points. Their digits are digits: they make words as others do."""


def uncased(character: str) -> str:
    """One character without its letter case, as it is undone in words and in phrases of stage ``edit``.

    One character always becomes one: what has no single such character stays what it is.

    >>> [uncased(character) for character in "AßẞÉσς"]
    ['a', 'ß', 'ß', 'é', 'σ', 'σ']
    """
    forms = character.casefold(), character.lower(), character
    return next(form for form in forms if len(form) == 1)


@cache
def codes() -> NDArray[np.int32]:
    """What each character of the first plane is read as, for ``operators.kernels.words``; read-only."""
    kinds = np.zeros(0x10000, "U1")
    for first, last in _LETTERS:
        kinds[first : last + 1] = "L"
    known = np.zeros(len(kinds), np.bool_)
    for first, last in _LETTERS + _UNASSIGNED:
        known[first : last + 1] = True
    characters = list(map(chr, np.flatnonzero(~known).tolist()))
    categories = list(map(unicodedata.category, characters))
    kinds[~known] = [category[0] for category in categories]
    read = np.where(np.isin(kinds, ["L", "M", "N"]), np.arange(len(kinds)), 0).astype(np.int32)
    for character, category in zip(characters, categories, strict=True):
        if category in {"Lu", "Lt", "Ll", "Lm", "Mn", "Nl"}:
            read[ord(character)] = ord(uncased(character))
        elif category == "Cf":
            read[ord(character)] = UNSEEN
    read[ord("_")] = ord("_")
    for first, last in _SPACELESS:
        alone = read[first : last + 1]
        alone[np.isin(kinds[first : last + 1], ["L", "M"])] *= -1
    for first, last in _HIDDEN:
        read[first : last + 1] = UNSEEN
    read.flags.writeable = False
    return read


def words_of(text: str) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """The words of a whole text, as the stage would cut it: their hashes, and the characters they stand at.

    Equal words have equal hashes, in any process and on any machine.

    :returns: ``uint64[n]``, and ``int64[n]`` twice: first characters, and ends.
    :raises ValueError: If `text` holds a lone surrogate.

    >>> hashes, begins, stops = words_of("Tell, tell!")
    >>> bool(hashes[0] == hashes[1]), begins.tolist(), stops.tolist()
    (True, [0, 6], [4, 10])
    """
    data = text.encode()
    deltas = np.zeros(2, DELTA)
    deltas["kind"] = Kind.TEXT, Kind.CLOSE
    deltas["end"] = len(data)
    deltas["start"][1] = len(data)
    deltas["begin"][1] = len(text)
    deltas.flags.writeable = False
    words = np.empty(len(deltas) + len(data), WORD)
    words = words[: cut(deltas, np.frombuffer(data, np.uint8), codes(), np.zeros(1, LANE), words)]
    return words["word"].copy(), words["begin"].copy(), words["stop"].copy()
