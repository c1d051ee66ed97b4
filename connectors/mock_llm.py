"""A mock provider: a real server that speaks the providers' APIs, for tests, benches and first steps.

Speaks     Chat Completions (Azure's path too), Completions, Responses, Realtime, Anthropic Messages,
           Gemini generateContent, Ollama chat and generate
Direction  neither: it is the other side
Emits      bytes of the APIs: simulated, recorded, or the user's own words
Delivery   as asked for: ways of failing are faults that can be had (``connectors._mock_faults``)
Parallel   one process, one loop
Needs      the extra ``gateway`` (starlette, uvicorn, httptools, websockets)

What is said is told by the model's name (``connectors._mock_speech``; ``replay:FILE`` is a recording), how
fast by :class:`MockConfig`, what goes wrong by ``echo!FAULT`` or the header ``X-Mock-Fault``. What came in
is counted and shown at ``GET /_mock/state``. It asks for no key and keeps what it is sent: bind it to
loopback and send it no secret.

Strategy. Starlette finds the endpoint; the answer is raw ASGI, a loop over chunks that were made before,
each sent as it is. Headers go out at once, the first chunk after the time to first token. When the client
goes away the connection says so at that moment (``connectors._mock_line``) and the answer is cancelled, so
that the time of departure is that of the socket, not of the next write.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from connectors._mock_answering import Answering, refuse
from connectors._mock_asked import Asked, Refused, read
from connectors._mock_errors import error_body
from connectors._mock_faults import NO_FAULT, STATUSES
from connectors._mock_line import LinedHttp, LinedWebSocket, line_of
from connectors._mock_models import listed
from connectors._mock_provider import MockConfig, Provider
from connectors._mock_realtime import Conversation
from connectors._mock_session import Session
from connectors._mock_wire import JSON

__all__ = ["PATHS", "MockConfig", "MockServer", "Provider", "application"]

PATHS = {
    "/v1/chat/completions": "openai-chat",
    "/openai/deployments/{model}/chat/completions": "openai-chat",
    "/v1/completions": "openai-completions",
    "/v1/responses": "openai-responses",
    "/v1/messages": "anthropic-messages",
    "/v1/models/{asked:path}": "gemini-generate",
    "/v1beta/models/{asked:path}": "gemini-generate",
    "/api/chat": "ollama-chat",
    "/api/generate": "ollama-generate",
}
"""The paths that are POSTed to, and their APIs. ``/v1/realtime`` is a WebSocket."""

_BODY = 1 << 25  # bytes of a request
_BACKLOG = 4096
_METHODS = {"generateContent": False, "streamGenerateContent": True}


def application(provider: Provider) -> Starlette:
    """The ASGI application of `provider`. It needs :class:`MockServer`'s protocols under it."""

    async def models(request: WebRequest) -> Response:
        return JSONResponse(listed(provider.models, request.headers))

    async def state(request: WebRequest) -> Response:
        del request
        return JSONResponse(provider.seen.told())

    return Starlette(
        routes=[
            *(Route(path, _Endpoint(provider, api), methods=["POST"]) for path, api in PATHS.items()),
            Route("/v1/models", models),
            Route("/v1beta/models", models),
            Route("/_mock/state", state),
            WebSocketRoute("/v1/realtime", _Realtime(provider)),
        ],
        exception_handlers={404: _nowhere, 405: _nowhere},
    )


async def _nowhere(request: WebRequest, error: Exception) -> Response:
    status: int = getattr(error, "status_code", 404)
    message = f"Unknown request URL: {request.method} {request.url.path}."
    return Response(error_body("openai", status, message), status, media_type=JSON)


