"""One answer as text: what may leave goes out as it is released, what was decided beside it.

Speaks     text, UTF-8
Direction  sink
Takes      :class:`~operators.packet.Packet` behind ``release``
Delivery   as a terminal does: what was written was written
Parallel   one part per worker; meant for one stream
Needs      nothing

Standard output has the released text and nothing else; verdicts and errors go to standard error, a line each.
On a terminal control characters are shown as U+FFFD: a model cannot move the cursor of who reads it.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable

import orjson
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from typing_extensions import override

from connectors._logged import logged
from connectors._records import End, Error, Recorder, Release, Verdict
from connectors._stop import STOP
from connectors._tally import Tally
from operators.packet import Kind, Packet

__all__ = ["Answer", "AnswerSink"]

_USAGE = int(Kind.USAGE)
_SPOKEN = frozenset({"text", "refusal", "transcript"})
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Answer(Tally):
    """What is known of an answer when it is over.

    :arg unwanted: Is set when nothing more of it may leave, so that it need not be read.
    """

    def __init__(self, unwanted: threading.Event) -> None:
        super().__init__()
        self._unwanted = unwanted
        self.usage: dict[str, int] = {}
        """Tokens as the provider counted them last, some of ``input output reasoning cached``."""

    @override
    def add(self, packet: Packet) -> None:
        """Count one packet that is leaving now."""
        super().add(packet)
        deltas = packet.deltas
        for start, end in deltas[["start", "end"]][deltas["kind"] == _USAGE].tolist():
            self.usage |= orjson.loads(packet.text[start:end])
        if self.finishes:
            self._unwanted.set()


class _Partition(StatelessSinkPartition[tuple[str, Packet]]):
    def __init__(self, sink: AnswerSink) -> None:
        self._sink = sink

    @override
    @logged
    def write_batch(self, items: list[tuple[str, Packet]]) -> None:
        for _, packet in items:
            self._sink.show(packet)


class AnswerSink(DynamicSink[tuple[str, Packet]]):
    """Writes one answer.

    :arg recorder: Makes records of packets.

    :arg answer: Takes down how it went.

    :arg write: Takes released text; standard output by default. A reader that has gone away
        (``BrokenPipeError``) ends the flow in order.

    :arg tell: Takes a line about what happened; standard error by default.

    :arg terminal: Whether a person looks at it: no control characters, and a line end behind the answer.

    """

    def __init__(
        self, recorder: Recorder, answer: Answer, write: Callable[[str], None] | None = None,
        tell: Callable[[str], None] | None = None, *, terminal: bool = False,
    ) -> None:  # fmt: skip
        self._recorder, self._answer = recorder, answer
        self._write, self._tell = write or _to_stdout, tell or _to_stderr
        self._terminal = terminal
        self._column = 0
        """Characters since the last line end; what is told begins a line of its own."""

    @override
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Partition:
        return _Partition(self)

    def show(self, packet: Packet) -> None:
        """Write what one packet lets out."""
        for record in self._recorder.records(packet):
            match record:
                case Release(lane=lane, text=text) if lane in _SPOKEN:
                    self._say(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) if self._terminal else text)
                case Verdict(action=action, rule=rule, reason=reason):
                    self._line(f"{action}: {rule}: {reason}")
                case Error(reason=reason):
                    self._line(f"error: {reason}")
                case End():
                    self._break()
        self._answer.add(packet)

    def _say(self, text: str) -> None:
        try:
            self._write(text)
        except BrokenPipeError:
            self._write = _nowhere
            STOP.set()
        self._column = len(text) - text.rfind("\n") - 1 if "\n" in text else self._column + len(text)

    def _line(self, said: str) -> None:
        self._break()
        self._tell(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", said))

    def _break(self) -> None:
        if self._terminal and self._column:
            self._say("\n")


def _to_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _nowhere(text: str) -> None:
    del text
