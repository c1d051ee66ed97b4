"""Amazon event-stream frames, built here by the specification and broken in every byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._frame import FrameFraming
from tests.connectors.cutting import CUTS, cut, frames, pieces


def header(name: str, value: str | int | bytes) -> bytes:
    head = bytes([len(name)]) + name.encode()
    if isinstance(value, int):
        return head + b"\x04" + struct.pack(">i", value)
    raw = value if isinstance(value, bytes) else value.encode()
    return head + (b"\x06" if isinstance(value, bytes) else b"\x07") + struct.pack(">H", len(raw)) + raw


def frame(payload: bytes, **headers: str | int | bytes) -> bytes:
    """One frame; in header names ``_`` stands for ``-``, and the colon is put in front."""
    block = b"".join(header(":" + name.replace("_", "-"), value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event(payload: bytes, kind: str = "chunk") -> bytes:
    return frame(payload, event_type=kind, content_type="application/json", message_type="event")


WIRE = event(b'{"a":1}', "messageStart") + event(b"", "ping") + event(b'{"b":2}')
EVENTS = [("messageStart", b'{"a":1}'), ("ping", b""), ("chunk", b'{"b":2}')]


@given(CUTS)
def test_frames_are_events_however_they_are_cut(cuts: list[int]) -> None:
    assert frames(FrameFraming(), cut(WIRE, cuts)) == (EVENTS, "")
    assert frames(FrameFraming(), pieces(WIRE, 1)) == (EVENTS, "")


def test_exception_is_named_by_its_type() -> None:
    wire = frame(b'{"message":"slow"}', exception_type="throttlingException", message_type="exception")
    assert frames(FrameFraming(), [wire]) == ([("throttlingException", b'{"message":"slow"}')], "")


def test_error_message_of_the_headers_becomes_the_payload() -> None:
    wire = frame(b"", message_type="error", error_code="InternalError", error_message="broken")
    events, _ = frames(FrameFraming(), [wire])
    assert events == [("InternalError", b'{"message":"broken"}')]


def test_headers_of_other_types_are_passed_over() -> None:
    wire = frame(b"{}", number=5, blob=b"\0\1", event_type="chunk")
    assert frames(FrameFraming(), [wire]) == ([("chunk", b"{}")], "")


@given(st.integers(0, len(WIRE) - 1), st.integers(1, 255), CUTS)
def test_one_wrong_byte_is_noticed_and_nothing_behind_it_believed(
    place: int, change: int, cuts: list[int]
) -> None:
    wire = bytearray(WIRE)
    wire[place] ^= change
    whole = frames(FrameFraming(), [bytes(wire)])
    assert whole[1].startswith("event-stream frame")
    assert whole[0] == EVENTS[: len(whole[0])]
    assert len(whole[0]) < len(EVENTS)
    assert frames(FrameFraming(), cut(bytes(wire), cuts)) == whole


def test_frame_longer_than_the_limit_ends_the_reading() -> None:
    small = event(b"{}")
    wire = small + event(b'{"text": "0123456789"}')
    assert frames(FrameFraming(len(small)), [wire]) == (
        [("chunk", b"{}")],
        f"event-stream frame longer than {len(small)} bytes",
    )


@pytest.mark.parametrize("block", [b"\x05ab", b"\x01a\x63", b"\x01a\x07\x00\x09x", b"\x01a"])
def test_headers_that_cannot_be_read_end_the_reading(block: bytes) -> None:
    prelude = struct.pack(">II", 16 + len(block), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block
    wire = message + struct.pack(">I", zlib.crc32(message))
    assert frames(FrameFraming(), [wire]) == ([], "event-stream frame with headers that cannot be read")


def test_headers_longer_than_their_frame_end_the_reading() -> None:
    prelude = struct.pack(">II", 20, 500)
    wire = prelude + struct.pack(">I", zlib.crc32(prelude)) + bytes(8)
    assert frames(FrameFraming(), [wire]) == ([], "event-stream frame whose headers do not fit into it")


def test_frame_cut_short_is_given_unread() -> None:
    assert frames(FrameFraming(), [WIRE + WIRE[:20]]) == ([*EVENTS, ("", WIRE[:20])], "")


def test_recorded_frames_are_named_json(data_dir: Path) -> None:
    recorded = sorted(data_dir.joinpath("streams").glob("*.eventstream"))
    assert recorded
    for path in recorded:
        events, failed = frames(FrameFraming(), [path.read_bytes()])
        assert failed == ""
        assert events
        for name, payload in events:
            assert name
            assert isinstance(orjson.loads(payload), dict)
