"""The last bytes of each lane's text, kept for those who must look back.

Strategy. A ring in the lane's row, written once per delta when the packet has passed. A packet that is
still under way brings its own text: of a lane that is asked about, ring and packet are decoded and joined
once per packet.

State: a ring of 3 KiB and a counter for each open lane. Cost: about 1 ns a byte. Raises: nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels import recent as kernels
from operators.packet import Kind, Packet

__all__ = ["SPEC", "Recent"]

_RING = 3072  # a lane holds back 640 characters at most; what stands before a match is looked at too
_TEXT = int(Kind.TEXT)
SPEC: dict[str, tuple[Any, tuple[int, ...]]] = {"ring": (np.uint8, (_RING,)), "written": (np.int64, ())}
"""The columns it keeps, in the :class:`operators.columns.Columns` of the stage that has it."""


class Recent:
    """What lanes said last, while one packet passes. `ring` and `written` are the columns of ``SPEC``."""

    def __init__(self, packet: Packet, ring: NDArray[np.uint8], written: NDArray[np.int64]) -> None:
        self._packet, self._ring, self._written = packet, ring, written
        self._spoken: dict[int, list[int]] | None = None
        self._known: dict[int, tuple[str, int]] = {}
        self._last = -1, 0, ""

    def row(self, delta: int) -> int:
        """The row of a delta's lane."""
        return int(self._packet.deltas["row"][delta])

    def text(self, delta: int, begin: int, stop: int) -> str:
        """Characters ``begin:stop`` of the lane of `delta`, as far as they are still known. The packet's
        later deltas are known too: `stop` must be one that was read.
        """
        if self._last[0] != delta:
            self.knows(delta, begin)
        _, first, known = self._last
        return known[max(begin - first, 0) : max(stop - first, 0)]

    def knows(self, delta: int, begin: int) -> bool:
        """Whether the lane's text is still known from `begin` on."""
        row = self.row(delta)
        entry = self._known.get(row)
        if entry is None:
            known, first = self._kept(row, delta)
            spoken = self._packet.deltas[self._spoken_by(row)]
            spans = zip(spoken["start"].tolist(), spoken["end"].tolist(), strict=True)
            fresh = [self._packet.text[start:end] for start, end in spans]
            entry = self._known[row] = known + b"".join(fresh).decode(), first
        known, first = entry
        self._last = delta, first, known
        return first <= begin

    def _kept(self, row: int, delta: int) -> tuple[str, int]:
        """What the ring has of a lane: the text before the packet, and its first character."""
        size, at = min(int(self._written[row]), _RING), int(self._written[row]) % _RING
        known = np.roll(self._ring[row], -at)[_RING - size :].tobytes()
        text = known.decode("utf-8", "ignore")  # the ring may begin within a character
        spoken = self._spoken_by(row)
        came = spoken[0] if spoken else delta
        return text, int(self._packet.deltas["begin"][came]) - len(text)

    def remember(
        self, rows: NDArray[np.int32], kinds: NDArray[np.uint8], starts: NDArray[np.int32],
        ends: NDArray[np.int32], text: NDArray[np.uint8],
    ) -> None:  # fmt: skip
        """Write the packet's text, whose columns these are, into the rings."""
        kernels.remember(rows, kinds, starts, ends, text, _TEXT, self._ring, self._written)

    def _spoken_by(self, row: int) -> list[int]:
        """The packet's text deltas of a row, in order; made once for all rows, when first asked for."""
        if self._spoken is None:
            self._spoken = {}
            deltas = self._packet.deltas
            for place in np.flatnonzero(deltas["kind"] == _TEXT).tolist():
                self._spoken.setdefault(int(deltas["row"][place]), []).append(place)
        return self._spoken.get(row, [])
