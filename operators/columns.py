"""The state of a stage: named arrays indexed by row, which grow, are cleared, and travel as bytes.

A stage that keeps something about each lane (or stream) owns one :class:`Columns`. Rows come from the
directory; the stage calls :meth:`Columns.open` with the rows a packet opens before it reads a delta
and :meth:`Columns.close` with those it closes when it has done with it. Only rows between the two are
*live*, and only live rows are dumped.

Strategy. Growth doubles the number of rows, into zeroed memory that the system commits when it is
first written: one piece for all columns, as one compiled call dumps them. Rows are sized for the longest
text, so most of their bytes are zero, and the engine writes a dump to disk at every epoch, of every stage and
slot however few rows it has: a dump leaves the zeros out and makes anew only what changes, a load writes
nothing but what is not zero, and of wide columns not even that before the row is wanted
(:meth:`Columns.wake`). The dumped form is versioned bytes, little endian, never a pickled class: a JSON head
that never changes (format, version, the columns in order, each with the layout of its type), row numbers and
sizes, the masks and words of ``operators.kernels.columns``, then a CRC-32 of all that. The compiled loader
checks no bound, so nothing reaches it that was not checked against the head. Gaps between the fields of a
record travel as they are, and mean nothing. Several dumps become one by :func:`framed`, with a CRC-32 too.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson
from numpy.typing import DTypeLike, NDArray

from operators.kernels import columns as kernels

__all__ = ["Columns", "framed", "unframed"]

_FORMAT = 4
"""Of columns and of frames."""
_HEAD = struct.Struct("<I")
_SIZES = struct.Struct("<3Q")  # rows, masks, words
_LENGTH = struct.Struct("<Q")
_LONGEST = (1 << 32) - 1
_FEWEST = 16  # rows
_MOST = 1 << 24
"""Rows. More open lanes than a slot has memory for; a row number beyond it is none of ours, and room for it
would be taken before anything else is known to be wrong."""
_NEW = "begin with a new recovery directory"


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
            data = data if isinstance(data, bytes) else b"%d" % data
            self._reads = _checksum([_LENGTH.pack(len(data)), data], self._reads)
        self._kinds = {name: (np.dtype(dtype), shape) for name, (dtype, shape) in spec.items()}
        self._widths = [dtype.itemsize * math.prod(shape) for dtype, shape in self._kinds.values()]
        self._spec = [[name, _laid_out(dtype), [*shape]] for name, (dtype, shape) in self._kinds.items()]
        """What the columns are, as a dump says it."""
        head = orjson.dumps(
            {"format": _FORMAT, "version": version, "reads": self._reads, "columns": self._spec}
        )
        head += b" " * (-(_HEAD.size + len(head)) % 8)  # what is behind it is aligned
        self._head = _HEAD.pack(len(head)) + head
        self._laid, self._arrays = self._made(0)
        self._live = np.zeros(0, np.bool_)
        self._asleep = kernels.nothing(self._laid)
        self._places = np.zeros(0, np.int64)
        """Of rows that were not put back yet: which of those that are asleep; else -1."""

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __len__(self) -> int:
        return len(self._live)

    @property
    def row_bytes(self) -> int:
        """Bytes of state per row."""
        return sum(self._widths)

    def live(self) -> NDArray[np.int64]:
        """The rows in use, ascending."""
        return np.flatnonzero(self._live)

    def open(self, rows: NDArray[Any]) -> None:
        """Make `rows` (ints, distinct, none below 0) live and zero; grow as far as they need.

        :raises ValueError: If one is 16,777,216 or more. Nothing has changed then.
        """
        if not len(rows):
            return
        need = int(rows.max()) + 1
        if need > len(self._live):
            self._grow(need)
        self._forget(rows)
        kernels.clear(self._laid.memory, self._laid.spans, rows.astype(np.int64))
        self._live[rows] = True

    def close(self, rows: NDArray[Any]) -> None:
        """Make `rows` free: they are not dumped, and mean nothing until opened again."""
        if len(rows):
            self._forget(rows)
            self._live[rows] = False

    def dump(self) -> bytes:
        """All live rows, for :meth:`load` of a `Columns` with the same version and spec.

        The same rows with the same values give the same bytes: asleep or not, however the columns grew.
        """
        rows = self.live()
        squeezed = kernels.squeeze(self._laid, rows, self._asleep, self._places[rows])
        numbers = np.zeros(len(rows) + len(rows) % 2, np.uint32)
        numbers[: len(rows)] = rows
        whole: list[Any] = [self._head, _SIZES.pack(len(rows), *squeezed.sizes), numbers, *squeezed.parts]
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
            read it with, is cut or damaged, or has a row that this machine has no room for. Nothing has
            changed then.
        """
        body = _sound(state)
        at = self._fit(body)
        count, *sizes = _SIZES.unpack_from(body, at) if at + _SIZES.size <= len(body) else (len(body), 0, 0)
        begin = at + _SIZES.size
        at = begin + 4 * (count + count % 2)
        if at > len(body):
            msg = f"state is damaged: {len(body)} bytes, its {count} rows would end at {at}"
            raise ValueError(msg)
        numbers = np.frombuffer(body, np.uint32, count + count % 2, begin)
        rows = numbers[:count].astype(np.int64)
        if (np.diff(rows) <= 0).any() or numbers[count:].any() or (rows[-1:] >= _MOST).any():
            msg = f"state is damaged: its rows do not ascend, or one is {_MOST} or more"
            raise ValueError(msg)
        parsed, at = kernels.parse(body, at, sizes, self._laid, count)
        if at != len(body):
            msg = f"state is damaged: {len(body)} bytes, its head promises {at}"
            raise ValueError(msg)
        # Room for as many again: what is not written takes no memory, and growing would copy it all.
        size = max(2 * (int(rows[-1]) + 1), _FEWEST) if len(rows) else 0
        try:
            laid, arrays = self._made(size)
        except (MemoryError, OSError) as error:
            msg = f"state with a row {rows[-1]}: this machine has no {size * self.row_bytes} bytes for it"
            raise ValueError(msg) from error
        kernels.restore_run(parsed.run, laid, rows)
        self._laid, self._arrays, self._asleep = laid, arrays, parsed.wide
        self._live, self._places = np.zeros(size, np.bool_), np.full(size, -1)
        self._live[rows] = True
        if parsed.wide.masks.size:
            self._places[rows] = np.arange(len(rows))

    def _fit(self, body: memoryview) -> int:
        """Where the head of a dump ends, which says that it is one of these columns.

        :raises ValueError: If it says anything else.
        """
        names, at = _part(body, 0)
        head = orjson.loads(names)
        head = head if isinstance(head, dict) else {}
        form, version, columns, reads = map(head.get, ("format", "version", "columns", "reads"))
        if form != _FORMAT:
            msg = f"state of format {form}, this program reads format {_FORMAT}: {_NEW}"
            raise ValueError(msg)
        if version != self._version or columns != self._spec:
            msg = (
                f"state of version {version} with columns {columns} does not fit version {self._version} "
                f"with {self._spec}: settings that size the state were changed"
            )
            raise ValueError(msg)
        if reads != self._reads:
            msg = (
                "state made under another policy (other rules, patterns, thresholds or labels): go on with "
                f"the policy that made it, or {_NEW}"
            )
            raise ValueError(msg)
        return at

    def wake(self, rows: NDArray[Any]) -> None:
        """Put back what is asleep of `rows` (ints, in any order, -1 for none)."""
        if not self._asleep.masks.size:
            return
        rows = np.unique(rows[rows >= 0]).astype(np.int64)
        rows = rows[self._places[rows] >= 0]
        if len(rows):
            kernels.restore(self._asleep, self._places[rows], self._laid, rows)
            self._forget(rows)

    def _forget(self, rows: NDArray[Any]) -> None:
        """None of `rows` is asleep any more."""
        if self._asleep.masks.size:
            self._places[rows] = -1
            if (self._places < 0).all():
                self._asleep = kernels.nothing(self._laid)

    def _made(self, size: int) -> tuple[kernels.Laid, dict[str, NDArray[Any]]]:
        """Columns of so many rows, all zero."""
        laid = kernels.lay(self._widths, size)
        arrays = {}
        for (name, (dtype, shape)), (begin, width) in zip(
            self._kinds.items(), laid.spans.tolist(), strict=True
        ):
            arrays[name] = laid.memory[begin : begin + size * width].view(dtype).reshape(size, *shape)
        return laid, arrays

    def _grow(self, need: int) -> None:
        if need > _MOST:
            msg = f"row {need - 1}: a stage has room for {_MOST} rows; use more slots"
            raise ValueError(msg)
        known, size = len(self._live), max(need, 2 * len(self._live), _FEWEST)
        awake = np.flatnonzero(self._live & (self._places < 0))
        laid, arrays = self._made(size)
        for (old, width), (new, _) in zip(self._laid.spans.tolist(), laid.spans.tolist(), strict=True):
            before = self._laid.memory[old : old + known * width].reshape(known, width)
            after = laid.memory[new : new + known * width].reshape(known, width)
            if self._asleep.masks.size and kernels.is_wide(width):
                after[awake] = before[awake]  # and touch nothing of the others
            else:
                after[:] = before
        self._laid, self._arrays = laid, arrays
        more = size - known
        self._live = np.append(self._live, np.zeros(more, np.bool_))
        self._places = np.append(self._places, np.full(more, -1))


