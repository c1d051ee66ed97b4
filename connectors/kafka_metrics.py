"""The sums of a process, every few seconds, as records of a topic.

Speaks     ``summary`` records with ``job cell at feedback tombstones repeats`` (topic ``<prefix>.metrics``;
           key: job and cell)
Direction  sink
Takes      :class:`~operators.packet.Packet`
Delivery   at most once: what is lost is in the next, but for the last
Parallel   one for a process
Needs      ``pip install midstream[kafka]``

The last sums are told when the process ends, well or with an error: only then is it sure that no worker
counts any more. What has not arrived five seconds later is given up.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import Counter
from contextlib import suppress

import orjson
from confluent_kafka import KafkaError, Message, Producer
from msgspec import to_builtins

from connectors._kafka_client import Cluster, explained
from connectors._kafka_skipped import SKIPPED
from connectors._tally import Tally
from operators.packet import Packet

__all__ = ["Metrics"]

_log = logging.getLogger(__name__)
_LAST = 5.0  # seconds that the last record may take


class Metrics:
    """Counts packets, and tells the sums.

    :arg every: Seconds between two records; 0: none.

    :arg tally: Counts what leaves.

    """

    def __init__(self, cluster: Cluster, job: str, cell: int, every: float, tally: Tally) -> None:
        self._topic, self._every, self._tally = cluster.topic("metrics"), every, tally
        self._job, self._cell = job, cell
        self._producer = cluster.producer(failed=self._failed) if every else None
        self._feedback: Counter[tuple[str, str]] = Counter()
        self._due = time.monotonic() + every
        self._lock = threading.Lock()
        if every:
            atexit.register(self.close)

    def add(self, packet: Packet) -> None:
        """Count a packet that left."""
        self._tally.add(packet)
        with self._lock:
            for each in packet.feedback:
                self._feedback[each.rule, each.label] += 1
            if self._producer and time.monotonic() > self._due:
                self._due = time.monotonic() + self._every
                self._tell(self._producer)

    def close(self) -> None:
        """Tell the last sums; nothing is told any more."""
        atexit.unregister(self.close)
        with self._lock:
            producer, self._producer = self._producer, None
            if producer:
                self._tell(producer)
                producer.flush(_LAST)

    def _failed(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            _log.warning("%s", explained(error, f"write to {message.topic()}"))

    def _tell(self, producer: Producer) -> None:
        said = to_builtins(self._tally.summary()) | {
            "job": self._job,
            "cell": self._cell,
            "at": time.time_ns(),
            "tombstones": SKIPPED.tombstones,
            "repeats": SKIPPED.repeats,
        }
        said["feedback"] = [
            {"rule": rule, "label": label, "times": times}
            for (rule, label), times in sorted(self._feedback.items())
        ]
        with suppress(BufferError):  # as long as no broker takes any, the next tells more
            producer.produce(self._topic, orjson.dumps(said), f"{self._job}-{self._cell}".encode(), 0)
        producer.poll(0)
