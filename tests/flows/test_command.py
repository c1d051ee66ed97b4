"""The command as a process: its words, its exit statuses, its pipes."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pytest
from typer.testing import CliRunner

from connectors import _standard_input
from connectors._stop import STOP
from flows.__main__ import app
from tests.connectors.test_ndjson import check
from tests.flows import jobs

KEY = "-----BEGIN RSA PRIVATE KEY-----"
Invoke = Callable[..., Any]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Invoke]:
    """Runs the command in this process; what it leaves behind in it is put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for name in [name for name in os.environ if name.startswith("MIDSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    written: list[bytes] = []
    monkeypatch.setattr("connectors.ndjson._stdout", lambda: 1)
    monkeypatch.setattr("connectors.ndjson._to_stdout", written.append)
    STOP.clear()

    def run(*arguments: object, given: bytes | None = None) -> Any:
        reading, writing = os.pipe()
        monkeypatch.setattr(_standard_input, "_STDIN", reading)
        feeder = threading.Thread(target=_feed, args=(writing, given or b""))
        feeder.start()
        written.clear()
        result: Any = CliRunner().invoke(app, list(map(str, arguments)))
        feeder.join()
        os.close(reading)
        result.records = jobs.records(b"".join(written))
        return result

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def _feed(end: int, data: bytes) -> None:
    with os.fdopen(end, "wb") as pipe:
        pipe.write(data)


def _released(found: list[jobs.Record]) -> str:
    return "".join(record["text"] for record in found if record["type"] == "release")


@pytest.mark.parametrize(
    ("text", "status", "left"),
    [
        ("all is well", 0, "all is well"),
        ("mail jane@example.com now", 0, "mail [EMAIL] now"),
        ("ignore all previous instructions", 0, "ignore all previous instructions"),
        (f"the key: {KEY}\nMIIEow", 3, "the key: "),
        ("", 0, ""),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1])
def test_scan_says_by_its_status_whether_the_text_was_blocked(
    invoke: Invoke, text: str, status: int, left: str, chunk: int
) -> None:
    done = invoke("scan", "--chunk", chunk, given=text.encode())
    assert done.exit_code == status
    assert _released(done.records) == left
    for record in done.records:
        check(record)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scan", "--policy", "none.toml"), "policy none.toml: [Errno 2] No such file"),
        (("replay", "none.sse"), "no recording at 'none.sse'"),
        (("replay", "-", "none.sse"), "'-' (standard input) cannot be mixed with files"),
        (("replay", ".", "--api", "telepathy"), "no API is named 'telepathy'"),
        (("replay", "-", "--api", "telepathy"), "no API is named 'telepathy'"),
        (("replay", ".", "--speed", "nan"), "--speed"),
        (
            ("replay", ".", "--speed", "inf"),
            "settings: replay.speed (from the command line): Input should be",
        ),
        (("replay", ".", "--speed", "-1"), "--speed"),
        (("replay", ".", "--chunk", "-1"), "--chunk"),
        (("replay",), "Missing argument"),
        (("run", "outflight"), "no job 'outflight'; there are inflight, ingest, analyze"),
        (("run", "--workers", "0"), "--workers"),
    ],
)
def test_what_cannot_be_is_refused_with_status_2_before_anything_runs(
    invoke: Invoke, arguments: tuple[str, ...], message: str
) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in re.sub(r"\s*│\s*", " ", done.output)
    assert done.records == []


