"""Libraries of patterns in NPZ files: each array a series, under its name.

Speaks     NPZ, of one-dimensional arrays of integers or floats
Direction  source, read at once, while a policy is read
Emits      the values of each pattern
Delivery   once: a file is read whole, or refused whole
Parallel   none
Needs      nothing

Strategy. A library comes from outside, so nothing of it is unpacked before its sizes have been read from
the headers, and nothing in it is ever run: arrays of objects are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError

import numpy as np
from numpy.lib import format as npy

__all__ = ["read"]

_LARGEST = 1 << 26  # bytes of a library, packed and unpacked
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def read(path: Path, longest: int) -> dict[str, tuple[float, ...]]:
    """The arrays of an NPZ file, in its order: each the values of a pattern, under its name.

    :raises ValueError: If the file cannot be read, is larger than 64 MiB packed or unpacked, is no NPZ, has
        no array or two of one name, or an array that is not one series of 2 to `longest` finite numbers
        under a name of up to 64 of ``a-z 0-9 _ -``.
    """
    where = f"pattern library {str(path)!r}"
    try:
        if path.stat().st_size > _LARGEST:
            msg = f"{where} must have {_LARGEST >> 20} MiB at most"
            raise ValueError(msg)
        with ZipFile(path) as file:
            return dict(_series(where, file, longest))
    except (OSError, BadZipFile, EOFError, ZlibError, NotImplementedError, RuntimeError) as error:
        msg = f"{where} must be an NPZ file: {error}"
        raise ValueError(msg) from error


def _series(where: str, file: ZipFile, longest: int) -> Iterator[tuple[str, tuple[float, ...]]]:
    entries = file.infolist()
    names = [entry.filename.removesuffix(".npy") for entry in entries]
    wrong = ""
    if not entries:
        wrong = "at least one array"
    elif len(set(names)) < len(names):
        wrong = "each name once"
    elif sum(entry.file_size for entry in entries) > _LARGEST:
        wrong = f"{_LARGEST >> 20} MiB at most when it is unpacked"
    if wrong:
        msg = f"{where} must have {wrong}"
        raise ValueError(msg)
    for name, entry in zip(names, entries, strict=True):
        array = f"{where}: array {name!r}"
        if not _NAME.fullmatch(name):
            msg = f"{array} must have a name of up to 64 of a-z, 0-9, _ and -, a letter or digit first"
            raise ValueError(msg)
        yield name, _values(array, file, entry, longest)


def _values(where: str, file: ZipFile, entry: ZipInfo, longest: int) -> tuple[float, ...]:
    with file.open(entry) as stream:
        try:
            shape, dtype = _header(stream)
        except (ValueError, SyntaxError, TypeError, TokenError, RecursionError, MemoryError) as error:
            msg = f"{where} must be in NPY format: {error}"
            raise ValueError(msg) from error
        if dtype.kind not in "fiu" or len(shape) != 1 or not 2 <= shape[0] <= longest:
            msg = f"{where} must be one series of 2 to {longest} numbers, not {dtype}{list(shape)}"
            raise ValueError(msg)
        data = stream.read(shape[0] * dtype.itemsize + 1)
    if len(data) != shape[0] * dtype.itemsize:
        msg = f"{where} must be whole: {shape[0]} numbers, and nothing behind them"
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        values = np.frombuffer(data, dtype).astype(np.float64)
    if not np.isfinite(values).all():
        msg = f"{where} must have finite numbers only"
        raise ValueError(msg)
    return tuple(values.tolist())


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of an array, from what stands before it."""
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(stream)
    else:
        msg = f"version {version[0]}.{version[1]} is for arrays with other names than ASCII"
        raise ValueError(msg)
    return shape, dtype
