"""The sink's exact lane: a transaction an epoch, a marker in it, one owner of a slot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors._kafka_client import KafkaFault
from connectors._kafka_lanes import Exact
from connectors._kafka_markers import Markers
from connectors._kafka_topics import Topics
from connectors.kafka_sink import KafkaSink
from operators.slots import slot_key
from tests.broker import Broker
from tests.clusters import Cluster, MockBroker
from tests.kafka_log import consume, packet_of, sink, until, view
from tests.kafka_runtime import Runtime

pytest_plugins = ["tests.kafka_fixtures"]


@pytest.fixture
def topics(broker: Cluster, prefix: str) -> Cluster:
    broker.create_topics({f"{prefix}.{name}": 2 for name in ("deltas", "dead", "markers")})
    return broker


@pytest.fixture
def semantics(topics: Cluster) -> Cluster:
    """A cluster that hides what is not committed, and fences."""
    if not topics.real:
        pytest.skip("the mock hands out what is not committed, and fences nobody")
    return topics


def begun(sink: KafkaSink, slot: int = 0, state: bytes | None = None) -> Any:
    return sink.build_part("sink", slot_key(slot), state)


def epoch(part: Any, *said: str) -> bytes:
    """One in which that was said; the state at its end."""
    part.write_batch([packet_of("a", *said)])
    state: bytes = part.snapshot()
    return state


Seen = list[tuple[str, int, str]]


def there(broker: Cluster, prefix: str) -> Seen:
    """What a reader of committed records sees: text, number, run."""
    found = consume(broker, f"{prefix}.deltas")
    return [(record.value["text"], record.value["seq"], record.headers["run"]) for record in found]


def see(broker: Cluster, prefix: str, wanted: Seen) -> None:
    """A reader sees that, and no more: what is committed is shown a moment later."""
    until(lambda: len(there(broker, prefix)) >= len(wanted))
    assert there(broker, prefix) == wanted


def test_nothing_is_seen_before_its_epoch_closes_and_all_of_it_then(semantics: Cluster, prefix: str) -> None:
    part = begun(sink(semantics, prefix, exact=True))
    part.write_batch([packet_of("a", "x", "y")])
    part._lane.wire.flush()  # it is in the log, and not committed
    assert not there(semantics, prefix)
    assert len(consume(semantics, f"{prefix}.deltas", isolation="read_uncommitted")) == 2
    part.snapshot()
    see(semantics, prefix, [("x", 0, "run"), ("y", 1, "run")])
    part.close()


def test_the_marker_is_the_last_of_its_transaction_and_says_how_far_it_goes(
    topics: Cluster, prefix: str
) -> None:
    part = begun(sink(topics, prefix, exact=True))
    epoch(part, "x", "y")
    epoch(part, "z")
    part.snapshot()  # an epoch of nothing is no transaction
    part.close()
    markers = consume(topics, f"{prefix}.markers")
    assert [marker.key for marker in markers] == ["job", "job"]
    assert [marker.value["counters"]["deltas"] for marker in markers] == [1, 2]
    assert {marker.value["run"] for marker in markers} == {"run"}


def test_what_a_marker_says_is_there_is_not_written_again(topics: Cluster, prefix: str) -> None:
    first = begun(sink(topics, prefix, exact=True))
    state = epoch(first, "0", "1")
    epoch(first, "2", "3")  # the engine dies before it has saved this one
    first.close()
    again = begun(sink(topics, prefix, exact=True), state=state)
    again.write_batch([packet_of("a", "2", "3", "4")])
    again.snapshot()
    again.close()
    see(topics, prefix, [(str(n), n, "run") for n in range(5)])


def test_a_job_that_was_killed_before_its_first_state_resumes_under_the_name_of_its_numbering(
    topics: Cluster, prefix: str
) -> None:
    first = begun(sink(topics, prefix, exact=True, run="r1"))
    epoch(first, "0", "1")
    first.close()
    again = begun(sink(topics, prefix, exact=True, run="r1"))
    epoch(again, "0", "1", "2")
    again.close()
    see(topics, prefix, [("0", 0, "r1"), ("1", 1, "r1"), ("2", 2, "r1")])


def test_a_marker_never_goes_back(topics: Cluster, prefix: str) -> None:
    first = begun(sink(topics, prefix, exact=True))
    epoch(first, *"0123")  # the engine dies before it has saved this one
    first.close()
    second = begun(sink(topics, prefix, exact=True))
    state = epoch(second, *"01")  # a shorter epoch, saved; it dies again
    second.write_batch([packet_of("a", "2", "3", "4")])
    second.snapshot()
    second.close()
    third = begun(sink(topics, prefix, exact=True), state=state)
    epoch(third, *"2345")
    third.close()
    see(topics, prefix, [(str(n), n, "run") for n in range(6)])
    reached = [marker.value["counters"]["deltas"] for marker in consume(topics, f"{prefix}.markers")]
    assert reached == [3, 4, 5]


def test_a_marker_keeps_of_each_kind_what_is_furthest(topics: Cluster, prefix: str) -> None:
    largest = {"deltas": 5000}
    first = begun(sink(topics, prefix, exact=True, largest=largest))
    epoch(first, "x" * 5000, "0", "1")  # a dead letter and two; the engine dies before it has saved it
    first.close()
    again = begun(sink(topics, prefix, exact=True, largest=largest))
    epoch(again, "x" * 5000, "0", "1", "2")
    last = consume(topics, f"{prefix}.markers")[-1].value["counters"]
    assert (last["dead"], last["deltas"]) == (0, 3)
    again.close()


def test_ticks_and_repeats_write_no_marker(topics: Cluster, prefix: str) -> None:
    first = begun(sink(topics, prefix, exact=True))
    for _ in range(3):
        epoch(first)
    assert not consume(topics, f"{prefix}.markers")
    epoch(first, "0")
    first.close()
    again = begun(sink(topics, prefix, exact=True))
    epoch(again, "0")
    epoch(again)
    again.close()
    assert len(consume(topics, f"{prefix}.markers")) == 1


@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
def test_what_cannot_be_said_again_is_numbered_anew_in_every_life(
    topics: Cluster, prefix: str, exact: bool
) -> None:
    first = begun(sink(topics, prefix, exact=exact, run=None))
    state = epoch(first, "a", "b")
    epoch(first, "c")  # the engine dies before it has saved this one
    first.close()
    lives: list[bytes | None] = [state, None, state]
    for saved, word in zip(lives, "def", strict=True):
        part = begun(sink(topics, prefix, exact=exact, run=None), state=saved)
        epoch(part, word)
        part.close()
    until(lambda: len(there(topics, prefix)) == 6)
    found = there(topics, prefix)
    assert [text for text, _, _ in found] == list("abcdef")
    assert len({(run, seq) for _, seq, run in found}) == 6, "a reader takes none of them for a repeat"
    assert len({run for _, _, run in found}) == 4


def test_a_broker_that_does_not_answer_is_said_to_be_late(prefix: str) -> None:
    with MockBroker() as broker:
        broker.create_topics({f"{prefix}.{name}": 2 for name in ("deltas", "dead", "markers")})
        part = begun(sink(broker, prefix, exact=True, transaction=1.0))
        part.write_batch([packet_of("a", "x")])
        part._lane.wire.flush()
        where = view(broker, prefix, timeout=0.5)
        late = Exact(where, Topics({"deltas": 5000}), "job", 1, Markers(where, "job", [1]))
    with pytest.raises(KafkaFault, match=r"take over slot 1 of job: .* 0.5 s .* a predecessor left open"):
        late.take_over()
    with pytest.raises(KafkaFault, match=r"commit slot 0 of job: not done in 1 s .kafka.transaction_timeout"):
        part.snapshot()
    part.close()


def test_what_was_aborted_is_written_again(semantics: Cluster, prefix: str) -> None:
    first = begun(sink(semantics, prefix, exact=True))
    state = epoch(first, "0")
    first.write_batch([packet_of("a", "1")])
    first.close()
    again = begun(sink(semantics, prefix, exact=True), state=state)
    epoch(again, "1", "2")
    again.close()
    see(semantics, prefix, [("0", 0, "run"), ("1", 1, "run"), ("2", 2, "run")])


@pytest.mark.parametrize("writes", [False, True], ids=["it commits", "it writes on"])
@pytest.mark.parametrize("within", [False, True], ids=["between epochs", "within an epoch"])
def test_who_takes_a_slot_over_has_it_alone(
    semantics: Cluster, prefix: str, writes: bool, within: bool
) -> None:
    zombie = begun(sink(semantics, prefix, exact=True))
    state = epoch(zombie, "0")
    if within:
        zombie.write_batch([packet_of("a", "1")])
    successor = begun(sink(semantics, prefix, exact=True), state=state)

    def goes_on() -> None:
        zombie.write_batch([packet_of("a", "2")])
        if not writes:
            zombie.snapshot()

    with pytest.raises(KafkaFault, match="another process has taken this slot over"):
        until(goes_on)
    epoch(successor, "1", "2")
    zombie.close()
    successor.close()
    see(semantics, prefix, [("0", 0, "run"), ("1", 1, "run"), ("2", 2, "run")])


def test_markers_of_a_run_whose_state_is_not_here_are_refused(topics: Cluster, prefix: str) -> None:
    first = begun(sink(topics, prefix, exact=True, run="r1"))
    epoch(first, "0", "1")
    first.close()
    made = sink(topics, prefix, exact=True, run="r2")
    with pytest.raises(KafkaFault, match=r"slot 0 of job was written by run r1.* its state is not here"):
        begun(made)


def test_a_state_whose_markers_are_not_there_is_refused(topics: Cluster, prefix: str) -> None:
    first = begun(sink(topics, prefix, exact=True, run="r1"))
    state = epoch(first, "0", "1")
    first.close()
    elsewhere = f"{prefix}-2"
    topics.create_topics({f"{elsewhere}.{name}": 2 for name in ("deltas", "dead", "markers")})
    made = sink(topics, elsewhere, exact=True)
    with pytest.raises(KafkaFault, match="the topic lost records, or the state is not its own"):
        begun(made, state=state)


def test_a_state_of_one_run_does_not_go_on_behind_the_markers_of_another(
    topics: Cluster, prefix: str
) -> None:
    first = begun(sink(topics, prefix, exact=True, run="r1"))
    state = epoch(first, "0", "1")
    first.close()
    other = state.replace(b'"r1"', b'"r2"')
    with pytest.raises(KafkaFault, match=r"of run r2 were committed, .* of run r1"):
        begun(sink(topics, prefix, exact=True), state=other)


def test_a_run_may_change_from_lane_to_lane(topics: Cluster, prefix: str) -> None:
    state: bytes | None = None
    for at, exact in enumerate([False, True, False, True]):
        part = begun(sink(topics, prefix, exact=exact), state=state)
        state = epoch(part, str(2 * at), str(2 * at + 1))
        part.close()
    see(topics, prefix, [(str(n), n, "run") for n in range(8)])


def test_markers_of_another_run_take_nothing_from_one_that_was_on_the_fast_lane(
    topics: Cluster, prefix: str
) -> None:
    earlier = begun(sink(topics, prefix, exact=True, run="r1"))
    epoch(earlier, *"abcdefgh")
    earlier.close()
    fast = begun(sink(topics, prefix, run="r2"))
    state = epoch(fast, "0")
    fast.close()
    part = begun(sink(topics, prefix, exact=True), state=state)
    state = epoch(part, "1", "2")
    part.close()
    part = begun(sink(topics, prefix, exact=True), state=state)
    epoch(part, "3")
    part.close()
    others = [(letter, n, "r1") for n, letter in enumerate("abcdefgh")]
    see(topics, prefix, [*others, *((str(n), n, "r2") for n in range(4))])


def test_an_epoch_that_is_longer_than_a_transaction_may_be_ends_the_job(
    real_kafka: Runtime, tmp_path: Path, prefix: str
) -> None:
    watchful = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "100"}
    with Broker.start(tmp_path, properties=watchful) as broker:
        broker.create_topics({f"{prefix}.{name}": 2 for name in ("deltas", "dead", "markers")})
        part = begun(sink(broker, prefix, exact=True, transaction=1.0))
        part.write_batch([packet_of("a", "x")])
        part._lane.wire.flush()
        begun(sink(broker, prefix, lane="other")).write_batch([packet_of("b", "behind it")])
        until(lambda: there(broker, prefix))  # the broker has aborted what stood before it
        with pytest.raises(KafkaFault, match=r"took .* s, .* raise kafka.transaction_timeout"):
            part.snapshot()
        part.close()
        assert [text for text, _, _ in there(broker, prefix)] == ["behind it"]


def test_dead_letters_of_records_too_large_are_counted_again_by_a_replay(
    topics: Cluster, prefix: str
) -> None:
    largest = {"deltas": 5000}
    first = begun(sink(topics, prefix, exact=True, run="r1", largest=largest))
    first.write_batch([packet_of("a", "x" * 5000)])
    first.snapshot()  # committed in Kafka; killed before Bytewax saved it
    again = begun(sink(topics, prefix, exact=True, run="r1", largest=largest))
    again.write_batch([packet_of("a", "x" * 5000), packet_of("a", "y" * 6000)])
    again.snapshot()
    first.close()
    again.close()
    sizes = [(record.value["seq"], record.value["size"]) for record in consume(topics, f"{prefix}.dead")]
    assert [seq for seq, _ in sizes] == [0, 1], "none twice, and the new one is not taken for an old one"
    assert sizes[0][1] < 6000 < sizes[1][1]
