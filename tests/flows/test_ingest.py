"""The way into the log, and out of it again: the same streams, the same decisions, whatever way they take."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from operators.slots import slot_of
from tests.clusters import Cluster
from tests.flows import jobs, kafka_jobs
from tests.kafka_log import consume, until

pytest_plugins = ["tests.kafka_fixtures"]
pytestmark = pytest.mark.process


@pytest.fixture
def broker(broker: Cluster, prefix: str) -> Cluster:
    kafka_jobs.topics(broker, prefix)
    return broker


def test_lines_become_records_of_the_slots_their_streams_live_in(broker: Cluster, prefix: str) -> None:
    lines = kafka_jobs.streams(12)
    (summary,) = kafka_jobs.run(broker, prefix, "ingest", given=lines)
    assert summary["type"] == "summary"
    said = jobs.by_stream(jobs.records(lines))
    found = consume(broker, f"{prefix}.deltas", kafka_jobs.SLOTS)
    assert len(found) == lines.count(b"\n")
    for record in found:
        assert record.partition == record.value["slot"] == slot_of(record.key, kafka_jobs.SLOTS)
    for stream, wanted in said.items():
        values = [record.value for record in found if record.key == stream]
        assert [value.get("text", value["type"]) for value in values] == [
            line.get("text", line["type"]) for line in wanted
        ]
        assert all(value["stream"] == stream for value in values)
    (run,) = {record.headers["run"] for record in found}
    assert run
    for slot in range(kafka_jobs.SLOTS):
        numbers = [record.value["seq"] for record in found if record.partition == slot]
        assert numbers == list(range(len(numbers)))


def test_lines_that_are_none_are_dead_letters(broker: Cluster, prefix: str) -> None:
    process = kafka_jobs.start(broker, prefix, "ingest")
    lines = b'{"type":"start","stream":"a"}\nnonsense\n\n{"type":"delta","stream":"a","text":"x"}\n[1]'
    _, err = process.communicate(lines, timeout=60)
    assert process.returncode == 0
    assert b"Traceback" not in err
    assert len(consume(broker, f"{prefix}.deltas", kafka_jobs.SLOTS)) == 2
    dead = consume(broker, f"{prefix}.dead", kafka_jobs.SLOTS)
    assert [(record.value["offset"], record.value["size"]) for record in dead] == [(2, 8), (5, 3)]
    assert {record.value["topic"] for record in dead} == {"stdin"}


def test_what_came_before_a_stop_is_in_the_log(broker: Cluster, prefix: str) -> None:
    process = kafka_jobs.start(broker, prefix, "ingest")
    assert process.stdin
    process.stdin.write(b'{"type":"start","stream":"a"}\n{"type":"delta","stream":"a","text":"x"}\n')
    until(lambda: len(consume(broker, f"{prefix}.deltas", kafka_jobs.SLOTS)) == 2)
    process.send_signal(signal.SIGTERM)
    kafka_jobs.end(process)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jobs.write_recordings(tmp_path_factory.mktemp("recordings"), 10)


@pytest.mark.parametrize("lane", ["fast", "exact"])
def test_recordings_through_the_log_are_judged_as_they_are_without(
    broker: Cluster, prefix: str, folder: Path, lane: str
) -> None:
    directly = jobs.finish(
        jobs.start("flows", "run", SLOTS=kafka_jobs.SLOTS, REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=0)
    )
    more: dict[str, Any] = {"KAFKA__LANE": lane}
    kafka_jobs.run(broker, prefix, "ingest", REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=0, **more)
    kafka_jobs.run(broker, prefix, "analyze", **more)
    found = kafka_jobs.keyed(kafka_jobs.records(broker, prefix, ["findings", "verdicts", "releases", "dead"]))
    # seq counts within the slot, and the streams of a slot come in another order: compare stream by stream.
    assert told(list(found.values())) == told(directly)


def told(records: list[jobs.Record]) -> dict[str, list[jobs.Record]]:
    """Of each stream all that was said, without numbers."""
    return {
        stream: [
            {name: value for name, value in record.items() if name not in {"seq", "slot"}}
            for record in sorted(of_it, key=lambda record: (record["type"] == "end", record.get("seq", -1)))
            if "gap" not in str(record.get("name", ""))
        ]
        for stream, of_it in jobs.by_stream(records).items()
    }


def test_what_inflight_writes_to_topics_is_what_it_writes_to_its_output(broker: Cluster, prefix: str) -> None:
    simulator: dict[str, Any] = {"SIMULATE__SPEED": 0, "SIMULATE__STREAMS": 12}
    directly = jobs.finish(jobs.start("flows", "run", SLOTS=kafka_jobs.SLOTS, **simulator))
    kafka_jobs.run(broker, prefix, "inflight", "--sink", "kafka", **simulator)
    found = kafka_jobs.records(broker, prefix, ["findings", "verdicts", "releases"])
    inside = kafka_jobs.keyed(found).values()
    numbered = {(record["slot"], record["seq"]) for record in inside}
    assert len(numbered) == len(inside), "one number, one record"
    assert jobs.by_stream(in_order(inside)) == jobs.by_stream(directly)


def in_order(records: object) -> list[jobs.Record]:
    """Records of topics as NDJSON says them: by number, starts and ends without one."""
    said = []
    for record in sorted(records, key=lambda record: record["seq"]):  # type: ignore[call-overload]
        kept = {name: value for name, value in record.items() if name != "slot"}
        if kept["type"] in {"start", "end"}:
            del kept["seq"]
        said.append(kept)
    return said
