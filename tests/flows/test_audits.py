"""``midstream audit``: from a flow to a file to a verdict about the file."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.audits import app
from operators.audit import Audit
from operators.packet import Packet
from tests.flows import jobs
from tests.operators.test_audit import KEY, audited, some, written
from tests.stages import run, whole

POLICY = """
[[rules]]
name = "word"
pattern = 'W0RD'
action = "redact"
description = "a word"
[[rules]]
name = "key"
pattern = 'K3Y'
action = "block"
description = "a key"
"""


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(some(KEY)))
    (tmp_path / "key").write_bytes(KEY + b"\n")
    return path


def test_a_chain_that_holds_ends_with_status_0_and_its_heads(file: Path, tmp_path: Path) -> None:
    done = invoke("verify", file, "--key-file", tmp_path / "key")
    head = json.loads(file.read_bytes().splitlines()[-1])["hash"]
    assert done.exit_code == 0
    assert done.output == f"head of slot 0: {head}\n7 records hold, 0 faults\n"
    assert invoke("verify", file, "--key-file", tmp_path / "key", "--head", head).exit_code == 0


def test_a_chain_that_does_not_ends_with_status_1_and_its_place(file: Path, tmp_path: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    head = json.loads(lines[-1])["hash"]
    key = ("--key-file", tmp_path / "key")
    for kept, options, wanted in (
        (lines, (), f"fault: {file}:1: changed, or made with another key"),
        (
            [*lines[:2], *lines[3:]],
            key,
            f"fault: {file}:3: what came before it in slot 0 is missing or moved",
        ),
        (lines[:-1], (*key, "--head", head), f"fault: no line has the hash {head}"),
        ([*lines[:-1], lines[-1][:-9]], key, f"fault: {file}:7: no audit record"),
    ):
        file.write_bytes(b"".join(kept))
        done = invoke("verify", file, *options)
        assert done.exit_code == 1
        assert wanted in done.output


def test_records_are_exported_once_by_stream_action_and_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = some()
    path.write_bytes(b"".join(lines + lines))
    everything = invoke("export", path).output.splitlines()
    assert [line.encode() + b"\n" for line in everything] == lines
    one = [json.loads(line) for line in invoke("export", path, "--stream", "t").output.splitlines()]
    assert [record["action"] for record in one] == ["redact", "block", "end"]
    ends = invoke("export", path, "--action", "end", "--format", "csv").output
    rows = list(csv.DictReader(io.StringIO(ends)))
    assert sorted(row["finish"] for row in rows) == ["blocked", "stop", "stop"]
    assert invoke("export", path, "--since", "2020-01-01").output == ""
    assert len(invoke("export", path, "--since", "1970-01-01T00:00:00+00:00").output.splitlines()) == 7


def test_what_cannot_be_read_is_refused_with_status_2(tmp_path: Path) -> None:
    absent = invoke("verify", tmp_path / "absent")
    assert (absent.exit_code, "No such file" in absent.output) == (2, True)
    (tmp_path / "other").write_text('{"type":"end"}\n')
    other = invoke("export", tmp_path / "other")
    assert (other.exit_code, f"{tmp_path / 'other'}:1: no audit record" in other.output) == (2, True)
    assert invoke("export", tmp_path / "other", "--since", "soon").exit_code == 2


def test_a_record_of_another_program_is_not_taken_for_ours() -> None:
    packets: list[Packet] = run(audited(), whole("s", "W0RD"))
    assert len(written(packets)) == 2
    assert Audit([], "").update(packets[0].having(verdicts=packets[0].verdicts[:0])).released == b""


@pytest.mark.process
def test_a_flow_that_is_killed_and_run_again_leaves_a_chain_that_holds(tmp_path: Path) -> None:
    jobs.write_recordings(tmp_path, 6)
    (tmp_path / "policy.toml").write_text(POLICY.replace("W0RD", "then").replace("K3Y", "café"))
    path = tmp_path / "audit.jsonl"
    settings = {
        "POLICY": tmp_path / "policy.toml", "AUDIT__PATH": path, "AUDIT__KEY": KEY.decode(),
        "REPLAY__PATHS": jobs.paths(*sorted(tmp_path.glob("stream-*"))), "OUTPUT__FORMAT": "json",
    }  # fmt: skip
    run_it = ("flows", "run", "--recovery", tmp_path / "state", "--snapshot", 0.1)
    process = jobs.start(*run_it, **settings, REPLAY__SPEED=2)
    assert process.stdout is not None
    for _ in range(60):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    seen = path.read_bytes()
    jobs.finish(jobs.start(*run_it, **settings, REPLAY__SPEED=0))
    (tmp_path / "key").write_bytes(KEY)
    done = invoke("verify", path, "--key-file", tmp_path / "key")
    assert done.exit_code == 0, done.output
    assert "begins anew" not in done.output
    assert path.read_bytes().startswith(seen[: seen.rfind(b"\n") + 1])
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    ends = {record["stream"] for record in found if record["action"] == "end"}
    assert ends >= {f"stream-{n:03d}.{kind}" for n, kind in ((0, "sse"), (1, "ndjson"), (2, "jsonl"))}
    assert os.stat(path).st_mode & 0o777 == 0o600
