"""The events of Anthropic's Messages API, wherever they come from: its own SSE or Bedrock's frames.

A message is a list of content blocks, streamed one after the other and numbered; the number is the
lane's item, so text, thinking and each tool's arguments keep the places they have in the final message.

What is taken: ``text_delta`` as text, ``thinking_delta`` and ``compaction_delta`` (a summary the model
writes for itself) as reasoning, ``input_json_delta`` as tool arguments, for the provider's own tools
too, because the model wrote them. Citations, fallbacks to another model and results of the provider's
own tools are NOTEs: a result is not the model's text, so its content is not carried, only that it came
and whether it failed. Signatures and redacted thinking are opaque and pass by.

Reference  https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Script, listed, short
from connectors._tool_calls import ToolCalls
from connectors._untrusted import facts
from operators.packet import Channel, Finish

__all__ = ["EVENTS", "STOP_REASONS", "MessageEvents"]

EVENTS = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)
"""Types of events that no other API sends."""

STOP_REASONS = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "pause_turn": Finish.STOP,
    "compaction": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL,
    "refusal": Finish.REFUSAL,
}
"""What ``stop_reason`` means. One that is not here ends as *stop*, with a NOTE that names it."""

_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)


class MessageEvents:
    """One reader for the messages of one connection, one after the other. Says all to `out`."""

    def __init__(self, out: Script) -> None:
        self._out = out
        self._calls = ToolCalls(out)

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event; `name` stands in for a missing ``type``. Types not known pass by."""
        kind = event.get("type", name)
        if kind == "content_block_delta":
            self._expect_open(kind)
            self._delta(event["index"], event["delta"])
        elif kind == "content_block_start":
            self._expect_open(kind)
            self._block(event["index"], event["content_block"])
        elif kind == "content_block_stop":
            self._expect_open(kind)
            self._calls.close(event["index"])
        elif kind == "message_start":
            self._message(event["message"])
        elif kind == "message_delta":
            self._expect_open(kind)
            self._usage(event.get("usage"))
            self._stop(event.get("delta") or {})
        elif kind == "message_stop":
            if not self._out.open:
                self._out.fail("message_stop before message_start")
            self._end(Finish.STOP)
        elif kind == "message":  # the body of a request that did not ask for a stream
            self._message(event)
            self._end(Finish.STOP)
        elif kind == "error":
            detail = event.get("error")
            code = detail.get("type") if isinstance(detail, dict) else detail
            self._out.fail(f"provider error: {listed(code) or 'no type given'}")
            self._calls.clear()
            self._out.end()

    def receive_eof(self) -> None:
        """The bytes are over."""
        self._end(Finish.TRUNCATED)

    def _expect_open(self, kind: str) -> None:
        if not self._out.open:
            self._out.error(f"{kind} before message_start")
            self._out.start()

    def _message(self, message: dict[str, Any]) -> None:
        if self._out.open:
            self._out.error("second message_start before message_stop")
        self._out.start(message.get("model"))
        self._calls.clear()
        self._usage(message.get("usage"))
        for index, block in enumerate(message.get("content") or ()):
            self._block(index, block)
            self._calls.close(index)
        self._stop(message)

    def _block(self, index: int, block: dict[str, Any]) -> None:
        kind = block["type"]
        if kind == "text":
            self._out.text(block.get("text") or "", _TEXT, 0, index)
            for citation in block.get("citations") or ():
                self._cite(index, citation)
        elif kind == "thinking":
            self._out.text(block.get("thinking") or "", _REASONING, 0, index)
        elif kind == "compaction":
            self._out.text(block.get("content") or "", _REASONING, 0, index)
        elif kind.endswith("tool_use"):
            self._calls.open(index, block.get("name"), block.get("id"), block.get("input"))
        elif kind.endswith("tool_result"):
            content = block.get("content")
            result = {"type": short(kind), "id": short(block.get("tool_use_id", ""))}
            code = content.get("error_code") if isinstance(content, dict) else None
            if code or block.get("is_error"):
                result["error"] = short(code or "is_error")
            self._out.note({"result": result}, _TOOL, 0, index)
        elif kind == "fallback":
            models = {end: short((block.get(end) or {}).get("model", "")) for end in ("from", "to")}
            self._out.note({"fallback": models}, _TEXT, 0, index)

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        kind = delta["type"]
        if kind == "text_delta":
            self._out.text(delta["text"], _TEXT, 0, index)
        elif kind == "input_json_delta":
            self._calls.add(index, delta["partial_json"])
        elif kind == "thinking_delta":
            self._out.text(delta["thinking"], _REASONING, 0, index)
        elif kind == "compaction_delta":
            self._out.text(delta["content"] or "", _REASONING, 0, index)
        elif kind == "citations_delta":
            self._cite(index, delta["citation"])

    def _cite(self, index: int, citation: dict[str, Any]) -> None:
        self._out.note(
            {
                "citation": facts(
                    citation, "type", "url", "title", "document_index", "document_title",
                    "start_char_index", "end_char_index", "start_page_number", "end_page_number",
                    "start_block_index", "end_block_index", "search_result_index", "source",
                )
            },
            _TEXT, 0, index,
        )  # fmt: skip

    def _stop(self, delta: dict[str, Any]) -> None:
        reason = delta.get("stop_reason")
        if reason is None:
            return
        finish = STOP_REASONS.get(reason)
        if finish is None:
            finish = Finish.STOP
            self._out.note({"finish": short(reason)})
        category = (delta.get("stop_details") or {}).get("category")
        if category:
            self._out.note({"refusal": {"category": short(category)}})
        self._calls.settle(finish)
        self._out.finish(finish)

    def _end(self, finish: Finish) -> None:
        self._calls.settle(finish)
        self._calls.clear()
        self._out.end(finish)

    def _usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            details = usage.get("output_tokens_details") or {}
            self._out.usage(
                input=usage.get("input_tokens"),
                output=usage.get("output_tokens"),
                cached=usage.get("cache_read_input_tokens"),
                reasoning=details.get("thinking_tokens"),
            )
