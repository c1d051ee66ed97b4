"""Recordings of provider streams, from files, folders and globs.

Speaks     any wire format that ``connectors.decoders`` knows, found out from the bytes or named
Direction  source
Emits      :class:`~operators.packet.Packet`
Delivery   exactly once into the state, at least once out of the flow
Parallel   one partition per slot
Needs      nothing

A recording is the body of one response as it came over the wire, or one recorded session, one event
a line. A stream id is the file's name; the second stream in a file is ``name#2``. Bodies hold no
times, so each gets a schedule drawn from its name (time to first delta, gaps; the same in every run).
A *timed* recording, JSON lines ``{"at": seconds, "data": bytes as text, or an event}``, plays as
it was recorded. ``chunk`` re-cuts the text of each lane every so many characters, to see for oneself
that the cutting does not matter; re-cut text has no token probabilities.
"""

from __future__ import annotations

import glob
import os
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from connectors import decoders
from connectors._decoder import MAX_EVENT, Decoder
from connectors._recut import Recut
from connectors._tape import Tape, TapeSource
from operators.packet import Delta, Finish, Kind

__all__ = ["ReplayConfig", "ReplaySource", "find"]

_READ = 1 << 16
_START, _TEXT, _ERROR, _END = int(Kind.START), int(Kind.TEXT), int(Kind.ERROR), int(Kind.END)
_SECOND = 1_000_000_000
_LATEST = 10**9  # seconds, 31 years: what a timed recording may say, and 64 bits of ns can hold
_TIMED_MARGIN = 1 << 16
"""Bytes that a line of a timed recording may be longer than the event in it (and twice that: escapes)."""


@dataclass(frozen=True)
class ReplayConfig:
    """What to play, and how."""

    paths: tuple[str, ...]
    """Files, folders (all files below them), globs."""
    api: str = "auto"
    """A name of ``decoders.API_NAMES``, for all of them."""
    speed: float = 1.0
    """1.0 as recorded, 10.0 ten times as fast, 0 as fast as possible."""
    chunk: int = 0
    """Characters of a delta after re-cutting; 0 leaves the provider's cutting."""
    stagger: float = 0.25
    """Seconds between the beginnings of two recordings that hold no time."""
    first: float = 0.4
    """Median seconds to the first delta of a recording that holds no time."""
    gap: float = 0.02
    """Median seconds between two deltas of a recording that holds no time."""
    batch: int = 1024
    """Deltas in a packet at most."""
    event_bytes: int = MAX_EVENT
    """Bytes of one event of the wire format at most."""


def find(paths: Sequence[str]) -> list[Path]:
    """The files that `paths` mean, without repeats, in the order of `paths`, within one by name.

    Hidden files and folders, Markdown and indexes (``INDEX.*``) in a folder are not recordings.

    :raises FileNotFoundError: If one of them means nothing.
    """
    files: dict[str, Path] = {}
    for path in paths:
        named = Path(path)
        if named.is_file():
            found = [named]
        elif named.is_dir():
            found = sorted(p for p in named.rglob("*") if p.is_file() and _is_recording(p.relative_to(named)))
        else:
            found = sorted(p for p in map(Path, glob.glob(path, recursive=True)) if p.is_file())
        if not found:
            msg = f"no recording at {path!r}: name a file, a folder, or a pattern that matches files"
            raise FileNotFoundError(msg)
        for file in found:
            files.setdefault(os.path.abspath(file), file)
    return list(files.values())


