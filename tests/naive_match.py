"""Slow, obvious twins of the gate and of release: brute force over all substrings of the whole text.

A rule here is the finite set of its words, found by trying every string over a small alphabet, so
that nothing is shared with the automata of the thing that is tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

ALPHABET = "ab é"
"""Two letters, a space and what is beyond ASCII."""

LONGEST = 5
"""Characters of the longest word that is looked for."""


@cache
def words(pattern: str) -> frozenset[str]:
    """Every string over the alphabet that `pattern` matches, up to one more character than allowed."""
    strings = ("".join(letters) for size in range(LONGEST + 2) for letters in product(ALPHABET, repeat=size))
    return frozenset(filter(re.compile(pattern).fullmatch, strings))


@cache
def beginnings(pattern: str) -> frozenset[str]:
    """What is a word but for its last characters."""
    return frozenset(word[:end] for word in words(pattern) for end in range(1, len(word)))


def is_word(letter: str) -> bool:
    """A character of a word, as `bounded` means it."""
    return letter.isascii() and (letter.isalnum() or letter == "_")


class Seen(NamedTuple):
    """What is known of a text that may go on."""

    matches: list[tuple[int, int]]
    watermark: int


def look(pattern: str, text: str, *, bounded: bool = False, over: bool = False) -> Seen:
    """Leftmost-longest matches of one rule that no further text can change, and where the first start
    is that could still become or extend a match. `over`: no further text comes.
    """
    matches, start, size = [], 0, len(text)
    while start < size:
        stop = 0
        if not (bounded and start and is_word(text[start - 1])):
            if not over and _is_open(pattern, text[start:], bounded):
                return Seen(matches, start)
            stop = _stop(pattern, text, start, bounded)
        if stop:
            matches.append((start, stop))
        start = stop or start + 1
    return Seen(matches, size)


def _is_open(pattern: str, rest: str, bounded: bool) -> bool:
    return rest in beginnings(pattern) or (bounded and rest in words(pattern))


def _stop(pattern: str, text: str, start: int, bounded: bool) -> int:
    for stop in range(len(text), start, -1):
        free = not bounded or stop == len(text) or not is_word(text[stop])
        if free and text[start:stop] in words(pattern):
            return stop
    return 0


class Found(NamedTuple):
    """A match, and the characters that had been read when it was decided."""

    rule: int
    begin: int
    stop: int
    decided: int


def found(rules: Sequence[tuple[str, bool]], text: str) -> list[Found]:
    """All matches of all rules, in order of decision, then of rule."""
    out = []
    for rule, (pattern, bounded) in enumerate(rules):
        known: list[tuple[int, int]] = []
        for read in range(len(text) + 1):
            now = look(pattern, text[:read], bounded=bounded).matches
            out += [Found(rule, *match, read) for match in now[len(known) :]]
            known = now
        rest = look(pattern, text, bounded=bounded, over=True).matches[len(known) :]
        out += [Found(rule, *match, len(text) + 1) for match in rest]
    return sorted(out, key=lambda match: (match.decided, match.rule))


def watermark(rules: Sequence[tuple[str, bool]], text: str) -> int:
    """Characters of `text` that no rule can touch any more, however it goes on."""
    return min(
        (look(pattern, text, bounded=bounded).watermark for pattern, bounded in rules), default=len(text)
    )


def let_go(
    rules: Sequence[tuple[str, bool]], text: str, redacts: Iterable[int], blocks: Iterable[int]
) -> str:
    """What may leave of a text, ``<rule>`` in place of what is redacted."""
    matches, hidden, fatal = found(rules, text), set(redacts), set(blocks)
    ends = [match.decided for match in matches if match.rule in fatal]
    if ends:
        at = min(ends)
        over = at > len(text)
        upto = len(text) if over else watermark(rules, text[:at])
        upto = min([upto, *(m.begin for m in matches if m.rule in fatal and m.decided == at)])
        text = text[:upto]
    return masked(text, [match for match in matches if match.rule in hidden])


def masked(text: str, matches: Iterable[Found]) -> str:
    """`text` with one label for each match, the first to begin where several overlap."""
    out, at = [], 0
    for match in sorted(matches, key=lambda match: match.begin):
        if match.begin < len(text):
            if match.begin >= at:
                out.append(f"{text[at : match.begin]}<{match.rule}>")
            at = max(at, match.stop)
    return "".join(out) + text[at:]
