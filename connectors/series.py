"""Series and texts out of files, for what compares them.

Speaks     CSV (``.csv``, with tabs ``.tsv``), NPY and NPZ; every other file is text in UTF-8
Direction  source, read at once
Emits      a string, or an array of integers or floats
Delivery   once: a file is read whole, or refused whole
Parallel   none
Needs      nothing

Strategy. A wrong number that looks right is the worst that reading can do, so nothing is guessed or filled
in: a missing value, text among numbers, a row with a cell too many end the reading, with the line they
stand on. Nothing in a file is trusted either: no pickle is opened, and an array takes no more memory than
its file has bytes, whatever its header says.
"""

from __future__ import annotations

import csv
import io
import math
import re
import sys
import zipfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_BYTES", "read"]

MAX_BYTES = 256 << 20
"""Bytes of a file, and of an array in an NPZ, at most."""

_STDIN = "-"
_NPY, _NPZ = b"\x93NUMPY", b"PK\x03\x04"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEADER = re.compile(
    r"\{'descr': ([^\n]+), 'fortran_order': (False|True), 'shape': \(([0-9, ]{0,99})\), *\}\s*"
)
_TYPE = re.compile(r"'[<>|=](?:[iu][1248]|f[248])'")
"""A format's description of itself, as NumPy and all that imitate it write it."""
_BEGUN = re.compile(r"[+-]?(?:\.?[0-9]|(?:inf|infinity|nan)\Z)", re.IGNORECASE)
"""What is no name of a column, even where it is no number either."""
_WHOLE = 1 << 63
_SHOWN = 40
"""Characters of a cell, and names, that a message shows."""
_MISSING = {"", "-", "?", "na", "n/a", "nan", "nil", "none", "null"}
_Array = NDArray[Any]


def read(path: str, column: str | None = None) -> str | _Array:
    """The series, or the text, in a file.

    Parameters
    ----------
    path : str
        The file; its ending says what it is. ``"-"`` is standard input, which can be read once: NPY and
        NPZ are known by their first bytes, with a `column` it is CSV, else text.
    column : str, optional
        CSV: a name in the header, or a number, the first column being 1; needed where there are several.
        The first line is a header if none of its cells is a number, and `column` is the name of one; or
        if none begins like a number, or is an infinity or ``nan``, and the column's own does not say that
        a value is missing (``NA``, nothing, ...). NPZ: the name of an array, needed where there are
        several. NPY: the number of a column of a table.

    Returns
    -------
    str or int64[n], float64[n], number[n, d]
        The characters of a text, all of them but a byte order mark. A column: integers if all its
        values are integers of 64 bits. NPY and NPZ: the array as it is stored, an integer or a float
        type, read-only.

    Raises
    ------
    ValueError
        ``file: line: what was wrong; what would be right``, if the file cannot be read, is larger than
        256 MiB, is not what its ending says, has no such column, or no series in it.
    """
    name = "standard input" if path == _STDIN else path
    data, kind = _bytes(path, name), _kind(path)
    if path == _STDIN:
        if data.startswith((_NPY, _NPZ)):
            kind = ".npy" if data.startswith(_NPY) else ".npz"
        elif column is not None:
            kind = ".csv"
    if kind in {".csv", ".tsv"}:
        return _numbers(name, _cells(name, data, "\t" if kind == ".tsv" else ",", column))
    if kind == ".npz":
        return _archived(name, data, column)
    if kind == ".npy":
        return _of_table(name, _array(name, data), column)
    if column is not None:
        _refuse(name, f"a text has no column {column!r}", "a .csv, .tsv, .npy or .npz file")
    return _text(name, data)


def _kind(path: str) -> str:
    return Path(path).suffix.lower()


def _refuse(where: str, wrong: str, right: str) -> NoReturn:
    msg = f"{where}: {wrong}; {right}"
    raise ValueError(msg)


def _bytes(path: str, name: str) -> bytes:
    if path == _STDIN and sys.stdin is None:
        _refuse(name, "it is closed", "name a file")
    try:
        if path == _STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        _refuse(name, f"cannot be read ({error.strerror})", "name a file that can be")
    if len(data) > MAX_BYTES:
        _refuse(name, f"it is larger than {MAX_BYTES >> 20} MiB", "cut it into smaller ones")
    return data


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        known = "UTF-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else f"byte 0x{data[error.start]:02x}"
        _refuse(f"{name}: line {line}", f"no UTF-8 ({known})", "convert it to UTF-8 (iconv)")


def _cells(name: str, data: bytes, comma: str, column: str | None) -> Iterator[tuple[int, str]]:
    """The cells of a column, each with its line."""
    lines = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
    reader = csv.reader(lines, delimiter=comma, strict=True)
    place, wide, blank = -1, 0, 0
    try:
        for row in reader:
            if not row:
                blank = blank or reader.line_num
                continue
            if blank:
                _refuse(f"{name}: line {blank}", "it is empty", "a value on each line")
            if not wide:
                wide, first = len(row), [cell.strip() for cell in row]
                header = _is_header(first, column)
                place = _place(name, first, header, column)
                if header and (first[place] == column or first[place].lower() not in _MISSING):
                    continue
            elif len(row) != wide:
                _refuse(f"{name}: line {reader.line_num}", f"{len(row)} cells", f"the first line has {wide}")
            yield reader.line_num, row[place].strip()
    except csv.Error as error:
        _refuse(f"{name}: line {reader.line_num}", f"no CSV ({error})", "see RFC 4180")
    except UnicodeDecodeError:
        _text(name, data)  # knows the line


