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
         dtw         known shapes in a signal
          │
      attractor      what regime a signal is in
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

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.outputs import Sink

from connectors._tally import Tally
from flows import ends, policies, signals
from flows.ends import Keyed
from flows.judgement import Judgement
from flows.settings import Settings, load, secret
from operators.directory import Directory, Limits
from operators.features import Features
from operators.kernels._jit import was_compiled
from operators.kernels.directory import number
from operators.scorer import Scorer
from operators.slots import stage

__all__ = ["flow", "inflight", "warm"]

_PATIENT = 120.0  # seconds


def inflight(
    source: Source[Keyed],
    sink: Sink[Keyed],
    judgement: Judgement,
    limits: Limits,
    record: Sink[Keyed] | None = None,
    record_key: bytes = b"",
) -> Dataflow:
    """Wire the job; touches nothing. `record` takes audit records, made with `record_key`."""
    flow = Dataflow("inflight")
    packets = op.input("source", flow, source)
    # (slot, Packet)
    packets = stage("directory", packets, lambda: Directory(limits))
    packets = stage("gate", packets, judgement.gate)
    packets = stage("features", packets, Features)
    if judgement.scores:
        packets = stage("scorer", packets, Scorer)
    packets = stage("dtw", packets, judgement.dtw)
    if judgement.regimes:
        packets = stage("attractor", packets, judgement.attractor)
    packets = stage("policy", packets, judgement.policy)
    packets = stage("release", packets, judgement.release, last=True)
    op.output("sink", packets, sink)
    if record:
        audit = stage("audit", packets, lambda: judgement.audit(record_key), last=True)
        op.output("record", audit, record)
    return flow


def flow(settings: Settings | None = None, tally: Tally | None = None) -> Dataflow:
    """The job as it is set: what Bytewax runs."""
    settings, tally = settings or load(), tally or Tally()
    if settings.fail_open:
        print("WARNING: fail_open is set: text that cannot be processed LEAVES UNVETTED", file=sys.stderr)
    signals.starting()
    with _patience(), _compiling() as beside:
        judgement = policies.read(settings.policy, secret(settings.mask_key), fail_open=settings.fail_open)
        warm(judgement, beside)
        policies.check(judgement, settings.policy)
    signals.handle()
    source, total = ends.source(settings)
    sink = ends.sink(settings, judgement.names, judgement.reasons, tally, total)
    limits, record_key = settings.limits.of_a_stream(), secret(settings.audit.key)
    return inflight(source, sink, judgement, limits, ends.record(settings), record_key)


@contextmanager
def _patience() -> Iterator[None]:
    """Who waits for more than two seconds is told why."""
    said = "starting: kernels are compiled once on this machine, rules once for each policy ..."
    timer = threading.Timer(2.0, print, [said], {"file": sys.stderr})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _compiling() -> Iterator[subprocess.Popen[bytes] | None]:
    """Where nothing is compiled yet, a process that compiles the gate's kernels into the cache, beside this
    one, which compiles the rules and the others. It ends with the block.
    """
    Directory().warm()
    beside = None
    if was_compiled(number):
        # With our own path and -P: -m alone would import what lies in the current folder.
        half = [sys.executable, "-P", "-m", "operators.kernels", "gate"]
        path = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        silent = subprocess.DEVNULL
        with suppress(OSError):  # then this process compiles everything
            beside = subprocess.Popen(half, stdin=silent, stdout=silent, stderr=silent, env=path)
    try:
        yield beside
    finally:
        if beside:
            beside.kill()  # it has ended, unless something was wrong
            beside.wait()


def warm(judgement: Judgement, beside: subprocess.Popen[bytes] | None = None) -> None:
    """Compile every kernel now, so that no token waits for it; and let the garbage collector pass over
    what the compiler leaves behind, 130,000 objects, so that no token waits for that either.

    The gate's come last, when `beside` has ended.
    """
    for made in (Directory(), Features(), judgement.dtw(), judgement.policy(), judgement.release()):
        made.warm()
    if judgement.scores:
        Scorer().warm()
    if judgement.regimes:
        judgement.attractor().warm()
    if beside:
        with suppress(subprocess.TimeoutExpired):
            beside.wait(_PATIENT)  # what it has not compiled by then is compiled here
    judgement.gate().warm()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # packets make no cycles: 8 % more deltas a second than with 700
