"""Rules become tables: the automaton that `kernels.match` walks.

Strategy. interegular parses an expression and builds its minimal automaton; all rules share one table of
moves over classes of characters that no rule tells apart, ASCII each by itself and one class for all
beyond. The tables depend on the rules alone: a saved thread is a state's number, so the number must be the
same in every process.

The dialect: alternation, groups without capture, classes, counted repeats, ``(?i:...)``; ASCII in the
expression, any character in a negated class or ``.``; no anchors, no look-around (``bounded`` puts a
match between word boundaries; words are ASCII, so that a card number in Chinese text is one), no match
of the empty string. A rule without a finite longest match must say with ``longest`` how much it may hold
back: a longer match is found in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import interegular
import numpy as np
from numpy.typing import NDArray

from operators.kernels import match

__all__ = ["MAX_HOLD", "Automaton", "Rule", "compiled"]

MAX_HOLD = 512
"""Characters a rule may hold back at most. An e-mail address takes 254 (RFC 5321, erratum 1690)."""

MAX_STATES = 20_000
_MAX_SETS = 4_000
_TWINS = 4  # threads of one state that may live beside each other because only the later has a match
_OTHER = 128
_WORD = np.array([chr(c).isalnum() or chr(c) == "_" for c in range(_OTHER)] + [False], np.uint8)


@dataclass(frozen=True)
class Rule:
    """One expression and how its matches stand in the text."""

    name: str
    pattern: str
    bounded: bool = False
    """A match must not touch a word character before or after it."""
    longest: int = 0
    """Characters a match may hold back; 0: the expression itself is bounded."""


class Automaton(NamedTuple):
    """The tables of `kernels.match.advance`, all rules in one state space."""

    classes: NDArray[np.uint8]
    word: NDArray[np.uint8]
    move: NDArray[np.int32]
    accept: NDArray[np.uint8]
    final: NDArray[np.uint8]
    rule_of: NDArray[np.int32]
    opens: NDArray[np.int32]
    opening: NDArray[np.int32]
    bounded: NDArray[np.uint8]
    longest: NDArray[np.int32]
    threads: int


@cache
def compiled(rules: tuple[Rule, ...]) -> Automaton:
    """The tables of all rules. States are numbered in the order in which ASCII reaches them, for the
    numbers that interegular gives follow the hashes of a process, and a saved thread must find its
    state again in the next.
    """
    machines = [_machine(rule) for rule in rules]
    moves: list[list[int]] = []
    accept: list[bool] = []
    rule_of: list[int] = []
    starts: list[int] = []
    for place, (fsm, live) in enumerate(machines):
        symbols = [fsm.alphabet[chr(c)] for c in range(_OTHER)]
        symbols.append(fsm.alphabet[interegular.fsm.anything_else])
        starts.append(len(moves))
        number, waiting = {fsm.initial: len(moves)}, [fsm.initial]
        for state in waiting:
            ways = fsm.map.get(state, {})
            row = []
            for symbol in symbols:
                reached = ways.get(symbol)
                if reached in live and reached not in number:
                    number[reached] = starts[-1] + len(waiting)
                    waiting.append(reached)
                row.append(number.get(reached, match.DEAD))
            moves.append(row)
            accept.append(state in fsm.finals)
            rule_of.append(place)
    whole = np.array(moves, np.int32).reshape(len(moves), _OTHER + 1)
    move, classes = np.unique(whole, axis=1, return_inverse=True)
    move = np.ascontiguousarray(move)
    opening = [[int(move[start, c]) for start in starts if move[start, c] >= 0] for c in range(move.shape[1])]
    bounded = np.array([rule.bounded for rule in rules], np.uint8)
    rule_index = np.array(rule_of, np.int32)
    final = np.array(accept, np.uint8) & (move < 0).all(axis=1)
    longest = [_longest(rule, *machine) for rule, machine in zip(rules, machines, strict=True)]
    return Automaton(
        classes.astype(np.uint8).reshape(-1), _WORD, move, np.array(accept, np.uint8),
        (final & ~bounded[rule_index].astype(np.bool_)).astype(np.uint8), rule_index,
        np.cumsum([0, *map(len, opening)]).astype(np.int32),
        np.array([s for states in opening for s in states], np.int32),
        bounded, np.array(longest, np.int32),
        _TWINS + sum(_threads(fsm, live) for fsm, live in machines),
    )  # fmt: skip


def _machine(rule: Rule) -> tuple[Any, set[Any]]:
    """The minimal automaton of a rule and its states that can still accept.

    :raises ValueError: If the rule is outside the dialect or too large.
    """
    try:
        fsm = interegular.parse_pattern(rule.pattern).to_fsm().reduce()  # type: ignore[no-untyped-call]
    except (interegular.InvalidSyntax, interegular.Unsupported, NotImplementedError) as error:
        msg = f"rule {rule.name!r}: {rule.pattern!r} is not in the dialect: {error}"
        raise ValueError(msg) from error
    live = {state for state in fsm.states if fsm.islive(state)}
    if not live or fsm.initial in fsm.finals:
        msg = f"rule {rule.name!r}: {rule.pattern!r} matches {'the empty string' if live else 'nothing'}"
        raise ValueError(msg)
    if len(live) > MAX_STATES:
        msg = f"rule {rule.name!r}: {len(live)} states, the budget is {MAX_STATES}"
        raise ValueError(msg)
    foreign = [c for c in fsm.alphabet if isinstance(c, str) and not c.isascii()]
    if foreign:
        msg = f"rule {rule.name!r}: {foreign[0]!r} is not ASCII; only negated classes and '.' reach beyond"
        raise ValueError(msg)
    return fsm, live


def _threads(fsm: Any, live: set[Any]) -> int:
    """The most threads of a rule that can live at once: the largest set of states that some text
    reaches when a start begins at every character. All states, where the sets are too many to visit.
    """
    seen: set[frozenset[Any]] = {frozenset()}
    waiting = list(seen)
    symbols = {symbol for ways in fsm.map.values() for symbol in ways}
    while waiting and len(seen) <= _MAX_SETS:
        states = waiting.pop() | {fsm.initial}
        for symbol in symbols:
            reached = frozenset(fsm.map.get(state, {}).get(symbol) for state in states) & live
            if reached not in seen:
                seen.add(reached)
                waiting.append(reached)
    return len(live) if waiting else max(map(len, seen))


def _longest(rule: Rule, fsm: Any, live: set[Any]) -> int:
    """Characters a thread may hold back.

    :raises ValueError: If that is not bounded, above the budget, or less than a match takes.
    """
    layer, shortest, steps = {fsm.initial}, 0, 0
    while layer and steps <= MAX_HOLD:
        layer = {way for state in layer for way in fsm.map.get(state, {}).values() if way in live}
        steps += 1
        if not shortest and layer & fsm.finals:
            shortest = steps
    longest = rule.longest or (steps - 1 if not layer else 0)
    if not 0 < longest <= MAX_HOLD:
        msg = (
            f"rule {rule.name!r}: {rule.pattern!r} may match more than {MAX_HOLD} characters; say how many "
            f"it may hold back: longest = 1..{MAX_HOLD}"
        )
        raise ValueError(msg)
    if not 0 < shortest <= longest:
        takes = shortest or f"more than {MAX_HOLD}"
        msg = (
            f"rule {rule.name!r}: its shortest match takes {takes} characters, longest = {longest} would let "
            f"the first of them go"
        )
        raise ValueError(msg)
    return longest