def _is_header(first: list[str], column: str | None) -> bool:
    """Whether the first line may hold names. What begins like a number is rather one with a fault in it,
    unless it is the name that was asked for.
    """
    if column in first:
        return not any(map(_NUMBER.fullmatch, first))
    return not any(map(_BEGUN.match, first))


def _place(name: str, first: list[str], header: bool, column: str | None) -> int:
    """Where the column stands in each row."""
    known = _listed(first) if header else f"1 to {len(first)}"
    if column is None:
        if len(first) > 1:
            _refuse(name, f"it has {len(first)} columns", f"name one of {known}")
        return 0
    if header and column in first:
        if first.count(column) > 1:
            _refuse(name, f"several columns are named {column!r}", "name it by its number")
        return first.index(column)
    if _INTEGER.fullmatch(column) and 1 <= int(column) <= len(first):
        return int(column) - 1
    _refuse(name, f"no column {column!r}", f"there is {known}")


def _listed(names: list[str]) -> str:
    return ", ".join([repr(each[:_SHOWN]) for each in names[:_SHOWN]] + ["..."] * (len(names) > _SHOWN))


def _numbers(name: str, cells: Iterator[tuple[int, str]]) -> _Array:
    floats, integers, whole = array("d"), array("q"), True
    for line, cell in cells:
        if _NUMBER.fullmatch(cell) is None:
            told = repr(cell[:_SHOWN])
            wrong = f"a value is missing ({told})" if cell.lower() in _MISSING else f"{told} is no number"
            _refuse(f"{name}: line {line}", wrong, "a finite number, with a point, in each row")
        floats.append(float(cell))
        if math.isinf(floats[-1]):
            _refuse(f"{name}: line {line}", f"{cell[:_SHOWN]!r} is too large", "a number up to 1.7e308")
        whole = whole and len(cell) <= _SHOWN and _INTEGER.fullmatch(cell) is not None
        whole = whole and -_WHOLE <= int(cell) < _WHOLE
        if whole:
            integers.append(int(cell))
    if not floats:
        _refuse(name, "it holds no values", "a value on each line")
    return np.array(integers if whole else floats)


def _of_table(name: str, table: _Array, column: str | None) -> _Array:
    if column is None:
        return table
    wide = table.shape[1] if table.ndim == 2 else 0
    if not wide:
        _refuse(name, f"no column {column!r}", "it is one series: name none")
    if not (_INTEGER.fullmatch(column) and 1 <= int(column) <= wide):
        _refuse(name, f"no column {column!r}", f"there is 1 to {wide}")
    return table[:, int(column) - 1]


def _archived(name: str, data: bytes, column: str | None) -> _Array:
    with _broken(name):
        archive = zipfile.ZipFile(io.BytesIO(data))
    names = [each.removesuffix(".npy") for each in archive.namelist() if each.endswith(".npy")]
    if column is None and len(names) == 1:
        column = names[0]
    if column not in names:
        wrong = f"it has {len(names)} arrays" if column is None else f"no array {column!r}"
        _refuse(name, wrong, f"name one of {_listed(names)}" if names else "np.savez makes them")
    with _broken(name), archive.open(f"{column}.npy") as member:
        stored = member.read(MAX_BYTES + 1)
    if len(stored) > MAX_BYTES:
        _refuse(f"{name}: {column}", f"it is larger than {MAX_BYTES >> 20} MiB", "cut it into smaller ones")
    return _array(f"{name}: {column}", stored)


@contextmanager
def _broken(name: str) -> Iterator[None]:
    """Of a broken archive `zipfile` raises whatever the bytes lead it to, half a dozen errors at least."""
    try:
        yield
    except Exception as error:
        _refuse(name, f"no NPZ ({error})", "np.savez makes one")


def _array(name: str, data: bytes) -> _Array:
    """The array in an NPY. Not `np.load`: it takes the memory that a header asks for before it looks, and
    evaluates the header.
    """
    wide = {b"\x01": 2, b"\x02": 4}.get(data[6:7], 0)
    begin = 8 + wide + int.from_bytes(data[8 : 8 + wide], "little")
    found = _HEADER.fullmatch(data[8 + wide : begin].decode("latin-1"))
    if not (data.startswith(_NPY) and wide and found):
        _refuse(name, "no NPY", "np.save makes one")
    told, by_column, sizes = found.groups()
    shape = [int(size) for size in re.findall("[0-9]+", sizes)]
    if _TYPE.fullmatch(told) is None or len(shape) not in {1, 2}:
        _refuse(
            name, f"an array of {told[:_SHOWN]}, ({sizes[:_SHOWN]})", "integers or floats, (n,) or (n, d)"
        )
    if not min(shape):
        _refuse(name, "the array is empty", "a value or more")
    dtype, count = np.dtype(told[1:-1]), math.prod(shape)
    if count * dtype.itemsize > len(data) - begin:
        _refuse(name, f"it ends before its {count:,} values", "write it again")
    values: _Array = np.frombuffer(data, dtype, count, begin)
    return values.reshape(shape, order="F" if by_column == "True" else "C")
