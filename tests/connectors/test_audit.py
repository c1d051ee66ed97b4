"""The file of audit records: whole lines, on the disk when an epoch closes, mended after a crash."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, cluster_main

from connectors.audit import AuditSink
from operators.packet import Packet, pack
from operators.slots import slot_key

SLOTS = [slot_key(slot) for slot in range(8)]


def lines(slot: int, *texts: str) -> Packet:
    return pack(slot, [], now=0).having(released=b"".join(text.encode() + b"\n" for text in texts))


def test_lines_are_appended_and_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for run in ("one", "two"):
        part = AuditSink(str(path), SLOTS).build_part("record", SLOTS[3], None)
        part.write_batch([lines(3, run, "more"), lines(3)])
        part.snapshot()
        part.close()
    assert path.read_text() == "one\nmore\ntwo\nmore\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("torn", ["half a li", "x" * 200_000])
@pytest.mark.parametrize("whole", ["", "one\ntwo\n"])
def test_what_a_crash_left_of_a_line_is_cut_off(tmp_path: Path, whole: str, torn: str) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text(whole + torn)
    part = AuditSink(str(path), SLOTS).build_part("record", SLOTS[0], None)
    part.write_batch([lines(0, "three")])
    part.close()
    assert path.read_text() == whole + "three\n"


def test_it_is_on_the_disk_when_an_epoch_closes_and_not_synced_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    sink = AuditSink(str(tmp_path / "a"), SLOTS)
    parts = [sink.build_part("record", key, None) for key in SLOTS]
    for part in parts:
        part.write_batch([lines(0, "x")])
    assert not synced
    for part in parts:
        part.snapshot()
    assert len(synced) == 1
    for part in parts:
        part.snapshot()
        part.close()
    assert len(synced) == 1


def test_lines_of_several_sinks_and_threads_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    sinks = [AuditSink(str(path), SLOTS) for _ in range(2)]

    def work(number: int) -> None:
        part = sinks[number % 2].build_part("record", SLOTS[number], None)
        for _ in range(50):
            part.write_batch([lines(number, *[str(number) * 999] * 3)])
        part.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = path.read_text().splitlines()
    assert len(written) == 900
    assert all(len(set(line)) == 1 and len(line) == 999 for line in written)


def test_a_path_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory"):
        AuditSink(str(tmp_path), SLOTS)


@pytest.mark.parametrize("workers", [1, 3])
def test_every_slot_arrives_whole_and_in_order(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "audit.jsonl"
    flow = Dataflow("audit")
    items = [(SLOTS[n % 8], lines(n % 8, f"{n % 8} {n}")) for n in range(200)]
    packets = op.input("in", flow, TestingSource(items))
    op.output("record", packets, AuditSink(str(path), SLOTS))
    cluster_main(flow, [], 0, worker_count_per_proc=workers)  # type: ignore[no-untyped-call]
    written = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
    assert len(written) == 200
    for slot in range(8):
        assert [n for s, n in written if s == slot] == list(range(slot, 200, 8))
