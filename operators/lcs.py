"""Reference texts that a lane repeats: a system prompt that must not be told, a text under licence.

Strategy. After each word the last ones, a *window*, are compared with each reference by their longest common
subsequence, in words: what is left out or put in between lowers the likeness and hides nothing, letter case,
punctuation and line breaks do not count. Windows and pieces of a reference are short
(``operators.kernels.passages``), so that likeness means the same in a long reference as in a short one: in
4096 words of English, in order but with any gaps, stands nearly half of any sentence. A finding is decided
with the word that makes it; what a lane goes on to repeat is found again window by window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.passages import LANE, LONGEST, REFERENCE, find_passages
from operators.packet import DELTA, FINDING, OPENED, WORD, Packet, Table, frozen, joined
from operators.spelling import words_of

__all__ = ["Lcs", "Reference"]

_VERSION = 1
_SHORTEST = 4
"""Words of a reference and of a window: with fewer every second sentence repeats one."""
_MOST_WORDS = 4096
_MOST = 256
_ROOM = 16384
"""Findings that there is room for in one call of the kernel."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A text to look for in what is said."""

    name: str
    text: str
    similarity: float
    """Found from this share of a window on, above 0 up to 1."""
    code: int
    """Place of `name` in the policy's names: the ``code`` of its findings."""
    window: int = 0
    """Words that are compared, 4 to 63 and no more than `text` has. 0: as many as it has, at most 63."""


