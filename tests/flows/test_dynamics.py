"""Loops, silence, changes and measures of a policy, in the whole job."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import policies
from operators.directory import Limits
from operators.packet import Action
from tests.flows import jobs

Write = Callable[[str], str]
UNIT = "The committee will meet again on Thursday to settle what was left open. "
PROSE = (
    "We looked at three ways to store the readings. The first keeps every value and grows without bound, "
    "the second keeps a ring of the newest, and the third keeps sums only, from which a mean can be told.\n\n"
)
LOOP = """
[[loops]]
name = "round"
confidence = 0.6
copies = 3
action = "{action}"
description = "it goes round"
"""
WAITS = """
[[waits]]
name = "stall"
after = 5.0
action = "warn"
description = "nothing came for 5 s"

[[waits]]
name = "long-stall"
after = 20.0
action = "stop"
description = "nothing came for 20 s"

[[waits]]
name = "slow-start"
after = 3.0
first = true
action = "warn"
description = "no first word for 3 s"
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
        return str(tmp_path / "policy.toml")

    return write


def said(text: str, policy: str, tmp_path: Path, chunk: int = 0) -> list[dict[str, Any]]:
    (tmp_path / "said.txt").write_text(text, encoding="utf-8")
    return jobs.play(tmp_path / "said.txt", policy=policy, chunk=chunk, api="text")


def kinds(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record.get("kind") == kind]


def test_a_loop_is_told_once_with_where_it_began_however_it_is_cut(write: Write, tmp_path: Path) -> None:
    text = PROSE + UNIT * 30
    policy = write(LOOP.format(action="warn"))
    (found,) = kinds(said(text, policy, tmp_path), "loop")
    assert found["name"] == "round"
    assert 0.6 <= found["confidence"] <= 1.0
    assert found["copies"] >= 3
    assert found["period"] == pytest.approx(len(UNIT), rel=0.05)
    assert abs(found["start"] - len(PROSE)) <= len(UNIT)
    assert len(PROSE) + 2 * len(UNIT) < found["end"] <= len(PROSE) + 4 * len(UNIT)
    assert found["wasted"] > 20
    for chunk in (1, 4, 17):
        (again,) = kinds(said(text, policy, tmp_path, chunk), "loop")
        assert {**again, "seq": 0} == {**found, "seq": 0}


@pytest.mark.parametrize(("action", "finish"), [("warn", "stop"), ("stop", "blocked"), ("steer", "stop")])
def test_what_is_done_about_a_loop(write: Write, tmp_path: Path, action: str, finish: str) -> None:
    text = PROSE + UNIT * 100
    records = said(text, write(LOOP.format(action=action)), tmp_path, chunk=5)
    (verdict,) = (record for record in records if record["type"] == "verdict")
    assert verdict["action"] == {"stop": "block"}.get(action, action)
    assert verdict["reason"] == "it goes round"
    (end,) = (record for record in records if record["type"] == "end")
    assert end["finish"] == finish
    if action == "stop":
        assert end["released"] < len(PROSE) + 4 * len(UNIT)
    else:
        assert end["released"] == len(text)


def test_a_monitored_stop_is_told_and_not_done(write: Write, tmp_path: Path) -> None:
    records = said(UNIT * 30, write("monitor = true\n" + LOOP.format(action="stop")), tmp_path)
    assert [record["action"] for record in records if record["type"] == "verdict"] == ["would_block"]
    assert [record["finish"] for record in records if record["type"] == "end"] == ["stop"]


def test_the_shipped_policy_warns_of_a_loop_that_counts(tmp_path: Path) -> None:
    text = PROSE + "".join(f"Step {n}: I will now process item {n} of the list.\n" for n in range(1, 40))
    records = said(text, "default", tmp_path)
    (verdict,) = (record for record in records if record["type"] == "verdict" and record["rule"] == "loop")
    assert verdict["action"] == "warn"
    assert not [r for r in said(PROSE * 2, "default", tmp_path) if r.get("kind") == "loop"]


def timed(path: Path, *at: tuple[float, str]) -> Path:
    """A recording with its times: an Ollama stream."""
    lines = [
        {"at": when, "data": {"model": "m", "message": {"role": "assistant", "content": text}, "done": False}}
        for when, text in at
    ]
    last = {"model": "m", "message": {"content": ""}, "done": True, "done_reason": "stop"}
    lines.append({"at": at[-1][0], "data": last})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_silence_is_told_once_a_limit_and_ends_what_it_should(write: Write, tmp_path: Path) -> None:
    policy = write(WAITS)
    words = ((0.0, "One "), (4.9, "two "), (10.0, "three "), (17.0, "four "), (40.0, "five."))
    records = jobs.play(timed(tmp_path / "slow.jsonl", *words), policy=policy)
    assert [(found["name"], found["value"]) for found in kinds(records, "drift")] == [
        ("stall", 5.0), ("stall", 5.0), ("stall", 5.0), ("long-stall", 20.0),
    ]  # fmt: skip
    (end,) = (record for record in records if record["type"] == "end")
    assert end["finish"] == "blocked"
    assert "".join(record["text"] for record in records if record["type"] == "release") == (
        "One two three four "
    )


