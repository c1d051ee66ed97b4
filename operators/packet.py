"""The vocabulary: what travels between a source, the operators and a sink.

A source speaks in :class:`Delta` values, one for each thing a provider said. :func:`pack` turns the
deltas that one slot received in one poll into a :class:`Packet`: tables (NumPy structured arrays)
over one run of UTF-8 text. From there on nothing is done per delta in Python. Each operator takes a
packet and returns one with more rows in its tables; nobody edits the rows of another.

Strategy. Names appear once, in ``lanes``; every table refers to them by number. ``lane`` is a place in
this packet's ``lanes``; ``row`` (of a lane) and ``stream`` (of a stream) are places in the columns of
the slot, given out by ``operators.directory`` and -1 before it. All offsets called ``begin`` and
``stop`` are characters (code points) of the lane's original text; ``start`` and ``end`` are bytes of
``Packet.text`` or ``Packet.released``. Time is ``at``, integer nanoseconds of the source's clock.

This module knows neither Bytewax nor any I/O, and holds no state.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

__all__ = [
    "COVERED",
    "DELTA",
    "FINDING",
    "LEDGER",
    "OPENED",
    "OUTCOME",
    "RELEASE",
    "SAMPLE",
    "VERDICT",
    "VETTED",
    "WORD",
    "Action",
    "Called",
    "Channel",
    "Dead",
    "Delta",
    "Feedback",
    "Finish",
    "Kind",
    "Lane",
    "Packet",
    "Reach",
    "Shape",
    "Signal",
    "Table",
    "column",
    "copied",
    "empty",
    "frozen",
    "joined",
    "pack",
]

Table = NDArray[np.void]
"""A structured array of one of the row types below."""


class Kind(IntEnum):
    """What a delta is. ``START ERROR USAGE END`` belong to a stream, the others to a lane."""

    START = 0
    """A stream begins. Text: a JSON object ``{"provider": str, "model": str}``."""
    TEXT = 1
    """A fragment of a lane's text, as the provider cut it."""
    NOTE = 2
    """A fact about a lane that is not text of it (a tool's name and id, a citation): a JSON object."""
    CLOSE = 3
    """A lane ends: what it said is decided to its end. A source may say so where it knows that nothing more
    comes; the directory closes what is open of a stream that ends."""
    USAGE = 4
    """Token counts: a JSON object with some of ``input output reasoning cached`` (ints)."""
    ERROR = 5
    """Something is wrong with this stream. Text: the reason, for a person."""
    END = 6
    """A stream ends; ``finish`` says how."""
    WAIT = 7
    """Nothing came of a stream for a while. Never sent by a source: the directory says so, at the very time
    that a limit is passed, whether a tick, another stream or its own next delta shows it. Text: a JSON object
    ``{"silent": seconds, "first": whether nothing was said yet}``; no row if there is no lane yet.
    """


class Channel(IntEnum):
    """Which voice of a stream a lane carries."""

    TEXT = 0
    REASONING = 1
    TOOL = 2
    """Arguments of a tool call, as the model writes them."""
    REFUSAL = 3
    TRANSCRIPT = 4
    """The text of spoken audio."""


class Finish(IntEnum):
    """How a stream ended. ``TRUNCATED``: its bytes stopped before the provider said it was over."""

    NONE = 0
    STOP = 1
    LENGTH = 2
    TOOL = 3
    REFUSAL = 4
    BLOCKED = 5
    ERROR = 6
    TRUNCATED = 7


class Action(IntEnum):
    """What the policy decided."""

    ALLOW = 0
    WARN = 1
    REDACT = 2
    STEER = 3
    BLOCK = 4
    WOULD_REDACT = 5
    """Monitored: reported, and nothing else is done."""
    WOULD_BLOCK = 6


class Reach(IntEnum):
    """What sort of thing a finding is: the ``kind`` of its NDJSON line, in lower case."""

    RULE = 0
    DTW = 1
    REGIME = 2
    LCS = 3
    EDIT = 4
    MOTIF = 5
    ERROR = 6
    """A measurement that a stage cannot use."""
    LOOP = 7
    DRIFT = 8


