"""Phrases that a lane says with a few letters wrong, left out or put in: found as the text arrives.

Strategy. All phrases are looked for in one pass (``operators.kernels.phrases``), whose cost per character is
the same for any text. Phrases of as many errors and about one length share a *group*: a group has as many
rows as its longest phrase has characters, so lengths that lie too far apart would waste room, and one that is
too large would leave the processor's nearest cache. What a character is read as is decided here: letter case
does not count, as far as one character becomes one (``ß`` stays what it is), white space of any kind is a
space and a run of it is one, and nothing else is undone. Characters that no phrase has are all alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.phrases import BLANK, CHUNK, search
from operators.packet import DELTA, FINDING, OPENED, Kind, Packet, Reach, Table, frozen, joined
from operators.spelling import uncased

__all__ = ["Edit", "Phrase"]

_VERSION = 1
_MOST_ERRORS = 8
_LONGEST = 1024
_MOST_PHRASES = 1 << 16
_MOST_CHARACTERS = 1 << 20
_MOST_CLASSES = 1 << 16
_MOST_BYTES = 1 << 27  # of the bits of all characters
_PLANES = 0x20000  # letter case and white space exist before it
_BITS = 64  # of a word
_ALIKE = 0.75  # of a group's longest phrase: with shorter ones there is only filled up what is begun
_LARGEST = 1 << 15  # bytes that a group, a copy of it and the bits of a character have together
_EVEN = 4  # words of a row: then all rows begin at addresses as even, and a step takes a quarter less time
_QUICK = 5  # words of a row that are not worth that
_ROOM = 4096  # matches taken from the kernel at once, beside those that a chunk can bring

_LANE = ("cells", "opened", "due", "stops", "past", "spots", "read")
"""Columns in the order of the kernel's arguments."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text to look for in what is said."""

    name: str
    text: str
    errors: int
    """Found with up to so many characters put in, left out or replaced by another."""
    code: int
    """Place of `name` in the policy's names: the ``code`` of its findings."""


