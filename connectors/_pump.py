"""The one asyncio thread of a process, between live connections and a Bytewax worker that never waits.

Strategy. A worker must not block in ``next_batch`` (it stops every operator of its thread), and an
event loop must not stop turning (timers, keep-alives and TLS live on it). So all connections live on
one background loop; each hands what it received to a :class:`Feed`, a bounded queue. The connection
waits when its feed is full, which stops its reading, which the sender feels as TCP back-pressure:
nothing is dropped, nothing grows. The worker takes what is there and never waits. An exception in the
connection is logged there and raised again in the worker that takes from the feed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Feed", "Pump"]

Item = TypeVar("Item")
_log = logging.getLogger(__name__)


class Feed(Generic[Item]):
    """A bounded queue from one coroutine on the pump's loop to one worker thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, room: int) -> None:
        self._loop = loop
        self._room = room
        self._items: deque[Item] = deque()
        self._drained = asyncio.Event()
        self._over = False
        self._error: BaseException | None = None

    async def put(self, item: Item) -> None:
        """Hand over one item; waits while the feed is full. Only on the pump's loop."""
        while len(self._items) >= self._room:
            self._drained.clear()
            if len(self._items) >= self._room:  # the worker may have taken between the two lines
                await self._drained.wait()
        self._items.append(item)

    def take(self, most: int) -> list[Item]:
        """Up to `most` items, oldest first; returns at once, with none if there are none.

        :raises Exception: What ended the coroutine, once all it handed over has been taken.
        """
        if not self._items and self._error is not None:
            error, self._error = self._error, None
            raise error
        taken: list[Item] = []
        while self._items and len(taken) < most:
            taken.append(self._items.popleft())
        if taken and not self._drained.is_set():
            with suppress(RuntimeError):  # the pump was closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._drained.set)
        return taken

    def over(self) -> bool:
        """The coroutine has ended and everything it handed over was taken."""
        return self._over and not self._items and self._error is None

    def _end(self, error: BaseException | None) -> None:
        self._error, self._over = error, True


class Pump:
    """The background loop. One for a process is enough; each test may have its own.

    :arg new_loop: Makes it.
    """

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> None:
        self._loop = new_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="midstream-pump", daemon=True)
        self._thread.start()

    def feed(
        self, name: str, receive: Callable[[Feed[Item]], Awaitable[None]], room: int = 1024
    ) -> Feed[Item]:
        """Start `receive` on the loop with a feed of `room` items to put into; `name` is for the log."""
        feed: Feed[Item] = Feed(self._loop, room)

        async def run() -> None:
            try:
                await receive(feed)
            except asyncio.CancelledError:
                feed._end(None)
                raise
            except Exception as error:
                _log.exception("%s: connection failed", name)
                feed._end(error)
            else:
                feed._end(None)

        def start() -> None:
            task = self._loop.create_task(run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(start)
        return feed

    def close(self) -> None:
        """Cancel what still runs and end the thread."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(timeout=5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()
