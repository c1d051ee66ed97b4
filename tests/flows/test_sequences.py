"""Patterns, references, phrases and motifs of a policy in the whole job; patterns that come while it runs."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows import orders, policies
from operators.packet import Action
from tests.flows import jobs

PROMPT = (
    "You are the assistant of a shop for garden tools. Never tell anybody the discount code of the staff, "
    "which is changed every Monday morning, and answer in short friendly sentences."
)
POLICY = """
[[references]]
name = "prompt"
file = "prompt.txt"
similarity = 0.75
action = "block"
description = "the answer repeats its own instructions"

[[phrases]]
name = "promise"
file = "promises.txt"
errors = 2
action = "warn"
description = "a promise that only people may give"

[motifs]
words = 4
times = 3
window = 64
action = "warn"

[[patterns]]
name = "shape"
signal = "length"
file = "shapes.npz"
within = 0.01
action = "warn"
description = "a shape of the library"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The policy, and the files it names."""
    (tmp_path / "prompt.txt").write_text(PROMPT, encoding="utf-8")
    (tmp_path / "promises.txt").write_text(
        "\ufeff# what only people promise\nwe guarantee a full refund\n\n", encoding="utf-8"
    )
    np.savez(tmp_path / "shapes.npz", stairs=np.array([3.0, 5.0, 7.0]))
    file = tmp_path / "policy.toml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def findings(text: str, policy: Path, tmp_path: Path, chunk: int = 0) -> list[dict[str, Any]]:
    """What the whole job finds in a text, without what is about the cutting."""
    (tmp_path / "said.txt").write_text(text, encoding="utf-8")
    found = jobs.play(tmp_path / "said.txt", policy=str(policy), chunk=chunk, api="text")
    return [
        {key: value for key, value in record.items() if key != "seq"}
        for record in found
        if record["type"] == "finding" and record["name"] != "shape-stairs"
    ]


TEXTS = {
    "prompt": f"Well. My instructions: {PROMPT.replace('garden', 'all sorts of')} That is all.",
    "promise": "Dear customer, we garantee a ful\nrefund for this.",
    "motif": "Let me think about it again. " * 5 + "No.",
    "nothing": "A rake is a tool for gathering leaves, and a spade is a tool for digging holes.",
}


@pytest.mark.parametrize(
    ("case", "kinds"),
    [("prompt", {"lcs"}), ("promise", {"edit"}), ("motif", {"motif"}), ("nothing", set())],
)
def test_a_text_gives_its_findings_however_it_is_cut(
    case: str, kinds: set[str], policy: Path, tmp_path: Path
) -> None:
    text = TEXTS[case]
    whole = findings(text, policy, tmp_path)
    assert {found["kind"] for found in whole} == kinds
    for chunk in (1, 3, 16):
        assert findings(text, policy, tmp_path, chunk) == whole


def test_findings_say_where_and_how_near(policy: Path, tmp_path: Path) -> None:
    (found,) = findings(TEXTS["promise"], policy, tmp_path)
    assert (found["name"], found["value"]) == ("promise", 2.0)
    assert TEXTS["promise"][found["start"] : found["end"]] == "we garantee a ful\nrefund"
    found = findings(TEXTS["prompt"], policy, tmp_path)[0]
    assert found["name"] == "prompt"
    assert 0.75 <= found["value"] <= 1.0
    assert TEXTS["prompt"].index("You are") <= found["start"] < found["end"] <= len(TEXTS["prompt"])
    found = findings(TEXTS["motif"], policy, tmp_path)[0]
    assert found["value"] >= 3
    assert "think about it" in TEXTS["motif"][found["start"] : found["end"]]


def test_a_repeated_prompt_ends_its_stream_and_the_rest_never_leaves(policy: Path, tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text(TEXTS["prompt"], encoding="utf-8")
    found = jobs.play(tmp_path / "said.txt", policy=str(policy), chunk=5, api="text")
    (end,) = (record for record in found if record["type"] == "end")
    assert end["finish"] == "blocked"
    left = "".join(record["text"] for record in found if record["type"] == "release")
    assert "friendly sentences" not in left


def test_a_library_of_patterns_comes_from_a_file(policy: Path, tmp_path: Path) -> None:
    chat = [
        {"model": "m", "choices": [{"index": 0, "delta": {"content": "x" * size}}]}
        for size in (9, 9, 3, 5, 7, 9, 9, 9)
    ]
    lines = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in chat)
    (tmp_path / "chat.sse").write_bytes(lines + b"data: [DONE]\n\n")
    found = jobs.play(tmp_path / "chat.sse", policy=str(policy))
    (one,) = (record for record in found if record["type"] == "finding")
    assert (one["kind"], one["name"], one["value"]) == ("dtw", "shape-stairs", 0.0)
    assert (one["start"], one["end"]) == (18, 33)


@pytest.mark.parametrize(
    ("sent", "found"),
    [("-0.5", 0), ("null", 0), ('"x"', 1), ("{}", 1), ("9" * 400, 1), ("-1e400", 1), ("-1.7e308", 1)],
)
def test_a_probability_that_is_no_number_is_a_finding_and_its_text_is_heard(
    sent: str, found: int, tmp_path: Path
) -> None:
    lines = []
    for word in ("one ", "two ", "three"):
        token = f'{{"token": "{word}", "logprob": {sent if word == "two " else "-0.1"}}}'
        choice = f'{{"index": 0, "delta": {{"content": "{word}"}}, "logprobs": {{"content": [{token}]}}}}'
        lines.append(f'data: {{"model": "m", "choices": [{choice}]}}\n\n')
    (tmp_path / "chat.sse").write_text("".join(lines) + "data: [DONE]\n\n")
    (tmp_path / "empty.toml").write_text("")
    records = jobs.play(tmp_path / "chat.sse", policy=str(tmp_path / "empty.toml"))
    assert "".join(record["text"] for record in records if record["type"] == "release") == "one two three"
    assert not [record for record in records if record["type"] == "error"]
    odd = [record for record in records if record["type"] == "finding"]
    assert [(each["kind"], each["name"], each["start"], each["end"]) for each in odd] == [
        ("error", "unmeasured", 4, 8)
    ] * found


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            '[[phrases]]\nname = "p"\nfile = "pipe"\naction = "warn"\ndescription = "d"',
            "phrases 'p': pipe: must be a regular file",
        ),
        (
            '[[references]]\nname = "r"\nfile = "a\\u0000b"\naction = "warn"\ndescription = "d"',
            "reference 'r'.*null byte",
        ),
        (
            '[[patterns]]\nname = "s"\nsignal = "gap"\nfile = "pipe"\nwithin = 0.1\ndescription = "d"',
            "'s': must be a regular file",
        ),
        (
            '[[phrases]]\nname = "p"\nfile = "comments.txt"\naction = "warn"\ndescription = "d"',
            "phrases 'p'.*no phrase in comments.txt",
        ),
        ('[[phrases]]\nname = "p"\nerrors = 2\naction = "warn"\ndescription = "d"', "either texts or file"),
        (
            '[[phrases]]\nname = "p"\ntexts = ["ab"]\nerrors = 2\naction = "warn"\ndescription = "d"',
            "'p'",
        ),
        (
            '[[phrases]]\nname = "p"\nfile = "none.txt"\naction = "warn"\ndescription = "d"',
            "phrases 'p'.*none.txt",
        ),
        (
            '[[references]]\nname = "r"\ntext = "two words"\naction = "warn"\ndescription = "d"',
            "'r'.*words",
        ),
        (
            '[[references]]\nname = "r"\ntext = "one two three four five"\nwindow = 9\naction = "warn"\n'
            'description = "d"',
            "'r'.*window",
        ),
        ('[motifs]\nwords = 8\ntimes = 3\nwindow = 20\naction = "warn"', "window"),
        (
            '[[patterns]]\nname = "s"\nsignal = "gap"\nvalues = [1.0, nan]\nwithin = 0.1\ndescription = "d"',
            "'s'.*finite",
        ),
        (
            '[[patterns]]\nname = "s"\nsignal = "gap"\nvalues = []\nwithin = 0.1\ndescription = "d"',
            "either values or file",
        ),
        (
            '[[patterns]]\nname = "s"\nsignal = "gap"\nvalues = [2.0, 2.0]\nwithin = 0.1\n'
            'normalised = true\ndescription = "d"',
            "'s'.*constant",
        ),
        (
            '[[patterns]]\nname = "s"\nsignal = "gap"\nfile = "prompt.txt"\nwithin = 0.1\ndescription = "d"',
            "'s'.*prompt.txt",
        ),
        (
            '[[patterns]]\nname = "s"\nsignal = "gap"\nvalues = [1.0, 2.0]\nwithin = inf\ndescription = "d"',
            "within",
        ),
    ],
)
def test_what_cannot_be_looked_for_is_refused_by_name(
    text: str, wrong: str, policy: Path, tmp_path: Path
) -> None:
    assert policy.exists()  # with the files beside it
    (tmp_path / "comments.txt").write_text("# none\n\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "wrong.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=wrong) as caught:
        policies.load(str(tmp_path / "wrong.toml"))
    assert str(tmp_path / "wrong.toml") in str(caught.value)


ORDER = {
    "name": "dip", "signal": "length", "values": [9, 2, 9], "within": 0.01, "action": "warn",
    "description": "a dip",
}  # fmt: skip


def order(**change: object) -> bytes:
    return json.dumps(ORDER | change).encode()


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Any]:
    (tmp_path / "monitor.toml").write_text(
        'monitor = true\n[[rules]]\nname = "taken"\npattern = "a"\naction = "warn"\ndescription = "d"\n'
    )
    return orders.reader(policies.load(str(tmp_path / "monitor.toml")))


def test_an_order_is_judged_as_the_policy_would(read: Callable[[bytes], Any]) -> None:
    shape = read(order(action="block"))
    assert (shape.name, shape.values, shape.reason) == ("dip", (9.0, 2.0, 9.0), "a dip")
    assert shape.action == Action.WOULD_BLOCK  # the policy only monitors


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (b"{", "not JSON"),
        (b"[]", "the order"),
        (order(values=[1, "x"]), "values.1"),
        (order(more=1), "more"),
        (order(name="taken"), "take another"),
        (order(action="redact"), "cannot redact"),
        (order(signal="injection"), "nothing measures"),
        (order(values=[], file="x.npz"), "a file is for the policy"),
        (order(values=[1]), "2 to 4096 values"),
        (order(values=[1, 2] * 300), "512 values at most"),
        (order(values=[1, 1, 1], normalised=True), "constant"),
        (order(values=[1, 2, 3, 4] * 4, normalised=True, radius=5), "a quarter"),
        (order(radius=3), "radius"),
    ],
)
def test_a_wrong_order_says_what_is_wrong(line: bytes, wrong: str, read: Callable[[bytes], Any]) -> None:
    with pytest.raises(ValueError, match=wrong):
        read(line)


def _chat(folder: Path, name: str, sizes: list[int]) -> None:
    """A timed recording: a delta each 50 ms."""
    lines = []
    for number, size in enumerate(sizes):
        event = {"model": "m", "choices": [{"index": 0, "delta": {"content": "x" * size}}]}
        lines.append({"at": number * 0.05, "data": f"data: {json.dumps(event)}\n\n"})
    lines.append({"at": len(sizes) * 0.05, "data": "data: [DONE]\n\n"})
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.process
def test_a_pattern_comes_to_a_running_job_and_outlives_a_kill(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    _chat(recordings, "chat.jsonl", [5] * 20 + [5, 9, 2, 9] * 60)
    control = tmp_path / "orders.jsonl"
    settings: dict[str, object] = {
        "REPLAY__PATHS": jobs.paths(recordings), "POLICY": tmp_path / "empty.toml",
    }  # fmt: skip
    run = ("flows", "run", "-r", tmp_path / "state", "-s", 0.1)
    job = jobs.start(*run, **settings, CONTROL__PATH=control, REPLAY__SPEED=1)
    assert job.stdout is not None
    job.stdout.readline()
    control.write_bytes(b"no order\n" + order() + b"\n")
    found: list[dict[str, Any]] = []
    while not any(record["type"] == "verdict" for record in found):
        found += jobs.records(job.stdout.readline())
    time.sleep(0.5)  # several snapshots
    job.send_signal(signal.SIGKILL)
    rest, complaints = job.communicate(timeout=30)
    found += jobs.records(rest)
    assert b"byte 0: not JSON" in complaints
    named = {(r["kind"], r["name"], r["value"]) for r in found if r["type"] == "finding"}
    assert named == {("dtw", "dip", 0.0)}
    verdict = next(record for record in found if record["type"] == "verdict")
    assert (verdict["action"], verdict["reason"], verdict["rule"]) == ("warn", "a dip", "dip")
    control.unlink()  # what it said is in the state
    again = jobs.finish(jobs.start(*run, **settings, REPLAY__SPEED=0))
    assert sum(record["type"] == "verdict" for record in again) > 10
    assert {record["name"] for record in again if record["type"] == "finding"} == {"dip"}
