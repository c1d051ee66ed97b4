"""The durable lane under faults: what is lost, what is doubled, and for how long nothing comes.

``python -m benches.chaos_kafka [--rounds 100] [--minutes 60] [--lane exact|fast|both] [--cells 1] [--seed 1]
[--rate 300]``

A real Kafka, a steady load of streams (``chaos_load``), cells that are ``midstream run analyze`` with a store
(``chaos_world``). In each round a fault (``chaos_faults``), drawn with the seed; then output must go on in
every slot, with streams that began after the fault. After so many rounds or minutes everything in the output
topics is compared with an undisturbed job over the same log, and with what the load knows (``chaos_check``).

*exact*: every record exactly once, in order, with the right value. *fast*: every record at least once,
and a repeat has the number, the run and the value of the first. Exit status 1 if that does not hold; the
folder of the run is then kept.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaError, TopicPartition

from benches.chaos_check import TOPICS, Outcome, compare, copy_log, judge, read
from benches.chaos_faults import Deck, Scene
from benches.chaos_load import Load
from benches.chaos_world import Cell, Network, cell_environment
from tests.clusters import KafkaCluster

__all__ = ["Chaos", "Report", "main"]

SLOTS = 4
_ROOT = Path(__file__).parent.parent
_TRANSACTION = 10.0  # seconds
_PATIENCE = 180.0  # seconds until output goes on behind a fault


class _Witness:
    """Reads what is released while it is released: which streams ended, and how long a slot was silent."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._consumer = Consumer(
            {**client, "group.id": "witness", "isolation.level": "read_committed",
             "enable.auto.commit": False, "topic.metadata.refresh.interval.ms": 5000}
        )  # fmt: skip
        self._consumer.assign([TopicPartition(topic, slot, 0) for slot in range(SLOTS)])
        self.ended: set[str] = set()
        self.outage = 0.0
        self.rested = 0.0
        self._heard = [time.monotonic()] * SLOTS
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def rest(self, seconds: float) -> None:
        """Read nothing for a while."""
        self.rested = seconds

    def _run(self) -> None:
        while not self._ending.is_set():
            if self.rested:
                self._ending.wait(self.rested)
                self.rested = 0.0
            for message in self._consumer.consume(1000, 0.1):
                error = message.error()
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                        print(f"the witness hears: {error}", file=sys.stderr)
                    continue
                slot, now = message.partition() or 0, time.monotonic()
                self.outage = max(self.outage, now - self._heard[slot])
                self._heard[slot] = now
                record = orjson.loads(message.value() or b"")
                if record["type"] == "end":
                    self.ended.add(record["stream"])

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._consumer.close()


