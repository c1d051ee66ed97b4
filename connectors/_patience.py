"""How long one call to a provider may take, phase by phase, and the one timer that looks after it.

Strategy. A timer for each piece of an answer would cost as much as reading the piece. So a call has one,
which when it rings looks at when the waiting began and sets itself again. Time counts only while the task
waits for the provider: who reads slowly is not held against it. The waiting is ended as
``asyncio.timeout`` ends it, by cancelling the task, and that is taken back in the same way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Late", "Patience", "Phase", "Timeouts"]

Phase = Literal["timeout-first-byte", "timeout-between", "timeout-total"]


@dataclass(frozen=True)
class Timeouts:
    """Seconds, by phase."""

    connect: float = 10.0
    """TCP and TLS, each."""
    write: float = 30.0
    """One write of the request."""
    pool: float = 10.0
    """Waiting for a free connection."""
    first_byte: float = 300.0
    """From the call (each attempt anew) to the first byte of the answer's body."""
    between_bytes: float = 120.0
    total: float = 3600.0
    """The whole call: attempts, waiting between them, answer."""


class Late(Exception):
    """Time ran out in `phase`, of which it had so many seconds."""

    def __init__(self, phase: Phase, seconds: float) -> None:
        super().__init__(phase)
        self.phase: Phase = phase
        self.seconds = seconds


class Patience:
    """The timer of one call, made when the call begins. Entered while its task waits for the provider.

    :raises Late: On leaving, if the waiting was ended.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._limits = timeouts
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + timeouts.total
        self._first = True
        self._due = self._end
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = 0
        self._late: Late | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """An attempt begins."""
        self._due = self._loop.time() + self._limits.first_byte

    def heard(self) -> None:
        """Something came of the body."""
        if self._first:
            self._first = False
            self.end()  # set for the longer of the two limits, perhaps

    def end(self) -> None:
        """Nothing is waited for any more, or not for now."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def allows(self, seconds: float) -> bool:
        """Whether waiting so long leaves time for anything."""
        return self._loop.time() + seconds < self._end

    def __enter__(self) -> None:
        self._task = task = asyncio.current_task()
        self._cancelled = task.cancelling() if task else 0
        if not self._first:
            self._due = self._loop.time() + self._limits.between_bytes
        if self._timer is None:
            self._set()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        task, self._task = self._task, None
        late, self._late = self._late, None
        if late and task and task.uncancel() <= self._cancelled and isinstance(error, asyncio.CancelledError):
            raise late from None

    def _set(self) -> None:
        self._timer = self._loop.call_at(min(self._due, self._end), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        if self._task is None or self._late:
            return  # set again when there is waiting again
        if now < min(self._due, self._end):
            self._set()
            return
        limits = self._limits
        if now >= self._end:
            self._late = Late("timeout-total", limits.total)
        elif self._first:
            self._late = Late("timeout-first-byte", limits.first_byte)
        else:
            self._late = Late("timeout-between", limits.between_bytes)
        self._task.cancel()
