"""The durable job as processes: any number of workers and cells, stopped, killed, taken over."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from operators.slots import slot_of
from tests.clusters import Cluster, MockBroker
from tests.flows import jobs, kafka_jobs
from tests.flows.kafka_jobs import SLOTS, keyed, records, without
from tests.kafka_log import consume, until, write

pytest_plugins = ["tests.kafka_fixtures"]
pytestmark = pytest.mark.process

COUNT = 12
FOREVER: dict[str, Any] = {"KAFKA__UNTIL": "forever"}
LANES = pytest.mark.parametrize("lane", ["fast", "exact"])


@pytest.fixture
def broker(broker: Cluster, prefix: str) -> Cluster:
    """With the topics, and streams in the log."""
    kafka_jobs.topics(broker, prefix)
    written(broker, prefix)
    return broker


def written(broker: Cluster, prefix: str, seed: int = 1) -> None:
    """All of a slot in one go: half of the producers would be half of the test's time."""
    slots: dict[int, list[jobs.Record]] = {slot: [] for slot in range(SLOTS)}
    for at, line in enumerate(jobs.records(kafka_jobs.streams(COUNT, seed=seed)), 1):
        slots[slot_of(line["stream"], SLOTS)].append(line | {"at": at * 1_000_000})
    for slot, lines in slots.items():
        write(broker, f"{prefix}.deltas", lines, slot)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """What is to be said of these streams, whoever says it: by a job that nobody disturbs, on the mock."""
    with MockBroker() as broker:
        kafka_jobs.topics(broker, "p")
        written(broker, "p")
        kafka_jobs.run(broker, "p", "analyze")
        found = said_of(broker, "p")
    kinds = {record["type"] for record in found.values()}
    assert kinds >= {"start", "release", "finding", "verdict", "end", "audit"}
    return found


def said_of(broker: Cluster, prefix: str, *, once: bool = True) -> dict[Any, Any]:
    """All decisions by their place, without what a run calls itself; `once`: none is there twice."""
    found = records(broker, prefix)
    whole = keyed(found)
    if once:
        assert sum(map(len, found.values())) == len(whole), "something is there twice"
    return without(whole, "prev", "hash", "mac", "run")


@LANES
def test_what_is_decided_lands_in_its_slot_under_its_number(
    broker: Cluster, prefix: str, undisturbed: Any, lane: str, tmp_path: Path
) -> None:
    (summary,) = kafka_jobs.run(broker, prefix, "analyze", "-r", tmp_path, KAFKA__LANE=lane)
    assert summary["streams"] == COUNT
    assert said_of(broker, prefix) == undisturbed


@pytest.mark.parametrize(
    "command",
    [("flows", "run", "analyze", "-w", 2), ("bytewax.run", "flows.analyze", "-w", 2)],
    ids=["midstream", "bytewax"],
)
def test_several_workers_say_the_same_as_one(
    broker: Cluster, prefix: str, undisturbed: Any, command: tuple[object, ...]
) -> None:
    kafka_jobs.end(kafka_jobs.start(broker, prefix, command=command, KAFKA__LANE="exact"))
    assert said_of(broker, prefix) == undisturbed


def test_cells_say_together_what_one_says(broker: Cluster, prefix: str, undisturbed: Any) -> None:
    cells = [
        kafka_jobs.start(broker, prefix, "analyze", KAFKA__CELLS=3, KAFKA__CELL=cell) for cell in range(3)
    ]
    for cell in cells:
        kafka_jobs.end(cell)
    assert said_of(broker, prefix) == undisturbed


@LANES
def test_a_stop_saves_everything_and_the_next_run_goes_on_exactly_there(
    broker: Cluster, prefix: str, undisturbed: Any, lane: str, tmp_path: Path
) -> None:
    stopped = kafka_jobs.start(
        broker, prefix, "analyze", "-r", tmp_path, "-s", 60, KAFKA__LANE=lane, BATCH=1, **FOREVER
    )
    until(lambda: consume(broker, f"{prefix}.releases", SLOTS, "read_uncommitted"))
    stopped.send_signal(signal.SIGTERM)
    kafka_jobs.end(stopped)
    kafka_jobs.run(broker, prefix, "analyze", "-r", tmp_path, KAFKA__LANE=lane)
    assert said_of(broker, prefix) == undisturbed