def test_a_stall_is_told_while_the_stream_is_silent(write: Write, tmp_path: Path) -> None:
    """A pipe that says two words and then nothing: the finding comes before the third word does."""
    policy = write(WAITS.replace("5.0", "0.5"))
    reading, writing = os.pipe()
    flow = subprocess.Popen(
        [jobs.sys.executable, "-m", "bytewax.run", "flows.inflight"],
        cwd=jobs.ROOT, stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=jobs.environment(REPLAY__PATHS='["-"]', REPLAY__API="text", POLICY=policy, OUTPUT__FORMAT="json"),
    )  # fmt: skip
    os.close(reading)
    os.write(writing, b"two words ")
    assert flow.stdout is not None
    deadline = time.monotonic() + 120
    heard: list[dict[str, Any]] = []
    while not kinds(heard, "drift"):
        assert time.monotonic() < deadline
        heard.append(json.loads(flow.stdout.readline()))
    assert (kinds(heard, "drift")[0]["name"], kinds(heard, "drift")[0]["value"]) == ("stall", 0.5)
    os.write(writing, b"and more")
    os.close(writing)
    rest, _ = flow.communicate(timeout=60)
    assert flow.returncode == 0
    records = [*heard, *jobs.records(rest)]
    assert "".join(r["text"] for r in records if r["type"] == "release") == "two words and more"


def test_the_first_word_is_waited_for(write: Write, tmp_path: Path) -> None:
    started = {"type": "response.created", "response": {"model": "m"}}
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "late"}
    done = {"type": "response.done", "response": {"status": "completed", "output": []}}
    lines = [
        {"at": at, "data": {"event_id": "e"} | event} for at, event in ((0, started), (9, delta), (9, done))
    ]
    (tmp_path / "late.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    records = jobs.play(tmp_path / "late.jsonl", policy=write(WAITS))
    (found,) = kinds(records, "drift")
    assert (found["name"], found["value"], found["start"], found["end"]) == ("slow-start", 3.0, 0, 0)


def test_a_change_of_pace_is_told_where_it_began(write: Write, tmp_path: Path) -> None:
    policy = write(
        '[[changes]]\nname = "slower"\nsignal = "gap"\naction = "warn"\ndescription = "slower"\n'
        'method = "page_hinkley"\nfalse_alarm = 1e-4\ndirection = "up"\n'
    )
    at, words = 0.0, []
    for n in range(400):
        at += (0.02 if n < 250 else 0.2) * (1.0 + 0.3 * ((n * 7919) % 101) / 101)
        words.append((at, f"w{n} "))
    records = jobs.play(timed(tmp_path / "pace.jsonl", *words), policy=policy)
    (found,) = kinds(records, "drift")
    begin = len("".join(word for _, word in words[:250]))
    assert found["name"] == "slower"
    assert abs(found["start"] - begin) <= 60
    assert found["end"] <= begin + 200


def test_a_threshold_looks_at_a_measure_of_the_dynamics(write: Write, tmp_path: Path) -> None:
    policy = write(
        '[dynamics]\nsignal = "length"\nwindow = 64\n'
        '[[thresholds]]\nname = "regular"\nsignal = "permutation"\nbelow = 0.6\naction = "warn"\n'
        'description = "the lengths are regular"\n'
    )
    pieces = ["x" * (2 + n % 4) for n in range(200)]
    regular = timed(tmp_path / "regular.jsonl", *((n / 10, piece) for n, piece in enumerate(pieces)))
    records = jobs.play(regular, policy=policy)
    assert [r["rule"] for r in records if r["type"] == "verdict"] == ["regular"]
    pieces = ["x" * (1 + (n * n * 31 + n * 17) % 23) for n in range(200)]
    mixed = timed(tmp_path / "mixed.jsonl", *((n / 10, piece) for n, piece in enumerate(pieces)))
    assert [r for r in jobs.play(mixed, policy=policy) if r["type"] == "verdict"] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (LOOP.format(action="warn").replace("0.6", "1.5"), "loops.0.confidence: Input should be less than 1"),
        (LOOP.format(action="warn").replace("copies = 3", "copies = 1"), "loops.0.copies"),
        (LOOP.format(action="redact"), "'round' cannot redact"),
        (WAITS.replace("after = 5.0", "after = 0.0"), "waits.0.after: Input should be greater"),
        (WAITS.replace("after = 5.0", "after = inf"), "waits.0.after"),
        (
            '[[changes]]\nname = "c"\nsignal = "gap"\nmethod = "guess"\naction = "warn"\ndescription = "d"',
            "changes.0.method",
        ),
        (
            '[[changes]]\nname = "c"\nsignal = "gap"\nfalse_alarm = 0\naction = "warn"\ndescription = "d"',
            "changes.0.false_alarm",
        ),
        (
            '[[thresholds]]\nname = "t"\nsignal = "lyapunov"\nabove = 0\naction = "warn"\ndescription = "d"',
            "something looks at 'lyapunov': [dynamics] must say of which signal",
        ),
        ('[dynamics]\nsignal = "gap"', "nothing looks at what [dynamics] measures: lyapunov, permutation"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(write: Write, text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^policy ") as caught:
        policies.read(write(text))
    assert wrong in str(caught.value)


def test_a_silence_that_outlasts_the_stream_is_refused(write: Write) -> None:
    judgement = policies.read(write(WAITS))
    judgement.directory(Limits(idle=21 * 10**9))
    with pytest.raises(ValueError, match=r"'long-stall': after 20 s \(limits.idle\) a stream is over: 20 s"):
        judgement.directory(Limits(idle=20 * 10**9))


def test_stop_is_the_other_name_of_block(write: Write) -> None:
    judgement = policies.read(write(WAITS))
    assert judgement.actions[judgement.names.index("long-stall")] == Action.BLOCK
