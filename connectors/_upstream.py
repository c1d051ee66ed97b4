"""One HTTP call to a provider: opened, repeated only before its first byte, aborted for real.

Strategy. A :class:`Provider` owns one pool of connections to one origin, and nothing it sends can go
anywhere else: callers give a path, never an address; redirects come back as answers; proxies are those of
the settings, whatever the environment says; there is no cookie jar that could carry one caller's state
into another's call. It stands on httpcore2, the transport below httpx2: the client above it would add just
such conveniences, and a layer that every piece of an answer passes.

Time is limited by phase (:mod:`connectors._patience`), the waiting for the first byte apart from the
waiting between bytes: a model may think for minutes and then never pauses for one.

Leaving the ``async with`` before the answer is complete, an exception and a cancelled task all close the
connection, so that the provider stops to generate, and to bill. What fails is an :class:`UpstreamFault`
in our words: neither a header nor a query nor a word of a body is in it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import unquote, urlencode, urlsplit

import httpcore2

from connectors import _retry
from connectors._connections import Connections, Lent
from connectors._patience import Patience, Timeouts
from connectors._upstream_config import Auth, Upstream, own_headers, sound, trusted
from connectors._upstream_fault import FAILURES, FaultKind, UpstreamFault, fault_of

__all__ = [
    "Auth", "FaultKind", "Pairs", "Provider", "Reply", "Timeouts", "Upstream", "UpstreamFault", "own_headers",
    "trusted",
]  # fmt: skip

Pairs = Sequence[tuple[bytes, bytes]]
"""Headers as on the wire: in order, repeated where they are."""

_KEYS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
_OURS = frozenset(
    {
        b"accept-encoding", b"connection", b"content-length", b"cookie", b"expect", b"host", b"keep-alive",
        b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
        b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
for _chatty in ("httpcore2", "hpack"):  # at DEBUG they write out every header, the key among them
    logging.getLogger(_chatty).setLevel(logging.WARNING)


class Provider:
    """Calls to one upstream. Made, used and closed on one event loop.

    :raises ValueError: If the file of authorities cannot be read as one.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        parts = urlsplit(upstream.base_url)
        self._base = parts.path.rstrip("/")
        self._scheme, self._host = parts.scheme.encode(), (parts.hostname or "").encode("ascii")
        self._port = parts.port
        self._netloc = parts.netloc.encode()
        self._where = f"{upstream.name} ({parts.netloc})"
        self._connections = Connections(
            trusted(upstream), _proxy(upstream.proxy) if upstream.proxy else None,
            upstream.max_connections, upstream.timeouts.pool, http2=upstream.http2,
        )  # fmt: skip

    async def aclose(self) -> None:
        """Close every connection, calls in progress included."""
        await self._connections.aclose()

    @asynccontextmanager
    async def call(
        self, method: str, path: str, *, headers: Pairs = (), body: bytes = b"",
        query: Sequence[tuple[str, str]] = (),
    ) -> AsyncGenerator[Reply]:  # fmt: skip
        """One call; its answer is open inside the ``async with`` and gone after it.

        :arg path: Below the base URL's, percent-encoded, beginning with ``/``.

        :arg headers: The caller's; those of one connection only are left out, and its keys if the upstream
            has one of its own.

        :arg query: Names and values, not encoded yet.

        :raises UpstreamFault: If no answer comes; a status that is none of success is an answer.

        :raises ValueError: If the path is none.

        """
        request = self._request(method, path, headers, body, query)
        patience = Patience(self.upstream.timeouts)
        async with AsyncExitStack() as stack:
            stack.callback(patience.end)
            try:
                lent = await stack.enter_async_context(self._connections.lent())
            except FAILURES as error:
                raise fault_of(error, self._where, self.upstream.timeouts, begun=False) from None
            response = await self._answer(request, lent.pool, patience)
            stack.push_async_callback(response.aclose)
            coding = _value(response.headers, b"content-encoding")
            if coding not in {b"", b"identity"}:
                msg = f"{self._where}: the answer is compressed although that was not asked for"
                raise UpstreamFault(msg, "protocol")
            reply = Reply(response, lent, patience, self._where, self.upstream.timeouts)
            stack.push_async_callback(reply.release)
            yield reply

    async def _answer(
        self, request: httpcore2.Request, pool: httpcore2.AsyncConnectionPool, patience: Patience
    ) -> httpcore2.Response:
        attempt = 0
        while True:
            last = attempt >= self.upstream.retries
            patience.begin()
            try:
                with patience:
                    response = await pool.handle_async_request(request)
            except FAILURES as error:
                fault = fault_of(error, self._where, self.upstream.timeouts, begun=False)
                # Nothing was said yet; but a call that timed out may be running, and paid for.
                if last or fault.kind not in {"connect", "proxy", "reset", "timeout-connect"}:
                    raise fault from None
                wait = _retry.backoff(attempt)
                if not patience.allows(wait):
                    raise fault from None
            else:
                asked = _retry.delay(response.status, response.headers, attempt, time.time())
                if last or asked is None or not patience.allows(asked):
                    return response
                await response.aclose()
                wait = asked
            patience.end()
            await asyncio.sleep(wait)
            attempt += 1

    def _request(
        self, method: str, path: str, headers: Pairs, body: bytes, query: Sequence[tuple[str, str]]
    ) -> httpcore2.Request:
        if not sound(path):
            msg = f"{self._where}: a path is percent-encoded, begins with / and has no dot segments"
            raise ValueError(msg)
        upstream = self.upstream
        own = [(name.encode("ascii"), value.encode("ascii")) for name, value in own_headers(upstream)]
        left_out = _OURS | {name for name, _ in own} | _nominated(headers)
        if upstream.key:
            left_out |= _KEYS
            query = [(name, value) for name, value in query if name != "key"]  # Google's other place for one
        sent = [(b"host", self._netloc), (b"accept-encoding", b"identity"), *own]
        sent += [(name, value) for name, value in headers if name.lower() not in left_out]
        if body or method in {"POST", "PUT", "PATCH"}:
            sent.append((b"content-length", b"%d" % len(body)))
        asked = urlencode([*query, *upstream.query])
        target = self._base + path + ("?" + asked if asked else "")
        limits = upstream.timeouts
        return httpcore2.Request(
            method,
            httpcore2.URL(
                scheme=self._scheme, host=self._host, port=self._port, target=target.encode("ascii")
            ),
            headers=sent,
            content=body,
            extensions={
                "timeout": {
                    "connect": limits.connect,
                    "write": limits.write,
                    "pool": limits.pool,
                    "read": None,
                }
            },
        )


