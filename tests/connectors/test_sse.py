"""SSE: the standard's own examples, a slow twin that reads line by line, and every way to cut."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors._decoder import Event
from connectors._sse import SseFraming
from tests.connectors.cutting import CUTS, cut, frames, pieces

LINES = b"""data: a|data:b|data|data:  c|data: {}|dat: a|event: x|event:|event: data: d|id: 1|id: \0|\
retry: 50|retry: 5x|: note|:|junk|||"""
LINE = st.sampled_from(LINES.split(b"|"))
END = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])
STREAM = st.lists(st.tuples(LINE, END), max_size=24).map(lambda rows: b"".join(b"".join(row) for row in rows))


def strict(framing: SseFraming, data: bytes) -> list[tuple[str, str, str]]:
    """Events as the standard dispatches them, each with the id it carries."""
    return [
        (name or "message", payload.decode("utf-8", "replace"), framing.last_event_id)
        for piece in pieces(data, 1)
        for name, payload in framing.receive_data(piece)
    ]


def by_the_letter(data: bytes) -> list[Event]:
    """Section 9.2.6 as it is written: a buffer for data, a buffer for the name, one line at a time."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    events: list[Event] = []
    name, said = b"", b""
    for line in [*data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1], None]:
        if line is None or not line:
            if said:
                events.append((name.decode("utf-8", "replace"), said[:-1]))
            name, said = b"", b""
            continue
        field, colon, value = line.partition(b":")
        if colon and value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            said += value + b"\n"
        elif field == b"event":
            name = value
    return events


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
        (
            b": test\n\ndata: first\nid: 1\n\ndata:second\nid\n\n",
            [("message", "first", "1"), ("message", "second", "")],
        ),
        (b"data\n\ndata\ndata\n\ndata:\n", [("message", "", ""), ("message", "\n", "")]),
        (b"data:test\n\ndata: test\n\n", [("message", "test", ""), ("message", "test", "")]),
        (b"event: add\r\ndata: 73857293\r\n\r\n", [("add", "73857293", "")]),
        (b"data: A\rdata: B\r\n\rdata: C\n\n", [("message", "A\nB", ""), ("message", "C", "")]),
        (b"event: lost\n\ndata: kept\n\n", [("message", "kept", "")]),
        (b"id: 7\nid: b\0d\ndata: x\n\n", [("message", "x", "7")]),
        (b"\xef\xbb\xbfdata: x\n\n", [("message", "x", "")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\ndata: y\n\n", [("message", "y", "")]),
        (b"Data: x\n data: y\ndata: z\n\n", [("message", "z", "")]),
        (b"data: \xff\n\n", [("message", "\ufffd", "")]),
    ],
)
def test_standard_examples_give_the_standard_events(
    wire: bytes, expected: list[tuple[str, str, str]]
) -> None:
    assert strict(SseFraming(), wire) == expected


def test_conformance_facts_of_other_parsers_hold(data_dir: Path) -> None:
    rows = data_dir.joinpath("streams", "sse-conformance.jsonl").read_bytes().splitlines()
    assert rows
    for row in map(json.loads, rows):
        wire = b"".join(base64.b64decode(chunk) for chunk in row["chunks_b64"])
        framing = SseFraming()
        expected = [(event["event"], event["data"], event["last_event_id"]) for event in row["expected"]]
        assert strict(framing, wire) == expected, row["name"]
        assert framing.retry == row["expected_retry_ms"], row["name"]


@given(STREAM, CUTS)
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [8, 9])
@example(b"data: a\n\n\ndata: b\n\n", [9])
def test_any_cutting_agrees_with_reading_by_the_letter(wire: bytes, cuts: list[int]) -> None:
    expected = by_the_letter(wire + b"\n")
    assert frames(SseFraming(), [wire + b"\n"]) == (expected, "")
    assert frames(SseFraming(), cut(wire + b"\n", cuts)) == (expected, "")
    assert frames(SseFraming(), pieces(wire + b"\n", 1)) == (expected, "")


@given(STREAM, CUTS, st.integers(0, 30))
def test_limit_strikes_at_the_same_event_however_it_is_cut(wire: bytes, cuts: list[int], limit: int) -> None:
    whole = frames(SseFraming(limit), [wire])
    assert frames(SseFraming(limit), cut(wire, cuts)) == whole
    assert frames(SseFraming(limit), pieces(wire, 1)) == whole


def test_limit_is_the_longest_event_that_passes() -> None:
    event = b"data: 12345"
    assert frames(SseFraming(len(event)), [event + b"\n\n"]) == ([("", b"12345")], "")
    events, failed = frames(SseFraming(len(event) - 1), [b"data: 1\n\n", event + b"\n\n", b"data: 2\n\n"])
    assert events == [("", b"1")]
    assert failed == "event longer than 10 bytes"


def test_line_of_twenty_megabytes_is_not_kept() -> None:
    framing = SseFraming()
    for _ in range(20):
        framing.receive_data(b"x" * (1 << 20))
    assert framing.failed
    assert framing.receive_data(b"\n\ndata: later\n\n") == []


def test_long_event_in_small_reads_takes_time_in_proportion() -> None:
    framing = SseFraming(1 << 22)
    begin = time.perf_counter()
    for piece in pieces(b"data: " + b"x" * (1 << 20) + b"\n\n", 4):
        events = framing.receive_data(piece)
    assert len(events) == 1
    # joining at every read would copy 131 GB
    assert time.perf_counter() - begin < 10


def test_last_event_without_its_blank_line_is_delivered_at_the_end() -> None:
    framing = SseFraming()
    assert framing.receive_data(b"data: 1\n\nevent: e\ndata: 2") == [("", b"1")]
    assert framing.receive_eof() == [("e", b"2")]
    assert framing.receive_eof() == []


def test_end_without_data_delivers_nothing() -> None:
    assert frames(SseFraming(), [b"data: 1\n\nevent: e\nid: 4"]) == ([("", b"1")], "")


def test_retry_takes_digits_only() -> None:
    framing = SseFraming()
    framing.receive_data(b"retry: 1500\n\nretry: 15e2\n\nretry: \n\nretry: 99999999999999999999\n\n")
    assert framing.retry == 1500