class Signal(IntEnum):
    """A named series of samples. Signals of a delta follow the provider's cutting, signals of a
    word do not.
    """

    GAP = 0
    """Seconds since the previous text delta of the lane; the first has none. NaN where the clock went back.
    Per delta."""
    LENGTH = 1
    """Characters of the delta. Per delta."""
    LOGPROB = 2
    """Surprisal the provider's own model gave: ``-logprob`` in nats. Per delta that carries one."""
    SURPRISAL = 3
    """Bits a character under an adaptive order-k byte model of the lane so far. Per word."""
    NOVELTY = 4
    """Smoothed share of word n-grams that the lane had not said before, 0 to 1. Per word."""
    INJECTION = 5
    """Probability, by a learned scorer, that the last words try to take a model over. Per word."""
    LYAPUNOV = 6
    """Largest Lyapunov exponent of the last samples of another signal, nats a sample: this and the following
    per sample of that signal, by ``operators.dynamics``. Only where neighbours share more than correlation:
    noise and pure waves have none."""
    PERMUTATION = 7
    """Their permutation entropy, 0 to 1."""
    COMPLEXITY = 8
    """Their sample entropy, nats."""
    DETERMINISM = 9
    """Share of their recurrent points that stand in diagonal lines, 0 to 1."""
    LAMINARITY = 10
    """Share of their recurrent points that stand in vertical lines, 0 to 1."""
    PATH = 11
    """Length of their trajectory: the sum of the steps."""
    VELOCITY = 12
    """Mean change a sample over them, with its sign."""


class Lane(NamedTuple):
    """The name of one text inside a stream."""

    stream: str
    channel: int = 0
    choice: int = 0
    item: int = 0


class Shape(NamedTuple):
    """A pattern that is to be looked for from here on: what came in beside the streams, to a running job."""

    name: str
    signal: int
    values: tuple[float, ...]
    within: float
    normalised: bool = False
    """Of windows that are scaled to mean 0 and deviation 1, as the pattern is."""
    radius: int = -1
    """Of such windows, in samples; -1 is a tenth of their length."""
    action: int = 0
    """:class:`Action`, of its findings."""
    reason: str = ""
    """What it means, for a person."""


class Called(NamedTuple):
    """What a code means that the policy file does not know: of a pattern that was added to a running job."""

    code: int
    name: str
    reason: str
    action: int


class Dead(NamedTuple):
    """A record of a log that cannot be read, on its way to whoever looks after such."""

    offset: int
    """Its place in the slot's log."""
    stream: str
    """The stream it belongs to; empty if that cannot be told."""
    cause: str
    """What is wrong with it, for a person; nothing of what it says."""
    size: int
    """Its bytes."""
    data: bytes
    """These, or the first of them."""


class Feedback(NamedTuple):
    """What somebody outside thinks of a decision."""

    stream: str
    seq: int
    """The record that it is about; -1: the stream as a whole."""
    rule: str
    label: str
    """``right wrong missed``."""


class Delta(msgspec.Struct, frozen=True, gc=False):
    """One thing a provider said, as a decoder gives it and before it has a row.

    A msgspec struct, because one is made for every delta: 0.1 us, a NamedTuple of as many fields 0.4.
    """

    kind: int
    text: str = ""
    channel: int = 0
    choice: int = 0
    item: int = 0
    logprob: float = float("nan")
    """Natural logarithm of the probability of the text, where the provider sends it."""
    finish: int = 0
    at: int = 0
    """Nanoseconds of the source's clock when it came in."""


