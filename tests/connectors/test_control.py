"""Orders to a running job: read once each, in order, whole lines only, never at the expense of a stream."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main

from connectors import control
from connectors.control import ControlledSource, Orders
from connectors.replay import ReplayConfig, ReplaySource
from operators.packet import Packet, Shape


def read(line: bytes) -> Shape:
    """``name value``: a shape of that one value."""
    name, value = line.split()
    return Shape(name.decode(), 0, (float(value),), 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders"


def names(orders: Orders) -> list[str]:
    return [shape.name for shape in orders.take()]


def test_each_order_is_heard_once_and_in_order(file: Path) -> None:
    orders = Orders(str(file), read)
    assert names(orders) == []  # no file yet
    file.write_bytes(b"a 1\n\nb 2\n")
    assert names(orders) == ["a", "b"]
    assert names(orders) == []
    with file.open("ab") as more:
        more.write(b"c 3\nd ")
    assert names(orders) == ["c"]  # d is not whole yet
    with file.open("ab") as more:
        more.write(b"4\n")
    assert names(orders) == ["d"]
    again = Orders(str(file), read)
    again.place = orders.place
    assert names(again) == []
    assert names(Orders(str(file), read)) == ["a", "b", "c", "d"]


def test_a_wrong_line_is_said_once_with_its_place_and_stops_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(b"a 1\nwrong\nb x\nc 3\n")
    told: set[str] = set()
    for _ in range(3):  # as many slots
        assert names(Orders(str(file), read, told)) == ["a", "c"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert f"{file}: byte 4: " in said[0]
    assert "could not convert" in said[1]


@pytest.mark.parametrize("fill", [b"x", b" "])
def test_of_a_line_without_end_nothing_is_taken_for_an_order(
    fill: bytes, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_MOST_BYTES", 16)
    orders = Orders(str(file), read)
    file.write_bytes(fill * 32 + b"evil 3")
    assert names(orders) == []
    with file.open("ab") as more:
        more.write(b"\na 1\n")
    assert names(orders) == ["a"]
    (record,) = caplog.records
    assert "byte 0: a line of more than 16 bytes" in record.getMessage()


def test_a_long_file_is_heard_a_look_at_a_time(file: Path) -> None:
    file.write_bytes(b"".join(b"n%d 0\n" % number for number in range(3000)))
    orders = Orders(str(file), read)
    looks = [len(names(orders)) for _ in range(4)]
    assert sum(looks) == 3000
    assert max(looks) < 3000


def test_a_file_that_was_replaced_or_became_shorter_is_read_anew(file: Path, tmp_path: Path) -> None:
    orders = Orders(str(file), read)
    file.write_bytes(b"a 1\nb 2\n")
    names(orders)
    file.write_bytes(b"c 3\n")
    assert names(orders) == ["c"]
    (tmp_path / "new").write_bytes(b"dd 4\nee 5\n")
    (tmp_path / "new").replace(file)
    assert names(orders) == ["dd", "ee"]
    file.write_bytes(b"f 6\ng 7\nh 8\n")  # in its place, and longer
    assert names(orders) == ["f", "g", "h"]
    (tmp_path / "copy").write_bytes(file.read_bytes() + b"i 9\n")
    (tmp_path / "copy").replace(file)  # as a configuration that is mounted is replaced
    assert names(orders) == ["i"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_stops_nothing(
    make: Callable[[Path], None], file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(file)
    orders = Orders(str(file), read)
    assert names(orders) == names(orders) == []
    (record,) = caplog.records
    assert "no regular file" in record.getMessage() or "directory" in record.getMessage()


def test_every_slot_hears_every_order_with_its_next_packet(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"a 1\n")
    for number in range(8):
        (tmp_path / f"{number}.txt").write_text("hello there")
    config = ReplayConfig((str(tmp_path / "*.txt"),), api="text", speed=0, batch=1)
    source = ReplaySource(config, ["x", "y"], lambda name: int(name[0]) % 2)
    flow = Dataflow("orders")
    out: list[tuple[str, Packet]] = []
    op.output("out", op.input("in", flow, ControlledSource(source, str(file), read)), TestingSink(out))
    run_main(flow)  # type: ignore[no-untyped-call]
    for key in ("x", "y"):
        heard = [[shape.name for shape in packet.shapes] for slot, packet in out if slot == key]
        assert heard[0] == ["a"]
        assert not any(heard[1:])


def test_a_run_that_resumes_hears_an_order_before_the_same_delta(tmp_path: Path, file: Path) -> None:
    (tmp_path / "0.txt").write_text("hello")
    config = ReplayConfig((str(tmp_path / "0.txt"),), api="text", speed=0, batch=1)
    source = ControlledSource(ReplaySource(config, ["x"], lambda _: 0), str(file), read)
    file.write_bytes(b"a 1\n")
    (name,) = source.list_parts()
    part = source.build_part("step", name, None)
    ((_, packet),) = part.next_batch()
    assert [shape.name for shape in packet.shapes] == ["a"]
    with file.open("ab") as more:
        more.write(b"b 2\n")
    saved = part.snapshot()
    with file.open("ab") as more:
        more.write(b"c 3\n")
    for gone in (False, True):
        if gone:
            file.unlink()
        again = source.build_part("step", name, saved)
        ((_, packet),) = again.next_batch()
        assert [shape.name for shape in packet.shapes] == ["b"]  # c came behind the snapshot
    ((_, packet),) = part.next_batch()
    assert [shape.name for shape in packet.shapes] == ["b"]
