"""One text question over OpenAI's Realtime API: a WebSocket session, asked once, heard until it is answered.

Strategy. A session is set to text, gets the prompt as an item, and is asked for one response; what the server
says is given on as it comes, ``connectors.openai_realtime`` knows what it means. The session speaks the
present API; of an upstream whose headers say ``OpenAI-Beta: realtime=v1`` it speaks the beta. Nothing is
tried again: a session that breaks has lost what it heard.

https://platform.openai.com/docs/guides/realtime-websocket
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from websockets.exceptions import InvalidStatus

from connectors._asking import Question
from connectors._decoder import Event
from connectors._patience import Patience
from connectors._realtime_socket import FAILURES, dialled, socket_fault
from connectors._refusal import Refused, code_of, refusal
from connectors._upstream import Upstream, own_headers

__all__ = ["converse", "openers"]


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
    patience = Patience(upstream.timeouts)
    patience.begin()
    try:
        async with dialled(upstream, "/realtime", [("model", model)], event_bytes) as socket:
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
    except FAILURES as error:
        raise socket_fault(upstream.name, error) from None
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
