"""The brokers that other tests stand on: each does what its description says, and lacks what it says.

On a real Kafka this takes more than a minute: a broker starts six times, three of them to refuse strangers.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests import kafka_runtime
from tests.broker import Broker
from tests.clusters import PATIENCE_S, Cluster, MockBroker, NamedCluster
from tests.conftest import ROOT
from tests.kafka_runtime import NoRuntimeError, Runtime
from tests.kafka_security import Security, certificates, tokens

pytest_plugins = ["tests.kafka_fixtures"]

COMMITTED = "read_committed"
# What a test waits for is there or not there at once: no second chances in growing intervals.
IMPATIENT = {"reconnect.backoff.max.ms": 200, "log_level": 0}
Record = tuple[bytes | None, bytes | None, Any]


def producer(cluster: Cluster, **options: Any) -> Producer:
    return Producer(cluster.client | IMPATIENT | {"enable.idempotence": True} | options)


def produce(cluster: Cluster, topic: str, *values: str, partition: int = 0) -> None:
    """Produce `values` and return when the broker has them."""
    undelivered: list[KafkaError] = []
    client = producer(cluster)
    for value in values:
        client.produce(
            topic, value, key="s", headers=[("seq", value.encode())], partition=partition,
            on_delivery=lambda error, _: undelivered.append(error) if error else None,
        )  # fmt: skip
    assert client.flush(PATIENCE_S) == 0
    assert not undelivered


def consume(cluster: Cluster, topic: str, partition: int = 0, isolation: str = COMMITTED) -> list[Record]:
    """All that the partition holds now: (key, value, headers)."""
    client = Consumer(
        cluster.client
        | IMPATIENT
        | {"group.id": topic, "isolation.level": isolation, "enable.partition.eof": True}
        | {"fetch.wait.max.ms": 10}
    )
    client.assign([TopicPartition(topic, partition, 0)])
    found: list[Record] = []
    try:
        while message := client.poll(PATIENCE_S):
            error = message.error()
            if error is None:
                found.append((message.key(), message.value(), message.headers()))
            elif error.code() == KafkaError._PARTITION_EOF:
                return found
    finally:
        client.close()
    pytest.fail(f"{topic} has no end after {found}")


def values(cluster: Cluster, topic: str, isolation: str = COMMITTED) -> list[str]:
    return [value.decode() for _, value, _ in consume(cluster, topic, isolation=isolation) if value]


def abort_then_commit(cluster: Cluster, topic: str) -> None:
    client = producer(cluster, **{"transactional.id": topic})
    client.init_transactions(PATIENCE_S)
    for value, close in (("aborted", client.abort_transaction), ("kept", client.commit_transaction)):
        client.begin_transaction()
        client.produce(topic, value, partition=0)
        assert client.flush(PATIENCE_S) == 0
        close(PATIENCE_S)


def zombie_commits(cluster: Cluster, topic: str) -> None:
    """Commit a transaction whose producer has been followed by another of its name."""
    zombie, successor = (producer(cluster, **{"transactional.id": topic}) for _ in range(2))
    zombie.init_transactions(PATIENCE_S)
    zombie.begin_transaction()
    zombie.produce(topic, "zombie", partition=0)
    assert zombie.flush(PATIENCE_S) == 0
    successor.init_transactions(PATIENCE_S)
    zombie.commit_transaction(PATIENCE_S)


def until(condition: Callable[[], object]) -> None:
    """Call `condition` until it holds."""
    before = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < before, "it never came true"


def refusal(options: dict[str, Any]) -> int:
    """The error with which a client of `options` is refused."""
    codes: list[int] = []

    def hear(error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            codes.append(error.code())

    client = Producer(options | IMPATIENT | {"error_cb": hear})
    with pytest.raises(KafkaException):
        client.list_topics(timeout=0.2)
    until(lambda: client.poll(0.1) or codes)
    return codes[0]


# Either kind


def test_what_is_produced_is_consumed_in_order_with_key_and_headers(broker: Cluster, prefix: str) -> None:
    broker.create_topics({f"{prefix}.deltas": 8})
    said = [str(number) for number in range(1000)]
    produce(broker, f"{prefix}.deltas", *said, partition=7)
    found = consume(broker, f"{prefix}.deltas", 7)
    assert found == [(b"s", value.encode(), [("seq", value.encode())]) for value in said]
    assert consume(broker, f"{prefix}.deltas", 6) == []


def test_topics_have_as_many_partitions_as_asked(broker: Cluster, prefix: str) -> None:
    asked = {f"{prefix}.deltas": 8, f"{prefix}.control": 1, f"{prefix}.wide": 64}
    broker.create_topics(asked)
    known = AdminClient(broker.client).list_topics(timeout=PATIENCE_S).topics
    assert {topic: len(known[topic].partitions) for topic in asked} == asked


# What the mock lacks: when one of these fails, the mock has learnt it and its description is wrong.


def test_the_mock_delivers_aborted_records(mock_broker: MockBroker, prefix: str) -> None:
    mock_broker.create_topics({prefix: 1})
    abort_then_commit(mock_broker, prefix)
    assert values(mock_broker, prefix) == ["aborted", "kept"]


def test_the_mock_does_not_fence(mock_broker: MockBroker, prefix: str) -> None:
    mock_broker.create_topics({prefix: 1})
    zombie_commits(mock_broker, prefix)
    assert values(mock_broker, prefix) == ["zombie"]


def test_the_mock_does_not_answer_administrators(mock_broker: MockBroker, prefix: str) -> None:
    admin = AdminClient(mock_broker.client | {"log_level": 0})
    made = admin.create_topics([NewTopic(prefix, 1)], request_timeout=0.5)[prefix]
    with pytest.raises((KafkaException, TimeoutError)):
        made.result(PATIENCE_S)


def test_the_mock_makes_an_unknown_topic_with_four_partitions(mock_broker: MockBroker, prefix: str) -> None:
    known = AdminClient(mock_broker.client)
    until(lambda: len(known.list_topics(prefix, timeout=PATIENCE_S).topics[prefix].partitions) == 4)


def test_a_stopped_mock_is_gone() -> None:
    with MockBroker() as mock:
        AdminClient(mock.client).list_topics(timeout=PATIENCE_S)
    mock.stop()
    assert refusal(mock.client) == KafkaError._TRANSPORT


# What only a real one has


def test_aborted_records_are_invisible_to_read_committed(real_broker: Broker, prefix: str) -> None:
    real_broker.create_topics({prefix: 1})
    abort_then_commit(real_broker, prefix)
    assert values(real_broker, prefix) == ["kept"]
    assert values(real_broker, prefix, "read_uncommitted") == ["aborted", "kept"]


def test_a_zombie_is_fenced(real_broker: Broker, prefix: str) -> None:
    real_broker.create_topics({prefix: 1})
    with pytest.raises(KafkaException) as caught:
        zombie_commits(real_broker, prefix)
    assert caught.value.args[0].code() == KafkaError._FENCED
    assert values(real_broker, prefix) == []


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_data_outlive_the_broker(real_broker: Broker, prefix: str, end: str) -> None:
    real_broker.create_topics({prefix: 8})
    produce(real_broker, prefix, "before")
    first = real_broker.pid
    getattr(real_broker, end)()
    assert refusal(real_broker.client) == KafkaError._TRANSPORT
    real_broker.restart()
    assert real_broker.pid != first
    produce(real_broker, prefix, "after")
    assert values(real_broker, prefix) == ["before", "after"]


def test_a_client_waits_for_a_frozen_broker(real_broker: Broker, prefix: str) -> None:
    real_broker.create_topics({prefix: 1})
    client = producer(real_broker)
    client.produce(prefix, "before", partition=0)
    assert client.flush(PATIENCE_S) == 0
    real_broker.freeze()
    client.produce(prefix, "meanwhile", partition=0)
    assert client.flush(0.5) == 1
    real_broker.thaw()
    assert client.flush(PATIENCE_S) == 0
    assert values(real_broker, prefix) == ["before", "meanwhile"]


def test_unknown_topics_are_not_made(real_broker: Broker, prefix: str) -> None:
    client = producer(real_broker, **{"topic.metadata.propagation.max.ms": 100})
    failed: list[int] = []
    client.produce(prefix, "x", on_delivery=lambda error, _: failed.append(error.code() if error else 0))
    assert client.flush(PATIENCE_S) == 0
    assert failed == [KafkaError.UNKNOWN_TOPIC_OR_PART]


def test_a_named_cluster_is_rid_of_our_topics_and_goes_on(real_broker: Broker, prefix: str) -> None:
    with NamedCluster(real_broker.bootstrap) as named:
        named.create_topics({f"{prefix}-ours.deltas": 8, f"{prefix}-theirs.deltas": 8})
        named.delete_topics(f"{prefix}-ours")
    admin = AdminClient(real_broker.client)

    def left() -> set[str]:
        return {name for name in admin.list_topics(timeout=PATIENCE_S).topics if name.startswith(prefix)}

    until(lambda: left() == {f"{prefix}-theirs.deltas"})


def test_a_broker_that_does_not_come_up_says_why(real_kafka: Runtime, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"log\.segment\.bytes"):
        Broker.start(tmp_path, properties={"log.segment.bytes": "1"})


@pytest.mark.parametrize("security", [name for name in get_args(Security) if name != "plaintext"])
def test_a_client_must_prove_who_it_is(real_kafka: Runtime, tmp_path: Path, security: Security) -> None:
    with Broker.start(tmp_path / "broker", security=security) as broker:
        broker.create_topics({"t": 8})
        produce(broker, "t", "x")
        assert values(broker, "t") == ["x"]
        stranger, _ = certificates(tmp_path / "stranger")
        assert refusal(broker.client | {"ssl.ca.location": str(stranger)}) == KafkaError._SSL
        if security == "scram":
            for wrong in ({"sasl.password": "wrong"}, {"sasl.username": "nobody"}):
                assert refusal(broker.client | wrong) == KafkaError._AUTHENTICATION
        if security == "oauth":
            assert refusal(broker.client | {"oauth_cb": tokens("other")}) == KafkaError._AUTHENTICATION


# Finding and fetching


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    certificates(tmp_path)
    private = [path for path in tmp_path.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert len(private) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_two_at_once_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fetched: list[Path] = []

    def fetch(folder: Path) -> None:
        fetched.append(folder)
        folder.mkdir()
        until(lambda: threading.active_count() > 4)  # the others are there and wait, or will find it whole
        folder.joinpath("jar").touch()

    def work() -> None:
        assert kafka_runtime._cached("kafka", fetch).joinpath("jar").exists()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert {path.name for path in tmp_path.joinpath("midstream").iterdir()} == {"kafka", "fetch.lock"}


def test_a_broken_download_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fetch(folder: Path) -> None:
        folder.mkdir()
        folder.joinpath("half").touch()
        raise NoRuntimeError

    with pytest.raises(NoRuntimeError):
        kafka_runtime._cached("kafka", fetch)
    assert [path.name for path in tmp_path.joinpath("midstream").iterdir()] == ["fetch.lock"]


def test_without_a_kafka_a_run_that_asks_for_one_fails(tmp_path: Path) -> None:
    """A JVM but no Maven and an empty cache: an error that says so, where a plain run skips."""
    java = tmp_path / "jvm" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    java.chmod(0o755)
    bare = {"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path / "jvm"), "XDG_CACHE_HOME": str(tmp_path)}
    test = f"{Path(__file__).relative_to(ROOT)}::{test_a_zombie_is_fenced.__name__}"

    def run(asked: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test],
            cwd=ROOT, env=os.environ | bare | {"MIDSTREAM_TEST_KAFKA": asked}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    status, said = run("real")
    assert status == 1
    assert "no mvn on PATH to fetch it" in said
    status, said = run("mock")
    assert status == 0
    assert "MIDSTREAM_TEST_KAFKA=real" in said


@pytest.mark.parametrize(
    ("said", "version"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0"', 1), ("", None)],
)
def test_the_version_of_a_jvm(tmp_path: Path, said: str, version: int | None) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    java.chmod(0o755)
    assert kafka_runtime._version(str(java)) == version
    assert kafka_runtime._version(str(tmp_path / "none")) is None
