"""What a rule wants besides its expression: a checksum, words that stand before, a part that alone is meant.

Strategy. An automaton knows shapes. What else makes a match is asked in Python, of short stretches and only
where a shape was found: first the words ``near`` it, which are asked for once for all the ends that a match
may have, then the ``check``. Of a decoded layer the stretch of the original is decoded once more.

An answer that cannot be had is yes: a match that cannot be checked is taken for what it seems.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from operators import alphabet, checks, reading
from operators.automaton import Rule
from operators.needles import needles
from operators.recent import Recent

__all__ = ["Evidence"]

_NEVER = 2
_NEAR = 80
"""Characters before a match in which `near` is looked for, as they are read."""
_CONTROLS = dict.fromkeys(code for code in range(128) if not alphabet.normal(chr(code)))
_STRETCH = 6  # characters of the text that may stand for one


class Evidence:
    """All rules' further wants.

    :raises ValueError: For a check that is not there, or a `near` that is no expression.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._wants = [_Wants(rule) for rule in rules]
        self._near: dict[tuple[int, int, int], bool] = {}
        self._said: dict[tuple[int, int, int, int], str] = {}

    def forget(self) -> None:
        """A new packet: the rows may be others."""
        self._near.clear()
        self._said.clear()

    def holds(self, past: Recent, delta: int, layer: int, rule: int, begin: int, stop: int) -> int:
        """Whether characters ``begin:stop`` of a lane are what the rule says, beyond their shape: 0 no, 1
        yes, 2 no, and at no other stop either.
        """
        wants = self._wants[rule]
        if not past.knows(delta, begin):
            return True
        if layer:
            return self._hidden(past, delta, layer, wants, begin, stop)
        key = rule, past.row(delta), begin
        near = self._near.get(key)
        if near is None:
            near = self._near[key] = not wants.near or wants.is_near(self._before(past, delta, begin))
        if not near:
            return _NEVER
        return wants.check is None or wants.check(self._read(past, delta, 0, begin, stop))

    def part(self, past: Recent, delta: int, rule: int, begin: int, stop: int) -> tuple[int, int]:
        """Which part of a match is meant: the group of the expression, all of it where there is none, or
        where the match is itself a part of one.
        """
        wants = self._wants[rule]
        if not wants.grouped:
            return begin, stop
        said, places = alphabet.text(past.text(delta, begin, stop))
        whole = wants.expression.fullmatch(said)
        if whole is None or whole.start(1) == whole.end(1):
            return begin, stop
        return begin + places[whole.start(1)], begin + places[whole.end(1) - 1] + 1

    def _hidden(self, past: Recent, delta: int, layer: int, wants: _Wants, begin: int, stop: int) -> bool:
        """The same of a match in a decoded layer. What is near it may be hidden as well, or stand before."""
        before = self._before(past, delta, begin) if wants.near else ""
        said = self._read(past, delta, layer, begin, stop)
        inside = wants.expression.search(said)
        if inside is None:
            return wants.is_near(before)
        if wants.near and not wants.is_near(before + said[: inside.start()]):
            stretch = past.text(delta, max(begin - _STRETCH * _NEAR, 0), stop)
            if not any(
                wants.is_before(_seen(each), inside.group()) for each in reading.readings(layer, stretch)
            ):
                return False
        return wants.check is None or wants.check(inside.group())

    def _before(self, past: Recent, delta: int, begin: int) -> str:
        before = self._read(past, delta, 0, max(begin - _NEAR, 0), begin)
        if len(before) < min(_NEAR, begin):  # some of it is not seen
            before = self._read(past, delta, 0, max(begin - _STRETCH * _NEAR, 0), begin)
        return before[-_NEAR:]

    def _read(self, past: Recent, delta: int, layer: int, begin: int, stop: int) -> str:
        """What a stretch of a lane says in a layer, as it is read; many rules ask for the same."""
        key = past.row(delta), layer, begin, stop
        said = self._said.get(key)
        if said is None:
            text = past.text(delta, begin, stop)
            said = self._said[key] = _seen(reading.unveiled(layer, text) if layer else text)
        return said


class _Wants:
    def __init__(self, rule: Rule) -> None:
        if rule.check and rule.check not in checks.CHECKS:
            msg = f"rule {rule.name!r}: no check {rule.check!r}; there are {', '.join(sorted(checks.CHECKS))}"
            raise ValueError(msg)
        self._rule = rule
        self.check = checks.CHECKS[rule.check] if rule.check else None
        try:
            self.near = re.compile(rule.near, re.IGNORECASE) if rule.near else None
            self._needles = needles(rule.near)
        except re.error as error:
            msg = f"rule {rule.name!r}: near: {rule.near!r} is no expression: {error}"
            raise ValueError(msg) from error

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """As Python reads it."""
        return re.compile(self._rule.pattern, re.ASCII)

    @cached_property
    def grouped(self) -> bool:
        return "(" in self._rule.pattern and self.expression.groups > 0

    def is_before(self, text: str, match: str) -> bool:
        """Whether what is near stands in `text` before the last `match`."""
        place = text.rfind(match)
        return place >= 0 and self.is_near(text[max(place - _NEAR, 0) : place])

    def is_near(self, before: str) -> bool:
        if self.near is None:
            return True
        if before.isascii() and self._needles:
            small = before.lower()
            if not any(needle in small for needle in self._needles):
                return False
        return self.near.search(before) is not None


def _seen(text: str) -> str:
    """The text as it is read; of ASCII only control characters are not."""
    return text.translate(_CONTROLS) if text.isascii() else alphabet.text(text)[0]
