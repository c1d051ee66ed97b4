"""Whatever a provider sends, wherever a match stands in it: it does not leave, and nothing raises."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors._leaves import leaves
from connectors._sse import SseFraming
from tests.connectors.answers import policy
from tests.judging import Judged

SECRET = "jane.doe@example.com"
DIALECTS = ("chat", "responses", "messages", "generate")


def events_of(data: bytes) -> list[tuple[str, Any]]:
    framing, found = SseFraming(), []
    for name, payload in [*framing.receive_data(data), *framing.receive_eof()]:
        try:
            found.append((name, orjson.loads(payload)))
        except orjson.JSONDecodeError:
            found.append((name, payload))
    return found


def wire(events: list[tuple[str, Any]]) -> bytes:
    return b"".join(
        (b"event: %s\n" % name.encode() if name else b"")
        + b"data: "
        + (event if isinstance(event, bytes) else orjson.dumps(event))
        + b"\n\n"
        for name, event in events
    )


def recordings(data_dir: Path, dialect: str) -> list[Path]:
    found = sorted(data_dir.joinpath("streams").glob(f"*-{dialect}-*.sse"))
    return [path for path in found if not path.name.startswith(("cohere", "ollama", "watsonx"))]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_match_in_any_string_of_any_frame_does_not_leave(data_dir: Path, dialect: str) -> None:
    chance = random.Random(dialect)
    masked = 0
    for path in chance.sample(recordings(data_dir, dialect), min(12, len(recordings(data_dir, dialect)))):
        for _ in range(4):
            events = events_of(path.read_bytes())[:60]
            places = [leaf for _, event in events if isinstance(event, dict) for leaf in leaves(event)]
            places = [leaf for leaf in places if not leaf.document]
            for leaf in chance.sample(places, min(3, len(places))):
                said, at = leaf.holder[leaf.place], chance.randrange(len(leaf.text) + 1)
                leaf.holder[leaf.place] = f"{said[:at]} {SECRET} {said[at:]}"
            left = Judged(policy(), dialect).whole(wire(events))
            assert SECRET.encode() not in left, path.name
            masked += b"[MAIL]" in left
    assert masked > 20


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_match_that_is_cut_over_the_frames_of_a_new_field_does_not_leave(
    data_dir: Path, dialect: str
) -> None:
    chance = random.Random(dialect)
    path = max(recordings(data_dir, dialect), key=lambda each: each.stat().st_size)
    events = [each for each in events_of(path.read_bytes())[:80] if isinstance(each[1], dict)]
    whole = f"write to {SECRET} now "
    cuts = sorted(chance.sample(range(1, len(whole)), min(7, len(events) - 1)))
    for (_, event), begin, end in zip(events, [0, *cuts], [*cuts, len(whole)], strict=False):
        event["something_new"] = whole[begin:end]
    left = Judged(policy(), dialect).whole(wire(events))
    said = "".join(event.get("something_new", "") for _, event in events_of(left) if isinstance(event, dict))
    assert SECRET not in said


@pytest.mark.parametrize("dialect", DIALECTS)
def test_damaged_streams_never_raise_and_never_leave_unread(data_dir: Path, dialect: str) -> None:
    chance = random.Random(dialect)
    for path in chance.sample(recordings(data_dir, dialect), min(10, len(recordings(data_dir, dialect)))):
        data = bytearray(path.read_bytes()[:20_000])
        for _ in range(chance.randrange(1, 12)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = bytes(
                chance.randrange(256) for _ in range(chance.randrange(4))
            )
        answer = Judged(policy(), dialect)
        left = answer.whole(bytes(data), range(0, len(data), 313))
        if not answer.relay.fault and b"[MAIL]" not in left:
            assert left == bytes(data)
        assert answer.relay.fault or answer.relay.empty
