"""A cell that can be told to die at a point that a clock would hardly ever hit.

``python -m benches.chaos_cell ORDER STORE run analyze -r STORE ...`` is ``midstream run analyze ...``, but
when a file ORDER appears that names a point, the process kills itself (SIGKILL) when it next gets there.

Strategy. The job knows nothing of it. Kafka's side: the client library's producer is replaced by one that
looks for the order around ``commit_transaction`` and ``flush``, the two calls that a job's records are made
sure of with. Bytewax's side: its store is written by compiled code, so we look at what SQLite itself says: a
counter in the shared index of each file's write-ahead log goes up with every transaction (the field iChange,
https://www.sqlite.org/walformat.html). It is looked at from another thread as fast as can be, and the
process dies behind the n-th of them. One epoch is some transactions in each of the store's files.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import confluent_kafka

__all__ = ["POINTS"]

POINTS = ("before", "within", "behind", "store")
"""A commit or flush; ``store`` is followed by which transaction of the store after one."""

_LONGEST = 0.006  # seconds into a commit


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _changes(store: Path) -> int:
    """How many transactions the files of a store have seen, modulo what four bytes hold."""
    counted = 0
    for index in store.glob("part-*.sqlite3-shm"):
        with index.open("rb") as file:
            counted += int.from_bytes(file.read(12)[8:], sys.byteorder)
    return counted


def _watch(store: Path, transactions: int) -> None:
    begin = _changes(store)
    while _changes(store) - begin < transactions:
        pass
    _die()


def _later() -> None:
    time.sleep(random.uniform(0, _LONGEST))
    _die()


class _Producer(confluent_kafka.Producer):
    order: Path
    store: Path

    def commit_transaction(self, *args: Any, **options: Any) -> None:
        point = self._about()
        super().commit_transaction(*args, **options)
        self._done(point)

    def flush(self, *args: Any, **options: Any) -> int:
        point = self._about()
        left: int = super().flush(*args, **options)
        self._done(point)
        return left

    def _about(self) -> list[str]:
        point = self.order.read_text().split() if self.order.exists() else [""]
        if point[0] == "before":
            _die()
        if point[0] == "within":
            threading.Thread(target=_later, daemon=True).start()
        return point

    def _done(self, point: list[str]) -> None:
        if point[0] == "behind":
            _die()
        if point[0] == "store":
            threading.Thread(target=_watch, args=(self.store, int(point[1])), daemon=True).start()


if __name__ == "__main__":
    _Producer.order, _Producer.store = Path(sys.argv[1]), Path(sys.argv[2])
    confluent_kafka.Producer = _Producer  # type: ignore[misc]
    sys.argv[1:3] = []
    from flows.__main__ import main

    main()
