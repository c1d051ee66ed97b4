"""Recovery directories: read, made new, cleaned, locked.

Strategy. Reading does what Bytewax does when it resumes: it takes the newest row of every step and key before
the epoch that the run begins with. So what it gives is what the next run will be given. A new directory is
made of Bytewax's own empty files and holds one row a key. Rows are moved as they are. They are pickles, but
nothing is ever called for one: numbers, texts and containers, and the named tuples that our sources save.

What Bytewax leaves behind matters. It never takes away the rows of an epoch that a crash cut short; one of
them passes for the state of its key if that key is quiet in the first epoch of the next run, and what follows
is then counted twice. Hence :func:`settle` before every run.
"""

from __future__ import annotations

import fcntl
import io
import os
import pickle
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from bytewax.recovery import init_db_dir
from typing_extensions import override

from connectors.control import Place
from flows.parts import StateError, changing, in_order, opened, part_files, place, progress
from operators.packet import Feedback, Shape
from operators.slots import MAX_SLOTS

__all__ = [
    "Address", "State", "StateError", "Store", "locked", "new_run", "numbering", "plain", "put", "read",
    "settle", "stand_in", "vacuum", "write",
]  # fmt: skip

_NAMED = {(kind.__module__, kind.__qualname__): kind for kind in (Feedback, Place, Shape)}
_EPOCH = 1
"""Of all rows of a new directory; a run resumes behind it."""
_NEWEST = """
    SELECT step_id, state_key, MAX(snap_epoch) FROM snaps WHERE snap_epoch < :resume GROUP BY 1, 2
"""


class Address(NamedTuple):
    """What a piece of state is of."""

    step: str
    """Without the name of the flow."""
    key: str


@dataclass(frozen=True)
class State:
    """What the next run is given: of a whole job, or of some of its slots."""

    flow: str
    slots: int
    """Of the deployment; 0 if nothing says it."""
    parts: int
    """Files of its directory."""
    runs: tuple[str, ...]
    """The name of each slot's numbering; empty if it has none."""
    entries: Mapping[Address, bytes]
    """Pickles, as Bytewax wrote them."""


class Store(NamedTuple):
    """A directory: its state, where it stands, and what it keeps besides."""

    state: State
    execution: int
    """Of the last run; -1 if there was none."""
    resume: int
    """The epoch that the next run begins with."""
    superseded: int
    """Rows with a newer one."""
    unfinished: int
    """Rows of an epoch that never ended."""
    ended: int
    """Rows that say that a key is no more."""
    disk: int
    """Bytes of all files."""


@contextmanager
def locked(directory: Path, process: int = 0) -> Iterator[None]:
    """Hold a directory, for a job while it runs and for whoever works on it: two at once would ruin it.

    :arg process: Place of the process, in a job of several.

    :raises StateError: If another process holds it, or there is no such directory.
    """
    path = directory / (f"lock.{process}" if process else "lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"{directory}: {error.strerror}"
        raise StateError(msg) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        msg = (
            f"{directory} is in use: a job runs on it, or a state command works on it (it holds {path.name})"
        )
        raise StateError(msg) from error
    try:
        yield
    finally:
        os.close(handle)


def numbering(directory: Path, slots: int) -> tuple[str, ...]:
    """The name of each slot's numbering: with slot and ``seq`` it makes a record's own number.

    The file ``run`` says it: a name for all slots; behind it, where slots of several directories were moved
    together, lines of a slot and its own name. Made if it is not there.

    :raises StateError: If the file says something else.
    """
    file = directory / "run"
    if not file.exists():
        own = directory / f"run.{os.getpid()}"
        put(own, new_run())
        with suppress(FileExistsError):  # another process of the job was first
            os.link(own, file)
        own.unlink()
    return _runs(file, slots)


def new_run() -> str:
    """A name that no numbering had."""
    return secrets.token_hex(8)


def _runs(file: Path, slots: int) -> tuple[str, ...]:
    try:
        (first,), *others = (line.split() for line in file.read_text().splitlines())
        runs = [first] * slots
        for slot, name in others:
            runs[int(slot)] = name
    except (ValueError, IndexError) as error:
        msg = f"{file} must hold a name, and lines of one of the {slots} slots and its own name behind it"
        raise StateError(msg) from error
    return tuple(runs)


def plain(state: bytes) -> Any:
    """What a snapshot holds, without running any of it.

    :raises StateError: If it is damaged, or would run or make anything but plain values.
    """
    try:
        return _Plain(io.BytesIO(state)).load()
    except StateError:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        msg = f"damaged ({type(error).__name__}: {error})"
        raise StateError(msg) from error


class _Plain(pickle.Unpickler):
    @override
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMED[module, name]
        except KeyError:
            msg = f"it asks for {module}.{name}, which is no plain value"
            raise StateError(msg) from None


def read(directory: Path) -> Store:
    """All of a directory that the next run is given. Takes as much memory as the state has bytes.

    :raises StateError: If it is in use, incomplete, damaged, of another version of Bytewax or of several
        flows, or a row is no plain value.
    """
    with opened(directory) as parts:
        execution, resume = progress(parts)
        rows, unfinished, ended = 0, 0, 0
        flows, entries = set[str](), dict[Address, bytes]()
        for index, part in enumerate(parts):
            rows += part.execute("SELECT COUNT(*) FROM snaps").fetchone()[0]
            late = part.execute("SELECT COUNT(*) FROM snaps WHERE snap_epoch >= ?", (resume,))
            unfinished += late.fetchone()[0]
            newest = part.execute(
                f"SELECT step_id, state_key, ser_change FROM snaps"
                f" WHERE (step_id, state_key, snap_epoch) IN ({_NEWEST})",
                {"resume": resume},
            )
            for step_id, key, state in newest:
                _fits(directory, index, len(parts), step_id, key, state)
                if state is None:
                    ended += 1
                    continue
                flow, _, step = step_id.partition(".")
                flows.add(flow)
                entries[Address(step, key)] = state
    if len(flows) > 1:
        msg = f"{directory} has state of several flows: {', '.join(sorted(flows))}"
        raise StateError(msg)
    slots = _slots(directory / "slots")
    runs = _runs(directory / "run", slots) if (directory / "run").exists() else ()
    state = State("".join(flows), slots, len(parts), runs, dict(sorted(entries.items())))
    superseded = rows - unfinished - ended - len(entries)
    disk = sum(file.stat().st_size for file in directory.glob("part-*"))
    return Store(state, execution, resume, superseded, unfinished, ended, disk)


def _slots(file: Path) -> int:
    if not file.exists():
        return 0
    try:
        slots = int(file.read_text())
    except ValueError:
        slots = 0
    if not 1 <= slots <= MAX_SLOTS:
        msg = f"{file} must hold the number of slots, 1 to {MAX_SLOTS}"
        raise StateError(msg)
    return slots


def _fits(directory: Path, index: int, count: int, step: str, key: str, state: bytes | None) -> None:
    if place(step, key, count) != index:
        msg = (
            f"{directory}: the row of step {step!r}, key {key!r} is in part {index}, Bytewax would "
            f"keep it in part {place(step, key, count)}: a file was changed, or comes from another directory"
        )
        raise StateError(msg)
    if state is not None:
        try:
            plain(state)
        except StateError as error:
            msg = f"{directory}: state of step {step!r}, key {key!r}: {error}"
            raise StateError(msg) from error


@contextmanager
def stand_in(target: Path) -> Iterator[Path]:
    """A folder that takes the place of `target` when the block has ended well; else nothing is there.

    A process that is killed in the block leaves a hidden folder beside it and no `target`.

    :raises StateError: If there is a `target`.
    """
    if target.exists():
        msg = f"{target} exists: name a new one"
        raise StateError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        for each in (*folder.rglob("*"), folder):
            _sync(each)
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder)
        raise
    _sync(target.parent)


