"""The state of a stage: named arrays indexed by row, which grow, are cleared, and travel as bytes.

A stage that keeps something about each lane (or stream) owns one :class:`Columns`. Rows come from the
directory; the stage calls :meth:`Columns.open` with the rows a packet opens before it reads a delta
and :meth:`Columns.close` with those it closes when it has done with it. Only rows between the two are
*live*, and only live rows are dumped.

Strategy. Growth doubles the number of rows, into zeroed memory that the system commits when it is
first written. Rows are sized for the longest text, so most of their bytes are zero, and the engine writes a
dump to disk at every epoch: a dump leaves the zeros out, a load writes nothing but what is not zero, and of
wide columns not even that before the row is wanted (:meth:`Columns.wake`). The dumped form is
versioned bytes, little endian, never a pickled class: a JSON head (format, version, column names, dtypes,
shapes, row numbers, sizes), then of each column the masks and words of ``operators.kernels.columns``, then a
CRC-32 of all that. The compiled loader checks no bound, so nothing reaches it that was not checked
against the head. Gaps between the fields of a record are no state.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson
from numpy.typing import DTypeLike, NDArray

from operators.kernels import columns as kernels

__all__ = ["Columns", "framed", "unframed"]

_FORMAT = 2
_HEAD = struct.Struct("<I")
_LONGEST = (1 << 32) - 1
_FEWEST = 16  # rows


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
        self._places = np.zeros(0, np.int64)
        """Of rows that were not put back yet: which of those that are asleep; else -1."""
        self._asleep: dict[str, kernels.Asleep] = {}

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
        self._forget(rows)
        for array in self._arrays.values():
            array[rows] = 0
        self._live[rows] = True

    def close(self, rows: NDArray[Any]) -> None:
        """Make `rows` free: they are not dumped, and mean nothing until opened again."""
        if len(rows):
            self._forget(rows)
            self._live[rows] = False

    def dump(self) -> bytes:
        """All live rows, for :meth:`load` of a `Columns` with the same version and spec.

        The same rows with the same values give the same bytes, asleep or not.
        """
        rows = self.live()
        places = self._places[rows]
        squeezed = [
            kernels.squeeze(array, rows, self._asleep.get(name), places)
            for name, array in self._arrays.items()
        ]
        head = orjson.dumps(
            {
                "format": _FORMAT,
                "version": self._version,
                "reads": self._reads,
                "columns": self._spec,
                "rows": rows.tolist(),
                "sizes": [each.sizes for each in squeezed],
            }
        )
        head += b" " * (-(_HEAD.size + len(head)) % 8)  # what is behind it is aligned
        whole: list[Any] = [_HEAD.pack(len(head)), head]
        for each in squeezed:
            whole += each.parts
        return b"".join([*whole, _HEAD.pack(_checksum(whole))])

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave; whatever was here is gone.

        :raises ValueError: As :meth:`load_asleep`.
        """
        self.load_asleep(state)
        self.wake(self.live())

    def load_asleep(self, state: bytes) -> None:
        """As :meth:`load`, for a stage that calls :meth:`wake` before it looks at a row: of wide columns (256
        bytes a row) nothing is put back before. Most of the time of a resume is memory that is touched for
        the first time, and few of the streams speak at once.

        :raises ValueError: If `state` was dumped with another version, other columns or other tables to
            read it with, or is cut or damaged. Nothing has changed then.
        """
        body = memoryview(state)[: -_HEAD.size]
        if len(state) <= 2 * _HEAD.size or _checksum([body]) != _HEAD.unpack_from(state, len(body))[0]:
            msg = (
                f"state of {len(state)} bytes is cut or damaged, or of another format than {_FORMAT}: its "
                "checksum is wrong. Begin with a new recovery directory"
            )
            raise ValueError(msg)
        names, at = _part(state, 0)
        head = orjson.loads(names)
        if head["format"] != _FORMAT:
            msg = f"state of format {head['format']}, this program reads format {_FORMAT}"
            raise ValueError(msg)
        if head["version"] != self._version or head["columns"] != self._spec:
            msg = (
                f"state of version {head['version']} with columns {head['columns']} does not fit "
                f"version {self._version} with {self._spec}: settings that size the state were changed"
            )
            raise ValueError(msg)
        if head["reads"] != self._reads:
            msg = (
                "state made under another policy (other rules, patterns, thresholds or labels): go on with "
                "the policy that made it, or begin with a new recovery directory"
            )
            raise ValueError(msg)
        rows = np.array(head["rows"], np.int64)
        if len(rows) and (rows[0] < 0 or (np.diff(rows) <= 0).any()):
            msg = "state is damaged: its rows do not ascend"
            raise ValueError(msg)
        # Room for as many again: what is not written takes no memory, and growing would copy it all.
        size = max(2 * (int(rows[-1]) + 1), _FEWEST) if len(rows) else 0
        arrays: dict[str, NDArray[Any]] = {}
        asleep: dict[str, kernels.Asleep] = {}
        for (name, ours), sizes in zip(self._arrays.items(), head["sizes"], strict=True):
            arrays[name] = np.zeros((size, *ours.shape[1:]), ours.dtype)
            parsed, at = kernels.parse(body, at, sizes, arrays[name], len(rows))
            if kernels.is_wide(ours):
                asleep[name] = parsed
            else:
                kernels.restore(parsed, rows, arrays[name], rows)
        if at != len(body):
            msg = f"state is damaged: {len(body)} bytes, its head promises {at}"
            raise ValueError(msg)
        self._arrays, self._live, self._places = arrays, np.zeros(size, np.bool_), np.full(size, -1)
        self._live[rows] = True
        self._asleep = asleep
        if asleep:
            self._places[rows] = np.arange(len(rows))

    def wake(self, rows: NDArray[Any]) -> None:
        """Put back what is asleep of `rows` (ints, in any order, -1 for none)."""
        if not self._asleep:
            return
        rows = np.unique(rows[rows >= 0]).astype(np.int64)
        rows = rows[self._places[rows] >= 0]
        if len(rows):
            for name, asleep in self._asleep.items():
                kernels.restore(asleep, self._places[rows], self._arrays[name], rows)
            self._forget(rows)

    def _forget(self, rows: NDArray[Any]) -> None:
        """None of `rows` is asleep any more."""
        if self._asleep:
            self._places[rows] = -1
            if (self._places < 0).all():
                self._asleep = {}

    @property
    def _spec(self) -> dict[str, list[Any]]:
        """What the columns are, as a dump says it."""
        return {name: [array.dtype.str, list(array.shape[1:])] for name, array in self._arrays.items()}

    def _grow(self, need: int) -> None:
        size = max(need, 2 * len(self._live), _FEWEST)
        awake = np.flatnonzero(self._live & (self._places < 0))
        for name, array in self._arrays.items():
            grown = np.zeros((size, *array.shape[1:]), array.dtype)
            if name in self._asleep:
                grown[awake] = array[awake]  # and touch nothing of the others
            else:
                grown[: len(array)] = array
            self._arrays[name] = grown
        more = size - len(self._live)
        self._live = np.append(self._live, np.zeros(more, np.bool_))
        self._places = np.append(self._places, np.full(more, -1))


def _checksum(parts: Iterable[Any]) -> int:
    """CRC-32 of parts that stand one behind the other."""
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value


def framed(*parts: bytes) -> bytes:
    """Several dumps as one: each behind its length.

    :raises ValueError: If a part has 4 GiB or more.

    >>> unframed(framed(b"a", b"", b"bc"))
    [b'a', b'', b'bc']
    """
    whole: list[bytes] = []
    for part in parts:
        if len(part) > _LONGEST:
            msg = f"state: a part of {len(part)} bytes, a frame takes {_LONGEST}; use more slots"
            raise ValueError(msg)
        whole += [_HEAD.pack(len(part)), part]
    return b"".join(whole)


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
