"""The durable lane as it is set: the cluster, its topics, what reads from it and what writes to it.

Only imported where Kafka is used: the core installs without its client.
"""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from bytewax.inputs import FixedPartitionedSource

from connectors import _kafka_records as records
from connectors._kafka_client import Cluster
from connectors._kafka_topics import ready, sizes
from connectors._records import Recorder
from connectors._tally import Tally
from connectors.kafka import KafkaSource, Start
from connectors.kafka_beside import Beside, BesideSource
from connectors.kafka_metrics import Metrics
from connectors.kafka_sink import KafkaSink
from flows import ends
from flows.settings import Settings, secret
from operators.packet import Packet, Shape
from operators.slots import slot_key

__all__ = ["audit", "cluster", "decisions", "deltas", "own", "source"]


def cluster(settings: Settings) -> Cluster:
    """How the settings say that the cluster is reached.

    :raises ValueError: If they name none.
    """
    kafka = settings.kafka
    if not kafka.bootstrap_servers:
        msg = (
            "settings: kafka.bootstrap_servers (from the defaults): this job needs Kafka: set "
            "MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS=host:port"
        )
        raise ValueError(msg)
    options: dict[str, Any] = {name: secret(said).decode() for name, said in kafka.options.items()}
    options["security.protocol"] = kafka.security.upper()
    if kafka.security.startswith("sasl"):
        options["sasl.mechanism"] = kafka.mechanism
        if kafka.mechanism != "OAUTHBEARER":
            options |= {"sasl.username": kafka.username, "sasl.password": secret(kafka.password).decode()}
    files = {
        "ssl.ca.location": kafka.ca,
        "ssl.certificate.location": kafka.certificate,
        "ssl.key.location": kafka.private_key,
        "ssl.key.password": secret(kafka.private_key_password).decode(),
    }
    options |= {name: said for name, said in files.items() if said}
    return Cluster(
        kafka.bootstrap_servers, kafka.prefix, settings.slots, kafka.timeout, kafka.delivery_timeout,
        kafka.transaction_timeout, options, kafka.deltas, _hook(kafka.token),
    )  # fmt: skip


def _hook(named: str) -> Callable[[str], tuple[str, float]] | None:
    """The function that gives tokens.

    :raises ValueError: If there is none of that name.
    """
    if not named:
        return None
    module, _, name = named.partition(":")
    try:
        found: Callable[[str], tuple[str, float]] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        msg = f"settings: kafka.token: no function {named!r}: {error}"
        raise ValueError(msg) from error
    return found


def own(settings: Settings) -> dict[int, str]:
    """Key of each slot of this cell.

    :raises ValueError: If there are more cells than slots.
    """
    kafka = settings.kafka
    if kafka.cells > settings.slots:
        msg = f"settings: kafka.cells is {kafka.cells}, but there are {settings.slots} slots to share"
        raise ValueError(msg)
    return {slot: slot_key(slot) for slot in range(settings.slots) if slot % kafka.cells == kafka.cell}


def _largest_delta(settings: Settings) -> int:
    """Bytes that the record of a delta may take: each of its bytes may be six in JSON."""
    return 6 * settings.limits.delta_bytes + 4096


def source(
    settings: Settings, job: str, order: Callable[[bytes], Shape]
) -> FixedPartitionedSource[tuple[str, Packet], Any]:
    """Deltas, with what the topics ``control`` and ``feedback`` say beside them."""
    where, kafka, slots = cluster(settings), settings.kafka, own(settings)
    ready(where, ["deltas", "control", "feedback"], create=kafka.create, replication=kafka.replication)
    group = f"{kafka.prefix}-{job}"
    streams = KafkaSource(
        where, slots, group, start=_start(kafka.start), to_end=kafka.until == "end", batch=settings.batch,
        event_bytes=settings.limits.event_bytes, skew=kafka.skew,
    )  # fmt: skip
    beside = Beside(where, slots, f"{group}-beside", order)
    return BesideSource(streams, {key: slot for slot, key in slots.items()}, beside)


def _start(said: str) -> Start:
    if said in {"earliest", "latest", "committed"}:
        return Start(said)
    if said.isdecimal():
        return Start("offset", offset=int(said))
    time = datetime.fromisoformat(said)
    return Start("time", time=int(time.replace(tzinfo=time.tzinfo or UTC).timestamp() * 1000))


def _sink(
    settings: Settings, job: str, lane: str, topics: Sequence[str], encoder: Callable[[str], records.Encoder],
    seen: Callable[[Packet], None], slots: dict[int, str], needed: int = 0,
) -> KafkaSink:  # fmt: skip
    where, kafka, exact = cluster(settings), settings.kafka, settings.kafka.lane == "exact"
    used = [*topics, *(["markers"] if exact else [])]
    ready(where, used, create=kafka.create, replication=kafka.replication)
    known = sizes(where, used, dict.fromkeys(topics, needed) | {"dead": records.LETTER})
    runs = (kafka.run or secrets.token_hex(8)).split(",")  # one for all, or one for each
    again = ends.came_from(settings, job) != "stdin"
    named = {slot: runs[slot % len(runs)] for slot in slots} if again else None
    return KafkaSink(where, known, slots, lane, encoder, named, exact=exact, seen=seen)


def decisions(
    settings: Settings, job: str, names: Sequence[str], reasons: Sequence[str], tally: Tally
) -> KafkaSink:
    """Takes what was decided about the slots of this cell."""
    kafka = settings.kafka
    recorder = Recorder(names, reasons)
    origin = ends.came_from(settings, job)
    if origin == "kafka":
        origin = cluster(settings).topic("deltas")
    metrics = Metrics(cluster(settings), job, kafka.cell, kafka.metrics, tally)
    if kafka.metrics:
        ready(cluster(settings), ["metrics"], create=kafka.create, replication=kafka.replication)
    topics = [name for name in records.DECISIONS if name != "samples" or kafka.samples]
    return _sink(
        settings, job, job, topics, lambda _: records.Decisions(recorder, origin, samples=kafka.samples),
        metrics.add, own(settings), _largest_delta(settings),
    )  # fmt: skip


def audit(settings: Settings, job: str) -> KafkaSink:
    """Takes the lines of the stage ``audit``."""
    return _sink(
        settings,
        job,
        f"{job}.audit",
        records.AUDIT,
        lambda _: records.AuditRecords(),
        lambda _: None,
        own(settings),
    )


def deltas(settings: Settings, tally: Tally) -> KafkaSink:
    """Takes what sources say, of every slot."""
    kafka = settings.kafka
    origin = ends.came_from(settings, "ingest")
    every = {slot: slot_key(slot) for slot in range(settings.slots)}
    return _sink(
        settings, "ingest", f"ingest-{kafka.cell}", records.DELTAS, lambda run: records.Deltas(origin, run),
        tally.add, every, _largest_delta(settings),
    )  # fmt: skip
