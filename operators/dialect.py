"""A rule's expression becomes a tree of character sets: what may be written, and what it means.

Strategy. The syntax is the one that people who write expressions know, read by Python's own parser
(``re._parser``: private, but the only one that agrees with ``re`` in every corner; the tests hold its
shapes). What an automaton over normalised text cannot mean is refused, with the reason. Words, digits and
spaces are ASCII, and case is folded only where ``(?i)`` says so. In a phrase (a folded rule) a letter is
all its disguises, and spaces mean nothing.

A tree knows how many positions it takes and how long its matches are before anything of it is built, so
that ``(x{1,500}){1,500}`` costs nothing but its refusal.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import chain
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from operators import alphabet
from operators.alphabet import Chars

__all__ = [
    "ALT",
    "CAT",
    "ENDLESS",
    "REPEAT",
    "SET",
    "WORD",
    "Expression",
    "Node",
    "mirrored",
    "parse",
    "rot13",
]

ENDLESS = 1 << 60
"""A length that is not bounded; the shortest match of what matches nothing."""

SET, CAT, ALT, REPEAT = range(4)

WORD: Chars = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_DIGIT: Chars = ((0x30, 0x39),)
_SPACE: Chars = ((0x09, 0x0D), (0x20, 0x20))
_LINE: Chars = ((0x0A, 0x0A),)
_CATEGORIES = {
    sre.CATEGORY_DIGIT: _DIGIT, sre.CATEGORY_NOT_DIGIT: alphabet.inverted(_DIGIT),
    sre.CATEGORY_SPACE: _SPACE, sre.CATEGORY_NOT_SPACE: alphabet.inverted(_SPACE),
    sre.CATEGORY_WORD: WORD, sre.CATEGORY_NOT_WORD: alphabet.inverted(WORD),
}  # fmt: skip
_REFUSED = {
    sre.MIN_REPEAT: "a lazy repeat (matches are always the longest)",
    sre.POSSESSIVE_REPEAT: "a possessive repeat",
    sre.ATOMIC_GROUP: "an atomic group",
    sre.ASSERT: "look-around",
    sre.ASSERT_NOT: "look-around",
    sre.GROUPREF: "a back-reference",
    sre.GROUPREF_EXISTS: "a conditional group",
}
_CASED_ONE_BY_ONE = 4096  # characters of a range under (?i); larger ones hold both cases already


@dataclass(frozen=True, slots=True)
class Node:
    """A tree of an expression: a set of characters, or parts one after the other, one of them, or the one
    part `least` to `most` times (-1: any number).
    """

    kind: int
    size: int
    """Positions: character sets, repeats written out."""
    shortest: int
    longest: int
    chars: Chars = ()
    parts: tuple[Node, ...] = ()
    least: int = 1
    most: int = 1

    @property
    def nullable(self) -> bool:
        """Whether it matches the empty string."""
        return self.shortest == 0


class Expression(NamedTuple):
    """What an expression says."""

    tree: Node
    begins: bool
    """It began with ``\\b``."""
    ends: bool
    """It ended with ``\\b``."""
    ascii: bool
    """All its letters are ASCII."""


def parse(pattern: str, *, folded: bool, spelling: Callable[[str], str] = str) -> Expression:
    """The tree of `pattern`.

    :param spelling: Given each letter of a folded pattern; what it gives is put in its place.
    :raises ValueError: If it is no expression or outside the dialect; the message says why, and where
        that is known.
    """
    if folded:
        pattern = unicodedata.normalize("NFC", pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            parsed = _parser.parse(pattern)
        return _Reader(parsed, folded, spelling).expression()
    except (re.error, FutureWarning, OverflowError) as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None


def rot13(letter: str) -> str:
    """An ASCII letter thirteen places on; anything else as it is."""
    if letter.isascii() and letter.isalpha():
        first = ord("a") if letter.islower() else ord("A")
        return chr(first + (ord(letter) - first + 13) % 26)
    return letter


def mirrored(node: Node) -> Node:
    """The tree of the same strings, read from their ends."""
    if node.kind == SET:
        return node
    parts = tuple(map(mirrored, node.parts))
    if node.kind == CAT:
        parts = parts[::-1]
    return Node(node.kind, node.size, node.shortest, node.longest, (), parts, node.least, node.most)


class _Reader:
    """One walk over what the parser gave."""

    def __init__(self, parsed: Any, folded: bool, spelling: Callable[[str], str]) -> None:
        self._items = list(parsed)
        self._flags = parsed.state.flags
        self._folded = folded
        self._spelling = spelling
        self._ascii = True
        if not folded and parsed.state.groups > 2:
            msg = f"it has {parsed.state.groups - 1} capture groups, at most one may be: write (?:...)"
            raise ValueError(msg)

    def expression(self) -> Expression:
        """The whole."""
        items = self._items
        boundary = (sre.AT, sre.AT_BOUNDARY)
        begins = not self._folded and bool(items) and items[0] == boundary
        items = items[begins:]
        ends = not self._folded and bool(items) and items[-1] == boundary
        items = items[: len(items) - ends]
        tree = self._sequence(items, self._flags)
        for asked, node, side in ((begins, tree, "begins"), (ends, mirrored(tree), "ends")):
            if asked and not all(_is_part(chars, WORD) for chars in _leading(node)):
                msg = rf"\b stands where a match {side} with what may be no word character"
                raise ValueError(msg)
        return Expression(tree, begins, ends, self._ascii)

    def _sequence(self, items: Iterable[Any], flags: int) -> Node:
        return _joined([self._item(op, value, flags) for op, value in items])

    def _item(self, op: Any, value: Any, flags: int) -> Node:
        if op is sre.LITERAL:
            return self._phrase_literal(value) if self._folded else _literal(value, flags)
        if op is sre.ANY:
            if self._folded:
                return _one(alphabet.letters())
            return _one(alphabet.inverted(()) if flags & sre.SRE_FLAG_DOTALL else alphabet.inverted(_LINE))
        if op is sre.IN:
            return self._phrase_class(value) if self._folded else _one(_class(value, flags))
        if op is sre.NOT_LITERAL and not self._folded:
            return _one(_class([(sre.NEGATE, None), (sre.LITERAL, value)], flags))
        if op is sre.BRANCH:
            return _either([self._sequence(items, flags) for items in value[1]])
        if op is sre.SUBPATTERN:
            _, added, removed, items = value
            if added & (sre.SRE_FLAG_UNICODE | sre.SRE_FLAG_LOCALE):
                msg = r"it changes what \w, \d and \s mean: they are ASCII"
                raise ValueError(msg)
            return self._sequence(items, (flags | added) & ~removed)
        if op is sre.MAX_REPEAT:
            least, most, items = value
            if most is sre.MAXREPEAT and self._folded:
                msg = "an open repeat in a folded rule: say {n,m}"
                raise ValueError(msg)
            part = self._sequence(items, flags)
            return _repeated(part, int(least), -1 if most is sre.MAXREPEAT else int(most))
        if op is sre.AT:
            msg = rf"{_anchor(value)} stands where none may: only \b does, first or last, in plain rules"
        elif op is sre.NOT_LITERAL:
            msg = "a negated class in a folded rule: only letters, digits and . stand for text"
        else:
            msg = f"it uses {_REFUSED.get(op, str(op).lower())}"
        raise ValueError(msg)

    def _phrase_literal(self, code: int) -> Node:
        return _joined([self._letter(part) for part in alphabet.normal(chr(code)) if not part.isspace()])

    def _phrase_class(self, items: list[Any]) -> Node:
        if any(op is not sre.LITERAL for op, _ in items):
            msg = "a class in a folded rule holds more than letters: write (a|b|c)"
            raise ValueError(msg)
        return _either([self._phrase_literal(code) for _, code in items])

    def _letter(self, letter: str) -> Node:
        if not alphabet.is_letter(letter) or letter in "@$":
            msg = f"{letter!r} in a folded rule: only letters, digits, groups, |, ?, {{n,m}}, . and spaces"
            raise ValueError(msg)
        self._ascii = self._ascii and letter.isascii()
        return _disguised(self._spelling(letter))


@cache
def _disguised(letter: str) -> Node:
    forms = [_one(_chars(alphabet.disguises(letter)))]
    longer = alphabet.spelt_out(letter)
    if longer:
        forms.append(_joined([_one(_chars(alphabet.disguises(part))) for part in longer]))
    return _either(forms)


def _literal(code: int, flags: int) -> Node:
    seen = alphabet.normal(chr(code))
    if not seen:
        msg = f"U+{code:04X} is never seen in normalised text: leave it out"
        raise ValueError(msg)
    return _joined([_one(_cased(((ord(part), ord(part)),), flags)) for part in seen])


def _class(items: list[Any], flags: int) -> Chars:
    negated = items[0][0] is sre.NEGATE
    ranges: list[tuple[int, int]] = []
    for op, value in items[negated:]:
        if op is sre.LITERAL:
            seen = alphabet.normal(chr(value))
            if len(seen) > 1:
                msg = (
                    f"U+{value:04X} is read as {seen!r}, which no class can hold: write it as an alternative"
                )
                raise ValueError(msg)
            code = ord(seen) if seen else value
            ranges.append((code, code))
        elif op is sre.RANGE:
            ranges.append(value)
        else:
            ranges.extend(_CATEGORIES[value])
    chars = _cased(alphabet.merged(ranges), flags)
    return alphabet.inverted(chars) if negated else chars


def _cased(chars: Chars, flags: int) -> Chars:
    if not flags & sre.SRE_FLAG_IGNORECASE:
        return chars
    short = [(low, high) for low, high in chars if high - low < _CASED_ONE_BY_ONE]
    both = {ord(form) for low, high in short for c in range(low, high + 1) for form in alphabet.cases(chr(c))}
    return alphabet.merged([*chars, *((code, code) for code in both)])


def _chars(members: Iterable[str]) -> Chars:
    return alphabet.merged([(ord(char), ord(char)) for char in members])


def _anchor(value: Any) -> str:
    names = {sre.AT_BOUNDARY: r"\b", sre.AT_NON_BOUNDARY: r"\B", sre.AT_BEGINNING: "^", sre.AT_END: "$"}
    return names.get(value, r"\A or \Z")


def _is_part(chars: Chars, whole: Chars) -> bool:
    return all(any(low <= a and b <= high for low, high in whole) for a, b in chars)


def _leading(node: Node) -> list[Chars]:
    """The sets of characters that a match may begin with."""
    if node.kind == SET:
        return [node.chars]
    found: list[Chars] = []
    for part in node.parts:
        found += _leading(part)
        if node.kind == CAT and not part.nullable:
            break
    return found


def _one(chars: Chars) -> Node:
    return Node(SET, 1, 1, 1, chars) if chars else _either([])


def _joined(parts: list[Node]) -> Node:
    flat = tuple(chain.from_iterable(part.parts if part.kind == CAT else (part,) for part in parts))
    if any(part.shortest >= ENDLESS for part in flat):
        return _either([])
    if len(flat) == 1:
        return flat[0]
    longest = min(sum(part.longest for part in flat), ENDLESS)
    return Node(CAT, sum(p.size for p in flat), sum(p.shortest for p in flat), longest, (), flat)


def _either(parts: list[Node]) -> Node:
    kept = tuple(part for part in parts if part.shortest < ENDLESS)
    if len(kept) == 1:
        return kept[0]
    shortest = min((part.shortest for part in kept), default=ENDLESS)
    return Node(ALT, sum(p.size for p in kept), shortest, max((p.longest for p in kept), default=0), (), kept)


def _repeated(part: Node, least: int, most: int) -> Node:
    if most == 0 or part.longest == 0:
        nothing = part.shortest >= ENDLESS and least > 0
        return _either([]) if nothing else _joined([])
    copies = max(least, 1) if most < 0 else most
    shortest = min(part.shortest * least, ENDLESS)
    longest = ENDLESS if most < 0 else min(part.longest * most, ENDLESS)
    return Node(REPEAT, part.size * copies, shortest, longest, (), (part,), least, most)
