"""``midstream study``: one file in, one answer out, for a person and for a program."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pexpect  # type: ignore[import-untyped]
import pytest
from typer.testing import CliRunner, Result

from flows.__main__ import app
from operators.kernels.correlation import correlation_sum
from tests import systems
from tests.flows import jobs

JIT = hasattr(correlation_sum, "py_func")
compiled = pytest.mark.skipif(
    not JIT, reason="hundreds of points squared, many times: too long without the JIT"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    x = systems.henon(600)
    rows = [f"{place},{place / 4},{value!r}" for place, value in enumerate(x.tolist())]
    Path("henon.csv").write_text("\n".join(["day,time,x", *rows]))
    Path("henon.txt").write_text("".join(f" {value!r}\n" for value in x.tolist()))
    np.save("henon.npy", x)
    np.savez("two.npz", henon=x, wide=np.ones((4, 2)))
    Path("few.txt").write_text("1\n2\n3\n1\n2\n3\n1\n2\n3\n1\n")
    Path("holes.txt").write_text("1\n2\nnan\ninf\n" * 30)
    Path("words.txt").write_text("1\n2\nthe cat sat\n")
    Path("grouped.txt").write_text("1_000\n")
    Path("empty.txt").write_text("")
    Path("late.csv").write_text("t,x\n" + "".join(f"{t},7\n" for t in [*range(60), *range(9)]))
    return tmp_path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["study", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    done = invoke(*arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


@compiled
@pytest.mark.parametrize(
    "arguments",
    [("henon.csv", "--column", "x"), ("henon.txt",), ("henon.npy",), ("two.npz", "--column", "henon")],
)
def test_every_kind_of_file_gives_the_same_answer(folder: Path, arguments: tuple[str, ...]) -> None:
    answer = told(*arguments)
    assert (answer["file"], answer["samples"], answer["regime"]) == (arguments[0], 600, "chaotic")
    assert (answer["first"], answer["stop"], answer["step"], answer["remarks"]) == (0, 600, None, [])
    dimension = answer["correlation_dimension"]
    assert list(dimension) == ["value", "low", "high", "r2", "p", "missing"]
    assert dimension["low"] < 1.22 < dimension["high"]
    assert dimension["p"] is None
    assert answer["false_neighbours"]["value"] == 2


def test_what_is_missing_is_said(folder: Path) -> None:
    delay = told("few.txt")["delay"]
    assert delay.pop("missing") == "needs 50 samples, got 10"
    assert delay == dict.fromkeys(("value", "low", "high", "r2", "p"))
    assert told("holes.txt")["delay"]["missing"].startswith(
        "60 of 120 samples are not finite, the first at 3"
    )


def test_times_come_from_another_column(folder: Path) -> None:
    answer = told("late.csv", "--column", "x", "--at", "t")
    assert (answer["samples"], answer["first"], answer["stop"], answer["step"]) == (69, 0, 60, 1)
    assert answer["remarks"] == ["time goes backwards after sample 60"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument"),
        (("none.csv",), "none.csv: cannot be read (No such file or directory); name a file"),
        (("henon.csv",), "henon.csv: it has 3 columns; name one of 'day', 'time', 'x'"),
        (("henon.csv", "--column", "y"), "henon.csv: no column 'y'; there is 'day', 'time', 'x'"),
        (("henon.csv", "--column", "x", "--at", "z"), "henon.csv: no column 'z'; there is"),
        (("henon.txt", "--at", "t"), "henon.txt: a text has no column 't'"),
        (
            ("words.txt",),
            "words.txt: line 3: 'the cat sat' is no number; a number on each line, or a .csv file",
        ),
        (("grouped.txt",), "grouped.txt: line 1: '1_000' is no number"),
        (("empty.txt",), "empty.txt: it holds no values; a number on each line"),
        (("two.npz",), "two.npz: it has 2 arrays; name one of 'henon', 'wide'"),
        (("two.npz", "--column", "wide"), "x must be one series of numbers [n]"),
        (("henon.npy", "--longest", "599"), "x must hold 1 to 599 samples, not 600"),
        (("-", "--at", "t"), "'-' (standard input) can be read once; --at needs a file"),
    ],
)
def test_what_cannot_be_studied_is_refused_with_status_2(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in re.sub(r"\s*│\s*", " ", done.stderr)
    assert done.stdout == ""


@pytest.mark.process
def test_the_command_as_a_process_reads_a_pipe_and_says_one_object(folder: Path) -> None:
    process = jobs.start("flows", "study", "-")
    (answer,) = jobs.finish(process, Path("few.txt").read_bytes(), seconds=120)
    assert (answer["file"], answer["samples"], answer["regime"]) == ("-", 10, "undetermined")
    process = jobs.start("flows", "study", "-")
    out, err = process.communicate(b"1\nx\n", timeout=120)
    assert (process.returncode, out) == (2, b"")
    assert err == b"standard input: line 2: 'x' is no number; a number on each line, or a .csv file\n"


@compiled
@pytest.mark.process
def test_a_person_sees_a_table(folder: Path) -> None:
    child = pexpect.spawn(
        sys.executable, ["-m", "flows", "study", str(folder / "henon.csv"), "--column", "x", "--at", "time"],
        cwd=str(jobs.ROOT), env=jobs.environment() | {"TERM": "xterm-256color"},
        dimensions=(60, 160), encoding="utf-8", timeout=120,
    )  # fmt: skip
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", child.read())
    child.close()
    assert child.exitstatus == 0
    for shown in (
        r"samples +600 .*henon\.csv", r"regime +chaotic +confidence 0\.\d+", r"delay +1 +samples",
        r"dimension, false neighbours +2 *\r\n",
        r"exponent, Rosenstein +0\.4\d* .*, 1\.\d+ in a unit of time",
        r"correlation dimension +1\.\d+ +1\.\d+ to 1\.\d+ \(nominal 95 %\)", r"0-1 test +\d",
    ):  # fmt: skip
        assert re.search(shown, screen), shown
    assert "{" not in screen
