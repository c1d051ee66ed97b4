"""One Kafka cluster as the connectors see it: how to reach it, what topics are called, what its errors mean.

Strategy. Clients are librdkafka's (confluent-kafka), made here and nowhere else, so that security, time
limits and logging are said once. Options that a guarantee rests on are set last and cannot be overridden.
librdkafka reconnects by itself for as long as it takes; only what no waiting can mend becomes an exception,
in our words: which topic, what was wrong, what would be right. Nothing of a password or a token is in them.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors._fault import Fault

__all__ = ["Cluster", "KafkaFault", "explained"]

_log = logging.getLogger("midstream.kafka")
# librdkafka warns of every wait for a transaction that a killed process left: it says so itself if it lasts.
# And of an option that is for clients of the other kind: all of ours are given the same.
_NOISE = "GETPID", "property and will be ignored by this"
_log.addFilter(lambda record: not any(word in record.getMessage() for word in _NOISE))
_WHO = "the broker refuses who we are: see kafka.username and kafka.password, or kafka.token"
_SOON = frozenset(
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
    ]
)
"""What a broker says of a partition that it will have in a moment."""
_ASKED_AGAIN = 0.1  # seconds
_SAID_AGAIN = 10.0  # seconds between two complaints of a client that nobody answers
_USUAL = 1_000_000  # bytes of a batch
_FETCHED, _FETCHED_BYTES = 20_000, 32 << 20  # of a partition
_LOOK = 100  # records
_HINTS = {
    KafkaError._ALL_BROKERS_DOWN: "no broker answers: see kafka.bootstrap_servers",
    KafkaError._TRANSPORT: "no broker answers: see kafka.bootstrap_servers",
    KafkaError._TIMED_OUT: "no broker answers: see kafka.bootstrap_servers, and its TLS and SASL settings",
    KafkaError._RESOLVE: "no such host: see kafka.bootstrap_servers",
    KafkaError._SSL: "TLS failed: see kafka.ca, kafka.certificate and kafka.private_key",
    KafkaError._AUTHENTICATION: _WHO,
    KafkaError.SASL_AUTHENTICATION_FAILED: _WHO,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "we are not allowed to use this topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "we are not allowed to commit for this group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "we are not allowed to use this transactional id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "we are not allowed to do this on the cluster",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "there is no such topic or partition",
    KafkaError._UNKNOWN_TOPIC: "there is no such topic",
    KafkaError._UNKNOWN_PARTITION: "there is no such partition",
    KafkaError.OFFSET_OUT_OF_RANGE: "the log does not hold that offset any more, or not yet",
    KafkaError._AUTO_OFFSET_RESET: "the log does not hold that offset any more, or not yet",
    KafkaError.MSG_SIZE_TOO_LARGE: "the record is larger than the topic takes (max.message.bytes)",
    KafkaError._FENCED: "another process has taken this slot over",
    KafkaError._FATAL: "another process has taken this slot over, or the broker gave it up for good",
    KafkaError.PRODUCER_FENCED: "another process has taken this slot over",
    KafkaError.INVALID_PRODUCER_EPOCH: "another process has taken this slot over",
    KafkaError._MSG_TIMED_OUT: "it could not be delivered in kafka.delivery_timeout",
    KafkaError.NOT_ENOUGH_REPLICAS: "fewer replicas are in sync than the topic asks for",
}

_AWAY = frozenset([KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT])
"""That nobody answers, not why."""


class KafkaFault(Fault):
    """Something about Kafka that waiting does not mend."""


def explained(error: KafkaError | KafkaException, what: str) -> KafkaFault:
    """What is wrong, in words: `what` was to be done."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    hint = _HINTS.get(cause.code(), "")
    return KafkaFault(f"kafka: {what}: {hint or cause.str()} ({cause.name()})")


