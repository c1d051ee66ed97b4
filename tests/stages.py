"""Running stages without an engine: deltas cut into packets, state dumped and loaded in between.

Everything that comes back is told by names and texts, never by rows: rows are nobody's business, and
two runs that cut differently may give out different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import orjson
from hypothesis import strategies as st

from operators.automaton import Rule, compiled
from operators.columns import framed, unframed
from operators.directory import Directory
from operators.gate import Gate
from operators.packet import Action, Delta, Finish, Kind, Lane, Packet, pack
from operators.policy import Policy
from operators.release import Release
from operators.slots import Stage

Said = tuple[str, Delta]
Make = Callable[[], list[Stage]]

START, END, CLOSE, TEXT = Kind.START, Kind.END, Kind.CLOSE, Kind.TEXT

CUTS = st.lists(st.integers(0, 40), max_size=8)
"""Places to cut at; those behind the end cut nothing."""


def cut(items: Sequence[Any], places: Iterable[int]) -> list[Any]:
    """`items` cut at `places`, without empty pieces."""
    edges = sorted({0, len(items), *(min(place, len(items)) for place in places)})
    return [items[begin:end] for begin, end in pairwise(edges)]


def say(stream: str, text: str, chunks: Iterable[int] = (), **lane: int) -> list[Said]:
    """A text in pieces."""
    return [(stream, Delta(TEXT, piece, **lane)) for piece in cut(text, chunks)]


def whole(stream: str, text: str, chunks: Iterable[int] = ()) -> list[Said]:
    """A stream of one lane, from start to end."""
    end = Delta(END, finish=Finish.STOP)
    return [(stream, Delta(START, '{"provider":"","model":""}')), *say(stream, text, chunks), (stream, end)]


def woven(speeches: Sequence[Sequence[Said]], turns: Sequence[int]) -> list[Said]:
    """Several speeches in one, each in its own order; `turns` says whose turn it is."""
    rest = [list(speech) for speech in speeches if speech]
    said = []
    for turn in [*turns, *([0] * sum(map(len, rest)))]:
        if rest:
            speech = rest[turn % len(rest)]
            said.append(speech.pop(0))
            rest = [each for each in rest if each]
    return said


def run(
    make: Make, said: Sequence[Said], cuts: Iterable[int] = (), reload: Collection[int] = ()
) -> list[Packet]:
    """The packets behind the last stage. After those numbered in `reload`, every stage is replaced by
    a new one that loads its dump.
    """
    stages, packets = make(), []
    times = list(accumulate((delta.at for _, delta in said), max))
    at = 0
    for number, piece in enumerate(cut(said, cuts)):
        at += len(piece)
        packet = pack(0, piece, now=times[at - 1])
        for stage in stages:
            packet = stage.update(packet)
        packets.append(packet)
        if number in reload:
            dumps = [stage.dump() for stage in stages]
            stages = make()
            for stage, dump in zip(stages, dumps, strict=True):
                stage.load(dump)
    return packets


def guard(rules: Sequence[Rule], actions: Sequence[int]) -> Make:
    """Directory, gate, policy, release: a matched text is labelled ``<name>``."""
    labels = [f"<{rule.name}>" for rule in rules]

    automaton = compiled(tuple(rules))

    def make() -> list[Stage]:
        gate = Gate(automaton, rules, range(len(rules) + 1))
        policy = Policy([*actions, Action.BLOCK])
        return [Directory(), gate, policy, Release([*labels, ""], gate.hold)]

    return make


def of_version(dump: bytes, version: int) -> bytes:
    """A dump of several parts that says that it is of another version, and is not damaged."""
    head, *parts = unframed(dump)
    return framed(orjson.dumps(orjson.loads(head) | {"version": version}), *parts)


def lane_of(packet: Packet, delta: int) -> Lane:
    """The name of the lane that a delta speaks in."""
    return packet.lanes[packet.deltas["lane"][delta]]


def released(packets: Iterable[Packet]) -> dict[Lane, str]:
    """What left, joined per lane."""
    out: dict[Lane, str] = {}
    for packet in packets:
        for release in packet.releases:
            lane = lane_of(packet, release["delta"])
            out[lane] = out.get(lane, "") + packet.released[release["start"] : release["end"]].decode()
    return out


def records(packets: Iterable[Packet]) -> list[tuple[Any, ...]]:
    """Everything that leaves, in order of its number, which comes first."""
    out: list[tuple[Any, ...]] = []
    for packet in packets:
        for name in ("findings", "verdicts", "releases", "outcomes"):
            for record in getattr(packet, name):
                lane = lane_of(packet, record["delta"])
                out.append((int(record["seq"]), name, *_content(packet, name, record, lane)))
    return sorted(record for record in out if record[0] >= 0)


def outcomes(packets: Iterable[Packet]) -> list[tuple[str, str, str]]:
    """Stream, kind and finish of every outcome, in order."""
    return [record[2:5] for record in records(packets) if record[1] == "outcomes"]


def _content(packet: Packet, name: str, record: Any, lane: Lane) -> tuple[Any, ...]:
    if name == "releases":
        return lane, packet.released[record["start"] : record["end"]].decode()
    if name == "findings":
        return lane, *(int(record[each]) for each in ("kind", "code", "begin", "stop"))
    if name == "verdicts":
        return lane, int(record["action"]), int(record["code"])
    kind, finish = Kind(int(record["kind"])).name, Finish(int(record["finish"])).name
    ledger = (float(record[each]) for each in ("deltas", "chars", "released", "held_mean", "held_max"))
    return lane.stream, kind, finish, *ledger