DELTA = np.dtype(
    [
        ("lane", "<i4"),
        ("row", "<i4"),
        ("stream", "<i4"),
        ("kind", "u1"),
        ("finish", "u1"),
        ("seq", "<i8"),  # ordinal of the delta in its stream, from the directory
        ("at", "<i8"),
        ("start", "<i4"),
        ("end", "<i4"),
        ("begin", "<i8"),  # offset in the lane, from the directory
        ("chars", "<i4"),  # of a TEXT, 0 otherwise
        ("logprob", "<f8"),
    ]
)
OPENED = np.dtype([("row", "<i4"), ("stream", "<i4"), ("lane", "<i4")])
"""Lanes whose row is new in this packet: a stage clears the row before it reads a delta."""
SAMPLE = np.dtype(
    [
        ("delta", "<i4"),
        ("row", "<i4"),
        ("signal", "u1"),
        ("begin", "<i8"),
        ("stop", "<i8"),
        ("decided", "<i8"),  # characters of the lane that had been read when it was complete
        ("value", "<f8"),
    ]
)
WORD = np.dtype(
    [
        ("delta", "<i4"),
        ("row", "<i4"),
        ("begin", "<i8"),
        ("stop", "<i8"),
        ("decided", "<i8"),  # characters of the lane that had been read when it was complete
        ("word", "<u8"),  # a hash of its letters and digits, case undone: equal words have equal ones
    ]
)
"""A word of a lane (``operators.words``), where a policy asks for them."""
FINDING = np.dtype(
    [
        ("delta", "<i4"),  # the delta with which it was decided
        ("row", "<i4"),
        ("kind", "u1"),  # Reach
        ("code", "<i4"),  # place in the policy's names
        ("value", "<f8"),
        ("begin", "<i8"),
        ("stop", "<i8"),
        ("decided", "<i8"),  # characters of the lane that had been read when it was decided
        ("upto", "<i8"),  # characters of the lane that may leave whatever is done about it; 0 but for rules
        ("more", "u1"),  # 1: decided while it was still growing; what follows is another finding
        ("seq", "<i8"),  # from release
        ("confidence", "<f8"),  # that it is what it says, 0 to 1; 0: not told
        ("period", "<f8"),  # of a loop in characters, of a regime in samples; 0: none
        ("copies", "<i4"),  # of a loop so far, the first among them
        ("wasted", "<i8"),  # tokens of a loop since its first copy ended, estimated from the text
    ]
)
VETTED = np.dtype([("delta", "<i4"), ("row", "<i4"), ("upto", "<i8"), ("code", "<i4")])
"""How far a lane is decided after a delta, and which rule holds back what is not (-1: none does, or text
that may turn out to be encoded). Per lane, ``upto`` never falls."""
VERDICT = np.dtype(
    [
        ("delta", "<i4"),
        ("row", "<i4"),
        ("action", "u1"),
        ("code", "<i4"),
        ("finding", "<i4"),  # place in findings, -1 for a threshold
        ("decided", "<i8"),  # as the finding's
        ("value", "<f8"),
        ("seq", "<i8"),  # from release
    ]
)
RELEASE = np.dtype(
    [
        ("delta", "<i4"),
        ("row", "<i4"),
        ("seq", "<i8"),
        ("start", "<i4"),
        ("end", "<i4"),
        ("begin", "<i8"),
        ("stop", "<i8"),
    ]
)
"""Text that may leave with a delta, masks included: bytes ``start:end`` of ``Packet.released``, in place of
the characters ``begin:stop`` of the lane."""
COVERED = np.dtype(
    [
        ("delta", "<i4"),
        ("row", "<i4"),
        ("start", "<i4"),
        ("end", "<i4"),
        ("begin", "<i8"),
        ("stop", "<i8"),
    ]
)
"""Which of these stand for others: bytes ``start:end`` of ``Packet.released``, none where a mask goes on that
has been said before, in place of the characters ``begin:stop``. All other bytes are the text's own."""

OUTCOME = np.dtype(
    [
        ("delta", "<i4"),
        ("stream", "<i4"),
        ("kind", "u1"),  # Kind.START, Kind.ERROR or Kind.END
        ("finish", "u1"),
        ("seq", "<i8"),
        ("deltas", "<i8"),
        ("chars", "<i8"),
        ("released", "<i8"),
        ("held_mean", "<f8"),
        ("held_max", "<i8"),
    ]
)
"""What release says of a stream as a whole: that it began, failed or ended, with its ledger."""
LEDGER = np.dtype(
    [
        ("delta", "<i4"),  # the one that ended the stream
        ("code", "<i4"),  # as VETTED.code
        ("held", "<i8"),  # characters held back, summed over the deltas after which they were
        ("held_max", "<i8"),
        ("waited", "<i8"),  # deltas after which some were
        ("masked", "<i8"),  # characters covered under its name
        ("matches", "<i8"),
        ("leaked", "<i8"),  # characters of a masked or blocked match that left before it was decided
        ("came", "<i8"),  # when the first text of the stream came, and when the first left; 0 if none did
        ("left", "<i8"),
    ]
)
"""What one rule did in a stream that ends: from release."""

_TABLES: tuple[tuple[str, np.dtype[np.void]], ...] = (
    ("deltas", DELTA),
    ("opened", OPENED),
    ("samples", SAMPLE),
    ("words", WORD),
    ("findings", FINDING),
    ("vetted", VETTED),
    ("verdicts", VERDICT),
    ("releases", RELEASE),
    ("covered", COVERED),
    ("outcomes", OUTCOME),
    ("ledger", LEDGER),
)
_TEXT, _CLOSE = int(Kind.TEXT), int(Kind.CLOSE)  # NumPy compares with an int ten times as fast
_NO_ROWS = np.empty(0, np.int32)
_ROW = struct.Struct("<iiiBBqqiiqid")  # of DELTA
_HEAD = struct.Struct("<4sHHqqqqqIII11I")
_MAGIC, _VERSION = b"MSPK", 7


@cache
def empty(dtype: np.dtype[np.void]) -> Table:
    """The table of no rows: every packet holds several, and a new one is as dear as a long one."""
    return np.empty(0, dtype)


