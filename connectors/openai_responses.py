"""The Responses API: events ``response.*`` of OpenAI, Azure, Bedrock, xAI, OpenRouter, DeepSeek, LM Studio.

Strategy. The items of a response are read by :mod:`connectors._response_items`; this file knows how a
response begins, ends and fails. The API has no finish reason, so one is made of what it has: the status,
the reason why it is incomplete, and whether the last item is a call that waits for the caller.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, error_code
from connectors._response_items import ResponseItems
from operators.packet import Finish

__all__ = ["OpenAIResponses"]

_BEGUN = {"response.created", "response.queued", "response.in_progress"}
_OVER = {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}


class OpenAIResponses(Dialect):
    """Streamed events, whole ``response`` objects, and bare error bodies."""

    provider = "openai"

    def __init__(self) -> None:
        super().__init__()
        self._items = ResponseItems(self.out)

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """An event of a response outside a Realtime session, or a whole response."""
        if event.get("object") == "response":
            return True
        kind = event.get("type", name)
        return isinstance(kind, str) and kind.startswith("response.") and "event_id" not in event

    def receive(self, name: str, event: dict[str, Any]) -> None:
        kind = event.get("type", name)
        if kind in _BEGUN:
            self.out.start(event["response"].get("model"))
        elif kind in _OVER:
            self._close(event["response"])
        elif kind == "error" or event.get("error"):
            self.out.fail(f"provider error: {error_code(event.get('error') or _own_code(event))}")
        elif event.get("object") == "response":
            self._close(event)
        else:
            self._items.receive(kind, event)

    def receive_eof(self) -> None:
        super().receive_eof()
        self._items.clear()

    def _close(self, response: dict[str, Any]) -> None:
        out = self.out
        out.start(response.get("model"))
        finish = self._items.close(response.get("output") or [])
        usage = response.get("usage") or {}
        given = usage.get("input_tokens_details") or {}
        made = usage.get("output_tokens_details") or {}
        out.usage(
            input=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            reasoning=made.get("reasoning_tokens"),
            cached=given.get("cached_tokens"),
        )
        status = response.get("status")
        if status == "failed":
            out.fail(f"provider error: {error_code(response.get('error'))}")
        elif status == "incomplete":
            blocked = (response.get("incomplete_details") or {}).get("reason") == "content_filter"
            finish = Finish.REFUSAL if blocked else Finish.LENGTH  # max_output_tokens, max_tool_calls
        out.end(finish)
        self._items.clear()


def _own_code(event: dict[str, Any]) -> dict[str, Any]:
    # an error event's own type says only that it is one
    return {"code": event.get("code")}
