"""Loops of a stream: text that a lane says over and over, exactly or with changes, and cycles of tool calls.

Strategy. Text is cut into words, numbers and signs (``kernels.loop_symbols``); each lane is aligned with
its own past at all distances at once (``kernels.loop``); each copy of what stands out is judged
(``kernels.loop_judge``), and told once (``kernels.loop_tell``). Calls of tools are numbers that are compared
as wholes (``kernels.loop_calls``), for calls whose arguments change are how pages are read and files are
walked through. Everything is decided at a character of the text, so no cutting into deltas or packets
matters.

What kind of text it is (prose, code, a table, a ruler, data) enters into the confidence and resets nothing:
a loop inside a code fence or a table is found, it only takes more copies.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from operators.columns import Columns, framed, unframed
from operators.kernels.loop import COPY, LANE, PERIODS, ROOM, SCORES, follow_copies
from operators.kernels.loop_calls import AGENT, CALL, REPEAT, follow_calls
from operators.kernels.loop_judge import FEATURES, describe_copies
from operators.kernels.loop_symbols import CUT, SYMBOL, cut_symbols
from operators.kernels.loop_tell import CHAIN, FOUND, tell_copies
from operators.kernels.loop_track import TRACK, standing
from operators.packet import (
    DELTA,
    FINDING,
    OPENED,
    Channel,
    Kind,
    Packet,
    Reach,
    Table,
    empty,
    frozen,
    joined,
)  # fmt: skip
from operators.spelling import codes

__all__ = ["Loop", "Watch"]

_VERSION = 1

WEIGHTS = np.array([
    [-33.3, 0, 11.56, -4.65, 11, 18.84, -1.61, -7.34, 3.11, 2.41, -0.57, -15.36, -10.97, -5.61, 3.05,
     -3.33, -13.6, 0.7, 6.74, 1.93, -1.58, 1.5, 0.91],
    [-16.45, 1.33, -1.56, 1.74, -6.28, 4.18, 1.95, 4.14, -3.45, 8.41, 2.23, -4.37, 0.98, -11.27, 0.69,
     -0.82, -15.9, 7.52, -0.52, -2.67, -0.68, 2.31, 0],
    [-22.72, 0.88, -3.31, 6.34, -2.74, 4.58, -0.19, 3.75, -5.96, -5.12, -3.24, 3.99, 6, 0, -0.02, 0.52,
     19.91, 14.58, -7.88, 5.17, -0.47, -0.27, 0],
    [-11.54, -1.15, -5, 2.13, 2.83, -16.77, 6.69, 10.29, 1.44, -4.96, -12.45, -8.53, -8.08, 1.4, 0, 1.66,
     8.76, 0.62, 17.77, -10.61, -1.76, 0.4, 0],
    [-1.39, 0.39, -2.59, 0.76, -0.89, -14.16, 2.34, 4.82, -2.55, -3.8, -1.58, -6.36, -3.08, 3.94, -1.39,
     5.98, 7.17, 3.02, 3.67, -1.18, -1.35, 0.91, 12.02],
])  # fmt: skip
"""Of the features of ``kernels.loop_judge`` (the columns) for each sort of repetition (the rows), learnt by
``benches.train_loop`` in November 2026: from one half (by the hash of the text) of the files of a
developer's machine as texts without a loop, 3,401 of them up to 10,000 characters and 920 as wholes, of
outputs of models that are labelled as normal or structured, and of texts made to mislead; from all 140
outputs that are labelled as loops, and from made ones. Told at the default entry were of the other half 0
of 321 Markdown files, 0 of 735 of Python, 4 of 729 with data, 3 of 727 of plain text, 4 of 718 of other
code, 1 of 217 normal and 2 of 13 structured outputs; of whole files that are longer 16 of 882. Of folders
that nothing was learnt from, Markdown 1 of 318, Python 0 of 1,500, data 1 of 1,500, plain text 6 of 934,
other code 7 of 1,500; of whole ones 18 of 1,656. What the examples weigh was chosen with these figures in
view. Learnt from one half of the outputs that loop, 62 of the other 64 were found."""

_CALLS = (0.55, 0.3)  # confidence of two copies of a cycle of calls, and what each more leaves of the doubt
_PIECE = 1 << 14  # bytes of text that are searched at a time
_NOTE = int(Kind.NOTE)
_TOKEN = 4  # characters of arguments that are taken for a token


class Watch(NamedTuple):
    """Who wants to be told of loops, and from when on: all three must be reached."""

    name: str
    code: int
    """Place of the name in the policy's names: the ``code`` of its findings."""
    confidence: float = 0.8
    copies: int = 3
    wasted: int = 0
    """Tokens since the first copy ended, and those of loops close before it."""


