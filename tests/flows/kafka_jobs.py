"""Jobs of the durable lane as processes, and streams that are worth running them on."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tests.clusters import Cluster
from tests.flows import jobs
from tests.kafka_log import Record, consume

__all__ = ["DECIDED", "SLOTS", "end", "keyed", "records", "run", "start", "streams", "topics", "without"]

SLOTS = 4
DECIDED = ("findings", "verdicts", "releases", "audit", "dead")
_ALL = ("deltas", *DECIDED, "markers", "feedback")
_WORDS = ("the", "stream", "says", "café", "😀", "what", "it", "and", "then", "some", "more", "of", "once")
_KEY = "-----BEGIN RSA PRIVATE KEY-----"


def topics(broker: Cluster, prefix: str) -> None:
    """All of them: a job on the mock cannot make its own."""
    broker.create_topics(
        {f"{prefix}.{name}": SLOTS for name in _ALL} | {f"{prefix}.control": 1, f"{prefix}.metrics": 1}
    )


def _settings(broker: Cluster, prefix: str, **more: Any) -> dict[str, object]:
    """The variables of a job that ends where its topic ends."""
    return {
        "SLOTS": SLOTS, "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA__PREFIX": prefix,
        "KAFKA__UNTIL": "end", "KAFKA__METRICS": 0,
        # The mock answers no administrator: a job asks it in vain what a topic takes.
        "KAFKA__TIMEOUT": 10 if broker.real else 2.5,
        "KAFKA__OPTIONS": json.dumps(broker.without),
    } | more  # fmt: skip


def start(
    broker: Cluster,
    prefix: str,
    *arguments: object,
    command: Sequence[object] = ("flows", "run"),
    **more: Any,
) -> subprocess.Popen[bytes]:
    """``midstream run ARGUMENTS``."""
    return jobs.start(*command, *arguments, **_settings(broker, prefix, **more))


def end(process: subprocess.Popen[bytes], given: bytes = b"") -> list[jobs.Record]:
    """What it said when it ended well, and complained of nothing."""
    return jobs.finish(process, given)


def run(
    broker: Cluster, prefix: str, *arguments: object, given: bytes = b"", **more: Any
) -> list[jobs.Record]:
    """``midstream run ARGUMENTS`` from its start to its good end."""
    return end(start(broker, prefix, *arguments, **more), given)


def streams(count: int, words: int = 40, seed: int = 1) -> bytes:
    """Lines for ``ingest``: streams that take turns, with secrets in them and every fifth with a key."""
    drawn = random.Random(seed)
    said: list[list[dict[str, Any]]] = []
    for number in range(count):
        name, text = f"s{number}", drawn.choices(_WORDS, k=words)
        text[drawn.randrange(words)] = drawn.choice(jobs.SECRETS)
        if number % 5 == 4:
            text[words * 3 // 4] = _KEY
        lines: list[dict[str, Any]] = [{"type": "start", "stream": name, "provider": "p", "model": "m"}]
        lines += [{"type": "delta", "stream": name, "text": f"{word} "} for word in text]
        said.append([*lines, {"type": "end", "stream": name, "finish": "stop"}])
    found = []
    while said:
        lines = drawn.choice(said)
        found.append(orjson.dumps(lines.pop(0)))
        if not lines:
            said.remove(lines)
    return b"".join(line + b"\n" for line in found)


def records(broker: Cluster, prefix: str, names: Sequence[str] = DECIDED) -> dict[str, list[Record]]:
    """What committed records the topics hold."""
    return {name: consume(broker, f"{prefix}.{name}", SLOTS) for name in names}


def keyed(found: Mapping[str, Sequence[Record]]) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Records by topic, slot and number. Asserts that repeats agree, headers included."""
    known: dict[tuple[str, int, int], tuple[dict[str, Any], dict[str, str]]] = {}
    for topic, held in found.items():
        for record in held:
            place = topic, record.partition, record.value["seq"]
            assert record.headers["seq"] == str(record.value["seq"])
            assert record.headers["slot"] == str(record.partition) == str(record.value["slot"])
            same = record.value, record.headers
            assert known.setdefault(place, same) == same, "two records of one number"
    return {place: value for place, (value, _) in known.items()}


def without(found: Mapping[Any, Mapping[str, Any]], *names: str) -> dict[Any, dict[str, Any]]:
    """The same records without what differs from run to run."""
    return {
        place: {name: value for name, value in record.items() if name not in names}
        for place, record in found.items()
    }
