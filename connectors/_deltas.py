"""Deltas as records of a log: what the ``deltas`` topic and the lines of ``ingest`` hold, and nothing else
does.

Strategy. One JSON object a delta, in the words of the record contract: ``start delta note usage error end``
(``release``, a record of the contract, is read as a delta: the output of one job may be the input of the
next). One typed struct a kind, so that a record is checked while it is parsed (msgspec); what
does not fit is refused with its cause and becomes a dead letter, never a guess.

Whoever writes to a log or a pipe may write anything, and what is neither text nor a note no stage looks at:
so the words of an ``error`` are not passed on, only that there was one (nor are a decoder's own words, behind
the log), and a provider and a model are what a decoder would take them for.

Laws: what :func:`encode` writes, :func:`decode` reads as the same delta, but for the reason of an error. A
cause never repeats what a record says.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import msgspec

from connectors._decoder import short
from operators.packet import Channel, Delta, Finish, Kind, Packet

__all__ = ["LATEST", "MAX_NAME", "REPORTED", "Told", "decode", "encode", "harmless"]

MAX_NAME = 512
"""Characters of a stream's name at most: it is the key of every record about it."""

LATEST = 7_258_118_400 * 10**9
"""The year 2200 (ns): a time from then on is none, and our arithmetic ends in 2262."""

REPORTED = "an error that its writer reported"
"""The reason of every ERROR that a record tells of."""

_MAX_NAMED = 100  # characters of a provider and of a model
_MAX_INDEX = 0xFFFF
_CHANNEL = {channel.name.lower(): int(channel) for channel in Channel}
_LANE = list(_CHANNEL)
_FINISH = {finish.name.lower(): int(finish) for finish in Finish}
_FINISHED = list(_FINISH)
_MOST_AT = 1 << 62
_NAN, _NONSENSE = float("nan"), 1e6
_QUOTED = re.compile(r"'.*'", re.DOTALL)
_START, _TEXT, _NOTE = int(Kind.START), int(Kind.TEXT), int(Kind.NOTE)
_USAGE, _ERROR, _END = int(Kind.USAGE), int(Kind.ERROR), int(Kind.END)


class _Record(msgspec.Struct, gc=False, tag_field="type", tag=str.lower, omit_defaults=True):
    stream: str = ""
    run: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""  # it is kept, as seq is, in the state
    seq: Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)] = -1
    at: int = 0
    slot: int = -1


class Start(_Record, gc=False):
    """A stream begins."""

    provider: str = ""
    model: str = ""


class _Text(_Record, gc=False, kw_only=True):
    text: str
    lane: str = "text"
    choice: int = 0
    item: int = 0
    logprob: float | None = None


class _Delta(_Text, gc=False, tag="delta"):
    """A fragment of a lane's text."""


class _Release(_Text, gc=False, tag="release"):
    """The same, as another job let it go."""


class _Note(_Record, gc=False, kw_only=True, tag="note"):
    """A fact about a lane."""

    fact: dict[str, Any] | msgspec.Raw  # raw where it is written: as it stands, however deep
    lane: str = "text"
    choice: int = 0
    item: int = 0


class _Usage(_Record, gc=False, kw_only=True, tag="usage"):
    """Token counts."""

    counts: dict[str, int]


class _Error(_Record, gc=False, kw_only=True, tag="error"):
    """Something is wrong with the stream."""

    reason: str


class _End(_Record, gc=False, tag="end"):
    """A stream ends."""

    finish: str = "stop"


Told = tuple[str, Delta, str, int]
"""A delta out of a log: its stream, itself, the run that numbered it (empty: none) and its number."""

_read = msgspec.json.Decoder(Start | _Delta | _Release | _Note | _Usage | _Error | _End).decode
_write = msgspec.json.Encoder().encode