@dataclass(frozen=True)
class Cluster:
    """How to reach a cluster, and what is there."""

    bootstrap: str
    prefix: str = "midstream"
    slots: int = 8
    timeout: float = 10.0
    """Seconds that a broker may take to answer while a job starts."""
    delivery: float = 120.0
    """Seconds that a record may take to be delivered, broker restarts included."""
    transaction: float = 60.0
    """Seconds that a transaction may stay open: longer than an epoch."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Of librdkafka: security, tuning."""
    deltas: str = ""
    """Topic of the deltas, where it is not called as the others are: several jobs may read one log."""
    token: Callable[[str], tuple[str, float]] | None = field(default=None, repr=False)
    """Gives an OAUTHBEARER token and the time (s) at which it is over."""
    _heard: list[KafkaError] = field(default_factory=list, repr=False, compare=False)

    def topic(self, name: str) -> str:
        """The full name of a topic."""
        return self.deltas if name == "deltas" and self.deltas else f"{self.prefix}.{name}"

    def admin(self) -> AdminClient:
        """A client that asks and changes what topics there are."""
        try:
            return AdminClient(self._with({"error_cb": self._heard.append}), logger=_log)
        except KafkaException as error:  # an option that there is none of, no token
            raise explained(error, f"begin with {self.bootstrap}") from error

    def cause(self, error: KafkaException) -> KafkaError:
        """Why nobody answered, as far as the clients of :meth:`admin` were told: a refusal says more than
        `error`, that no broker is there.
        """
        told = [heard for heard in self._heard if heard.code() not in _AWAY]
        cause: KafkaError = told[-1] if told else error.args[0]
        return cause

    def consumer(
        self,
        group: str,
        complain: Callable[[KafkaError], None] | None = None,
        isolation: str = "read_committed",
        ahead: tuple[int, int] = (_FETCHED, _FETCHED_BYTES),
    ) -> Consumer:
        """A consumer that commits nothing by itself, sees only what is committed unless `isolation` says
        otherwise, says where a log ends and which part of it is damaged, and does not jump when an offset is
        gone. `complain` hears of what librdkafka goes on from by itself. `ahead`: records and bytes of a
        partition of which librdkafka fetches no more as long as so many wait, if that is less than usual.
        """
        records, size = min(ahead[0], _FETCHED), min(ahead[1], _FETCHED_BYTES)
        return Consumer(
            self._with(
                {
                    "group.id": group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "isolation.level": isolation,
                    "error_cb": complain or _Complaints(),
                },
                {
                    "check.crcs": True,
                    "fetch.wait.max.ms": 100,
                    "fetch.error.backoff.ms": 100,
                    "fetch.queue.backoff.ms": 10,
                    "queued.min.messages": max(records, 1),
                    "queued.max.messages.kbytes": max(size >> 10, 1),
                },
            ),
            logger=_log,
        )

    def producer(
        self,
        transactional_id: str = "",
        failed: Callable[[KafkaError | None, Message], None] | None = None,
        largest: Iterable[int] = (),
    ) -> Producer:
        """A producer that repeats nothing. `failed` hears, when it is polled, of what could not be delivered,
        and of nothing else: a record costs no call. `largest`: bytes that each of its topics takes;
        a broker refuses a batch that is larger, with all that is in it.
        """
        sizes = [*largest] or [_USUAL]
        promised: dict[str, Any] = {
            "enable.idempotence": True,
            "acks": "all",
            "batch.size": min(_USUAL, *sizes),
            "message.max.bytes": max(sizes),
            "delivery.timeout.ms": int(self.delivery * 1000),
        }
        if failed:
            promised |= {"on_delivery": failed, "delivery.report.only.error": True}
        if transactional_id:
            promised |= {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(self.transaction * 1000),
                "delivery.timeout.ms": int(min(self.delivery, self.transaction) * 1000),
            }
        return Producer(
            self._with(
                promised,
                {"linger.ms": 1, "compression.type": "lz4", "batch.num.messages": 10_000,
                 "queue.buffering.max.messages": 200_000},
            ),
            logger=_log,
        )  # fmt: skip

    def bounds(self, consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
        """Where a partition begins and ends, as far as `consumer` may see: one of committed records is told
        where the first transaction begins that is still open. A broker that has just made the partition, or
        was just started, is asked again for ``timeout`` seconds.

        :raises KafkaFault: If it does not say.
        """
        patience = time.monotonic() + self.timeout
        while True:
            try:
                low, high = consumer.get_watermark_offsets(place, timeout=self.timeout)
            except KafkaException as error:
                if error.args[0].code() not in _SOON or time.monotonic() > patience:
                    what = f"ask how long {place.topic}, partition {place.partition} is"
                    raise explained(error, what) from error
                time.sleep(_ASKED_AGAIN)
            else:
                return low, high

    def between(
        self, consumer: Consumer, place: TopicPartition, end: int, why: str = ""
    ) -> Iterator[Message]:
        """The records from `place` up to offset `end`, which `consumer` is assigned for. Where its log ends
        before that, as it does for who reads what is committed, more is waited for.

        :arg why: What else there is to say if they do not all come.

        :raises KafkaFault: If for ``timeout`` seconds none came, or they cannot be read.
        """
        what = f"read {place.topic}, partition {place.partition}"
        if place.offset >= end:
            return
        try:
            consumer.assign([place])
            patience = time.monotonic() + self.timeout
            while time.monotonic() < patience:
                for message in consumer.consume(_LOOK, 0.1):
                    error, offset = message.error(), message.offset() or 0
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:
                        raise explained(error, what)
                    if error is None and offset < end:
                        yield message
                        patience = time.monotonic() + self.timeout
                    if offset >= end - (error is None):
                        return
        except KafkaException as error:
            raise explained(error, what) from error
        msg = f"kafka: {what}: not readable to offset {end} in {self.timeout:g} s (kafka.timeout){why}"
        raise KafkaFault(msg)

    def _with(self, promised: Mapping[str, Any], usual: Mapping[str, Any] | None = None) -> dict[str, Any]:
        said = {**(usual or {}), **self.options, **promised, "bootstrap.servers": self.bootstrap}
        if self.token:
            said["oauth_cb"] = self._given
        return {"client.id": "midstream", "reconnect.backoff.max.ms": 1000, "error_cb": _Complaints()} | said

    def _given(self, said: str) -> tuple[str, float]:
        """A token; what its giver raises may hold a secret, and is not repeated."""
        try:
            assert self.token is not None
            return self.token(said)
        except Exception as error:
            msg = f"kafka.token: the function that gives tokens raised {type(error).__name__}"
            _log.error("%s", msg)  # librdkafka goes on, and asks again
            raise KafkaFault(msg) from None


class _Complaints:
    """What a client goes on from by itself, but somebody should know of. It says of every attempt that nobody
    answers, a few a second: now and then is enough.
    """

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, error: KafkaError) -> None:
        if error.code() in _AWAY:
            now = time.monotonic()
            if now - self._last < _SAID_AGAIN:
                return
            self._last = now
        _log.warning("%s", explained(error, "client"))
