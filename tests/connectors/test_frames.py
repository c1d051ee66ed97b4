"""Joined, the frames are the bytes; their events are those of the framing, wherever the bytes were cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._frames import Frame, SseFrames, WholeBody, rewritten
from connectors._sse import SseFraming
from tests.stages import cut

LINES = st.lists(
    st.sampled_from(
        [b"data: {}", b"data:", b"data: a\xc3\xa9", b"event: x", b": note", b"id: 1", b"retry: 2", b"", b""]
    ),
    max_size=12,
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def framed(data: bytes, places: list[int]) -> tuple[list[Frame], SseFrames]:
    frames = SseFrames()
    found = [frame for piece in cut(data, places) for frame in frames.receive_data(piece)]
    return found + frames.receive_eof(), frames


@given(LINES, ENDS, st.lists(st.integers(0, 120), max_size=6))
def test_nothing_is_lost_and_the_events_are_those_of_the_framing(
    lines: list[bytes], end: bytes, places: list[int]
) -> None:
    data = b"".join(line + end for line in lines)
    found, frames = framed(data, places)
    framing = SseFraming()
    assert b"".join(frame.raw for frame in found) == data
    assert [frame.event for frame in found if frame.event] == [
        *framing.receive_data(data), *framing.receive_eof(),
    ]  # fmt: skip
    assert not frames.failed


def test_recordings_are_whole(data_dir: Path) -> None:
    for path in data_dir.joinpath("streams").glob("*.sse"):
        data = path.read_bytes()
        for size in (1, 7, 4096, len(data)):
            assert b"".join(frame.raw for frame in framed(data, list(range(0, len(data), size)))[0]) == data


def test_what_stands_beside_an_event_is_told_apart() -> None:
    found, _ = framed(b": hello\nid: 7\ndata: {}\n\n: only this\n\ndata: {}\n\n", [])
    assert [frame.aside for frame in found] == [b": hello\nid: 7", b": only this", b""]


@pytest.mark.parametrize("data", [b"<html>\n\n", b"data: {}\nsecret words\n\n", b"other: 1\n\n"])
def test_lines_of_no_meaning_are_no_server_sent_events(data: bytes) -> None:
    _, frames = framed(data, [])
    assert frames.failed == "lines that are no server-sent events"


def test_an_event_beyond_the_limit_fails() -> None:
    frames = SseFrames(limit=100)
    frames.receive_data(b"data: " + b"x" * 200)
    assert "longer than 100 bytes" in frames.failed
    assert frames.receive_data(b"\n\n") == []


def test_an_object_that_is_sent_as_a_stream_is_one_frame() -> None:
    body = b' {"error":\n\n {"code": 400}}'
    assert framed(body, [3, 9])[0] == [Frame(body, ("", body))]


def test_a_body_is_one_frame_and_bounded() -> None:
    whole = WholeBody(10)
    assert whole.receive_data(b"01234") == []
    assert whole.receive_data(b"56789") == []
    assert whole.receive_eof() == [Frame(b"0123456789", ("", b"0123456789"))]
    whole.receive_data(b"x" * 11)
    assert whole.failed == "body longer than 10 bytes"
    assert whole.receive_eof() == []


@given(LINES, ENDS)
def test_what_is_rewritten_is_one_line_and_all_others_stay(lines: list[bytes], end: bytes) -> None:
    data = b"".join(line + end for line in lines)
    for frame in framed(data, [])[0]:
        if frame.event:
            again = rewritten(frame.raw, frame.event[1], b'{"new": 1}')
            assert [each.event for each in framed(again, [])[0] if each.event] == [
                (frame.event[0], b'{"new": 1}')
            ]
            assert framed(again, [])[0][-1].aside == frame.aside
