"""From findings and samples to verdicts. The one stage that judges.

Strategy. Everything that can be found has a code, its place in the policy's names; what to do about it
is one look-up by code. Of a pattern that came in while the job ran, the packet itself says it. Thresholds
compare samples with a limit and speak once per crossing: a lane that stays beyond the limit is not reported
again until it has come back. What stands in the policy file is judged and nothing else, so an empty policy
gives no verdicts.

State: for each open lane, which thresholds it is beyond (8 bytes). Emits: with the finding or sample
that causes it. Cost: about 0.1 us a delta where nothing crosses. Raises: :class:`ValueError` while it
is built, for more than 64 thresholds or a threshold without a limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from operators.columns import Columns
from operators.kernels import policy as kernels
from operators.packet import DELTA, VERDICT, Action, Packet, Table, column, empty, joined

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
        self._codes = np.array([threshold.code for threshold in thresholds], np.int32)
        self._signal = np.array([threshold.signal for threshold in thresholds], np.uint8)
        self._above = np.array([threshold.above for threshold in thresholds], np.float64)
        self._below = np.array([threshold.below for threshold in thresholds], np.float64)
        self._after = np.array([threshold.after for threshold in thresholds], np.int64)
        limits = self._signal, self._above, self._below, self._after
        self._state = Columns(1, reads=limits, beyond=(np.uint64, ()))

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def warm(self) -> None:
        """Compile, on an empty packet."""
        self.update(Packet(0, 0, (), np.zeros(0, DELTA), b""))

    def update(self, packet: Packet) -> Packet:
        """The packet with a verdict for each finding and crossing that the policy acts on."""
        self._state.open(packet.opened["row"])
        judged = self._of_findings(packet), self._of_samples(packet.samples)
        self._state.close(packet.closed_rows())
        return packet.having(verdicts=joined(packet.verdicts, *judged))

    def _of_findings(self, packet: Packet) -> Table:
        findings = packet.findings
        if not len(findings):
            return empty(VERDICT)
        codes = findings["code"]
        actions = self._actions[np.where(codes < len(self._actions), codes, -1)]
        for called in packet.called:
            actions[codes == called.code] = called.action
        which = np.flatnonzero(actions)
        table = np.zeros(len(which), VERDICT)
        for name in ("delta", "row", "code", "value", "decided"):
            table[name] = findings[name][which]
        table["action"], table["finding"] = actions[which], which
        return table

    def _of_samples(self, samples: Table) -> Table:
        crossings = np.empty((len(samples) * len(self._codes), 2), np.int32)
        count = kernels.cross(
            column(samples, "row"), column(samples, "signal"),
            column(samples, "begin"), column(samples, "value"),
            self._signal, self._above, self._below, self._after, self._state["beyond"], crossings,
        )  # fmt: skip
        if not count:
            return empty(VERDICT)
        which, places = crossings[:count].T
        table = np.zeros(count, VERDICT)
        for name in ("delta", "row", "value", "decided"):
            table[name] = samples[name][which]
        table["code"], table["finding"] = self._codes[places], -1
        table["action"] = self._actions[table["code"]]
        return table[table["action"] > 0]

    def dump(self) -> bytes:
        """What each open lane is beyond."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave."""
        self._state.load(state)
