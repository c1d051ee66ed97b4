"""``midstream compare``: two files in, one answer out, for a person and for a program."""

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
from operators.compare import ALGORITHMS
from tests.flows import jobs

FIRST, SECOND = [0.0, 1.0, 2.0, 1.0], [0.0, 0.0, 1.0, 2.0]
TABLE = "day,price,volume\nmon,0,5\ntue,1,6\nwed,2,7\nthu,1,8\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(TABLE)
    Path("b.csv").write_text("day,price,close\nmon,9,0\ntue,9,0\nwed,9,1\nthu,9,2\n")
    np.save("b.npy", np.array(SECOND))
    np.savez("c.npz", close=np.array(SECOND), wide=np.ones((4, 2)))
    Path("kitten.txt").write_text("kitten")
    Path("sitting.txt").write_text("sitting")
    Path("said.txt").write_text("the old  cat\nsat")
    Path("meant.txt").write_text("the cat sat\n")
    return tmp_path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    done = invoke(*arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("arguments", "distance", "lengths"),
    [
        (("kitten.txt", "sitting.txt", "--algorithm", "edit"), 3, [6, 7]),
        (("kitten.txt", "sitting.txt", "--algorithm", "lcs"), 3, [6, 7]),
        (("said.txt", "meant.txt", "--algorithm", "edit", "--words"), 1, [4, 3]),
        (("a.csv", "b.csv", "--column", "price", "--column-b", "close", "--algorithm", "dtw"), 1, [4, 4]),
        (("a.csv", "b.csv", "--column", "2", "--column-b", "3", "--algorithm", "dtw"), 1, [4, 4]),
        (("a.csv", "b.npy", "--column", "price", "--column-b", "", "--algorithm", "dtw"), 1, [4, 4]),
        (("a.csv", "c.npz", "--column", "price", "--column-b", "close", "--algorithm", "dtw"), 1, [4, 4]),
        (("c.npz", "c.npz", "--column", "wide", "--algorithm", "dtw"), 0, [4, 4]),
        (("b.npy", "b.npy", "--algorithm", "euclidean"), 0, [4, 4]),
        (("b.npy", "b.npy", "--algorithm", "dtw", "--cost", "absolute", "--normalise"), 0, [4, 4]),
    ],
)
def test_files_and_columns_are_compared(
    folder: Path, arguments: tuple[object, ...], distance: float, lengths: list[int]
) -> None:
    answer = told(*arguments)
    assert list(answer) == ["a", "b", "algorithm", "distance", "similarity", "lengths", "alignment"]
    assert (answer["a"], answer["b"]) == arguments[:2]
    assert (answer["distance"], answer["lengths"], answer["alignment"]) == (distance, lengths, None)
    assert 0 < answer["similarity"] <= 1


def test_a_band_is_kept_to(folder: Path) -> None:
    columns = ("a.csv", "b.csv", "--column", "price", "--column-b", "close", "--algorithm", "dtw")
    assert [told(*columns, "--radius", radius)["distance"] for radius in (0, 1)] == [3, 1]


def test_the_alignment_is_told_when_it_is_wanted(folder: Path) -> None:
    answer = told(
        "a.csv", "c.npz", "--column", "price", "--column-b", "close", "--algorithm", "dtw", "--alignment"
    )
    cost = sum((FIRST[i] - SECOND[j]) ** 2 for i, j in answer["alignment"])
    assert cost == answer["distance"] == 1
    answer = told("kitten.txt", "sitting.txt", "--algorithm", "lcs", "--alignment")
    assert "".join("kitten"[i] for i, _ in answer["alignment"]) == "ittn"
    assert "".join("sitting"[j] for _, j in answer["alignment"]) == "ittn"


TEXTS = ("kitten.txt", "sitting.txt", "--algorithm")
TABLES = ("a.csv", "b.csv", "--algorithm", "dtw")
ARRAYS = ("b.npy", "b.npy", "--algorithm")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.csv", "b.csv"), "Missing option '--algorithm'"),
        (TABLES, "a.csv: it has 3 columns; name one of 'day', 'price', 'volume'"),
        ((*TABLES, "--column", "day"), "a.csv: line 2: 'mon' is no number; a finite number"),
        ((*TABLES, "--column", "price", "--column-b", "x"), "b.csv: no column 'x'; there is 'day'"),
        (("none.csv", *TABLES[1:]), "none.csv: cannot be read (No such file or directory); name a file"),
        ((*TEXTS, "dtw"), "x, the first sequence, must hold numbers: dtw compares no text"),
        ((*TEXTS, "telepathy"), f"no algorithm is named 'telepathy'; there is {', '.join(ALGORITHMS)}"),
        ((*TEXTS, "edit", "--radius", "3"), "edit knows no radius; it knows alignment"),
        ((*TEXTS, "edit", "--longest", "6"), "y, the second sequence, must hold 1 to 6 values, not 7"),
        ((*ARRAYS, "edit", "--words"), "b.npy: it holds numbers; --words is for texts"),
        ((*ARRAYS, "dtw", "--radius", "-1"), "radius must be a whole number of 0 or more, not -1"),
        ((*ARRAYS, "dtw", "--cost", "x"), "cost must be one of squared, absolute, not 'x'"),
        ((*ARRAYS, "dtw", "--column", "1"), "b.npy: no column '1'; it is one series"),
        (("-", "-", "--algorithm", "edit"), "'-' (standard input) can be read once"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_status_2(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in re.sub(r"\s*│\s*", " ", done.stderr)
    assert done.stdout == ""


@pytest.mark.process
def test_the_command_as_a_process_reads_a_pipe_and_says_one_object(folder: Path) -> None:
    process = jobs.start("flows", "compare", "-", folder / "sitting.txt", "--algorithm", "edit")
    (answer,) = jobs.finish(process, b"kitten", seconds=120)
    assert (answer["a"], answer["distance"], answer["similarity"]) == ("-", 3, pytest.approx(4 / 7))
    process = jobs.start("flows", "compare", "-", folder / "sitting.txt", "--algorithm", "edit")
    out, err = process.communicate(b"\xff", timeout=120)
    assert (process.returncode, out) == (2, b"")
    assert err == b"standard input: line 1: no UTF-8 (byte 0xff); convert it to UTF-8 (iconv)\n"


@pytest.mark.process
def test_a_person_sees_a_table(folder: Path) -> None:
    files = [str(folder / name) for name in ("kitten.txt", "sitting.txt")]
    child = pexpect.spawn(
        sys.executable, ["-m", "flows", "compare", *files, "--algorithm", "lcs", "--alignment"],
        cwd=str(jobs.ROOT), env=jobs.environment() | {"TERM": "xterm-256color"},
        dimensions=(40, 140), encoding="utf-8", timeout=120,
    )  # fmt: skip
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", child.read())
    child.close()
    assert child.exitstatus == 0
    for shown in (r"length +6 .*kitten", r"length +7 .*sitting", r"distance +3 +lcs", r"similarity +0\.5714"):
        assert re.search(shown, screen)
    assert re.search(r"alignment +1 - 1 *\r\n +2 - 2 *\r\n +3 - 3 *\r\n +5 - 5 *\r\n", screen)
    assert "{" not in screen
