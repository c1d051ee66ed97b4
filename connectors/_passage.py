"""One stream that is judged while it passes: bytes of the provider in, bytes for the client out.

Strategy. A :class:`~connectors._relay.Relay` knows frames and lanes, the :class:`~connectors._hub.Hub` leads
to the flow; this joins them for one connection, on the loop, and keeps what the judgement comes to: open,
blocked, failed or done. Who reads from the provider calls :meth:`Passage.receive`, who writes to the client
waits for :meth:`Passage.news` and takes. However it ends, the flow hears an END, so that its rows are free.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from enum import Enum

from connectors._hub import Covered, Ended, Failed, Hub, Judged, Released, Told
from connectors._relay import Relay, Said
from operators.packet import Delta, Finish

__all__ = ["Passage", "State"]

_WAITING = 1 << 20  # bytes of a stream that may wait before no more of it is read


class State(Enum):
    """What the judgement comes to."""

    OPEN = "open"
    BLOCKED = "blocked"
    FAILED = "failed"
    DONE = "done"


class Passage:
    """A stream under the name that the flow knows it by. Made and used on the loop; close it.

    :arg patience: Seconds in which something that waits must be judged, twice that at most.

    :arg heard: Is given all deltas.
    """

    def __init__(
        self, hub: Hub, name: str, relay: Relay, patience: float, heard: Callable[[Iterable[Delta]], object]
    ) -> None:
        self._heard = heard
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(patience, self._wait)
        self._moved = False
        """Whether something was judged since the timer was set."""
        self.name = name
        self.state = State.OPEN
        self.reason = ""
        """Why it failed."""
        self.verdicts: list[Judged] = []
        self._hub, self._relay = hub, relay
        self._eof = False
        self._news = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        hub.open(name, self._hear)

    async def receive(self, data: bytes) -> None:
        """Take what the provider sent, when there is room for it."""
        await self._drained.wait()
        await self._hub.room(self.name)
        if self.state is State.OPEN:
            self._say(self._relay.receive_data(data, now=time.time_ns()))
            self._look()

    async def receive_eof(self) -> None:
        """The provider has sent all."""
        await self._hub.room(self.name)
        if self.state is State.OPEN:
            self._say(self._relay.receive_eof(now=time.time_ns()))
            self._eof = True
            self._look()

    async def whole(self, body: bytes) -> bytes:
        """What may leave of a body, when all of it is judged."""
        await self.receive(body)
        await self.receive_eof()
        free = [self.take()]
        while self.state is State.OPEN:
            await self.news()
            free.append(self.take())
        return b"".join(free)

    def fail(self, reason: str) -> None:
        """The stream cannot go on; what may leave already still does."""
        if self.state is State.OPEN:
            self.state, self.reason = State.FAILED, reason
            self._hub.say(self.name, self._relay.give_up(Finish.ERROR))
        self._news.set()
        self._drained.set()

    async def news(self) -> None:
        """Wait until there is something to take, or to end."""
        await self._news.wait()
        self._news.clear()

    def take(self) -> bytes:
        """What may leave now."""
        free = self._relay.take_rest() if self.state is State.BLOCKED else self._relay.take()
        if self._relay.size < _WAITING:
            self._drained.set()
        if self._relay.fault and self.state is State.OPEN:
            self.fail(self._relay.fault)
        if self.state is State.OPEN and self._eof and self._relay.empty:
            self.state = State.DONE
        return free

    def waits(self) -> list[float]:
        """For how many seconds each frame waited here that was taken since the last call."""
        now, came = time.time_ns(), self._relay.came
        waited = [(now - at) / 1e9 for at in came]
        came.clear()
        return waited

    def close(self) -> None:
        """Nobody takes any more."""
        self._timer.cancel()
        self._hub.say(self.name, self._relay.give_up(Finish.TRUNCATED))
        self._hub.close(self.name)

    def _say(self, said: list[Said]) -> None:
        self._heard(delta for _, delta in said)
        self._hub.say(self.name, said)

    def _look(self) -> None:
        if self._relay.fault:
            self.fail(self._relay.fault)
        if self._relay.size >= _WAITING:
            self._drained.clear()
        self._news.set()

    def _wait(self) -> None:
        """See that what waits is judged: one timer a stream, set anew as rarely as can be."""
        if self._relay.empty or self._moved:
            self._moved = False
            self._timer = self._loop.call_later(self._patience, self._wait)
        else:
            self.fail("it was not judged in time")

    def _hear(self, told: list[Told]) -> None:
        self._moved = True
        relay = self._relay
        for each in told:
            match each:
                case Released(answer, lane, stop):
                    relay.released(answer, lane, stop)
                case Covered(answer, lane, begin, stop, shown):
                    relay.covered(answer, lane, begin, stop, shown)
                case Judged():
                    self.verdicts.append(each)
                case Failed(_, reason):
                    self.reason = reason
                case Ended(answer, finish):
                    self._end(answer, finish)
        self._news.set()

    def _end(self, answer: int, finish: Finish) -> None:
        if finish is Finish.BLOCKED and self.state is State.OPEN:
            self.state = State.BLOCKED
            self._drained.set()
        elif not self._relay.ended(answer) and self.state is State.OPEN:
            self.state = State.FAILED  # a limit was broken, or a stage: the reason has come before
            self._drained.set()
