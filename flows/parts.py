"""The files of a recovery directory of Bytewax 0.21.1: opened, checked, and which of them a row belongs in.

Strategy. A directory is N SQLite files that are one table together. A row is the snapshot of one key of one
step at one epoch; it lies in the file that the SeaHash of step and key says. A run resumes at the smallest
epoch that all workers of the last execution finished. Files at rest are read where they are; those
of a killed job, whose last words lie in a log beside them, are read as copies: SQLite would change them. Who
has a file open locks a byte of its index, so a job is seen that knows nothing of our own lock.
"""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

__all__ = ["StateError", "changing", "in_order", "opened", "part_files", "place", "progress"]

_SCHEMA = 5  # of 0.21.1, as its files say
_WAL_USERS = 128  # the byte of a -shm file that every connection locks (SQLite's "WAL-mode File Format")


class StateError(ValueError):
    """A directory or file of state that is not what it has to be: says which, and what is wrong."""


def part_files(directory: Path) -> list[Path]:
    """The part files of a directory that nobody uses."""
    files = sorted(directory.glob("part-*.sqlite3"))
    if not files:
        msg = f"{directory} has no part-*.sqlite3: it is no recovery directory"
        raise StateError(msg)
    for file in files:
        users = file.with_name(f"{file.name}-shm")
        if users.exists():
            with users.open("r+b") as index:
                try:
                    fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _WAL_USERS)
                except OSError as error:
                    msg = f"{directory} is in use: a process has {file.name} open"
                    raise StateError(msg) from error
    return files


@contextmanager
def changing(file: Path) -> Iterator[sqlite3.Connection]:
    """A part file, in one transaction."""
    try:
        with closing(sqlite3.connect(file)) as part, part:
            yield part
    except sqlite3.Error as error:
        msg = f"{file}: {error}"
        raise StateError(msg) from error


@contextmanager
def opened(directory: Path) -> Iterator[list[sqlite3.Connection]]:
    """The part files in order, to be read; nothing in the directory changes."""
    files = part_files(directory)
    with ExitStack() as stack:
        logs = [file.with_name(f"{file.name}-wal") for file in files]
        if any(log.exists() and log.stat().st_size for log in logs):
            copies = Path(stack.enter_context(TemporaryDirectory(prefix="midstream-state-")))
            files = [Path(shutil.copy(file, copies)) for file in files]
            for log in logs:
                if log.exists():
                    shutil.copy(log, copies)
            sources = [f"file:{quote(str(file))}" for file in files]
        else:
            sources = [f"file:{quote(str(file))}?immutable=1" for file in files]
        try:
            parts = [stack.enter_context(closing(sqlite3.connect(each, uri=True))) for each in sources]
            for part in parts:
                (said,) = part.execute("PRAGMA quick_check(1)").fetchone()
                if said != "ok":
                    msg = f"{directory} is damaged: {said}"
                    raise StateError(msg)
            yield in_order(parts, directory)
        except sqlite3.Error as error:
            msg = f"{directory} is damaged: {error}"
            raise StateError(msg) from error


def in_order(connections: list[sqlite3.Connection], directory: Path) -> list[sqlite3.Connection]:
    """The parts in order, each of them there."""
    found, count = dict[int, sqlite3.Connection](), 0
    for part in connections:
        (schema,) = part.execute("PRAGMA user_version").fetchone()
        if schema != _SCHEMA:
            msg = f"{directory}: a part of schema {schema}; this program knows {_SCHEMA}, of Bytewax 0.21"
            raise StateError(msg)
        index, count = part.execute("SELECT part_index, part_count FROM parts").fetchone()
        found[index] = part
    missing = sorted(set(range(count)) - found.keys())
    if missing or len(found) != len(connections):
        msg = f"{directory} must have parts 0 to {count - 1}, each once; missing: {missing or 'none'}"
        raise StateError(msg)
    return [found[index] for index in range(count)]


def progress(parts: list[sqlite3.Connection]) -> tuple[int, int]:
    """The last execution, and the epoch that the next run begins with."""
    executions = [
        row for part in parts for row in part.execute("SELECT ex_num, worker_count, resume_epoch FROM exs")
    ]
    if not executions:
        return -1, 1
    last, workers, began = max(executions)
    reached = dict.fromkeys(range(workers), began)
    for part in parts:
        for worker, epoch in part.execute(
            "SELECT worker_index, worker_frontier FROM fronts WHERE ex_num = ?", (last,)
        ):
            reached[worker] = max(reached.get(worker, epoch), epoch)
    return last, min(reached.values())


def place(step_id: str, key: str, parts: int) -> int:
    """The part that Bytewax keeps a row in.

    >>> place("inflight.directory", "03.53", 4)
    2
    """
    return _seahash(step_id.encode() + b"\xff" + key.encode() + b"\xff") % parts


def _seahash(data: bytes) -> int:
    """SeaHash (Ticki, 2016) with the reference's seed, as Rust hashes a pair of texts with it."""
    a, b, c, d = 0x16F11FE89B0D677C, 0xB480A793D8E6C86C, 0x6FE2E5AAF078EBC9, 0x14F994A4C5259381
    full = len(data) - len(data) % 8
    for at in range(0, full, 8):
        a, b, c, d = b, c, d, _diffused(a ^ int.from_bytes(data[at : at + 8], "little"))
    if full < len(data):
        a = _diffused(a ^ int.from_bytes(data[full:], "little"))
    return _diffused(a ^ b ^ c ^ d ^ len(data))


def _diffused(word: int) -> int:
    word = word * 0x6EED0E9DA4D94A4F & (1 << 64) - 1
    word ^= (word >> 32) >> (word >> 60)
    return word * 0x6EED0E9DA4D94A4F & (1 << 64) - 1
