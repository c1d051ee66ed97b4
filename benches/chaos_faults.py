"""The faults: what is done to a cell, its broker, its network or its disk, and how it is undone.

Strategy. A fault is a generator that does the harm and yields while it lasts: each time, something to wait
for, or nothing more than a moment. So one loop supervises the cells meanwhile, and any two faults can go on
at once. What a fault must see (a cell that died of a full disk said so) it sees itself.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benches.chaos_world import Cell, Network

__all__ = ["Deck", "Fault", "Scene"]

_TRANSACTIONS = 40  # of a store, in some epochs
_FULL = "disk is full", "No space left", "disk I/O error", "File too large"
_PATIENCE = 90.0  # seconds until a point is reached
_FITS = 30.0  # seconds after which a cell lives on with a full disk: what it saves fits in its files

Fault = Iterator[None]


@dataclass
class Scene:
    """Where a fault happens."""

    network: Network
    cell: Cell
    drawn: random.Random
    transaction: float
    """Seconds after which the broker ends a transaction that is not ended."""
    rest: Callable[[float], None]
    """Has the reader of the output rest so many seconds."""
    alone: bool
    """Whether nothing else happens at the same time."""


def _for(seconds: float) -> Fault:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def _death(cell: Cell, why: str) -> Fault:
    """Until the present life of a cell has ended."""
    before, patience = len(cell.deaths), time.monotonic() + _PATIENCE
    while len(cell.deaths) == before:
        if time.monotonic() > patience:
            problem = f"cell {cell.number} lives on: {why}"
            raise RuntimeError(problem)
        yield


def _kill(scene: Scene) -> Fault:
    yield from _for(scene.drawn.uniform(0, 1))
    scene.cell.signal(signal.SIGKILL)
    yield


def _kill_young(scene: Scene) -> Fault:
    for _ in range(2):
        scene.cell.signal(signal.SIGKILL)
        yield from _for(scene.drawn.uniform(0.5, 6))
    scene.cell.signal(signal.SIGKILL)
    yield


def _kill_at(scene: Scene, point: str) -> Fault:
    scene.cell.order(point)
    lives = scene.cell.lives
    patience = time.monotonic() + _PATIENCE
    while scene.cell.lives == lives:
        if time.monotonic() > patience:
            problem = f"cell {scene.cell.number} did not get to the point {point!r}"
            raise RuntimeError(problem)
        yield


def _kill_before(scene: Scene) -> Fault:
    return _kill_at(scene, "before")


def _kill_within(scene: Scene) -> Fault:
    return _kill_at(scene, "within")


def _kill_behind(scene: Scene) -> Fault:
    return _kill_at(scene, "behind")


def _kill_in_store(scene: Scene) -> Fault:
    return _kill_at(scene, f"store {scene.drawn.randint(1, _TRANSACTIONS)}")


def _broker_killed(scene: Scene) -> Fault:
    scene.network.broker.kill()
    yield from _for(scene.drawn.uniform(0, 3))
    scene.network.broker.restart()


def _broker_frozen(scene: Scene) -> Fault:
    scene.network.broker.freeze()
    yield from _for(scene.drawn.uniform(0.5, 5))
    scene.network.broker.thaw()


def _network_paused(scene: Scene) -> Fault:
    scene.network.proxy.pause()
    yield from _for(scene.drawn.uniform(0.5, 5))
    scene.network.proxy.mend()


def _network_cut(scene: Scene) -> Fault:
    scene.network.proxy.cut()
    yield from _for(scene.drawn.uniform(0.2, 5))
    scene.network.proxy.mend()


def _disk_full(scene: Scene) -> Fault:
    cell = scene.cell
    before = len(cell.deaths)
    cell.disk.fill(scene.drawn.choice([0, 4096, 65536, 262144]), cell.pid)
    patience = time.monotonic() + _FITS
    while len(cell.deaths) == before and time.monotonic() < patience:
        yield
    yield from _for(scene.drawn.uniform(0, 6))  # and started again and again
    cell.disk.clear(cell.pid)
    for status, said in cell.deaths[before:] if scene.alone else ():
        if status == 0 or not any(word in said for word in _FULL):
            problem = f"cell {cell.number}, its disk full, ended with status {status} and said: {said}"
            raise RuntimeError(problem)


def _cell_frozen(scene: Scene) -> Fault:
    scene.cell.signal(signal.SIGSTOP)
    yield from _for(scene.drawn.uniform(0.5, 4))
    scene.cell.signal(signal.SIGCONT)


def _cell_frozen_long(scene: Scene) -> Fault:
    scene.cell.signal(signal.SIGSTOP)
    yield from _for(scene.transaction + 3)
    scene.cell.signal(signal.SIGCONT)


def _reader_lags(scene: Scene) -> Fault:
    seconds = scene.drawn.uniform(1, 4)
    scene.rest(seconds)
    yield from _for(seconds)


def _asked_to_end(scene: Scene) -> Fault:
    yield from _for(scene.drawn.uniform(0, 1))
    while not scene.cell.signal(signal.SIGTERM):
        yield
    yield from _death(scene.cell, "it was asked to end")


_FAULTS: dict[str, tuple[Callable[[Scene], Fault], int]] = {
    "kill -9 at a random moment": (_kill, 1),
    "kill -9, and again while it starts": (_kill_young, 1),
    "kill -9 before Kafka's commit": (_kill_before, 1),
    "kill -9 within Kafka's commit": (_kill_within, 1),
    "kill -9 behind Kafka's commit": (_kill_behind, 1),
    "kill -9 between two commits of the store": (_kill_in_store, 2),
    "broker killed, down, restarted": (_broker_killed, 1),
    "broker frozen": (_broker_frozen, 1),
    "network paused": (_network_paused, 1),
    "network cut": (_network_cut, 1),
    "disk of the store full": (_disk_full, 1),
    "cell stopped": (_cell_frozen, 1),
    "cell stopped, longer than a transaction": (_cell_frozen_long, 1),
    "reader of the output lags": (_reader_lags, 1),
    "SIGTERM": (_asked_to_end, 1),
}
"""By name: what is drawn from, and its weight. A store commits many times in an epoch."""

_APART = (
    {"broker killed, down, restarted", "broker frozen"},
    {"network paused", "network cut"},
)
"""Two of one set cannot be at once."""
_BOTH = 0.2  # of the rounds have two at once


class Deck:
    """Deals faults: each as often as its weight before one comes again.

    :arg drawn: Shuffles.

    """

    def __init__(self, drawn: random.Random) -> None:
        self._drawn = drawn
        self._cards: list[str] = []

    def deal(self) -> dict[str, Callable[[Scene], Fault]]:
        """One fault, or two for the same time, by name."""
        names = [self._card()]
        if self._drawn.random() < _BOTH:
            other = self._drawn.choice([*_FAULTS])
            if other != names[0] and not any({other, *names} <= each for each in _APART):
                names.append(other)
        return {name: _FAULTS[name][0] for name in names}

    def _card(self) -> str:
        if not self._cards:
            self._cards = [name for name, (_, weight) in _FAULTS.items() for _ in range(weight)]
            self._drawn.shuffle(self._cards)
        return self._cards.pop()
