"""The durable job under harm: killed anywhere, taken over, cut off, badly set. Nothing lost, nothing doubled
where that was promised, and never an exit status of 0 for less.
"""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from flows.recovery import kept
from flows.settings import load
from tests.broker import Broker
from tests.clusters import PATIENCE_S, Cluster
from tests.flows import jobs, kafka_jobs
from tests.flows.kafka_jobs import SLOTS
from tests.flows.test_analyze import COUNT, FOREVER, said_of, undisturbed, written
from tests.kafka_log import consume, until

__all__ = ["undisturbed"]
pytest_plugins = ["tests.kafka_fixtures"]
pytestmark = pytest.mark.process


@pytest.fixture
def real(broker: Cluster, prefix: str) -> Cluster:
    """A Kafka with streams in it."""
    if not broker.real:
        pytest.skip("the mock hands out what is not committed, fences nobody and deletes nothing")
    kafka_jobs.topics(broker, prefix)
    written(broker, prefix)
    return broker


def killed(process: subprocess.Popen[bytes]) -> None:
    """It ended by SIGKILL, which nothing else than the kill that was meant sends."""
    _, err = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, err.decode()


def resumed(broker: Cluster, prefix: str, folder: Path, **more: Any) -> None:
    """Go on to the end where one was killed. While a broker aborts what that one left open, librdkafka says
    that it asks again; nothing else is complained of.
    """
    process = kafka_jobs.start(broker, prefix, "analyze", "-r", folder, **more)
    _, err = process.communicate(timeout=120)
    wrong = [
        line for line in jobs.complaints(err) if "concurrent operation on the same transaction" not in line
    ]
    assert (process.returncode, wrong) == (0, [])


@pytest.mark.parametrize("commit", [1, 2, SLOTS + 1, 2 * SLOTS])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_a_commit_loses_nothing_and_doubles_nothing(
    real: Cluster, prefix: str, undisturbed: Any, tmp_path: Path, when: str, commit: int
) -> None:
    exact: dict[str, Any] = {"KAFKA__LANE": "exact", "BATCH": 4}
    command = ("tests.flows.killed_in_commit", when, commit, "run", "analyze", "-r", tmp_path, "-s", 0.1)
    killed(kafka_jobs.start(real, prefix, command=command, **exact))
    resumed(real, prefix, tmp_path, **exact)
    assert said_of(real, prefix) == undisturbed


@pytest.mark.parametrize("lane", ["fast", "exact"])
def test_kills_at_any_time_lose_nothing(
    real: Cluster, prefix: str, undisturbed: Any, tmp_path: Path, lane: str
) -> None:
    drawn = random.Random(lane)
    more: dict[str, Any] = {"KAFKA__LANE": lane, "BATCH": 1}
    for _ in range(3):
        process = kafka_jobs.start(real, prefix, "analyze", "-r", tmp_path, "-s", 0.1, **more, **FOREVER)
        before = len(consume(real, f"{prefix}.releases", SLOTS))
        wanted = before + drawn.randrange(1, 60)
        until(partial(_has_said, real, prefix, wanted))
        process.kill()
        killed(process)
    resumed(real, prefix, tmp_path, **more)
    assert said_of(real, prefix, once=lane == "exact") == undisturbed


def _has_said(broker: Cluster, prefix: str, count: int) -> bool:
    releases = consume(broker, f"{prefix}.releases", SLOTS, "read_uncommitted")
    return len(releases) >= count or sum(record.value["type"] == "end" for record in releases) >= COUNT - 2


