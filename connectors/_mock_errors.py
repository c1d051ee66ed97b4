"""The body of an error response, as each provider documents it: what its SDK makes its exceptions of.

https://platform.openai.com/docs/guides/error-codes, https://docs.claude.com/en/api/errors,
https://ai.google.dev/gemini-api/docs/troubleshooting, https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["error_body", "error_object"]

_OPENAI = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "model_not_available"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_object(status: int, message: str) -> dict[str, Any]:
    """OpenAI's ``error``, which Realtime sends as an event too."""
    client = "invalid_request_error" if status < 500 else "server_error"
    kind, code = _OPENAI.get(status, (client, None))
    return {"message": message, "type": kind, "param": None, "code": code}


def error_body(api: str, status: int, message: str) -> bytes:
    """What `api` says with an error status."""
    said: dict[str, Any] = {"error": error_object(status, message)}
    if api.startswith("anthropic"):
        kind = _ANTHROPIC.get(status, "invalid_request_error" if status < 500 else "api_error")
        said = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock"}
    elif api.startswith("gemini"):
        name = _GOOGLE.get(status, "FAILED_PRECONDITION" if status < 500 else "UNKNOWN")
        said = {"error": {"code": status, "message": message, "status": name}}
    elif api.startswith("ollama"):
        said = {"error": message}
    return orjson.dumps(said)
