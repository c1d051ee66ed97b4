"""What stands in place of an answer that was not streamed and is blocked: each API's own refusal.

Strategy. The answer's head stays (id, model, usage), what it says goes, and its finish is the one that the
API documents for content that was filtered. Tool calls go too: a client runs those that it finds.

https://platform.openai.com/docs/api-reference/chat/object, .../responses/object,
https://docs.anthropic.com/en/api/messages, https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

__all__ = ["blocked_body"]


def blocked_body(dialect: str, body: bytes) -> bytes:
    """The answer `body`, blocked; an empty one of the API if it is none of its answers.

    >>> blocked_body("messages", b'{"id": "m", "content": [{"type": "text", "text": "x"}]}').decode()
    '{"type":"message","role":"assistant","id":"m","content":[],"stop_reason":"refusal","stop_sequence":null}'
    """
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        event = {}
    made = _MADE.get(dialect, _nothing)(event if event.__class__ is dict else {})
    return orjson.dumps(made)


def _listed(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if each.__class__ is dict] if value.__class__ is list else []


def _chat(event: dict[str, Any]) -> dict[str, Any]:
    choices = [
        {
            "index": choice.get("index", number),
            "message": {"role": "assistant", "content": ""},
            "finish_reason": "content_filter",
            "logprobs": None,
        }
        for number, choice in enumerate(_listed(event.get("choices")) or [{}])
    ]
    return _kept(event, "id", "object", "created", "model") | {"choices": choices} | _kept(event, "usage")


def _completions(event: dict[str, Any]) -> dict[str, Any]:
    choices = [
        {
            "index": choice.get("index", number),
            "text": "",
            "finish_reason": "content_filter",
            "logprobs": None,
        }
        for number, choice in enumerate(_listed(event.get("choices")) or [{}])
    ]
    return _kept(event, "id", "object", "created", "model") | {"choices": choices} | _kept(event, "usage")


def _responses(event: dict[str, Any]) -> dict[str, Any]:
    kept = _kept(event, "id", "object", "created_at", "model", "parallel_tool_calls", "tool_choice", "usage")
    reason = {"reason": "content_filter"}
    return kept | {
        "status": "incomplete",
        "incomplete_details": reason,
        "error": None,
        "output": [],
        "tools": [],
    }


def _messages(event: dict[str, Any]) -> dict[str, Any]:
    head = {"type": "message", "role": "assistant"} | _kept(event, "id", "type", "role", "model", "usage")
    return head | {"content": [], "stop_reason": "refusal", "stop_sequence": None}


def _generate(event: dict[str, Any]) -> dict[str, Any]:
    candidates = [
        {
            "content": {"parts": [], "role": "model"},
            "finishReason": "SAFETY",
            "index": each.get("index", number),
        }
        for number, each in enumerate(_listed(event.get("candidates")) or [{}])
    ]
    return {"candidates": candidates} | _kept(event, "usageMetadata", "modelVersion", "responseId")


def _nothing(event: dict[str, Any]) -> dict[str, Any]:
    del event
    return {}


def _kept(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: event[name] for name in names if name in event}


_MADE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "chat": _chat,
    "completions": _completions,
    "responses": _responses,
    "messages": _messages,
    "generate": _generate,
}