def decode(value: bytes, key: bytes, at: int, skew: int = _MOST_AT) -> Told:
    """The delta that a record tells of.

    :arg value: The record.

    :arg key: Its key, the stream's name; empty if it has none.

    :arg at: When the log took it in (ns): what says a later time is taken to be from then.

    :arg skew: Nanoseconds; what says a time that is later by more is refused.

    :raises ValueError: If it tells of none, or of one before 1970 or after 2199.
    """
    try:
        record = _read(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"no record of a delta: {harmless(error)}"
        raise ValueError(msg) from None
    stream, when = record.stream, record.at
    if not stream or (key and key != stream.encode()) or len(stream) > MAX_NAME:
        stream = _named(stream, key)
    if record.seq < 0 and record.run:
        msg = "seq: is missing, and run says that there is one"
        raise ValueError(msg)
    if not 0 < when < at:
        if not 0 <= when < LATEST:
            msg = "at: a time before 1970, or after 2199"
            raise ValueError(msg)
        if when > at + skew:
            late = (when - at) / 1e9
            msg = f"at: {late:.0f} s later than the log took it in: its writer's clock is wrong"
            raise ValueError(msg)
        when = at
    return stream, _DELTAS[record.__class__](record, when), record.run, record.seq


def _named(stream: str, key: bytes) -> str:
    """The stream of a record that does not name it just as its key does."""
    try:
        name = key.decode()
    except UnicodeDecodeError:
        msg = "key: not UTF-8"
        raise ValueError(msg) from None
    if stream and name and stream != name:
        msg = "stream: is not the key of the record"
        raise ValueError(msg)
    name = stream or name
    if not 0 < len(name) <= MAX_NAME:
        msg = f"stream: names of 1 to {MAX_NAME} characters"
        raise ValueError(msg)
    return name


def _lane(record: Any) -> tuple[int, int, int]:
    channel = _CHANNEL.get(record.lane)
    if channel is None:
        msg = f"lane: one of {', '.join(_LANE)}"
        raise ValueError(msg)
    if not 0 <= record.choice | record.item <= _MAX_INDEX:
        msg = f"choice, item: from 0 to {_MAX_INDEX}"
        raise ValueError(msg)
    return channel, record.choice, record.item


def _text(record: Any, at: int) -> Delta:
    if record.lane == "text" and not record.choice and not record.item and record.logprob is None:
        return Delta(_TEXT, record.text, at=at)
    logprob = _NAN if record.logprob is None else record.logprob
    if abs(logprob) > _NONSENSE:
        logprob = -math.inf  # as a decoder says it of a value that is no measurement
    return Delta(_TEXT, record.text, *_lane(record), logprob, 0, at)


def _start(record: Any, at: int) -> Delta:
    head = _write({"provider": short(record.provider, _MAX_NAMED), "model": short(record.model, _MAX_NAMED)})
    return Delta(_START, head.decode(), at=at)


def _note(record: Any, at: int) -> Delta:
    return Delta(_NOTE, _write(record.fact).decode(), *_lane(record), at=at)


def _usage(record: Any, at: int) -> Delta:
    return Delta(_USAGE, _write(record.counts).decode(), at=at)


def _error(record: Any, at: int) -> Delta:
    return Delta(_ERROR, REPORTED, at=at)


def _end(record: Any, at: int) -> Delta:
    finish = _FINISH.get(record.finish)
    if finish is None:
        msg = f"finish: one of {', '.join(_FINISHED)}"
        raise ValueError(msg)
    return Delta(_END, finish=finish, at=at)


_DELTAS = {
    Start: _start, _Delta: _text, _Release: _text, _Note: _note, _Usage: _usage, _Error: _error, _End: _end,
}  # fmt: skip


def harmless(error: Exception) -> str:
    """What msgspec complains of, without the words of the record, which it quotes as '...'."""
    if isinstance(error, msgspec.DecodeError):
        return _QUOTED.sub("'...'", str(error))
    return "nested too deep" if isinstance(error, RecursionError) else "not UTF-8"


def encode(packet: Packet) -> list[tuple[str, _Record]]:
    """The records of a packet's deltas, each with its stream, in order: what a source said, and nothing that
    a stage put in. ``run``, ``seq`` and ``slot`` are the sink's to fill in.
    """
    table, text, lanes = packet.deltas, packet.text, packet.lanes
    columns = zip(
        table["lane"].tolist(), table["kind"].tolist(), table["finish"].tolist(), table["at"].tolist(),
        table["start"].tolist(), table["end"].tolist(), table["logprob"].tolist(), strict=True,
    )  # fmt: skip
    records: list[tuple[str, _Record]] = []
    for place, kind, finish, at, start, end, logprob in columns:
        stream, channel, choice, item = lanes[place]
        said = text[start:end].decode()
        record: _Record
        if kind == _TEXT:
            known = None if math.isnan(logprob) else max(logprob, -2 * _NONSENSE)  # JSON has no infinity
            record = _Delta(
                stream, at=at, text=said, lane=_LANE[channel], choice=choice, item=item, logprob=known
            )
        elif kind == _START:
            head = msgspec.json.decode(said)
            record = Start(stream, at=at, provider=head.get("provider", ""), model=head.get("model", ""))
        elif kind == _NOTE:
            fact = msgspec.Raw(text[start:end])
            record = _Note(stream, at=at, fact=fact, lane=_LANE[channel], choice=choice, item=item)
        elif kind == _USAGE:
            record = _Usage(stream, at=at, counts=msgspec.json.decode(said))
        elif kind == _ERROR:
            record = _Error(stream, at=at, reason=said)
        elif kind == _END:
            record = _End(stream, at=at, finish=_FINISHED[finish])
        else:  # CLOSE and WAIT are the directory's
            continue
        records.append((stream, record))
    return records
