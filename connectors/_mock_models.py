"""The list of a mock provider's models, in the shape of whoever asks.

``GET /v1/models`` is one path of three APIs; they are told apart by the headers that each requires.

https://platform.openai.com/docs/api-reference/models/list, https://docs.claude.com/en/api/models-list and
https://ai.google.dev/api/models#method:-models.list
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from connectors._simulate_writer import CREATED

__all__ = ["listed"]

_MADE = "2026-01-05T09:00:00Z"


def listed(names: Sequence[str], headers: Container[str]) -> dict[str, Any]:
    """The body that names `names`, all on one page.

    :arg headers: Names of the request's headers, in lower case.
    """
    if "anthropic-version" in headers:
        models = [{"type": "model", "id": name, "display_name": name, "created_at": _MADE} for name in names]
        return {"data": models, "has_more": False, "first_id": names[0], "last_id": names[-1]}
    if "x-goog-api-key" in headers:
        methods = {"supportedGenerationMethods": ["generateContent"]}
        return {"models": [{"name": f"models/{name}", "displayName": name, **methods} for name in names]}
    of = {"object": "model", "created": CREATED, "owned_by": "mock"}
    return {"object": "list", "data": [{"id": name, **of} for name in names]}
