"""The whole job: any cutting, any number of workers and processes, stopped, killed and resumed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.replay import find
from tests.flows import jobs
from tests.flows.jobs import Record

KILLS = int(os.environ.get("MIDSTREAM_TEST_KILLS", "3"))
"""How often the flow is killed before it may finish; the number of recordings grows with it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jobs.write_recordings(tmp_path_factory.mktemp("recordings"), max(12, 6 * KILLS))


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> list[Record]:
    """What one worker says of all recordings, in one go."""
    return jobs.play(folder)


def test_the_recordings_are_worth_the_tests_that_follow(undisturbed: list[Record]) -> None:
    kinds = {record["type"] for record in undisturbed}
    assert kinds >= {"start", "release", "finding", "verdict", "end", "summary"}
    ends = [record for record in undisturbed if record["type"] == "end"]
    assert {record["finish"] for record in ends} == {"stop", "blocked"}
    assert any("#2" in record["stream"] for record in ends)
    assert max(record["held_max"] for record in ends) > 0


def test_one_worker_says_the_same_twice(folder: Path, undisturbed: list[Record]) -> None:
    assert jobs.play(folder)[:-1] == undisturbed[:-1]


@pytest.mark.parametrize("workers", [2, 3])
def test_several_workers_say_the_same_as_one(folder: Path, undisturbed: list[Record], workers: int) -> None:
    several = jobs.play(folder, workers=workers)
    assert jobs.by_stream(several) == jobs.by_stream(undisturbed)
    assert several[-1]["streams"] == undisturbed[-1]["streams"]


@pytest.mark.parametrize("chunk", [1, 7, 16_000])
def test_cutting_changes_neither_findings_of_rules_nor_verdicts_nor_what_leaves(
    folder: Path, undisturbed: list[Record], chunk: int
) -> None:
    assert_same_by_rules(jobs.play(folder, chunk=chunk), undisturbed)


def assert_same_by_rules(found: list[Record], wanted: list[Record]) -> None:
    """What rules found in each stream, what was decided about it and what text left are the same.

    The cutting decides how many characters had come when a stream was blocked and, if it had several
    lanes, how far the others had got by then: of these one text must begin the other.
    """
    streams, others = jobs.by_stream(found), jobs.by_stream(wanted)
    assert streams.keys() == others.keys()
    for stream, records in streams.items():
        mine, theirs = _by_rules(records), _by_rules(others[stream])
        if mine["finish"] == theirs["finish"] == "blocked":
            if max(len(mine["lanes"]), len(theirs["lanes"])) > 1:
                for lane in mine["lanes"].keys() & theirs["lanes"].keys():
                    short, long = sorted((mine["lanes"][lane], theirs["lanes"][lane]), key=len)
                    assert long.startswith(short), (stream, lane)
                continue
            del mine["chars"], theirs["chars"]
        assert mine == theirs, stream


def _by_rules(records: list[Record]) -> dict[str, Any]:
    (end,) = (record for record in records if record["type"] == "end")
    seen: dict[str, Any] = {key: end[key] for key in ("finish", "chars", "released")}
    rules = [record for record in records if record["type"] == "finding" and record["kind"] == "rule"]
    names = {record["name"] for record in rules}
    seen["findings"] = sorted((r["lane"], r["name"], r["start"], r["end"]) for r in rules)
    verdicts = (record for record in records if record["type"] == "verdict" and record["rule"] in names)
    seen["verdicts"] = sorted((r["action"], r["rule"], r["reason"]) for r in verdicts)
    lanes = seen["lanes"] = dict[tuple[object, ...], str]()
    for record in records:
        if record["type"] == "release":
            lane = (record["lane"], record["choice"], record["item"])
            lanes[lane] = lanes.get(lane, "") + record["text"]
    return seen


ALL_DAY = """
packs = ["personal", "secrets", "injection"]
[[rules]]
name = "tion"
pattern = '[A-Za-z]{3,12}tion'
action = "redact"
description = "a word that occurs everywhere"
[[rules]]
name = "holiday"
pattern = '(?i:holiday)'
action = "block"
description = "a word that ends a few streams"
"""


