"""What a test may know of a Kafka cluster, and the two that need no JVM: a mock, and one that is named.

One shape for all, so that a test written for one runs on the others. The mock lives in librdkafka, which
confluent-kafka brings along: no process, no download, there in milliseconds. We call it through its C
interface, because the setting ``test.mock.num.brokers`` gives every topic four partitions and no way to ask
for others, and a partition is a slot for us. What the mock lacks is in `MockBroker`'s description; what
depends on it is tested on `tests.broker.Broker`.
"""

from __future__ import annotations

import ctypes
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, Self

import confluent_kafka.cimpl
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

Options = dict[str, Any]

PATIENCE_S = 30.0  # for what takes milliseconds on an idle machine


class Cluster(ABC):
    """A cluster to test against; leaving the context stops it.

    `bootstrap` is ``host:port`` and `client` the options that every client of it needs (servers, security);
    `without` are options for our own clients, for what it lacks.
    """

    real: ClassVar[bool]  # a Kafka, with all that the mock lacks
    without: ClassVar[Options] = {}

    @property
    @abstractmethod
    def bootstrap(self) -> str: ...

    @property
    def client(self) -> Options:
        return {"bootstrap.servers": self.bootstrap}

    @abstractmethod
    def create_topics(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        """Make `topics` (name: partitions), with topic options `config`; return when clients can see them."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it; a cluster that is not ours goes on. Safe to repeat."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class KafkaCluster(Cluster):
    """A cluster that answers administrators."""

    real = True

    def create_topics(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        admin = AdminClient(self.client)
        wanted = [NewTopic(name, number, config=dict(config or {})) for name, number in topics.items()]
        for made in admin.create_topics(wanted, operation_timeout=PATIENCE_S).values():
            made.result(PATIENCE_S)
        # The controller has them now; a broker follows its log a little later.
        before = time.monotonic() + PATIENCE_S
        while (seen := _partitions(admin, topics)) != dict(topics):
            assert time.monotonic() < before, f"made {dict(topics)}, the broker knows {seen}"
            time.sleep(0.01)


def _partitions(admin: AdminClient, topics: Mapping[str, int]) -> dict[str, int]:
    known = admin.list_topics(timeout=PATIENCE_S).topics
    return {name: len(known[name].partitions) for name in topics if name in known}


class NamedCluster(KafkaCluster):
    """A cluster that somebody else runs, without authentication. It is never stopped or restarted by us."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    @property
    def bootstrap(self) -> str:
        return self._bootstrap

    def delete_topics(self, prefix: str) -> None:
        """Delete the topics whose names begin with `prefix`."""
        admin = AdminClient(self.client)
        ours = [name for name in admin.list_topics(timeout=PATIENCE_S).topics if name.startswith(prefix)]
        for deleted in admin.delete_topics(ours).values() if ours else ():
            deleted.result(PATIENCE_S)

    def stop(self) -> None:
        pass


class MockBroker(Cluster):
    """librdkafka's mock cluster: one broker in this process, on loopback, for clients of any process.

    It has produce (idempotent too) and fetch, headers, watermarks, committed offsets, and transactions as
    calls. It lacks requests of administrators (to create or delete a topic, to add partitions, to describe
    options: they time out), ``read_committed`` (aborted and open records are delivered), fencing of a zombie,
    offsets for times (always none), deletion of records, and security; the end of a transaction has no
    checksum. An unknown topic is made when a client asks for it, with four partitions.
    """

    real = False
    without: ClassVar[Options] = {"check.crcs": "false"}

    def __init__(self) -> None:
        # The very library that confluent-kafka has loaded, wherever it lies.
        self._library = library = ctypes.CDLL(confluent_kafka.cimpl.__file__)
        pointers = ("conf_new", "new", "mock_cluster_new", "mock_cluster_bootstraps")
        for name in pointers:
            getattr(library, f"rd_kafka_{name}").restype = ctypes.c_void_p
        why = ctypes.create_string_buffer(512)
        configuration = ctypes.c_void_p(library.rd_kafka_conf_new())
        # Its warning would be that we named no servers: the cluster is what it is about to become.
        library.rd_kafka_conf_set(configuration, b"log_level", b"0", why, ctypes.c_size_t(len(why)))
        producer = library.rd_kafka_new(0, configuration, why, ctypes.c_size_t(len(why)))
        assert producer, why.value.decode()
        self._producer = ctypes.c_void_p(producer)
        self._cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(self._producer, 1))
        assert self._cluster, "librdkafka made no mock cluster"
        named = ctypes.cast(library.rd_kafka_mock_cluster_bootstraps(self._cluster), ctypes.c_char_p).value
        assert named
        self._bootstrap = named.decode()
        self._running = True

    @property
    def bootstrap(self) -> str:
        return self._bootstrap

    def create_topics(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        assert self._running
        assert not config, "the mock knows no topic options"
        for name, partitions in topics.items():
            code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
            assert code == 0, f"the mock cluster refuses {name} with {partitions} partitions: error {code}"

    def stop(self) -> None:
        if self._running:
            self._running = False
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._producer)
