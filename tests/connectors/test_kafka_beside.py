"""Orders and feedback beside the streams: heard by every slot that they are for, once, in the same place."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from connectors._kafka_client import KafkaFault
from connectors.kafka_beside import Beside, BesideSource
from flows import stores
from flows.stores import Address
from operators.packet import Feedback, Packet, Shape
from operators.slots import slot_key
from tests.clusters import PATIENCE_S, Cluster
from tests.flows.test_states import done
from tests.kafka_log import said, source, texts, until, view, write

pytest_plugins = ["tests.kafka_fixtures"]


@pytest.fixture
def topics(broker: Cluster, prefix: str) -> Cluster:
    broker.create_topics({f"{prefix}.deltas": 2, f"{prefix}.feedback": 2, f"{prefix}.control": 1})
    return broker


def shape(line: bytes) -> Shape:
    """An order that only has a name."""
    name = json.loads(line).get("name", "bad")
    if name == "bad":
        msg = "no such order"
        raise ValueError(msg)
    return Shape(name, 0, (1.0,), 0.1)


Said = tuple[list[str], list[str], list[str]]


class Job:
    """A source with what is said beside it, whose partitions a test polls."""

    def __init__(self, broker: Cluster, prefix: str, states: dict[int, Any] | None = None) -> None:
        self.packets: list[Packet] = []
        slots = range(2)
        beside = Beside(view(broker, prefix), slots, f"{prefix}-beside", shape)
        both = BesideSource(source(broker, prefix, batch=1), {slot_key(slot): slot for slot in slots}, beside)
        self.parts = {
            slot: both.build_part("source", slot_key(slot), (states or {}).get(slot)) for slot in slots
        }

    def poll(self) -> None:
        for part in self.parts.values():
            self.packets += [packet for _, packet in part.next_batch()]

    def epoch(self) -> dict[int, Any]:
        return {slot: part.snapshot() for slot, part in self.parts.items()}

    def stop(self) -> None:
        for part in self.parts.values():
            part.close()

    def said(self, slot: int) -> list[Said]:
        """Of each packet of a slot: texts, orders, what feedback is about."""
        found: list[Said] = []
        for packet in self.packets:
            if packet.slot == slot:
                about = [f"{each.stream}/{each.label}" for each in packet.feedback]
                found.append((texts([packet]), [each.name for each in packet.shapes], about))
        return found


def deltas(broker: Cluster, prefix: str, text: str) -> None:
    """The same text in both slots."""
    for slot in range(2):
        write(broker, f"{prefix}.deltas", [said("a", text)], slot)


def order(broker: Cluster, prefix: str, *names: str) -> None:
    write(broker, f"{prefix}.control", [{"name": name} for name in names])


def feedback(broker: Cluster, prefix: str, slot: int, stream: str, label: str = "wrong") -> None:
    about = {"type": "feedback", "stream": stream, "seq": 4, "rule": "email", "label": label}
    write(broker, f"{prefix}.feedback", [about], slot)


def hear(job: Job, wanted: Mapping[int, Sequence[Said]]) -> None:
    """Poll until the slots were told so many texts; compare all of it."""

    def all_of_it() -> bool:
        job.poll()
        return all(len(job.said(slot)) >= len(said) for slot, said in wanted.items())

    until(all_of_it)
    assert {slot: job.said(slot) for slot in wanted} == wanted


def test_orders_go_to_every_slot_and_feedback_to_that_of_its_stream(topics: Cluster, prefix: str) -> None:
    order(topics, prefix, "one", "two")
    feedback(topics, prefix, 1, "a")
    deltas(topics, prefix, "x")
    job = Job(topics, prefix)
    until(lambda: all(state[3] for state in job.epoch().values()) and job.epoch()[1][4])
    hear(job, {0: [(["x"], ["one", "two"], [])], 1: [(["x"], ["one", "two"], ["a/wrong"])]})
    (packet,) = [packet for packet in job.packets if packet.slot == 1]
    assert packet.feedback == (Feedback("a", 4, "email", "wrong"),)
    job.stop()


def test_what_comes_while_it_runs_is_heard_behind_the_next_epoch_and_once(
    topics: Cluster, prefix: str
) -> None:
    job = Job(topics, prefix)
    deltas(topics, prefix, "x")
    hear(job, {0: [(["x"], [], [])], 1: [(["x"], [], [])]})
    order(topics, prefix, "one")
    feedback(topics, prefix, 0, "a", "right")
    deltas(topics, prefix, "y")
    before: list[Said] = [(["x"], [], []), (["y"], [], [])]
    hear(job, {0: before, 1: before})  # no epoch closed meanwhile
    until(lambda: job.epoch()[0][4] and all(state[3] for state in job.epoch().values()))
    deltas(topics, prefix, "z")
    deltas(topics, prefix, "!")
    hear(
        job,
        {
            0: [*before, (["z"], ["one"], ["a/right"]), (["!"], [], [])],
            1: [*before, (["z"], ["one"], []), (["!"], [], [])],
        },
    )
    job.stop()


def test_a_run_that_resumes_hears_the_same_in_the_same_place(topics: Cluster, prefix: str) -> None:
    first = Job(topics, prefix)
    deltas(topics, prefix, "x")
    hear(first, {0: [(["x"], [], [])], 1: [(["x"], [], [])]})
    order(topics, prefix, "one")
    feedback(topics, prefix, 0, "a")
    until(lambda: first.epoch()[0][4] and all(state[3] for state in first.epoch().values()))
    states = first.epoch()
    order(topics, prefix, "two")  # after the epoch closed: not for the next packets
    deltas(topics, prefix, "y")
    wanted: dict[int, list[Said]] = {0: [(["y"], ["one"], ["a/wrong"])], 1: [(["y"], ["one"], [])]}
    first.packets.clear()
    hear(first, wanted)
    first.stop()  # and dies
    for _ in range(2):
        again = Job(topics, prefix, states)
        hear(again, wanted)
        again.stop()
    last = Job(topics, prefix, states)
    hear(last, wanted)
    until(lambda: all(state[3] for state in last.epoch().values()))
    deltas(topics, prefix, "z")
    last.packets.clear()
    hear(last, {0: [(["z"], ["two"], [])], 1: [(["z"], ["two"], [])]})
    last.stop()


def test_what_waits_for_a_packet_is_state_that_can_be_looked_at_and_moved(
    topics: Cluster, prefix: str, tmp_path: Path
) -> None:
    order(topics, prefix, "one")
    feedback(topics, prefix, 0, "a")
    first = Job(topics, prefix)
    until(lambda: first.epoch()[0][4] and all(state[3] for state in first.epoch().values()))
    entries = {
        Address("source", slot_key(slot)): pickle.dumps(state) for slot, state in first.epoch().items()
    }
    first.stop()
    with stores.stand_in(tmp_path / "old") as folder:
        stores.write(folder, stores.State("analyze", 2, 4, (), entries))
    assert "source" in done("inspect", tmp_path / "old")
    done("vacuum", tmp_path / "old")
    done("export", tmp_path / "old", "--to", tmp_path / "file")
    done("move", tmp_path / "old", "--to", tmp_path / "new", "--cells", 2)
    states = {
        slot: stores.plain(
            stores.read(tmp_path / "new" / f"cell-{slot}").state.entries[Address("source", slot_key(slot))]
        )
        for slot in range(2)
    }
    deltas(topics, prefix, "x")
    moved = Job(topics, prefix, states)
    hear(moved, {0: [(["x"], ["one"], ["a/wrong"])], 1: [(["x"], ["one"], [])]})
    moved.stop()


@pytest.mark.parametrize(("heard", "topic"), [((3, -1), "control"), ((0, 2), "feedback")])
def test_a_topic_that_ends_before_what_was_heard_of_it_is_refused(
    topics: Cluster, prefix: str, heard: tuple[int, int], topic: str
) -> None:
    order(topics, prefix, "one", "two")
    feedback(topics, prefix, 1, "a")
    fine = Job(topics, prefix, {slot: (None, 2, slot, (), ()) for slot in range(2)})
    fine.stop()
    with pytest.raises(
        KafkaFault, match=rf"slot 1 has heard {prefix}\.{topic} up to offset [23], but it ends at [12]: the"
    ):
        Job(topics, prefix, {1: (None, *heard, (), ())})


@pytest.mark.parametrize("topic", ["control", "feedback"])
def test_a_topic_that_was_made_anew_is_refused_however_long_it_is(
    topics: Cluster, prefix: str, topic: str
) -> None:
    if not topics.real:
        pytest.skip("the mock calls every topic the same")
    order(topics, prefix, "one")
    feedback(topics, prefix, 0, "a")
    job = Job(topics, prefix)
    until(lambda: all(state[5] and all(state[5]) for state in job.epoch().values()))
    states = job.epoch()
    admin, full = AdminClient(topics.client), f"{prefix}.{topic}"
    admin.delete_topics([full])[full].result(PATIENCE_S)
    until(lambda: full not in admin.list_topics(timeout=PATIENCE_S).topics)
    topics.create_topics({full: 2 if topic == "feedback" else 1})
    order(topics, prefix, "two", "three")
    for slot in range(2):
        for stream in "bcd":
            feedback(topics, prefix, slot, stream)
    match = rf"is one in a {prefix}\.{topic} that is gone: the topic was made anew"
    with pytest.raises(KafkaFault, match=match):
        until(lambda: job.epoch() and False)
    with pytest.raises(KafkaFault, match=rf"the position of slot 0 {match}"):
        Job(topics, prefix, states)


def test_a_position_of_before_topics_had_names_of_their_own_is_taken(topics: Cluster, prefix: str) -> None:
    order(topics, prefix, "one")
    job = Job(topics, prefix, dict.fromkeys(range(2), (None, 1, -1, (), ())))
    deltas(topics, prefix, "x")
    hear(job, {0: [(["x"], [], [])], 1: [(["x"], [], [])]})
    job.stop()


def test_orders_that_are_gone_are_told_of(
    topics: Cluster, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    if not topics.real:
        pytest.skip("the mock deletes nothing")
    order(topics, prefix, "one", "two", "three")
    gone = TopicPartition(f"{prefix}.control", 0, 2)
    admin = AdminClient(topics.client)
    admin.delete_records([gone])[gone].result(PATIENCE_S)
    job = Job(topics, prefix)
    assert f"{prefix}.control begins at offset 2: earlier orders are gone" in caplog.text
    deltas(topics, prefix, "x")
    hear(job, {0: [(["x"], ["three"], [])], 1: [(["x"], ["three"], [])]})
    job.stop()


BAD_FEEDBACK = [
    b"\xff", b"", None, b"[]", b'{"type":"feedback"}', b'{"type":"praise","stream":"a","label":"right"}',
    b'{"type":"feedback","stream":"a","label":"maybe"}', b'{"type":"feedback","stream":7,"label":"right"}',
    b"[" * 100_000, b'{"type":"feedback","stream":"a","x":' + b"[" * 100_000, b"x" * 900_000,
]  # fmt: skip


def test_what_is_neither_is_logged_and_passed_by(
    topics: Cluster, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(topics, f"{prefix}.feedback", BAD_FEEDBACK)
    write(topics, f"{prefix}.control", [b"\xff", b"{}", {"name": "bad"}, None])
    order(topics, prefix, "good")
    feedback(topics, prefix, 0, "a")
    deltas(topics, prefix, "x")
    with caplog.at_level(logging.ERROR):
        job = Job(topics, prefix)
        until(lambda: job.epoch()[0][4])
        hear(job, {0: [(["x"], ["good"], ["a/wrong"])]})
    complaints = [record.getMessage() for record in caplog.records]
    assert any(f"{prefix}.control@2: no such order" in line for line in complaints)
    for offset in range(len(BAD_FEEDBACK)):
        assert any(line.startswith(f"{prefix}.feedback@{offset}:") for line in complaints), offset
    job.stop()


def test_topics_that_cannot_be_read_are_refused(broker: Cluster, prefix: str) -> None:
    if not broker.real:
        pytest.skip("the mock makes every topic that it is asked for")
    with pytest.raises(KafkaFault, match=rf"{prefix}\.feedback"):
        Beside(view(broker, prefix, timeout=2.0), [0], f"{prefix}-beside", shape)
    broker.create_topics({f"{prefix}.feedback": 1})
    with pytest.raises(KafkaFault, match=rf"{prefix}\.control"):
        Beside(view(broker, prefix, timeout=2.0), [0], f"{prefix}-beside", shape)
