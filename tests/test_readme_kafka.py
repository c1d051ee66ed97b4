"""What the README tells readers of topics to do works as it stands there: its blocks are run, the address and
the prefix of a cluster that holds what jobs wrote in place of ``localhost:9092`` and ``midstream.``.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from operators.slots import slot_of
from tests.clusters import PATIENCE_S, Cluster, NamedCluster
from tests.conftest import ROOT
from tests.flows import jobs
from tests.kafka_log import consume

pytest_plugins = ["tests.kafka_fixtures"]
pytestmark = pytest.mark.process

SLOTS = 2
SECTION = "### Reading the topics\n"
SAYS = [
    {"type": "start", "stream": "chat-1"},
    {"type": "delta", "stream": "chat-1", "text": "write to jane.doe"},
    {"type": "delta", "stream": "chat-1", "text": "@example.com, ok"},
    {"type": "delta", "stream": "chat-1", "text": "hm", "lane": "reasoning"},
    {"type": "start", "stream": "chat-2"},
    {"type": "delta", "stream": "chat-2", "text": "the key: -----BEGIN RSA PRIVATE KEY-----"},
    {"type": "end", "stream": "chat-1"},
    {"type": "end", "stream": "chat-2"},
]  # fmt: skip
LAST = [next(f"last-{n}" for n in range(99) if slot_of(f"last-{n}", SLOTS) == slot) for slot in range(SLOTS)]


def block(language: str, topics: tuple[Cluster, str]) -> str:
    """The block of the section in a language."""
    broker, prefix = topics
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(SECTION)[2].partition("\n##")[0]
    [found] = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    said = str(found)
    assert "localhost:9092" in said
    assert "midstream." in said
    return said.replace("localhost:9092", broker.bootstrap).replace("midstream.", f"{prefix}.")


@pytest.fixture(scope="module")
def topics(broker: Cluster) -> Iterator[tuple[Cluster, str]]:
    """Topics that jobs wrote to; then all that was released once more, as after a crash, and the end of a
    stream behind it.
    """
    prefix = f"readme-{uuid.uuid4().hex[:8]}"
    names = ("deltas", "findings", "verdicts", "releases", "audit", "dead", "feedback")
    one = {f"{prefix}.{name}": 1 for name in ("control", "metrics")}
    broker.create_topics({f"{prefix}.{name}": SLOTS for name in names} | one)
    settings = {
        "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA__PREFIX": prefix, "KAFKA__TIMEOUT": 2,
        "KAFKA__UNTIL": "end", "SLOTS": SLOTS,
    }  # fmt: skip
    jobs.finish(
        jobs.start("flows", "run", "ingest", **settings),
        b"".join(json.dumps(said).encode() + b"\n" for said in SAYS),
    )
    jobs.finish(jobs.start("flows", "run", "analyze", **settings))
    repeat(broker, f"{prefix}.releases")
    yield broker, prefix
    if isinstance(broker, NamedCluster):
        broker.delete_topics(prefix)


def repeat(broker: Cluster, topic: str) -> None:
    count = len(consume(broker, topic, SLOTS))
    reader, writer = Consumer(broker.client | {"group.id": "repeat"}), Producer(broker.client)
    reader.assign([TopicPartition(topic, slot, 0) for slot in range(SLOTS)])
    for _ in range(count):
        message = reader.poll(PATIENCE_S)
        assert message is not None
        assert message.error() is None
        slot = message.partition() or 0
        writer.produce(topic, message.value(), message.key(), slot, headers=message.headers())
    reader.close()
    for slot, stream in enumerate(LAST):
        end = {"type": "end", "stream": stream, "seq": 0, "slot": slot}
        writer.produce(topic, json.dumps(end), stream, slot, headers=[("run", b"another")])
    assert writer.flush(PATIENCE_S) == 0


def test_python_joins_what_was_released_and_hears_nothing_twice(topics: tuple[Cluster, str]) -> None:
    with subprocess.Popen([sys.executable, "-c", block("python", topics)], stdout=subprocess.PIPE) as reader:
        try:
            texts = dict(said(reader))
        finally:
            reader.kill()
    assert texts.pop("chat-1") == ["write to [EMAIL], ok", "hm"]
    [until_the_key] = texts.pop("chat-2")
    assert "the key: ".startswith(until_the_key.rstrip())
    assert texts == {stream: [] for stream in LAST}


def said(reader: subprocess.Popen[bytes]) -> Iterator[tuple[str, list[str]]]:
    """What is printed of each stream, until the last of each slot was; no stream comes twice."""
    assert reader.stdout is not None
    known: set[str] = set()
    while not known >= set(LAST):
        stream, *texts = json.loads(reader.stdout.readline())
        assert stream not in known
        known.add(stream)
        yield stream, texts


def test_kcat_shows_the_same(topics: tuple[Cluster, str]) -> None:
    if not (shutil.which("kcat") and shutil.which("jq")):
        pytest.skip("kcat and jq are not installed")
    broker, prefix = topics
    decided, about, text = block("bash", topics).strip().splitlines()
    verdicts = consume(broker, f"{prefix}.verdicts", SLOTS)
    assert {verdict.key for verdict in verdicts} == {"chat-1", "chat-2"}
    lines = {line.split(" ", 2)[0]: line.split(" ", 2)[1:] for line in shell(decided).splitlines()}
    assert lines.keys() == {"chat-1", "chat-2"}
    for verdict in verdicts:
        headers = dict(each.split("=") for each in lines[verdict.key][0].split(","))
        assert headers["run"] == verdict.headers["run"]
    of_one: list[dict[str, Any]] = [json.loads(line) for line in shell(about).splitlines()]
    assert of_one == [verdict.value for verdict in verdicts if verdict.key == "chat-1"]
    assert shell(text) == "write to [EMAIL], ok" * 2  # with what was repeated


def shell(command: str) -> str:
    """What a line of the block prints."""
    done = subprocess.run(
        ["/bin/sh", "-ec", command], cwd=Path("/"), capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()
