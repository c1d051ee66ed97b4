"""What a provider answers in place of an answer, in words fit for an ERROR.

Strategy. Its status and its codes, nothing of its prose: that may quote the prompt, or the key.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson

from connectors._decoder import error_code, listed
from connectors._upstream import Reply, UpstreamFault

__all__ = ["Refused", "code_of", "refusal", "refuse"]

_BODY = 1 << 16  # bytes that are looked at


class Refused(Exception):
    """An answer that is none; the message says why."""


async def refuse(reply: Reply) -> None:
    """Read what is no answer.

    :raises Refused: Unless the status is one of success.
    """
    if 200 <= reply.status < 300:
        return
    body = b""
    with suppress(UpstreamFault):
        body = await reply.body(_BODY)
    raise Refused(refusal(reply.status, body))


def refusal(status: int, body: bytes) -> str:
    """What a status and a body say."""
    code = code_of(body)
    return f"provider error: status {status}" + (f" {code}" if code else "")


def code_of(body: bytes | Any) -> str:
    """The codes of an error body: an object, of Google's an array of one; its ``status`` is a word."""
    with suppress(orjson.JSONDecodeError):
        body = orjson.loads(body) if isinstance(body, bytes | str) else body
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    return listed(error.get("status")) or error_code(error)
