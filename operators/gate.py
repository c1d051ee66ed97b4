"""Find what rules describe, while it is being said, and tell how far each lane is decided.

Strategy. A rule is a regular expression, compiled once to a deterministic automaton (interegular
does the parsing and the construction) over classes of characters; `kernels.match` walks all rules at
once over the text as it arrives. What a thread still holds undecided is exactly the text that could
become a match: everything before it is vetted, and the watermark says so. The gate decides nothing
else. Whether a match is masked, blocks the stream or only warns is the policy's affair.

The dialect of the expressions is that of ``operators.automaton``. Matches are leftmost, then longest,
per rule; rules do not hide each other's matches.

State: the live threads of each open lane (``state_bytes``). Emits: a FINDING with the delta that
decides it, a VETTED with every text delta and every close. Cost: about 0.3 us a delta of four characters
under the shipped rules, more where many threads live. Raises: :class:`ValueError` while it is built, for
a rule outside the dialect or above the budget; nothing on any text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.automaton import Rule, compiled
from operators.columns import Columns
from operators.kernels import match
from operators.packet import DELTA, FINDING, OPENED, VETTED, Kind, Packet, Reach, column, joined

__all__ = ["Gate"]

_ROOM = 1024  # matches taken from the kernel at once, beside those that one delta can bring


class Gate:
    """The stage. `codes` gives each rule's place in the policy's names; the one after the rules'
    stands for a lane that could not be decided (too many threads), which nobody may release.
    """

    def __init__(self, rules: Sequence[Rule], codes: Sequence[int]) -> None:
        if len(codes) != len(rules) + 1:
            msg = f"gate: {len(rules)} rules need {len(rules) + 1} codes, got {len(codes)}"
            raise ValueError(msg)
        if len(rules) > 64:
            msg = f"gate: {len(rules)} rules, the matcher takes 64"
            raise ValueError(msg)
        self._codes = np.array(codes, np.int32)
        self._automaton = compiled(tuple(rules))
        threads = self._automaton.threads
        self._state = Columns(
            1,
            reads=self._automaton[:10],
            position=(np.int64, ()), previous=(np.uint8, ()), count=(np.int32, ()),
            state=(np.int32, (threads,)), begin=(np.int64, (threads,)), best=(np.int64, (threads,)),
            cut=(np.int64, (max(len(rules), 1),)),
        )  # fmt: skip

    @property
    def hold(self) -> int:
        """The most characters a lane can be held back: what `release` must have room for."""
        return int(self._automaton.longest.max(initial=0)) + 1

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def warm(self) -> None:
        """Compile, on an empty packet."""
        idle = np.zeros(1, DELTA)
        idle["row"] = -1
        self.update(Packet(0, 0, (), idle, b"", opened=np.zeros(0, OPENED)))

    def update(self, packet: Packet) -> Packet:
        """The packet with its matches and watermarks."""
        self._state.open(packet.opened["row"])
        deltas, state, tables = packet.deltas, self._state, self._automaton
        start, end = column(deltas, "start"), column(deltas, "end")
        upto = np.full(len(deltas), -1, np.int64)
        most = int((end - start).max(initial=0)) * (len(self._codes) - 1) + tables.threads
        found = np.empty((most + _ROOM, 6), np.int64)
        findings, first = [packet.findings], 0
        arguments = (
            column(deltas, "row"), column(deltas, "kind"), start, end,
            np.frombuffer(packet.text, np.uint8), int(Kind.TEXT), int(Kind.CLOSE),
            *tables[:10],
            state["position"], state["previous"], state["count"],
            state["state"], state["begin"], state["best"], state["cut"],
            found, upto,
        )  # fmt: skip
        while first < len(deltas):
            matches, first = match.advance(*arguments, first)
            if matches:
                findings.append(self._findings(deltas, found[:matches]))
        self._state.close(packet.closed_rows())
        return packet.having(findings=joined(*findings), vetted=_vetted(deltas, upto))

    def _findings(self, deltas: NDArray[Any], found: NDArray[np.int64]) -> NDArray[Any]:
        table = np.zeros(len(found), FINDING)
        table["delta"] = found[:, 0]
        table["row"] = deltas["row"][found[:, 0]]
        table["kind"] = Reach.RULE
        table["code"] = self._codes[found[:, 1]]
        table["value"] = 1.0
        table["begin"], table["stop"] = found[:, 2], found[:, 3]
        table["decided"], table["upto"] = found[:, 4], found[:, 5]
        return table

    def dump(self) -> bytes:
        """The threads of all open lanes."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave. :raises ValueError: If the rules are not the same size."""
        self._state.load(state)


def _vetted(deltas: NDArray[Any], upto: NDArray[np.int64]) -> NDArray[Any]:
    (which,) = (upto >= 0).nonzero()
    table = np.zeros(len(which), VETTED)
    table["delta"], table["row"], table["upto"], table["code"] = which, deltas["row"][which], upto[which], -1
    return table