def test_every_recording_of_others_goes_through_and_no_cutting_changes_what_leaves(
    data_dir: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(ALL_DAY, encoding="utf-8")
    folders = data_dir / "streams", data_dir / "realtime"
    files = find([str(each) for each in folders])
    assert len(files) > 300
    whole = jobs.play(*folders, policy=str(policy))
    streams = jobs.by_stream(whole)
    assert {stream.split("#")[0] for stream in streams} == {file.name for file in files}
    for records in streams.values():
        assert records[0]["type"] == "start"
        assert [record["type"] for record in records].count("end") == 1
    assert whole[-1]["findings"]["rule"] > 100
    assert {"redact", "block"} <= set(whole[-1]["verdicts"])
    for chunk in (1, 7, 16_000):
        assert_same_by_rules(jobs.play(*folders, policy=str(policy), chunk=chunk), whole)


@pytest.mark.process
def test_the_engine_runs_the_job_with_settings_from_the_environment(
    folder: Path, undisturbed: list[Record]
) -> None:
    process = jobs.start(
        "bytewax.run", "flows.inflight", "-w", 2, REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=0
    )
    found = jobs.finish(process)
    assert jobs.by_stream(found) == jobs.by_stream(undisturbed)
    assert found[-1]["type"] == "summary"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.process
def test_two_processes_together_say_the_same_as_one(folder: Path, undisturbed: list[Record]) -> None:
    addresses = ";".join(f"127.0.0.1:{_free_port()}" for _ in range(2))
    both = [
        jobs.start(
            "flows", "run", "-i", place, "-a", addresses, REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=0
        )
        for place in range(2)
    ]
    halves = []
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert all("retrying" in line for line in jobs.complaints(err)), (
            "only that the other was not yet there"
        )
        halves.append(jobs.records(out))
    assert all(len(half) > 1 for half in halves)
    assert not set(jobs.by_stream(halves[0])) & set(jobs.by_stream(halves[1]))
    assert jobs.by_stream(halves[0] + halves[1]) == jobs.by_stream(undisturbed)


def _interrupted(process: subprocess.Popen[bytes], after: float, number: signal.Signals) -> bytes:
    """All that it said, given a signal so many seconds after its first line."""
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(after)
    assert process.poll() is None, "it ended before it could be interrupted"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert number == signal.SIGKILL or (process.returncode, jobs.complaints(err)) == (0, [])
    return first + out


@pytest.mark.process
def test_a_stop_saves_everything_and_the_next_run_goes_on_exactly_there(
    folder: Path, undisturbed: list[Record], tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "bytewax.recovery", tmp_path, "1"], check=True)
    recovered = ("bytewax.run", "flows.inflight", "-r", tmp_path, "-s", 60, "-b", 0)
    found: list[Record] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        paced = jobs.start(*recovered, REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=2)
        said = jobs.records(_interrupted(paced, 0.4, number))
        assert 1 < len(said) < len(undisturbed)
        found += said
    rest = jobs.start(*recovered, REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=0)
    found += jobs.finish(rest)
    whole = jobs.deduplicated(found)
    assert whole == jobs.deduplicated(undisturbed)
    assert sum(record["type"] != "summary" for record in found) == len(whole), "nothing was said twice"


@pytest.mark.process
def test_a_killed_flow_resumes_and_its_records_without_repeats_are_those_of_an_undisturbed_run(
    folder: Path, undisturbed: list[Record], tmp_path: Path
) -> None:
    run = ("flows", "run", "-r", tmp_path / "state", "-s", 0.1)
    drawn, found = random.Random(KILLS), list[Record]()
    for _ in range(KILLS):
        paced = jobs.start(*run, REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=1.5)
        found += jobs.records(_interrupted(paced, drawn.uniform(0.0, 0.6), signal.SIGKILL))
    assert jobs.deduplicated(found) != jobs.deduplicated(undisturbed), "every kill was in the middle"
    rest = jobs.start(*run, REPLAY__PATHS=jobs.paths(folder), REPLAY__SPEED=0)
    found += jobs.finish(rest)
    assert jobs.deduplicated(found) == jobs.deduplicated(undisturbed)
