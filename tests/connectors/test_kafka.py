"""The source, without the engine: where it begins, what it makes of records, what it does with what is none.
Its positions are in test_kafka_positions.py, and silence in test_kafka_ticks.py.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from confluent_kafka import Producer

from connectors import _kafka_reader
from connectors._kafka_client import KafkaFault
from connectors._kafka_skipped import SKIPPED
from connectors.kafka import KafkaSource, Start
from operators.packet import Kind
from tests.clusters import PATIENCE_S, Cluster
from tests.kafka_log import Driven, said, source, texts, until, view, write

pytest_plugins = ["tests.kafka_fixtures"]


@pytest.fixture
def deltas(broker: Cluster, prefix: str) -> str:
    """The topic, of two slots."""
    broker.create_topics({f"{prefix}.deltas": 2})
    return f"{prefix}.deltas"


def read(broker: Cluster, prefix: str, **more: Any) -> Driven:
    """All that the slots hold now."""
    return Driven(source(broker, prefix, to_end=True, **more)).rest()


@pytest.mark.usefixtures("deltas")
def test_slots_without_a_record_are_over_at_once(broker: Cluster, prefix: str) -> None:
    assert not read(broker, prefix).packets


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        (Start("earliest"), ["a0", "a1", "a2", "b0", "b1", "b2"]),
        (Start("latest"), []),
        (Start("offset", offset=2), ["a2", "b2"]),
        (Start("offset", offset=3), []),
        (Start("committed"), ["a0", "a1", "a2", "b0", "b1", "b2"]),
    ],
    ids=str,
)
def test_a_slot_without_state_begins_where_it_is_told(
    broker: Cluster, prefix: str, deltas: str, start: Start, wanted: list[str]
) -> None:
    for slot, stream in enumerate("ab"):
        write(broker, deltas, [said(stream, f"{stream}{n}") for n in range(3)], slot)
    driven = Driven(source(broker, prefix, start=start))
    for slot, stream in enumerate("ab"):
        write(broker, deltas, [said(stream, "later")], slot)
    until(lambda: driven.poll().texts().count("later") == 2)
    assert sorted(driven.texts()) == sorted([*wanted, "later", "later"])


def test_it_begins_at_a_time(broker: Cluster, prefix: str, deltas: str) -> None:
    if not broker.real:
        pytest.skip("the mock knows no times")
    for at in (1000, 2000, 3000):
        write(broker, deltas, [said("a", str(at))], at_ms=at)
    assert read(broker, prefix, start=Start("time", time=2000)).texts() == ["2000", "3000"]
    assert read(broker, prefix, start=Start("time", time=2001)).texts() == ["3000"]
    assert not read(broker, prefix, start=Start("time", time=3001)).texts()


@pytest.mark.parametrize("offset", [4, 99])
def test_an_offset_that_the_log_does_not_hold_is_refused(
    broker: Cluster, prefix: str, deltas: str, offset: int
) -> None:
    for slot in range(2):
        write(broker, deltas, [said("a", "x")] * 3, slot)
    with pytest.raises(KafkaFault, match=r"kafka.start: .*\.deltas, partition 0 holds offsets 0 to 3"):
        source(broker, prefix, start=Start("offset", offset=offset))


def test_packets_are_of_the_right_size_and_say_where_they_come_from(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    write(broker, deltas, [said("a", str(n)) for n in range(1000)], 1)
    driven = read(broker, prefix, batch=256)
    assert driven.texts() == [str(n) for n in range(1000)]
    assert all(packet.slot == 1 and len(packet.deltas) <= 256 for packet in driven.packets)
    places = [packet.origin for packet in driven.packets]
    assert places[0][0] == 0
    assert places[-1][1] == 999
    assert all(before[1] + 1 == after[0] for before, after in pairwise(places))


def test_a_tombstone_says_nothing(broker: Cluster, prefix: str, deltas: str) -> None:
    write(broker, deltas, [said("a", "x"), None, said("a", "y")], key="a")
    before = SKIPPED.tombstones
    driven = read(broker, prefix)
    assert driven.texts() == ["x", "y"]
    assert SKIPPED.tombstones == before + 1
    assert not driven.dead()


def test_the_key_names_the_stream_of_a_record_that_does_not(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    write(broker, deltas, [{"type": "delta", "text": "x"}], key="named")
    (packet,) = read(broker, prefix).packets
    assert [lane.stream for lane in packet.lanes] == ["named"]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_it_reads_what_was_compressed(broker: Cluster, prefix: str, deltas: str, codec: str) -> None:
    written = [said("a", f"{n} " + "tell me more " * 20) for n in range(50)]
    options: dict[str, Any] = {"compression.type": codec, "linger.ms": 50}
    write(broker, deltas, written, **options)
    assert read(broker, prefix).texts() == [record["text"] for record in written]


def test_only_what_was_committed_is_read_and_its_last_control_record_is_the_end(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    if not broker.real:
        pytest.skip("the mock hands out what was aborted")
    client = Producer(broker.client | {"transactional.id": prefix})
    client.init_transactions(PATIENCE_S)
    for text, close in (
        ("aborted", client.abort_transaction),
        ("kept", client.commit_transaction),
        ("aborted too", client.abort_transaction),
    ):
        client.begin_transaction()
        client.produce(deltas, f'{{"type":"delta","stream":"a","text":"{text}"}}', "a", 0)
        assert client.flush(PATIENCE_S) == 0
        close(PATIENCE_S)
    assert read(broker, prefix).texts() == ["kept"]


def test_what_is_still_open_holds_back_what_comes_behind_it(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    if not broker.real:
        pytest.skip("the mock hands out what is still open")
    client = Producer(broker.client | {"transactional.id": prefix})
    client.init_transactions(PATIENCE_S)
    client.begin_transaction()
    client.produce(deltas, b'{"type":"delta","stream":"a","text":"open"}', "a", 0)
    assert client.flush(PATIENCE_S) == 0
    write(broker, deltas, [said("a", "behind")])
    driven = Driven(source(broker, prefix))
    assert not Driven(source(broker, prefix, to_end=True)).rest().texts()
    client.commit_transaction(PATIENCE_S)
    until(lambda: driven.poll().texts() == ["open", "behind"])


POISON = [
    (b"\xff\xfe", "no record of a delta"),
    (b"{", "no record of a delta"),
    (b'{"type":"delta","stream":"a","text":7}', "no record of a delta"),
    (b'{"type":"delta","stream":"b","text":"x"}', "stream: is not the key of the record"),
    (b'{"type":"delta","stream":"a","lane":"attic","text":"x"}', "lane: one of text"),
    (b"[" * 60_000, "no record of a delta"),
    (b'{"type":"delta","stream":"a","text":"' + b"x" * 70_000 + b'"}', "limits.event_bytes is 65536"),
    (b'{"type":"delta","stream":"a","text":"x","at":%d}' % (1 << 61), "its writer's clock is wrong"),
    (b'{"type":"delta","stream":"a","text":"x","at":%d}' % (1 << 63), "at: a time before 1970, or after"),
    (b'{"type":"delta","stream":"a","text":"x","at":-1}', "at: a time before 1970, or after 2199"),
]


def test_what_cannot_be_read_is_a_dead_letter_and_an_error_of_its_stream_which_goes_on(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    write(broker, deltas, [said("a", "before"), *[bad for bad, _ in POISON], said("a", "after")], key="a")
    driven = read(broker, prefix, event_bytes=65536)
    assert driven.texts() == ["before", "after"]
    dead = driven.dead()
    assert [letter.offset for letter in dead] == list(range(1, len(POISON) + 1))
    for (bad, cause), letter in zip(POISON, dead, strict=True):
        assert cause in letter.cause
        assert (letter.stream, letter.size, letter.data) == ("a", len(bad), bad)
    errors = driven.texts(Kind.ERROR)
    assert len(errors) == len(POISON)
    assert "a record that cannot be read (offset 1): no record of a delta" in errors[0]


def test_a_dead_letter_keeps_the_beginning_of_what_is_very_long(
    broker: Cluster, prefix: str, deltas: str
) -> None:
    long = b"x" * 600_000
    write(broker, deltas, [long], key="a")
    (letter,) = read(broker, prefix).dead()
    assert (letter.size, letter.data) == (600_000, long[: 256 * 1024])


def test_a_key_that_is_no_text_is_a_dead_letter(broker: Cluster, prefix: str, deltas: str) -> None:
    client = Producer(broker.client)
    client.produce(deltas, b'{"type":"delta","text":"x"}', b"\xff", 0)
    assert client.flush(PATIENCE_S) == 0
    driven = read(broker, prefix)
    (letter,) = driven.dead()
    assert letter.cause == "key: not UTF-8"
    assert not driven.texts()


@pytest.mark.parametrize(
    ("ahead", "dead", "at"),
    [(-5000, 0, -5000), (0, 0, 0), (200, 0, 0), (400, 1, None)],
    ids=["earlier is kept", "now", "a little later is now", "far later is refused"],
)
def test_a_writers_clock_is_believed_as_far_as_the_log_took_it_in_then(
    broker: Cluster, prefix: str, deltas: str, ahead: int, dead: int, at: int | None
) -> None:
    taken = int(time.time() * 1000)
    write(broker, deltas, [said("a", "x", at=(taken + ahead * 1000) * 1_000_000)], at_ms=taken)
    driven = read(broker, prefix, skew=300.0)
    assert len(driven.dead()) == dead
    if at is not None:
        (packet,) = driven.packets
        # A record's own time is finer than the log's, which is in milliseconds.
        assert packet.deltas["at"][0] // 1_000_000 == taken + at * 1000


@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.parametrize("taken", [7_258_118_400_000, (1 << 63) - 1], ids=["2200", "the last there is"])
def test_a_record_that_came_at_no_time_is_a_dead_letter_and_holds_up_nothing(
    mock_broker: Cluster, prefix: str, taken: int, batch: int
) -> None:
    deltas = f"{prefix}.deltas"
    mock_broker.create_topics({deltas: 2})
    now = int(time.time() * 1000)
    for text, at in (("first", taken), ("x", now), ("later", taken), ("y", now)):
        write(mock_broker, deltas, [said("a", text)], at_ms=at)
    driven = read(mock_broker, prefix, batch=batch)
    assert driven.texts() == ["x", "y"]
    cause = "the topic says that it came before 1970, or after 2199"
    assert [(letter.offset, letter.cause) for letter in driven.dead()] == [(0, cause), (2, cause)]
    # Nothing was heard in the slot before the first: there is no time at which an error could be said.
    assert driven.texts(Kind.ERROR) == [f"a record that cannot be read (offset 2): {cause}"]


def test_that_a_topics_writers_say_its_time_is_told_once(
    mock_broker: Cluster, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "connectors.kafka")
    mock_broker.create_topics({f"{prefix}.deltas": 2})
    for slot in range(2):
        write(mock_broker, f"{prefix}.deltas", [said("a", "x")] * 9, slot)
    read(mock_broker, prefix, batch=2)
    assert caplog.messages == [
        f"{prefix}.deltas: its writers say when records came: see that their clocks are right"
    ]


def test_repeats_are_counted_and_told_once_for_a_run(
    broker: Cluster, prefix: str, deltas: str, caplog: pytest.LogCaptureFixture
) -> None:
    written = [said("a", "x", run="r", seq=seq) for seq in (0, 1, 0, 1, 2, 0, 1, 2)]
    write(broker, deltas, written)
    before = SKIPPED.repeats
    assert read(broker, prefix, batch=4).texts() == ["x"] * 3
    assert SKIPPED.repeats == before + 5
    (told,) = caplog.messages
    assert told.startswith(f"{deltas}/0: records that were there before are left out: ")


def test_repeats_of_a_writer_are_dropped_by_run_and_seq(broker: Cluster, prefix: str, deltas: str) -> None:
    def record(run: str, seq: int) -> dict[str, Any]:
        return said("a", f"{run}{seq}", run=run, seq=seq)

    written = [record("x", 0), record("x", 1), record("x", 2), record("x", 1), record("x", 2), record("x", 3)]
    written += [
        record("y", 0),
        record("x", 3),
        record("y", 0),
        record("y", 1),
        said("a", "-"),
        said("a", "-"),
    ]
    write(broker, deltas, written)
    assert read(broker, prefix).texts() == ["x0", "x1", "x2", "x3", "y0", "y1", "-", "-"]


def test_cells_share_the_slots_and_need_not_know_of_each_other(broker: Cluster, prefix: str) -> None:
    topic = f"{prefix}.deltas"
    broker.create_topics({topic: 5})
    for slot in range(5):
        write(broker, topic, [said("a", str(slot))], slot)
    whole = []
    for own in ([0, 3], [1, 4], [2]):
        cell = read(broker, prefix, slots=5, own=own)
        assert sorted(cell.texts()) == sorted(map(str, own))
        whole += cell.texts()
    assert sorted(whole) == list("01234")


def _has_heard(driven: Driven, part: object, last: str) -> bool:
    return driven.poll(part).texts()[-1:] == [last]


def test_a_slot_that_nobody_takes_from_is_paused_and_no_other_waits_for_it(
    broker: Cluster, prefix: str, deltas: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = 60_000
    monkeypatch.setattr(_kafka_reader, "_TAKEN", 2000)
    monkeypatch.setattr(_kafka_reader, "_LONG", 16_384)  # of two slots
    write(broker, deltas, [said("hot", str(n)) for n in range(flood)], 0)
    driven = Driven(source(broker, prefix))
    cold, queue = driven.parts[1], driven.source.reader._queues[0]
    for n in range(20):
        write(broker, deltas, [said("cold", f"c{n}")], 1)
        until(partial(_has_heard, driven, cold, f"c{n}"))
    until(lambda: driven.poll(cold) and len(queue) > 8192)
    for _ in range(1000):
        driven.poll(cold)
    assert len(queue) <= 8192 + 2000, "what is there, and what one look takes more"
    del driven.packets[:]
    hot = driven.parts[0]
    until(lambda: driven.poll(hot) and sum(len(packet.deltas) for packet in driven.packets) == flood)
    assert texts(driven.packets) == [str(n) for n in range(flood)]


def test_a_topic_that_is_not_there_is_refused(broker: Cluster, prefix: str) -> None:
    if not broker.real:
        pytest.skip("the mock makes every topic that it is asked for")
    with pytest.raises(KafkaFault, match=rf"{prefix}.deltas, partition 0 is: there is no such"):
        KafkaSource(view(broker, prefix), {0: "00.0"}, prefix)
