"""Deltas on standard input: a real pipe however it is cut, a file, lines that are none, a stop."""

from __future__ import annotations

import json
import os
import threading
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import _standard_input, ndjson_input
from connectors._stop import STOP
from connectors.ndjson_input import NdjsonSource
from operators.packet import Dead, Finish, Kind, Packet
from operators.slots import slot_key, slot_of

SLOTS = 4
KEYS = [slot_key(slot) for slot in range(SLOTS)]
PATIENCE = 20.0  # seconds


class _Reader:
    """The one partition, turned as a worker would turn it."""

    def __init__(self, **how: Any) -> None:
        source = NdjsonSource(KEYS, lambda stream: slot_of(stream, SLOTS), **how)
        assert source.list_parts() == ["ndjson"]
        self.part: Any = source.build_part("source", "ndjson", None)
        self.packets: list[Packet] = []

    def turn(self) -> bool:
        try:
            batch = self.part.next_batch()
        except StopIteration:
            return False
        for key, packet in batch:
            assert key == KEYS[packet.slot]
            self.packets.append(packet)
        return True

    def until(self, there: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not there():
            assert self.turn(), "the source is over"
            assert time.monotonic() < deadline, "it does not come"
            time.sleep(0.0002)

    def rest(self) -> _Reader:
        deadline = time.monotonic() + PATIENCE
        while self.turn():
            assert time.monotonic() < deadline, "the source does not end"
            time.sleep(0.0002)
        self.part.close()
        return self

    def said(self) -> dict[str, list[tuple[int, str, int]]]:
        """What each stream said, in order."""
        streams: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
        for packet in self.packets:
            for row in packet.deltas:
                stream = packet.lanes[row["lane"]].stream
                assert packet.slot == slot_of(stream, SLOTS)
                text = packet.text[row["start"] : row["end"]].decode()
                streams[stream].append((int(row["kind"]), text, int(row["finish"])))
        return dict(streams)

    def dead(self) -> list[Dead]:
        letters = [letter for packet in self.packets for letter in packet.dead]
        assert not any(packet.dead for packet in self.packets if packet.slot)
        return letters


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
        view = memoryview(piece)
        while view:
            view = view[os.write(end, view) :]
    os.close(end)


def _line(kind: str, stream: str, **rest: Any) -> bytes:
    return json.dumps({"type": kind, "stream": stream} | rest, ensure_ascii=False).encode() + b"\n"


def _text(stream: str, text: str) -> bytes:
    return _line("delta", stream, text=text)


def _read(data: bytes, cuts: Sequence[int] = (), **how: Any) -> _Reader:
    """What a pipe says that is written to in those pieces."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reading, writing = os.pipe()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_standard_input, "_STDIN", reading)
        pieces = [data[begin:end] for begin, end in pairwise(edges)]
        writer = threading.Thread(target=_write, args=(writing, *pieces))
        writer.start()
        reader = _Reader(**how).rest()
        writer.join()
    os.close(reading)
    return reader


STREAMS = st.sampled_from(["a", "b", "é-long name", "c" * 512, "\u2028", "😀"])
SAID = st.lists(
    st.tuples(STREAMS, st.text(st.characters(exclude_categories=["Cs"]), max_size=9)), max_size=30
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(SAID, st.lists(st.integers(0, 3000), max_size=6), st.integers(1, 5), st.booleans())
def test_every_stream_is_heard_in_order_however_the_pipe_is_cut(
    said: list[tuple[str, str]], cuts: list[int], batch: int, ended: bool
) -> None:
    data = b"".join(_text(stream, text) for stream, text in said)
    reader = _read(data if ended else data[:-1], cuts, batch=batch)
    wanted: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for stream, text in said:
        wanted[stream].append((Kind.TEXT, text, 0))
    assert reader.said() == wanted
    assert not reader.dead()
    assert all(len(packet.deltas) <= batch for packet in reader.packets)


def test_every_byte_may_come_alone() -> None:
    data = (
        _line("start", "é", provider="p", model="m") + _text("é", "ü😀") + _line("end", "é", finish="length")
    )
    assert _read(data, range(len(data))).said() == {
        "é": [
            (Kind.START, '{"provider":"p","model":"m"}', 0),
            (Kind.TEXT, "ü😀", 0),
            (Kind.END, "", Finish.LENGTH),
        ]
    }


def test_lines_of_another_system_and_empty_ones_are_lines_too() -> None:
    data = b"\r\n\n" + _text("a", "one")[:-1] + b"\r\n   \n" + _text("a", "two")
    reader = _read(data)
    assert reader.said() == {"a": [(Kind.TEXT, "one", 0), (Kind.TEXT, "two", 0)]}
    assert not reader.dead()


def test_a_line_that_cannot_be_read_is_a_dead_letter_with_its_number() -> None:
    bad = [b'{"type":"delta"', b"\xff\xfe", b'{"type":"delta","text":"x"}', b"{}"]
    data = b"".join(_text("a", str(n)) + b"\n" + line + b"\n" for n, line in enumerate(bad))
    everywhere: Sequence[int] = range(len(data))
    for cuts in ((), everywhere):
        reader = _read(data, cuts)
        assert [text for _, text, _ in reader.said()["a"]] == ["0", "1", "2", "3"]
        letters = reader.dead()
        assert [letter.offset for letter in letters] == [3, 6, 9, 12]
        assert [letter.data for letter in letters] == bad
        assert [letter.size for letter in letters] == [len(line) for line in bad]
        assert {letter.stream for letter in letters} == {""}
        assert "at `$`" not in letters[1].cause
        assert letters[2].cause == "stream: names of 1 to 512 characters"
        assert all(letter.cause for letter in letters)
        for packet in reader.packets:
            first, last = packet.origin
            assert all(first <= letter.offset <= last for letter in packet.dead)


@pytest.mark.parametrize("long", [1025, 70_000, 700_000])
@pytest.mark.parametrize("last", [False, True])
def test_a_line_that_is_too_long_is_told_with_its_beginning_and_its_size(long: int, last: bool) -> None:
    line = b'{"type":"delta","stream":"a","text":"' + bytes(97 + n % 26 for n in range(long - 39)) + b'"}'
    assert len(line) == long
    data = _text("a", "before") + line + (b"" if last else b"\n" + _text("a", "behind"))
    reader = _read(data, [30, 60, 1000], event_bytes=1024)
    heard = [text for _, text, _ in reader.said()["a"]]
    assert heard == (["before"] if last else ["before", "behind"])
    (letter,) = reader.dead()
    assert (letter.offset, letter.size) == (2, long)
    assert letter.cause == "a line of more than 1024 bytes (limits.event_bytes)"
    assert len(letter.data) >= 1024
    assert line.startswith(letter.data)


@pytest.mark.parametrize("cuts", [(), (5,), range(1100)])
def test_a_line_may_be_as_long_as_the_settings_say(cuts: Sequence[int]) -> None:
    head, tail = b'{"type":"delta","stream":"a","text":"', b'"}'
    line = head + b"x" * (1024 - len(head) - len(tail)) + tail
    reader = _read(line + b"\n" + line, cuts, event_bytes=1024)
    assert len(reader.said()["a"]) == 2
    assert not reader.dead()


def test_a_dead_letter_keeps_a_quarter_of_a_mebibyte_at_most() -> None:
    line = b"x" * (1 << 20)
    (letter,) = _read(line, event_bytes=1 << 21).dead()
    assert (letter.size, letter.data) == (1 << 20, line[: 256 * 1024])


def test_what_is_said_to_be_from_later_came_now() -> None:
    before = time.time_ns()
    reader = _read(_line("end", "a", at=2**62) + _line("end", "a", at=5) + _line("end", "a"))
    times = [int(at) for packet in reader.packets for at in packet.deltas["at"]]
    assert times[1] == 5
    assert all(before <= at <= time.time_ns() for at in (times[0], times[2]))
    assert all(packet.now >= packet.deltas["at"].max() for packet in reader.packets)


def test_what_comes_is_said_when_it_comes(pipe: int) -> None:
    reader = _Reader()
    os.write(pipe, _text("a", "one") + _text("a", "two")[:9])
    reader.until(reader.said)
    assert reader.said() == {"a": [(Kind.TEXT, "one", 0)]}
    os.write(pipe, _text("a", "two")[9:])
    reader.until(lambda: len(reader.said()["a"]) == 2)
    assert all(packet.arrived for packet in reader.packets if len(packet.deltas))
    os.close(pipe)
    reader.rest()


def test_a_pipe_that_is_silent_gives_every_slot_the_time(pipe: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson_input, "_TICK", 2_000_000)
    os.write(pipe, _text("a", "half a line")[:-4])
    reader = _Reader()
    reader.until(lambda: len(reader.packets) >= 3 * SLOTS)
    assert [packet.slot for packet in reader.packets[:SLOTS]] == list(range(SLOTS))
    assert not reader.said()
    for slot in range(SLOTS):
        times = [packet.now for packet in reader.packets if packet.slot == slot]
        assert min(later - sooner for sooner, later in pairwise(times)) >= 2_000_000
    os.close(pipe)
    reader.rest()
    assert len(reader.dead()) == 1


def test_a_stop_ends_the_source_while_it_waits(pipe: int) -> None:
    reader = _Reader()
    os.write(pipe, _text("a", "one"))
    reader.until(reader.said)
    STOP.set()
    reader.rest()
    assert reader.said() == {"a": [(Kind.TEXT, "one", 0)]}
    os.close(pipe)


def test_what_was_read_before_a_stop_is_said_and_only_a_line_that_it_cut_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(_standard_input, "_STDIN", reading)
    STOP.clear()
    line = _text("a", "x" * 211)
    wrote, full = 0, threading.Event()
    os.set_blocking(writing, False)

    def write() -> None:
        nonlocal wrote
        while not full.is_set():
            with suppress(BlockingIOError):
                whole = line[wrote % len(line) :] + line * 500
                wrote += os.write(writing, whole)

    writer = threading.Thread(target=write)
    writer.start()
    reader = _Reader()
    reader.until(reader.said)
    feed = reader.part._feed  # nobody takes from it now: it fills, and one more piece waits for room
    deadline = time.monotonic() + PATIENCE
    while len(feed._items) < 16:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    STOP.set()
    reader.rest()
    full.set()
    writer.join(PATIENCE)
    os.close(writing)
    left = 0
    while piece := os.read(reading, 1 << 20):
        left += len(piece)
    os.close(reading)
    STOP.clear()
    said = len(reader.said()["a"])
    cut = (wrote - left) % len(line)
    assert said == (wrote - left) // len(line) > 16 * (1 << 16) // len(line)
    assert not reader.dead()
    wanted = f"standard input: asked to end within line {said + 1}: its first {cut} bytes are left out"
    assert caplog.messages == ([wanted] if cut else [])


def test_the_end_of_the_input_ends_its_last_line_though_the_process_is_asked_to_end(pipe: int) -> None:
    reader = _Reader()
    os.write(pipe, _text("a", "one") + _text("a", "two")[:-1])
    os.close(pipe)
    deadline = time.monotonic() + PATIENCE
    while not reader.part._feed._over:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    STOP.set()
    reader.rest()
    assert [text for _, text, _ in reader.said()["a"]] == ["one", "two"]


def test_a_stop_ends_the_source_while_a_writer_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(_standard_input, "_STDIN", reading)
    STOP.clear()

    def write() -> None:
        with suppress(BrokenPipeError):
            while True:
                os.write(writing, _text("a", "and on"))

    writer = threading.Thread(target=write)
    writer.start()
    reader = _Reader()
    reader.until(lambda: len(reader.said().get("a", [])) > 100)
    STOP.set()
    reader.rest()
    STOP.clear()
    assert not reader.dead()  # the line that was not read to its end is left, not taken for broken
    os.close(reading)
    writer.join(PATIENCE)
    assert not writer.is_alive()
    os.close(writing)


def test_a_file_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    STOP.clear()
    file, lines = tmp_path / "in.ndjson", 20_000
    file.write_bytes(b"".join(_text(f"s{n % 50}", str(n)) for n in range(lines)))
    with file.open("rb") as opened:
        monkeypatch.setattr(_standard_input, "_STDIN", opened.fileno())
        reader = _Reader().rest()
    heard = reader.said()
    assert len(heard) == 50
    for number in range(50):
        assert [int(text) for _, text, _ in heard[f"s{number}"]] == list(range(number, lines, 50))
    assert max(packet.origin[1] for packet in reader.packets) == lines


def test_however_much_comes_little_of_it_is_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    STOP.clear()
    file, lines = tmp_path / "long.ndjson", 200_000
    with file.open("wb") as opened:  # 80 MB; one line of it without an end for 40
        for _ in range(lines // 1000):
            opened.write(_text("a", "x" * 160) * 1000)
        for _ in range(40):
            opened.write(b"y" * (1 << 20))
    with file.open("rb") as opened:
        monkeypatch.setattr(_standard_input, "_STDIN", opened.fileno())
        reader = _Reader()
        deltas = 0
        tracemalloc.start()
        while reader.turn():
            deltas += sum(len(packet.deltas) for packet in reader.packets)
            dead = reader.dead()
            reader.packets.clear()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        reader.part.close()
    assert deltas == lines
    assert [(letter.offset, letter.size) for letter in dead] == [(lines + 1, 40 << 20)]
    assert most < 16 << 20


def test_an_empty_pipe_says_nothing() -> None:
    reader = _read(b"")
    assert not reader.packets


def test_a_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ValueError, match="standard input is closed: there is nothing to read"):
        NdjsonSource(KEYS, lambda _: 0)
