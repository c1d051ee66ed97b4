"""A slow, obvious twin of ``operators.kernels.phrases``: the whole matrix, again from every match on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Match(NamedTuple):
    """A stretch of a text, its errors, and how many characters had been read when it was decided."""

    errors: int
    begin: int
    stop: int
    decided: int


def distance(x: Sequence[str], y: Sequence[str]) -> int:
    """Levenshtein distance."""
    row = list(range(len(y) + 1))
    for i, a in enumerate(x):
        above, row = row, [i + 1]
        for j, b in enumerate(y):
            row.append(min(above[j] + (a != b), above[j + 1] + 1, row[j] + 1))
    return row[-1]


def folded(character: str) -> str:
    """A character without its case, if that is one character; a space for any white space."""
    if character.isspace():
        return " "
    return next((c for c in (character.casefold(), character.lower()) if len(c) == 1), character)


def read(text: str) -> tuple[list[str], list[int]]:
    """The characters of a text as they are compared, a run of white space as one, and their places."""
    characters = [folded(character) for character in text]
    places = [at for at, c in enumerate(characters) if at == 0 or c != " " or characters[at - 1] != " "]
    return [characters[at] for at in places], places


def least(phrase: Sequence[str], text: Sequence[str]) -> list[int]:
    """After each character the least distance of `phrase` and a stretch of `text` that ends there."""
    row = [0] * (len(text) + 1)
    for i, a in enumerate(phrase):
        above, row = row, [i + 1]
        for j, b in enumerate(text):
            row.append(min(above[j] + (a != b), above[j + 1] + 1, row[j] + 1))
    return row


def matches(text: str, wanted: str, most: int, *, closes: bool = True) -> list[Match]:
    """What is found of a phrase in a lane that said `text` and, or not, closed."""
    phrase, _ = read(wanted)
    characters, places = read(text)
    found: list[Match] = []
    floor = known = 0
    while True:
        errors = least(phrase, characters[floor:])
        best = stop = end = -1
        for end in range(floor + 1, len(characters) + 1):
            now = errors[end - floor]
            if now <= most and (best < 0 or now < best):
                best, stop = now, end
            # One with fewer errors that begins before `stop` has at most len(phrase) + best - 1 characters.
            if best == 0 or (best > 0 and (now > most or end > stop - 1 + len(phrase) + best - 2)):
                decided = places[end - 1] + 1
                break
        else:
            if best < 0 or not closes:
                return found
            decided = len(text)
        begin = max(b for b in range(floor, stop + 1) if distance(phrase, characters[b:stop]) == best)
        known = max(known, decided)
        found.append(Match(best, places[begin], places[stop - 1] + 1, known))
        floor = stop
