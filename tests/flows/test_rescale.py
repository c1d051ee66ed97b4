"""Cells that become more and fewer while streams are open, as README says it is done; and directories that
are not a cell's own.

What is right is what a single job says that reads the same log from end to end with nothing in its way.
"""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from typer.testing import CliRunner

from flows import states, stores
from flows.recovery import kept
from flows.settings import Settings, load
from flows.stores import Address, State, StateError
from operators.slots import slot_key, slot_of
from tests.broker import Broker
from tests.conftest import ROOT
from tests.flows import jobs
from tests.flows.jobs import SLOTS
from tests.kafka_log import consume, until

pytest_plugins = ["tests.kafka_fixtures"]

TOPICS = ("findings", "verdicts", "releases", "samples", "audit", "dead")
PATIENCE_S = 240.0  # for four cells that start at once, on a busy machine
MAIL = "jane.doe@example.com"
ROUND = "and then it says the same thing once more, "
Place = tuple[str, int]


class Written(NamedTuple):
    """A record of a topic."""

    seq: int
    run: str
    key: str
    value: dict[str, Any]


class Talk:
    """Writes deltas of every slot without a pause, from within its block; time in them can leap."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._producer = Producer(broker.client)
        self._topic, self._refused = topic, list[KafkaError]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._lock = threading.Lock()
        self._ahead, self._at = -600_000, 0  # of our clock; of the last record (ms)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say no more; the broker has all that was said."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            self.flush()
            self._producer.close()

    def flush(self) -> None:
        """Wait until the broker has what was said."""
        assert self._producer.flush(60) == 0
        assert not self._refused

    def leap(self) -> None:
        """Go on more than ten seconds later, as the log tells time."""
        self._ahead += 11_000

    def say(self, stream: str, *texts: str) -> None:
        for text in texts:
            self._tell(stream, {"type": "delta", "text": text})

    def end(self, stream: str) -> None:
        self._tell(stream, {"type": "end"})

    def _run(self) -> None:
        for turn in count():
            heard = [name(f"talk{turn}", slot) for slot in range(SLOTS)]
            first, second = MAIL[: turn % 19 + 1], MAIL[turn % 19 + 1 :]
            for text in ("write to ", first, second, " about ", *f"the order of turn {turn}".split()):
                for stream in heard:
                    self.say(stream, text)
                if self._over.wait(0.03):
                    return
            for stream in heard:
                self.end(stream)
            self._write(b"no record of ours", heard[turn % SLOTS])

    def _tell(self, stream: str, record: dict[str, Any]) -> None:
        self._write(orjson.dumps(record | {"stream": stream}), stream)

    def _write(self, value: bytes, stream: str) -> None:
        with self._lock:
            self._at = max(self._at, int(time.time() * 1000) + self._ahead)
            self._producer.produce(
                self._topic,
                value,
                stream,
                slot_of(stream, SLOTS),
                timestamp=self._at,
                on_delivery=self._heard,
            )
        self._producer.poll(0)

    def _heard(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._refused.append(error)


def name(kind: str, slot: int) -> str:
    """A stream of that slot."""
    names = (f"{kind}-{number}" for number in count())
    return next(each for each in names if slot_of(each, SLOTS) == slot)


class Progress:
    """How far a job's state has read the log: what its cells commit to their group."""

    def __init__(self, broker: Broker, prefix: str) -> None:
        self._topic = f"{prefix}.deltas"
        self._client = Consumer(broker.client | {"group.id": f"{prefix}-analyze"})

    def ends(self) -> list[TopicPartition]:
        """Where the log ends now."""
        places = [TopicPartition(self._topic, slot) for slot in range(SLOTS)]
        for place in places:
            _, place.offset = self._client.get_watermark_offsets(place, 30)
        return places

    def behind(self, wanted: list[TopicPartition]) -> bool:
        """Whether some slot is not there yet."""
        known = self._client.committed([TopicPartition(self._topic, slot) for slot in range(SLOTS)], 30)
        return any(have.offset < there.offset for have, there in zip(known, wanted, strict=True))

    def reaches(self, wanted: list[TopicPartition]) -> Callable[[], bool]:
        return lambda: not self.behind(wanted)

    def close(self) -> None:
        self._client.close()


def written(broker: Broker, prefix: str) -> dict[Place, list[Written]]:
    """All that was decided, in order."""
    found: dict[Place, list[Written]] = defaultdict(list)
    for topic in TOPICS:
        for record in consume(broker, f"{prefix}.{topic}", SLOTS):
            heads = record.headers
            assert int(heads["slot"]) == record.partition
            told = Written(int(heads["seq"]), heads["run"], record.key, record.value)
            found[topic, record.partition].append(told)
    return found


