"""Running the main job: recordings to play, the flow in this process or as processes, its records."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from bytewax.testing import cluster_main

from connectors._tally import Tally
from connectors.ndjson import NdjsonSink
from connectors.replay import ReplayConfig, ReplaySource
from flows import policies
from flows.inflight import inflight
from operators.directory import Limits
from operators.slots import slot_key, slot_of

ROOT = Path(__file__).parent.parent.parent
SLOTS = 8
Record = dict[str, Any]

_WORDS = ("the", "stream", "says", "café", "😀", "what", "it", "and", "then", "some", "more", "of", "once")
SECRETS = ("jane.doe@example.com", "4111 1111 1111 1111", "078-05-1120", "ghp_" + "a1" * 18)
_KEY = "-----BEGIN RSA PRIVATE KEY-----"


def write_recordings(folder: Path, count: int, words: int = 60) -> Path:
    """`count` recordings of several wire formats, with secrets in them and every fifth with a key."""
    for number in range(count):
        drawn = random.Random(number)
        said = drawn.choices(_WORDS, k=words)
        said[drawn.randrange(words)] = drawn.choice(SECRETS)
        if number % 5 == 4:
            said[words * 3 // 4] = _KEY
        pieces = list(_pieces(" ".join(said), drawn))
        body, ending = ((_chat, "sse"), (_ollama, "ndjson"), (_realtime, "jsonl"))[number % 3]
        (folder / f"stream-{number:03d}.{ending}").write_bytes(body(pieces))
    return folder


def _pieces(text: str, drawn: random.Random) -> Iterator[str]:
    at = 0
    while at < len(text):
        size = drawn.randint(1, 9)
        yield text[at : at + size]
        at += size


def _chat(pieces: Sequence[str]) -> bytes:
    events = [
        {"model": "m", "choices": [{"index": at % 2, "delta": {"content": piece}}]}
        for piece in pieces
        for at in (0, 1)
    ]
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def _ollama(pieces: Sequence[str]) -> bytes:
    events: list[Record] = [
        {"model": "m", "message": {"role": "assistant", "content": piece}, "done": False} for piece in pieces
    ]
    events.append({"model": "m", "message": {"content": ""}, "done": True, "done_reason": "stop"})
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


def _realtime(pieces: Sequence[str]) -> bytes:
    """Two responses in one session."""
    half = len(pieces) // 2
    events: list[Record] = []
    for part in (pieces[:half], pieces[half:]):
        events.append({"type": "response.created", "response": {"model": "m"}})
        events += [
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece}
            for piece in part
        ]
        events.append({"type": "response.done", "response": {"status": "completed", "output": []}})
    return b"".join(orjson.dumps({"event_id": f"e{n}"} | event) + b"\n" for n, event in enumerate(events))


def play(
    *paths: Path, policy: str = "default", workers: int = 0, chunk: int = 0, api: str = "auto"
) -> list[Record]:
    """The records of a replay in this process: of the main thread, or of so many worker threads."""
    written: list[bytes] = []
    judgement = policies.load(policy)
    source = ReplaySource(
        ReplayConfig(tuple(map(str, paths)), api, speed=0, chunk=chunk),
        [slot_key(slot) for slot in range(SLOTS)],
        lambda name: slot_of(name, SLOTS),
    )
    sink = NdjsonSink(judgement.names, judgement.reasons, Tally(), written.append)
    job = inflight(source, sink, judgement, Limits())
    cluster_main(job, [], 0, worker_count_per_proc=workers or 1)  # type: ignore[no-untyped-call]
    return records(b"".join(written))


def records(lines: bytes) -> list[Record]:
    """Whole lines as records; a line that a kill cut short is left out."""
    return [orjson.loads(line) for line in lines[: lines.rfind(b"\n") + 1].splitlines()]


def by_stream(found: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each stream in order, without summaries."""
    streams: dict[str, list[Record]] = {}
    for record in found:
        if record["type"] != "summary":
            streams.setdefault(record["stream"], []).append(record)
    return streams


def deduplicated(found: Iterable[Record]) -> dict[tuple[Any, ...], Record]:
    """Records by what makes them the same after a replay: slot and ``seq``; a start and an end, which
    have none, type and stream. Asserts that repeats agree.
    """
    known: dict[tuple[Any, ...], Record] = {}
    for record in found:
        if record["type"] == "summary":
            continue
        recording = record["stream"].split("#")[0]  # all streams of a recording live in its slot
        if "seq" in record:
            key: tuple[Any, ...] = (slot_of(recording, SLOTS), record["seq"])
        else:
            key = (record["type"], record["stream"])
        assert known.setdefault(key, record) == record, "two records of one number"
    return known


def environment(**variables: object) -> dict[str, str]:
    """This process's, with no setting of ours but `variables` (``REPLAY__SPEED=0``)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIDSTREAM_")}
    return kept | {f"MIDSTREAM_{name}": str(value) for name, value in variables.items()}


def paths(*given: Path | str) -> str:
    """A value for ``REPLAY__PATHS``."""
    return json.dumps([str(path) for path in given])


def start(*arguments: object, **variables: object) -> subprocess.Popen[bytes]:
    """``python -m ARGUMENTS`` from the root, its three streams piped and unbuffered."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT, env=environment(**variables),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    )  # fmt: skip


def finish(process: subprocess.Popen[bytes], given: bytes = b"", *, seconds: float = 60.0) -> list[Record]:
    """Its records, after it ended well and had nothing to complain of."""
    out, err = process.communicate(given, timeout=seconds)
    assert (process.returncode, complaints(err)) == (0, [])
    return records(out)


def complaints(err: bytes) -> list[str]:
    """What a process complained of; that a slow machine takes its time to start is no complaint."""
    return [line for line in err.decode().splitlines() if not line.startswith("starting: ")]
