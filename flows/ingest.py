"""Streams into the log, before anything is decided: what cannot be replayed becomes what can.

::

    JSON lines on standard input | recordings | simulator
          │  deltas of one slot and poll: a packet
    topic deltas

Run it with ``python -m bytewax.run flows.ingest`` or ``midstream run ingest``.
"""

from __future__ import annotations

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.outputs import Sink

from connectors._tally import Tally
from flows import ends, signals
from flows.ends import Keyed
from flows.recovery import under_bytewax
from flows.settings import Settings, load

__all__ = ["flow", "ingest"]


def ingest(source: Source[Keyed], sink: Sink[Keyed]) -> Dataflow:
    """Wire the job; touches nothing."""
    flow = Dataflow("ingest")
    packets = op.input("source", flow, source)
    # (slot, Packet)
    op.output("sink", packets, sink)
    return flow


def flow(settings: Settings | None = None, tally: Tally | None = None) -> Dataflow:
    """The job as it is set: what Bytewax runs."""
    settings = settings or under_bytewax(load(), "ingest")
    if settings.output.sink == "stdout":
        msg = "settings: output.sink is stdout: ingest writes to Kafka, and nowhere else"
        raise ValueError(msg)
    sink = ends.log(settings, tally or Tally())
    source, _ = ends.said(settings, "ingest")
    signals.handle()
    return ingest(source, sink)
