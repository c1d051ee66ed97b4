"""Orders to a running job: read once each, in order, whole lines only, never at the expense of a stream."""

from __future__ import annotations

import logging
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
    assert names(Orders(str(file), read, orders.position)) == []
    assert names(Orders(str(file), read)) == ["a", "b", "c", "d"]


def test_a_wrong_line_is_said_with_its_place_and_stops_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(b"a 1\nwrong\nb x\nc 3\n")
    assert names(Orders(str(file), read)) == ["a", "c"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert f"{file}, byte 4: " in said[0]
    assert "could not convert" in said[1]


def test_a_line_without_end_is_not_kept_in_memory(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_MOST_BYTES", 16)
    file.write_bytes(b"x" * 40 + b"\na 1\n")
    assert names(Orders(str(file), read)) == ["a"]
    assert len(caplog.records) == 3


def test_a_long_file_is_heard_a_look_at_a_time(file: Path) -> None:
    file.write_bytes(b"".join(b"n%d 0\n" % number for number in range(600)))
    orders = Orders(str(file), read)
    looks = [len(names(orders)) for _ in range(4)]
    assert sum(looks) == 600
    assert max(looks) < 600


def test_a_file_that_became_shorter_is_read_anew(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    orders = Orders(str(file), read)
    file.write_bytes(b"a 1\nb 2\n")
    names(orders)
    file.write_bytes(b"c 3\n")
    with caplog.at_level(logging.WARNING):
        assert names(orders) == ["c"]
    assert "shorter" in caplog.text


def test_a_file_that_cannot_be_read_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").touch()
    assert names(Orders(str(folder), read)) == []
    assert "directory" in caplog.text.lower()


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


def test_a_position_knows_how_far_the_file_was_read(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"a 1\nb 2\n")
    (tmp_path / "0.txt").write_text("hello")
    config = ReplayConfig((str(tmp_path / "0.txt"),), api="text", speed=0, batch=1)
    source = ControlledSource(ReplaySource(config, ["x"], lambda _: 0), str(file), read)
    (name,) = source.list_parts()
    part = source.build_part("step", name, None)
    ((_, packet),) = part.next_batch()
    assert [shape.name for shape in packet.shapes] == ["a", "b"]
    again = source.build_part("step", name, part.snapshot())
    with file.open("ab") as more:
        more.write(b"c 3\n")
    ((_, packet),) = again.next_batch()
    assert [shape.name for shape in packet.shapes] == ["c"]
