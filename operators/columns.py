"""The state of a stage: named arrays indexed by row, which grow, are cleared, and travel as bytes.

A stage that keeps something about each lane (or stream) owns one :class:`Columns`. Rows come from the
directory; the stage calls :meth:`Columns.open` with the rows a packet opens before it reads a delta
and :meth:`Columns.close` with those it closes when it has done with it. Only rows between the two are
*live*, and only live rows are dumped.

Strategy. Growth doubles the number of rows, into zeroed memory that the system commits when it is
first written. The dumped form is versioned raw bytes, little endian, never a pickled class: a JSON
head (version, column names, dtypes, shapes, row numbers) and the live rows of each column.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson
from numpy.typing import DTypeLike, NDArray

__all__ = ["Columns", "framed", "unframed"]

_HEAD = struct.Struct("<I")


class Columns:
    """Arrays ``dtype[rows, *shape]`` under names. Indexing by name gives the whole array; growing
    replaces it, so take it anew in each ``update``.

    `reads` are the tables that the state is read with (a number in a column may be a place in them):
    a dump made with others is refused, whatever its shape.

    >>> state = Columns(1, total=(np.int64, ()), ring=(np.float64, (4,)))
    >>> state.open(np.array([0, 2])); state["total"][2] = 7
    >>> again = Columns(1, total=(np.int64, ()), ring=(np.float64, (4,))); again.load(state.dump())
    >>> again.live(), int(again["total"][2]), state.row_bytes
    (array([0, 2]), 7, 40)
    """

    def __init__(
        self,
        version: int,
        *,
        reads: Iterable[NDArray[Any] | bytes | int] = (),
        **spec: tuple[DTypeLike, tuple[int, ...]],
    ) -> None:
        self._version = version
        self._reads = 0
        for each in reads:
            data = each.tobytes() if isinstance(each, np.ndarray) else each
            self._reads = zlib.crc32(data if isinstance(data, bytes) else b"%d" % data, self._reads)
        self._arrays = {name: np.zeros((0, *shape), np.dtype(dtype)) for name, (dtype, shape) in spec.items()}
        self._live = np.zeros(0, np.bool_)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __len__(self) -> int:
        return len(self._live)

    @property
    def row_bytes(self) -> int:
        """Bytes of state per row."""
        return sum(array.dtype.itemsize * int(np.prod(array.shape[1:])) for array in self._arrays.values())

    def live(self) -> NDArray[np.int64]:
        """The rows in use, ascending."""
        return np.flatnonzero(self._live)

    def open(self, rows: NDArray[Any]) -> None:
        """Make `rows` (ints, distinct) live and zero; grow as far as they need."""
        if not len(rows):
            return
        need = int(rows.max()) + 1
        if need > len(self._live):
            self._grow(need)
        for array in self._arrays.values():
            array[rows] = 0
        self._live[rows] = True

    def close(self, rows: NDArray[Any]) -> None:
        """Make `rows` free: they are not dumped, and mean nothing until opened again."""
        if len(rows):
            self._live[rows] = False

    def dump(self) -> bytes:
        """All live rows, for :meth:`load` of a `Columns` with the same version and spec."""
        rows = self.live()
        head = orjson.dumps(
            {
                "version": self._version,
                "reads": self._reads,
                "columns": {
                    name: [array.dtype.str, list(array.shape[1:])] for name, array in self._arrays.items()
                },
                "rows": rows.tolist(),
            }
        )
        parts = [np.ascontiguousarray(array[rows]).tobytes() for array in self._arrays.values()]
        return b"".join([_HEAD.pack(len(head)), head, *parts])

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` was dumped with another version, other columns or other tables to
            read it with, or is cut.
        """
        names, at = _part(state, 0)
        head = orjson.loads(names)
        ours = {name: [array.dtype.str, list(array.shape[1:])] for name, array in self._arrays.items()}
        if head["version"] != self._version or head["columns"] != ours:
            msg = (
                f"state of version {head['version']} with columns {head['columns']} does not fit "
                f"version {self._version} with {ours}: settings that size the state were changed"
            )
            raise ValueError(msg)
        if head["reads"] != self._reads:
            msg = (
                "state made under another policy (other rules, patterns, thresholds or labels): go on with "
                "the policy that made it, or begin with a new recovery directory"
            )
            raise ValueError(msg)
        rows = np.array(head["rows"], np.int64)
        size = at + len(rows) * self.row_bytes
        if len(state) != size:
            msg = f"state of {len(state)} bytes, its head promises {size}"
            raise ValueError(msg)
        self.open(rows)
        for array in self._arrays.values():
            count = len(rows) * int(np.prod(array.shape[1:]))
            array[rows] = np.frombuffer(state, array.dtype, count, at).reshape(len(rows), *array.shape[1:])
            at += count * array.dtype.itemsize

    def _grow(self, need: int) -> None:
        size = max(need, 2 * len(self._live), 16)
        for name, array in self._arrays.items():
            grown = np.zeros((size, *array.shape[1:]), array.dtype)
            grown[: len(array)] = array
            self._arrays[name] = grown
        live = np.zeros(size, np.bool_)
        live[: len(self._live)] = self._live
        self._live = live


def framed(*parts: bytes) -> bytes:
    """Several dumps as one: each behind its length.

    >>> unframed(framed(b"a", b"", b"bc"))
    [b'a', b'', b'bc']
    """
    return b"".join(_HEAD.pack(len(part)) + part for part in parts)


def unframed(state: bytes) -> list[bytes]:
    """The dumps that :func:`framed` joined.

    :raises ValueError: If `state` is cut.
    """
    parts, at = [], 0
    while at < len(state):
        part, at = _part(state, at)
        parts.append(part)
    return parts


def _part(state: bytes, at: int) -> tuple[bytes, int]:
    """What stands behind its length at `at`, and where it ends."""
    begin = at + _HEAD.size
    end = begin + _HEAD.unpack_from(state, at)[0] if begin <= len(state) else begin
    if end > len(state):
        msg = f"state is cut: {len(state)} bytes, at least {end} expected"
        raise ValueError(msg)
    return state[begin:end], end