class Loop:
    """A stage: packets of text in, the same packets with findings of kind ``loop`` out.

    A finding says, once per entry and loop, that a lane repeats itself: ``begin`` is the character where
    the first copy began, ``stop`` and ``decided`` what had been read when it was decided, ``value`` and
    ``confidence`` how likely it is a loop, ``period`` the mean length of a copy in characters, ``copies``
    how many are complete, ``wasted`` how many tokens came since the first of them ended, with those of
    other loops that were told and that this one follows within a copy or 300 characters. A token is six
    letters or three digits of a word or number, begun; a sign, an ideograph, a line break, 16 blanks. A
    loop of tool calls is told of the lane of the call that decided it, with the characters of all calls of
    a cycle as period.

    Not found are periods beyond 224 words, numbers and signs that are also beyond 96 lines (in a paragraph,
    about four sentences are a line), words whose letters are replaced by look-alikes, and calls of tools
    whose arguments are written at once, a piece of each in turn.

    State: 2.8 kB of a lane, 280 bytes of a stream that calls tools, and a byte per entry of each. Cost: 0.4
    to 0.9 us a delta of four or five characters of any kind of text, with 1 to 1,024 lanes, and 1.1 us one
    of five full stops (``benches.bench_loop``; one core, others were using the machine); no text was found
    that costs more as it goes on.

    :param entries: Who is told.
    :raises ValueError: If an entry has a confidence that is not between 0 and 1, or less than 3 copies.
    """

    def __init__(self, entries: Sequence[Watch]) -> None:
        for entry in entries:
            if not 0.0 <= entry.confidence <= 1.0 or entry.copies < 3 or entry.wasted < 0:
                msg = (
                    f"loop {entry.name!r}: confidence must be 0 to 1, copies 3 or more and wasted 0 or more, "
                    f"not {entry.confidence}, {entry.copies} and {entry.wasted}"
                )
                raise ValueError(msg)
        self._entries = tuple(entries)
        self._least = np.array([entry[2:] for entry in entries], np.float64).reshape(-1, 3)
        self._numbers = np.array([entry.code for entry in entries], np.int32)
        self._codes = codes()
        self._enough = standing(PERIODS)
        self._scratch = np.empty(PERIODS, np.uint8)
        told = (np.uint8, (len(entries),))
        self._state = Columns(
            _VERSION,
            reads=(self._codes, self._least),
            cut=(CUT, ()),
            lane=(LANE, ()),
            track=(TRACK, (2,)),
            codes=(np.uint8, (ROOM,)),
            values=(np.uint16, (ROOM,)),
            chars=(np.uint16, (ROOM,)),
            kinds=(np.uint8, (ROOM,)),
            scores=(np.uint8, (SCORES,)),
            chain=(CHAIN, ()),
            told=told,
            call=(CALL, ()),
        )
        self._agents = Columns(
            _VERSION, reads=(self._least,), agent=(AGENT, ()), until=(np.int64, ()), told=told
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the loops that its text decides."""
        self._state.open(packet.opened["row"])
        self._state.wake(packet.deltas["row"])
        deltas = frozen(packet.deltas)
        text = np.frombuffer(packet.text, np.uint8)
        found = joined(self._text(deltas, text), self._calls(packet, deltas, text))
        self._state.close(packet.closed_rows())
        if not len(found):
            return packet
        findings = joined(packet.findings, found)
        return packet.having(findings=findings[np.lexsort((findings["decided"], findings["delta"]))])

    def dump(self) -> bytes:
        """State of the open lanes and streams, for :meth:`load` of a stage with the same entries."""
        return framed(self._state.dump(), self._agents.dump())

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` was made with other entries.
        """
        lanes, agents = unframed(state)
        self._state.load_asleep(lanes)
        self._agents.load(agents)

    def warm(self) -> None:
        """Compile the kernels, so that no delta pays for it. Changes no state."""
        deltas = np.zeros(2, DELTA)
        note = b'{"tool":{"name":"a"}}'
        text = b"no " * 9  # a loop
        deltas["kind"], deltas["chars"] = (Kind.TEXT, Kind.NOTE), (len(text), 0)
        deltas["start"], deltas["end"] = (0, len(text)), (len(text), len(text + note))
        lane = ("", int(Channel.TOOL), 0, 0)
        Loop(self._entries).update(Packet(0, 0, (lane,), deltas, text + note, opened=np.zeros(1, OPENED)))  # type: ignore[arg-type]

    def _text(self, deltas: Table, text: NDArray[np.uint8]) -> Table:
        """Loops of text, found piece by piece: symbols and copies take 200 times the bytes of the text."""
        return joined(*(self._piece(*piece, text) for piece in _pieces(deltas, text)))

    def _piece(self, first: int, deltas: Table, size: int, text: NDArray[np.uint8]) -> Table:
        state = self._state
        symbols = np.empty(2 * (len(deltas) + size), SYMBOL)
        count = int(cut_symbols(deltas, text, self._codes, state["cut"], symbols))
        if not count:
            return empty(FINDING)
        copies = np.empty(2 * count, COPY)
        rings = [state[name] for name in ("lane", "track", "codes", "values", "chars", "kinds", "scores")]
        follow: Any = follow_copies  # the checker cannot count what `rings` are
        count = int(follow(symbols, count, *rings, self._enough, self._scratch, copies))
        if not count:
            return empty(FINDING)
        found = np.empty(count * len(self._entries), FOUND)
        features, sorts = np.empty((count, len(FEATURES))), np.empty(count, np.int64)
        describe_copies(copies, count, features, sorts)
        chains, told = state["chain"], state["told"]
        tell: Any = tell_copies  # as above
        told = tell(copies, count, symbols, features, sorts, WEIGHTS, chains, told, self._least, found)
        found = found[:told]
        copies = copies[found["copy"]]
        seen = symbols[copies["symbol"]]
        out = self._findings(found["entry"], found["confidence"], copies["copies"])
        out["delta"], out["row"] = seen["delta"] + first, seen["row"]
        out["begin"], out["stop"], out["decided"] = copies["begin"], seen["at"], seen["at"]
        out["period"], out["wasted"] = copies["size"], found["wasted"]
        return out

    def _calls(self, packet: Packet, deltas: Table, text: NDArray[np.uint8]) -> Table:
        """Loops of tool calls."""
        if _NOTE not in packet.kinds() and not len(self._agents.live()):
            return empty(FINDING)
        notes = np.flatnonzero((deltas["kind"] == _NOTE) & (deltas["row"] >= 0) & (deltas["stream"] >= 0))
        names = np.zeros(len(deltas), np.uint32)
        for place in notes.tolist():
            if packet.lanes[deltas["lane"][place]][1] == Channel.TOOL:
                names[place] = _name(packet.text[deltas["start"][place] : deltas["end"][place]])
        new = deltas["stream"][(deltas["seq"] == 0) & (deltas["stream"] >= 0)]
        self._agents.close(np.intersect1d(new, self._agents.live()))  # of those whose END never came
        streams = np.unique(deltas["stream"][names > 0])
        self._agents.open(np.setdiff1d(streams, self._agents.live()))
        if not len(self._agents.live()):
            return empty(FINDING)
        repeats = np.empty(len(deltas) + packet.text.count(b"}"), REPEAT)
        agents = self._agents["agent"]
        count = follow_calls(deltas, text, names, self._state["call"], agents, repeats)
        out = self._called(deltas, repeats[:count])
        ended = np.unique(deltas["stream"][deltas["kind"] == Kind.END])
        self._agents.close(ended[np.isin(ended, self._agents.live())])
        return out

    def _called(self, deltas: Table, repeats: Table) -> Table:
        told, until = self._agents["told"], self._agents["until"]
        found: list[tuple[int, int]] = []
        for place, repeat in enumerate(repeats):
            stream = deltas["stream"][repeat["delta"]]
            mine = told[stream]
            if repeat["begin"] >= until[stream]:  # what was told has ended
                mine[:] = 0
            for entry, (confidence, copies, wasted) in enumerate(self._least.tolist()):
                enough = repeat["copies"] >= copies and repeat["spent"] // _TOKEN >= wasted
                if enough and not mine[entry] and _trust(repeat["copies"]) >= confidence:
                    mine[entry] = 1
                    found.append((place, entry))
            if mine.any():
                until[stream] = repeat["calls"]
        places = np.array([place for place, _ in found], np.int64)
        entries = np.array([entry for _, entry in found], np.int64)
        repeats = repeats[places]
        out = self._findings(entries, _trust(repeats["copies"]), repeats["copies"])
        out["delta"], out["row"] = repeats["delta"], repeats["row"]
        out["stop"], out["decided"] = repeats["stop"], repeats["stop"]
        out["period"], out["wasted"] = repeats["chars"], repeats["spent"] // _TOKEN
        return out

    def _findings(
        self, entries: NDArray[np.int64], confidence: NDArray[np.float64], copies: NDArray[Any]
    ) -> Table:
        out = np.zeros(len(entries), FINDING)
        out["kind"] = Reach.LOOP
        out["code"] = self._numbers[entries]
        out["value"], out["confidence"] = confidence, confidence
        out["copies"] = copies
        return out


def _pieces(deltas: Table, text: NDArray[np.uint8]) -> Iterator[tuple[int, Table, int]]:
    """A packet in pieces of about ``_PIECE`` bytes: the place of the first delta of each, its deltas, and the
    most bytes that these hold.

    Deltas that are longer are cut where a character begins.
    """
    if len(text) <= _PIECE:
        yield 0, deltas, len(text)
        return
    first, size = 0, 0
    for place, length in enumerate((deltas["end"] - deltas["start"]).tolist()):
        if size + length > _PIECE and place > first:
            yield first, deltas[first:place], size
            first, size = place, 0
        size += length
        if size > _PIECE:  # this one alone
            for piece in _cut(deltas[place : place + 1], text):
                yield place, piece, int(piece["end"][0] - piece["start"][0])
            first, size = place + 1, 0
    yield first, deltas[first:], size


def _cut(delta: Table, text: NDArray[np.uint8]) -> Iterator[Table]:
    """One delta in pieces, each of which says where it stands."""
    start, end, begin = (int(delta[name][0]) for name in ("start", "end", "begin"))
    while start < end:
        stop = min(start + _PIECE, end)
        while stop < end and text[stop] & 0xC0 == 0x80:
            stop += 1
        piece = delta.copy()
        piece["start"], piece["end"], piece["begin"] = start, stop, begin
        yield frozen(piece)
        begin += int(np.count_nonzero(text[start:stop] & 0xC0 != 0x80))
        start = stop


def _name(note: bytes) -> int:
    """A hash of the name of the tool that a note says is called, never 0; 0 if it says something else."""
    try:
        tool = orjson.loads(note).get("tool")
    except (orjson.JSONDecodeError, AttributeError):
        return 0
    name = tool.get("name", "") if isinstance(tool, dict) else None
    return max(zlib.crc32(name.encode()), 1) if isinstance(name, str) else 0


def _trust(copies: NDArray[Any]) -> NDArray[np.float64]:
    """Confidence in so many copies of a cycle of calls."""
    first, rest = _CALLS
    trust: Any = 1.0 - (1.0 - first) * rest ** (copies - 2.0)
    return np.asarray(trust, np.float64)
