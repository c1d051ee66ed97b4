"""The last markers, found from the end of a log that others write to as well."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Producer

from connectors._kafka_client import KafkaFault
from connectors._kafka_markers import last_markers
from tests.clusters import PATIENCE_S, Cluster
from tests.kafka_log import view, write

pytest_plugins = ["tests.kafka_fixtures"]


@pytest.fixture
def markers(broker: Cluster, prefix: str) -> str:
    broker.create_topics({f"{prefix}.markers": 2})
    return f"{prefix}.markers"


def marker(lane: str, number: int, slot: int = 0) -> dict[str, object]:
    counters = {"decided": number, "samples": -1, "dead": -1, "deltas": -1}
    return {"type": "marker", "lane": lane, "slot": slot, "run": "r", "counters": counters}


@pytest.mark.usefixtures("markers")
def test_a_log_without_markers_has_none(broker: Cluster, prefix: str) -> None:
    assert last_markers(view(broker, prefix), "job", range(2)) == {}


@pytest.mark.parametrize("behind", [0, 1, 63, 64, 65, 600, 5000])
def test_the_last_one_is_found_behind_any_number_of_others(
    broker: Cluster, prefix: str, markers: str, behind: int
) -> None:
    write(broker, markers, [marker("job", n) for n in range(3)], key="job")
    write(broker, markers, [marker("other", n) for n in range(behind)], key="other")
    write(broker, markers, [marker("job", 70, slot=1)], 1, key="job")
    found = last_markers(view(broker, prefix), "job", range(2))
    assert {slot: each.counters.decided for slot, each in found.items()} == {0: 2, 1: 70}
    assert found[0].run == "r"
    assert last_markers(view(broker, prefix), "third", range(2)) == {}


def test_aborted_markers_and_the_ends_of_transactions_are_passed_by(
    broker: Cluster, prefix: str, markers: str
) -> None:
    if not broker.real:
        pytest.skip("the mock hands out what was aborted")
    write(broker, markers, [marker("job", 1)], key="job")
    client = Producer(broker.client | {"transactional.id": prefix})
    client.init_transactions(PATIENCE_S)
    for close in (client.abort_transaction, client.commit_transaction, client.abort_transaction):
        client.begin_transaction()
        lane = "job" if close == client.abort_transaction else "other"
        client.produce(markers, b"{}", lane, 0)
        assert client.flush(PATIENCE_S) == 0
        close(PATIENCE_S)
    assert last_markers(view(broker, prefix), "job", [0])[0].counters.decided == 1


@pytest.fixture
def left_open(broker: Cluster, prefix: str, markers: str) -> Producer:
    """A transaction of another that is open in front of our marker."""
    if not broker.real:
        pytest.skip("the mock hands out what is still open")
    client = Producer(broker.client | {"transactional.id": prefix})
    client.init_transactions(PATIENCE_S)
    client.begin_transaction()
    client.produce(markers, b"{}", "other", 0)
    assert client.flush(PATIENCE_S) == 0
    write(broker, markers, [marker("job", 7)], key="job")
    return client


def test_a_marker_behind_an_open_transaction_of_another_is_not_taken_for_none(
    broker: Cluster, prefix: str, left_open: Producer
) -> None:
    with pytest.raises(KafkaFault, match=r"partition 0: .* a transaction of another process is open"):
        last_markers(view(broker, prefix, timeout=1.0), "job", [0])
    left_open.abort_transaction(PATIENCE_S)


def test_an_open_transaction_of_another_is_waited_for(
    broker: Cluster, prefix: str, left_open: Producer
) -> None:
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(last_markers, view(broker, prefix), "job", [0])
        left_open.commit_transaction(PATIENCE_S)
        assert asked.result(PATIENCE_S)[0].counters.decided == 7


@pytest.mark.parametrize(
    "foreign",
    [
        b"SECRET{",
        b"\xff\xfeSECRET",
        None,
        b'{"type":"SECRET"}',
        marker("job", 1) | {"run": "SECRET" * 100},
        marker("job", 1) | {"slot": 1},
        marker("SECRET", 1),
    ],
    ids=["no JSON", "no UTF-8", "nothing", "no marker", "a long name", "another slot", "another lane"],
)
def test_what_is_no_marker_is_refused_with_its_place_and_not_repeated(
    broker: Cluster, prefix: str, markers: str, foreign: object
) -> None:
    write(broker, markers, [marker("job", 1), foreign], key="job")
    wanted = r"markers, partition 0, offset 1: no marker of job: .* kafka.lane=fast"
    with pytest.raises(KafkaFault, match=wanted) as refused:
        last_markers(view(broker, prefix), "job", [0])
    assert "SECRET" not in str(refused.value)
