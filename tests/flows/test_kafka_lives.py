"""Jobs of the durable lane that live more than once, or try to live twice: whose numbers their records bear,
and what is refused.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from flows.recovery import under_bytewax
from flows.settings import Settings, load
from tests.clusters import Cluster
from tests.flows import jobs, kafka_jobs
from tests.kafka_log import consume, said, until, write

pytest_plugins = ["tests.kafka_fixtures"]

_WORDS = [f"n{number} " for number in range(10)]


@pytest.fixture
def broker(broker: Cluster, prefix: str) -> Cluster:
    kafka_jobs.topics(broker, prefix)
    return broker


def lines(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.mark.process
@pytest.mark.parametrize("lane", ["fast", "exact"])
def test_lines_that_come_after_a_crash_are_not_taken_for_those_before_it(
    broker: Cluster, prefix: str, tmp_path: Path, lane: str
) -> None:
    more: dict[str, Any] = {"KAFKA__LANE": lane}
    begun = lines(said("a"), *(said("a", word) for word in _WORDS[:5]))
    rest = lines(*(said("a", word) for word in _WORDS[5:]), {"type": "end", "stream": "a"})
    often = ("-r", tmp_path / "state", "-s", 0.2 if lane == "exact" else 30)
    first = kafka_jobs.start(broker, prefix, "ingest", *often, **more)
    assert first.stdin
    first.stdin.write(begun)
    first.stdin.flush()
    until(lambda: len(consume(broker, f"{prefix}.deltas", kafka_jobs.SLOTS)) == 6)
    first.kill()
    first.communicate()
    kafka_jobs.run(broker, prefix, "ingest", *often, given=rest, **more)
    kafka_jobs.run(broker, prefix, "ingest", given=lines(said("b"), said("b", "x")), **more)
    kafka_jobs.run(broker, prefix, "analyze")
    left = consume(broker, f"{prefix}.releases", kafka_jobs.SLOTS)
    texts = [record.value["text"] for record in left if record.value["type"] == "release"]
    assert "".join(texts).replace("x", "") == "".join(_WORDS)
    assert [record.value["stream"] for record in left if record.value["type"] == "end"] == ["a"]


@pytest.mark.process
def test_a_dead_letter_names_the_topic_it_came_from_whatever_the_job(broker: Cluster, prefix: str) -> None:
    write(broker, f"{prefix}.deltas", [b"nonsense", said("a")], key="a")
    process = kafka_jobs.start(broker, prefix, "inflight", "--source", "kafka", "--sink", "kafka")
    process.communicate(timeout=60)
    assert process.returncode == 0
    (letter,) = consume(broker, f"{prefix}.dead", kafka_jobs.SLOTS)
    assert (letter.value["topic"], letter.value["offset"]) == (f"{prefix}.deltas", 0)


@pytest.mark.process
@pytest.mark.parametrize("job", [("ingest",), ("analyze",), ("inflight", "--sink", "kafka")])
@pytest.mark.parametrize("of", [("-i", 0), ("-a", "127.0.0.1:1;127.0.0.1:2")], ids=["-i", "-a"])
def test_processes_that_talk_to_each_other_are_refused(job: tuple[str, ...], of: tuple[object, ...]) -> None:
    process = jobs.start("flows", "run", *job, *of, KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"kafka.cells (how many) and kafka.cell (which of them)" in err


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (["-i", "1"], {}),
        (["--process-id=0"], {}),
        (["--proc", "0"], {}),
        (["-a", "127.0.0.1:1"], {}),
        ([], {"BYTEWAX_PROCESS_ID": "0"}),
        ([], {"BYTEWAX_ADDRESSES": "127.0.0.1:1"}),
        ([], {"BYTEWAX_POD_NAME": "job-1", "BYTEWAX_STATEFULSET_NAME": "job"}),
    ],
)
def test_so_they_are_where_bytewax_starts_them(
    monkeypatch: pytest.MonkeyPatch, flags: list[str], variables: dict[str, str]
) -> None:
    for name in [name for name in os.environ if name.startswith("BYTEWAX_")]:
        monkeypatch.delenv(name)
    command = ["python", "-m", "bytewax.run", "flows.analyze"]
    settings = Settings()
    assert under_bytewax(settings, "analyze", [*command, "-w", "2", "-s", "1"]) is settings
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"kafka.cells \(how many\)"):
        under_bytewax(settings, "analyze", [*command, *flags])
    assert under_bytewax(settings, "inflight", [*command, *flags]) is settings


def test_nobody_names_a_numbering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDSTREAM_KAFKA__RUN", "prod")
    with pytest.raises(ValueError, match=r"kafka.run \(from MIDSTREAM_KAFKA__RUN\): .*not for setting"):
        load()
