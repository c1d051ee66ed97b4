"""The connections to one provider: kept for the next call, limited in number, closed when a call is left.

Strategy. A call has a connection for itself, in a pool of one. Over HTTP/1.1 it would have that in a shared
pool too, but that looks at each of its connections whenever a call begins or ends: with 2,000 open that is
milliseconds. Over HTTP/2 a connection would carry many calls, and httpcore2 2.16 leaves the stream of an
abandoned one open: nothing tells the provider, and what it goes on to send uses up the window of the others;
and a write that is cancelled breaks the connection for them all. Leaving a call before its answer was read to
the end closes its connection, which is what makes a provider stop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpcore2

from connectors._network import AsyncioBackend

__all__ = ["Connections", "Lent"]

_IDLE = 100  # connections that are kept for a next call, at most
_EXPIRY = 30.0  # seconds; an idle one that is older is not used again


class Lent:
    """What one call goes through; `whole` is set when its answer was read to its end."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool) -> None:
        self.pool = pool
        self.whole = False


class Connections:
    """Of one provider, on one event loop.

    :arg trusted: Who may vouch for the server.

    :arg most: Connections at most.

    :arg wait: Seconds that a call waits for one of them.

    :arg http2: Whether HTTP/2 is spoken with a server that agrees, over TLS.

    """

    def __init__(
        self, trusted: ssl.SSLContext, proxy: httpcore2.Proxy | None, most: int, wait: float, *, http2: bool
    ) -> None:
        self._trusted, self._proxy, self._wait, self._http2 = trusted, proxy, wait, http2
        self._free = asyncio.Semaphore(most)
        self._idle: list[httpcore2.AsyncConnectionPool] = []
        self._busy: set[httpcore2.AsyncConnectionPool] = set()

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[Lent]:
        """What a call may use until the end of the block.

        :raises httpcore2.PoolTimeout: If none becomes free.
        """
        try:
            await asyncio.wait_for(self._free.acquire(), self._wait)
        except TimeoutError:
            raise httpcore2.PoolTimeout from None
        lent = Lent(self._idle.pop() if self._idle else self._pool())
        self._busy.add(lent.pool)
        try:
            yield lent
        finally:
            self._busy.discard(lent.pool)
            self._free.release()
            if lent.whole and len(self._idle) < _IDLE:
                self._idle.append(lent.pool)
            else:
                await lent.pool.aclose()

    async def aclose(self) -> None:
        """Close all of them, those in use too."""
        for pool in [*self._idle, *self._busy]:
            await pool.aclose()
        self._idle.clear()

    def _pool(self) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._trusted,
            proxy=self._proxy,
            max_connections=1,
            keepalive_expiry=_EXPIRY,
            network_backend=AsyncioBackend(),
            http2=self._http2,
        )
