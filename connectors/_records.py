"""The records that leave a flow: the contract with everyone outside, as types.

Strategy. One struct a record, its fields in the order of the contract; a sink encodes them and adds
nothing. :class:`Recorder` makes them from packets, in order of ``seq``: a number that the slot gave the
record, the same in every run. Structs, because nearly all records are releases and one is made for
each: 0.46 us with its encoding, a dictionary took 0.68 (*encode* of ``benches.bench_inflight``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import itemgetter

import msgspec
import orjson

from operators.packet import Action, Channel, Finish, Kind, Packet, Reach, Signal

__all__ = [
    "Dead",
    "End",
    "Error",
    "Finding",
    "Ledger",
    "Record",
    "Recorder",
    "Release",
    "Sample",
    "Start",
    "Summary",
    "Verdict",
]

_START, _ERROR, _END = int(Kind.START), int(Kind.ERROR), int(Kind.END)
_CHANNEL = [channel.name.lower() for channel in Channel]
_SIGNAL = [signal.name.lower() for signal in Signal]
_REACH = [kind.name.lower() for kind in Reach]
_ACTION = [action.name.lower() for action in Action]
_FINISH = [finish.name.lower() for finish in Finish]


class Record(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=str.lower):
    """Any of them; ``type`` is the name of the struct in lower case."""


class Start(Record, frozen=True, gc=False):
    """A stream began."""

    stream: str
    provider: str
    model: str


class Release(Record, frozen=True, gc=False):
    """Text that may leave; joined per lane, exactly what may leave."""

    stream: str
    lane: str
    choice: int
    item: int
    seq: int
    text: str


class Finding(Record, frozen=True, gc=False):
    """One thing an operator saw. ``start:end`` are characters of the lane's original text. The rest is said
    where it is known: of loops and regimes.
    """

    stream: str
    lane: str
    seq: int
    kind: str
    name: str
    value: float
    start: int
    end: int
    confidence: float | msgspec.UnsetType = msgspec.UNSET
    period: float | msgspec.UnsetType = msgspec.UNSET
    """Of a loop in characters, of a regime in samples."""
    copies: int | msgspec.UnsetType = msgspec.UNSET
    wasted: int | msgspec.UnsetType = msgspec.UNSET
    """Tokens said since the first copy ended, estimated from the text."""


class Sample(Record, frozen=True, gc=False):
    """One measurement. ``start:end`` are characters of the lane's original text."""

    stream: str
    lane: str
    choice: int
    item: int
    signal: str
    value: float | None
    """None: no number."""
    start: int
    end: int


class Dead(Record, frozen=True, gc=False):
    """What could not be read, or broke a stage."""

    stream: str
    cause: str
    topic: str
    """The log it came from ..."""
    offset: int
    """... its place there (the first of a packet's) ..."""
    last: int
    """... and the last."""
    size: int
    """Bytes of it: more than ``data`` where only its beginning is kept."""
    data: bytes
    """The record, or the first of it; of a packet its deltas, a record a line. In JSON: base64."""


class Verdict(Record, frozen=True, gc=False):
    """What the policy decided."""

    stream: str
    seq: int
    action: str
    reason: str
    rule: str


class Error(Record, frozen=True, gc=False):
    """Something is wrong with a stream."""

    stream: str
    seq: int
    reason: str


class Ledger(Record, frozen=True, gc=False):
    """What one rule cost a stream that ends. It follows the cutting, as every measure of waiting does.

    ``rule`` is empty for text that was held because it might have turned out to be encoded. ``held``:
    characters held back, summed over the ``waited`` deltas after which some were; ``held_max``: at most after
    one. ``masked``: characters covered under its name. ``leaked``: characters of its masked or blocked
    matches that had left before they were decided: 0, but for rules that only detect. ``first_ms``:
    milliseconds from the stream's first text to the first that left; -1 if none did.
    """

    stream: str
    rule: str
    held: int
    held_max: int
    waited: int
    masked: int
    matches: int
    leaked: int
    first_ms: float


class End(Record, frozen=True, gc=False):
    """A stream ended. ``held_mean`` and ``held_max`` are in deltas that a clean character waited."""

    stream: str
    finish: str
    deltas: int
    chars: int
    released: int
    held_mean: float
    held_max: int


class Summary(Record, frozen=True, gc=False):
    """The sums of a process. ``tokens_per_s`` counts deltas: a provider's fragment is a token only where
    logprobs prove it.
    """

    streams: int
    deltas: int
    tokens_per_s: float
    findings: dict[str, int]
    verdicts: dict[str, int]
    latency_ms: dict[str, float]