class Reply:
    """An answer whose head has come. Lives as long as the call's ``async with``."""

    def __init__(
        self, response: httpcore2.Response, lent: Lent, patience: Patience, where: str, timeouts: Timeouts
    ) -> None:
        self.status: int = response.status
        self.headers: list[tuple[bytes, bytes]] = list(response.headers)
        """Raw, in order; over HTTP/2 in lower case."""
        self._lent, self._patience = lent, patience
        self._where, self._timeouts = where, timeouts
        self._pieces = response.aiter_stream()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in the pieces that come; none is empty, none is waited for to fill up.

        :raises UpstreamFault: If it breaks off, stalls or is no HTTP any more. What came before was given.
        """
        patience, pieces = self._patience, self._pieces
        while True:
            try:
                with patience:
                    data = await anext(pieces)
            except StopAsyncIteration:
                patience.end()
                self._lent.whole = True
                return
            except FAILURES as error:
                raise fault_of(error, self._where, self._timeouts, begun=True) from None
            patience.heard()
            if data:
                yield data

    async def body(self, limit: int) -> bytes:
        """All of it.

        :arg limit: Bytes at most.

        :raises UpstreamFault: As :meth:`chunks`, and ``too-large`` if there are more than `limit`.

        """
        parts, size = [], 0
        async for data in self.chunks():
            size += len(data)
            if size > limit:
                msg = f"{self._where}: the answer has more than {limit} bytes"
                raise UpstreamFault(msg, "too-large")
            parts.append(data)
        return b"".join(parts)

    async def release(self) -> None:
        """Close what was not read."""
        await self._pieces.aclose()


def _nominated(headers: Pairs) -> set[bytes]:
    """What is of one connection because its sender says so (RFC 9110, section 7.6.1)."""
    said = [value for name, value in headers if name.lower() == b"connection"]
    return {token.strip().lower() for value in said for token in value.split(b",")}


def _value(headers: Pairs, name: bytes) -> bytes:
    return next((value.strip().lower() for known, value in headers if known.lower() == name), b"")


def _proxy(address: str) -> httpcore2.Proxy:
    parts = urlsplit(address)
    url = httpcore2.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target="/")
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return httpcore2.Proxy(url, auth)