def _laid_out(dtype: np.dtype[Any]) -> Any:
    """A type, as JSON says it: of a record its bytes, and name, place and type of each field."""
    if dtype.subdtype is not None:
        kind, shape = dtype.subdtype
        return [_laid_out(kind), [*shape]]
    if dtype.fields is None:
        return dtype.str
    fields = ((name, *dtype.fields[name]) for name in dtype.names or ())
    return [dtype.itemsize, [[name, at, _laid_out(kind)] for name, kind, at, *_ in fields]]


def _checksum(parts: Iterable[Any], value: int = 0) -> int:
    """CRC-32 of parts that stand one behind the other, and behind what has `value`."""
    for part in parts:
        value = zlib.crc32(part, value)
    return value


def _sound(state: bytes) -> memoryview:
    """What stands before the checksum of a dump.

    :raises ValueError: If that is not the checksum of it.
    """
    body = memoryview(state)[: -_HEAD.size]
    if len(state) < _HEAD.size or _checksum([body]) != _HEAD.unpack_from(state, len(body))[0]:
        msg = (
            f"state of {len(state)} bytes is cut or damaged, or of another format than {_FORMAT}: its "
            f"checksum is wrong. To go on without it, {_NEW}"
        )
        raise ValueError(msg)
    return body


def framed(*parts: bytes) -> bytes:
    """Several dumps as one: each behind its length, and a CRC-32 of all that.

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
    return b"".join([*whole, _HEAD.pack(_checksum(whole))])


def unframed(state: bytes) -> list[bytes]:
    """The dumps that :func:`framed` joined.

    :raises ValueError: If `state` is cut or damaged.
    """
    body, parts, at = _sound(state), [], 0
    while at < len(body):
        part, at = _part(body, at)
        parts.append(bytes(part))
    return parts


def _part(body: memoryview, at: int) -> tuple[memoryview, int]:
    """What stands behind its length at `at`, and where it ends.

    :raises ValueError: If that is behind the end of `body`.
    """
    begin = at + _HEAD.size
    end = begin + _HEAD.unpack_from(body, at)[0] if begin <= len(body) else begin
    if end > len(body):
        msg = f"state is damaged: {len(body)} bytes, at least {end} expected"
        raise ValueError(msg)
    return body[begin:end], end
