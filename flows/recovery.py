"""Where a job keeps its state: made, locked, rid of what a crash left, and known by a name.

Strategy. ``midstream run -r`` says the folder itself; a job that Bytewax's own command starts is not told, so
the folder is taken from that command's line or variable. Both then do the same, before a worker reads the
state.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bytewax.recovery import init_db_dir

from flows import cells, ends, stores
from flows.parts import StateError
from flows.settings import Settings

__all__ = ["PARTS", "kept", "refuse_several", "under_bytewax"]

PARTS = 1
"""Files of a new folder. The engine writes each step's state to each of them in a transaction of its own, and
the flow stands still until the disk has it: four files would be waited for four times as often."""
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
        damaged.
    """
    if folder is None:
        yield settings
        return
    folder.mkdir(parents=True, exist_ok=True)
    with stores.locked(folder, process):
        _have(folder, first=not process)
        _same_slots(folder / "slots", settings.slots)
        cells.refuse_moved(folder)
        if not process:
            stores.settle(folder)
            if own := ends.own(settings, job):
                cell = f"cell {settings.kafka.cell} of {settings.kafka.cells}"
                cells.refuse_foreign(folder, job, cell, own, settings.slots)
        runs = ",".join(stores.numbering(folder, settings.slots))
        yield settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"run": runs})})


def _have(folder: Path, *, first: bool) -> None:
    """The files of the state. A crash while they are made leaves some of them, which nothing ever ran on: the
    `first` process begins anew.

    :raises StateError: If they were there once.
    """
    making = folder / "making"
    if first and making.exists():
        for part in folder.glob("part-*.sqlite3*"):
            part.unlink()
    if not any(folder.glob("part-*.sqlite3")):
        if (folder / "slots").exists() and not making.exists():
            msg = (
                f"{folder}: the files of the state are gone (part-*.sqlite3), the rest is there: put them "
                f"back, or begin with a new recovery directory"
            )
            raise StateError(msg)
        making.touch()
        init_db_dir(folder, PARTS)  # type: ignore[no-untyped-call]
    if first:
        making.unlink(missing_ok=True)


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