def undisturbed(broker: Broker, prefix: str) -> dict[Place, list[Written]]:
    """What one job says that reads the whole log."""
    alone = f"{prefix}-alone"
    job = jobs.start(
        "flows", "run", "analyze",
        **variables(broker, alone) | {"KAFKA__DELTAS": f"{prefix}.deltas", "KAFKA__UNTIL": "end"},
    )  # fmt: skip
    _, err = job.communicate(timeout=PATIENCE_S)
    assert (job.returncode, wrong(err)) == (0, [])
    return written(broker, alone)


def wrong(err: bytes) -> list[str]:
    """What cells complain of, but that a record is none, that one was killed, or that the broker still ends
    what a killed one had begun.
    """
    expected = re.compile(
        r"\S+/\d@\d+: no record of a delta: |bash: line \d+: +\d+ Killed |GETPID .* retrying$"
    )
    return [line for line in jobs.complaints(err) if not expected.match(line)]


def variables(broker: Broker, prefix: str, lane: str = "fast") -> dict[str, object]:
    return {
        "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA__PREFIX": prefix, "KAFKA__LANE": lane,
        "KAFKA__SAMPLES": "true", "SLOTS": SLOTS,
    }  # fmt: skip


def assert_same(
    found: Mapping[Place, list[Written]], wanted: Mapping[Place, list[Written]], *, exact: bool
) -> None:
    """The same records under the same numbers, in order; what repeats, on the fast lane, repeats itself."""
    assert found.keys() == wanted.keys()
    runs = defaultdict(set)
    for place, records in found.items():
        first: dict[int, Written] = {}
        for record in records:
            assert first.setdefault(record.seq, record) == record, f"{place}: two records of one number"
            runs[place[1]].add(record.run)
        assert list(first) == sorted(first), f"{place}: out of order"
        assert not exact or len(first) == len(records), f"{place}: something came twice"
        said = {seq: (record.key, record.value) for seq, record in first.items()}
        assert said == {record.seq: (record.key, record.value) for record in wanted[place]}, place
    assert all(len(names) == 1 for names in runs.values()), "a slot was numbered anew"


