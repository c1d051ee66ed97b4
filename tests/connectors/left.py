"""Beginnings of recorded streams: what has left towards a client when we end a stream.

A recording is cut behind each of its frames (behind some, where there are many), and the ending of its API
is told what is before the cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from connectors._decoder import Event
from connectors._ending import Call, SseEnding, open_ending
from connectors._last_frames import DONE
from connectors._sniff import SniffedFraming

CALL = Call("test", "asked-model", 1_700_000_000)
END_WAYS: dict[str, Callable[[SseEnding], bytes]] = {
    "blocked": lambda ending: ending.blocked(),
    "told why": lambda ending: ending.blocked("Not here."),
    "truncated": lambda ending: ending.truncated(),
}


def events_of(path: Path) -> list[Event]:
    """The frames of a recording, in any of its framings."""
    data = path.read_bytes()
    if path.suffix == ".jsonl":
        return [("", line) for line in data.splitlines()]
    framing = SniffedFraming()
    events = framing.receive_data(data) + framing.receive_eof()
    assert not framing.failed, path.name
    if path.suffix == ".json":  # an array over many lines, which is no SSE
        return [(name, json.dumps(json.loads(payload)).encode()) for name, payload in events]
    return events


def cuts(events: list[Event]) -> Iterator[list[Event]]:
    """Beginnings of `events`, from none of them to all: every one of up to 12, else 12 and the outermost."""
    many = len(events)
    step = max(1, many // 12)
    for cut in range(many + 1):
        if cut % step == 0 or cut < 3 or many - cut < 4:
            yield events[:cut]


def told(api: str, events: list[Event]) -> SseEnding:
    """The ending of a stream of which `events` have left."""
    ending = open_ending(api, CALL)
    for name, payload in events:
        if payload == DONE[1]:
            ending.passed_text(payload, 1)
        else:
            ending.passed(name, json.loads(payload))
    return ending


def named(events: list[Event]) -> list[Event]:
    """Events under the name that is their type, as the API frames them."""
    return [
        (name or (json.loads(payload)["type"] if payload != DONE[1] else ""), payload)
        for name, payload in events
    ]


def said(wire: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The events of an ending, ``[DONE]`` left out."""
    framing = SniffedFraming()
    events = framing.receive_data(wire) + framing.receive_eof()
    return [(name, json.loads(payload)) for name, payload in events if payload != DONE[1]]
