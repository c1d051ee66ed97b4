"""Standard input as it comes: blocks of bytes, read on the pump's loop when there is something to read."""

from __future__ import annotations

import asyncio
import os

from connectors._pump import Feed
from connectors._stop import STOP

__all__ = ["read", "read_until_stopped"]

_STDIN = 0
_READ = 1 << 16
_LOOK = 0.05  # seconds after which somebody who waits for standard input looks whether to go on


async def read(feed: Feed[bytes]) -> None:
    """Put what comes into `feed` until it ends. Not asyncio's pipe transport: it makes the open file
    non-blocking, and on a terminal that is our standard output too, and afterwards the shell's. A file
    (``< FILE``), which a loop cannot wait for, is read piece by piece.
    """
    while True:
        await _readable()
        data = os.read(_STDIN, _READ)
        if not data:
            return
        await feed.put(data)


async def read_until_stopped(feed: Feed[bytes]) -> None:
    """Put what comes into `feed`, and ``b""`` when it ends. When the process is asked to end, read no more:
    the feed is over as soon as all that was read is in it.
    """
    while not STOP.is_set():
        try:
            await asyncio.wait_for(_readable(), _LOOK)
        except TimeoutError:
            continue
        data = os.read(_STDIN, _READ)
        await feed.put(data)
        if not data:
            return


async def _readable() -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(_STDIN, ready.set)
    except PermissionError:  # a regular file: always ready, never to be waited for
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(_STDIN)
