"""Slow, obvious twins of the motif kernels: every substring, every pair of windows, the text as a whole."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Phrase(NamedTuple):
    """A phrase said again: the word that decided it, -1 for the end of the lane; first and last word."""

    decided: int
    times: int
    first: int
    last: int


def phrases(words: Sequence[int], length: int, least: int, window: int) -> Iterator[Phrase]:
    """What ``operators.kernels.repeats`` finds in a lane, from lists of places that are never thrown away."""
    counted: dict[tuple[int, ...], list[int]] = {}
    run: Phrase | None = None
    apart, told, spent = 0, False, -1
    for t, word in enumerate(words):
        if run and words[t - apart] == word:
            run = run._replace(last=t)
        elif run:
            if not told:
                yield run._replace(decided=t)
            run, told, spent = None, False, t - 1
        if t + 1 >= length:
            ends = counted.setdefault(tuple(words[t + 1 - length : t + 1]), [])
            ends[:] = [end for end in ends if end - length + 1 > t - window]
            if not ends or t - ends[-1] >= length:
                ends.append(t)
                if len(ends) >= least and run is None and t - length + 1 > spent:
                    run, apart = Phrase(-1, len(ends), t - length + 1, t), t - ends[-2]
        if run and not told and run.last - run.first + 1 >= apart:
            yield run._replace(decided=t)
            told = True
    if run and not told:
        yield run


def disjoint(places: Sequence[int], length: int) -> list[int]:
    """Places of a string, without those inside the last one taken."""
    taken: list[int] = []
    for place in places:
        if not taken or place >= taken[-1] + length:
            taken.append(place)
    return taken


def recurring(
    symbols: Sequence[int], shortest: int, longest: int, least: int, rng: random.Random
) -> list[tuple[int, int, int]]:
    """First place, length and times of each motif, by looking at every substring in any order."""
    whole = tuple(symbols)
    strings = {whole[i:j] for i in range(len(whole)) for j in range(i + 1, min(i + longest, len(whole)) + 1)}
    places = {s: [i for i in range(len(whole)) if whole[i : i + len(s)] == s] for s in strings}
    taken = {s: disjoint(places[s], len(s)) for s in strings}
    candidates = [
        s
        for s in strings
        if len(s) >= shortest
        and len(taken[s]) >= least
        and not any(len(taken[t]) == len(taken[s]) for t in strings if len(t) == len(s) + 1 and _is_in(s, t))
        and not any(s[:p] * (len(s) // p) == s for p in range(1, len(s) - shortest + 1) if len(s) % p == 0)
    ]
    rng.shuffle(candidates)
    candidates.sort(key=lambda s: (-len(s) * len(taken[s]), -len(s), places[s][0]))
    found, covered = [], set[int]()
    for s in candidates:
        free = [i for i in places[s] if covered.isdisjoint(range(i, i + len(s)))]
        if len(disjoint(free, len(s))) >= least:
            found.append((places[s][0], len(s), len(taken[s])))
            covered.update(k for i in taken[s] for k in range(i, i + len(s)))
    return found


def _is_in(string: tuple[int, ...], longer: tuple[int, ...]) -> bool:
    """Whether `longer` is `string` with one symbol before or behind."""
    return string in (longer[1:], longer[:-1])


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of two windows, each scaled to mean 0 and deviation 1."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.inf
    constant = int(np.ptp(a) == 0) + int(np.ptp(b) == 0)
    if constant:
        return 0.0 if constant == 2 else float(np.sqrt(len(a)))
    return float(np.linalg.norm((a - a.mean()) / a.std() - (b - b.mean()) / b.std()))


def distances(x: NDArray[np.float64], m: int) -> NDArray[np.float64]:
    """Of all pairs of windows; infinite where they are less than a quarter of a window apart."""
    count = len(x) - m + 1
    zone = -(-m // 4)
    return np.array(
        [
            [distance(x[i : i + m], x[j : j + m]) if abs(i - j) > zone else np.inf for j in range(count)]
            for i in range(count)
        ]
    )


def edits(a: Sequence[int], b: Sequence[int]) -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, symbol in enumerate(a, 1):
        older, row = row, [i]
        for j, other in enumerate(b, 1):
            row.append(min(older[j - 1] + (symbol != other), older[j] + 1, row[-1] + 1))
    return row[-1]


def _behind(text: Sequence[int], first: int, length: int, errors: int) -> list[tuple[int, int, int]]:
    """Passages behind a centre, by the distance of every substring that ends at a place."""
    centre = text[first : first + length]
    found = []
    free = first + length
    stop = free + 1

    def nearest(stop: int) -> int:
        return min(edits(centre, text[begin:stop]) for begin in range(free, stop + 1))

    while stop <= len(text):
        if (least := nearest(stop)) <= errors:
            stop = min(range(stop, min(stop + least, len(text)) + 1), key=lambda end: (nearest(end), end))
            least = nearest(stop)
            extents = [e for e in range(stop - free + 1) if edits(centre, text[stop - e : stop]) == least]
            extent = min(extents, key=lambda extent: (abs(extent - length), extent))
            found.append((stop - extent, stop, least))
            free = stop
        stop += 1
    return found


def passages(text: Sequence[int], first: int, length: int, errors: int) -> list[tuple[int, int, int]]:
    """Begin, stop and edits of everything that resembles a window, and of the window."""
    n = len(text)
    before = _behind(text[::-1], n - first - length, length, errors)
    mirrored = [(n - stop, n - begin, found) for begin, stop, found in reversed(before)]
    return [*mirrored, (first, first + length, 0), *_behind(text, first, length, errors)]


def resembling(
    text: Sequence[int], length: int, errors: int, least: int, rng: random.Random
) -> list[tuple[int, int, int]]:
    """Centre, passages and edits of each group, from all groups met in any order."""
    firsts = list(range(len(text) - length + 1))
    rng.shuffle(firsts)
    groups = {first: passages(text, first, length, errors) for first in firsts}
    edits_of = {first: sum(found for *_, found in group) for first, group in groups.items()}
    found, taken = [], set[int]()
    for first in sorted(firsts, key=lambda f: (-len(groups[f]), edits_of[f], f)):
        free = [p for p in groups[first] if taken.isdisjoint(range(p[0], p[1]))]
        if len(free) >= least and (first, first + length, 0) in free:
            found.append((first, len(groups[first]), edits_of[first]))
            taken.update(k for begin, stop, _ in groups[first] for k in range(begin, stop))
    return found