class Lcs:
    """A stage: packets with words in, the same packets with findings of kind ``lcs`` out.

    The similarity of a lane and a reference is the longest common subsequence of the lane's last ``window``
    words and a *piece* of the reference, divided by ``window``; the best piece counts. Pieces are two windows
    long and begin at every multiple of the window that has more than a window of words behind it, and at the
    first word. A finding is the word with which the similarity reaches :attr:`Reference.similarity`; there is
    no other of that reference before the lane has said ``window`` more of the words that occur in it.

    ``value`` is the similarity; ``begin`` and ``stop`` are those of the stretch of the window that has this
    similarity to its piece: of all such the one that ends first, and of those the shortest.

    State: 776 bytes per lane and one per reference. Emits: with the word that decides it, the last one of a
    lane with its CLOSE. Cost: 8 us a packet with words; beyond that a word of other English text takes 10 ns
    with one reference of 256 words, 50 ns with 16, 0.6 us with 256, and none more than 0.5 us and 1.7 ns for
    each word of a reference, which it can be made to by a text just below the similarity. What
    references are made into is shared by all stages that look for the same ones: of as many and as long as
    there may be it takes 110 MB and the first stage two seconds, each other 9 MB and 20 ms.

    :param references: What to look for, fixed for the life of the stage.
    :raises ValueError: If there are more than 256 references, or one has fewer than 4 words or more than
        4096, a lone surrogate, or a similarity or window that is none.
    """

    def __init__(self, references: Sequence[Reference]) -> None:
        made = _made(tuple(references))
        self._tables, self._count = made.tables, len(references)
        self._masks = np.zeros(made.vocabulary + 1, np.uint64)
        self._findings = np.zeros(_ROOM, FINDING)
        self._state = Columns(_VERSION, reads=made.reads, lane=(LANE, ()), counts=(np.int8, (self._count,)))

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the findings that its words decide."""
        self._state.open(packet.opened["row"])
        found = [packet.findings]
        if self._count:
            # As many words at a time as there is room for, should each be a finding of each reference.
            step = _ROOM // self._count
            found += [self._find(packet.words[k : k + step]) for k in range(0, len(packet.words), step)]
        self._state.close(packet.closed_rows())
        if sum(map(len, found)) == len(packet.findings):
            return packet
        findings = joined(*found)
        return packet.having(findings=findings[np.lexsort((findings["decided"], findings["delta"]))])

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load` of a stage with the same references."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` does not fit the references.
        """
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernels, so that no word pays for it. Changes no state."""
        words = np.zeros(1, WORD)
        packet = Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=np.zeros(1, OPENED), words=words)
        Lcs([Reference("", "a b c d", 1.0, 0)]).update(packet)

    def _find(self, words: Table) -> Table:
        room = [self._masks, self._state["lane"], self._state["counts"], self._findings]
        count = find_passages(frozen(words), *self._tables, *room)
        return self._findings[:count].copy()


class _Made(NamedTuple):
    """What references are made into, once for all slots."""

    tables: tuple[NDArray[Any], ...]
    """As the kernel takes them: keys, numbers, bounds, holders, members, texts, references, codes."""
    vocabulary: int
    """Different words of all references."""

    @property
    def reads(self) -> list[NDArray[Any]]:
        """All that the other tables follow from, but for the codes, which no state depends on."""
        keys, _, _, _, _, texts, references, _ = self.tables
        return [keys, texts, references]


@lru_cache(maxsize=4)
def _made(references: tuple[Reference, ...]) -> _Made:
    if len(references) > _MOST:
        msg = f"lcs: there must be at most {_MOST} references, not {len(references)}"
        raise ValueError(msg)
    texts = [_words(reference) for reference in references]
    known = np.zeros(len(texts), REFERENCE)
    lengths = np.array([len(text) for text in texts], np.int64)
    known["stop"] = np.cumsum(lengths)
    known["begin"] = known["stop"] - lengths
    windows = [reference.window for reference in references]
    known["window"] = np.where(windows, windows, np.minimum(lengths, LONGEST))
    known["need"] = [
        _least(reference.similarity, int(window))
        for reference, window in zip(references, known["window"], strict=True)
    ]
    tables, vocabulary = _tables(texts, lengths)
    codes = np.array([reference.code for reference in references], np.int32)
    return _Made((*tables, known, codes), vocabulary)


def _words(reference: Reference) -> NDArray[np.uint64]:
    """The words of a reference that can be looked for."""
    where = f"lcs: reference {reference.name!r}"
    try:
        words, _, _ = words_of(reference.text)
    except UnicodeEncodeError as error:
        msg = f"{where} must have a text without lone surrogates: {error}"
        raise ValueError(msg) from error
    if not _SHORTEST <= len(words) <= _MOST_WORDS:
        msg = f"{where} must have a text of {_SHORTEST} to {_MOST_WORDS} words, not of {len(words)}"
        raise ValueError(msg)
    if not 0 < reference.similarity <= 1:
        msg = f"{where} must have a similarity above 0 and up to 1, not {reference.similarity}"
        raise ValueError(msg)
    most = min(len(words), LONGEST)
    if reference.window and not _SHORTEST <= reference.window <= most:
        msg = (
            f"{where} must have a window of {_SHORTEST} to {most} words (its text has {len(words)}), "
            f"or 0, not {reference.window}"
        )
        raise ValueError(msg)
    return words


def _least(similarity: float, window: int) -> int:
    """The smallest number of words that is such a share of the window."""
    return next(count for count in range(1, window + 1) if count / window >= similarity)


def _tables(
    texts: Sequence[NDArray[np.uint64]], lengths: NDArray[np.int64]
) -> tuple[list[NDArray[Any]], int]:
    """What the kernel finds the words of all references by, as it takes them, and how many there are."""
    hashes = np.concatenate([np.zeros(0, np.uint64), *texts])
    vocabulary, places = np.unique(hashes, return_inverse=True)
    numbers = places.astype(np.uint32) + np.uint32(1)
    held = np.unique(numbers.astype(np.int64) * _MOST + np.repeat(np.arange(len(texts)), lengths))
    words, holders = held // _MOST, held % _MOST
    bounds = np.searchsorted(words, np.arange(len(vocabulary) + 2)).astype(np.int64)
    members = np.zeros((len(vocabulary) + 1, len(texts) // 64 + 1), np.uint64)
    np.bitwise_or.at(members, (words, holders // 64), np.uint64(1) << (holders % 64).astype(np.uint64))
    return [*_table(vocabulary), bounds, holders.astype(np.int32), members, numbers], len(vocabulary)


def _table(vocabulary: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Words and their numbers, from 1, as the kernel looks them up: each in the first free slot."""
    size = 2 ** (2 * len(vocabulary) + 1).bit_length()
    slots: dict[int, None] = {}
    for key in vocabulary.tolist():
        slot = key % size
        while slot in slots:
            slot = (slot + 1) % size
        slots[slot] = None
    keys, numbers = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    taken = list(slots)
    keys[taken] = vocabulary
    numbers[taken] = np.arange(1, len(vocabulary) + 1)
    return keys, numbers