@dataclass(frozen=True)
class _Endpoint:
    """One path of one API, as a raw ASGI application."""

    provider: Provider
    api: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        provider = self.provider
        headers = _headers(scope)
        try:
            body = await _body(receive)
            if body is None:
                return
            number = provider.note(self.api, scope["path"], headers, body)
            asked = self._read(scope, body)
            model, _, suffix = asked.model.partition("!")
            fault = provider.fault(dict(headers).get("x-mock-fault", ""), suffix)
            if fault.status:
                await refuse(send, self.api, fault.status, STATUSES[fault.name], fault.number)
                return
            answer = provider.answer(self.api, model, asked, number, fault)
            line = line_of(scope)
            provider.lines.add(line)
            try:
                answering = Answering(self.api, number, line, provider.seen)
                await answering.run(send, answer, fault, provider.config.pace, provider.rng)
            finally:
                provider.lines.discard(line)
        except Refused as refused:
            await refuse(send, self.api, refused.status, str(refused))

    def _read(self, scope: Scope, body: bytes) -> Asked:
        named: dict[str, str] = scope["path_params"]
        if self.api != "gemini-generate":
            return read(self.api, body, model=named.get("model", ""))
        model, _, method = named["asked"].rpartition(":")
        if method not in _METHODS:
            raise Refused(404, f"There is no such method; there are {', '.join(_METHODS)}.")
        sse = parse_qs(scope["query_string"].decode("latin-1")).get("alt") == ["sse"]
        stream = _METHODS[method]
        return read(self.api, body, model=model, stream=stream, array=stream and not sse)


@dataclass(frozen=True)
class _Realtime:
    """``/v1/realtime``."""

    provider: Provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        provider, headers = self.provider, _headers(scope)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        number = provider.note("openai-realtime", scope["path"], headers, b"")
        model, _, suffix = (query.get("model") or ["sim"])[0].partition("!")
        try:
            fault = provider.fault(dict(headers).get("x-mock-fault", ""), suffix)
            if fault.name in {"half-character", "cut-character"}:
                raise Refused(400, "A message of a WebSocket is whole or not there; it cannot be cut.")
            refused = Refused(fault.status, STATUSES[fault.name]) if fault.status else None
        except Refused as error:
            fault, refused = NO_FAULT, error
        await receive()  # websocket.connect
        if refused is not None:
            body = error_body("openai", refused.status, str(refused))
            kind = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
            await send({"type": "websocket.http.response.start", "status": refused.status, "headers": kind})
            await send({"type": "websocket.http.response.body", "body": body})
            return
        beta = "realtime=v1" in dict(headers).get("openai-beta", "")
        line = line_of(scope)
        provider.lines.add(line)
        try:
            heard = Conversation(
                lambda asked: provider.speech(model, asked, number), fault, provider.config.pace, provider.rng
            )
            await heard.run(Session(model, number, beta=beta), number, line, provider.seen, receive, send)
        finally:
            provider.lines.discard(line)


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None if the client went away before it was sent."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > _BODY:
            raise Refused(413, f"A request has {_BODY >> 20} MiB at most.")
        if not message.get("more_body"):
            return bytes(body)


class MockServer:
    """A provider behind a port, bound at once: clients may connect before it runs.

    :arg port: 0 takes any that is free; ``port`` says which.
    :raises OSError: If the address cannot be had.
    """

    def __init__(self, provider: Provider, host: str = "127.0.0.1", port: int = 0) -> None:
        self.provider = provider
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        config = uvicorn.Config(
            application(provider), http=LinedHttp, ws=LinedWebSocket, lifespan="off", log_config=None,
            access_log=False, backlog=_BACKLOG, ws_per_message_deflate=False, server_header=False,
            proxy_headers=False, timeout_keep_alive=75,
        )  # fmt: skip
        self._server = _Server(config, provider)

    def run(self) -> None:
        """Serve until :meth:`stop`, or a signal if this is the main thread."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End :meth:`run` soon, from any thread; answers under way are reset."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Does not wait for streams that may never end: their clients see a provider that died."""

    def __init__(self, config: uvicorn.Config, provider: Provider) -> None:
        super().__init__(config)
        self._provider = provider

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for line in list(self._provider.lines):
            line.reset()
        await super().shutdown(sockets)
