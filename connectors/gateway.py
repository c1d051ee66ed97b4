"""A gateway before the providers: clients change a base URL, and every answer is judged while it streams.

Speaks     the providers' own paths over HTTP/1.1: Chat Completions, Responses, Messages, generateContent
Direction  source and sink: what is said goes to the flow, what the flow decides goes to who waits for it
Emits      :class:`~operators.packet.Packet`
Delivery   at most once: a socket cannot be read again
Parallel   one partition a slot; all connections live on the pump's loop
Needs      ``pip install midstream[gateway]``
Reference  https://asgi.readthedocs.io/en/latest/specs/www.html

Strategy. The process has two threads that matter: the pump's, with uvicorn, the calls upstream and all
parsing of bytes; and Bytewax's worker, with the stages. Between them stands the
:class:`~connectors._hub.Hub`. A call is an :class:`~connectors._exchange.Exchange`. There is one slot by
default, not eight: an answer waits for the packets of all slots that were filled in the same turn, and a
gateway is about the wait.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import uvicorn
import uvloop
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from connectors._access import Access
from connectors._api_errors import api_error
from connectors._bounded_http import Connected, ConnectionLimits, bounded_http
from connectors._exchange import Bounds, Exchange
from connectors._hub import Hub
from connectors._logged import logged
from connectors._metrics import CONTENT_TYPE, Metrics
from connectors._origins import Origins
from connectors._pump import Feed, Pump
from connectors._realtime_exchange import RealtimeBounds, RealtimeSessions
from connectors._refused_call import Refusal
from connectors._routes import route
from connectors._stop import STOP
from connectors._upstream import Pairs, Provider, Upstream
from operators.packet import Packet, pack

__all__ = ["Gateway", "GatewayConfig", "GatewaySink", "GatewaySource"]

_log = logging.getLogger(__name__)
logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # below, it writes out queries and messages

_POLL = timedelta(microseconds=500)
_IDLE = timedelta(milliseconds=1)
_TICK = 250_000_000  # nanoseconds of silence after which a packet says how late it is
_GRACE = 10.0  # seconds that calls in progress have when the process is asked to end


@dataclass(frozen=True)
class GatewayConfig:
    """What a gateway is told."""

    upstreams: Mapping[str, Upstream]
    host: str = "127.0.0.1"
    port: int = 8080
    bounds: Bounds = field(default_factory=Bounds)
    sessions: RealtimeBounds = field(default_factory=RealtimeBounds)
    access: Access = field(default_factory=lambda: Access(None, Origins()))
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    tls: ssl.SSLContext | None = None


class Gateway:
    """The server: an ASGI application, and the loop that it lives on.

    :arg config: What it is told.

    :arg hub: Where streams are judged.

    :raises OSError: If the address cannot be listened on.

    """

    def __init__(self, config: GatewayConfig, hub: Hub) -> None:
        self._config, self._hub = config, hub
        self._providers: dict[str, Provider] = {}
        self._sessions = RealtimeSessions(hub, config.bounds, config.sessions)
        self._calls = 0
        self._run = secrets.token_hex(4)
        self._socket = _listening(config.host, config.port)
        self.port: int = self._socket.getsockname()[1]
        self._closing = threading.Event()
        self._connected = Connected()
        self._metrics = Metrics(config.upstreams, lambda: len(hub), self._connected)
        self._pump: Pump | None = None
        self._serving: Feed[None] | None = None

    def start(self) -> None:
        """Listen; once for a process, whatever the number of partitions."""
        if self._pump is None:
            self._pump = Pump(uvloop.new_event_loop)
            self._serving = self._pump.feed("gateway", self._serve)

    def close(self) -> None:
        """Take no more calls, and end when those in progress have; from any thread."""
        self._closing.set()

    def over(self) -> bool:
        """Whether it has ended.

        :raises Exception: What ended it.
        """
        if self._serving is None:
            return False
        self._serving.take(1)
        return self._serving.over()

    async def _serve(self, feed: Feed[None]) -> None:
        del feed
        self._hub.begin(asyncio.get_running_loop())
        self._providers = {name: Provider(each) for name, each in self._config.upstreams.items()}
        tls = self._config.tls
        server = uvicorn.Server(
            uvicorn.Config(
                self, lifespan="off", log_config=None, access_log=False, server_header=False,
                date_header=False, ws="websockets-sansio", ws_max_size=self._config.bounds.body,
                ws_per_message_deflate=False, timeout_graceful_shutdown=int(_GRACE), proxy_headers=False,
                http=bounded_http(self._config.connections, self._connected),
                ssl_context_factory=(lambda *_: tls) if tls else None,
            )
        )  # fmt: skip
        serving = asyncio.create_task(server.serve(sockets=[self._socket]))
        following = asyncio.create_task(self._config.access.follow())
        try:
            while not (STOP.is_set() or self._closing.is_set() or serving.done()):
                await asyncio.wait([serving], timeout=0.1)
            server.should_exit = True
            await serving
        finally:
            following.cancel()
            for provider in self._providers.values():
                await provider.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one WebSocket (ASGI)."""
        if scope["type"] not in ("http", "websocket"):
            return
        method = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
        path = scope["raw_path"].partition(b"?")[0].decode("ascii", "replace")
        if path in ("/healthz", "/readyz"):
            await _said(send, method, 200, b'{"status":"ok"}')
            return
        headers: Pairs = scope["headers"]
        anthropic = any(name == b"anthropic-version" for name, _ in headers)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        client, access = scope["client"][0] if scope["client"] else "", self._config.access
        found = route(method, path, self._config.upstreams, anthropic=anthropic)
        spoken = (
            found.dialect if found else "messages" if anthropic else "generate" if "v1beta" in path else ""
        )
        try:
            preflight = access.preflight(method, headers)
            if preflight is not None:
                await _said(send, method, 204, b"", preflight)
                return
            if path == "/metrics" and method == "GET":
                caller = access.admit(headers, query, client, "metrics", "")
                told = [*caller.headers(), (b"content-type", CONTENT_TYPE)]
                await _said(send, method, 200, self._metrics.exposed(), told)
                return
            if found is None:
                raise Refusal(kind="not_found", message="the gateway serves no such path")
            caller = access.admit(headers, query, client, found.dialect, found.upstream)
        except Refusal as refused:
            self._metrics.refused(refused.kind)
            status, body = api_error(f"-{spoken}", 0, refused.kind, str(refused))
            await _said(send, method, status, body, refused.headers)
            return
        self._calls += 1
        name = f"gw-{self._run}-{self._calls}"
        headers, asked = access.forwarded(headers, query)
        if method == "WEBSOCKET":
            upstream, inner = self._config.upstreams[found.upstream], {**scope, "headers": headers}
            await self._sessions.serve(upstream, found, name, asked, inner, receive, send, caller.hear)
            return
        exchange = Exchange(
            self._hub, self._providers[found.upstream], found, name, self._config.bounds, send, receive,
            self._metrics, caller,
        )  # fmt: skip
        try:
            body = await _body(receive, self._config.bounds)
            await exchange.run(method, headers, asked, body)
        except Refusal as refused:
            _log.info("%s: refused: %s", exchange.name, refused.kind)
            self._metrics.refused(refused.kind)
            if not exchange.begun:
                await exchange.refuse(refused)


