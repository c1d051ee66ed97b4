"""A live view for a person: which streams are speaking, what is found, what is decided.

Speaks     ANSI, through rich
Direction  sink
Takes      :class:`~operators.packet.Packet` behind ``release``
Delivery   what a person happens to see
Parallel   one part per worker, one screen per process
Needs      a terminal

Strategy. Findings and verdicts scroll by as they happen and stay in the scroll-back; below them a few
lines are redrawn ten times a second: the streams that spoke last, each with the end of its *released*
text (never the original: a screen is also somewhere a secret may leak to), and the sums. When the
flow ends the lines give way to a summary. What a stream says is shown without control characters: a
model cannot move the cursor or name the window of the person who watches it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text
from typing_extensions import override

from connectors._logged import logged
from connectors._tally import Tally
from operators.packet import Action, Channel, Finish, Kind, Packet, Reach

__all__ = ["TerminalSink"]

_START, _ERROR, _TEXT = int(Kind.START), int(Kind.ERROR), int(Kind.TEXT)
_SHOWN = 12
_REDRAW = 0.1  # seconds; drawn by the worker itself, for a second thread would write between two lines
_COLOUR = {
    Action.WARN: "yellow",
    Action.REDACT: "magenta",
    Action.STEER: "cyan",
    Action.BLOCK: "bold red",
    Action.WOULD_REDACT: "dim magenta",
    Action.WOULD_BLOCK: "dim red",
}


@dataclass
class _Row:
    provider: str = ""
    model: str = ""
    deltas: int = 0
    released: int = 0
    tail: str = ""
    finish: str = ""
    style: str = ""


class _Screen:
    """What is on the screen; one lock, taken once a packet."""

    def __init__(self, names: Sequence[str], reasons: Sequence[str], tally: Tally, total: int) -> None:
        self._names, self._reasons = names, reasons
        self._tally, self._total = tally, total
        self._rows: OrderedDict[str, _Row] = OrderedDict()
        self._lock = threading.RLock()  # a print draws
        self.console = Console(highlight=False)
        self._live = Live(console=self.console, get_renderable=self._draw, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def open(self) -> None:
        """Take over the bottom of the terminal."""
        self._live.start()

    def close(self) -> None:
        """Give it back, with the summary."""
        self._live.stop()
        self.console.print(self._summary())

    def show(self, packet: Packet) -> None:
        """Take in one packet, and print what a person should not miss."""
        with self._lock:
            self._hear(packet)
            lines = [*self._judgements(packet), *self._outcomes(packet)]
            if lines:
                self.console.print(*lines, sep="\n")
            elif time.monotonic() - self._drawn > _REDRAW:
                self._live.refresh()

    def _row(self, stream: str) -> _Row:
        row = self._rows.setdefault(stream, _Row())
        self._rows.move_to_end(stream)
        while len(self._rows) > 4 * _SHOWN:
            self._rows.popitem(last=False)
        return row

    def _hear(self, packet: Packet) -> None:
        lanes, deltas = packet.lanes, packet.deltas
        for place in deltas["lane"][deltas["kind"] == _TEXT].tolist():
            self._row(lanes[place].stream).deltas += 1
        for release in packet.releases:
            lane = lanes[deltas["lane"][release["delta"]]]
            row = self._row(lane.stream)
            text = packet.released[release["start"] : release["end"]].decode()
            row.released += len(text)
            row.tail = (row.tail + text)[-200:]

    def _judgements(self, packet: Packet) -> list[Text]:
        lines = []
        for verdict in packet.verdicts:
            if verdict["seq"] < 0:
                continue
            lane = packet.lanes[packet.deltas["lane"][verdict["delta"]]]
            action = Action(int(verdict["action"]))
            where = Channel(lane.channel).name.lower()
            more = ""
            if verdict["finding"] >= 0:
                finding = packet.findings[verdict["finding"]]
                where += f" {finding['begin']}:{finding['stop']}"
                more = _rounds(finding)
            name, reason = packet.meaning(int(verdict["code"]), self._names, self._reasons)
            self._row(lane.stream).style = _COLOUR[action]
            lines.append(
                _line(
                    action.name.lower().replace("_", " "),
                    _COLOUR[action],
                    lane.stream,
                    f"{name} ",
                    f"({where}) {reason}{more}",
                )
            )
        judged = set(packet.verdicts["finding"].tolist())
        for place, finding in enumerate(packet.findings):
            if finding["seq"] >= 0 and place not in judged:
                lane = packet.lanes[packet.deltas["lane"][finding["delta"]]]
                kind = Reach(int(finding["kind"])).name.lower()
                where = f"{Channel(lane.channel).name.lower()} {finding['begin']}:{finding['stop']}"
                name, _ = packet.meaning(int(finding["code"]), self._names, self._reasons)
                lines.append(_line(kind, "blue", lane.stream, f"{name} ", f"({where}) {_strength(finding)}"))
        return lines

    def _outcomes(self, packet: Packet) -> list[Text]:
        lines = []
        for outcome in packet.outcomes:
            delta = packet.deltas[outcome["delta"]]
            stream = packet.lanes[delta["lane"]].stream
            said = packet.text[delta["start"] : delta["end"]].decode()
            if outcome["kind"] == _START:
                head = orjson.loads(said) if delta["kind"] == _START else {}
                row = self._row(stream)
                row.provider, row.model = head.get("provider", ""), head.get("model", "")
            elif outcome["kind"] == _ERROR:
                lines.append(_line("error", "red", stream, "", packet.failed or said))
            else:
                self._row(stream).finish = Finish(int(outcome["finish"])).name.lower()
        return lines

    def _draw(self) -> Group:
        self._drawn = time.monotonic()
        width, lines = self.console.width, []
        with self._lock:
            for stream, row in list(self._rows.items())[-_SHOWN:]:
                name, state = f"{_plain(stream):<28.28} ", f"{_plain(row.finish or row.provider):<12.12} "
                count = f"{row.deltas:>7} "
                said = _end(_plain(" ".join(row.tail.split())), width - _columns(name + state + count))
                dim = "dim" if row.finish else ""
                lines.append(Text.assemble((name, row.style), (state, dim or "green"), count, (said, dim)))
                lines[-1].no_wrap, lines[-1].overflow = True, "crop"
        return Group(Text("─" * width, "dim"), *lines, self._sums())

    def _sums(self) -> Text:
        tally = self._tally
        done = f"{tally.streams}/{self._total}" if self._total else str(tally.streams)
        found = sum(tally.findings.values())
        acts = "  ".join(f"{count} {name}" for name, count in dict(tally.verdicts).items())
        return Text(
            f"streams {done}   deltas {tally.deltas:,}   findings {found}   {acts}   "
            f"latency p50 {tally.latency(0.5):.2f} ms  p99 {tally.latency(0.99):.2f} ms",
            "bold",
        )

    def _summary(self) -> Grid:
        record = self._tally.summary()
        grid = Grid(title="summary", title_justify="left", show_header=False, box=None, padding=(0, 2))
        grid.add_row("streams", f"{record.streams:,}", _listed(self._tally.finishes))
        grid.add_row("deltas", f"{record.deltas:,}", f"{record.tokens_per_s:,.0f} a second")
        grid.add_row("findings", f"{sum(record.findings.values()):,}", _listed(record.findings))
        grid.add_row("verdicts", f"{sum(record.verdicts.values()):,}", _listed(record.verdicts))
        latency = record.latency_ms
        grid.add_row("latency", f"{latency['p50']} ms", f"p99 {latency['p99']} ms, source to sink")
        return grid


def _rounds(finding: Any) -> str:
    """How a loop goes on, empty of anything else."""
    if not finding["copies"]:
        return ""
    wasted = f", {finding['wasted']} tokens wasted" if finding["wasted"] else ""
    return f": {finding['copies']} copies of {finding['period']:.0f} characters{wasted}"


def _strength(finding: Any) -> str:
    """How strong a finding is that nothing is done about."""
    if finding["kind"] == Reach.REGIME:
        return f"confidence {finding['confidence']:.2f}"
    return f"{finding['value']:.3f}{_rounds(finding)}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def _columns(text: str) -> int:
    """How wide `text` is at most. Terminals do not agree how wide marks and pictures are, and a line that is
    wider than it was taken for leaves traces: beyond ASCII, each character counts as two.
    """
    return sum(1 if char.isascii() else 2 for char in text)


def _end(text: str, room: int) -> str:
    """The end of `text`, in at most so many columns."""
    if room <= 0:
        return ""
    text = text[-room:]
    while _columns(text) > room:
        text = text[_columns(text) - room + 1 >> 1 :]
    return text


def _plain(text: str) -> str:
    """`text` without what a terminal would obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _line(what: str, colour: str, stream: str, name: str, more: str) -> Text:
    """A line of the scroll-back: what happened, in which stream, and the rest."""
    return Text.assemble((f"{what:>12} ", colour), f"{_plain(stream):<28.28} ", name, (_plain(more), "dim"))


class _Partition(StatelessSinkPartition[tuple[str, Packet]]):
    def __init__(self, sink: TerminalSink) -> None:
        self._sink = sink

    @override
    @logged
    def write_batch(self, items: list[tuple[str, Packet]]) -> None:
        for _, packet in items:
            self._sink.tally.add(packet)
            self._sink.screen.show(packet)

    @override
    def close(self) -> None:
        self._sink.part_closed()


class TerminalSink(DynamicSink[tuple[str, Packet]]):
    """Draws on standard output.

    :arg names: What each code of the policy is called.

    :arg reasons: What each code means, for a person.

    :arg tally: Counts what passes.

    :arg total: Streams that will come, 0 if nobody knows.

    """

    def __init__(self, names: Sequence[str], reasons: Sequence[str], tally: Tally, total: int = 0) -> None:
        self.tally = tally
        self.screen = _Screen(names, reasons, tally, total)
        self._lock = threading.Lock()
        self._parts = 0

    @override
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Partition:
        with self._lock:
            if not self._parts:
                self.screen.open()
            self._parts += 1
        return _Partition(self)

    def part_closed(self) -> None:
        """One worker is done; the last gives the terminal back."""
        with self._lock:
            self._parts -= 1
            if not self._parts:
                self.screen.close()
