"""What chaos is made in: a broker, a network to it, cells with their stores, and who starts them again.

Strategy. Everything is real: Kafka, the command as a user would start it, a file system of the store's own
that can be full. Cells reach the broker through a network that can be paused (``chaos_proxy``); the load and
the check reach it directly. Cells that die are started again as an orchestrator would, and what they died of
is kept: that a cell ended well although nobody asked it to is a fault of its own.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from benches.chaos_proxy import Proxy
from tests.broker import Broker

__all__ = ["Cell", "Disk", "Network", "cell_environment"]

_ROOT = Path(__file__).parent.parent
_CHUNK = bytes(65536)
_PAUSE = 0.5  # seconds from a cell's death to its next life


class Network:
    """A broker with a second entrance, which is `proxy`'s.

    :arg folder: Of the broker's data.

    """

    def __init__(self, folder: Path) -> None:
        self.broker = Broker.start(folder)
        self.proxy = Proxy()
        self._behind_the_proxy(folder / "server.properties")

    def _behind_the_proxy(self, properties: Path) -> None:
        """Kafka tells clients where to go on: only a listener that says the proxy keeps them on it."""
        said = dict(line.split("=", 1) for line in properties.read_text().splitlines())
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.proxy.target = int(free.getsockname()[1])
        outside = [each for each in said["listeners"].split(",") if not each.startswith("CONTROLLER:")]
        protocols = said["listener.security.protocol.map"]
        said |= {
            "listeners": f"{said['listeners']},FAR://127.0.0.1:{self.proxy.target}",
            "advertised.listeners": ",".join([*outside, f"FAR://127.0.0.1:{self.proxy.port}"]),
            "listener.security.protocol.map": f"{protocols},FAR:PLAINTEXT",
        }
        self.broker.stop()
        properties.write_text("".join(f"{name}={value}\n" for name, value in said.items()))
        self.broker.restart()

    def close(self) -> None:
        """End both."""
        self.broker.stop()
        self.proxy.close()


class Disk:
    """The volume of a store: a file system of its own where we may mount one (`real`). Elsewhere its owner is
    forbidden to write to files (RLIMIT_FSIZE), which SQLite sees as an error of a write too.
    """

    def __init__(self, folder: Path, megabytes: int = 64) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "chaos", str(folder)]
        self.real = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self._ballast = folder / "ballast"
        self.full = False

    def fill(self, left: int, owner: int | None) -> None:
        """Leave `left` bytes of room (none, where the file system is not ours); `owner` is the process that
        writes to it, if one is alive.
        """
        self.full = True
        if self.real:
            with self._ballast.open("wb", buffering=0) as ballast, suppress(OSError):
                while ballast.write(_CHUNK):
                    pass
            os.truncate(self._ballast, max(self._ballast.stat().st_size - left, 0))
        self.limit(owner)

    def limit(self, owner: int | None) -> None:
        """Have a process feel what cannot be had from a file system of our own."""
        if owner is not None and not self.real:
            size = 0 if self.full else resource.RLIM_INFINITY
            with suppress(ProcessLookupError):
                resource.prlimit(owner, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def clear(self, owner: int | None) -> None:
        """Make room."""
        self.full = False
        if self.real:
            self._ballast.unlink()
        self.limit(owner)

    def close(self) -> None:
        """Give the file system back."""
        if self.real:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


def cell_environment(bootstrap: str, prefix: str, slots: int, lane: str, **more: object) -> dict[str, str]:
    """This process's, with the settings of a job and nothing else of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIDSTREAM_")}
    said = {
        "bootstrap_servers": bootstrap, "prefix": prefix, "lane": lane, "samples": "true", "metrics": 0,
    } | more  # fmt: skip
    settings = {f"MIDSTREAM_KAFKA__{name.upper()}": str(value) for name, value in said.items()}
    return kept | settings | {"MIDSTREAM_SLOTS": str(slots)}


class Cell:
    """One cell, and its lives.

    :arg number: Of `cells`.

    :arg folder: Of its store, its orders and what it says.

    :arg environment: Settings of all cells.

    :arg drawn: Draws the length of its epochs, anew for each life.

    """

    def __init__(
        self, number: int, cells: int, folder: Path, environment: dict[str, str], drawn: random.Random
    ) -> None:
        self.number = number
        self.lives = 0
        self.deaths: list[tuple[int, str]] = []
        """Exit status of each life that ended, and the end of what it said."""
        self.disk = Disk(folder / f"cell-{number}")
        self._store = self.disk.folder / "store"
        self._order = folder / f"order-{number}"
        self._said = (folder / f"said-{number}").open("a", encoding="utf-8", buffering=1)
        self._drawn = drawn
        self._environment = environment | {
            "MIDSTREAM_KAFKA__CELL": str(number), "MIDSTREAM_KAFKA__CELLS": str(cells)
        }  # fmt: skip
        self._process: subprocess.Popen[str] | None = None
        self._asked = False
        self._tail: deque[str] = deque(maxlen=40)
        self._reader = threading.Thread()
        self._died = 0.0

    @property
    def pid(self) -> int | None:
        """Of its present life."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Begin the next life."""
        self._order.unlink(missing_ok=True)
        seconds = f"{self._drawn.uniform(0.1, 1.0):.2f}"
        self._asked, self._tail = False, deque(maxlen=40)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benches.chaos_cell", str(self._order), str(self._store),
             "run", "analyze", "-r", str(self._store), "-s", seconds],
            cwd=_ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        self.lives += 1
        self.disk.limit(self.pid)
        self._reader = threading.Thread(target=self._hear, args=(self._process, self._tail), daemon=True)
        self._reader.start()

    def _hear(self, process: subprocess.Popen[str], tail: deque[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                tail.append(line)
                self._said.write(f"{self.lives} {line}")

    def order(self, point: str) -> None:
        """Have it kill itself at a point."""
        written = self._order.with_suffix(".new")
        written.write_text(point)
        written.rename(self._order)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; whether there was a life to send it to."""
        if self._process is None or self._process.poll() is not None:
            return False
        self._asked |= number == signal.SIGTERM
        self._process.send_signal(number)
        return True

    def supervise(self) -> None:
        """See whether it died; start it again a moment later."""
        if self._process is not None and self._process.poll() is not None:
            self._bury()
        if self._process is None and time.monotonic() - self._died > _PAUSE:
            self.start()

    def _bury(self) -> None:
        assert self._process is not None
        status = self._process.returncode
        self._reader.join()
        self.deaths.append((status, "".join(self._tail)))
        self._died = time.monotonic()
        asked, self._process = self._asked, None
        self._said.write(f"{self.lives} ended with status {status}\n")
        if status == 0 and not asked:
            problem = f"cell {self.number} ended with status 0, and nobody had asked it to end"
            raise RuntimeError(problem)
        if not asked and status != -signal.SIGKILL and not "".join(self._tail).strip():
            problem = f"cell {self.number} ended with status {status} and said nothing"
            raise RuntimeError(problem)

    def stop(self, seconds: float) -> int:
        """End it in order; its exit status."""
        if self._process is None:
            self.start()
        self.signal(signal.SIGTERM)
        assert self._process is not None
        status = self._process.wait(seconds)
        self._bury()
        return status

    def close(self) -> None:
        """End it, whatever it does, and give its disk back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
        self._said.close()
        self.disk.close()
