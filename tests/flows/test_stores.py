"""Recovery directories: what Bytewax wrote is read, and what is made is resumed from."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.testing import TestingSink, TestingSource

from connectors.control import Place
from flows import archives, stores
from flows.parts import place
from flows.stores import Address, StateError
from operators.packet import Feedback, Shape
from operators.slots import slot_key
from tests.flows import counting
from tests.flows.counting import CRASH, SLOTS
from tests.flows.jobs import ROOT


def crashed(directory: Path, out: Path, items: int = 5) -> Path:
    """A directory of a run that failed after so many packets of each slot."""
    counting.made(directory)
    out.mkdir(exist_ok=True)
    heard = {slot: [*texts, CRASH] for slot, texts in counting.script(items).items()}
    with pytest.raises(BytewaxRuntimeError):
        counting.run(counting.counting(heard, out), directory)
    return directory


def rows(directory: Path, what: str = "COUNT(*)", table: str = "snaps") -> list[Any]:
    found: list[Any] = []
    for file in sorted(directory.glob("part-*.sqlite3")):
        with closing(sqlite3.connect(file)) as part:
            found += part.execute(f"SELECT {what} FROM {table}").fetchall()
    return found


def put(directory: Path, step_id: str, key: str, epoch: int, state: bytes | None) -> None:
    """A row more, where Bytewax would put it."""
    count = len(list(directory.glob("part-*.sqlite3")))
    with closing(sqlite3.connect(directory / f"part-{place(step_id, key, count)}.sqlite3")) as part, part:
        part.execute(
            "INSERT OR REPLACE INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)",
            (step_id, key, epoch, state),
        )


def test_what_is_read_is_what_a_run_is_given(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    store = stores.read(directory)
    assert (store.state.flow, store.state.slots, store.state.parts, store.execution) == ("counting", 8, 4, 0)
    assert {address.step for address in store.state.entries} == {"source", "count", "sink"}
    assert {address.key for address in store.state.entries} == {slot_key(slot) for slot in range(SLOTS)}
    for slot in range(SLOTS):
        at = stores.plain(store.state.entries[Address("source", slot_key(slot))])
        total = len("".join(counting.script(5)[slot][:at]))
        count = stores.plain(store.state.entries[Address("count", slot_key(slot))])
        assert count == b'{"version": 1, "seq": %d, "total": %d}' % (at, total)


@pytest.mark.parametrize("parts", [1, 3, 4, 12])
def test_every_row_is_looked_for_where_bytewax_put_it(tmp_path: Path, parts: int) -> None:
    directory = counting.made(tmp_path / "a", parts)
    flow = Dataflow("f" * parts)
    keyed = op.input("in", flow, TestingSource([("é" * (n // 3) + "k" * n, n) for n in range(40)]))
    for step in ("a", "step-of-a-longer-name", "sixteen-letters."[:-1]):
        kept = op.stateful_map(step, keyed, lambda state, value: (value, state))
        op.output(f"{step}-out", kept, TestingSink([]))
    counting.run(flow, directory)
    assert len(stores.read(directory).state.entries) == 3 * 40 + 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_directory_made_anew_is_resumed_from(tmp_path: Path, workers: int) -> None:
    out = tmp_path / "out"
    state = stores.read(crashed(tmp_path / "a", out)).state
    with stores.stand_in(tmp_path / "b") as folder:
        stores.write(folder, replace(state, parts=12))
    assert stores.read(tmp_path / "b").state == replace(state, parts=12)
    counting.run(counting.counting(counting.script(9), out), tmp_path / "b", workers=workers)
    assert counting.lines(out) == counting.said(counting.script(9))
    found = stores.read(tmp_path / "b")
    assert found.execution == 1
    assert len(rows(tmp_path / "b")) == 12


def test_the_epoch_of_a_crash_passes_for_state_unless_it_is_settled(tmp_path: Path) -> None:
    key, step_id = slot_key(0), "counting.count"
    outcomes = {}
    for settled in (False, True):
        out = tmp_path / f"out-{settled}"
        directory = crashed(tmp_path / f"state-{settled}", out)
        resume = stores.read(directory).resume
        # As if the run had died between its snapshots of that epoch and the word that it was finished: one
        # packet more was counted.
        put(directory, step_id, key, resume, pickle.dumps(b'{"version": 1, "seq": 6, "total": 1000}'))
        if settled:
            assert stores.settle(directory) == 1
        assert stores.read(directory).unfinished == (not settled)
        # The next run dies too, before that slot hears of anything.
        quiet = {slot: [*texts, *[""] * 5] for slot, texts in counting.script(5).items()}
        quiet[1] += ["x", CRASH]
        with pytest.raises(BytewaxRuntimeError):
            counting.run(counting.counting(quiet, out), directory)
        loud = {slot: [*texts, "xyz"] for slot, texts in quiet.items() if slot != 1}
        loud[1] = [*quiet[1][:-1], "xyz"]
        counting.run(counting.counting(loud, out), directory)
        last = (out / key).read_text().splitlines()[-1]
        outcomes[settled] = last
        assert settled == (last == counting.said(loud)[0][-1])
    assert outcomes[False] == "0 7 1003"


def test_a_vacuum_leaves_what_a_run_is_given(tmp_path: Path) -> None:
    out = tmp_path / "out"
    directory = crashed(tmp_path / "a", out, items=30)
    again = {slot: [*texts, CRASH] for slot, texts in counting.script(30).items()}
    for _ in range(3):
        with pytest.raises(BytewaxRuntimeError):
            counting.run(counting.counting(again, out), directory)
    store = stores.read(directory)
    put(directory, "counting.count", slot_key(2), store.resume, pickle.dumps(bytes(100_000)))
    put(directory, "counting.count", slot_key(3), 0, pickle.dumps(b"old"))
    put(directory, "counting.gone", slot_key(4), store.resume - 1, None)
    put(directory, "counting.gone", slot_key(4), 0, pickle.dumps(b"gone"))
    before = stores.read(directory)
    assert (before.superseded, before.unfinished, before.ended) == (2, 1, 1)
    assert before.state == store.state
    stores.vacuum(directory)
    after = stores.read(directory)
    assert (after.superseded, after.unfinished, after.ended) == (0, 0, 0)
    assert (after.state, after.resume, after.execution) == (store.state, store.resume, 3)
    assert sum(count for (count,) in rows(directory)) == len(after.state.entries)
    assert [count for (count,) in rows(directory, "COUNT(*)", "exs") if count] == [1]
    assert after.disk < before.disk
    counting.run(counting.counting(counting.script(50), out), directory)
    assert counting.lines(out) == counting.said(counting.script(50))


def test_a_key_that_is_no_more_is_neither_given_nor_kept(tmp_path: Path) -> None:
    directory = counting.made(tmp_path / "a")
    flow = Dataflow("ending")
    keyed = op.input("in", flow, TestingSource([("a", 1), ("b", 1), ("a", 0)]))
    kept = op.stateful_map("keep", keyed, lambda state, value: (value or None, state))
    op.output("out", kept, TestingSink([]))
    counting.run(flow, directory)
    store = stores.read(directory)
    (of_keep,) = (address for address in store.state.entries if address.step.startswith("keep"))
    assert (of_keep.key, store.ended) == ("b", 1)
    stores.vacuum(directory)
    assert stores.read(directory) == store._replace(ended=0, superseded=0, disk=stores.read(directory).disk)


def test_a_file_of_state_gives_it_back_and_is_the_same_for_the_same_state(tmp_path: Path) -> None:
    state = stores.read(crashed(tmp_path / "a", tmp_path / "out")).state
    backwards = replace(state, entries=dict(sorted(state.entries.items(), reverse=True)))
    archives.save(state, tmp_path / "one")
    archives.save(backwards, tmp_path / "two")
    whole = (tmp_path / "one").read_bytes()
    assert (tmp_path / "two").read_bytes() == whole
    assert archives.load(tmp_path / "one") == state
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StateError, match="exists"):
        archives.save(state, tmp_path / "one")
    lines = whole.splitlines(keepends=True)
    for damaged in (
        b"", whole[:-1], whole[: len(whole) // 2], b"".join(lines[:-1]), b"".join(lines[1:]),
        b"".join([lines[0], *lines[2:]]), whole.replace(b'"slots":8', b'"slots":4'), whole + lines[1],
        whole.replace(b'"version":1', b'"version":2'), whole.replace(b'"count"', b'"tnuoc"'),
        b"\xff\n" + whole,
    ):  # fmt: skip
        (tmp_path / "bad").write_bytes(damaged)
        if damaged == whole[:-1]:
            assert archives.load(tmp_path / "bad") == state, "nothing is lost with the last line feed"
            continue
        with pytest.raises(StateError, match="bad"):
            archives.load(tmp_path / "bad")


class _Touch:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_a_pickle_that_would_run_something_is_refused_and_does_not(tmp_path: Path) -> None:
    shape = Shape("dip", 1, (1.0, -2.0), 0.5)
    about = Feedback("a", -1, "email", "wrong")
    for fine in (
        None,
        b"\0",
        "é",
        -1,
        1.5,
        True,
        [1],
        {"a": (1, b"")},
        (b"", Place(3, b"x"), (shape,)),
        about,
    ):
        assert stores.plain(pickle.dumps(fine)) == fine
    for wrong, why in (
        (pickle.dumps(_Touch(tmp_path / "run")), "asks for posix.mkdir"),
        (pickle.dumps(Path("x")), "pathlib"),
        (pickle.dumps(set), "builtins.set"),
        (pickle.dumps(b"x" * 99)[:50], "damaged"),
        (b"", "damaged"),
    ):
        with pytest.raises(StateError, match=why):
            stores.plain(wrong)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    part = directory / "part-2.sqlite3"
    good = part.read_bytes()
    for bad, why in (
        (good[:5000], "damaged"),
        (b"x" * len(good), "damaged"),
        (b"", "schema 0"),
        (good[: len(good) // 2] + bytes(4096) + good[len(good) // 2 + 4096 :], "damaged"),
    ):
        part.write_bytes(bad)
        with pytest.raises(StateError, match=why):
            stores.read(directory)
    part.unlink()
    with pytest.raises(StateError, match=r"parts 0 to 3, each once; missing: \[2\]"):
        stores.read(directory)
    with pytest.raises(StateError, match="missing"):
        stores.settle(directory)
    part.write_bytes((directory / "part-1.sqlite3").read_bytes())
    with pytest.raises(StateError, match="missing"):
        stores.read(directory)
    part.write_bytes(good)
    with closing(sqlite3.connect(part)) as changed, changed:
        changed.execute("UPDATE snaps SET step_id = step_id || 'x'")
    with pytest.raises(StateError, match="Bytewax would keep it"):
        stores.read(directory)
    part.write_bytes(good)
    for slots in (b"", b"x", b"0", b"65", b"\xff"):
        (directory / "slots").write_bytes(slots)
        with pytest.raises(StateError, match="number of slots"):
            stores.read(directory)
    with pytest.raises(StateError, match="no recovery directory"):
        stores.read(tmp_path)


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(StateError), stores.stand_in(tmp_path / "new") as folder:
        stores.read(folder)
    assert list(tmp_path.iterdir()) == []
    killed = (
        "import os, sys, pathlib; from flows.stores import stand_in\n"
        "with stand_in(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'file').write_text('half'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", killed, tmp_path / "new"], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "new").exists()
    with stores.stand_in(tmp_path / "new") as folder:
        (folder / "file").write_text("whole")
    assert (tmp_path / "new" / "file").read_text() == "whole"
    with pytest.raises(StateError, match="exists"), stores.stand_in(tmp_path / "new"):
        raise AssertionError


def test_a_numbering_is_named_once_and_moved_slots_keep_theirs(tmp_path: Path) -> None:
    (name,) = set(stores.numbering(tmp_path, 8))
    assert stores.numbering(tmp_path, 8) == (name,) * 8
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("run", name)]
    state = stores.read(crashed(tmp_path / "a", tmp_path / "out")).state
    for label, runs in (("same", ("r",) * 8), ("mixed", tuple(f"r{slot % 2}" for slot in range(8)))):
        with stores.stand_in(tmp_path / label) as folder:
            stores.write(folder, replace(state, runs=runs))
        assert stores.read(tmp_path / label).state.runs == runs
        assert stores.numbering(tmp_path / label, 8) == runs
    assert (tmp_path / "same" / "run").read_text() == "r"
    for wrong in (b"", b"a b", b"a\n9 b", b"a\nx b", b"a\n1", b"\xff"):
        (tmp_path / "run").write_bytes(wrong)
        with pytest.raises(StateError, match="run"):
            stores.numbering(tmp_path, 8)


@pytest.fixture
def user(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does what the test's parameter says with a directory."""
    code, directory = request.param, request.getfixturevalue("tmp_path") / "a"
    crashed(directory, directory.parent / "out")
    process = subprocess.Popen(
        [sys.executable, "-c", code, directory], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.communicate()


_LOCKS = """
import sys, pathlib; from flows.stores import locked
with locked(pathlib.Path(sys.argv[1])): print("ready", flush=True); input()
"""
_OPENS = """
import sys, sqlite3; part = sqlite3.connect(sys.argv[1] + "/part-3.sqlite3")
part.execute("SELECT * FROM parts").fetchall(); print("ready", flush=True); input()
"""


@pytest.mark.process
@pytest.mark.parametrize(("user", "why"), [(_LOCKS, "holds lock"), (_OPENS, "part-3")], indirect=["user"])
def test_a_directory_in_use_is_left_alone(tmp_path: Path, user: subprocess.Popen[bytes], why: str) -> None:
    with pytest.raises(StateError, match=f"in use.*{why}"), stores.locked(tmp_path / "a"):
        stores.read(tmp_path / "a")
    user.kill()
    user.communicate()
    with stores.locked(tmp_path / "a"):
        assert stores.read(tmp_path / "a").state.entries
    with stores.locked(tmp_path / "a", 1), stores.locked(tmp_path / "a"), pytest.raises(StateError):  # noqa: SIM117
        with stores.locked(tmp_path / "a", 1):
            pass
