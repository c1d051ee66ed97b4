"""The topics of a deployment: made if they are missing, refused if they do not fit.

Strategy. A Kafka partition is a slot, so every topic that holds streams has as many partitions as there are
slots; with another number a stream's records would land in a slot that does not know it. All of it is asked
once, while the job starts: what does not fit ends the start with what there is and what would be right.
Nothing that exists is ever changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from connectors._kafka_client import Cluster, KafkaFault, explained

__all__ = ["Identity", "Topics", "present", "ready", "sizes"]

_log = logging.getLogger(__name__)
_SINGLE = frozenset({"control", "metrics"})
_TEN_MINUTES = str(10 * 60 * 1000)
_CONFIG: dict[str, dict[str, str]] = {
    # The broker's clock, so that what is from the future can be told.
    "deltas": {"message.timestamp.type": "LogAppendTime"},
    # A job that begins without state hears all orders from the first.
    "control": {"retention.ms": "-1", "retention.bytes": "-1"},
    # Rolled often, so that all but the last markers are cleaned up.
    "markers": {
        "cleanup.policy": "compact", "segment.ms": _TEN_MINUTES, "min.cleanable.dirty.ratio": "0.01",
    },
}  # fmt: skip
_NAMELESS = 22 * "A"
"""Zeros, in base64."""
_LARGEST = 1_048_588
"""``max.message.bytes`` where nobody has set it (Kafka 4)."""


@dataclass(frozen=True)
class Topics:
    """What is known of the topics that a job uses."""

    largest: dict[str, int]
    """Bytes of a record (and its batch) that each takes at most, by short name."""


class Identity:
    """What a cluster calls a topic beside its name: one that is deleted and made anew is called otherwise.

    Asked for at once, and again now and then; nobody waits for it before he wants to know. Clusters before
    Kafka 2.8 have none.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._admin, self._topic, self._patience = cluster.admin(), topic, cluster.timeout
        self.known = ""
        """As it was called first; nothing as long as nobody has said."""
        self._ask()

    def _ask(self) -> None:
        self._asked = time.monotonic()
        self._admin.poll(0)  # what it would tell of a broker that is away would pile up
        asked = self._admin.describe_topics(TopicCollection([self._topic]), request_timeout=self._patience)
        self._said = asked[self._topic]

    def hold(self, called: str, whose: str) -> None:
        """See that the topic is the one that was called so; waits for the cluster.

        :arg whose: What is refused if not.

        :raises KafkaFault: If it was made anew.
        """
        now = self._answer() or self.known
        if now and now != called:
            raise self._anew(called, now, whose)
        self.known = called

    def check(self, every: float) -> None:
        """See that the topic is still the same, as far as the cluster has said; ask again after `every`
        seconds. Never waits.

        :raises KafkaFault: If it was made anew.
        """
        if self._said.done():
            self._compare(self._answer())
            if time.monotonic() - self._asked >= every:
                self._ask()

    def settle(self) -> None:
        """Ask now, and wait for the answer.

        :raises KafkaFault: If the topic was made anew.
        """
        self._ask()
        self._compare(self._answer())

    def _compare(self, now: str) -> None:
        if now and self.known and now != self.known:
            raise self._anew(self.known, now)
        self.known = self.known or now

    def _answer(self) -> str:
        """It, or nothing if the cluster does not say."""
        try:
            called = str(self._said.result().topic_id)
        except KafkaException:
            return ""
        return "" if called == _NAMELESS else called

    def _anew(self, then: str, now: str, whose: str = "the position that was reached") -> KafkaFault:
        return KafkaFault(
            f"kafka: {whose} is one in a {self._topic} that is gone: the topic was made anew ({then}, now "
            f"{now}); begin with a new recovery directory, and where kafka.start says"
        )


