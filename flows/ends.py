"""The ends of a flow, as they are set: where streams come from, and where records go."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, Source
from bytewax.outputs import Sink

from connectors._tally import Tally
from connectors._tape import TapeSource
from connectors.audit import AuditSink
from connectors.control import ControlledSource
from connectors.ndjson import NdjsonSink
from connectors.ndjson_input import NdjsonSource
from connectors.replay import ReplayConfig, ReplaySource
from connectors.simulate import SimulateConfig, SimulateSource
from connectors.stamped import StampedSource
from connectors.stdin import StdinSource
from connectors.terminal import TerminalSink
from flows.settings import Settings
from operators.packet import Packet, Shape
from operators.slots import slot_key, slot_of

__all__ = [
    "Keyed", "beside", "came_from", "client", "gateway", "log", "own",
    "record", "said", "sink", "source", "takes_orders",
    "to_kafka",
]  # fmt: skip

Keyed = tuple[str, Packet]

_DURABLE = ("ingest", "analyze")
"""Jobs whose records go to topics unless something else is said."""


def client() -> ModuleType:
    """``flows.durable``: the core installs without Kafka's client.

    :raises ValueError: If that is not there.
    """
    try:
        return importlib.import_module("flows.durable")
    except ModuleNotFoundError as error:
        if error.name != "confluent_kafka":
            raise
        msg = "this job needs Kafka's client: install the extra 'kafka' ('.[kafka]' in place of '.')"
        raise ValueError(msg) from error


def gateway(settings: Settings, tally: Tally) -> Dataflow:
    """``flows.gateway``: the core installs without a server.

    :raises ValueError: If that is not there.
    """
    try:
        job = importlib.import_module("flows.gateway")
    except ModuleNotFoundError as error:
        if error.name not in {"starlette", "uvicorn", "httpcore2"}:
            raise
        msg = "this job needs a server: install the extra 'gateway' ('.[gateway]' in place of '.')"
        raise ValueError(msg) from error
    flow: Dataflow = job.flow(settings, tally)
    return flow


def _input(settings: Settings, job: str) -> str:
    """Where the streams of a job come from."""
    if settings.input.source != "auto":
        return settings.input.source
    if job == "analyze":
        return "kafka"
    if settings.replay.paths:
        return "replay"
    return "ndjson" if job == "ingest" else "simulate"


def to_kafka(settings: Settings, job: str) -> bool:
    """Whether the records of a job go to topics."""
    return settings.output.sink == "kafka" or (settings.output.sink == "auto" and job in _DURABLE)


def came_from(settings: Settings, job: str) -> str:
    """What the streams of a job come out of: ``kafka replay simulate``, or ``stdin``, which nobody can read
    again.
    """
    kind = _input(settings, job)
    return "stdin" if kind == "ndjson" or (kind == "replay" and settings.replay.paths == ("-",)) else kind


def takes_orders(settings: Settings, job: str) -> bool:
    """Whether patterns may come while the job runs."""
    return bool(settings.control.path) or _input(settings, job) == "kafka"


def own(settings: Settings, job: str) -> frozenset[int]:
    """The slots that this process has of those that are shared with other cells; none if none are."""
    if _input(settings, job) != "kafka":
        return frozenset()
    return frozenset(client().own(settings))


def source(settings: Settings, job: str, order: Callable[[bytes], Shape]) -> tuple[Source[Keyed], int]:
    """Where streams come from, and how many will come (0: nobody knows); `order` reads what is said to the
    job while it runs.
    """
    if _input(settings, job) == "kafka":
        return ControlledSource(client().source(settings, job, order), settings.control.path, order), 0
    if settings.kafka.cells > 1:
        msg = f"settings: kafka.cells is {settings.kafka.cells}: only what comes from Kafka is shared"
        raise ValueError(msg)
    streams, total = said(settings, job)
    return ControlledSource(streams, settings.control.path, order), total


def said(settings: Settings, job: str) -> tuple[FixedPartitionedSource[Keyed, Any], int]:
    """Streams from outside Kafka, and how many will come."""
    keys = [slot_key(slot) for slot in range(settings.slots)]
    replay, batch, event_bytes = settings.replay, settings.batch, settings.limits.event_bytes

    def home(name: str) -> int:
        return slot_of(name, settings.slots)

    kind = _input(settings, job)
    if kind == "kafka":
        msg = f"settings: input.source is kafka: {job} writes to Kafka what comes from elsewhere"
        raise ValueError(msg)
    if kind == "ndjson":
        return NdjsonSource(keys, home, batch=batch, event_bytes=event_bytes), 0
    if kind == "replay" and not replay.paths:
        msg = "settings: input.source is replay, but replay.paths names nothing"
        raise ValueError(msg)
    if kind == "replay" and replay.paths == ("-",):
        slot = home("stdin")
        return StdinSource(
            "stdin", keys[slot], slot,
            api=replay.api, chunk=replay.chunk, batch=batch, event_bytes=event_bytes,
        ), 0  # fmt: skip
    if kind == "replay":
        config = ReplayConfig(
            replay.paths, replay.api, replay.speed, replay.chunk, batch=batch, event_bytes=event_bytes
        )
        return _timed(ReplaySource(config, keys, home), job), 0
    simulate = settings.simulate
    script = SimulateConfig(seed=simulate.seed, streams=simulate.streams, rate=simulate.rate)
    source = SimulateSource(script, keys, home, speed=simulate.speed, batch=batch)
    return _timed(source, job), simulate.streams


def _timed(tapes: TapeSource, job: str) -> FixedPartitionedSource[Keyed, Any]:
    """What goes into a log goes there at the time of day."""
    return StampedSource(tapes) if job == "ingest" else tapes


def sink(
    settings: Settings, job: str, names: Sequence[str], reasons: Sequence[str], tally: Tally, total: int
) -> Sink[Any]:
    """Topics, or a live view for a person, or JSON lines for everything else."""
    if to_kafka(settings, job):
        topics: Sink[Any] = client().decisions(settings, job, names, reasons, tally)
        return topics
    view = settings.output.format == "view" or (settings.output.format == "auto" and sys.stdout.isatty())
    if view:
        return TerminalSink(names, reasons, tally, total)
    return NdjsonSink(names, reasons, tally, ledger=settings.output.ledger)


def beside(
    settings: Settings, job: str, names: Sequence[str], reasons: Sequence[str], tally: Tally
) -> Sink[Any] | None:
    """Where records go of a job that has somebody else to answer to: nowhere, unless somebody looks on or
    wants them. They hold what was released, and a server's output is often kept for long.
    """
    asked = settings.output.sink != "auto" or settings.output.format != "auto"
    return sink(settings, job, names, reasons, tally, 0) if asked or sys.stdout.isatty() else None


def log(settings: Settings, tally: Tally) -> Sink[Any]:
    """Where deltas are kept."""
    topics: Sink[Any] = client().deltas(settings, tally)
    return topics


def record(settings: Settings, job: str) -> Sink[Any] | None:
    """Where audit records go, if they go anywhere."""
    path = settings.audit.path
    if path:
        return AuditSink(path, [slot_key(slot) for slot in range(settings.slots)])
    if to_kafka(settings, job):
        topic: Sink[Any] = client().audit(settings, job)
        return topic
    return None
