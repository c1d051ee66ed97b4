"""The folder of a job's state: what a crash left half made is made anew, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import stores
from flows.recovery import PARTS, kept
from flows.settings import load
from flows.stores import StateError
from tests.flows import jobs


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


def test_only_the_first_process_of_a_job_makes_them_anew(tmp_path: Path) -> None:
    folder = half_made(tmp_path)
    with kept(folder, load(), "inflight", process=1):
        assert (folder / "making").exists()
        assert not (folder / "part-0.sqlite3").stat().st_size
    with kept(folder, load(), "inflight"):
        assert len(stores.read(folder).state.runs) == load().slots


def test_a_file_of_the_state_that_went_missing_later_is_not_made_anew(tmp_path: Path) -> None:
    with kept(tmp_path, load(), "inflight"):
        pass
    (tmp_path / "part-0.sqlite3").unlink()
    with (
        pytest.raises(StateError, match="the files of the state are gone"),
        kept(tmp_path, load(), "inflight"),
    ):
        raise AssertionError
