"""One machine of several rules, made by subset construction.

Strategy. The trees of the expressions are numbered by position: each occurrence of a character set, repeats
written out. A state is the set of positions that may come next with the rules that accept, so that states
with one future are one; most come from one position and are found without looking at a set. The ways out
of a state are sets of symbols, integers of bits, never single symbols. States are numbered in the order in
which symbols reach them, whatever the hashes of a process.

Rules that go together add their states; some run along beside all others and multiply them. How many states
each rule alone would have is known while they are made: as many as there are different sets of its own
joints (see :class:`Machine`) in them. A machine with many more is given up early, and says which rules
multiply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, islice
from typing import NamedTuple

from operators import dialect
from operators.dialect import Node
from operators.symbols import Symbols
from operators.tables import DEAD, Ways

__all__ = ["MAX_STATES", "Machine", "Part"]

MAX_STATES = 400_000
"""States of all rules together."""

_RULE_STATES = 20_000  # of one rule alone
_RULE_WORK = 2_000_000  # positions in all the sets of its construction
_MAX_WORK = 40_000_000
_STATES_AT_LEAST, _GROWTH = 1_000, 2  # of rules together: so many, and for each position
_WORK_A_STATE = 100
_FIRST_LOOK, _MULTIPLIED = 500, 1.5  # states, and how many for each that a rule alone would have
_SAMPLE, _SUSPECTS = 1_000, 8  # states and rules looked at to find those that multiply


class Part(NamedTuple):
    """One tree that counts as a rule's match."""

    rule: int
    tree: Node
    begins: bool
    """Only after what is no word character."""