def ready(cluster: Cluster, names: Sequence[str], *, create: bool = True, replication: int = -1) -> None:
    """See that the topics `names` (short names) are there and have a partition a slot.

    :arg create: Make those that are missing.

    :arg replication: Copies of what is made; -1: the broker's default.

    :raises KafkaFault: If the cluster cannot be reached, or a topic is missing or does not fit.
    """
    admin = cluster.admin()
    there = _partitions(admin, cluster)
    missing = [name for name in names if cluster.topic(name) not in there]
    if missing and create:
        _create(admin, cluster, missing, replication)
        there = dict.fromkeys(map(cluster.topic, missing), 0) | _partitions(admin, cluster)
    _check(cluster, names, there)


def sizes(cluster: Cluster, names: Sequence[str], needed: Mapping[str, int]) -> Topics:
    """What the topics `names` take.

    :arg needed: Bytes that a record of a topic may take: one that takes less is refused.

    :raises KafkaFault: If a topic takes less.
    """
    largest = _largest(cluster.admin(), cluster, names)
    for name, bytes_ in largest.items():
        if bytes_ < needed.get(name, 0):
            msg = (
                f"kafka: topic {cluster.topic(name)} takes records of {bytes_} bytes, a stream's may have "
                f"{needed[name]}: raise its max.message.bytes, or lower limits.delta_bytes"
            )
            raise KafkaFault(msg)
    return Topics(largest)


def present(cluster: Cluster, names: Sequence[str]) -> None:
    """See that the topics `names` (short names) are there, a partition a slot; makes none.

    :raises KafkaFault: If the cluster cannot be reached, or a topic is missing or has other partitions.
    """
    _check(cluster, names, _partitions(cluster.admin(), cluster))


def _check(cluster: Cluster, names: Sequence[str], there: Mapping[str, int]) -> None:
    """Refuse topics that are missing, or whose partitions are not what they should be; 0 is one that was just
    made, and is not known everywhere yet.
    """
    missing = [name for name in names if cluster.topic(name) not in there]
    if missing:
        full = ", ".join(map(cluster.topic, missing))
        partitions = _count(cluster, missing[0])
        msg = f"kafka: no topic {full}: make it with {partitions} partitions, or set kafka.create"
        raise KafkaFault(msg)
    for name in names:
        full, wanted = cluster.topic(name), _count(cluster, name)
        have = there[full] or wanted
        if have != wanted:
            why = "a partition is a slot" if name not in _SINGLE else "it is read as one log"
            msg = (
                f"kafka: topic {full} has {have} partitions, but {wanted} are needed ({why}; slots = "
                f"{cluster.slots}): set slots = {have}, or take another kafka.prefix"
            )
            raise KafkaFault(msg)


def _count(cluster: Cluster, name: str) -> int:
    return 1 if name in _SINGLE else cluster.slots


def _partitions(admin: AdminClient, cluster: Cluster) -> dict[str, int]:
    try:
        known = admin.list_topics(timeout=cluster.timeout)
    except KafkaException as error:
        admin.poll(0)  # why nobody answered is only told on the side
        raise explained(cluster.cause(error), f"ask {cluster.bootstrap} for its topics") from error
    return {name: len(topic.partitions) for name, topic in known.topics.items() if topic.error is None}


def _create(admin: AdminClient, cluster: Cluster, names: Sequence[str], replication: int) -> None:
    wanted = [
        NewTopic(
            cluster.topic(name), num_partitions=_count(cluster, name), replication_factor=replication,
            config=_CONFIG.get(name, {}),
        )
        for name in names
    ]  # fmt: skip
    made = admin.create_topics(wanted, operation_timeout=cluster.timeout, request_timeout=cluster.timeout)
    for topic, future in made.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another cell was quicker
                raise explained(error, f"make topic {topic}") from error
        else:
            _log.info("made topic %s", topic)


def _largest(admin: AdminClient, cluster: Cluster, names: Sequence[str]) -> dict[str, int]:
    resources = [ConfigResource(ResourceType.TOPIC, cluster.topic(name)) for name in names]
    largest = dict.fromkeys(names, _LARGEST)
    asked = admin.describe_configs(resources, request_timeout=cluster.timeout)
    for name, resource in zip(names, resources, strict=True):
        try:
            said = asked[resource].result()["max.message.bytes"].value
        except (KafkaException, KeyError):  # not allowed to look: what is too large is told by the broker
            continue
        largest[name] = int(said)
    return largest
