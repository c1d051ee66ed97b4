"""Where a job keeps its state: made, locked, rid of what a crash left, known by a name, and whole.

Strategy. ``midstream run -r`` says the folder itself; a job that Bytewax's own command starts is not told, so
the folder is taken from that command's line or variable. Both then do the same, before a worker reads the
state. Processes of one job may begin on a new folder at once: one after the other looks what is there, and
the first one makes what is missing, whichever it is.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bytewax.recovery import init_db_dir

from flows import cells, ends, stores
from flows.parts import StateError, changing, part_files
from flows.settings import Settings
from flows.versions import readers

__all__ = ["PARTS", "kept", "refuse_several", "under_bytewax"]

PARTS = 1
"""Files of a new folder. The engine writes each step's state to each of them in a transaction of its own, and
the flow stands still until the disk has it: four files would be waited for four times as often."""
_PATIENT, _PAUSE = 60.0, 0.02
"""Seconds that a process waits for another that looks into the folder, and between two tries."""
_OF_RUNS = {"exs", "fronts", "snaps"}
"""Tables of a part file that are empty until a job runs on it."""
_POD = {"BYTEWAX_POD_NAME", "BYTEWAX_STATEFULSET_NAME"}
"""Variables that tell Bytewax's command which process of several it is."""
_held = ExitStack()
"""Held for as long as the process lives."""


@contextmanager
def kept(folder: Path | None, settings: Settings, job: str, process: int = 0) -> Iterator[Settings]:
    """Hold `folder`, ours alone while the job runs; gives the settings with the name of its numbering.

    :arg job: Name of the flow.

    :arg process: Place of the process in a job of several.

    :raises ValueError: If the state is of another number of slots.

    :raises StateError: If somebody else holds it, its slots are not this cell's or were moved away, or it is
        damaged or not whole.
    """
    if folder is None:
        yield settings
        return
    folder.mkdir(parents=True, exist_ok=True)
    with stores.locked(folder, process):
        with _alone(folder):
            _have(folder)
            _same_slots(folder / "slots", settings.slots)
            cells.refuse_moved(folder)
            if not process:
                stores.settle(folder)
                _refuse_parted(folder, job)
                if own := ends.own(settings, job):
                    cell = f"cell {settings.kafka.cell} of {settings.kafka.cells}"
                    cells.refuse_foreign(folder, job, cell, own, settings.slots)
            runs = ",".join(stores.numbering(folder, settings.slots))
        yield settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"run": runs})})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process of a job at a time: what one looks at, no other is about to make.

    :raises StateError: If another one does not come to an end.
    """
    file = folder / "making.lock"
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(handle, file)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int, file: Path) -> None:
    end = time.monotonic() + _PATIENT
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                msg = (
                    f"{file.parent}: another process of the job has looked into it for {_PATIENT:g} s (it "
                    f"holds {file.name}): see whether that one hangs"
                )
                raise StateError(msg) from error
            time.sleep(_PAUSE)


def _have(folder: Path) -> None:
    """The files of the state. ``making`` is there while they are made, and only then: who finds it begins
    anew with what a crash left, which nothing ever ran on.

    :raises StateError: If they were there once, or one of them is damaged.
    """
    making = folder / "making"
    if making.exists() and not any(map(_was_run_on, folder.glob("part-*.sqlite3"))):
        for part in folder.glob("part-*.sqlite3*"):
            part.unlink()
    if not any(folder.glob("part-*.sqlite3")):
        if not making.exists() and any((folder / known).exists() for known in ("slots", "run")):
            msg = (
                f"{folder}: the files of the state are gone (part-*.sqlite3), the rest is there: put them "
                f"back, or begin with a new recovery directory"
            )
            raise StateError(msg)
        making.touch()
        init_db_dir(folder, PARTS)  # type: ignore[no-untyped-call]
    making.unlink(missing_ok=True)


def _was_run_on(file: Path) -> bool:
    """Whether a part file has state, or word of a run."""
    try:
        with closing(sqlite3.connect(file)) as part:
            made = {name for (name,) in part.execute("SELECT name FROM sqlite_master")}
            told = (part.execute(f"SELECT 1 FROM {table} LIMIT 1") for table in _OF_RUNS & made)
            return any(rows.fetchone() for rows in told)
    except sqlite3.Error as error:
        msg = f"{file}: {error}"
        raise StateError(msg) from error


def _refuse_parted(folder: Path, job: str) -> None:
    """Pass a folder in which every step that knows the rows of a slot has its state: one that begins anew
    would be told of rows that it has not got.

    :raises StateError: If one has none; if the folder is damaged.
    """
    there, directories = set[tuple[str, str]](), dict[str, bytes]()
    for file in part_files(folder):
        with changing(file) as part:
            newest = part.execute(
                "SELECT step_id, state_key, ser_change IS NULL, MAX(snap_epoch),"
                " CASE step_id WHEN ? THEN ser_change END FROM snaps GROUP BY 1, 2",
                (f"{job}.directory",),
            )
            for step_id, key, ended, _, directory in newest:
                if not ended:
                    there.add((step_id, key))
                if directory is not None:
                    directories[key] = directory
    for key, directory in directories.items():
        gone = [step for step in readers(stores.plain(directory)) if (f"{job}.{step}", key) not in there]
        if gone:
            msg = (
                f"{folder}: in slot {key} the state of {', '.join(gone)} is gone, and that of directory is "
                f"there: rows were taken away, or one of the two was renamed"
            )
            raise StateError(msg)


def _same_slots(known: Path, slots: int) -> None:
    """The number of slots is part of every key of the state: refuse another one than it began with."""
    if not known.exists():
        stores.put(known, str(slots))
    elif known.read_text() != str(slots):
        msg = f"slots is {slots}, but {known.parent} was made with slots = {known.read_text()}"
        raise ValueError(msg)


def refuse_several(settings: Settings, job: str) -> None:
    """Processes that exchange records would each take every slot of their cell over, from one another; with a
    log between them they need not talk.

    :raises ValueError: If the job reads Kafka or writes to it.
    """
    if ends.came_from(settings, job) == "kafka" or ends.to_kafka(settings, job):
        msg = (
            f"-i, -a: {job} has Kafka at an end, where processes do not talk to each other: start each by "
            f"itself, with kafka.cells (how many) and kafka.cell (which of them) in place of addresses"
        )
        raise ValueError(msg)


def under_bytewax(settings: Settings, job: str, command: Sequence[str] | None = None) -> Settings:
    """The same for a job that ``python -m bytewax.run`` starts: nothing, if that is not who starts it.

    :raises ValueError: See :func:`kept` and :func:`refuse_several`.

    :arg job: Name of the flow.

    :arg command: The command line; this process's if left out.
    """
    line = sys.orig_argv if command is None else command
    if "bytewax.run" not in line:
        return settings
    told = argparse.ArgumentParser(add_help=False)
    told.add_argument("-r", "--recovery-directory", default=os.environ.get("BYTEWAX_RECOVERY_DIRECTORY"))
    told.add_argument("-i", "--process-id", type=int, default=os.environ.get("BYTEWAX_PROCESS_ID"))
    told.add_argument("-a", "--addresses", default=os.environ.get("BYTEWAX_ADDRESSES"))
    known, _ = told.parse_known_args(line[line.index("bytewax.run") + 1 :])
    if known.process_id is not None or known.addresses or os.environ.keys() >= _POD:
        refuse_several(settings, job)
    if not known.recovery_directory:
        return settings
    return _held.enter_context(kept(Path(known.recovery_directory), settings, job, known.process_id or 0))
