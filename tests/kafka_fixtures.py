"""The clusters that tests ask for by name. A test file loads this with ``pytest_plugins``; nobody imports it.

A plain ``pytest`` needs neither JVM nor network: `broker` is librdkafka's mock and what needs a real Kafka is
skipped. ``MIDSTREAM_TEST_KAFKA=real`` starts one, and then a Kafka that cannot be had is an error: a run that
was asked to prove something must not pass by skipping it. ``MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS`` names a
cluster to use as `broker` instead. Whatever asks for one of these fixtures bears the marker ``kafka``.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator

import pytest

from tests import kafka_runtime
from tests.broker import Broker
from tests.clusters import Cluster, MockBroker, NamedCluster
from tests.kafka_runtime import Runtime

_NAMED = "MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS"
_OURS = {"broker", "real_broker", "real_kafka", "mock_broker"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kafka: asks for a Kafka cluster; given by tests/kafka_fixtures.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _OURS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


def _real() -> bool:
    asked = os.environ.get("MIDSTREAM_TEST_KAFKA", "mock")
    assert asked in {"mock", "real"}, f"MIDSTREAM_TEST_KAFKA={asked}: mock or real"
    return asked == "real"


@pytest.fixture(scope="session")
def real_kafka() -> Runtime:
    """What `tests.broker.Broker.start` needs is there: for tests that start brokers of their own."""
    if not _real():
        pytest.skip("needs a real Apache Kafka: MIDSTREAM_TEST_KAFKA=real (Java 17 and Maven) starts one")
    return kafka_runtime.runtime()


@pytest.fixture(scope="session")
def _started(real_kafka: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker.start(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def real_broker(_started: Broker) -> Iterator[Broker]:
    """A real Kafka that this test may stop, kill or freeze; the next test finds it running."""
    _started.revive()
    yield _started
    _started.revive()


@pytest.fixture(scope="module")
def mock_broker() -> Iterator[MockBroker]:
    """librdkafka's mock, whatever `broker` is."""
    with MockBroker() as broker:
        yield broker


@pytest.fixture(scope="module")
def broker(request: pytest.FixtureRequest) -> Cluster:
    """The cluster of this run: the one that is named, else a real one if asked for, else the mock."""
    if named := os.environ.get(_NAMED):
        return NamedCluster(named)
    cluster = request.getfixturevalue("_started" if _real() else "mock_broker")
    assert isinstance(cluster, Cluster)
    return cluster


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix of topics, groups and transactional ids that no other test has. A named cluster is rid of its
    topics afterwards.
    """
    test = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name)[:60]
    ours = f"{test}-{uuid.uuid4().hex[:8]}"
    yield ours
    if named := os.environ.get(_NAMED):
        NamedCluster(named).delete_topics(ours)
