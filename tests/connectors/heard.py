"""What a dialect says about some bytes, sorted so that a test can look at it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from connectors._decoder import Decoder, Dialect
from connectors._sniff import SniffedFraming
from operators.packet import Channel, Delta, Finish, Kind

SAMPLES = Path(__file__).parent.parent / "data"
TEXT, REASONING, TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)


@dataclass
class Heard:
    """The deltas of one input by kind; the lanes' text joined."""

    deltas: list[Delta] = field(default_factory=list)
    lanes: dict[tuple[int, int, int], str] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    finishes: list[Finish] = field(default_factory=list)
    models: list[str] = field(default_factory=list)


def hear(dialect: Dialect, data: bytes, pieces: Sequence[int] = ()) -> Heard:
    """Decode `data`, cut at the places `pieces`, framed however it is framed."""
    decoder = Decoder(SniffedFraming(), dialect)
    deltas: list[Delta] = []
    cuts = [0, *sorted(pieces), len(data)]
    for begin, end in pairwise(cuts):
        deltas += decoder.receive_data(data[begin:end], now=7)
    deltas += decoder.receive_eof(now=7)
    return sort(deltas)


def sort(deltas: Iterable[Delta]) -> Heard:
    """Look at deltas by kind; asserts the law of START and END on the way."""
    heard = Heard(list(deltas))
    open_ = False
    for delta in heard.deltas:
        if delta.kind == Kind.START:
            assert not open_, "START inside a stream"
            open_ = True
            heard.models.append(json.loads(delta.text)["model"])
            continue
        assert open_ or (heard.finishes and delta.kind == Kind.ERROR), f"{delta} outside a stream"
        lane = (delta.channel, delta.choice, delta.item)
        if delta.kind == Kind.TEXT:
            assert delta.text
            heard.lanes[lane] = heard.lanes.get(lane, "") + delta.text
        elif delta.kind == Kind.NOTE:
            heard.notes.append(json.loads(delta.text))
        elif delta.kind == Kind.ERROR:
            assert delta.text
            heard.errors.append(delta.text)
        elif delta.kind == Kind.USAGE:
            heard.usage |= json.loads(delta.text)
        elif delta.kind == Kind.END:
            heard.finishes.append(Finish(delta.finish))
            open_ = False
    assert not open_, "a stream without END"
    return heard


def lines(*events: object) -> bytes:
    """Events as JSON lines."""
    return b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events)


def sse(*events: object, named: bool = False) -> bytes:
    """Events as SSE, with their ``type`` as name if `named`."""
    head = b"event: %s\n" if named else b""
    return b"".join(
        (head % event["type"].encode() if named and isinstance(event, dict) else b"")
        + b"data: "
        + orjson.dumps(event)
        + b"\n\n"
        for event in events
    )


def recordings(folder: Path, *prefixes: str) -> list[Path]:
    """Recorded streams whose names begin so; there must be some."""
    found = [path for path in sorted(folder.joinpath("streams").iterdir()) if path.name.startswith(prefixes)]
    assert found, prefixes
    return found
