"""Which framing the first bytes tell, and that nothing is lost while they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._decoder import Event
from connectors._frame import FrameFraming
from connectors._json_array import JsonArrayFraming
from connectors._lines import CassetteFraming, LineFraming
from connectors._sniff import SniffedFraming
from connectors._sse import SseFraming
from tests.connectors.cutting import CUTS, cut, frames, pieces
from tests.connectors.test_frame import WIRE as FRAMES

SSE = b"event: a\r\ndata: {}\r\n\r\ndata: [DONE]\r\n\r\n"
LINES = b'{"a":1}\n{"b":2}\n'
PRETTY = b'{\n  "error": {\n    "code": 400\n  }\n}\n'
ARRAY = b'[{\n  "a": 1\n}\n,\n{"b": 2}\n]\n'
CASSETTE = b'{"direction":"sent","data":{}}\n{"direction":"received","data":{"a":1}}\n'


@pytest.mark.parametrize(
    ("wire", "found"),
    [
        (SSE, SseFraming),
        (b": comment\n\ndata: x\n\n", SseFraming),
        (b"\n\nid: 1\ndata: x\n\n", SseFraming),
        (b"retry: 1\n\n", SseFraming),
        (b"\xef\xbb\xbfdata: x\n\n", SseFraming),
        (b"data\n\n", SseFraming),
        (LINES, LineFraming),
        (b'  {"a":1}\n', LineFraming),
        (b'{"a":1}', LineFraming),
        (CASSETTE, CassetteFraming),
        (b'{"kind":"close"}\n', CassetteFraming),
        (b'{"at":0.1,"data":{}}\n', CassetteFraming),
        (PRETTY, JsonArrayFraming),
        (ARRAY, JsonArrayFraming),
        (b"\xef\xbb\xbf[]", JsonArrayFraming),
        (FRAMES, FrameFraming),
    ],
)
def test_bytes_get_the_framing_they_have(wire: bytes, found: type) -> None:
    plain = frames(found(), [wire])
    for parts in ([wire], pieces(wire, 1), pieces(wire, 3)):
        framing = SniffedFraming()
        assert frames(framing, parts) == plain
        assert type(framing._found) is found


@pytest.mark.parametrize(
    "wire", [b"Hello", b"<!DOCTYPE html>", b"database: x\n", b"dat", b"\xef\xbb", b"\xef\xbb\xbf-"]
)
def test_bytes_without_a_framing_are_a_fault(wire: bytes) -> None:
    expected: tuple[list[Event], str] = ([], "the bytes are no SSE, no JSON and no event-stream frames")
    assert frames(SniffedFraming(), [wire]) == expected
    assert frames(SniffedFraming(), pieces(wire, 1)) == expected


@pytest.mark.parametrize("wire", [b"", b" \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_nothing_is_no_fault(wire: bytes) -> None:
    assert frames(SniffedFraming(), pieces(wire, 1)) == ([], "")


@given(
    st.sampled_from([SSE, LINES, PRETTY, ARRAY, CASSETTE, FRAMES, b"\xef\xbb\xbf" + LINES, b"eve\n"]),
    st.binary(max_size=8),
    st.integers(0, 60),
    CUTS,
    st.integers(0, 300),
)  # fmt: skip
def test_any_bytes_are_framed_alike_in_any_pieces(
    wire: bytes, noise: bytes, place: int, cuts: list[int], limit: int
) -> None:
    wire = wire[:place] + noise + wire[place:]
    whole = frames(SniffedFraming(limit), [wire])
    assert frames(SniffedFraming(limit), cut(wire, cuts)) == whole
    assert frames(SniffedFraming(limit), pieces(wire, 1)) == whole


def test_first_event_is_given_as_soon_as_its_framing_could() -> None:
    framing = SniffedFraming()
    assert framing.receive_data(b"data: x\n") == []
    assert framing.receive_data(b"\n") == [("", b"x")]
    framing = SniffedFraming()
    assert framing.receive_data(b'{"a":1}') == []
    assert framing.receive_data(b"\n") == [("", b'{"a":1}')]


def test_recordings_have_the_framing_of_their_suffix(data_dir: Path) -> None:
    suffixes = {
        ".sse": SseFraming,
        ".ndjson": LineFraming,
        ".jsonl": LineFraming,
        ".eventstream": FrameFraming,
    }
    bare = {"gemini-generate-12.sse", "vertex-generate-03.sse"}  # error bodies that came instead of streams
    seen = 0
    for path in sorted(data_dir.joinpath("streams").glob("*-*-??.*")):
        if path.suffix in suffixes and path.name not in bare:
            framing = SniffedFraming()
            framing.receive_data(path.read_bytes())
            framing.receive_eof()
            assert type(framing._found) is suffixes[path.suffix], path.name
            seen += 1
    assert seen > 300
