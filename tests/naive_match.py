"""The slow, obvious twin of the gate: brute force over all substrings of the whole text.

Strategy. A rule here is the finite set of its words, found by trying every string over a small alphabet
with Python's ``re``, so that nothing is shared with the automata of the thing that is tested. A text is
first read: a list of what a rule gets to see, each with the stretch of the original it stands for. A plain
rule sees every character; a folded one letters and digits, edges between words, and breaks that no match
crosses. What is matched, decided and held back is then said in characters of the original.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

ALPHABET = "ab é"
"""What plain rules are drawn over: two letters, a space and what is beyond ASCII."""

LETTERS = "tivg"
"""What folded rules are drawn over, and what their texts come down to: rot13 turns t i into g v."""

FOREIGN = "жя"
"""Letters that are in no run of base64, hex or escapes: over them a rule alone holds text back."""

LONGEST = 5
"""Characters of the longest word that is looked for."""

EDGE, BREAK = "-", "|"
"""Read between words, and where nothing goes on."""

FOLDED = dict.fromkeys("tT7т", "t") | dict.fromkeys("iI1í", "i") | dict.fromkeys("vV", "v")
FOLDED |= dict.fromkeys("gG9", "g") | dict.fromkeys("жЖ", "ж") | dict.fromkeys("яЯ", "я")
"""What a letter of a text is taken for. ``1`` is an l as well, and т is Cyrillic."""


class Rule(NamedTuple):
    """An expression and how its matches stand in the text."""

    pattern: str
    bounded: bool = False
    folded: bool = False


class Sign(NamedTuple):
    """Something read: a character, EDGE or BREAK, and the stretch of the original it stands for."""

    what: str
    begin: int
    stop: int


def plain(text: str) -> list[Sign]:
    """What a plain rule sees: characters, but those that nobody sees."""
    return [Sign(what, at, at + 1) for at, letter in enumerate(text) for what in _shown(letter)]


def _shown(letter: str) -> str:
    if letter in "\t\n\r":
        return letter
    form = unicodedata.normalize("NFKC", letter)
    kept = (each for each in form if unicodedata.category(each) not in {"Cc", "Cf", "Mn", "Me"})
    return "".join(str(unicodedata.decimal(each, each)) for each in kept)


def letters(text: str) -> list[Sign]:
    """What a folded rule sees: letters as what they are taken for, edges, breaks."""
    out: list[Sign] = []
    for at, letter in enumerate(text):
        if not _shown(letter):
            continue
        what = FOLDED.get(letter, EDGE)
        if what == EDGE and _breaks(letter, text[:at]):
            what = BREAK
        out.append(Sign(what, at, at + 1))
    return out


def _breaks(letter: str, before: str) -> bool:
    """White space behind the end of a sentence, whose last word has more than one letter; an empty line."""
    seen = "".join(filter(_shown, before))
    sentence = letter.isspace() and re.search(r"\w\w[.!?]+$", seen)
    return bool(sentence or (letter == "\n" and re.search(r"\n[ \t]*$", seen)))


@cache
def words(pattern: str, alphabet: str) -> frozenset[str]:
    """Every string over the alphabet that `pattern` matches, up to one more character than allowed."""
    strings = ("".join(each) for size in range(LONGEST + 2) for each in product(alphabet, repeat=size))
    return frozenset(filter(re.compile(pattern).fullmatch, strings))


class Variant(NamedTuple):
    """Words, their beginnings, and whether they must stand where a word begins and ends."""

    words: frozenset[str]
    beginnings: frozenset[str]
    begins: bool
    ends: bool


@cache
def variants(rule: Rule) -> tuple[Variant, ...]:
    """A plain rule as it is; a folded one of ASCII also in rot13 and read from behind."""
    if not rule.folded:
        return (_variant(words(rule.pattern, ALPHABET), rule.bounded, rule.bounded),)
    said = words(rule.pattern.replace(" ", ""), LETTERS if rule.pattern.isascii() else FOREIGN)
    if not rule.pattern.isascii():
        return (_variant(said, True, rule.bounded),)
    turned = frozenset(codecs.encode(word, "rot13") for word in said)
    mirrored = frozenset(word[::-1] for word in said)
    return tuple(_variant(each, True, rule.bounded) for each in (said, turned, mirrored))


def _variant(some: frozenset[str], begins: bool, ends: bool) -> Variant:
    beginnings = frozenset(word[:end] for word in some for end in range(1, len(word)))
    return Variant(some, beginnings, begins, ends)


def is_word(sign: Sign, folded: bool) -> bool:
    """A character of a word: for plain rules that is ASCII."""
    if folded:
        return sign.what not in {EDGE, BREAK}
    return sign.what.isascii() and (sign.what.isalnum() or sign.what == "_")


def look(rule: Rule, text: str) -> list[tuple[int, int]]:
    """Leftmost-longest matches of one rule in a text that is over."""
    signs = letters(text) if rule.folded else plain(text)
    matches, start = [], 0
    while start < len(signs):
        stop = _stop(rule, signs, start)
        if stop:
            matches.append((signs[start].begin, signs[stop - 1].stop))
        start = stop or start + 1
    return matches


def alive(rule: Rule, text: str) -> list[int]:
    """Where something begins that more text could make a match, or a longer one; within a match too."""
    signs = letters(text) if rule.folded else plain(text)
    return [signs[start].begin for start in range(len(signs)) if _is_open(rule, signs, start)]


def _may_begin(variant: Variant, rule: Rule, signs: Sequence[Sign], start: int) -> bool:
    return not (variant.begins and start and is_word(signs[start - 1], rule.folded))


def _is_open(rule: Rule, signs: Sequence[Sign], start: int) -> bool:
    """More text could make a match from `start`, or a longer one."""
    rest = signs[start:]
    if rule.folded and (rest[0].what == EDGE or any(sign.what == BREAK for sign in rest)):
        return False
    said = "".join(sign.what for sign in rest if not rule.folded or sign.what != EDGE)
    waits = not rule.folded or rest[-1].what != EDGE  # the end of the word is not known yet
    return any(
        _may_begin(variant, rule, signs, start)
        and (said in variant.beginnings or (variant.ends and waits and said in variant.words))
        for variant in variants(rule)
    )


def _stop(rule: Rule, signs: Sequence[Sign], start: int) -> int:
    """Where the longest match from `start` ends, 0 without one."""
    longest, said = 0, ""
    for stop in range(start + 1, len(signs) + 1):
        what = signs[stop - 1].what
        if rule.folded and (what == BREAK or (what == EDGE and stop == start + 1)):
            break
        if rule.folded and what == EDGE:
            continue
        said += what
        free = stop == len(signs) or not is_word(signs[stop], rule.folded)
        if any(
            _may_begin(variant, rule, signs, start) and (free or not variant.ends) and said in variant.words
            for variant in variants(rule)
        ):
            longest = stop
    return longest


class Found(NamedTuple):
    """A match, and the characters that had been read when it was decided."""

    rule: int
    begin: int
    stop: int
    decided: int


def found(rules: Sequence[Rule], text: str) -> list[Found]:
    """All matches of all rules, in order of decision, then of rule. A match is decided when nothing is
    alive that began as early: of its own rule, or of those that are walked with it.
    """
    out = []
    for folded in (False, True):
        bank = [rule for rule in rules if rule.folded == folded]
        first = [watermark(bank, text[:read]) for read in range(len(text) + 1)]
        for number, rule in enumerate(rules):
            for begin, stop in look(rule, text) if rule.folded == folded else ():
                ends = (read for read in range(stop, len(text) + 1) if first[read] > begin)
                out.append(Found(number, begin, stop, next(ends, len(text) + 1)))
    return sorted(out, key=lambda match: (match.decided, match.rule))


def watermark(rules: Sequence[Rule], text: str) -> int:
    """Characters of `text` that no rule can touch any more, however it goes on."""
    return min((start for rule in rules for start in alive(rule, text)), default=len(text))
