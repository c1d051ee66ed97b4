"""One question, its answer judged while it is spoken, and what may leave of it.

::

    provider
       │  deltas of one poll: a packet
    directory gate features ... policy release
       │
    text | NDJSON

The stages are those of ``flows.inflight``. When the policy ends the answer, the call to the provider ends.
"""

from __future__ import annotations

import sys
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.outputs import Sink

from connectors._records import Recorder
from connectors._upstream import Upstream
from connectors.answer import Answer, AnswerSink
from connectors.live import LiveSource, Question
from connectors.ndjson import NdjsonSink
from flows import policies, signals
from flows.inflight import inflight
from flows.settings import Settings, secret
from flows.start import compiling, patience, warm
from operators.slots import slot_key

__all__ = ["answering"]

_STREAM = "answer"


def answering(
    settings: Settings, upstream: Upstream, question: Question, *, json: bool
) -> tuple[Dataflow, Answer]:
    """The flow of one question, and what will be known of its answer; `json` asks for records.

    :raises ValueError: If the question cannot be asked there, or something is wrong with the policy.
    """
    source = LiveSource(
        _STREAM, slot_key(0), 0, upstream, question,
        batch=settings.batch, event_bytes=settings.limits.event_bytes,
    )  # fmt: skip
    signals.starting()
    with patience(), compiling() as beside:
        judgement = policies.read(settings.policy, secret(settings.mask_key), fail_open=settings.fail_open)
        warm(judgement, beside)
        policies.check(judgement, settings.policy)
    signals.handle()
    answer = Answer(source.unwanted)
    names, reasons = judgement.names, judgement.reasons
    sink: Sink[Any] = (
        NdjsonSink(names, reasons, answer)
        if json
        else AnswerSink(Recorder(names, reasons), answer, terminal=sys.stdout.isatty())
    )
    return inflight(source, sink, judgement, settings.limits.of_a_stream(), name="ask"), answer
