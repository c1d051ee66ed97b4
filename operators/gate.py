"""Find what rules describe, while it is being said, and tell how far each lane is decided.

Strategy. A lane is read in several ways at once: as it stands and as letters alone (`kernels.reading`), and
so is what base64, hex and escapes hide in it (`kernels.decoding`). `kernels.match` walks every rule over the
readings it belongs to, as the text arrives. What could still become a match is exactly what is held
undecided: everything before it is vetted, and the watermark says so. The gate decides nothing else. Whether
a match is masked, blocks the stream or only warns is the policy's affair. But each says how far the text may
leave all the same (``upto``): to where it begins, or where it reaches back into what was vetted before the
character that decided it, to there, wherever packets and deltas end.

A rule may have more to say than an automaton can: that is asked of `operators.evidence`, behind a match only.
The dialect of the expressions is that of ``operators.automaton``. Matches are leftmost, then longest, per
rule; rules do not hide each other's.

State: threads and entries of each walker, the decoders, the last bytes of each open lane
(``state_bytes``); and once for each thread of the process, never saved, up to 21 MiB of how an automaton's
threads step (`kernels.lazy`). Emits: a FINDING with the delta that decides it, a VETTED with every text
delta and every close. Cost: see ``benches.bench_gate``. Raises: :class:`ValueError` while it is built, for a
rule with an unknown check; nothing on any text.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from operators import reading, recent
from operators.automaton import MAX_HOLD, Automaton, Rule
from operators.columns import Columns
from operators.evidence import Evidence
from operators.kernels import decoding, lazy, match, vetting
from operators.kernels import reading as readings
from operators.packet import DELTA, FINDING, OPENED, VETTED, Kind, Packet, Reach, Table, empty, frozen, joined
from operators.recent import Recent

__all__ = ["Gate"]

_THREADS, _SOME, _FEW = 64, 24, 10  # a walker's: over the text itself; over what is decoded; to detect only
_ENTRIES = 8
_ROOM = 1024  # matches taken from the kernel at once, beside those that one symbol can bring
_HOLD = MAX_HOLD + 128  # characters that a lane holds back at most: what a rule may, and unseen ones within
_CHARS = 1 << 14  # room for characters of all layers, beside what one delta can bring
_TEXT, _CLOSE = int(Kind.TEXT), int(Kind.CLOSE)
_PLAIN = 0


def _walkers(bank_at: NDArray[np.int32]) -> NDArray[np.int32]:
    """Reading, bank, whether it holds text back, and its share of a lane's threads and entries, for each
    layer and bank that has rules. Banks: plain and folded rules, and those that only detect, which wait
    for nothing.
    """
    banks = [(bank & 1, bank, bank < 2) for bank in range(4) if bank_at[bank] < bank_at[bank + 1]]
    kinds = [(2 * layer + form, *bank) for layer in range(len(reading.LAYERS)) for form, *bank in banks]
    threads = np.cumsum(
        [0, *(_THREADS if reads < 2 else _SOME if holds else _FEW for reads, _, holds in kinds)]
    )
    entries = np.cumsum([0, *(_ENTRIES if each[0] < 2 else _ENTRIES // 2 for each in kinds)])
    table = np.array(kinds, np.int32).reshape(-1, 3)
    return np.column_stack([table, threads[:-1], threads[1:], entries[:-1], entries[1:]]).astype(np.int32)


_WALKED = (
    "stuck", "vetted", "previous", "ended", "loose", "again", "live", "entered", "state", "start", "entry",
)  # fmt: skip


class _Memories(threading.local):
    """What the gates of one thread of the process share, who take turns: how the threads of their automaton
    step, as far as it is known, and the sum of its tables, for a gate is made when the first delta of its
    slot is waiting.
    """

    def __init__(self, automaton: Automaton) -> None:
        self.of = automaton  # whose address names it
        self.arrays = lazy.memory()
        self.sum = 0
        for table in automaton:
            self.sum = crc32(table.tobytes(), self.sum)


_MEMORIES: WeakValueDictionary[int, _Memories] = WeakValueDictionary()


def _memories_of(automaton: Automaton) -> _Memories:
    """Those that all gates with these tables share."""
    known = _MEMORIES.get(id(automaton.states))
    if known is None:
        known = _MEMORIES[id(automaton.states)] = _Memories(automaton)
    return known


class _Laid:
    """The deltas of a packet as the kernels read them, and room for what they say of each."""

    def __init__(self, deltas: Table) -> None:
        size = len(deltas)
        columns = np.empty((7, size), np.int32)
        self.kinds, self.lengths = np.empty(size, np.uint8), np.empty(size, np.int64)
        self.told, self.longest = vetting.lay_out(
            frozen(deltas), _TEXT, _CLOSE, columns, self.kinds, self.lengths
        )
        self.rows, self.starts, self.ends, self.places, self.char_at, self.upto, self.leads = columns


class Gate:
    """The stage. `codes` gives each rule's place in the policy's names; the one after the rules'
    stands for a lane that could not be decided (too many threads), which nobody may release.
    """

    def __init__(self, automaton: Automaton, rules: Sequence[Rule], codes: Sequence[int]) -> None:
        if len(codes) != len(rules) + 1:
            msg = f"gate: {len(rules)} rules need {len(rules) + 1} codes, got {len(codes)}"
            raise ValueError(msg)
        self._evidence = Evidence(rules)
        self._codes = np.array(codes, np.int32)
        tables, self._walkers = automaton, _walkers(automaton.bank_at)
        self._alphabets = (tables.plain_of, tables.letter_of, tables.spelt_at, tables.spelt)
        self._tables = (
            self._walkers, tables.word, tables.opening_at, tables.opening,
            tables.states, tables.cells, tables.now_at, tables.now, tables.later_at, tables.later,
            tables.lead, tables.edge, tables.checked, tables.eager,
        )  # fmt: skip
        self._memories = _memories_of(automaton)
        accepts = int(np.diff(tables.now_at).max(initial=0) + np.diff(tables.later_at).max(initial=0))
        walkers = (len(self._walkers),)
        threads, entries = (int(self._walkers[:, end].max(initial=0)) for end in (4, 6))
        asks = (_THREADS + 1) * accepts + 1
        self._asked, self._answers = np.empty((asks, 5), np.int32), np.empty(asks, np.uint8)
        self._events = np.empty((asks, 5), np.int64)
        self._found = np.empty((2 * asks + entries + 2 + _ROOM, 8), np.int32)
        self._spans = np.empty((_CHARS, 4), np.int32)
        self._state = Columns(
            2,
            reads=(self._memories.sum, self._walkers, reading.LAYERS),
            stuck=(np.uint8, ()), vetted=(np.int32, ()),
            previous=(np.uint8, walkers), ended=(np.int32, walkers), loose=(np.int32, walkers),
            again=(np.int32, walkers), live=(np.int16, walkers), entered=(np.int16, walkers),
            state=(np.int32, (threads,)), start=(np.int32, (threads,)), entry=(np.int32, (entries, 4)),
            told=(np.int32, (_ENTRIES, 3)), tolds=(np.int32, ()), **recent.SPEC,
            position=(np.int32, ()),
            decoding=(np.int32, (reading.STATE,)), between=(np.int32, (len(reading.LAYERS),)),
        )  # fmt: skip

    @property
    def hold(self) -> int:
        """The most characters a lane can be held back: what `release` must have room for."""
        return _HOLD + 1

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
        state, size = self._state, len(packet.deltas)
        state.open(packet.opened["row"])
        state.wake(packet.deltas["row"])
        laid = _Laid(packet.deltas)
        findings = packet.findings
        if len(self._walkers):
            findings = joined(findings, self._read(packet, laid))
        else:
            laid.upto[:] = np.where(laid.places >= 0, laid.lengths + packet.deltas["chars"], -1)
        vetted = np.empty(size, VETTED)
        count = vetting.vet(laid.rows, laid.upto, laid.leads, self._codes, vetted)
        state.close(packet.closed_rows())
        return packet.having(findings=findings, vetted=vetted[:count])

    def _read(self, packet: Packet, laid: _Laid) -> Table:
        """Walk the packet: the matches; each delta's watermark, and the rule that holds back what follows it,
        are written to `laid`.
        """
        state, size = self._state, len(packet.deltas)
        rows, kinds, starts, ends, char_at = laid.rows, laid.kinds, laid.starts, laid.ends, laid.char_at
        marks = np.empty(laid.told, np.int32)
        first, last = np.zeros((2, size, reading.READINGS), np.int32)
        room = _CHARS + decoding.ROOM + 8 * laid.longest
        chars, symbols = np.empty((room, 4), np.int32), np.empty((8 * room, 4), np.int32)
        text = np.frombuffer(packet.text, np.uint8)
        found, asked, answers = self._found, self._asked, self._answers
        matches: list[NDArray[np.int32]] = []
        lanes, memory = tuple([state[name] for name in _WALKED]), self._memories.arrays
        past = Recent(packet, state["ring"], state["written"])
        self._evidence.forget()
        progress = np.zeros(6, np.int64)
        while progress[0] < size:
            progress[1], told = decoding.decode(
                rows, kinds, starts, ends, text, _TEXT, _CLOSE, reading.LAYERS,
                state["position"], state["decoding"], char_at, chars, self._spans, marks, int(progress[0]),
            )  # fmt: skip
            spans = self._spans[:told]
            readings.read(rows, chars, spans, self._alphabets, state["between"], first, last, symbols)
            while progress[0] < progress[1]:
                count, asks = match.advance(
                    rows, kinds, laid.places, char_at, laid.lengths, _CLOSE, _HOLD, first, last, symbols,
                    self._tables, memory, lanes, marks, laid.upto, laid.leads, found, asked, answers,
                    self._events, progress,
                )  # fmt: skip
                if count:
                    matches.append(found[:count].copy())
                if asks:
                    answers[:asks] = [
                        self._evidence.holds(past, delta, self._walkers[walker, 0] // 2, rule, begin, stop)
                        for delta, walker, rule, begin, stop in asked[:asks].tolist()
                    ]
                    progress[4] = asks + 1
        findings = empty(FINDING)
        if matches:
            findings = self._findings(packet.deltas, np.concatenate(matches), char_at, marks, past)
        past.remember(rows, kinds, starts, ends, text)
        return findings

    def _findings(
        self,
        deltas: Table,
        found: NDArray[np.int32],
        char_at: NDArray[Any],
        marks: NDArray[Any],
        past: Recent,
    ) -> Table:
        """A row for each match, in order of decision."""
        found = found[np.lexsort((found[:, 6], found[:, 2], found[:, 1], found[:, 4]))]
        fresh = [self._news(int(deltas["row"][each[0]]), *each[1:4]) for each in found.tolist()]
        found = found[fresh]
        which, rules, begin, stop, place, more, walker, vetted = found.T
        table = np.zeros(len(found), FINDING)
        table["delta"], table["row"], table["kind"] = which, deltas["row"][which], Reach.RULE
        table["code"], table["value"], table["more"] = self._codes[rules], 1.0, more
        table["begin"], table["stop"] = begin, stop
        spoken = deltas["kind"][which] == _TEXT
        table["decided"] = deltas["begin"][which] + np.where(spoken, place - char_at[which] + 1, 0)
        for each in np.flatnonzero((self._walkers[walker, 0] == _PLAIN) & (rules >= 0)):
            if not more[each]:
                match = (int(field[each]) for field in (which, rules, begin, stop))
                table["begin"][each], table["stop"][each] = self._evidence.part(past, *match)
        first, waits = place == char_at[which], (self._walkers[walker, 2] > 0) | (rules < 0)
        before, now = np.where(first, vetted, marks[place - 1]), marks[place]  # of the lane alone
        table["upto"] = np.where(waits, np.maximum(before, np.minimum(now, table["begin"])), now)
        return table

    def _news(self, row: int, rule: int, begin: int, stop: int) -> bool:
        """Whether no other reading of the lane has told of this match: escaped text is read with what
        stands around it, and that was read before.
        """
        told, count = self._state["told"][row], self._state["tolds"]
        if ((told[:, 0] == rule + 2) & (told[:, 1] <= begin) & (told[:, 2] >= stop)).any():
            return False
        told[count[row] % len(told)] = rule + 2, begin, stop
        count[row] += 1
        return True

    def dump(self) -> bytes:
        """Threads, entries and decoders of all open lanes."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave. :raises ValueError: If it was made with other rules."""
        self._state.load_asleep(state)
