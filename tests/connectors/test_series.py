"""Series out of files: what is in them, and nothing that is not."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from connectors import series
from connectors.series import read


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(name: str, data: bytes | str) -> str:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)

    return written


def _npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values, allow_pickle=True)
    return out.getvalue()


def _npz(**named: Any) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **named)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "text", "column", "expected"),
    [
        ("a.csv", "1\n2\n3\n", None, [1, 2, 3]),
        ("a.csv", "price\n1\n2", None, [1, 2]),
        ("a.csv", "\ufeffprice\r\n1\r\n2\r\n", "price", [1, 2]),
        ("a.CSV", "day,price,volume\nmon,1.5,3\ntue,2.5,4\n", "price", [1.5, 2.5]),
        ("a.csv", "day,price,volume\nmon,1.5,3\ntue,2.5,4\n", "3", [3, 4]),
        ("a.csv", "mon,1.5\ntue,2\n", "2", [1.5, 2.0]),
        ("a.csv", '"a, b", c\n"x\ny",1\nz,2\n', "c", [1, 2]),
        ("a.tsv", "a\tb\n1,5\t-2e-3\n\t+.5\n", "b", [-0.002, 0.5]),
        ("a.csv", "2,1\nx,y\n1,5\n".replace("x,y\n", ""), "2", [1, 5]),
        ("a.csv", "x\n1\n2\n\n\n", None, [1, 2]),
        ("a.csv", ",close\n0,1.5\n1,2.5\n", "close", [1.5, 2.5]),  # as pandas writes an index
        ("a.csv", ",close\n0,1.5\n1,2.5\n", "2", [1.5, 2.5]),
        ("a.csv", "time,Na,5min\n0,1,2\n1,3,4\n", "Na", [1, 3]),
        ("a.csv", "time,Na,5min\n0,1,2\n1,3,4\n", "5min", [2, 4]),
        ("a.csv", "info\n1\n2\n", None, [1, 2]),
        ("a.csv", f"{2**63 - 1}\n{-(2**63)}\n", None, [2**63 - 1, -(2**63)]),
        ("a.csv", f"{2**63}\n1\n", None, [2.0**63, 1.0]),
        ("a.csv", f"{'0' * 5000}1\n2\n", None, [1.0, 2.0]),
    ],
)
def test_a_column_is_read_by_its_name_or_number(
    write: Any, name: str, text: str, column: str | None, expected: list[float]
) -> None:
    found = read(write(name, text), column)
    assert found.dtype == (np.int64 if all(isinstance(each, int) for each in expected) else np.float64)
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("name", "data", "column", "wrong"),
    [
        ("a.csv", "x\n1\n\n2\n", None, "line 3: it is empty; a value on each line"),
        ("a.csv", "x,y\n1,2\n3,\n", "y", "line 3: a value is missing (''); a finite number"),
        ("a.csv", "x\n1\nNA\n", None, "line 3: a value is missing ('NA'); a finite number"),
        ("a.csv", "x\n1\nnan\n", None, "line 3: a value is missing ('nan')"),
        ("a.csv", "x\n1\ninf\n", None, "line 3: 'inf' is no number"),
        ("a.csv", "\n\nx\n1\n", None, "line 1: it is empty; a value on each line"),
        ("a.csv", "\n", None, "it holds no values; a value on each line"),
        ("a.csv", " \n1\n2\n", None, "line 1: a value is missing ('')"),
        ("a.csv", "nan\n1\n2\n3\n", None, "line 1: a value is missing ('nan'); a finite number"),
        ("a.csv", "?\n1\n2\n", None, "line 1: a value is missing ('?')"),
        ("a.csv", "NA\n4\n5\n", None, "line 1: a value is missing ('NA')"),
        ("a.csv", '""\n4\n5\n', None, "line 1: a value is missing ('')"),
        ("a.csv", "mon,NA\ntue,5\n", "2", "line 1: a value is missing ('NA')"),
        ("a.csv", "inf\n1\n", None, "line 1: 'inf' is no number"),
        ("a.csv", "-Infinity\n1\n", None, "line 1: '-Infinity' is no number"),
        ("a.csv", "-nan\n1\n", None, "line 1: '-nan' is no number"),
        ("a.csv", "1.5e3x\n2\n3\n", None, "line 1: '1.5e3x' is no number"),
        ("a.csv", "2024-01-02,abc\n2024-01-03,5\n", "2", "line 1: 'abc' is no number"),
        ("a.csv", "-.5.\n2\n", None, "line 1: '-.5.' is no number"),
        ("a.csv", "x\n1_000\n", None, "line 2: '1_000' is no number"),
        ("a.csv", "x\n١\n", None, "line 2: '١' is no number"),
        ("a.csv", "x\n1e999\n", None, "line 2: '1e999' is too large; a number up to"),
        ("a.csv", 'x,y\n"a\nb",1\nc,two\n', "y", "line 4: 'two' is no number"),
        ("a.csv", "x\n1,5\n", None, "line 2: 2 cells; the first line has 1"),
        ("a.csv", "x,y\n1\n", "x", "line 2: 1 cells; the first line has 2"),
        ("a.csv", "x,y\n1,2\n", None, "it has 2 columns; name one of 'x', 'y'"),
        ("a.csv", "1,2\n", None, "it has 2 columns; name one of 1 to 2"),
        ("a.csv", "x,y\n1,2\n", "z", "no column 'z'; there is 'x', 'y'"),
        ("a.csv", "x,y\n1,2\n", "0", "no column '0'; there is 'x', 'y'"),
        ("a.csv", "1,2\n", "x", "no column 'x'; there is 1 to 2"),
        ("a.csv", "x,x\n1,2\n", "x", "several columns are named 'x'; name it by its number"),
        ("a.csv", "", None, "it holds no values; a value on each line"),
        ("a.csv", "x\n", None, "it holds no values"),
        ("a.csv", 'x\n"1\n', None, "line 2: no CSV (unexpected end of data)"),
        ("a.csv", b"x\n1\n2\xe9\n", None, "line 3: no UTF-8 (byte 0xe9); convert it"),
        ("a.txt", b"one\ntwo \xff\n", None, "line 2: no UTF-8 (byte 0xff); convert it"),
        ("a.txt", "\ufeffone".encode("utf-16"), None, "line 1: no UTF-8 (UTF-16); convert it"),
        ("a.txt", "one", "x", "a text has no column 'x'; a .csv"),
        ("a.npy", b"text", None, "no NPY; np.save makes one"),
        ("a.npy", b"\x93NUMPY\x07\x00", None, "no NPY; np.save makes one"),
        ("a.npy", _npy([1.0, 2.0])[:-1], None, "it ends before its 2 values; write it again"),
        ("a.npy", _npy([1j]), None, "an array of '<c16', (1,); integers or floats"),
        ("a.npy", _npy([True]), None, "an array of '|b1', (1,); integers or floats"),
        ("a.npy", _npy([[[1.0]]]), None, "an array of '<f8', (1, 1, 1); integers or floats"),
        ("a.npy", _npy(1.0), None, "an array of '<f8', (); integers or floats"),
        ("a.npy", _npy([]), None, "the array is empty; a value or more"),
        ("a.npy", _npy([1.0]), "1", "no column '1'; it is one series"),
        ("a.npy", _npy([[1.0, 2.0]]), "3", "no column '3'; there is 1 to 2"),
        ("a.npz", b"text", None, "no NPZ ("),
        ("a.npz", _npz(a=[1], b=[2]), None, "it has 2 arrays; name one of 'a', 'b'"),
        ("a.npz", _npz(a=[1], b=[2]), "c", "no array 'c'; name one of 'a', 'b'"),
        ("a.npz", _npz(), None, "it has 0 arrays; np.savez makes them"),
        ("a.npz", _npz(a=[1])[:-30], None, "no NPZ ("),
        ("a.npz", _npz(a=np.array([{}], object)), None, ": a: an array of '|O', (1,); integers or floats"),
    ],
)
def test_what_is_no_series_is_refused_with_its_place(
    write: Any, name: str, data: bytes | str, column: str | None, wrong: str
) -> None:
    path = write(name, data)
    with pytest.raises(ValueError, match="; ") as refused:
        read(path, column)
    assert str(refused.value).startswith(path)
    assert wrong in str(refused.value)


def test_an_array_that_claims_more_than_its_file_holds_takes_no_memory(write: Any) -> None:
    claims = _npy(np.zeros(2)).replace(b"(2,), }" + b" " * 13, b"(99999999999999,), }", 1)
    with pytest.raises(ValueError, match="it ends before its 99,999,999,999,999 values"):
        read(write("a.npy", claims))


def test_no_pickle_is_opened(write: Any) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return pytest.fail, ("a pickle was opened",)

    data = _npy(np.array([Trap(), Trap()], object))
    for name, stored in (("a.npy", data), ("a.npz", _zipped(data))):
        with pytest.raises(ValueError, match=r"an array of .\|O"):
            read(write(name, stored))


def _zipped(stored: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", stored)
    return out.getvalue()


@given(
    arrays.arrays(
        arrays.integer_dtypes()
        | arrays.unsigned_integer_dtypes()
        | arrays.floating_dtypes(sizes=(16, 32, 64)),
        arrays.array_shapes(min_dims=1, max_dims=2, max_side=5),
    ),
    st.booleans(),
)
def test_an_array_comes_back_as_it_was_saved(tmp_path_factory: Any, values: Any, by_column: bool) -> None:
    values = np.asfortranarray(values) if by_column else values
    folder = tmp_path_factory.mktemp("saved")
    (folder / "a.npy").write_bytes(_npy(values))
    (folder / "a.npz").write_bytes(_npz(x=values, y=[0]))
    for found in (read(str(folder / "a.npy")), read(str(folder / "a.npz"), "x")):
        assert not isinstance(found, str)
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)


def test_a_column_of_a_table_is_read_by_its_number(write: Any) -> None:
    found = read(write("a.npy", _npy(np.array([[1, 2], [3, 4]]))), "2")
    assert not isinstance(found, str)
    assert found.tolist() == [2, 4]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.booleans())
def test_numbers_that_python_writes_are_read_exactly(
    tmp_path_factory: Any, values: list[float], header: bool
) -> None:
    path = tmp_path_factory.mktemp("written") / "a.csv"
    path.write_text("\n".join(["x"] * header + [repr(value) for value in values]))
    found = read(str(path))
    assert not isinstance(found, str)
    assert found.tolist() == values


@pytest.mark.parametrize("fault", ["", "-", "?", "NA", "n/a", "nan", "None", "NULL", "inf", "1_0", "2 x"])
@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_fault_is_refused_wherever_it_stands(write: Any, fault: str, line: int) -> None:
    rows = [f"{day},7" for day in "abc"]
    rows[line - 1] = f"d,{fault}"
    with pytest.raises(ValueError, match=f"a.csv: line {line}: "):
        read(write("a.csv", "\n".join(rows)), "2")


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".npy", ".npz", ".txt"]), st.data())
def test_bytes_of_any_kind_are_read_or_refused(
    tmp_path_factory: Any, data: bytes, kind: str, drawn: st.DataObject
) -> None:
    whole = {".npy": _npy([[1.0, 2.0]]), ".npz": _npz(a=[1])}.get(kind, b"x,y\n1,2\n3,4\n")
    at = drawn.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("any") / f"a{kind}"
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    for column in (None, "1"):
        try:
            found = read(str(path), column)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 - it may be read as well
        else:
            assert len(found) or kind == ".txt"


def test_the_characters_of_a_text_are_all_there(write: Any) -> None:
    assert read(write("a.txt", "one\r\ntwo 😀\n\n")) == "one\r\ntwo 😀\n\n"
    assert read(write("noending", "\ufeffone")) == "one"


@pytest.mark.parametrize(
    ("data", "column", "expected"),
    [
        (b"one two\n", None, "one two\n"),
        (b"x,y\n1,2\n", "y", [2]),
        (_npy([1, 2]), None, [1, 2]),
        (_npz(a=[1], b=[2]), "b", [2]),
    ],
)
def test_standard_input_is_known_by_its_bytes(
    monkeypatch: pytest.MonkeyPatch, data: bytes, column: str | None, expected: Any
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    found = read("-", column)
    assert (found if isinstance(found, str) else found.tolist()) == expected


def test_a_closed_standard_input_and_a_missing_file_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ValueError, match="standard input: it is closed; name a file"):
        read("-")
    for path, why in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ValueError, match=f"{path}: cannot be read .{why}"):
            read(str(path))


def test_what_is_too_large_is_refused(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MAX_BYTES", 2048)
    assert len(read(write("a.txt", "x" * 2048))) == 2048
    for name, data in (("a.txt", b"x" * 2049), ("a.npz", _npz(a=np.zeros(2048)))):
        with pytest.raises(ValueError, match="it is larger than"):
            read(write(name, data))


def test_an_archive_is_unpacked_no_further_than_it_may_be(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MAX_BYTES", 1 << 20)
    path = write("a.npz", _npz(a=np.zeros(1 << 22)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="a: it is larger than 1 MiB"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()
