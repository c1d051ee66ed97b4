"""Standard input as a pipe, a file, a terminal; a stop while it waits."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from connectors import _standard_input, stdin
from connectors._stop import STOP
from connectors.stdin import StdinSource
from operators.packet import Finish, Kind, Packet
from tests.connectors.test_replay import chat


class _Reader:
    """The one partition, turned as a worker would turn it."""

    def __init__(self, **how: Any) -> None:
        self.part: Any = StdinSource("stdin", "00", 3, **how).build_part("source", "00", None)
        self.said: list[tuple[str, int, str, int]] = []
        self.sizes: list[int] = []

    def turn(self) -> bool:
        try:
            batch = self.part.next_batch()
        except StopIteration:
            return False
        for key, packet in batch:
            assert (key, packet.slot) == ("00", 3)
            self.sizes.append(len(packet.deltas))
            self.said += _said(packet)
        return True

    def rest(self, seconds: float = 10.0) -> list[tuple[str, int, str, int]]:
        deadline = time.monotonic() + seconds
        while self.turn():
            assert time.monotonic() < deadline, "the source does not end"
            time.sleep(0.0002)
        self.part.close()
        return self.said

    def text(self) -> str:
        return "".join(text for _, kind, text, _ in self.said if kind == Kind.TEXT)


def _said(packet: Packet) -> list[tuple[str, int, str, int]]:
    deltas = packet.deltas
    return [
        (packet.lanes[row["lane"]].stream, int(row["kind"]),
         packet.text[row["start"] : row["end"]].decode(), int(row["finish"]))
        for row in deltas
    ]  # fmt: skip


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The writing end of a pipe that stands for standard input."""
    reading, writing = os.pipe()
    monkeypatch.setattr(_standard_input, "_STDIN", reading)
    STOP.clear()
    yield writing
    STOP.clear()
    os.close(reading)


def _write(end: int, *pieces: bytes) -> None:
    for piece in pieces:
        os.write(end, piece)
    os.close(end)


def test_a_pipe_is_one_stream_with_a_start_and_an_end(pipe: int) -> None:
    _write(pipe, b"hello there")
    said = _Reader(api="text").rest()
    assert said == [
        ("stdin", Kind.START, '{"provider":"text","model":""}', 0),
        ("stdin", Kind.TEXT, "hello", 0), ("stdin", Kind.TEXT, " there", 0),
        ("stdin", Kind.END, "", Finish.STOP),
    ]  # fmt: skip


def test_what_comes_is_said_when_it_comes(pipe: int) -> None:
    reader = _Reader(api="text")
    for piece, text in ((b"one two ", "one two"), (b"three ", "one two three")):
        os.write(pipe, piece)
        deadline = time.monotonic() + 5
        while reader.text() != text:
            assert reader.turn()
            assert time.monotonic() < deadline
    os.close(pipe)
    reader.rest()
    assert reader.text() == "one two three "


def test_an_empty_pipe_is_an_empty_stream(pipe: int) -> None:
    os.close(pipe)
    assert [kind for _, kind, _, _ in _Reader(api="text").rest()] == [Kind.START, Kind.END]


def test_a_second_response_on_the_pipe_has_a_number(pipe: int) -> None:
    event = b'{"type":"response.created","response":{"model":"m"}}\n{"type":"response.done","response":{}}\n'
    _write(pipe, event * 2)
    streams = [stream for stream, kind, _, _ in _Reader(api="openai-realtime").rest() if kind == Kind.START]
    assert streams == ["stdin", "stdin#2"]


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_the_wire_format_is_found_out_however_the_pipe_is_cut(pipe: int, size: int) -> None:
    body = chat("Hé ", "du 😀")
    reader = _Reader()
    writer = threading.Thread(
        target=_write, args=(pipe, *(body[at : at + size] for at in range(0, len(body), size)))
    )
    writer.start()
    reader.rest()
    writer.join()
    assert reader.text() == "Hé du 😀"


