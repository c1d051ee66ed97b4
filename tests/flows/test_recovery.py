"""The folder of a job's state: what a crash left half made is made anew, and nothing else is; and what is
there is gone on with whole, or not at all.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from bytewax.testing import TestingSink, TestingSource

from flows import policies, recovery, stores
from flows.inflight import inflight
from flows.recovery import PARTS, kept
from flows.settings import load
from flows.stores import StateError
from operators.directory import Limits
from tests.flows import jobs
from tests.flows.test_stores import crashed


def half_made(folder: Path) -> Path:
    """A folder as a job leaves it that was killed while it made the files of its state."""
    with kept(folder, load(), "inflight"):
        pass
    (folder / "making").touch()
    for name in ("slots", "run"):
        (folder / name).unlink()
    (folder / "part-0.sqlite3").write_bytes(b"")
    return folder


@pytest.mark.process
def test_a_job_starts_where_one_was_killed_while_it_made_the_files_of_its_state(tmp_path: Path) -> None:
    folder = half_made(tmp_path / "state")
    said = jobs.finish(jobs.start("flows", "run", "inflight", "-r", folder, "-s", 1))
    assert any(record["type"] == "end" for record in said)
    store = stores.read(folder)
    assert store.state.flow == "inflight"
    assert store.state.parts == PARTS
    assert not (folder / "making").exists()


@pytest.mark.parametrize("process", [0, 1])
def test_whichever_process_of_a_job_comes_first_makes_them_anew(tmp_path: Path, process: int) -> None:
    folder = half_made(tmp_path)
    with kept(folder, load(), "inflight", process=process):
        assert not (folder / "making").exists()
        assert len(stores.read(folder).state.runs) == load().slots


def test_processes_that_begin_on_a_new_folder_at_once_find_one_and_the_same(tmp_path: Path) -> None:
    for number in range(20):
        folder, gate = tmp_path / f"{number}", threading.Barrier(3)
        runs = dict[int, str]()

        def begin(process: int, folder: Path = folder, gate: threading.Barrier = gate) -> None:
            gate.wait()
            with kept(folder, load(), "inflight", process) as settings:
                runs[process] = settings.kafka.run  # noqa: B023 - joined below

        several = [threading.Thread(target=begin, args=(process,)) for process in range(3)]
        for each in several:
            each.start()
        for each in several:
            each.join()
        assert runs.keys() == {0, 1, 2}
        assert len(set(runs.values())) == 1
        assert not (folder / "making").exists()
        assert len(list(folder.glob("part-*.sqlite3"))) == PARTS


def test_a_process_does_not_wait_for_ever_for_another_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_PATIENT", 0.05)
    with (tmp_path / "making.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(StateError, match=r"looked into it for 0\.05 s \(it holds making\.lock\)"),
            kept(tmp_path, load(), "inflight"),
        ):
            raise AssertionError
    assert not list(tmp_path.glob("part-*"))


def test_state_is_never_taken_for_what_was_being_made(tmp_path: Path) -> None:
    folder = crashed(tmp_path / "state", tmp_path / "out")
    before = stores.read(folder).state.entries
    assert before
    (folder / "making").touch()
    with kept(folder, load(), "counting"):
        assert not (folder / "making").exists()
    assert stores.read(folder).state.entries == before
    (folder / "making").touch()
    (folder / "part-2.sqlite3").write_bytes(b"no database " * 99)
    with pytest.raises(StateError, match=r"part-2\.sqlite3: file is not"), kept(folder, load(), "counting"):
        raise AssertionError
    assert len(list(folder.glob("part-*.sqlite3"))) == 4


@pytest.mark.parametrize("gone", [("part-0.sqlite3",), ("part-0.sqlite3", "slots")], ids=len)
def test_a_file_of_the_state_that_went_missing_later_is_not_made_anew(
    tmp_path: Path, gone: tuple[str, ...]
) -> None:
    with kept(tmp_path, load(), "inflight"):
        pass
    for name in gone:
        (tmp_path / name).unlink()
    with (
        pytest.raises(StateError, match="the files of the state are gone"),
        kept(tmp_path, load(), "inflight"),
    ):
        raise AssertionError


_WAITS = """
[[waits]]
name = "x"
description = "nothing comes"
after = 10.0
action = "warn"
"""
_LOOPS = """
[[loops]]
name = "x"
description = "it goes round"
action = "warn"
"""


@pytest.mark.process
def test_a_resume_in_which_a_step_would_know_nothing_of_the_open_rows_is_refused(tmp_path: Path) -> None:
    """It would read and write where it has no memory."""
    for name, text in (("waits", _WAITS), ("loops", _LOOPS), ("both", _WAITS + _LOOPS.replace("x", "y"))):
        (tmp_path / f"{name}.toml").write_text(text)
    folder, streams = tmp_path / "state", [f"s{number}" for number in range(40)]
    heard = [{"type": "start", "stream": name, "provider": "p", "model": "m"} for name in streams]
    heard += [{"type": "delta", "stream": name, "text": "again and again "} for name in streams]
    lines = [json.dumps(each) for each in heard]

    def run(policy: str, given: list[str]) -> tuple[int, str]:
        job = jobs.start(
            "flows",
            "run",
            "--source",
            "ndjson",
            "--policy",
            tmp_path / f"{policy}.toml",
            "-r",
            folder,
            "--json",
        )
        try:
            out, err = job.communicate("".join(f"{line}\n" for line in given).encode(), timeout=60)
        finally:
            job.kill()
        return job.returncode, (out + err).decode()

    assert run("waits", lines)[0] == 0
    for other in ("loops", "both"):
        code, said = run(other, lines[40:])
        assert code == 2
        assert "state of a job with the steps drift, dtw, features, gate, policy, release; this one" in said
    code, said = run("waits", lines[40:])
    assert (code, said.count('"type":"release"')) == (0, 40)
    with closing(sqlite3.connect(folder / "part-0.sqlite3")) as part, part:
        part.execute("DELETE FROM snaps WHERE step_id = 'inflight.drift'")
    code, said = run("waits", lines[40:])
    assert code == 2
    assert "the state of drift is gone, and that of directory is there" in said


@pytest.mark.parametrize("policy", ["", _WAITS, _LOOPS + "[motifs]\naction = 'warn'\n", None])
def test_the_directory_names_every_step_that_keeps_state_by_its_rows(
    tmp_path: Path, policy: str | None
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(policy or "")
    judgement = policies.load(policies.DEFAULT if policy is None else str(file))
    flow = inflight(TestingSource([]), TestingSink([]), judgement, Limits(), TestingSink([]), b"")
    steps = [operator.step_name for operator in flow.substeps]
    assert steps == ["source", "directory", *judgement.readers, "sink", "audit", "record"]