def _is_recording(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not (hidden or path.suffix == ".md" or path.name.startswith("INDEX."))


def _tape(path: Path, name: str, begins: int, config: ReplayConfig) -> Tape:
    def deltas() -> Iterator[tuple[int, Delta]]:
        at, begun = begins, False
        try:
            with path.open("rb") as file:
                for at, delta in _said(file, name, begins, config):
                    begun = begun or delta.kind == _START
                    yield at, delta
        except OSError as error:
            if not begun:
                yield at, Delta(_START, '{"provider":"","model":""}', at=at)
            yield at, Delta(_ERROR, f"the recording cannot be read: {error.strerror}", at=at)
            yield at, Delta(_END, finish=int(Finish.ERROR), at=at)

    return Tape(name, begins, deltas)


def _said(file: BinaryIO, name: str, begins: int, config: ReplayConfig) -> Iterator[tuple[int, Delta]]:
    decoder = decoders.open_decoder(config.api, limit=config.event_bytes)
    line = file.readline(_READ)
    file.seek(0)
    said = (
        _timed(_lines(file, 3 * config.event_bytes + _TIMED_MARGIN), decoder, begins)
        if _is_timed(line)
        else _paced(_decoded(iter(lambda: file.read(_READ), b""), decoder), name, begins, config)
    )
    if not config.chunk:
        yield from said
        return
    cut = Recut(config.chunk)
    for at, delta in said:
        for again in cut.again(delta):
            yield at, again


def _lines(file: BinaryIO, most: int) -> Iterator[bytes]:
    """The lines of `file`; in place of one that is longer than `most` bytes a line that is no JSON."""
    whole = True
    while line := file.readline(most):
        if whole:
            yield b"too long" if len(line) == most else line
        whole = line.endswith(b"\n")


def _decoded(reads: Iterator[bytes], decoder: Decoder) -> Iterator[Delta]:
    for data in reads:
        yield from decoder.receive_data(data, now=0)
    yield from decoder.receive_eof(now=0)


def _paced(
    said: Iterator[Delta], name: str, begins: int, config: ReplayConfig
) -> Iterator[tuple[int, Delta]]:
    """Times for deltas that have none: log-normal around the medians, seeded by the name."""
    seeded = random.Random(zlib.crc32(name.encode()))
    at = begins
    wait = config.first
    for delta in said:
        if delta.kind == _TEXT:
            at += int(wait * seeded.lognormvariate(0.0, 0.5) * _SECOND)
            wait = config.gap
        yield at, delta


def _is_timed(line: bytes) -> bool:
    """The first line of a timed recording says when and what."""
    return _record(line) is not None


def _record(line: bytes) -> tuple[float, bytes] | None:
    """Seconds and wire bytes that a line of a timed recording holds, None if it is none."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or "data" not in record:
        return None
    at, data = record.get("at"), record["data"]
    if not isinstance(at, int | float) or not 0 <= at <= _LATEST:
        return None
    return at, data.encode() if isinstance(data, str) else orjson.dumps(data) + b"\n"


def _timed(lines: Iterable[bytes], decoder: Decoder, begins: int) -> Iterator[tuple[int, Delta]]:
    at, back = begins, False
    for line in lines:
        record = _record(line)
        if record is None:
            if line.strip():
                reason = "a line of a timed recording is not {'at': seconds, 'data': ...}"
                yield at, Delta(_ERROR, reason, at=at)
            continue
        seconds, wire = record
        due = begins + int(seconds * _SECOND)
        if due < at and not back:
            back = True
            yield at, Delta(_ERROR, "a timed recording goes back in time: it is played without", at=at)
        at = max(at, due)
        for delta in decoder.receive_data(wire, now=at):
            yield at, delta
    for delta in decoder.receive_eof(now=at):
        yield at, delta


class ReplaySource(TapeSource):
    """The recordings of `config`, each in the slot of its name.

    :arg config: What to play, and how.

    :arg keys: Key of each slot, in order.

    :arg slot_of: The slot of a name.

    :raises FileNotFoundError: If a path means nothing.

    :raises ValueError: If the api is not known.

    """

    def __init__(self, config: ReplayConfig, keys: Sequence[str], slot_of: Callable[[str], int]) -> None:
        decoders.open_decoder(config.api)  # a wrong name is refused before anything runs
        files = find(config.paths)
        stagger = int(config.stagger * _SECOND)
        tapes = [
            _tape(path, name, place * stagger, config)
            for place, (path, name) in enumerate(zip(files, _names(files), strict=True))
        ]
        super().__init__(tapes, keys, slot_of, speed=config.speed, batch=config.batch)


def _names(files: Sequence[Path]) -> list[str]:
    """The file's name; with as many folders before it as tell it from its namesakes."""
    names = [_readable(path.name) for path in files]
    depth = 2
    while len(set(names)) < len(names) and depth < 32:
        times = Counter(names)
        names = [
            _readable("/".join(path.absolute().parts[-depth:])) if times[name] > 1 else name
            for path, name in zip(files, names, strict=True)
        ]
        depth += 1
    return names


def _readable(name: str) -> str:
    """The name of a file as text: a name is bytes, and need not be UTF-8. One that looks like the second
    stream of another file (``x#2``) is written ``x%232``.
    """
    return re.sub(r"#(?=[0-9]+$)", "%23", os.fsencode(name).decode(errors="backslashreplace"))