class Edit:
    """A stage: packets of text in, the same packets with findings of kind ``edit`` out.

    At each character of a lane a phrase has the fewest errors (Levenshtein distance) of all stretches that
    end there; a match is one with at most :attr:`Phrase.errors`. It is reported when it has no errors, when
    the next character has more than are allowed, when no stretch that overlaps it could have fewer, or when
    the lane closes: of the ends until then the one with the fewest errors, the first of equals. The next
    match of that phrase begins at or behind its end. That is a matter of the text alone: no cutting into
    deltas or packets changes it.

    State: 12 KiB a lane for 1,000 phrases of 20 characters with 2 errors; a bit for each character of a
    phrase and level (errors + 1), 5 bytes a phrase, and 12 bytes for each character of the longest. Emits:
    with the delta that decides it, or with the lane's CLOSE. ``value`` is the errors; ``begin`` and ``stop``
    are those of the shortest stretch that ends there and has no more. Cost: a character costs what the bits
    do, 0.2 us for 1,000 phrases of 20 characters with 2 errors, whatever it is; a match of such a phrase
    costs up to 1.5 us more, and those of a phrase do not overlap. So a text can make a policy slow whose
    phrases are nearly the same, by saying them all at once, and no other (``benches.bench_phrases``).

    :param phrases: What to look for, fixed for the life of the stage.
    :raises ValueError: If there are more than 65,536 phrases or 1,048,576 characters in them, or too many
        different ones (128 MiB of bits, an eighth of a byte for each and each character of a phrase); or if
        a phrase allows less than 0 or more than 8 errors, is longer than 1024 characters, has no more of them
        than errors, or a lone surrogate.
    """

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        made = _made(tuple(phrases))
        self._tables, self._codes, self._most = made.tables, made.codes, made.most
        _, groups, _, self._fresh, _, _ = made.tables
        levels, rows, words = groups.T[:3]
        largest = int((levels * (rows + 1) * words).max(initial=0))
        keep = 2 * made.longest + 1
        self._work: tuple[NDArray[Any], ...] = (
            _aligned(largest),
            _aligned(largest),
            np.empty(keep + CHUNK, np.uint16),
            np.empty(keep + CHUNK, np.int32),
            np.empty(made.longest + 1, np.int64),
        )
        self._found = np.empty((made.most + _ROOM, 6), np.int64)
        self._state = Columns(
            _VERSION,
            reads=made.reads,
            cells=(np.uint64, (len(self._fresh),)),
            opened=(np.uint64, (int((levels * words).sum()),)),
            due=(np.int32, (int(words.sum()),)),
            stops=(np.int32, (len(made.codes),)),
            past=(np.uint16, (keep,)),
            spots=(np.int32, (keep,)),
            read=(np.int32, ()),
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the findings that its text and its closing lanes decide."""
        opened = packet.opened["row"]
        self._state.open(opened)
        self._state["cells"][opened] = self._fresh
        found = self._search(packet) if len(self._codes) and len(packet.deltas) else packet.findings[:0]
        self._state.close(packet.closed_rows())
        if not len(found):
            return packet
        findings = joined(packet.findings, found)
        return packet.having(findings=findings[np.lexsort((findings["decided"], findings["delta"]))])

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load` of a stage with the same phrases."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` was made with other phrases.
        """
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernel, so that no delta pays for it. Changes no state."""
        deltas = np.zeros(1, DELTA)
        deltas["kind"], deltas["chars"], deltas["end"] = Kind.TEXT, 1, 1
        packet = Packet(0, 0, (), deltas, b"a", opened=np.zeros(1, OPENED))
        Edit([Phrase("", "a", 0, 0)]).update(packet)

    def _search(self, packet: Packet) -> Table:
        deltas = frozen(packet.deltas)
        text = np.frombuffer(packet.text, np.uint8)
        lanes = tuple(self._state[name] for name in _LANE)
        progress = np.zeros(3, np.int64)
        matches = []
        while progress[0] < len(deltas):
            count = search(deltas, text, self._tables, lanes, self._work, self._most, self._found, progress)
            matches.append(self._found[:count].copy())
        table = np.concatenate(matches)
        order = np.argsort(table[:, 0] << 32 | table[:, 5], kind="stable")
        places, phrases, errors, begins, stops, decided = table[order].T
        found = np.zeros(len(places), FINDING)
        found["kind"] = Reach.EDIT
        found["delta"], found["row"] = places, deltas["row"][places]
        found["code"], found["value"] = self._codes[phrases], errors
        found["begin"], found["stop"], found["decided"] = begins, stops, decided
        return found


class _Made(NamedTuple):
    """What phrases are made into, once for all slots."""

    tables: tuple[NDArray[Any], ...]
    """As the kernel takes them: classes, groups, bits, the cells of a new lane, letters, bounds."""
    codes: NDArray[np.int32]
    longest: int
    """Characters of the longest phrase, with its errors."""
    most: int
    """Matches that a chunk can bring: those of a phrase do not overlap, and the first was open before."""

    @property
    def reads(self) -> list[NDArray[Any]]:
        """All that the other tables follow from."""
        classes, groups, _, _, letters, bounds = self.tables
        return [classes, groups, letters, bounds]


@lru_cache(maxsize=4)
def _made(phrases: tuple[Phrase, ...]) -> _Made:
    if len(phrases) > _MOST_PHRASES or sum(len(phrase.text) for phrase in phrases) > _MOST_CHARACTERS:
        limits = f"{_MOST_PHRASES} phrases, of {_MOST_CHARACTERS} characters together"
        msg = f"edit: there must be at most {limits}"
        raise ValueError(msg)
    known = sorted(
        ((phrase.errors, _read(phrase), phrase.code) for phrase in phrases),
        key=lambda one: (one[0], len(one[1])),
    )
    errors = np.array([each for each, _, _ in known], np.int64)
    lengths = np.array([len(text) for _, text, _ in known], np.int64)
    kinds = {" ": BLANK}
    for character in chain.from_iterable(text for _, text, _ in known):
        kinds.setdefault(character, len(kinds) + 1)
    groups, count = _groups(lengths, errors), len(kinds) + 1
    if count > _MOST_CLASSES or 8 * count * sum(group.size for group in groups) > _MOST_BYTES:
        msg = f"edit: phrases of {len(kinds)} different characters must have less text together"
        raise ValueError(msg)
    letters = [np.array([kinds[character] for character in text], np.uint16) for _, text, _ in known]
    words = np.zeros(0, np.uint64)  # for want of groups
    tables = (
        _classes(kinds),
        _places(groups, count),
        np.concatenate([words, *(group.bits(letters, count) for group in groups)]),
        np.concatenate([words, *(group.fresh() for group in groups)]),
        np.concatenate([np.zeros(0, np.uint16), *letters]),
        np.cumsum([0, *lengths]),
    )
    most = int(np.sum((CHUNK + lengths + errors) // (lengths - errors) + 1))
    longest = int((lengths + errors).max(initial=0))
    return _Made(tables, np.array([code for _, _, code in known], np.int32), longest, most)


class _Group:
    """Phrases `run` of those in order, with so many `errors` and such `lengths`, side by side in the bits of
    words: the first characters in the upper rows, the last ones all in the lowest.
    """

    def __init__(self, run: range, errors: int, lengths: NDArray[np.int64]) -> None:
        self.run, self.levels, self.rows = run, errors + 1, int(lengths.max())
        self.words = -(-len(run) // _BITS)
        if self.words > _QUICK:
            self.words += -self.words % _EVEN
        self.size = self.rows * self.words
        self._above = self.rows - lengths

    def fresh(self) -> NDArray[np.uint64]:
        """The cells of a lane that has said nothing: at each level so many characters may be missing."""
        above = np.zeros(self.words * _BITS, np.int64)
        above[: len(self.run)] = self._above
        row, missing = np.arange(self.rows)[:, None], np.arange(self.levels)[:, None, None]
        return np.packbits(row < above + missing, axis=-1, bitorder="little").view("<u8").reshape(-1)

    def bits(self, letters: Sequence[NDArray[np.uint16]], kinds: int) -> NDArray[np.uint64]:
        """Where each class of characters stands in the phrases, and any of them above their first row."""
        bits = np.empty((kinds, self.rows, self.words), np.uint64)
        bits[:] = self.fresh()[: self.size].reshape(self.rows, self.words)
        for place, p in enumerate(self.run):
            rows = np.arange(self._above[place], self.rows)
            bits[letters[p], rows, place // _BITS] |= np.uint64(1) << np.uint64(place % _BITS)
        return bits.reshape(-1)


def _read(phrase: Phrase) -> str:
    """The characters of a phrase as they are compared."""
    where = f"edit: phrase {phrase.name!r} ({phrase.text[:40]!r})"
    if any("\ud800" <= character <= "\udfff" for character in phrase.text):
        msg = f"{where} must be text without lone surrogates"
        raise ValueError(msg)
    if not 0 <= phrase.errors <= _MOST_ERRORS:
        msg = f"{where} must allow 0 to {_MOST_ERRORS} errors, not {phrase.errors}"
        raise ValueError(msg)
    text = re.sub(" +", " ", phrase.text.translate({ord(c): _folded(c) for c in set(phrase.text)}))
    if not phrase.errors < len(text) <= _LONGEST:
        msg = (
            f"{where} must have more characters than its {phrase.errors} errors, and at most {_LONGEST}, "
            f"not {len(text)}"
        )
        raise ValueError(msg)
    return text


def _folded(character: str) -> str:
    """A character without its letter case; white space of any kind is a space."""
    return " " if character.isspace() else uncased(character)


@cache
def _folds() -> dict[int, str]:
    """Code points that are read as another character, and which."""
    folds = {code: _folded(chr(code)) for code in range(_PLANES)}
    return {code: folded for code, folded in folds.items() if ord(folded) != code}


def _classes(letters: dict[str, int]) -> NDArray[np.uint16]:
    """The class of each code point, as far as the last that has one."""
    known = {ord(letter): kind for letter, kind in letters.items()}
    known |= {code: letters[letter] for code, letter in _folds().items() if letter in letters}
    classes = np.zeros(max(known) + 1, np.uint16)
    classes[list(known)] = list(known.values())
    return classes


def _groups(lengths: NDArray[np.int64], errors: NDArray[np.int64]) -> list[_Group]:
    """Phrases in order of errors and length, in groups; the longest decide how many are in one."""
    groups: list[_Group] = []
    stop = len(lengths)
    while stop:
        rows, allowed = int(lengths[stop - 1]), int(errors[stop - 1])
        most = _LARGEST // (8 * rows * (2 * allowed + 3))
        most = _BITS * max(most - most % _EVEN, 1)
        begin = stop - 1
        while (
            begin
            and errors[begin - 1] == allowed
            and stop - begin < most
            and (lengths[begin - 1] >= _ALIKE * rows or (stop - begin) % _BITS)
        ):
            begin -= 1
        groups.append(_Group(range(begin, stop), allowed, lengths[begin:stop]))
        stop = begin
    return groups


def _places(groups: Sequence[_Group], kinds: int) -> NDArray[np.int64]:
    """The table of groups, as the kernel takes it."""
    places = np.zeros((len(groups), 8), np.int64)
    cells = bits = opened = due = 0
    for place, group in zip(places, groups, strict=True):
        place[:] = group.levels, group.rows, group.words, cells, bits, group.run.start, opened, due
        cells += group.levels * group.size
        bits += kinds * group.size
        opened += group.levels * group.words
        due += group.words
    return places


def _aligned(size: int) -> NDArray[np.uint64]:
    """An array that begins where a line of the processor's cache does."""
    array = np.zeros(size + 8, np.uint64)
    first = -(array.ctypes.data // 8) % 8
    return array[first : first + size]