class Recorder:
    """Packets in, records out. `names` and `reasons` say what each code of the policy is and means; `ledger`
    asks for the ledgers too.
    """

    def __init__(self, names: Sequence[str], reasons: Sequence[str], *, ledger: bool = False) -> None:
        self._names, self._reasons, self._ledger = list(names), list(reasons), ledger

    def records(self, packet: Packet) -> list[Record]:
        """All records of a packet, in order of ``seq``."""
        return [record for _, record in self.numbered(packet)]

    def numbered(self, packet: Packet) -> list[tuple[int, Record]]:
        """The same, each behind its ``seq``."""
        releases = self._releases(packet)
        numbered = [*zip(packet.releases["seq"].tolist(), releases, strict=True)]
        if len(packet.outcomes) or len(packet.findings) or len(packet.verdicts):
            numbered += [*self._ledgers(packet), *self._outcomes(packet), *self._judgements(packet)]
            numbered.sort(key=itemgetter(0))
        return numbered

    def _releases(self, packet: Packet) -> list[Record]:
        releases = packet.releases
        places = packet.deltas["lane"][releases["delta"]].tolist()
        seqs, ends = releases["seq"].tolist(), releases["end"].tolist()
        lanes, released = packet.lanes, packet.released
        records: list[Record] = []
        start = 0
        for place, seq, end in zip(places, seqs, ends, strict=True):
            stream, channel, choice, item = lanes[place]
            text = released[start:end].decode()
            records.append(Release(stream, _CHANNEL[channel], choice, item, seq, text))
            start = end
        return records

    def _outcomes(self, packet: Packet) -> Iterator[tuple[int, Record]]:
        for outcome in packet.outcomes:
            delta = packet.deltas[outcome["delta"]]
            stream = packet.lanes[delta["lane"]].stream
            seq = int(outcome["seq"])
            said = packet.text[delta["start"] : delta["end"]].decode()
            if outcome["kind"] == _START:
                head = orjson.loads(said) if delta["kind"] == _START else {}
                yield seq, Start(stream, head.get("provider", ""), head.get("model", ""))
            elif outcome["kind"] == _ERROR:
                yield seq, Error(stream, seq, packet.failed or said)
            else:
                yield seq, End(
                    stream, _FINISH[outcome["finish"]],
                    int(outcome["deltas"]), int(outcome["chars"]), int(outcome["released"]),
                    round(float(outcome["held_mean"]), 4), int(outcome["held_max"]),
                )  # fmt: skip

    def samples(self, packet: Packet) -> Iterator[Sample]:
        """The measurements of a packet, delta by delta: stages add theirs for a whole packet each, and a
        packet may end anywhere.
        """
        for sample in packet.samples[packet.samples["delta"].argsort(kind="stable")]:
            lane = packet.lanes[packet.deltas["lane"][sample["delta"]]]
            value = float(sample["value"])
            yield Sample(
                lane.stream, _CHANNEL[lane.channel], lane.choice, lane.item, _SIGNAL[sample["signal"]],
                value if math.isfinite(value) else None, int(sample["begin"]), int(sample["stop"]),
            )  # fmt: skip

    def _ledgers(self, packet: Packet) -> Iterator[tuple[int, Record]]:
        """The ledgers of the streams that end, each with the number of that end: they go before it."""
        if not self._ledger:
            return
        ends = packet.outcomes[packet.outcomes["kind"] == _END]
        seqs = dict(zip(ends["delta"].tolist(), ends["seq"].tolist(), strict=True))
        for delta, code, held, most, deltas, masked, matches, leaked, came, left in packet.ledger.tolist():
            stream = packet.lanes[packet.deltas["lane"][delta]].stream
            name, first = (
                self._names[code] if code >= 0 else "",
                round((left - came) / 1e6, 3) if left else -1.0,
            )
            yield seqs[delta], Ledger(stream, name, held, most, deltas, masked, matches, leaked, first)

    def _judgements(self, packet: Packet) -> Iterator[tuple[int, Record]]:
        for finding in packet.findings[packet.findings["seq"] >= 0]:
            lane = packet.lanes[packet.deltas["lane"][finding["delta"]]]
            seq = int(finding["seq"])
            name, _ = packet.meaning(int(finding["code"]), self._names, self._reasons)
            yield seq, Finding(
                lane.stream, _CHANNEL[lane.channel], seq, _REACH[finding["kind"]], name,
                round(float(finding["value"]), 6), int(finding["begin"]), int(finding["stop"]),
                round(float(finding["confidence"]), 3) or msgspec.UNSET,
                round(float(finding["period"]), 3) or msgspec.UNSET,
                int(finding["copies"]) or msgspec.UNSET, int(finding["wasted"]) or msgspec.UNSET,
            )  # fmt: skip
        for verdict in packet.verdicts[packet.verdicts["seq"] >= 0]:
            lane = packet.lanes[packet.deltas["lane"][verdict["delta"]]]
            seq, action = int(verdict["seq"]), _ACTION[verdict["action"]]
            name, reason = packet.meaning(int(verdict["code"]), self._names, self._reasons)
            yield seq, Verdict(lane.stream, seq, action, reason, name)