class Shell:
    """A person at a terminal."""

    def __init__(self, folder: Path, **given: object) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._bash = subprocess.Popen(
                ["bash", "--norc"], cwd=folder, env=jobs.environment(**given) | {"PATH": path},
                stdin=subprocess.PIPE, stdout=out, stderr=err, bufsize=0, start_new_session=True,
            )  # fmt: skip
        self._lines = 0

    def type(self, line: str) -> None:
        """Type a line, or some, and wait for the prompt."""
        assert self._bash.stdin is not None
        self._lines += 1
        prompt = f"line {self._lines} is done"
        self._bash.stdin.write(f"{line}\necho {prompt}\n".encode())
        self.until(lambda: prompt in self.said())

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something; what is complained of meanwhile ends it."""

        def holds() -> bool:
            assert wrong(self._err.read_bytes()) == []
            return condition()

        until(holds, PATIENCE_S)

    def said(self) -> str:
        return self._out.read_text()

    def close(self) -> None:
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()


@contextmanager
def shell(folder: Path, **given: object) -> Iterator[Shell]:
    made = Shell(folder, **given)
    try:
        yield made
    finally:
        made.close()


def recipe() -> list[str]:
    """The lines of README that rescale: a function, then what is typed one after the other."""
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (block,) = [each for each in blocks if "midstream state move" in each]
    function, body, rest = block.partition("\n}\n")
    return [function + body, *rest.splitlines()]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(
    ("lane", "killed"), [("exact", (False, True)), ("fast", (True, False))], ids=["exact", "fast"]
)
def test_two_cells_become_four_become_one_under_load(
    real_broker: Broker, prefix: str, tmp_path: Path, lane: str, killed: tuple[bool, bool]
) -> None:
    deltas, cells = f"{prefix}.deltas", {"two": 2, "four": 4, "one": 1}
    real_broker.create_topics({deltas: SLOTS})
    function, *lines = recipe()
    kinds = {stage: [name(stage, slot) for slot in range(SLOTS)] for stage in ("first", "second")}
    loops, waits = ([name(kind, slot) for slot in range(SLOTS)] for kind in ("loop", "wait"))
    progress = Progress(real_broker, prefix)
    with shell(tmp_path, **variables(real_broker, prefix, lane)) as typed, closing(progress):
        typed.type(function)
        with Talk(real_broker, deltas) as talk:
            for stage, kill in zip(("first", "second"), killed, strict=True):
                start, stop, move, *lines = lines
                assert start.split()[0] == "cells"
                typed.type(start)
                for stream in kinds[stage]:
                    talk.say(stream, "write to ", MAIL[:10])
                for stream in loops:
                    talk.say(stream, ROUND, ROUND)
                for stream in waits:
                    talk.say(stream, f"{stage} word, ")
                talk.flush()
                typed.until(progress.reaches(progress.ends()))
                before = typed.said().count('"type":"summary"')
                typed.type(stop.replace("kill ", "kill -9 ") if kill else stop)
                ended = typed.said().count('"type":"summary"') - before
                assert ended == (0 if kill else cells[start.split()[1]]), "a cell that ends well says so"
                assert progress.behind(progress.ends()), "the load goes on"
                typed.type(move)
                talk.leap()
                for stream in kinds[stage]:
                    talk.say(stream, MAIL[10:], " please")
                for stream in loops:
                    talk.say(stream, ROUND, ROUND)
            (start,) = lines
            typed.type(start)
            for stream in (*kinds["first"], *kinds["second"], *loops, *waits):
                talk.end(stream)
        typed.until(progress.reaches(progress.ends()))
        typed.type("kill $(jobs -p); wait")
        folders = re.findall(r"(\w+/cell-\d): slots ([\d, ]+)", typed.said())
        assert dict(folders) == {
            "four/cell-0": "0, 4", "four/cell-1": "1, 5", "four/cell-2": "2, 6", "four/cell-3": "3, 7",
            "one/cell-0": "0, 1, 2, 3, 4, 5, 6, 7",
        }  # fmt: skip
    found = written(real_broker, prefix)
    assert_same(found, undisturbed(real_broker, prefix), exact=lane == "exact")

    left: dict[str, str] = defaultdict(str)
    why: dict[str, set[str]] = defaultdict(set)
    for (topic, _), records in found.items():
        for record in {each.seq: each for each in records}.values():
            if record.value["type"] == "release":
                left[record.key] += record.value["text"]
            if topic == "findings":
                why[record.key].add(record.value["name"])
    for stream in (*kinds["first"], *kinds["second"]):
        assert left[stream] == "write to [EMAIL] please"
    assert all("loop" in why[stream] for stream in loops)
    assert all("stall" in why[stream] for stream in waits)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("lane", ["exact", "fast"])
def test_an_old_cell_is_refused_and_one_that_is_brought_back_doubles_nothing(
    real_broker: Broker, prefix: str, tmp_path: Path, lane: str
) -> None:
    deltas, run = f"{prefix}.deltas", ("flows", "run", "analyze", "-s", 0.5, "-r")
    real_broker.create_topics({deltas: SLOTS})
    given = variables(real_broker, prefix, lane)
    progress = Progress(real_broker, prefix)
    going: list[subprocess.Popen[bytes]] = []
    with closing(progress), ExitStack() as stack:

        def cell(folder: Path) -> subprocess.Popen[bytes]:
            going.append(jobs.start(*run, folder, **given))
            stack.callback(going[-1].communicate)
            stack.callback(going[-1].kill)
            return going[-1]

        def wait(condition: Callable[[], bool]) -> None:
            def holds() -> bool:
                assert any(each.poll() is None for each in going), going[-1].communicate()
                return condition()

            until(holds, PATIENCE_S)

        def ended(times: int) -> bool:
            told = consume(real_broker, f"{prefix}.releases", SLOTS)
            over = Counter(each.key for each in told if each.value["type"] == "end")
            return all(over[stream] >= times for stream in halves)

        talk = stack.enter_context(Talk(real_broker, deltas))
        halves = [name("half", slot) for slot in range(SLOTS)]
        for stream in halves:
            talk.say(stream, "write to ", MAIL[:10])
        old = cell(tmp_path / "old")
        talk.flush()
        wait(progress.reaches(progress.ends()))
        old.send_signal(signal.SIGTERM)
        assert old.wait(PATIENCE_S) == 0
        done = CliRunner().invoke(
            states.app, ["move", str(tmp_path / "old"), "--to", str(tmp_path / "new"), "--cells", "1"]
        )
        assert done.exit_code == 0, done.output
        new = cell(tmp_path / "new" / "cell-0")
        for stream in halves:
            talk.say(stream, MAIL[10:], " please")
        talk.flush()
        wait(progress.reaches(progress.ends()))

        mistaken = cell(tmp_path / "old")
        _, err = mistaken.communicate(timeout=PATIENCE_S)
        assert mistaken.returncode == 2
        assert f"{tmp_path / 'old'}: its slots were moved to {tmp_path / 'new'}: run that" in err.decode()

        (tmp_path / "old" / "moved").unlink()
        back = cell(tmp_path / "old")
        if lane == "exact":
            _, err = new.communicate(timeout=PATIENCE_S)
            assert new.returncode == 1
            assert "another process has taken this slot over" in err.decode()
        for stream in halves:
            talk.say(stream, " and thank you")
            talk.end(stream)
        wait(partial(ended, 1 if lane == "exact" else 2))
        talk.close()
        wait(progress.reaches(progress.ends()))
        for each in (back,) if lane == "exact" else (back, new):
            each.send_signal(signal.SIGTERM)
            assert each.wait(PATIENCE_S) == 0
    assert_same(written(real_broker, prefix), undisturbed(real_broker, prefix), exact=lane == "exact")


def _made(folder: Path, cell: int, cells: int, flow: str = "analyze") -> Path:
    """A directory as a cell leaves it."""
    folder.mkdir()
    own = [slot_key(slot) for slot in range(SLOTS) if slot % cells == cell]
    entries = {Address("source", key): pickle.dumps(b"{}") for key in own}
    stores.write(folder, State(flow, SLOTS, 4, (), entries))
    return folder


def _cell(cell: int, cells: int, slots: int = SLOTS) -> Settings:
    return load({"slots": slots, "kafka": {"cell": cell, "cells": cells}})


@pytest.mark.parametrize(
    ("was", "told", "why"),
    [
        ((0, 2), (0, 4), "in slots 0, 2, 4, 6, and cell 0 of 4 owns 0, 4"),
        ((0, 4), (0, 2), "in slots 0, 4, and cell 0 of 2 owns 0, 2, 4, 6"),
        ((1, 2), (0, 2), "in slots 1, 3, 5, 7, and cell 0 of 2 owns 0, 2, 4, 6"),
        ((0, 2), (0, 1), "in slots 0, 2, 4, 6, and cell 0 of 1 owns 0, 1, 2, 3, 4, 5, 6, 7"),
    ],
)
def test_a_directory_of_another_cell_is_refused(
    tmp_path: Path, was: tuple[int, int], told: tuple[int, int], why: str
) -> None:
    folder = _made(tmp_path / "a", *was)
    with (
        pytest.raises(StateError, match=f"a has state of analyze {why}.*'midstream state move'"),
        kept(folder, _cell(*told), "analyze"),
    ):
        raise AssertionError
    with kept(folder, _cell(*was), "analyze"):
        pass


def test_a_directory_of_another_job_is_refused(tmp_path: Path) -> None:
    folder = _made(tmp_path / "a", 0, 1, flow="inflight")
    with pytest.raises(StateError, match="in slots none"), kept(folder, _cell(0, 1), "analyze"):
        raise AssertionError


def test_a_directory_of_another_number_of_slots_is_refused(tmp_path: Path) -> None:
    folder = _made(tmp_path / "a", 0, 1)
    with (
        pytest.raises(ValueError, match=r"slots is 16, but .* was made with slots = 8"),
        kept(folder, _cell(0, 1, slots=16), "analyze"),
    ):
        raise AssertionError
    other = _made(tmp_path / "b", 1, 2)
    (other / "slots").write_text("16")
    moved = CliRunner().invoke(
        states.app, ["move", str(folder), str(other), "--to", str(tmp_path / "c"), "--cells", "2"]
    )
    assert moved.exit_code == 2
    assert "differ: slots is 8 in one and 16 in the other" in moved.output
    assert not (folder / "moved").exists(), "what was not moved is run on"


def test_a_new_directory_is_anybodys(tmp_path: Path) -> None:
    for cells in (2, 4):
        with kept(tmp_path / "a", _cell(1, cells), "analyze"):
            pass


def test_slots_that_were_moved_are_run_where_they_are(tmp_path: Path) -> None:
    sources = [_made(tmp_path / f"cell-{cell}", cell, 2) for cell in range(2)]
    done = CliRunner().invoke(
        states.app, ["move", *map(str, sources), "--to", str(tmp_path / "new"), "--cells", "4"]
    )
    assert done.exit_code == 0, done.output
    for cell, folder in enumerate(sources):
        with (
            pytest.raises(StateError, match=f"moved to {tmp_path / 'new'}: run that"),
            kept(folder, _cell(cell, 2), "analyze"),
        ):
            raise AssertionError
    for cell in range(4):
        with kept(tmp_path / "new" / f"cell-{cell}", _cell(cell, 4), "analyze"):
            pass
