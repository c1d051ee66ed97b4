"""One text question over OpenAI's Realtime API: a WebSocket session, asked once, heard until it is answered.

Strategy. A session is set to text, gets the prompt as an item, and is asked for one response; what the server
says is given on as it comes, ``connectors.openai_realtime`` knows what it means. The session speaks the
present API; of an upstream whose headers say ``OpenAI-Beta: realtime=v1`` it speaks the beta. Nothing is
tried again: a session that breaks has lost what it heard.

https://platform.openai.com/docs/guides/realtime-websocket
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from typing_extensions import override
from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    PayloadTooBig,
    ProxyError,
    WebSocketException,
)

from connectors._asking import Question
from connectors._decoder import Event
from connectors._patience import Late, Patience
from connectors._refusal import Refused, code_of, refusal
from connectors._upstream import Upstream, UpstreamFault, own_headers, trusted

__all__ = ["converse", "openers"]

_CLOSE = 0.5  # seconds that a server has to say goodbye
_log = logging.getLogger(f"{__name__}.wire")
_log.setLevel(logging.WARNING)  # at DEBUG it writes out every header and message


class _Direct(connect):
    """A connection that goes nowhere but where it was sent: a redirect would carry the key along."""

    @override
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def openers(upstream: Upstream, question: Question) -> list[bytes]:
    """What is said to a new session, in order.

    :raises ValueError: If the question cannot be asked in this API.
    """
    beta = _beta(upstream)
    if question.temperature is not None and not beta:
        msg = f"upstream {upstream.name}: the Realtime API takes no temperature"
        raise ValueError(msg)
    if not question.stream or question.background:
        msg = f"upstream {upstream.name}: the Realtime API always streams, and never in the background"
        raise ValueError(msg)
    session: dict[str, Any] = {"modalities": ["text"]} if beta else {"output_modalities": ["text"]}
    if not beta:
        session["type"] = "realtime"
    if question.system:
        session["instructions"] = question.system
    if question.temperature is not None:
        session["temperature"] = question.temperature
    item = {
        "type": "message", "role": "user", "content": [{"type": "input_text", "text": question.prompt}],
    }  # fmt: skip
    limit = {} if question.max_tokens is None else {"max_output_tokens": question.max_tokens}
    return [
        orjson.dumps(event)
        for event in (
            {"type": "session.update", "session": session},
            {"type": "conversation.item.create", "item": item},
            {"type": "response.create", "response": limit},
        )
    ]


async def converse(
    upstream: Upstream, model: str, opening: list[bytes], event_bytes: int
) -> AsyncGenerator[Event]:
    """A session that begins with `opening`: what the server says, until it is left.

    :arg event_bytes: Bytes of a message at most.

    :raises Refused: If the server takes no session, or says that something in `opening` is wrong.

    :raises UpstreamFault: If the session cannot be had, or breaks.

    """
    where, limits = upstream.name, upstream.timeouts
    parts = urlsplit(upstream.base_url)
    secure = parts.scheme == "https"
    address = f"{'wss' if secure else 'ws'}://{parts.netloc}{parts.path.rstrip('/')}/realtime"
    patience = Patience(limits)
    patience.begin()
    try:
        async with _Direct(
            f"{address}?{urlencode([('model', model), *upstream.query])}",
            additional_headers=own_headers(upstream),
            user_agent_header=None,
            ssl=trusted(upstream) if secure else None,
            proxy=upstream.proxy or None,
            open_timeout=limits.connect,
            close_timeout=_CLOSE,
            max_size=event_bytes,
            logger=_log,
        ) as socket:
            for event in opening:
                await socket.send(event, text=True)
            begun = False
            while True:
                with patience:
                    message = await socket.recv(decode=False)
                kind, failed = _kind(message)
                if kind == "error" and not begun:
                    msg = f"provider error: {failed}"
                    raise Refused(msg)
                if kind.startswith("response."):
                    begun = True
                    patience.heard()
                yield "", message
    except InvalidStatus as error:
        raise Refused(refusal(error.response.status_code, bytes(error.response.body or b""))) from None
    except (Late, OSError, WebSocketException) as error:
        raise _fault(where, error) from None
    finally:
        patience.end()


def _beta(upstream: Upstream) -> bool:
    return any(name == "openai-beta" and "realtime=v1" in value for name, value in own_headers(upstream))


def _kind(message: bytes) -> tuple[str, str]:
    """The type of a message, and its code if that is an error."""
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError:
        return "", ""  # the decoder says what is wrong with it
    kind = event.get("type") if isinstance(event, dict) else ""
    return (kind if isinstance(kind, str) else ""), code_of(event)


def _fault(where: str, error: Exception) -> UpstreamFault:
    match error:
        case Late(phase=phase, seconds=seconds):
            return UpstreamFault(f"{where}: the session said nothing within {seconds:g} s", phase)
        case TimeoutError():
            return UpstreamFault(f"{where}: no session was opened in time", "timeout-connect")
        case ssl.SSLCertVerificationError():
            return UpstreamFault(f"{where}: certificate not trusted: {error.verify_message}", "tls")
        case ssl.SSLError():
            return UpstreamFault(f"{where}: no TLS: {error.reason or 'the handshake failed'}", "tls")
        case ProxyError():
            return UpstreamFault(f"{where}: the proxy failed", "proxy")
        case OSError():
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "no such host"
            return UpstreamFault(f"{where}: no connection: {reason}", "connect")
        case ConnectionClosed() if not isinstance(error.__cause__, PayloadTooBig):
            return UpstreamFault(f"{where}: the session was closed before the answer was complete", "reset")
        case _:
            return UpstreamFault(
                f"{where}: the session is not valid WebSocket, or a message too large", "protocol"
            )
