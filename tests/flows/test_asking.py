"""``midstream ask``, as a process: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("httpcore2")

from flows.asking import _counted, _prices
from tests.conftest import ROOT
from tests.mock import Mock, running, wait_until

pytestmark = pytest.mark.process

KEY = "sk-" + "secret" * 5
COMMAND = [sys.executable, "-c", "import typer; from flows.asking import ask; typer.run(ask)"]


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    with running() as made:
        yield made


def _environment(mock: Mock | None, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    there = {
        "MIDSTREAM_UPSTREAMS__MOCK__BASE_URL": f"{mock.url}/v1",
        "MIDSTREAM_UPSTREAMS__MOCK__API_KEY": KEY,
    } if mock else {}  # fmt: skip
    return kept | {"PYTHONPATH": str(ROOT)} | there | more


def _ask(
    mock: Mock | None, folder: Path, *arguments: str, said: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, input=said, timeout=180, cwd=folder,
        env=_environment(mock, **more), check=False,
    )  # fmt: skip
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def _lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if not line.startswith("starting: ")]


def test_an_answer_is_printed_with_what_may_leave_and_nothing_else(mock: Mock, tmp_path: Path) -> None:
    done = _ask(
        mock, tmp_path, "-m", "mock/echo", "-u", "--price", "1,2", "Write to jane.doe@example.com now"
    )
    assert done.returncode == 0
    assert done.stdout == "Write to [EMAIL] now"
    verdict, counts = _lines(done)
    assert verdict.startswith("redact: email: ")
    assert counts.startswith("tokens: ")
    assert "; cost: $0.0000" in counts


def test_a_prompt_comes_from_standard_input_and_records_go_out_as_lines(mock: Mock, tmp_path: Path) -> None:
    done = _ask(mock, tmp_path, "-m", "mock/echo", "--json", "-s", "Be brief", "-", said="Say hello\n")
    assert done.returncode == 0
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["type"] for record in records if record["type"] != "release"] == [
        "start",
        "end",
        "summary",
    ]
    assert "".join(record["text"] for record in records if record["type"] == "release").strip() == "Say hello"


@pytest.mark.parametrize(
    ("model", "status", "said"),
    [("echo!401", 1, "error: provider error: status 401 "), ("echo!reset:4", 1, "error: mock (127.0.0.1:")],
)
def test_an_answer_that_is_not_whole_is_a_failure_that_says_why(
    mock: Mock, tmp_path: Path, model: str, status: int, said: str
) -> None:
    done = _ask(mock, tmp_path, "-m", f"mock/{model}", "one two three four five six seven eight nine ten")
    assert done.returncode == status
    assert [line for line in _lines(done) if line.startswith(said)]


def test_a_blocked_answer_has_a_status_of_its_own_and_its_call_is_closed(mock: Mock, tmp_path: Path) -> None:
    prompt = "Here: -----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 400
    done = _ask(mock, tmp_path, "-m", "mock/echo", prompt)
    assert done.returncode == 3
    assert "MIIE" not in done.stdout
    assert [line for line in _lines(done) if line.startswith("block: ")]


def test_ctrl_c_closes_the_call(mock: Mock, tmp_path: Path) -> None:
    command = [*COMMAND, "-m", "mock/echo!stall:3", "one two three four five six seven eight"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=_environment(mock), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout
        assert process.stdout.read(3) == b"one"
        wait_until(lambda: bool(mock.provider.lines))
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        wait_until(lambda: not mock.provider.lines, 1)
        assert process.wait(10) == 130
        assert time.monotonic() - began < 5
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "llama3", "Hi"], "say whose it is"),
        (["-m", "gpt-5", "Hi"], "OPENAI_API_KEY"),
        (["-m", "azure/gpt-5", "Hi"], "AZURE__BASE_URL"),
        (["-m", "mock/echo", "  "], "the prompt is empty"),
        (["-m", "mock/echo", "--price", "cheap", "Hi"], "two numbers"),
        (["-m", "mock/echo", "--policy", "nowhere.toml", "Hi"], "nowhere.toml"),
    ],
)
def test_wrong_settings_are_told_apart_before_anything_is_asked(
    mock: Mock, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = _ask(mock, tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_counts_and_costs() -> None:
    assert _prices("") == ()
    assert _prices("0.25,2") == (0.25, 2.0)
    for wrong in ("1", "1,2,3", "-1,2", "a,b", "nan,1", "inf,1"):
        with pytest.raises(ValueError, match="two numbers"):
            _prices(wrong)
    assert _counted({}, ()) == "tokens: the provider told none"
    assert _counted({"input": 1200, "output": 34}, ()) == "tokens: 1,200 input, 34 output"
    assert _counted({"input": 1_000_000, "output": 500_000}, (0.25, 2)).endswith("; cost: $1.250000")
