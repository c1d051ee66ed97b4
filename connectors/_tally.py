"""Count what leaves the flow: the numbers of the summary line and of the live view.

One tally serves all workers of a process; its methods take a lock, once a packet. Latencies (from the
source's hand-over to the sink) go into a histogram with 16 bins to each doubling, so a percentile is
right to 4 % and a run of any length takes 8 KiB.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter

from connectors._records import Summary
from operators.packet import Action, Finish, Kind, Packet, Reach

__all__ = ["Tally"]

_END, _TEXT = int(Kind.END), int(Kind.TEXT)
_BINS_PER_DOUBLING, _BINS = 16, 1024
_REACH = {int(kind): kind.name.lower() for kind in Reach}
_ACTION = {int(action): action.name.lower() for action in Action}
_FINISH = {int(finish): finish.name.lower() for finish in Finish}


class Tally:
    """Sums over all packets that a process let out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = 0.0
        self._latencies = [0] * _BINS
        self.streams = 0
        self.deltas = 0
        self.findings: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.finishes: Counter[str] = Counter()
        self.held: Counter[int] = Counter()
        """Characters held back, summed over deltas, by code of the policy; so are the next."""
        self.waited: Counter[int] = Counter()
        self.masked: Counter[int] = Counter()
        self.matches: Counter[int] = Counter()
        self.leaked: Counter[int] = Counter()

    def add(self, packet: Packet) -> None:
        """Count one packet that is leaving now."""
        waited = time.monotonic_ns() - packet.arrived if packet.arrived else 0
        texts = int((packet.deltas["kind"] == _TEXT).sum())
        ends = packet.outcomes["finish"][packet.outcomes["kind"] == _END].tolist()
        with self._lock:
            if len(packet.deltas):
                self._began = self._began or packet.arrived / 1e9 or time.monotonic()
            self.deltas += texts
            if waited and texts:
                doublings = math.log2(max(waited, 1024) / 1024)
                self._latencies[min(int(doublings * _BINS_PER_DOUBLING), _BINS - 1)] += texts
            self.streams += len(ends)
            self.finishes.update(_FINISH[finish] for finish in ends)
            for name in ("held", "waited", "masked", "matches", "leaked"):
                sums = getattr(self, name)
                for code, value in zip(
                    packet.ledger["code"].tolist(), packet.ledger[name].tolist(), strict=True
                ):
                    sums[code] += value
            if len(packet.findings):
                live = packet.findings["seq"] >= 0
                self.findings.update(_REACH[kind] for kind in packet.findings["kind"][live].tolist())
            if len(packet.verdicts):
                live = packet.verdicts["seq"] >= 0
                self.verdicts.update(_ACTION[action] for action in packet.verdicts["action"][live].tolist())

    def latency(self, share: float) -> float:
        """Milliseconds within which `share` of the deltas left; 0 before the first."""
        with self._lock:
            rank, seen = share * sum(self._latencies), 0
            for place, count in enumerate(self._latencies):
                seen += count
                if count and seen >= rank:
                    return float(1024 * 2 ** ((place + 0.5) / _BINS_PER_DOUBLING) / 1e6)
        return 0.0

    def summary(self) -> Summary:
        """The sums so far; the rate is since the first packet came."""
        elapsed = time.monotonic() - self._began if self._began else 0.0
        return Summary(
            self.streams, self.deltas, round(self.deltas / elapsed, 1) if elapsed else 0.0,
            dict(self.findings), dict(self.verdicts),
            {"p50": round(self.latency(0.5), 3), "p99": round(self.latency(0.99), 3)},
        )  # fmt: skip