def column(table: Table, name: str) -> NDArray[Any]:
    """One column of a table as a kernel takes it: a copy, contiguous, aligned and writable.

    In the table it is strided, but not in a table of one row; in a packet from another process it is
    read-only: numba compiles a kernel anew for every such mixture, seconds for which a live stream would
    stand still. 0.5 us.
    """
    values: NDArray[Any] = table[name].copy()
    return values


def frozen(table: Table) -> Table:
    """A read-only view, as a table is in a packet from another process: one type for kernels to be compiled
    for.
    """
    view = table.view()
    view.flags.writeable = False
    return view


@dataclass
class Packet:
    """What one slot received in one poll, and what the operators made of it so far.

    A value: use :meth:`having` to get one with more in it. Crosses processes as :meth:`to_bytes`.
    """

    slot: int
    now: int
    """Nanoseconds of the source's clock when the packet was closed; at least every ``at`` in it."""
    lanes: tuple[Lane, ...]
    deltas: Table
    text: bytes
    arrived: int = 0
    """``time.monotonic_ns()`` when the first of it came in; 0 where nobody measures."""
    failed: str = ""
    """Why a stage could not process it. Nothing of a failed packet may leave (``release``)."""
    opened: Table = field(default_factory=lambda: empty(OPENED))
    samples: Table = field(default_factory=lambda: empty(SAMPLE))
    words: Table = field(default_factory=lambda: empty(WORD))
    findings: Table = field(default_factory=lambda: empty(FINDING))
    vetted: Table = field(default_factory=lambda: empty(VETTED))
    verdicts: Table = field(default_factory=lambda: empty(VERDICT))
    releases: Table = field(default_factory=lambda: empty(RELEASE))
    covered: Table = field(default_factory=lambda: empty(COVERED))
    outcomes: Table = field(default_factory=lambda: empty(OUTCOME))
    ledger: Table = field(default_factory=lambda: empty(LEDGER))
    released: bytes = b""
    shapes: tuple[Shape, ...] = ()
    """What is to be looked for from this packet on."""
    called: tuple[Called, ...] = ()
    """The codes of this packet's findings that are not in the policy's names."""
    origin: tuple[int, int] = (-1, -1)
    """The first and the last place in the slot's log that it was read from; -1 where there is no log."""
    dead: tuple[Dead, ...] = ()
    """What of the log could not be read."""
    feedback: tuple[Feedback, ...] = ()
    """What came in beside the streams about decisions."""

    def having(self, **tables: Any) -> Self:
        """The same packet with some fields replaced; table rows already there are kept by the caller.

        Not ``dataclasses.replace``, which hands every field to ``__init__``.
        """
        if not tables.keys() <= _NAMES:
            raise TypeError(*tables.keys() - _NAMES)
        packet = object.__new__(type(self))
        packet.__dict__ = self.__dict__ | tables
        return packet

    def kinds(self) -> bytes:
        """The kind of each delta, one a byte: to ask whether there is one of a kind, without an array."""
        kinds: bytes = self.deltas["kind"].tobytes()
        return kinds

    def closed_rows(self) -> NDArray[np.int32]:
        """Rows of the lanes that end in this packet: free once it has passed."""
        if _CLOSE not in self.kinds():
            return _NO_ROWS
        rows: NDArray[np.int32] = self.deltas["row"][self.deltas["kind"] == _CLOSE]
        return rows

    def meaning(self, code: int, names: Sequence[str], reasons: Sequence[str]) -> tuple[str, str]:
        """What a code of this packet is called and means: `names` and `reasons` are the policy's."""
        if code < len(names):
            return names[code], reasons[code]
        called = next(called for called in self.called if called.code == code)
        return called.name, called.reason

    def to_bytes(self) -> bytes:
        """A versioned, self-contained form: header, names, text, raw table bytes (little endian)."""
        dead = [(*each[:-1], b64encode(each.data).decode()) for each in self.dead]
        names = orjson.dumps([self.lanes, self.shapes, self.called, dead, self.feedback], default=tuple)
        failed = self.failed.encode()
        tables = [getattr(self, name).tobytes() for name, _ in _TABLES]
        head = _HEAD.pack(
            _MAGIC,
            _VERSION,
            len(failed),
            self.slot,
            self.now,
            self.arrived,
            *self.origin,
            len(names),
            len(self.text),
            len(self.released),
            *(len(getattr(self, name)) for name, _ in _TABLES),
        )
        return b"".join([head, failed, names, self.text, self.released, *tables])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read :meth:`to_bytes`. Tables are read-only views of `data`.

        :raises ValueError: If `data` is not a packet of this version.
        """
        if len(data) < _HEAD.size or data[:4] != _MAGIC:
            msg = "not a MidStream packet: it must begin with b'MSPK'"
            raise ValueError(msg)
        _, version, failed, slot, now, arrived, first, last, names, text, released, *counts = (
            _HEAD.unpack_from(data)
        )
        if version != _VERSION:
            msg = f"packet version {version}, this program reads version {_VERSION}"
            raise ValueError(msg)
        size = _HEAD.size + failed + names + text + released
        size += sum(count * dtype.itemsize for count, (_, dtype) in zip(counts, _TABLES, strict=True))
        if size != len(data):
            msg = f"packet of {len(data)} bytes, its header promises {size}"
            raise ValueError(msg)
        at = _HEAD.size
        parts = []
        for length in (failed, names, text, released):
            parts.append(data[at : at + length])
            at += length
        tables: dict[str, Any] = {}
        for (name, dtype), count in zip(_TABLES, counts, strict=True):
            tables[name] = np.frombuffer(data, dtype, count, at)
            at += count * dtype.itemsize
        try:
            lanes, shapes, called, dead, feedback = orjson.loads(parts[1])
            lanes = tuple(Lane(*fields) for fields in lanes)
            added: dict[str, Any] = {
                "shapes": tuple(Shape(name, signal, tuple(v), *rest) for name, signal, v, *rest in shapes),
                "called": tuple(Called(*fields) for fields in called),
                "dead": tuple(Dead(at, name, why, size, b64decode(raw)) for at, name, why, size, raw in dead),
                "feedback": tuple(Feedback(*fields) for fields in feedback),
            }
            why = parts[0].decode()
        except (TypeError, ValueError) as error:
            msg = f"packet with damaged names: {error}"
            raise ValueError(msg) from error
        return cls(
            slot, now, lanes, text=parts[2], arrived=arrived, failed=why, released=parts[3],
            origin=(first, last), **tables, **added,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as :meth:`to_bytes`: an eighth of the cost of pickling the arrays one by one."""
        return type(self).from_bytes, (self.to_bytes(),)


