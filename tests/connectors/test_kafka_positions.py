"""Where the source goes on: exactly where it was saved, or not at all; and what it tells others of that."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors._kafka_client import KafkaFault
from connectors.kafka import KafkaSource, Start
from operators.slots import slot_key
from tests.clusters import PATIENCE_S, Cluster, MockBroker
from tests.kafka_log import Driven, said, source, until, view, write

pytest_plugins = ["tests.kafka_fixtures"]


@pytest.fixture
def deltas(broker: Cluster, prefix: str) -> str:
    broker.create_topics({f"{prefix}.deltas": 2})
    return f"{prefix}.deltas"


def committed(broker: Cluster, prefix: str) -> int:
    """How far the group says that slot 0 is, as tools that show lag ask it; -1001 if it says nothing."""
    client = view(broker, prefix).consumer(f"{prefix}-group")
    (place,) = client.committed([TopicPartition(f"{prefix}.deltas", 0)], timeout=PATIENCE_S)
    client.close()
    return int(place.offset)


def _has_heard(driven: Driven, count: int) -> bool:
    return len(driven.poll().texts()) >= count


@pytest.mark.parametrize("stops", [(1,), (7, 40, 41), (99,)])
def test_it_goes_on_with_the_very_next_record(
    broker: Cluster, prefix: str, deltas: str, stops: tuple[int, ...]
) -> None:
    wanted = [str(n) for n in range(100)]
    write(broker, deltas, [said("a", text) for text in wanted])
    found: list[str] = []
    states: dict[int, bytes] = {}
    for stop in stops:
        driven = Driven(source(broker, prefix, batch=1), states)
        wanted_now = stop - len(found)
        until(partial(_has_heard, driven, wanted_now))
        found += driven.texts()
        states = {slot: part.snapshot() for slot, part in driven.parts.items()}
        driven.poll()  # what comes behind the snapshot is heard again
        driven.close()
    found += Driven(source(broker, prefix, to_end=True), states).rest().texts()
    assert found == wanted


def test_a_run_that_resumes_knows_which_repeats_it_has_heard(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    def record(seq: int) -> dict[str, Any]:
        return said("a", str(seq), run="x", seq=seq)

    write(broker, deltas, [record(0), record(1)])
    first = Driven(source(broker, prefix))
    until(lambda: first.poll().texts() == ["0", "1"])
    states = {slot: part.snapshot() for slot, part in first.parts.items()}
    first.close()
    write(broker, deltas, [record(0), record(1), record(2)])
    assert Driven(source(broker, prefix, to_end=True), states).rest().texts() == ["2"]


def test_a_position_counts_more_than_where_a_job_is_told_to_start(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    write(broker, deltas, [said("a", str(n)) for n in range(3)])
    first = Driven(source(broker, prefix, batch=1))
    until(lambda: first.poll().texts() == ["0"])
    states = {slot: part.snapshot() for slot, part in first.parts.items()}
    first.close()
    again = Driven(source(broker, prefix, to_end=True, start=Start("latest")), states)
    assert again.rest().texts() == ["1", "2"]


def position(offset: int, prefix: str) -> bytes:
    return b'{"version":1,"topic":"%b.deltas","offset":%d,"runs":{},"reached":0,"tick":0}' % (
        prefix.encode(), offset,
    )  # fmt: skip


def test_a_log_that_is_shorter_than_the_position_was_made_anew(prefix: str) -> None:
    with MockBroker() as other:
        other.create_topics({f"{prefix}.deltas": 1})
        write(other, f"{prefix}.deltas", [said("a", "x")] * 2)
        there = source(other, prefix, slots=1)
        match = r"slot 0 was read up to offset 3, but .*\.deltas now holds 0 to 2: the topic was made anew"
        with pytest.raises(KafkaFault, match=match):
            there.build_part("source", slot_key(0), position(3, prefix))
        there.reader.consumer.close()


def test_a_log_that_was_made_anew_is_told_however_long_it_is(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    if not broker.real:
        pytest.skip("the mock calls every topic the same")
    write(broker, deltas, [said("a", "x")] * 2)
    before = Driven(source(broker, prefix))
    saved = dict[int, bytes]()

    def called() -> bool:
        before.poll()
        saved.update({slot: part.snapshot() for slot, part in before.parts.items()})
        return len(before.texts()) == 2 and b'"id":""' not in saved[0]

    until(called)
    before.close()
    Driven(source(broker, prefix), saved).close()  # it is still the same
    made_anew(broker, deltas, 5)
    there = source(broker, prefix)
    with pytest.raises(
        KafkaFault, match=r"slot 0 is one in a .*\.deltas that is gone: the topic was made anew"
    ):
        there.build_part("source", slot_key(0), saved[0])
    there.reader.consumer.close()


def made_anew(broker: Cluster, deltas: str, records: int) -> None:
    """The topic under its old name, with other records."""
    admin = AdminClient(broker.client)
    admin.delete_topics([deltas])[deltas].result(PATIENCE_S)
    until(lambda: deltas not in admin.list_topics(timeout=PATIENCE_S).topics)
    broker.create_topics({deltas: 2})
    write(broker, deltas, [said("a", "y")] * records)


@pytest.mark.parametrize("records", [1, 2, 5], ids=["shorter", "as long", "longer"])
def test_a_log_that_is_made_anew_while_it_is_read_ends_the_job(
    broker: Cluster, prefix: str, deltas: str, records: int
) -> None:
    if not broker.real:
        pytest.skip("the mock calls every topic the same")
    write(broker, deltas, [said("a", "x")] * 2)
    driven = Driven(source(broker, prefix))
    until(lambda: len(driven.poll().texts()) == 2 and driven.source.reader.identity.known)
    made_anew(broker, deltas, records)
    match = r"the position that was reached is one in a .*\.deltas that is gone: the topic was made anew"
    with pytest.raises(KafkaFault, match=match):
        until(lambda: driven.poll() and False)
    driven.source.reader.consumer.close()


def test_what_the_topic_was_called_is_saved_again_though_nobody_answers(
    mock_broker: Cluster, prefix: str
) -> None:
    mock_broker.create_topics({f"{prefix}.deltas": 2})
    known = position(0, prefix)[:-1] + b',"id":"abc"}'
    impatient = KafkaSource(view(mock_broker, prefix, timeout=0.5), {0: slot_key(0)}, prefix)
    driven = Driven(impatient, {0: known})
    assert b'"id":"abc"' in driven.parts[0].snapshot()
    driven.poll()
    assert b'"id":"abc"' in driven.parts[0].snapshot()
    driven.close()


def test_records_that_were_deleted_before_they_were_read_are_told_of(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    if not broker.real:
        pytest.skip("the mock deletes nothing")
    write(broker, deltas, [said("a", "x")] * 9)
    admin = AdminClient(broker.client)
    for gone in admin.delete_records([TopicPartition(deltas, 0, 6)]).values():
        gone.result(PATIENCE_S)
    match = r"read up to offset 2, but .*\.deltas now holds 6 to 9: 4 records are gone"
    with pytest.raises(KafkaFault, match=match):
        source(broker, prefix).build_part("source", slot_key(0), position(2, prefix))
    part = source(broker, prefix).build_part("source", slot_key(0), position(6, prefix))
    assert b'"offset":6' in part.snapshot()


def test_a_log_that_was_read_to_its_end_may_lose_all_of_it(broker: Cluster, prefix: str, deltas: str) -> None:
    if not broker.real:
        pytest.skip("the mock deletes nothing, and writes no end of a transaction")
    client = Producer(broker.client | {"transactional.id": prefix})
    client.init_transactions(PATIENCE_S)
    for _ in range(2):
        client.begin_transaction()
        client.produce(deltas, b'{"type":"delta","stream":"a","text":"x"}', "a", 0)
        client.commit_transaction(PATIENCE_S)
    first = Driven(source(broker, prefix))
    states: dict[int, bytes] = {}

    def at_the_end() -> bool:
        first.poll()
        states.update({slot: part.snapshot() for slot, part in first.parts.items()})
        return b'"offset":4' in states[0]  # the last two of the log's four are a record, and the commit's

    until(at_the_end)
    first.close()
    admin = AdminClient(broker.client)
    (gone,) = admin.delete_records([TopicPartition(deltas, 0, -1)]).values()
    assert gone.result(PATIENCE_S).low_watermark == 4
    write(broker, deltas, [said("a", "y")])
    assert Driven(source(broker, prefix, to_end=True), states).rest().texts() == ["y"]


@pytest.mark.parametrize(
    ("state", "match"),
    [
        (position(0, "another"), r"position of slot 0 is one in another\.deltas, not in"),
        (b'{"version":2}', "of version 2, this program reads version 1"),
    ],
    ids=["of another topic", "of another version"],
)
def test_a_position_that_is_none_of_ours_is_refused(
    broker: Cluster, prefix: str, deltas: str, state: bytes, match: str
) -> None:
    there = source(broker, prefix)
    with pytest.raises((KafkaFault, ValueError), match=match):
        there.build_part("source", slot_key(0), state)
    there.reader.consumer.close()


def test_the_group_is_told_what_is_saved_and_never_more(broker: Cluster, prefix: str, deltas: str) -> None:
    write(broker, deltas, [said("a", str(n)) for n in range(3)])
    driven = Driven(source(broker, prefix, batch=1))
    part = driven.parts[0]

    def hear(count: int) -> None:
        until(lambda: len(driven.poll().texts()) >= count)

    hear(1)
    part.snapshot()  # the engine has not saved it yet
    assert committed(broker, prefix) < 0
    hear(2)
    part.snapshot()  # now it has saved the first
    until(lambda: committed(broker, prefix) == 1)
    hear(3)
    assert committed(broker, prefix) == 1
    part.snapshot()
    until(lambda: committed(broker, prefix) == 2)
    driven.close()


def test_a_job_without_state_can_begin_where_the_group_was_told(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    write(broker, deltas, [said("a", str(n)) for n in range(3)])
    driven = Driven(source(broker, prefix, batch=1))
    until(lambda: driven.poll().texts() == ["0"])
    driven.parts[0].snapshot()
    driven.parts[0].snapshot()
    until(lambda: committed(broker, prefix) == 1)
    driven.close()
    again = Driven(source(broker, prefix, to_end=True, start=Start("committed")))
    assert again.rest().texts() == ["1", "2"]