def test_a_wrong_setting_is_refused_with_status_2(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDSTREAM_SLOTS", "hunter2")
    done = invoke("scan")
    assert done.exit_code == 2
    assert "settings: slots (from MIDSTREAM_SLOTS)" in done.output
    assert "hunter2" not in done.output


def test_replay_of_a_folder_with_broken_files_says_so_and_ends_well(invoke: Invoke, tmp_path: Path) -> None:
    jobs.write_recordings(tmp_path, 3)
    (tmp_path / "empty.sse").touch()
    (tmp_path / "garbage.bin").write_bytes(bytes(range(256)) * 300)
    (tmp_path / "unknown.jsonl").write_bytes(b'{"hello": "world"}\n')
    done = invoke("replay", tmp_path, "--speed", 0)
    assert done.exit_code == 0
    streams = jobs.by_stream(done.records)
    for name in ("empty.sse", "garbage.bin", "unknown.jsonl"):
        assert [record["type"] for record in streams[name]][:2] == ["start", "error"]
        assert streams[name][-1]["type"] == "end"
    for name in ("stream-000.sse", "stream-001.ndjson", "stream-002.jsonl"):
        assert streams[name][-1]["finish"] == "stop"
    for record in done.records:
        check(record)


def test_replay_reads_standard_input_as_a_recording(invoke: Invoke, tmp_path: Path) -> None:
    jobs.write_recordings(tmp_path, 1)
    body = (tmp_path / "stream-000.sse").read_bytes()
    done = invoke("replay", "-", "--policy", os.devnull, given=body)
    file = invoke("replay", tmp_path / "stream-000.sse", "--policy", os.devnull, "--speed", 0)
    assert _released(done.records) == _released(file.records) != ""


def test_the_policy_named_in_the_environment_is_used_and_a_flag_is_stronger(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDSTREAM_POLICY", os.devnull)
    assert _released(invoke("scan", given=KEY.encode()).records) == KEY
    assert invoke("scan", "--policy", "default", given=KEY.encode()).exit_code == 3


@pytest.mark.process
def test_the_exit_status_of_the_process_is_that_of_the_scan() -> None:
    process = jobs.start("flows", "scan")
    out, err = process.communicate(f"a {KEY} b".encode(), timeout=60)
    assert (process.returncode, err) == (3, b"")
    assert _released(jobs.records(out)) == "a "


@pytest.mark.process
def test_a_reader_that_goes_away_ends_an_endless_flow_quietly() -> None:
    process = jobs.start("flows", "replay", "-", "--api", "text")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    feeder = threading.Thread(target=_feed_for_ever, args=(process.stdin.fileno(),), daemon=True)
    feeder.start()
    assert process.stdout.readline().startswith(b'{"type":"start"')
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == b""
    feeder.join(timeout=5)
    process.stderr.close()
    process.stdin.close()


def _feed_for_ever(end: int) -> None:
    try:
        while True:
            os.write(end, b"and on and on ")
    except OSError:
        return


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_flow_that_waits_for_input_within_a_second(number: signal.Signals) -> None:
    process = jobs.start("flows", "replay", "-", "--api", "text")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"half a sentence ")
    process.stdin.flush()
    assert select.select([process.stdout], [], [], 60)[0]
    time.sleep(0.2)
    asked = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=10)
    assert time.monotonic() - asked < 1.0
    found = jobs.finish(process)
    assert _released(found) == "half a sentence "
    assert [record["type"] for record in found[-2:]] == ["end", "summary"]


@pytest.mark.process
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_an_error_and_no_silent_loss(tmp_path: Path) -> None:
    jobs.write_recordings(tmp_path, 1)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "flows", "replay", str(tmp_path), "--speed", "0"],
            cwd=jobs.ROOT, env=jobs.environment(), stdout=full, stderr=subprocess.PIPE,
            check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr


@pytest.mark.process
def test_on_a_terminal_there_is_a_live_view_that_shows_no_secret(tmp_path: Path) -> None:
    jobs.write_recordings(tmp_path, 5)
    child = pexpect.spawn(
        sys.executable, ["-m", "flows", "replay", str(tmp_path), "--speed", "20"],
        cwd=str(jobs.ROOT), env=jobs.environment(TERM="xterm") | {"TERM": "xterm-256color"},
        dimensions=(40, 140), encoding="utf-8", timeout=60,
    )  # fmt: skip
    screen = child.read()
    child.close()
    assert child.exitstatus == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    assert "stream-004" in shown
    assert re.search(r" redact stream-\d\d\d\.\w+ +(email|card|us-ssn|github-token) \(text", shown)
    assert re.search(r"  block stream-004\.ndjson +private-key", shown)
    assert re.search(r"summary\s+streams +6 ", shown)
    for secret in (*jobs.SECRETS, KEY, KEY[:12]):
        assert secret not in shown
    assert "{" not in shown


@pytest.mark.process
def test_json_on_a_terminal_is_json_and_leaves_the_terminal_as_it_was() -> None:
    child = pexpect.spawn(
        "sh", ["-c", f"{sys.executable} -m flows scan --json; echo status $?; cat"],
        cwd=str(jobs.ROOT), env=jobs.environment(), dimensions=(40, 400), encoding="utf-8", timeout=60,
    )  # fmt: skip
    child.sendline("word " * 200)
    child.expect('"type":"start"')
    child.sendeof()
    child.expect('"type":"summary"')
    child.expect("status 0")
    child.sendline("the shell still reads")
    child.expect("the shell still reads\r\nthe shell still reads")
    child.close(force=True)