_NAMES = frozenset(each.name for each in fields(Packet))


def joined(*tables: Table) -> Table:
    """The rows of all `tables`, which have one dtype, in order.

    As bytes: ``np.concatenate`` first finds out whether structured dtypes agree, and then copies every field
    of every row.
    """
    filled = [table for table in tables if len(table)]
    if len(filled) < 2:
        return filled[0] if filled else tables[0]
    return np.frombuffer(bytearray().join([table.tobytes() for table in filled]), filled[0].dtype)


def copied(table: Table) -> Table:
    """The same rows once more, to be written to; as bytes, as in :func:`joined`."""
    return np.frombuffer(bytearray(table.tobytes()), table.dtype)


def pack(slot: int, said: Sequence[tuple[str, Delta]], *, now: int, arrived: int = 0) -> Packet:
    """One packet of the deltas `said`, pairs of stream id and delta, in order of arrival.

    Rows are -1: the directory gives them. Cost: about 0.5 us a delta (``benches.bench_inflight``).

    >>> packet = pack(0, [("a", Delta(Kind.TEXT, "hé")), ("a", Delta(Kind.TEXT, "!"))], now=5)
    >>> packet.text.decode(), packet.deltas["chars"].tolist(), packet.lanes
    ('hé!', [2, 1], (Lane(stream='a', channel=0, choice=0, item=0),))
    """
    places: dict[tuple[str, int, int, int], int] = {}
    rows = bytearray(_ROW.size * len(said))
    text, sizes = _join([delta.text for _, delta in said])
    start = end = 0
    for at, (stream, delta), size in zip(range(0, len(rows), _ROW.size), said, sizes, strict=True):
        lane = places.setdefault((stream, delta.channel, delta.choice, delta.item), len(places))
        chars = len(delta.text) if delta.kind == _TEXT else 0
        start, end = end, end + size
        _ROW.pack_into(
            rows, at, lane, -1, -1, delta.kind, delta.finish, 0, delta.at, start, end, 0, chars, delta.logprob
        )
    lanes = tuple(Lane(*name) for name in places)
    return Packet(slot, now, lanes, np.frombuffer(rows, DELTA), text, arrived)


def _join(texts: Sequence[str]) -> tuple[bytes, list[int]]:
    """All texts as UTF-8, and the bytes of each."""
    whole = "".join(texts)
    sizes = map(len, texts if whole.isascii() else map(str.encode, texts))
    return whole.encode(), list(sizes)
