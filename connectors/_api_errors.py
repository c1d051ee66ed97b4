"""Each API's own way of saying that we do not serve a call: a status and a body that its SDKs understand.

Strategy. A table: for each kind of refusal, what OpenAI, Anthropic and Google call it. SDKs choose the
exception by the status and users branch on the code in the body, so both are the API's own.

What a policy refuses before the model is asked has no one shape. OpenAI and Azure answer 400 with the code
``content_filter``, Anthropic 400 with ``invalid_request_error``; both raise ``BadRequestError``, which no SDK
repeats. Google answers 200 with a ``promptFeedback`` and no candidate, which the SDK gives to the caller as
``response.prompt_feedback``: that is no error to it, and none here. To a call that streams, that body goes
out as the one event of its stream (:func:`connectors._last_frames.sse`).

A fault of the provider's is 502 or 504 where the API has no number of its own, so that SDKs try again.

https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors,
https://google.aip.dev/193
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from connectors._last_frames import mended

__all__ = ["KINDS", "api_error"]


class _Error(NamedTuple):
    status: int
    type: str
    code: str = ""
    """Only OpenAI has one beside the type."""


_OPENAI = {
    "bad_request": _Error(400, "invalid_request_error", "invalid_request"),
    "unauthorized": _Error(401, "invalid_request_error", "invalid_api_key"),
    "forbidden": _Error(403, "invalid_request_error", "insufficient_permissions"),
    "not_found": _Error(404, "invalid_request_error", "not_found"),
    "too_large": _Error(413, "invalid_request_error", "request_too_large"),
    "rate_limited": _Error(429, "requests", "rate_limit_exceeded"),
    "overloaded": _Error(503, "server_error", "overloaded"),
    "upstream_failed": _Error(502, "server_error", "upstream_failed"),
    "upstream_timeout": _Error(504, "server_error", "upstream_timeout"),
    "blocked": _Error(400, "invalid_request_error", "content_filter"),
}
_ANTHROPIC = {
    "bad_request": _Error(400, "invalid_request_error"),
    "unauthorized": _Error(401, "authentication_error"),
    "forbidden": _Error(403, "permission_error"),
    "not_found": _Error(404, "not_found_error"),
    "too_large": _Error(413, "request_too_large"),
    "rate_limited": _Error(429, "rate_limit_error"),
    "overloaded": _Error(529, "overloaded_error"),
    "upstream_failed": _Error(502, "api_error"),
    "upstream_timeout": _Error(504, "timeout_error"),
    "blocked": _Error(400, "invalid_request_error"),
}
_GOOGLE = {
    "bad_request": _Error(400, "INVALID_ARGUMENT"),
    "unauthorized": _Error(401, "UNAUTHENTICATED"),
    "forbidden": _Error(403, "PERMISSION_DENIED"),
    "not_found": _Error(404, "NOT_FOUND"),
    "too_large": _Error(413, "INVALID_ARGUMENT"),
    "rate_limited": _Error(429, "RESOURCE_EXHAUSTED"),
    "overloaded": _Error(503, "UNAVAILABLE"),
    "upstream_failed": _Error(502, "UNAVAILABLE"),
    "upstream_timeout": _Error(504, "DEADLINE_EXCEEDED"),
    "blocked": _Error(400, "INVALID_ARGUMENT"),  # of calls that generate nothing
}

_TABLES = {
    "messages": _ANTHROPIC,
    "anthropic": _ANTHROPIC,
    "generate": _GOOGLE,
    "gemini": _GOOGLE,
    "vertex": _GOOGLE,
}
"""By dialect, or by vendor for calls whose answer has none."""

KINDS = tuple(_OPENAI)
"""Why a call is not served."""


def api_error(api: str, status: int, kind: str, message: str) -> tuple[int, bytes]:
    """The status and the JSON body of a refusal, as `api` would send it.

    :arg api: ``vendor-dialect``: Anthropic's body for ``*-messages``, Google's for ``*-generate``, and
        OpenAI's, which most others share, for all else. Where no dialect is named (``gemini-``: a list of
        models), the vendor decides.
    :arg status: The status to say in place of the API's own for this kind (a provider's, passed on); 0: that.
        A prompt that Gemini blocks has only its own.
    :arg kind: One of :data:`KINDS`.
    :arg message: What is wrong, for a person, 500 characters at most; never what a rule matched.
    :raises KeyError: If there is no such kind.

    >>> api_error("anthropic-messages", 0, "overloaded", "try later")[0]
    529
    """
    vendor, _, dialect = api.replace("_", "-").rpartition("-")
    said = mended(message)
    if dialect == "generate" and kind == "blocked":
        feedback = {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": said}
        return 200, orjson.dumps({"promptFeedback": feedback})
    table = _TABLES.get(dialect or vendor, _OPENAI)
    error = table[kind]
    status = status or error.status
    body: dict[str, Any] = {"message": said, "type": error.type, "param": None, "code": error.code}
    if table is _GOOGLE:
        body = {"code": status, "message": said, "status": error.type}
    elif table is _ANTHROPIC:
        body = {"type": error.type, "message": said}
        return status, orjson.dumps({"type": "error", "error": body, "request_id": None})
    return status, orjson.dumps({"error": body})
