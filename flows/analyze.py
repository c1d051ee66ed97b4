"""The durable job: deltas out of Kafka, through the whole analysis, decisions into Kafka.

::

    topic deltas     control  feedback
          │             │        │        read when the position is saved, and part of it
          └─────────────┴────────┘
                  │  packets
         every stage of flows.inflight
                  │
    topics findings verdicts releases samples audit dead metrics

Run it with ``python -m bytewax.run flows.analyze`` or ``midstream run analyze``.
"""

from __future__ import annotations

from bytewax.dataflow import Dataflow

from connectors._tally import Tally
from flows.inflight import judged
from flows.recovery import under_bytewax
from flows.settings import Settings, load

__all__ = ["flow"]


def flow(settings: Settings | None = None, tally: Tally | None = None) -> Dataflow:
    """The job as it is set: what Bytewax runs."""
    return judged("analyze", settings or under_bytewax(load(), "analyze"), tally or Tally())