def test_a_file_is_read_to_its_end_piece_by_piece(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    STOP.clear()
    file = tmp_path / "long.txt"
    text = "word " * 100_000
    file.write_text(text, encoding="utf-8")
    with file.open("rb") as opened:
        monkeypatch.setattr(_standard_input, "_STDIN", opened.fileno())
        reader = _Reader(api="text", batch=100)
        reader.rest()
    assert reader.text() == text
    assert max(reader.sizes) == 100


def test_a_pipe_stays_as_blocking_as_it_was(pipe: int) -> None:
    _write(pipe, b"x")
    _Reader(api="text").rest()
    assert os.get_blocking(_standard_input._STDIN)


def test_chunks_recut_the_text(pipe: int) -> None:
    _write(pipe, b"one two three")
    said = _Reader(api="text", chunk=4).rest()
    assert [text for _, kind, text, _ in said if kind == Kind.TEXT] == ["one ", "two ", "thre", "e"]


def test_a_writer_is_not_read_faster_than_the_flow_takes(pipe: int) -> None:
    os.set_blocking(pipe, False)
    reader, written = _Reader(api="text"), 0
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        try:
            written += os.write(pipe, b"word " * 1000)
        except BlockingIOError:
            time.sleep(0.01)
    assert written < (16 + 4) * _standard_input._READ  # the feed, the pipe, and what is on its way
    os.close(pipe)
    reader.rest()
    assert len(reader.text()) == written


def test_a_stop_ends_the_source_while_it_waits(pipe: int) -> None:
    reader = _Reader(api="text")
    os.write(pipe, b"half a wor")
    while not reader.said:
        assert reader.turn()
    STOP.set()
    said = reader.rest(seconds=1.0)
    assert said[-1] == ("stdin", Kind.END, "", Finish.TRUNCATED)
    assert reader.text() == "half a wor"
    os.close(pipe)


def test_a_stop_ends_the_source_while_a_writer_never_does(pipe: int) -> None:
    def write() -> None:
        try:
            while True:
                os.write(pipe, b"and on ")
        except OSError:
            pass

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    reader = _Reader(api="text")
    while len(reader.said) < 100:
        assert reader.turn()
    STOP.set()
    said = reader.rest(seconds=2.0)
    assert said[-1][1] == Kind.END
    os.set_blocking(_standard_input._STDIN, False)
    os.close(pipe)


def test_a_wrong_api_and_a_closed_standard_input_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no API is named 'telepathy'"):
        StdinSource("stdin", "00", 0, api="telepathy")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ValueError, match="standard input is closed"):
        StdinSource("stdin", "00", 0)


def test_an_event_may_be_as_large_as_the_settings_say(pipe: int) -> None:
    _write(pipe, chat("x" * 5000))
    said = _Reader(event_bytes=2048).rest()
    assert Kind.ERROR in [kind for _, kind, _, _ in said]
    assert not [text for _, kind, text, _ in said if kind == Kind.TEXT]


def test_a_pipe_that_is_silent_gives_the_time(pipe: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdin, "_TICK", 5_000_000)
    os.write(pipe, b"now")
    part: Any = StdinSource("stdin", "00", 0, api="text").build_part("source", "00", None)
    packets: list[Packet] = []
    deadline = time.monotonic() + 10
    while len(packets) < 5:
        assert time.monotonic() < deadline
        packets += [packet for _, packet in part.next_batch()]
    part.close()
    os.close(pipe)
    times = [packet.now for packet in packets if not len(packet.deltas)]
    assert len(times) >= 3
    assert min(later - sooner for sooner, later in pairwise(times)) >= 5_000_000


def test_what_came_at_once_is_not_late_because_it_is_handed_out_in_pieces(pipe: int) -> None:
    _write(pipe, b"abcdefgh")
    part: Any = StdinSource("stdin", "00", 0, api="text", chunk=1, batch=3).build_part("source", "00", None)
    packets: list[Packet] = []
    with suppress(StopIteration):
        while True:
            packets += [packet for _, packet in part.next_batch() if len(packet.deltas)]
            time.sleep(0.01)
    part.close()
    said = [packet for packet in packets if (packet.deltas["kind"] == Kind.TEXT).any()]
    assert len(said) >= 3
    assert {int(packet.now) for packet in said[:2]} == {int(said[0].deltas["at"].max())}


def test_deltas_carry_the_time_of_day(pipe: int) -> None:
    _write(pipe, b"now")
    part: Any = StdinSource("stdin", "00", 0, api="text").build_part("source", "00", None)
    before, packets = time.time_ns(), list[Packet]()
    while not packets:
        packets = [packet for _, packet in part.next_batch()]
    part.close()
    assert before - 10**9 < packets[0].deltas["at"][0] <= time.time_ns()
