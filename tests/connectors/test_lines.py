"""JSON lines and recorders' rows."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from connectors._lines import CassetteFraming, LineFraming
from tests.connectors.cutting import CUTS, cut, frames, pieces

WIRE = st.lists(
    st.sampled_from([b'{"a":1}', b"[]", b"\n", b"\r\n", b"\n\n", b"  ", b"no JSON", b"\xff", b"\r"]),
    max_size=24,
).map(b"".join)


def test_lines_are_events_without_their_ends() -> None:
    wire = b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}\n{"c":3}'
    expected = [("", b'{"a":1}'), ("", b'{"b":2}'), ("", b'{"c":3}')]
    assert frames(LineFraming(), [wire]) == (expected, "")


@given(WIRE, CUTS, st.integers(0, 30))
def test_any_cutting_gives_the_same_lines_and_the_same_fault(
    wire: bytes, cuts: list[int], limit: int
) -> None:
    whole = frames(LineFraming(limit), [wire])
    assert frames(LineFraming(limit), cut(wire, cuts)) == whole
    assert frames(LineFraming(limit), pieces(wire, 1)) == whole
    if not whole[1]:
        assert [payload for _, payload in whole[0]] == [
            line.strip() for line in wire.split(b"\n") if line.strip()
        ]


def test_line_longer_than_the_limit_ends_the_reading() -> None:
    events, failed = frames(LineFraming(4), [b"1\n12345\n2\n"])
    assert events == [("", b"1")]
    assert failed == "line longer than 4 bytes"


def test_cassette_gives_what_was_received_and_the_close() -> None:
    rows = [
        {"direction": "sent", "data": {"type": "question"}},
        {"direction": "received", "data": {"type": "answer", "text": "é"}},
        {"kind": "close", "code": 1000},
        {"at": 0.5, "data": {"timed": True}},
        {"at": 0.6, "data": "[DONE]"},
    ]
    wire = "\n".join(json.dumps(row) for row in rows).encode()
    events, failed = frames(CassetteFraming(), pieces(wire, 3))
    assert [(name, json.loads(payload)) for name, payload in events[:-1]] == [
        ("", {"type": "answer", "text": "é"}),
        ("close", rows[2]),
        ("", {"timed": True}),
    ]
    assert events[-1] == ("", b"[DONE]")
    assert failed == ""


def test_cassette_gives_rows_it_does_not_know_as_they_stand() -> None:
    wire = b'no row\n[1]\n{"x":1}\n'
    assert frames(CassetteFraming(), [wire]) == ([("", b"no row"), ("", b"[1]"), ("", b'{"x":1}')], "")


def test_cassette_fails_as_its_lines_do() -> None:
    assert frames(CassetteFraming(3), [b"12345\n"]) == ([], "line longer than 3 bytes")
