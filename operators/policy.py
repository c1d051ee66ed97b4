"""From findings and samples to verdicts. The one stage that judges.

Strategy. Everything that can be found has a code, its place in the policy's names; what to do about
it is one look-up by code. Thresholds compare samples with a limit and speak once per crossing: a
lane that stays beyond the limit is not reported again until it has come back. What stands in the
policy file is judged and nothing else, so an empty policy gives no verdicts.

State: for each open lane, which thresholds it is beyond (8 bytes). Emits: with the finding or sample
that causes it. Cost: about 0.05 us a delta where nothing crosses. Raises: :class:`ValueError` while it
is built, for more than 64 thresholds or a threshold without a limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from operators.columns import Columns
from operators.packet import VERDICT, Action, Packet, Table, joined

__all__ = ["Policy", "Threshold"]


@dataclass(frozen=True)
class Threshold:
    """A limit on a signal (:class:`operators.packet.Signal`), in the signal's unit."""

    name: str
    code: int
    signal: int
    above: float = math.inf
    below: float = -math.inf
    after: int = 0
    """Characters of the lane that must have passed: an adaptive signal needs a start."""


class Policy:
    """The stage. ``actions[code]`` says what to do about each code (:class:`Action`)."""

    def __init__(self, actions: Sequence[int], thresholds: Sequence[Threshold] = ()) -> None:
        if len(thresholds) > 64:
            msg = f"policy: {len(thresholds)} thresholds, a lane keeps track of 64"
            raise ValueError(msg)
        for threshold in thresholds:
            if math.isinf(threshold.above) and math.isinf(threshold.below):
                msg = f"policy: threshold {threshold.name!r} must have `above` or `below`"
                raise ValueError(msg)
        self._actions = np.array([*actions, Action.ALLOW], np.uint8)
        self._thresholds = tuple(thresholds)
        self._state = Columns(1, beyond=(np.uint64, ()))

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """The packet with a verdict for each finding and crossing that the policy acts on."""
        self._state.open(packet.opened["row"])
        judged = [self._of_findings(packet.findings)]
        judged += [self._of_samples(packet.samples, place) for place in range(len(self._thresholds))]
        self._state.close(packet.closed_rows())
        return packet.having(verdicts=joined(packet.verdicts, *judged))

    def _of_findings(self, findings: Table) -> Table:
        actions = self._actions[findings["code"]]
        which = np.flatnonzero(actions)
        table = np.zeros(len(which), VERDICT)
        for column in ("delta", "row", "code", "value", "decided"):
            table[column] = findings[column][which]
        table["action"], table["finding"] = actions[which], which
        return table

    def _of_samples(self, samples: Table, place: int) -> Table:
        threshold = self._thresholds[place]
        bit = np.uint64(1 << place)
        mine = np.flatnonzero((samples["signal"] == threshold.signal) & (samples["begin"] >= threshold.after))
        values, rows = samples["value"][mine], samples["row"][mine]
        crossed = (values > threshold.above) | (values < threshold.below)
        beyond = self._state["beyond"]
        speaks = []
        for i in np.flatnonzero(crossed | (beyond[rows] & bit != 0)):
            if not crossed[i]:
                beyond[rows[i]] &= ~bit
            elif not beyond[rows[i]] & bit:
                beyond[rows[i]] |= bit
                speaks.append(mine[i])
        table = np.zeros(len(speaks), VERDICT)
        for column in ("delta", "row", "value", "decided"):
            table[column] = samples[column][np.array(speaks, np.int64)]
        table["action"], table["code"], table["finding"] = self._actions[threshold.code], threshold.code, -1
        return table

    def dump(self) -> bytes:
        """What each open lane is beyond."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave."""
        self._state.load(state)
