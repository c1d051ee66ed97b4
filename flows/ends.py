"""The ends of a flow, as they are set: where streams come from, and where records go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from bytewax.inputs import FixedPartitionedSource, Source
from bytewax.outputs import Sink

from connectors._tally import Tally
from connectors.audit import AuditSink
from connectors.control import ControlledSource
from connectors.ndjson import NdjsonSink
from connectors.replay import ReplayConfig, ReplaySource
from connectors.simulate import SimulateConfig, SimulateSource
from connectors.stdin import StdinSource
from connectors.terminal import TerminalSink
from flows.settings import Settings
from operators.packet import Packet, Shape
from operators.slots import slot_key, slot_of

__all__ = ["Keyed", "record", "sink", "source"]

Keyed = tuple[str, Packet]


def source(settings: Settings, order: Callable[[bytes], Shape]) -> tuple[Source[Keyed], int]:
    """Where streams come from, and how many will come (0: nobody knows); `order` reads what is said to the
    job while it runs.
    """
    streams, total = _streams(settings)
    return ControlledSource(streams, settings.control.path, order), total


def _streams(settings: Settings) -> tuple[FixedPartitionedSource[Keyed, Any], int]:
    keys = [slot_key(slot) for slot in range(settings.slots)]
    replay, batch, event_bytes = settings.replay, settings.batch, settings.limits.event_bytes

    def home(name: str) -> int:
        return slot_of(name, settings.slots)

    if replay.paths == ("-",):
        slot = home("stdin")
        return StdinSource(
            "stdin", keys[slot], slot,
            api=replay.api, chunk=replay.chunk, batch=batch, event_bytes=event_bytes,
        ), 0  # fmt: skip
    if replay.paths:
        config = ReplayConfig(
            replay.paths, replay.api, replay.speed, replay.chunk, batch=batch, event_bytes=event_bytes
        )
        return ReplaySource(config, keys, home), 0
    simulate = settings.simulate
    script = SimulateConfig(seed=simulate.seed, streams=simulate.streams, rate=simulate.rate)
    return SimulateSource(script, keys, home, speed=simulate.speed, batch=batch), simulate.streams


def sink(
    settings: Settings, names: Sequence[str], reasons: Sequence[str], tally: Tally, total: int
) -> Sink[Keyed]:
    """A live view for a person, JSON lines for everything else."""
    view = settings.output.format == "view" or (settings.output.format == "auto" and sys.stdout.isatty())
    if view:
        return TerminalSink(names, reasons, tally, total)
    return NdjsonSink(names, reasons, tally, ledger=settings.output.ledger)


def record(settings: Settings) -> Sink[Keyed] | None:
    """Where audit records go, if they go anywhere."""
    path = settings.audit.path
    return AuditSink(path, [slot_key(slot) for slot in range(settings.slots)]) if path else None
