"""Topics: made as they must be, refused where they are not, and a clear word when there is no cluster."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from connectors._kafka_client import Cluster as Ours
from connectors._kafka_client import KafkaFault
from connectors._kafka_topics import ready, sizes
from tests.clusters import PATIENCE_S, Cluster
from tests.kafka_log import view

pytest_plugins = ["tests.kafka_fixtures"]

NAMES = ["deltas", "findings", "markers", "control", "metrics"]


@pytest.fixture
def administered(broker: Cluster) -> Cluster:
    """A cluster that makes topics for whoever asks."""
    if not broker.real:
        pytest.skip("the mock answers no administrator")
    return broker


def partitions(broker: Cluster, prefix: str) -> dict[str, int]:
    known = AdminClient(broker.client).list_topics(timeout=PATIENCE_S).topics
    return {
        name.removeprefix(f"{prefix}."): len(topic.partitions)
        for name, topic in known.items()
        if name.startswith(f"{prefix}.")
    }


def options(broker: Cluster, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient(broker.client)
    asked = admin.describe_configs([resource])[resource].result(PATIENCE_S)
    return {name: entry.value for name, entry in asked.items()}


def test_what_is_missing_is_made_with_a_partition_a_slot(administered: Cluster, prefix: str) -> None:
    administered.create_topics({f"{prefix}.findings": 5})
    for _ in range(2):  # the second time all is there
        ready(view(administered, prefix, 5), NAMES)
        known = sizes(view(administered, prefix, 5), NAMES, {})
        assert set(known.largest.values()) == {1_048_588}
    assert partitions(administered, prefix) == {
        "deltas": 5, "findings": 5, "markers": 5, "control": 1, "metrics": 1,
    }  # fmt: skip
    assert options(administered, f"{prefix}.deltas")["message.timestamp.type"] == "LogAppendTime"
    assert options(administered, f"{prefix}.markers")["cleanup.policy"] == "compact"
    assert options(administered, f"{prefix}.control")["retention.ms"] == "-1"
    assert options(administered, f"{prefix}.findings")["message.timestamp.type"] == "CreateTime"


def test_cells_that_start_together_make_them_once(administered: Cluster, prefix: str) -> None:
    faults: list[BaseException] = []

    def start() -> None:
        try:
            ready(view(administered, prefix, 3), NAMES)
        except Exception as fault:
            faults.append(fault)

    cells = [threading.Thread(target=start) for _ in range(4)]
    for cell in cells:
        cell.start()
    for cell in cells:
        cell.join()
    assert not faults
    assert partitions(administered, prefix)["deltas"] == 3


def test_what_a_topic_takes_is_known_and_too_little_is_refused(administered: Cluster, prefix: str) -> None:
    administered.create_topics({f"{prefix}.deltas": 2}, {"max.message.bytes": "70000"})
    known = sizes(view(administered, prefix), ["deltas"], {"deltas": 70_000})
    assert known.largest == {"deltas": 70_000}
    match = r"topic .*\.deltas takes records of 70000 bytes, .* 70001: raise its max.message.bytes, or lower"
    with pytest.raises(KafkaFault, match=match):
        sizes(view(administered, prefix), ["deltas"], {"deltas": 70_001})


@pytest.mark.parametrize(
    ("name", "have", "match"),
    [
        (
            "deltas",
            3,
            r"has 3 partitions, but 2 are needed \(a partition is a slot; slots = 2\): set slots = 3",
        ),
        ("control", 2, r"has 2 partitions, but 1 are needed \(it is read as one log"),
    ],
)
def test_another_number_of_partitions_is_refused(
    broker: Cluster, prefix: str, name: str, have: int, match: str
) -> None:
    broker.create_topics({f"{prefix}.{name}": have})
    with pytest.raises(KafkaFault, match=rf"topic {prefix}\.{name} {match}"):
        ready(view(broker, prefix, timeout=2.0), [name])


def test_a_topic_that_must_not_be_made_is_missed(broker: Cluster, prefix: str) -> None:
    broker.create_topics({f"{prefix}.deltas": 2})
    match = rf"no topic {prefix}\.findings, {prefix}\.dead: make it with 2 partitions, or set kafka.create"
    with pytest.raises(KafkaFault, match=match):
        ready(view(broker, prefix), ["deltas", "findings", "dead"], create=False)
    assert f"{prefix}.findings" not in partitions(broker, "")


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
def test_who_does_not_answer_is_told_of_in_time(request: pytest.FixtureRequest, where: str) -> None:
    bootstrap = request.getfixturevalue(where)
    began = time.monotonic()
    match = rf"ask {bootstrap} for its topics: no broker answers: see kafka.bootstrap_servers"
    with pytest.raises(KafkaFault, match=match):
        ready(Ours(bootstrap, "p", 2, timeout=1.0), NAMES)
    assert time.monotonic() - began < PATIENCE_S