@dataclass
class Report:
    """What a run of chaos found."""

    lane: str
    rounds: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By fault."""
    outages: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By fault: the longest time (s) in which nothing came from a slot."""
    statuses: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Of cells: exit status, how often."""
    deltas: int = 0
    streams: int = 0
    analysis: Outcome = field(default_factory=Outcome)
    """Against the undisturbed job."""
    knowledge: Outcome = field(default_factory=Outcome)
    """Against what the load knows."""

    @property
    def right(self) -> bool:
        """Whether the lane keeps its promise."""
        return self.analysis.right and self.knowledge.right


class Chaos:
    """One run: a lane, some cells, some rounds.

    :arg folder: For all that it writes.

    :arg lane: ``exact`` or ``fast``.

    :arg rounds: Faults, one behind the other.

    :arg minutes: After which no round begins.

    :arg cells: Processes that share the slots.

    :arg seed: Of what is drawn.

    :arg rate: Deltas a second.

    """

    def __init__(
        self, folder: Path, lane: str, rounds: int, minutes: float, cells: int, seed: int, rate: float
    ) -> None:
        self._folder, self._lane, self._rounds, self._minutes = folder, lane, rounds, minutes
        self._drawn = random.Random(seed)
        self._deck = Deck(self._drawn)
        self._prefix, self._seed, self._rate, self._cells = f"chaos-{lane}", seed, rate, cells
        self.report = Report(lane)

    def run(self) -> Report:
        """All rounds, then the check.

        :raises RuntimeError: If output does not go on behind a fault, or a cell says that all is well when it
            is not.
        """
        with ExitStack() as undo:
            network = Network(self._folder / "broker")
            undo.callback(network.close)
            client = network.broker.client | {"log_level": 0}
            self._make_topics(network.broker)
            environment = cell_environment(
                f"127.0.0.1:{network.proxy.port}", self._prefix, SLOTS, self._lane,
                transaction_timeout=_TRANSACTION, delivery_timeout=30,
            )  # fmt: skip
            cells = []
            for number in range(self._cells):
                cell = Cell(number, self._cells, self._folder, environment, self._drawn)
                undo.callback(cell.close)
                cells.append(cell)
            witness = _Witness(client, f"{self._prefix}.releases")
            undo.callback(witness.close)
            load = Load(client, f"{self._prefix}.deltas", SLOTS, self._rate, self._seed)
            load.start()
            self._until_it_goes_on(cells, load, witness)
            end = time.monotonic() + 60 * self._minutes
            for number in range(self._rounds):
                if time.monotonic() > end:
                    break
                self._round(number, network, cells, load, witness)
            load.finish()
            self._until(cells, lambda: witness.ended >= load.streams.keys(), "not all streams ended")
            for cell in cells:
                status = cell.stop(60)
                if status:
                    problem = f"cell {cell.number} ended with status {status}, and nothing was in its way"
                    raise RuntimeError(problem)
                for died, _ in cell.deaths:
                    self.report.statuses[died] += 1
            self._check(client, network.broker.bootstrap, load)
        return self.report

    def _make_topics(self, broker: KafkaCluster) -> None:
        """Those that are used before a cell is there."""
        broker.create_topics({f"{self._prefix}.deltas": SLOTS}, {"message.timestamp.type": "LogAppendTime"})
        broker.create_topics({f"{self._prefix}.releases": SLOTS})

    def _round(
        self, number: int, network: Network, cells: Sequence[Cell], load: Load, witness: _Witness
    ) -> None:
        faults = self._deck.deal()
        name = " + ".join(faults)
        cell = self._drawn.choice(cells)
        scene = Scene(network, cell, self._drawn, _TRANSACTION, witness.rest, len(faults) == 1)
        begun, witness.outage = time.monotonic(), 0.0
        going = [fault(scene) for fault in faults.values()]
        while going:
            for fault in [*going]:
                try:
                    next(fault)
                except StopIteration:
                    going.remove(fault)
            self._supervise(cells)
        self._until_it_goes_on(cells, load, witness)
        self.report.rounds[name] += 1
        self.report.outages[name] = max(self.report.outages[name], witness.outage)
        took = time.monotonic() - begun
        print(
            f"{self._lane} {number + 1:4}  {name}, cell {cell.number}: nothing for {witness.outage:.1f} s, "
            f"{took:.1f} s in all, {load.records} deltas", flush=True,
        )  # fmt: skip

    def _supervise(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            cell.supervise()
        time.sleep(0.01)

    def _until_it_goes_on(self, cells: Sequence[Cell], load: Load, witness: _Witness) -> None:
        """Until a stream that begins now has ended in every slot."""
        begun = time.monotonic()

        def goes_on() -> bool:
            ended = [load.streams[name] for name in witness.ended.copy()]
            return len({stream.slot for stream in ended if stream.born > begun}) == SLOTS

        self._until(cells, goes_on, "output does not go on")

    def _until(self, cells: Sequence[Cell], done: Any, problem: str) -> None:
        patience = time.monotonic() + _PATIENCE
        while not done():
            if time.monotonic() > patience:
                said = "\n".join(f"cell {cell.number}: {cell.deaths[-1:]}" for cell in cells)
                late = f"{problem}, {_PATIENCE:.0f} s behind it\n{said}"
                raise RuntimeError(late)
            self._supervise(cells)

    def _check(self, client: Mapping[str, Any], bootstrap: str, load: Load) -> None:
        undisturbed = f"{self._prefix}-undisturbed"
        report = self.report
        report.deltas = copy_log(client, f"{self._prefix}.deltas", f"{undisturbed}.deltas", SLOTS)
        report.streams = len(load.streams)
        with (self._folder / "said-undisturbed").open("wb") as said:
            subprocess.run(
                [sys.executable, "-m", "flows", "run", "analyze"],
                cwd=_ROOT, env=cell_environment(bootstrap, undisturbed, SLOTS, "fast", until="end"),
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=True,
            )  # fmt: skip
        for place in product(TOPICS, range(SLOTS)):
            found, wanted = (read(client, prefix, place) for prefix in (self._prefix, undisturbed))
            compare(report.analysis, place, found, wanted, exact=self._lane == "exact")
        releases = (read(client, self._prefix, ("releases", slot)) for slot in range(SLOTS))
        report.knowledge = judge(releases, load.streams.values())


def _show(report: Report) -> None:
    rounds = sum(report.rounds.values())
    print(f"\n{report.lane}: {rounds} rounds, {report.deltas} deltas, {report.streams} streams")
    print(f"{'fault':80} {'rounds':>6} {'longest outage, s':>18}")
    for name, rounds in sorted(report.rounds.items()):
        print(f"{name:80} {rounds:6} {report.outages[name]:18.1f}")
    statuses = ", ".join(f"{status}: {times}" for status, times in sorted(report.statuses.items()))
    print(f"exit statuses of cells: {statuses}")
    for what, outcome in (("undisturbed job", report.analysis), ("what was said", report.knowledge)):
        print(
            f"against {what}: {outcome.records} records, lost {outcome.lost}, doubled {outcome.doubled}, "
            f"changed {outcome.changed}, out of order {outcome.disordered}; repeats {outcome.repeats}"
        )
        for fault in outcome.told:
            print(f"  {fault[:1000]}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--lane", choices=("exact", "fast", "both"), default="both")
    parser.add_argument("--cells", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=300.0)
    said = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and all is stopped
    right = True
    for lane in ("exact", "fast") if said.lane == "both" else (said.lane,):
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{lane}-"))
        print(f"{lane}, seed {said.seed}, in {folder}", flush=True)
        report = Chaos(
            folder, lane, said.rounds, said.minutes, said.cells, said.seed, said.rate
        ).run()  # fmt: skip
        _show(report)
        right &= report.right
        if report.right:
            shutil.rmtree(folder)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
