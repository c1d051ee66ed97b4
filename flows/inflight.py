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
       scorer        how much the last words sound like an injection (if the policy asks)
          │
      dynamics       how a signal moves, sample by sample (if the policy asks)
          │
         dtw         known shapes in a signal
          │
      attractor      what regime a signal is in
          │
    words lcs motif  texts that are repeated, others' or its own (if the policy asks)
          │
         edit        phrases with errors in them (if the policy asks)
          │
         loop        texts and tool calls that go round
          │
        drift        signals that are not what they were; streams that say nothing
          │
       policy        what to do about all that
          │
       release       hold, mask, let go
          ├────────────── audit      what was decided, on record (if it is wanted)
          │
     NDJSON | live view

Run it with ``python -m bytewax.run flows.inflight`` or ``midstream run``.
"""

from __future__ import annotations

import sys

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.outputs import Sink

from connectors._tally import Tally
from flows import ends, orders, policies, signals
from flows.ends import Keyed
from flows.judgement import Judgement
from flows.recovery import under_bytewax
from flows.settings import Settings, load, secret
from flows.start import compiling, patience, warm
from operators.directory import Limits
from operators.features import Features
from operators.slots import stage

__all__ = ["flow", "inflight", "judged"]


def inflight(
    source: Source[Keyed],
    sink: Sink[Keyed],
    judgement: Judgement,
    limits: Limits,
    record: Sink[Keyed] | None = None,
    record_key: bytes = b"",
    name: str = "inflight",
    beside: Sink[Keyed] | None = None,
) -> Dataflow:
    """Wire the job; touches nothing. `record` takes audit records, made with `record_key`; `name` is part of
    the address of all state; `beside` takes what `sink` takes.
    """
    flow = Dataflow(name)
    packets = op.input("source", flow, source)
    # (slot, Packet)
    packets = stage("directory", packets, lambda: judgement.directory(limits))
    packets = stage("gate", packets, judgement.gate)
    packets = stage("features", packets, Features)
    for step, analysis in judgement.analyses:
        packets = stage(step, packets, analysis)
    packets = stage("policy", packets, judgement.policy)
    packets = stage("release", packets, judgement.release, last=True)
    op.output("sink", packets, sink)
    if beside:
        op.output("beside", packets, beside)
    if record:
        audit = stage("audit", packets, lambda: judgement.audit(record_key), last=True)
        op.output("record", audit, record)
    return flow


def judged(job: str, settings: Settings, tally: Tally) -> Dataflow:
    """The analysis between the ends that a job has."""
    if settings.fail_open:
        print("WARNING: fail_open is set: text that cannot be processed LEAVES UNVETTED", file=sys.stderr)
    signals.starting()
    with patience(), compiling() as beside:
        judgement = policies.read(settings.policy, secret(settings.mask_key), fail_open=settings.fail_open)
        warm(judgement, beside, shapes=ends.takes_orders(settings, job))
        policies.check(judgement, settings.policy)
    signals.handle()
    source, total = ends.source(settings, job, orders.reader(judgement))
    sink = ends.sink(settings, job, judgement.names, judgement.reasons, tally, total)
    limits, record_key = settings.limits.of_a_stream(), secret(settings.audit.key)
    judgement.directory(limits)  # what is wrong with the two together is said here, not by a worker
    return inflight(source, sink, judgement, limits, ends.record(settings, job), record_key, job)


def flow(settings: Settings | None = None, tally: Tally | None = None) -> Dataflow:
    """The job as it is set: what Bytewax runs."""
    return judged("inflight", settings or under_bytewax(load(), "inflight"), tally or Tally())
