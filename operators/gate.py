"""Find what rules describe, while it is being said, and tell how far each lane is decided.

Strategy. A rule is a regular expression, compiled once to a deterministic automaton (interegular
does the parsing and the construction) over classes of characters; `kernels.match` walks all rules at
once over the text as it arrives. What a thread still holds undecided is exactly the text that could
become a match: everything before it is vetted, and the watermark says so. The gate decides nothing
else. Whether a match is masked, blocks the stream or only warns is the policy's affair.

The dialect: alternation, groups without capture, classes, counted repeats, ``(?i:...)``; ASCII in the
expression, any character in a negated class or ``.``; no anchors, no look-around (``bounded`` puts a
match between word boundaries; words are ASCII, so that a card number in Chinese text is one), no match
of the empty string. Matches are leftmost, then longest, per rule; rules do not hide each other's
matches. A rule without a finite longest match must say with ``longest`` how much it may hold back: a
longer match is found in pieces.

State: the live threads of each open lane (``state_bytes``). Emits: a FINDING with the delta that
decides it, a VETTED with every text delta and every close. Cost: about 10 ns a character, more where
many threads live. Raises: :class:`ValueError` while it is built, for a rule outside the dialect or
above the budget; nothing on any text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import interegular
import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels import match
from operators.packet import DELTA, FINDING, OPENED, VETTED, Kind, Packet, Reach, column, joined

__all__ = ["MAX_HOLD", "Gate", "Rule"]

MAX_HOLD = 512
"""Characters a rule may hold back at most. An e-mail address takes 254 (RFC 5321, erratum 1690)."""

MAX_STATES = 20_000
_MAX_SETS = 4_000
_TWINS = 4  # threads of one state that may live beside each other because only the later has a match
_ROOM = 1024  # matches taken from the kernel at once, beside those that one delta can bring
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


class _Automaton(NamedTuple):
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


class Gate:
    """The stage. `codes` gives each rule's place in the policy's names; the one after the rules'
    stands for a lane that could not be decided (too many threads), which nobody may release.
    """

    def __init__(self, rules: Sequence[Rule], codes: Sequence[int]) -> None:
        if len(codes) != len(rules) + 1:
            msg = f"gate: {len(rules)} rules need {len(rules) + 1} codes, got {len(codes)}"
            raise ValueError(msg)
        if len(rules) > 64:
            msg = f"gate: {len(rules)} rules, the matcher takes 64"
            raise ValueError(msg)
        self._codes = np.array(codes, np.int32)
        self._automaton = _compile(tuple(rules))
        threads = self._automaton.threads
        self._state = Columns(
            1,
            reads=self._automaton[:10],
            position=(np.int64, ()), previous=(np.uint8, ()), count=(np.int32, ()),
            state=(np.int32, (threads,)), begin=(np.int64, (threads,)), best=(np.int64, (threads,)),
            cut=(np.int64, (max(len(rules), 1),)),
        )  # fmt: skip

    @property
    def hold(self) -> int:
        """The most characters a lane can be held back: what `release` must have room for."""
        return int(self._automaton.longest.max(initial=0)) + 1

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def warm(self) -> None:
        """Compile, on an empty packet."""
        idle = np.zeros(1, DELTA)
        idle["row"] = -1
        self.update(Packet(0, 0, (), idle, b"", opened=np.zeros(0, OPENED)))

    def update(self, packet: Packet) -> Packet:
        """The packet with its matches and watermarks."""
        self._state.open(packet.opened["row"])
        deltas, state, tables = packet.deltas, self._state, self._automaton
        start, end = column(deltas, "start"), column(deltas, "end")
        upto = np.full(len(deltas), -1, np.int64)
        most = int((end - start).max(initial=0)) * (len(self._codes) - 1) + tables.threads
        found = np.empty((most + _ROOM, 6), np.int64)
        findings, first = [packet.findings], 0
        arguments = (
            column(deltas, "row"), column(deltas, "kind"), start, end,
            np.frombuffer(packet.text, np.uint8), int(Kind.TEXT), int(Kind.CLOSE),
            *tables[:10],
            state["position"], state["previous"], state["count"],
            state["state"], state["begin"], state["best"], state["cut"],
            found, upto,
        )  # fmt: skip
        while first < len(deltas):
            matches, first = match.advance(*arguments, first)
            if matches:
                findings.append(self._findings(deltas, found[:matches]))
        self._state.close(packet.closed_rows())
        return packet.having(findings=joined(*findings), vetted=_vetted(deltas, upto))

    def _findings(self, deltas: NDArray[Any], found: NDArray[np.int64]) -> NDArray[Any]:
        table = np.zeros(len(found), FINDING)
        table["delta"] = found[:, 0]
        table["row"] = deltas["row"][found[:, 0]]
        table["kind"] = Reach.RULE
        table["code"] = self._codes[found[:, 1]]
        table["value"] = 1.0
        table["begin"], table["stop"] = found[:, 2], found[:, 3]
        table["decided"], table["upto"] = found[:, 4], found[:, 5]
        return table

    def dump(self) -> bytes:
        """The threads of all open lanes."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave. :raises ValueError: If the rules are not the same size."""
        self._state.load(state)


def _vetted(deltas: NDArray[Any], upto: NDArray[np.int64]) -> NDArray[Any]:
    (which,) = (upto >= 0).nonzero()
    table = np.zeros(len(which), VETTED)
    table["delta"], table["row"], table["upto"] = which, deltas["row"][which], upto[which]
    return table


@cache
def _compile(rules: tuple[Rule, ...]) -> _Automaton:
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
    return _Automaton(
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
