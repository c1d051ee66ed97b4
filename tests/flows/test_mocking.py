"""The command that serves the mock provider: its output, its end, and what it refuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flows import mocking

httpx2 = pytest.importorskip("httpx2")
pytest.importorskip("uvicorn")

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "tests" / "data"
RUN = "import typer; from flows.mocking import mock_llm; typer.run(mock_llm)"
ASKED = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}


def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(mocking.mock_llm)
    return app


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A real process, and the base URLs that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", RUN, "--port", "0", *arguments], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout
    try:
        lines = [process.stdout.readline().strip() for _ in range(5)]
        yield process, dict(line.split("=", 1) for line in lines)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.process
def test_it_prints_the_base_urls_serves_and_ends_when_told() -> None:
    with started("--recordings", str(SAMPLES), "--ttft", "0.01,exp", "--coalesce", "3") as (process, urls):
        assert list(urls) == [
            "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "AZURE_OPENAI_ENDPOINT",
            "OLLAMA_HOST",
        ]  # fmt: skip
        base = urls["OPENAI_BASE_URL"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", base)
        whole = httpx2.post(f"{base}/chat/completions", json=ASKED).json()
        assert whole["choices"][0]["message"]["content"] == "Hello"
        replayed = httpx2.post(
            f"{base}/chat/completions", json=ASKED | {"model": "replay:openai-chat.sse", "stream": True}
        )
        assert replayed.content == SAMPLES.joinpath("openai-chat.sse").read_bytes()
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM
    assert error == ""


@pytest.mark.process
def test_an_interrupt_is_no_error() -> None:
    with started() as (process, urls):
        httpx2.get(urls["OLLAMA_HOST"])
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (0, "")


@pytest.mark.process
def test_what_goes_wrong_by_chance_can_be_set() -> None:
    with started("--fault", "503=1") as (_, urls):
        answer = httpx2.post(f"{urls['ANTHROPIC_BASE_URL']}/v1/messages", json=ASKED)
    assert (answer.status_code, answer.json()["type"]) == (503, "error")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ttft", "soon"), "--ttft: 'soon' must be MEAN, MEAN,STD or MEAN,exp"),
        (("--gap", "1,-1"), "--gap: '1,-1' must be MEAN"),
        (("--fault", "reset"), "--fault: 'reset' must be NAME=PROBABILITY"),
        (("--fault", "explode=0.1"), "no such fault; there are reset"),
        (("--fault", "reset=2"), "must be 0 to 1"),
        (("--recordings", "/nonexistent"), "/nonexistent"),
        (("--host", "999.0.0.1"), "mock-llm: "),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_served(
    arguments: tuple[str, ...], message: str
) -> None:
    result = CliRunner().invoke(command(), ["--port", "0", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_without_a_server_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "connectors.mock_llm", None)

    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="uvicorn")

    monkeypatch.setattr(mocking.importlib, "import_module", missing)
    result = CliRunner().invoke(command(), [])
    assert result.exit_code == 2
    assert "install the extra 'gateway'" in result.stderr