class Machine:
    """The subset construction over some rules.

    Positions below the number of rules stand for "the rule accepts here"; a state's key is the sorted
    tuple of the positions that may come next. What follows a position is a *joint*, shared by all the
    positions that end the same part of a tree.
    """

    def __init__(self, rules: int, symbols: Symbols, parts: Sequence[Part], first: int) -> None:
        self.rule_of = list(range(rules))
        self.keys: list[tuple[int, ...]] = []
        self.ways = Ways([0], [], [])
        self.starts = [DEAD, DEAD]
        self._most = 0
        self._symbols = symbols
        self._parts = parts
        self._first = first
        self._number: dict[tuple[int, ...], int] = {}
        self._masks = [0] * rules
        self._joint_of = [-1] * rules
        self._joints: list[tuple[int, ...]] = []
        self._parents: list[int] = []
        self._keys_of: list[tuple[int, ...]] = []
        self._work = 0
        self._owners: list[int] = []  # the rule of each joint
        self._alone: set[tuple[int, ...]] = set()  # joints of one rule that were reached together
        self._looked = 0  # at so many unions

    def build(self, members: int) -> bool:
        """Make all states; False if they are too many for so many rules, what is made then stands."""
        size = sum(part.tree.size for part in self._parts)
        self._most = min(
            MAX_STATES - self._first, _RULE_STATES if members == 1 else _STATES_AT_LEAST + _GROWTH * size
        )
        work = min(_MAX_WORK, _RULE_WORK if members == 1 else _WORK_A_STATE * self._most)
        inside: list[int] = []
        outside: list[int] = []
        for rule, tree, begins in self._parts:
            firsts = self._place(tree, rule, self._joint([rule], -1))
            self._owners += [rule] * (len(self._joints) - len(self._owners))
            outside += firsts
            inside += self._anywhere(firsts) if begins else firsts
        for positions, parent in zip(self._joints, self._parents, strict=True):
            beyond = self._keys_of[parent] if parent >= 0 else ()
            self._work += len(positions) + len(beyond)
            if self._work > work:
                return False
            self._keys_of.append(tuple(sorted({*positions, *beyond})))
        self._states = [-1] * len(self._joints)
        self._unions: dict[tuple[int, ...], int] = {}
        self.starts = [
            self._state(tuple(sorted(positions))) if positions else DEAD for positions in (inside, outside)
        ]
        look = _FIRST_LOOK
        while len(self.ways.at) <= len(self.keys):
            self._leave(self.keys[len(self.ways.at) - 1])
            if len(self.keys) > self._most or self._work > work:
                return False
            if len(self.keys) > look and members > 1:
                if self._multiplied():
                    return False
                look *= 2
        return True

    def _multiplied(self) -> bool:
        """Whether there are many more states than the rules would have so far, each by itself. Takes 1/20 of
        the construction.
        """
        for joints in islice(self._unions, self._looked, None):
            self._alone.update(tuple(own) for _, own in groupby(joints, self._owners.__getitem__))
        self._looked = len(self._unions)
        return len(self.keys) > _MULTIPLIED * len(self._alone)

    def too_large(self) -> str:
        """Why one rule alone went over its budget."""
        if self._most < _RULE_STATES:
            return f"with it the rules need more than {MAX_STATES} states together"
        return (
            f"more than {self._most} states, or as much work; say less that can be read in several ways: an "
            f"open repeat before a counted one"
        )

    def multiplying(self) -> set[int]:
        """Of the rules whose states were too many, those without which there were fewest, one by one, until
        half of what was made is gone; never all. If nothing was made, the largest.
        """
        sizes = {part.rule: part.tree.size for part in self._parts}
        states = set(self.keys[:_SAMPLE])
        most, multiply = len(states) // 2, set[int]()
        if not states:
            return {max(sizes, key=lambda rule: sizes[rule])}
        while len(states) > most and len(multiply) < len(sizes) - 1:
            shares = Counter(r for key in states for r in {self.rule_of[p] for p in key})
            left = {
                rule: {tuple(p for p in key if self.rule_of[p] != rule) for key in states}
                for rule, _ in shares.most_common(_SUSPECTS)
            }
            rule = min(left, key=lambda rule: (len(left[rule]), rule))
            multiply.add(rule)
            states = left[rule]
        return multiply

    def _joint(self, positions: Sequence[int], parent: int) -> int:
        """These positions and those of an older joint."""
        if not positions and parent >= 0:
            return parent
        self._joints.append(tuple(positions))
        self._parents.append(parent)
        return len(self._joints) - 1

    def _position(self, mask: int, joint: int, rule: int) -> int:
        self._masks.append(mask)
        self._joint_of.append(joint)
        self.rule_of.append(rule)
        return len(self._masks) - 1

    def _anywhere(self, firsts: list[int]) -> list[int]:
        """What a rule that begins where words do may begin with elsewhere: scripts without spaces."""
        loose = [(p, self._masks[p] & self._symbols.unspaced) for p in firsts]
        return [
            p if mask == self._masks[p] else self._position(mask, self._joint_of[p], self.rule_of[p])
            for p, mask in loose
            if mask
        ]

    def _place(self, node: Node, rule: int, ahead: int) -> list[int]:
        """Give positions to a tree that the joint `ahead` follows; the positions it may begin with."""
        if node.kind == dialect.SET:
            return [self._position(self._symbols.mask(node.chars), ahead, rule)]
        if node.kind == dialect.ALT:
            return [p for part in node.parts for p in self._place(part, rule, ahead)]
        if node.kind == dialect.REPEAT:
            return self._repeat(node, rule, ahead)
        own: list[int] = []
        joint = ahead
        for part in reversed(node.parts):
            firsts = self._place(part, rule, joint)
            joint = self._joint(firsts, joint if part.nullable else -1)
            own = [*firsts, *own] if part.nullable else firsts
        return own

    def _repeat(self, node: Node, rule: int, ahead: int) -> list[int]:
        """Copies, the last first. A part that can be empty is taken as one that cannot, any number of
        times from none: that is the same, and the positions ahead stay few.
        """
        (part,) = node.parts
        least = 0 if part.nullable else node.least
        copies = max(least, 1) if node.most < 0 else node.most
        firsts: list[int] = []
        for copy in range(copies, 0, -1):
            if copy == copies and node.most < 0:
                joint = self._joint([-1], ahead)  # its positions are those that it begins with
                firsts = self._place(part, rule, joint)
                self._joints[joint] = tuple(firsts)
            else:
                joint = ahead if copy == copies else self._joint(firsts, ahead if copy >= least else -1)
                firsts = self._place(part, rule, joint)
        return firsts

    def _state(self, key: tuple[int, ...]) -> int:
        found = self._number.get(key)
        if found is None:
            found = self._number[key] = self._first + len(self.keys)
            self.keys.append(key)
        return found

    def _reached(self, joints: list[int]) -> int:
        """The state after positions that these joints follow."""
        if len(joints) == 1:
            (joint,) = joints
            if self._states[joint] < 0:
                self._states[joint] = self._state(self._keys_of[joint])
                self._alone.add((joint,))
            return self._states[joint]
        several = tuple(sorted(set(joints)))
        found = self._unions.get(several)
        if found is None:
            following = [self._keys_of[joint] for joint in several]
            self._work += sum(map(len, following))
            union = set().union(*following)
            found = self._unions[several] = self._state(tuple(sorted(union)))
        return found

    def _leave(self, key: tuple[int, ...]) -> None:
        """Add the ways out of a state."""
        self._work += len(key)
        joints: dict[int, list[int]] = {}
        for p in key:
            joint = self._joint_of[p]
            if joint >= 0:
                joints.setdefault(self._masks[p], []).append(joint)
        pieces: list[tuple[int, list[int]]] = []
        covered = 0
        for mask, following in joints.items():
            rest = mask
            if mask & covered:
                split = []
                for symbols, others in pieces:
                    common = symbols & rest
                    if not common:
                        split.append((symbols, others))
                        continue
                    split.append((common, others + following))
                    if common != symbols:
                        split.append((symbols & ~common, others))
                    rest &= ~common
                pieces = split
            if rest:
                pieces.append((rest, following))
            covered |= mask
        if len(pieces) > 1:
            pieces.sort(key=_lowest)
        for symbols, following in pieces:
            self.ways.sets.append(symbols)
            self.ways.targets.append(self._reached(following))
        self.ways.at.append(len(self.ways.sets))


def _lowest(piece: tuple[int, list[int]]) -> int:
    return piece[0] & -piece[0]
