r"""Rules become automata: the tables that ``kernels.match`` walks.

Strategy. The rules' characters become symbols (``operators.symbols``), the rules of a *bank* (plain or
folded, holding text back or only detecting) a few machines (``operators.subsets``), the machines one set of
arrays (``operators.tables``). A bank would be one machine if its rules did not multiply each other's states:
plain rules are dealt out in the order given, as many to a machine as go together; those that multiply the
states of the others get machines of their own. The tables depend on the rules alone: a saved thread is the
number of a state.

A rule that would need too many positions or states is refused by name. Rules that only together need too
many are refused with those that take part in most of the states.

The dialect. Plain rules: Python's ``re`` with words, digits and spaces in ASCII; alternation, groups, at
most one of them with capture, classes, ``.``, greedy repeats, the flags i, s and x, ``\b`` as the first or
last thing; no other anchors, look-around, back-references, lazy or possessive repeats. Folded rules:
letters, digits, ``.``, groups, ``|``, ``?``, ``{n,m}``; spaces mean nothing. A folded rule whose letters are
all ASCII is also found in rot13, and mirrored. No rule matches the empty string.

Where a match stands. A folded match begins where a word does, or at a letter of a script without spaces; so
does its mirror image, in the order in which it is read. With ``bounded`` no word character stands before or
after a match.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from operators import alphabet, dialect
from operators.dialect import Node
from operators.subsets import Machine, Part
from operators.symbols import Symbols
from operators.tables import CHECKED, FINAL, LATER, NOW, Automaton, Ways, double_array, listed, openings

__all__ = ["MAX_HOLD", "MAX_POSITIONS", "Automaton", "Rule", "compiled"]

MAX_HOLD = 512
"""Characters a rule may hold back at most. An e-mail address takes 254 (RFC 5321, erratum 1690)."""

MAX_POSITIONS = 4_096
"""Positions of one expression."""

_NEVER = 1 << 30
_SHARES = 3_000, 200_000  # positions in one construction: phrases do not multiply
_SHOWN = 120  # characters of an expression in a message


@dataclass(frozen=True)
class Rule:
    """One expression and how its matches stand in the text."""

    name: str
    pattern: str
    folded: bool = False
    """Matched on letters only, each with its disguises."""
    bounded: bool = False
    """A match must not touch a word character before or after it."""
    longest: int = 0
    """Characters a match may hold back; 0: as many as the expression can match."""
    check: str = ""
    """What must say yes to the text of a match."""
    near: str = ""
    """What must stand before a match."""
    detect: bool = False
    """Matches are reported and hold nothing back."""
    eager: bool = False
    """Decided at the first end that a match can have."""


class _Read(NamedTuple):
    """A rule as its expression says."""

    trees: tuple[Node, ...]
    begins: bool
    edge: bool
    longest: int
    hold: int


@lru_cache(maxsize=4)
def compiled(rules: tuple[Rule, ...]) -> Automaton:
    """The tables of all rules. The 680 shipped ones, 155,000 states, take 5 s.

    :raises ValueError: If a rule is outside the dialect, matches nothing or the empty string, may hold back
        more than MAX_HOLD characters, or needs more than its budget, or all together do.
    """
    return _tables(rules, [_read(rule) for rule in rules])


def _read(rule: Rule) -> _Read:
    try:
        said = dialect.parse(rule.pattern, folded=rule.folded)
        longest = _longest(rule, said.tree)
        trees = [said.tree]
        if rule.folded and said.ascii:
            turned = dialect.parse(rule.pattern, folded=True, spelling=dialect.rot13)
            trees += [turned.tree, dialect.mirrored(said.tree)]
    except ValueError as error:
        msg = f"{_named(rule)}: {error}"
        raise ValueError(msg) from error
    closed = said.tree.longest <= longest
    return _Read(
        tuple(trees),
        rule.folded or rule.bounded or said.begins,
        rule.bounded or said.ends,
        longest,
        _NEVER if closed else longest or MAX_HOLD,
    )


def _longest(rule: Rule, tree: Node) -> int:
    """The rule's worst hold-back in characters; 0 if it is detect-only and has none.

    :raises ValueError: If the expression cannot be a rule.
    """
    problem = ""
    if tree.shortest >= dialect.ENDLESS:
        problem = "it matches nothing"
    elif tree.nullable:
        problem = "it matches the empty string"
    elif tree.size > MAX_POSITIONS:
        problem = f"{tree.size} positions when its repeats are written out, the budget is {MAX_POSITIONS}"
    elif rule.longest and not tree.shortest <= rule.longest <= MAX_HOLD:
        problem = (
            f"longest = {rule.longest} is not between its shortest match, {tree.shortest} characters, and "
            f"{MAX_HOLD}"
        )
    elif not rule.longest and tree.longest > MAX_HOLD and not rule.detect:
        problem = (
            f"it may match more than {MAX_HOLD} characters; say how many it may hold back, longest = "
            f"{min(tree.shortest, MAX_HOLD)}..{MAX_HOLD}, or detect = true"
        )
    if problem:
        raise ValueError(problem)
    return min(rule.longest or tree.longest, tree.longest) % dialect.ENDLESS


def _tables(rules: tuple[Rule, ...], read: list[_Read]) -> Automaton:
    symbols = [Symbols(dialect.WORD, folded=False), Symbols(alphabet.words(), folded=True)]
    for rule, one in zip(rules, read, strict=True):
        for tree in one.trees:
            symbols[rule.folded].learn(tree)
    for form in symbols:
        form.settle()
    edge = [one.edge for one in read]
    checked = [1 if rule.check else 2 if rule.near else 0 for rule in rules]
    holds = np.array([one.hold for one in read], np.int32)
    keys: list[tuple[int, ...]] = []
    ways = Ways([0], [], [])
    widths: list[int] = []
    starts: list[list[int]] = []
    bank_at = [0]
    hold, lead = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for bank in range(4):
        folded, detect = bool(bank & 1), bank >= 2
        members = [r for r, rule in enumerate(rules) if rule.folded == folded and rule.detect == detect]
        waiting, aside = _shares(members, read, _SHARES[folded]), list[int]()
        while waiting or aside:
            if not waiting:
                waiting, aside = [aside], []
            made, left = _machine(rules, read, symbols[folded], waiting.pop(0), len(keys))
            aside = sorted([*aside, *left])
            starts.append(made.starts)
            keys += made.keys
            ways.at.extend([len(ways.sets) + at for at in made.ways.at[1:]])
            ways.sets.extend(made.ways.sets)
            ways.targets.extend(made.ways.targets)
            widths += [symbols[folded].count] * len(made.keys)
            at, positions = listed(made.keys)
            alive = np.array(made.rule_of, np.int32)[positions]
            hold.append(np.maximum.reduceat(holds[alive], at[:-1]))
            lead.append(np.minimum.reduceat(alive, at[:-1]))
        bank_at.append(len(starts))
    flags = [FINAL * (begin == end) for begin, end in pairwise(ways.at)]
    now: list[tuple[int, ...]] = [()] * len(keys)
    later: list[tuple[int, ...]] = [()] * len(keys)
    for state, key in enumerate(keys):
        accepts = key[: bisect_left(key, len(rules))]
        if accepts:
            now[state] = tuple(r for r in accepts if not (edge[r] or checked[r]))
            later[state] = tuple(r for r in accepts if edge[r] or checked[r])
            flags[state] |= (
                NOW * bool(now[state])
                | LATER * bool(later[state])
                | CHECKED * any(checked[r] > 0 for r in later[state])
            )
    width = max(form.count for form in symbols)
    base, other, check, follower = double_array(ways, widths, width)
    opening_at, opening = openings(bank_at, starts, ways, width)
    single, spelt_at, spelt = alphabet.code_points()
    word = np.zeros((2, width), np.uint8)
    for row, letters in enumerate(symbols):
        word[row, : letters.count] = letters.words
    now_at, now_all = listed(now)
    later_at, later_all = listed(later)
    return Automaton(
        symbols[0].table(single), symbols[1].table(single), spelt_at, spelt, word,
        np.array(bank_at, np.int32), np.array(starts, np.int32).reshape(-1, 2), opening_at, opening,
        np.column_stack([base, other, np.array(flags, np.int32), np.concatenate(hold)]),
        np.column_stack([check, follower]),
        now_at, now_all, later_at, later_all, np.concatenate(lead),
        np.array(edge, np.uint8), np.array(checked, np.uint8),
        np.array([rule.eager for rule in rules], np.uint8),
        np.array([one.longest for one in read], np.int32),
    )  # fmt: skip


def _shares(members: list[int], read: list[_Read], most: int) -> list[list[int]]:
    """Rules that stand together, as many as one construction deals with in good time."""
    shares: list[list[int]] = []
    size = most
    for rule in members:
        own = sum(tree.size for tree in read[rule].trees)
        if size + own > most:
            shares.append([])
            size = 0
        shares[-1].append(rule)
        size += own
    return shares


def _machine(
    rules: tuple[Rule, ...], read: list[_Read], symbols: Symbols, members: list[int], first: int
) -> tuple[Machine, list[int]]:
    """One automaton of as many of the rules as go together, and those that are left for others.

    Most rules add their states to those of the others. A few run along beside all of them and multiply
    them, such as an address whose words may be any: these are set aside.

    :raises ValueError: If a rule is too large even alone.
    """
    aside: list[int] = []
    while True:
        parts = [Part(r, tree, read[r].begins) for r in members for tree in read[r].trees]
        made = Machine(len(rules), symbols, parts, first)
        if made.build(len(members)):
            return made, sorted(aside)
        if len(members) == 1:
            msg = f"{_named(rules[members[0]])}: {made.too_large()}"
            raise ValueError(msg)
        multiply = made.multiplying()
        aside += multiply
        members = [r for r in members if r not in multiply]


def _named(rule: Rule) -> str:
    short = rule.pattern if len(rule.pattern) <= _SHOWN else rule.pattern[:_SHOWN] + "..."
    return f"rule {rule.name!r}: {short!r}"
