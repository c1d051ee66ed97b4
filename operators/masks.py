"""What is to be covered, and what stands in its place.

Strategy. A mask waits here from the verdict that makes it until the text it covers has left. Masks are kept
in the order in which the kernel meets them: by lane, begin and falling stop. Everything that decides
what stands in place of a covered stretch is a number, so that the kernel compares one column: severity
first, then length, then the order of the rules.

Four styles. A *label* stands for the whole stretch. *Stars*: one a character. *Last4*: stars, but the
last four characters of a match of 12 or more are seen, unless another mask covers them. *Hash*: the label
with the first 12 hexadecimal digits of an HMAC-SHA256 (RFC 2104) of the matched text, so that one value can
be followed through many streams, and not be found by trying values without the key. The key is in no dump.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from operators.columns import framed, unframed
from operators.packet import Table, column, empty, joined

__all__ = ["MaskColumns", "Masks", "Style"]

_VERSION = 1
_MASK = np.dtype(
    [("row", "<i4"), ("begin", "<i8"), ("stop", "<i8"), ("code", "<i4"), ("more", "u1"), ("digest", "S12")]
)
_SHOWN, _SHORTEST = 4, 12  # characters that `last4` lets be seen, of a match of so many
_ENTRIES = 20  # bits for a code and for a length


class Style(IntEnum):
    """What stands in place of a match."""

    LABEL = 0
    STARS = 1
    LAST4 = 2
    HASH = 3


class MaskColumns(NamedTuple):
    """The masks as ``kernels.release`` takes them, and the labels they name."""

    masks: NDArray[np.int64]
    labels: NDArray[np.uint8]
    label_at: NDArray[np.int32]
    label_chars: NDArray[np.int32]


class Masks:
    """The masks of a slot's lanes that are still ahead.

    :arg labels: What stands in place of a match of each code.

    :arg styles: :class:`Style` of each code.

    :arg severities: How severe a match of each code is; higher is worse.

    :arg key: Of the hashes.

    :raises ValueError: If a code is hashed and there is no key.

    """

    def __init__(
        self, labels: Sequence[str], styles: Sequence[int], severities: Sequence[int], key: bytes
    ) -> None:
        self._labels = list(labels)
        self._styles = np.array(styles, np.uint8)
        self._severities = np.array(severities, np.int64)
        if not key and (self._styles == Style.HASH).any():
            msg = "masks: a hash needs a key (mask_key)"
            raise ValueError(msg)
        self._key = key
        self._fixed = _encoded(self._labels)
        self._none = self._columns(empty(_MASK))
        self._table: Table = empty(_MASK)

    @property
    def starred(self) -> NDArray[np.uint8]:
        """For each code: 1 if it is shown as stars, 2 if the last of them may be seen."""
        return np.array([0, 1, 2, 0], np.uint8)[self._styles]

    @property
    def reads(self) -> tuple[NDArray[np.generic], ...]:
        """What a saved mask and the state of a covered stretch are read with."""
        return *self._fixed, self._styles, self._severities

    def __len__(self) -> int:
        return len(self._table)

    def add(self, findings: Table, said: Callable[[int, int, int], str]) -> None:
        """Cover the matches `findings`. ``said(row, begin, stop)`` is the original text of one."""
        if not len(findings):
            return
        fresh = np.zeros(len(findings), _MASK)
        for name in ("row", "begin", "stop", "code", "more"):
            fresh[name] = findings[name]
        for place in np.flatnonzero(self._styles[fresh["code"]] == Style.HASH):
            row, begin, stop = (int(fresh[name][place]) for name in ("row", "begin", "stop"))
            fresh["digest"][place] = self._digest(said(row, begin, stop))
        masks = joined(self._table, fresh)
        self._table = masks[np.lexsort((masks["code"], -masks["stop"], masks["begin"], masks["row"]))]

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), hashlib.sha256).hex()[:12].encode()

    def columns(self) -> MaskColumns:
        """All masks as the kernel takes them."""
        return self._columns(self._table) if len(self._table) else self._none

    def _columns(self, table: Table) -> MaskColumns:
        code, begin, stop = (column(table, name) for name in ("code", "begin", "stop"))
        size, style = stop - begin, self._styles[code]
        open_end = (style == Style.LAST4) & (size >= _SHORTEST) & (table["more"] == 0)
        longest = np.minimum(size, (1 << _ENTRIES) - 1)
        rank = (self._severities[code] << 2 * _ENTRIES) + (longest << _ENTRIES) - code
        label, labels = code.copy(), self._fixed
        hashed = np.flatnonzero(style == Style.HASH)
        if len(hashed):
            label[hashed] = len(self._labels) + np.arange(len(hashed))
            made = [self._hashed(table["code"][place], table["digest"][place]) for place in hashed]
            labels = _encoded([*self._labels, *made])
        shown = np.where(open_end, stop - _SHOWN, stop)
        columns = table["row"], begin, stop, shown, code, rank, table["more"], label
        return MaskColumns(np.column_stack(columns).astype(np.int64), *labels)

    def _hashed(self, code: int, digest: bytes) -> str:
        label = self._labels[code]
        return f"{label[:-1]}:{digest.decode()}{label[-1:]}"

    def passed(self, position: NDArray[np.int64]) -> None:
        """Forget the masks that end before where their lane is, ``position[row]``. One that ends there
        is still asked whether it goes on.
        """
        if len(self._table):
            self._table = self._table[self._table["stop"] >= position[self._table["row"]]]

    def close(self, rows: NDArray[np.int32]) -> None:
        """Forget the masks of lanes that are over."""
        if len(self._table):
            self._table = self._table[~np.isin(self._table["row"], rows)]

    def dump(self) -> bytes:
        """All masks."""
        return framed(orjson.dumps({"version": _VERSION}), self._table.tobytes())

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If it is of another version, cut or damaged.
        """
        head, table = unframed(state)
        version = orjson.loads(head)["version"]
        if version != _VERSION:
            msg = f"state of masks of version {version}, this program reads version {_VERSION}"
            raise ValueError(msg)
        self._table = np.frombuffer(table, _MASK).copy()


def _encoded(labels: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
    """UTF-8 of all labels, where each begins, and its length in characters."""
    encoded = [label.encode() for label in labels]
    return (
        np.frombuffer(b"".join(encoded), np.uint8),
        np.cumsum([0, *map(len, encoded)]).astype(np.int32),
        np.array([*map(len, labels)], np.int32),
    )
