"""Reference series to look for in a signal: what one must be, whether it comes from a policy, from an order
to a running job or from a library in an NPZ file.

Strategy. A library comes from outside, so nothing of it is unpacked before its sizes have been read from
the headers, and nothing in it is ever run: arrays of objects are refused.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError

import numpy as np
from numpy.lib import format as npy

from operators.kernels.windows import is_flat
from operators.packet import Shape, Signal

__all__ = ["LONGEST", "Pattern", "pattern_of", "read"]

LONGEST = 4096
"""Values of a pattern."""
_LONGEST_LIVE = 512  # of one that comes with a packet
_SIGNALS = frozenset(map(int, Signal))
_LARGEST = 1 << 26  # bytes of a library, packed and unpacked
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A reference series to look for in one signal.

    :raises ValueError: If it cannot be looked for; the message names it and says what it must have.
    """

    name: str
    signal: int
    """The series it is looked for in (``operators.packet.Signal``)."""
    values: tuple[float, ...]
    """In units of the signal; 2 to `LONGEST`."""
    within: float
    """Matches up to this distance: squared differences along the warping path, summed, divided by the
    number of `values`. In squared units of the signal; if `normalised`, in squared deviations."""
    code: int
    """The ``code`` of its findings: in a policy, the place of `name` in its names."""
    normalised: bool = False
    """Whether pattern and windows are brought to mean 0 and deviation 1 first. Windows are as long as the
    pattern; one that is constant but for rounding matches nothing."""
    radius: int = -1
    """How far a window may be warped, in samples (Sakoe-Chiba); -1: a tenth of its length, rounded up."""

    def __post_init__(self) -> None:
        wrong = ""
        if not 2 <= len(self.values) <= LONGEST or not all(map(math.isfinite, self.values)):
            wrong = f"2 to {LONGEST} values, all of them finite"
        elif not 0 <= self.signal <= 255:
            wrong = f"a signal of 0 to 255, not {self.signal}"
        elif not (math.isfinite(self.within) and self.within >= 0):
            wrong = f"a finite distance of 0 or more as within, not {self.within}"
        elif self.radius < -1:
            wrong = f"a radius of 0 or more, or -1, not {self.radius}"
        elif self.radius >= 0 and not self.normalised:
            wrong = "no radius unless it is normalised: as it stands it is found at any speed"
        elif self.normalised and is_flat(self.values):
            wrong = "values that vary: a constant has no form to look for"
        if wrong:
            msg = f"pattern {self.name!r} must have {wrong}"
            raise ValueError(msg)


def pattern_of(shape: Shape, code: int = 0) -> Pattern:
    """The pattern that a shape makes.

    :raises ValueError: If a running job cannot look for it: it is no pattern, or too dear.
    """
    try:
        signal, radius = operator.index(shape.signal), operator.index(shape.radius)
        values = tuple(map(float, shape.values))
        made = Pattern(shape.name, signal, values, float(shape.within), code, bool(shape.normalised), radius)
    except (TypeError, OverflowError) as error:
        msg = f"pattern {shape.name!r} must have numbers: {error}"
        raise ValueError(msg) from error
    wrong = ""
    if len(values) > _LONGEST_LIVE:
        wrong = f"{_LONGEST_LIVE} values at most, not {len(values)}"
    elif radius > max(len(values) // 4, 1):
        wrong = f"a radius of a quarter of its length at most, not {radius}"
    elif signal not in _SIGNALS:
        wrong = f"a signal that is known, not {signal}"
    if wrong:
        msg = f"pattern {shape.name!r} must have {wrong}"
        raise ValueError(msg)
    return made


def read(path: Path) -> dict[str, tuple[float, ...]]:
    """The arrays of an NPZ file, in its order: each the values of a pattern, under its name.

    :raises ValueError: If the file cannot be read, is larger than 64 MiB packed or unpacked, is no NPZ, has
        no array or two of one name, or an array that is not one series of 2 to `LONGEST` finite numbers
        under a name of up to 64 of ``a-z 0-9 _ -``.
    """
    where = f"pattern library {str(path)!r}"
    try:
        if path.stat().st_size > _LARGEST:
            msg = f"{where} must have {_LARGEST >> 20} MiB at most"
            raise ValueError(msg)
        with ZipFile(path) as file:
            return dict(_series(where, file))
    except (OSError, BadZipFile, EOFError, ZlibError, NotImplementedError, RuntimeError) as error:
        msg = f"{where} must be an NPZ file: {error}"
        raise ValueError(msg) from error


def _series(where: str, file: ZipFile) -> Iterator[tuple[str, tuple[float, ...]]]:
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
        yield name, _values(array, file, entry)


def _values(where: str, file: ZipFile, entry: ZipInfo) -> tuple[float, ...]:
    with file.open(entry) as stream:
        try:
            shape, dtype = _header(stream)
        except (ValueError, SyntaxError, TypeError, TokenError, RecursionError, MemoryError) as error:
            msg = f"{where} must be in NPY format: {error}"
            raise ValueError(msg) from error
        if dtype.kind not in "fiu" or len(shape) != 1 or not 2 <= shape[0] <= LONGEST:
            msg = f"{where} must be one series of 2 to {LONGEST} numbers, not {dtype}{list(shape)}"
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
