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
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from connectors import decoders
from connectors._decoder import Decoder
from connectors._recut import Recut
from connectors._tape import Tape, TapeSource
from operators.packet import Delta, Kind

__all__ = ["ReplayConfig", "ReplaySource", "find"]

_READ = 1 << 16
_TEXT, _ERROR = int(Kind.TEXT), int(Kind.ERROR)
_SECOND = 1_000_000_000


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


def find(paths: Sequence[str]) -> list[Path]:
    """The files that `paths` mean, without repeats, in order of path.

    Hidden files, Markdown and indexes (``INDEX.*``) in a folder are not recordings.

    :raises FileNotFoundError: If one of them means nothing.
    """
    files: dict[Path, None] = {}
    for path in paths:
        named = Path(path)
        found = sorted(
            p
            for p in (named.rglob("*") if named.is_dir() else map(Path, glob.glob(path, recursive=True)))
            if p.is_file() and (not named.is_dir() or _is_recording(p))
        )
        if named.is_file():
            found = [named]
        if not found:
            msg = f"no recording at {path!r}: name a file, a folder, or a pattern that matches files"
            raise FileNotFoundError(msg)
        files.update(dict.fromkeys(found))
    return list(files)


def _is_recording(path: Path) -> bool:
    return not (path.name.startswith(".") or path.suffix == ".md" or path.name.startswith("INDEX."))


def _tape(path: Path, name: str, begins: int, config: ReplayConfig) -> Tape:
    def deltas() -> Iterator[tuple[int, Delta]]:
        decoder = decoders.open_decoder(config.api)
        with path.open("rb") as file:
            line = file.readline(_READ)
            file.seek(0)
            said = (
                _timed(file, decoder, begins)
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

    return Tape(name, begins, deltas)


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
    try:
        head = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(head, dict) and isinstance(head.get("at"), int | float) and "data" in head


def _timed(lines: Iterable[bytes], decoder: Decoder, begins: int) -> Iterator[tuple[int, Delta]]:
    at = begins
    for line in lines:
        try:
            record = orjson.loads(line)
            at = max(at, begins + int(record["at"] * _SECOND))
            data = record["data"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            if line.strip():
                yield (
                    at,
                    Delta(_ERROR, "a line of a timed recording is not {'at': seconds, 'data': ...}", at=at),
                )
            continue
        wire = data.encode() if isinstance(data, str) else orjson.dumps(data) + b"\n"
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
        super().__init__(tapes, keys, slot_of, speed=config.speed)


def _names(files: Sequence[Path]) -> list[str]:
    """The file's name; with as many folders before it as tell it from its namesakes."""
    names = [path.name for path in files]
    depth = 2
    while len(set(names)) < len(names) and depth < 32:
        twice = {name for name in names if names.count(name) > 1}
        names = [
            "/".join(path.parts[-depth:]) if name in twice else name
            for path, name in zip(files, names, strict=True)
        ]
        depth += 1
    return names
