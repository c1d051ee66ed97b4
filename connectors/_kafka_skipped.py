"""Records of the log that say nothing: how many this process has passed over, for whoever reports it.

One count serves all slots, as one event stops all sources (``connectors._stop``): who reads and who reports
are the two ends of a flow, and know nothing of each other.
"""

from __future__ import annotations

import threading

__all__ = ["SKIPPED", "Skipped"]


class Skipped:
    """Sums. Workers are threads: a lock guards both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.tombstones = 0
        """Records without a value."""
        self.repeats = 0
        """Records that their writer wrote again after a crash."""

    def add(self, tombstones: int, repeats: int) -> None:
        """Count what a packet's records were."""
        with self._lock:
            self.tombstones += tombstones
            self.repeats += repeats


SKIPPED = Skipped()
"""Of this process."""
