"""What state costs: saving it, resuming 100,000 open streams, and a store that stays small however many pass.

``python -m benches.bench_recovery [dumps] [resume] [bounded] [--open 100000] [--streams 10000000]``

Three tables, the last two of Bytewax's recovery store on the disk of ``--folder``. The whole analysis runs,
default policy, one worker, 8 slots; the source is in memory and its position is saved, so what is measured is
the state. A key a stream, the other way to keep state in the same engine, is in ``bench_keys``.

*dumps*: what an epoch asks of the stages, with no engine: the state of all stages of all slots, dumped one
after the other while few and many streams are open and speak on between; and loaded.

*resume*: ``--open`` streams of 20 to 240 tokens, none ended. The store that they leave, the bytes of an
epoch, and for how long closing one stops the source. Then processes that go on from that store: time
from the start of the process to the first packet that leaves the flow, and to the moment when a packet of
every stream has. The store is also read by hand, to see what is SQLite, what unpickling and what each stage;
the yardstick, touching new memory, is most of the difference between machines. *bounded*: ``--streams``
streams of a start, a few words and an end, some 4,000 open at once, an epoch every 2 s. Size of the store,
its rows and the memory, as they pass.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from benches.bench_inflight import SLOTS, stages
from benches.stores import TellingSink, apart, peak, run, size, told, touched, written
from benches.workloads import words
from flows import policies
from flows.inflight import inflight
from flows.judgement import Judgement
from flows.start import warm
from operators.directory import Limits
from operators.packet import Delta, Finish, Kind, Packet, pack
from operators.slots import Stage, slot_key

_BENCH = "benches.bench_recovery"
_BATCH = 256
_LENGTHS = 20, 40, 80, 120, 240  # tokens
_SCRIPTS = 500  # different texts
_GROUP, _GROUPS = 128, 4  # streams of a slot that begin together, and how many such groups are open
_OPEN = 12, 2_500  # streams of a slot, few and many
_NEWEST = """
SELECT step_id, state_key, ser_change FROM snaps JOIN (
    SELECT step_id, state_key, max(snap_epoch) AS snap_epoch FROM snaps GROUP BY step_id, state_key
) USING (step_id, state_key, snap_epoch)
"""
_NEVER = 1e6  # seconds
_START, _END = Delta(int(Kind.START), "{}"), Delta(int(Kind.END), finish=int(Finish.STOP))

Said = list[tuple[str, Delta]]
Keyed = tuple[str, Packet]


def open_streams(slot: int, streams: int) -> Iterator[Said]:
    """Streams of a slot that take turns, token by token, until each has said what it has. None ends."""
    names = _names(slot, streams)
    scripts = [
        [Delta(int(Kind.TEXT), token) for token in words(seed, _LENGTHS[seed % len(_LENGTHS)])]
        for seed in range(_SCRIPTS)
    ]
    yield from _cut([(name, _START) for name in names])
    for turn in range(max(_LENGTHS)):
        said = []
        for i, name in enumerate(names):
            script = scripts[i % _SCRIPTS]
            if turn < len(script):
                said.append((name, script[turn]))
        yield from _cut(said)


def more(slot: int, streams: int) -> Iterator[Said]:
    """What the same streams say behind that: a word in every turn, for ever."""
    said = [(name, Delta(int(Kind.TEXT), " more")) for name in _names(slot, streams)]
    while True:
        yield from _cut(said)


def _names(slot: int, streams: int) -> list[str]:
    return [f"chatcmpl-{stream:08x}" for stream in range(slot, streams, SLOTS)]


def short_streams(slot: int, streams: int) -> Iterator[Said]:
    """Streams of a start, a few words and an end, as many of a slot; `_GROUP * _GROUPS` are open at once."""
    words_said = Delta(int(Kind.TEXT), "Yes, the model said so.")
    mine = len(range(slot, streams, SLOTS))
    for first in range(0, mine + _GROUP * _GROUPS, _GROUP):
        begin = range(first, min(first + _GROUP, mine))
        end = range(max(first - _GROUP * _GROUPS, 0), min(first - _GROUP * (_GROUPS - 1), mine))
        said = [(f"s{slot}-{i}", _START) for i in begin] + [(f"s{slot}-{i}", words_said) for i in begin]
        yield said + [(f"s{slot}-{i}", _END) for i in end]


def _cut(said: Said) -> Iterator[Said]:
    return (said[at : at + _BATCH] for at in range(0, len(said), _BATCH))


@dataclass
class Clock:
    """When the source was asked, what it has said, and what is done at each epoch."""

    epoch: Callable[[int], None]
    """Called when the state of slot 0 is saved, with the deltas said so far."""
    said: int = 0
    done: bool = False
    """The next time that the source is asked, it is at its end."""
    asked: float = 0.0
    longest: float = 0.0
    """Seconds between two times that the source was asked."""

    def tick(self) -> None:
        """The source is asked."""
        now = time.perf_counter()
        self.longest, self.asked = max(self.longest, now - self.asked) if self.asked else 0.0, now


class _Part(StatefulSourcePartition[Keyed, int]):
    def __init__(self, slot: int, script: Iterator[Said], position: int, clock: Clock) -> None:
        self._slot, self._script, self._position, self._clock = slot, script, position, clock

    def next_batch(self) -> list[Keyed]:
        self._clock.tick()
        said = next(self._script, None)
        if said is None or self._clock.done:
            raise StopIteration
        self._position += 1
        self._clock.said += len(said)
        return [(slot_key(self._slot), pack(self._slot, said, now=0))] if said else []

    def snapshot(self) -> int:
        if self._slot == 0:
            self._clock.epoch(self._clock.said)
        return self._position


class ScriptSource(FixedPartitionedSource[Keyed, int]):
    """A script for each slot, which goes on by itself; the position counts the packets that were said."""

    def __init__(self, script: Callable[[int], Iterator[Said]], clock: Clock) -> None:
        self._script, self._clock = script, clock

    def list_parts(self) -> list[str]:
        return [slot_key(slot) for slot in range(SLOTS)]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _Part:
        slot = self.list_parts().index(for_part)
        return _Part(slot, self._script(slot), resume_state or 0, self._clock)


def fill(store: Path, streams: int) -> None:
    """Leave a store of `streams` open streams behind."""
    source = ScriptSource(lambda slot: open_streams(slot, streams), Clock(lambda said: None))
    run(inflight(source, TellingSink(lambda packets: None), _ready(), Limits()), store, _NEVER)


def epochs(store: Path, streams: int) -> None:
    """Go on from a store while all streams speak; print for how long an epoch stops the source, and
    what it writes.
    """
    judgement = _ready()
    seen: list[tuple[float, float]] = []

    def epoch(said: int) -> None:
        if said > streams:
            seen.append((clock.longest, written()))
            clock.done = len(seen) == 5
        clock.longest = 0.0

    clock = Clock(epoch)
    source = ScriptSource(lambda slot: more(slot, streams), clock)
    run(inflight(source, TellingSink(lambda packets: None), judgement, Limits()), store, 5.0)
    # How long an epoch stops the source, and what it writes, is seen when the next one ends.
    stop = statistics.median(stop for stop, _ in seen[1:])
    sent = statistics.median(b - a for (_, a), (_, b) in pairwise(seen))
    print(json.dumps({"stop": stop, "written": sent, "peak": peak()}))


def resume(store: Path, streams: int) -> None:
    """Go on from a store; print when the first packet left and when one of each stream had, and be gone, so
    that the store stays as it is.
    """
    marks = {"imported": time.time()}
    judgement = _ready()
    marks["ready"] = time.time()
    turn = -(-streams // SLOTS // _BATCH) * SLOTS  # packets; one more may be a slot's last
    left = 0

    def seen(packets: int) -> None:
        nonlocal left, marks
        left += packets
        if "first" not in marks:
            marks |= {"first": time.time(), "cpu": time.process_time() - began, "peak": peak()}
        if left >= turn:
            print(json.dumps(marks | {"every": time.time(), "later": peak()}), flush=True)
            os._exit(0)

    clock = Clock(lambda said: None)
    source = ScriptSource(lambda slot: more(slot, streams), clock)
    marks["flow"], began = time.time(), time.process_time()
    run(inflight(source, TellingSink(seen), judgement, Limits()), store, _NEVER)


def by_hand(store: Path, streams: int) -> None:
    """Read the newest rows of a store, unpickle, load and dump them, each alone; print a line for each."""
    del streams
    spent: dict[str, float] = defaultdict(float)
    dumping: dict[str, float] = defaultdict(float)
    sizes: dict[str, int] = defaultdict(int)
    judgement = _ready()
    names = ["directory", "gate", "features", *(step for step, _ in judgement.analyses), "policy", "release"]
    made = {slot_key(slot): dict(zip(names, stages(judgement), strict=True)) for slot in range(SLOTS)}
    for path in store.glob("part-*.sqlite3"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            began = time.perf_counter()
            rows = db.execute(_NEWEST).fetchall()
            spent["SQLite"] += time.perf_counter() - began
        for step, key, change in rows:
            name = step.split(".")[-1]
            if name in names:
                began = time.perf_counter()
                state = pickle.loads(change)
                spent["pickle"] += time.perf_counter() - began
                began = time.perf_counter()
                made[key][name].load(state)
                spent[name] += time.perf_counter() - began
                began = time.perf_counter()
                made[key][name].dump()
                dumping[name] += time.perf_counter() - began
                sizes[name] += len(state)
    print(f"\n{'by hand':<12} {'read s':>8} {'dump s':>8} {'MiB':>8}")
    for name in ("SQLite", "pickle", *names):
        print(f"{name:<12} {spent[name]:8.3f} {dumping[name]:8.3f} {sizes[name] / 2**20:8.1f}")
    sums = sum(spent.values()), sum(dumping.values()), sum(sizes.values()) / 2**20
    print("{:<12} {:8.3f} {:8.3f} {:8.1f}".format("all", *sums))


def bounded(store: Path, streams: int) -> None:
    """Say, for every fiftieth of `streams` that has passed, how many deltas were said, and the memory."""
    judgement, step = _ready(), 3 * streams // 50
    due = 0

    def epoch(said: int) -> None:
        nonlocal due
        if said >= due:
            print(said, peak(), flush=True)
            due = said - said % step + step

    clock = Clock(epoch)
    source = ScriptSource(lambda slot: short_streams(slot, streams), clock)
    run(inflight(source, TellingSink(lambda packets: None), judgement, Limits()), store, 2.0)
    print(clock.said, peak(), flush=True)


def _ready() -> Judgement:
    """The default policy, everything compiled."""
    judgement = policies.load(policies.DEFAULT)
    warm(judgement)
    return judgement


def show_dumps(runs: int) -> None:
    """The first table: milliseconds for the stages of all slots together."""
    judgement = _ready()
    print(f"{'open':>8} {'dumps':>6} {'dump ms':>8} {'fastest':>8} {'load ms':>8} {'KiB':>8}")
    for each in _OPEN:
        streams = SLOTS * each
        made = [stages(judgement) for _ in range(SLOTS)]
        for slot in range(SLOTS):
            for said in open_streams(slot, streams):
                _heard(made[slot], slot, said)
        further = [more(slot, streams) for slot in range(SLOTS)]
        dumping, loading = [], []
        for _ in range(runs):
            for slot in range(SLOTS):
                _heard(made[slot], slot, next(further[slot]))
            began = time.perf_counter()
            dumps = [[stage.dump() for stage in mine] for mine in made]
            dumping.append((time.perf_counter() - began) * 1e3)
            again = [stages(judgement) for _ in range(SLOTS)]
            began = time.perf_counter()
            for mine, states in zip(again, dumps, strict=True):
                for stage, state in zip(mine, states, strict=True):
                    stage.load(state)
            loading.append((time.perf_counter() - began) * 1e3)
        sizes = [len(state) for states in dumps for state in states]
        print(
            f"{streams:8,} {len(sizes):6} {statistics.median(dumping):8.1f} {min(dumping):8.1f} "
            f"{statistics.median(loading):8.1f} {sum(sizes) / 2**10:8,.0f}"
        )


def _heard(made: list[Stage], slot: int, said: Said) -> None:
    """All stages of a slot hear what is said."""
    if said:
        packet = pack(slot, said, now=0)
        for stage in made:
            packet = stage.update(packet)


def show_resume(store: Path, streams: int, runs: int) -> None:
    """The second table."""
    apart(_BENCH, "fill", store, streams)
    mib, rows = size(store)
    print(f"1 GiB of new memory: {touched():.2f} s to touch")
    print(f"{streams:,} open streams of {_LENGTHS} tokens, {SLOTS} slots: store {mib:,.0f} MiB, {rows} rows")
    spent: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        began, said = apart(_BENCH, "resume", store, streams)
        marks = json.loads(said)
        spent["imports"].append(marks["imported"] - began)
        spent["kernels and rules"].append(marks["ready"] - marks["imported"])
        spent["store, to the first packet out"].append(marks["first"] - marks["flow"])
        spent["... of this, seconds of processor"].append(marks["cpu"])
        spent["process start to the first packet"].append(marks["first"] - began)
        spent["from there until each stream spoke"].append(marks["every"] - marks["first"])
        spent["peak MiB at the first packet"].append(marks["peak"])
        spent["peak MiB when each stream spoke"].append(marks["later"])
    print(f"\n{'resumed, median of ' + str(runs):<36} {'s':>8}")
    for name, times in spent.items():
        print(f"{name:<36} {statistics.median(times):8.2f}   {min(times):.2f} to {max(times):.2f}")
    print(apart(_BENCH, "by_hand", store, streams)[1])
    later = json.loads(apart(_BENCH, "epochs", store, streams)[1])
    print(
        f"an epoch of all streams writes {later['written']:,.0f} MiB and stops the source for "
        f"{later['stop']:.2f} s; peak {later['peak']:,.0f} MiB"
    )


def show_bounded(store: Path, streams: int) -> None:
    """The third table. The store is looked at from here: a process that has one file open with two copies of
    SQLite loses its locks when one of them closes it.
    """
    print(
        f"{'streams':>12} {'deltas':>12} {'store MiB':>10} {'rows':>6} {'peak MiB':>8} {'s':>7}", flush=True
    )
    began = time.perf_counter()
    for line in told(_BENCH, "bounded", store, streams):
        said, memory = map(float, line.split())
        mib, rows = size(store)
        spent = time.perf_counter() - began
        print(f"{said / 3:12,.0f} {said:12,.0f} {mib:10.1f} {rows:6} {memory:8.0f} {spent:7.0f}", flush=True)


_PARTS: dict[str, Callable[[Path, int], None]] = {
    "fill": fill,
    "epochs": epochs,
    "resume": resume,
    "by_hand": by_hand,
    "bounded": bounded,
}


def main() -> None:
    """Run what is asked for and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("tables", nargs="*", default=["dumps", "resume", "bounded"])
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--streams", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        _PARTS[args.part](args.folder, args.count)
        return
    if "dumps" in args.tables:
        show_dumps(args.runs)
    with tempfile.TemporaryDirectory(dir=args.folder) as made:
        folder = Path(made)
        if "resume" in args.tables:
            show_resume(folder / "resume", args.open, args.runs)
        if "bounded" in args.tables:
            show_bounded(folder / "bounded", args.streams)


if __name__ == "__main__":
    main()