def test_a_cell_that_was_taken_over_while_it_stood_still_ends_and_doubles_nothing(
    real: Cluster, prefix: str, undisturbed: Any, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    exact: dict[str, Any] = {"KAFKA__LANE": "exact"}
    zombie = kafka_jobs.start(real, prefix, "analyze", "-r", first, "-s", 0.1, **exact, **FOREVER)
    until(lambda: consume(real, f"{prefix}.releases", SLOTS))
    zombie.send_signal(signal.SIGSTOP)
    shutil.copytree(first, second)  # its volume, in another machine
    successor = kafka_jobs.start(real, prefix, "analyze", "-r", second, **exact)
    _, err = successor.communicate(timeout=60)
    assert successor.returncode == 0, err.decode()
    written(real, prefix, seed=2)
    zombie.send_signal(signal.SIGCONT)
    _, err = zombie.communicate(timeout=60)
    assert zombie.returncode not in {0, None}
    assert b"another process has taken this slot over" in err
    assert said_of(real, prefix) == undisturbed


def test_a_topic_that_is_deleted_under_a_job_ends_it(real: Cluster, prefix: str) -> None:
    options = '{"topic.metadata.refresh.interval.ms": "200", "topic.metadata.propagation.max.ms": "500"}'
    process = kafka_jobs.start(real, prefix, "analyze", KAFKA__OPTIONS=options, **FOREVER)
    until(lambda: consume(real, f"{prefix}.releases", SLOTS))
    admin = AdminClient(real.client)
    admin.delete_topics([f"{prefix}.deltas"])[f"{prefix}.deltas"].result(PATIENCE_S)
    _, err = process.communicate(timeout=60)
    assert process.returncode not in {0, None}
    assert f"{prefix}.deltas is not there any more: it was deleted while it was read".encode() in err


def test_what_cannot_be_delivered_ends_the_job_and_the_next_one_delivers_it(
    real_broker: Broker, prefix: str, undisturbed: Any, tmp_path: Path
) -> None:
    kafka_jobs.topics(real_broker, prefix)
    written(real_broker, prefix)
    late = kafka_jobs.start(
        real_broker,
        prefix,
        "analyze",
        "-r",
        tmp_path,
        "-s",
        0.1,
        KAFKA__DELIVERY_TIMEOUT=1,
        BATCH=1,
        **FOREVER,
    )
    until(lambda: consume(real_broker, f"{prefix}.releases", SLOTS))
    written(real_broker, prefix, seed=2)
    real_broker.freeze()
    _, err = late.communicate(timeout=60)
    assert late.returncode not in {0, None}
    assert b"kafka.delivery_timeout" in err
    real_broker.thaw()
    kafka_jobs.run(real_broker, prefix, "analyze", "-r", tmp_path)
    found = said_of(real_broker, prefix, once=False)
    assert {place: record for place, record in found.items() if place in undisturbed} == undisturbed


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Who takes every connection and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody() -> str:
    """A port on which nobody listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("where", ["black_hole", "nobody"])
@pytest.mark.parametrize("job", ["ingest", "analyze"])
def test_a_job_without_a_broker_says_so_and_ends(
    request: pytest.FixtureRequest, broker: Cluster, job: str, where: str
) -> None:
    bootstrap = request.getfixturevalue(where)
    process = kafka_jobs.start(broker, "p", job, KAFKA__TIMEOUT=1, KAFKA__BOOTSTRAP_SERVERS=bootstrap)
    _, err = process.communicate(timeout=60)
    said = err.decode()
    assert process.returncode == 2, said
    assert f"kafka: ask {bootstrap} for its topics: no broker answers" in said
    assert "Traceback" not in said


def test_topics_of_another_number_of_slots_are_refused(broker: Cluster, prefix: str) -> None:
    broker.create_topics({f"{prefix}.deltas": SLOTS + 1})
    process = kafka_jobs.start(broker, prefix, "analyze", KAFKA__CREATE="false")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"Traceback" not in err
    assert f"{prefix}.".encode() in err


def test_a_state_of_another_number_of_slots_is_refused(broker: Cluster, prefix: str, tmp_path: Path) -> None:
    with kept(tmp_path, load(), "inflight"):
        pass
    process = kafka_jobs.start(broker, prefix, "analyze", "-r", tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"was made with slots = 8" in err
