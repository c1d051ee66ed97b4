"""The main job: streams in, findings, verdicts and released text out, while the streams run.

::

    recordings | simulator
          │  deltas of one slot and poll: a packet
      directory      names become rows
          │
        gate         rules, and how far each lane is decided
          │
      features       gap length logprob surprisal novelty
          │
         dtw         known shapes in a signal
          │
      attractor      what regime a signal is in
          │
       policy        what to do about all that
          │
       release       hold, mask, let go
          │
     NDJSON | live view

Run it with ``python -m bytewax.run flows.inflight`` or ``midstream run``.
"""

from __future__ import annotations

import gc
import sys

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.outputs import Sink

from connectors._tally import Tally
from connectors.ndjson import NdjsonSink
from connectors.replay import ReplayConfig, ReplaySource
from connectors.simulate import SimulateConfig, SimulateSource
from connectors.stdin import StdinSource
from connectors.terminal import TerminalSink
from flows import policies, signals
from flows.settings import Settings, load
from operators.directory import Directory, Limits
from operators.features import Features
from operators.packet import Packet
from operators.slots import slot_key, slot_of, stage

__all__ = ["flow", "inflight", "warm"]

Keyed = tuple[str, Packet]


def inflight(
    source: Source[Keyed], sink: Sink[Keyed], judgement: policies.Judgement, limits: Limits
) -> Dataflow:
    """Wire the job; touches nothing."""
    flow = Dataflow("inflight")
    packets = op.input("source", flow, source)
    # (slot, Packet)
    packets = stage("directory", packets, lambda: Directory(limits))
    packets = stage("gate", packets, judgement.gate)
    packets = stage("features", packets, Features)
    packets = stage("dtw", packets, judgement.dtw)
    if judgement.regimes:
        packets = stage("attractor", packets, judgement.attractor)
    packets = stage("policy", packets, judgement.policy)
    packets = stage("release", packets, judgement.release, last=True)
    op.output("sink", packets, sink)
    return flow


def flow(settings: Settings | None = None, tally: Tally | None = None) -> Dataflow:
    """The job as it is set: what Bytewax runs."""
    settings, tally = settings or load(), tally or Tally()
    judgement = policies.load(settings.policy)
    warm(judgement)
    signals.handle()
    source, total = _source(settings)
    limits = Limits(
        settings.limits.delta_bytes, settings.limits.stream_bytes,
        settings.limits.stream_lanes, int(settings.limits.idle * 1e9),
    )  # fmt: skip
    names, reasons = judgement.names, judgement.reasons
    view = settings.output.format == "view" or (settings.output.format == "auto" and sys.stdout.isatty())
    sink = TerminalSink(names, reasons, tally, total) if view else NdjsonSink(names, reasons, tally)
    return inflight(source, sink, judgement, limits)


def _source(settings: Settings) -> tuple[Source[Keyed], int]:
    """Where streams come from, and how many will come (0: nobody knows)."""
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


def warm(judgement: policies.Judgement) -> None:
    """Compile every kernel now, so that no token waits for it; and let the garbage collector pass over
    what the compiler leaves behind, half a million objects, so that no token waits for that either.
    """
    for warm in (
        Directory(),
        judgement.gate(),
        Features(),
        judgement.dtw(),
        judgement.policy(),
        judgement.release(),
    ):
        warm.warm()
    if judgement.regimes:
        judgement.attractor().warm()
    gc.collect()
    gc.freeze()
