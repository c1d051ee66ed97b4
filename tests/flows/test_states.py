"""``midstream state``: jobs that are killed, moved, renamed and cleaned, and go on as if nothing had been."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows import stores, versions
from flows.states import app
from flows.stores import Address
from operators.directory import Directory, Limits
from operators.packet import pack
from operators.slots import slot_key
from tests.flows import counting, jobs
from tests.flows.counting import SLOTS
from tests.flows.test_stores import crashed, put
from tests.stages import say


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    """What a command says that ends well."""
    result = invoke(*arguments)
    assert (result.exit_code, result.exception) == (0, None), result.output
    return result.output


def refused(*arguments: object) -> str:
    """What a command says that refuses, in one line and with status 2."""
    result = invoke(*arguments)
    assert (result.exit_code, type(result.exception)) == (2, SystemExit), result.output
    assert result.output.count("\n") == 1
    return result.output


def contents(*folders: Path) -> dict[Path, bytes]:
    """Every byte of some folders; what is only locked, or says where the state went, is none of it."""
    found = (file for folder in folders for file in sorted(folder.rglob("*")))
    return {
        file: file.read_bytes() for file in found if file.is_file() and file.name not in {"lock", "moved"}
    }


def start_cells(
    directories: Sequence[Path], out: Path, items: int, pace: float
) -> list[subprocess.Popen[bytes]]:
    count = len(directories)
    return [
        jobs.start(
            "tests.flows.counting", directory, out,
            "--cell", cell, "--cells", count, "--items", items, "--pace", pace,
        )
        for cell, directory in enumerate(directories)
    ]  # fmt: skip


def kill_under_way(cells: list[subprocess.Popen[bytes]], out: Path, before: int, more: int) -> None:
    """Kill all cells when every slot has said so many lines more."""
    deadline = time.monotonic() + 60
    try:
        while any(_lines(out / slot_key(slot)) < before + more for slot in range(SLOTS)):
            assert all(cell.poll() is None for cell in cells), "one ended"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for cell in cells:
            cell.kill()
        for cell in cells:
            cell.communicate()


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


@pytest.mark.process
def test_two_cells_become_four_become_one_and_nothing_is_lost_or_counted_twice(tmp_path: Path) -> None:
    items, out = 1000, tmp_path / "out"
    out.mkdir()
    at = [counting.made(tmp_path / f"cell-{cell}") for cell in range(2)]
    for number, directory in enumerate(at):
        (directory / "run").write_text(f"run{number}")
    for cells in (4, 1):
        heard = min(_lines(out / slot_key(slot)) for slot in range(SLOTS))
        kill_under_way(start_cells(at, out, items, 0.005), out, heard, 40)
        assert any(at[0].glob("*-wal")), "its last words are in a log"
        before = contents(*at)
        new = tmp_path / f"of-{cells}"
        said = done("move", *at, "--to", new, "--cells", cells)
        assert said.splitlines()[0].startswith(f"{new / 'cell-0'}: slots 0")
        assert contents(*at) == before, "what is moved stays as it was"
        at = [new / f"cell-{cell}" for cell in range(cells)]
        for cell, directory in enumerate(at):
            keys = {address.key for address in stores.read(directory).state.entries}
            assert keys == {slot_key(slot) for slot in range(SLOTS) if slot % cells == cell}
            assert stores.numbering(directory, SLOTS) == tuple(f"run{slot % 2}" for slot in range(SLOTS))
    heard = min(_lines(out / slot_key(slot)) for slot in range(SLOTS))
    assert 80 <= heard < items
    for last in start_cells(at, out, items, 0.0):
        _, err = last.communicate(timeout=60)
        assert last.returncode == 0, err
    assert counting.lines(out) == counting.said(counting.script(items))


@pytest.mark.process
def test_the_main_job_goes_on_from_an_export_that_was_migrated_and_cleaned(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    jobs.write_recordings(recordings, 12)
    run = ("flows", "run", "-s", 0.1, "-r")
    paced = jobs.start(*run, tmp_path / "a", REPLAY__PATHS=jobs.paths(recordings), REPLAY__SPEED=1.5)
    assert paced.stdout is not None
    said = [paced.stdout.readline() for _ in range(120)]
    paced.send_signal(signal.SIGKILL)
    rest, _ = paced.communicate()
    found = jobs.records(b"".join(said) + rest)
    done("export", tmp_path / "a", "--to", tmp_path / "file")
    done("migrate", tmp_path / "file", "--to", tmp_path / "b")
    done("move", tmp_path / "b", "--to", tmp_path / "c", "--slots", ",".join(map(str, range(8))))
    done("vacuum", tmp_path / "c" / "cell-0")
    resumed = jobs.start(
        *run, tmp_path / "c" / "cell-0", REPLAY__PATHS=jobs.paths(recordings), REPLAY__SPEED=0
    )
    again = jobs.finish(resumed)
    assert 0 < len(again) < len(jobs.play(recordings)), "it did not begin anew"
    assert jobs.deduplicated(found + again) == jobs.deduplicated(jobs.play(recordings))


def test_a_step_that_is_renamed_takes_its_state_along(tmp_path: Path) -> None:
    out = tmp_path / "out"
    directory = crashed(tmp_path / "a", out)
    before = contents(directory)
    said = done("migrate", directory, "--to", tmp_path / "b", "--rename", "count=tally")
    assert said.splitlines()[0] == f"{tmp_path / 'b'}: 24 entries of 3 steps"
    assert contents(directory) == before
    counting.run(counting.counting(counting.script(9), out, step="tally"), tmp_path / "b")
    assert counting.lines(out) == counting.said(counting.script(9))
    done("migrate", directory, "--to", tmp_path / "c", "--flow", "other")
    assert stores.read(tmp_path / "c").state.flow == "other"
    for rename, why in (
        ("count", "must be OLD=NEW"),
        ("tally=count", "there is no step 'tally'; there are count, sink, source"),
        ("count=sink", "two steps would be called sink"),
    ):
        assert why in refused("migrate", directory, "--to", tmp_path / "d", "--rename", rename)
    assert "has no dot" in refused("migrate", directory, "--to", tmp_path / "d", "--flow", "a.b")
    assert "exists" in refused("migrate", directory, "--to", tmp_path / "b")
    assert not (tmp_path / "d").exists()


def test_the_directory_of_a_slot_is_told_of_the_new_names_of_steps(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    stage = Directory(Limits(), ["count", "gate"])
    stage.update(pack(3, say("a", "text"), now=0))
    put(directory, "counting.directory", slot_key(3), 1, pickle.dumps(stage.dump()))
    before = stores.read(directory).state.entries
    done("migrate", directory, "--to", tmp_path / "b", "--rename", "count=tally")
    after = stores.read(tmp_path / "b").state.entries
    again = Directory(Limits(), ["tally", "gate"])
    again.load(pickle.loads(after[Address("directory", slot_key(3))]))
    assert again.update(pack(3, say("a", "text"), now=0)).deltas["row"].tolist() == [0]
    others = [address for address in before if address.step != "directory"]
    assert [before[each] for each in others] == [
        after[each._replace(step="tally") if each.step == "count" else each] for each in others
    ]
    done("migrate", directory, "--to", tmp_path / "c", "--flow", "other")
    assert stores.read(tmp_path / "c").state.entries == before
    dump = bytearray(stage.dump())
    dump[-1] ^= 1
    put(directory, "counting.directory", slot_key(3), 1, pickle.dumps(bytes(dump)))
    said = refused("migrate", directory, "--to", tmp_path / "d", "--rename", "count=tally")
    assert "state of the step 'directory'" in said
    assert "cut or damaged" in said


def test_state_of_a_version_that_is_not_known_is_refused(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    ours = versions.written()
    assert ours.keys() >= {"directory", "gate", "features", "lcs", "dynamics", "release", "audit"}
    assert all(version.version for version in ours.values())
    for step, head, why in (
        ("words", b'{"format":%d,"version":9}' % (ours["words"].format or 0), "is of version 9"),
        ("features", b'{"version":%d}' % (ours["features"].version or 0), "is of version 1;"),
        ("release", b"no head", "is of version None"),
    ):
        known = stores.read(directory).state
        put(directory, f"counting.{step}", slot_key(0), 1, pickle.dumps(head))
        said = refused("migrate", directory, "--to", tmp_path / "b")
        assert f"'{step}', key '00.75' {why}" in said
        assert f"this program reads {ours[step].version}" in said
        take_away(directory, f"counting.{step}")
        assert stores.read(directory).state == known


def take_away(directory: Path, step_id: str) -> None:
    for file in directory.glob("part-*.sqlite3"):
        with closing(sqlite3.connect(file)) as part, part:
            part.execute("DELETE FROM snaps WHERE step_id = ?", (step_id,))


def test_slots_go_to_the_cells_that_are_named_and_nowhere_twice(tmp_path: Path) -> None:
    out = tmp_path / "out"
    directory = crashed(tmp_path / "a", out)
    done("export", directory, "--to", tmp_path / "some", "--slot", 1, "--slot", 3)
    done("export", directory, "--to", tmp_path / "all")
    assert "slots 9; it has 0, 1" in refused("export", directory, "--to", tmp_path / "x", "--slot", 9)
    done("move", directory, "--to", tmp_path / "b", "--slots", "0,1,2,3,4,5,7", "--slots", "6")
    (six,) = {address.key for address in stores.read(tmp_path / "b" / "cell-1").state.entries}
    assert six == slot_key(6)
    counting.run(counting.counting(counting.script(9, [6]), out), tmp_path / "b" / "cell-1")
    assert counting.lines(out)[6] == counting.said(counting.script(9))[6]
    one, two = tmp_path / "b" / "cell-0", tmp_path / "b" / "cell-1"
    for arguments, why in (
        ((tmp_path / "all", one, "--cells", 2), f"slot 0 is in {tmp_path / 'all'} and in {one}"),
        ((one, "--cells", 2), f"slots 6 are in none of {one}"),
        ((tmp_path / "some", "--cells", 1), "slots 0, 2, 4, 5, 6, 7 are in none"),
        ((one, one, two, "--cells", 1), "named twice"),
        ((one, two), "either --cells or --slots"),
        ((one, two, "--cells", 1, "--slots", "1"), "either --cells or --slots"),
        ((one, two, "--slots", "0,1"), "must go to one cell"),
        ((one, two, "--slots", "0,1,2,3", "--slots", "3,4,5,6,7"), "must go to one cell"),
        ((one, two, "--cells", 9), "each cell must get one"),
        ((one, two, "--slots", "0,x"), "must be numbers"),
        ((tmp_path / "none", "--cells", 1), "No such file"),
    ):
        assert why in refused("move", *arguments, "--to", tmp_path / "new")
        assert not (tmp_path / "new").exists()
    assert "exists" in refused("move", one, two, "--to", tmp_path / "b", "--cells", 2)
    (two / "slots").write_text("16")
    assert "slots is 8 in one and 16" in refused("move", one, two, "--to", tmp_path / "new", "--cells", 2)
    (one / "slots").unlink()
    assert "none of the 0 slots" in refused("move", one, "--to", tmp_path / "new", "--cells", 2)


_KILLED_AT_THE_LAST = """
import os, pathlib
from flows.states import app
pathlib.Path.rename = lambda *_: os.kill(os.getpid(), 9)
app()
"""


@pytest.mark.process
def test_a_move_that_is_killed_leaves_slots_that_nobody_runs_not_slots_that_two_run(tmp_path: Path) -> None:
    directory, new = crashed(tmp_path / "a", tmp_path / "out"), tmp_path / "new"
    command = ["move", directory, "--to", new, "--cells", "2"]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_AT_THE_LAST, *map(str, command)], cwd=jobs.ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not new.exists()
    for arguments in (command, ["export", *command[1:4]], ["migrate", *command[1:4]]):
        assert "no such folder now. If the move was cut short, delete" in refused(*arguments)
    done("inspect", directory)
    (directory / "moved").unlink()
    done(*command)
    once = contents(directory, new)
    other = tmp_path / "other"
    for name, *more in (["move", "--cells", 1], ["export"], ["migrate"]):
        assert f"its slots were moved to {new}: run that" in refused(name, directory, "--to", other, *more)
    assert not other.exists()
    assert contents(directory, new) == once


def test_cells_of_different_jobs_are_not_mixed(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    done("migrate", directory, "--to", tmp_path / "b", "--flow", "other")
    said = refused("move", directory, tmp_path / "b", "--to", tmp_path / "c", "--cells", 2)
    assert "flow is 'counting' in one and 'other' in the other" in said


def test_a_directory_is_shown_to_a_person_and_to_a_program(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    stage = Directory(Limits(delta_bytes=4))
    stage.update(pack(3, [*say("a", "text"), *say("b", "text"), *say("c", "too long")], now=0))
    put(directory, "counting.directory", slot_key(3), 1, pickle.dumps(stage.dump()))
    found: dict[str, Any] = json.loads(done("inspect", directory, "--json"))
    assert (found["type"], found["flow"], found["slots"], found["parts"]) == ("store", "counting", 8, 4)
    assert found["execution"] == 0
    assert found["disk_bytes"] == sum(file.stat().st_size for file in directory.glob("part-*"))
    steps = {row["step"]: row for row in found["steps"]}
    assert {step: row["keys"] for step, row in steps.items()} == {
        "source": 8, "count": 8, "sink": 8, "directory": 1,
    }  # fmt: skip
    assert (steps["count"]["versions"], steps["sink"]["versions"]) == ([1], [])
    keys = {row["key"]: row for row in found["keys"]}
    assert (keys[slot_key(3)]["streams"], keys[slot_key(2)]["streams"]) == (2, None)
    assert [row["slot"] for row in found["keys"]] == list(range(8))
    entries = stores.read(directory).state.entries
    assert keys[slot_key(3)]["bytes"] == sum(
        len(entry) for address, entry in entries.items() if address.key == slot_key(3)
    )
    shown = done("inspect", directory)
    for word in ("flow counting", "8 slots", "4 parts", "resumes at epoch", "directory", slot_key(7)):
        assert word in shown


def test_a_vacuum_says_what_it_gave_back(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    put(directory, "counting.count", slot_key(3), 0, pickle.dumps(os.urandom(100_000)))
    before = stores.read(directory)
    said = done("vacuum", directory)
    after = stores.read(directory)
    assert said == f"{directory}: 1 rows dropped, 24 kept; {before.disk} -> {after.disk} bytes\n"
    assert before.disk - after.disk > 90_000


def test_what_is_damaged_is_refused_by_every_command(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    put(directory, "counting.evil", slot_key(1), 1, pickle.dumps(print))
    commands = (
        ("inspect", directory),
        ("vacuum", directory),
        ("export", directory, "--to", tmp_path / "x"),
        ("move", directory, "--to", tmp_path / "x", "--cells", 2),
        ("migrate", directory, "--to", tmp_path / "x"),
    )
    for command in commands:
        said = refused(*command)
        assert f"{directory}: state of step 'counting.evil', key '01.104'" in said
        assert "builtins.print, which is no plain value" in said
    (directory / "part-1.sqlite3").unlink()
    for command in commands:
        assert "missing: [1]" in refused(*command)
    (directory / "part-1.sqlite3").write_bytes(b"\0" * 9999)
    for command in commands:
        assert f"{directory} is damaged" in refused(*command)
    assert not (tmp_path / "x").exists()


def test_a_directory_that_is_held_is_refused_by_every_command(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    with stores.locked(directory):
        for command in ("inspect", "vacuum"):
            assert f"{directory} is in use" in refused(command, directory)
        for command, *options in (("export",), ("migrate",), ("move", "--cells", "2")):
            assert f"{directory} is in use" in refused(command, directory, "--to", tmp_path / "x", *options)
    assert not (tmp_path / "x").exists()


@pytest.mark.process
def test_a_disk_without_room_leaves_nothing_half_done(tmp_path: Path) -> None:
    directory = crashed(tmp_path / "a", tmp_path / "out")
    put(directory, "counting.large", slot_key(3), 1, pickle.dumps(bytes(200_000)))
    state, before = stores.read(directory).state, sorted(tmp_path.iterdir())
    for room, command in ((20, ["move", "--cells", 1]), (80, ["move", "--cells", 1]), (80, ["migrate"])):
        small = f"ulimit -f {room}; exec {sys.executable} -c 'from flows.states import app; app()' \"$@\""
        made = subprocess.run(
            ["bash", "-c", small, "-", *map(str, command), directory, "--to", tmp_path / "new"],
            cwd=jobs.ROOT, capture_output=True, check=False,
        )  # fmt: skip
        assert made.returncode == 2, made
        assert b"Traceback" not in made.stderr
        assert b"disk" in made.stderr.splitlines()[-1]
        assert sorted(tmp_path.iterdir()) == before
    assert stores.read(directory).state == state