class _Partition(StatefulSourcePartition[tuple[str, Packet], None]):
    def __init__(self, source: GatewaySource, key: str, slot: int) -> None:
        self._source, self._key, self._slot = source, key, slot
        self._told = time.time_ns()

    @override
    @logged
    def next_batch(self) -> list[tuple[str, Packet]]:
        hub = self._source.hub
        said = hub.take(self._slot, self._source.batch)
        now = time.time_ns()
        if not said:
            if self._source.gateway.over():
                raise StopIteration
            if now - self._told < _TICK:
                return []
        self._told = now
        return [(self._key, pack(self._slot, said, now=now, arrived=time.monotonic_ns()))]

    @override
    def next_awake(self) -> datetime | None:
        hub = self._source.hub
        if hub.waiting(self._slot):
            return datetime.now(UTC)
        return datetime.now(UTC) + (_POLL if len(hub) else _IDLE)

    @override
    def snapshot(self) -> None:
        return None


class GatewaySource(FixedPartitionedSource[tuple[str, Packet], None]):
    """What passes through a gateway, as packets.

    :arg gateway: The server, started with the first partition.

    :arg hub: Where it says what passes.

    :arg keys: Of the slots, in order.

    :arg batch: Deltas in a packet at most.

    """

    def __init__(self, gateway: Gateway, hub: Hub, keys: list[str], *, batch: int = 1024) -> None:
        self.gateway, self.hub, self.keys, self.batch = gateway, hub, keys, batch

    @override
    def list_parts(self) -> list[str]:
        return self.keys

    @override
    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSourcePartition[tuple[str, Packet], None]:
        self.gateway.start()
        return _Partition(self, for_part, self.keys.index(for_part))


class _Telling(StatelessSinkPartition[tuple[str, Packet]]):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @override
    @logged
    def write_batch(self, items: list[tuple[str, Packet]]) -> None:
        for _, packet in items:
            self._hub.tell(packet)


class GatewaySink(DynamicSink[tuple[str, Packet]]):
    """What was decided, back to who waits for it.

    :arg hub: Who is told.

    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @override
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Telling:
        return _Telling(self._hub)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that says that it is TCP: only for such asyncio turns Nagle's algorithm off in what it
    accepts, and with it small frames wait 40 ms for the acknowledgement of the last.

    :raises OSError: If the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(2048)
    except OSError:
        made.close()
        raise
    return made


async def _said(send: Send, method: str, status: int, body: bytes, more: Pairs = ()) -> None:
    headers = [*more, (b"content-length", b"%d" % len(body))]
    if not any(name == b"content-type" for name, _ in more):
        headers.append((b"content-type", b"application/json"))
    before = "websocket." if method == "WEBSOCKET" else ""
    await send({"type": f"{before}http.response.start", "status": status, "headers": headers})
    await send({"type": f"{before}http.response.body", "body": body})


async def _body(receive: Receive, bounds: Bounds) -> bytes:
    """The body of a request.

    :raises Refusal: If it is too long, or does not come.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(bounds.arriving):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    msg = "the caller has gone away"
                    raise Refusal(kind="bad_request", message=msg)
                size += len(message.get("body", b""))
                if size > bounds.body:
                    msg = f"a request has at most {bounds.body} bytes"
                    raise Refusal(kind="too_large", message=msg)
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        msg = f"the request's body was not there within {bounds.arriving:g} s"
        raise Refusal(kind="bad_request", message=msg, status=408) from None