def write(directory: Path, state: State) -> None:
    """Make a directory that a run resumes from; it must exist, and be empty.

    :raises StateError: If there is no room for it.
    """
    try:
        init_db_dir(directory, state.parts)  # type: ignore[no-untyped-call]
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what Rust raises; it has no name to catch it by
            raise
        msg = f"{directory}: Bytewax cannot make its files: {error}"
        raise StateError(msg) from error
    if state.slots:
        put(directory / "slots", str(state.slots))
    if state.runs:
        lines = [f"{slot} {name}" for slot, name in enumerate(state.runs)]
        same = len(set(state.runs)) == 1
        put(directory / "run", state.runs[0] if same else "\n".join([new_run(), *lines]))
    with ExitStack() as stack:
        parts = in_order([stack.enter_context(changing(file)) for file in part_files(directory)], directory)
        for address, entry in state.entries.items():
            step_id = f"{state.flow}.{address.step}"
            parts[place(step_id, address.key, state.parts)].execute(
                "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)",
                (step_id, address.key, _EPOCH, entry),
            )
        parts[0].execute(
            "INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (0, 1, ?)", (_EPOCH + 1,)
        )


def settle(directory: Path) -> int:
    """Take away the rows of the epoch that a crash cut short, before a run; how many there were.

    The caller holds the directory. In a job of several processes the first one does it.

    :raises StateError: If the directory is in use by others, incomplete or damaged.
    """
    with ExitStack() as stack:
        parts = in_order([stack.enter_context(changing(file)) for file in part_files(directory)], directory)
        _, resume = progress(parts)
        return sum(
            part.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (resume,)).rowcount for part in parts
        )


def vacuum(directory: Path) -> None:
    """Drop what no run will ask for: all rows but the newest of each key that is in use, all executions but
    the last; and give the room back. The caller holds the directory. A crash leaves it as good as it was.

    :raises StateError: As :func:`read`.
    """
    store = read(directory)
    at = {"resume": store.resume, "last": store.execution}
    for file in part_files(directory):
        with changing(file) as part:
            part.execute(f"DELETE FROM snaps WHERE (step_id, state_key, snap_epoch) NOT IN ({_NEWEST})", at)
            part.execute("DELETE FROM snaps WHERE ser_change IS NULL")
            part.execute("DELETE FROM exs WHERE ex_num < :last", at)
            part.execute("DELETE FROM fronts WHERE ex_num < :last", at)
        with closing(sqlite3.connect(file)) as part:
            part.execute("VACUUM")


def put(file: Path, text: str) -> None:
    """Write a small file: whole, or not at all. When it returns, a power cut does not undo it."""
    new = file.with_name(f"{file.name}.new")
    with new.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
    _sync(file.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
