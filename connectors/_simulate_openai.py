"""Simulated Chat Completions, in the words of four vendors, and OpenAI Responses.

References: those of ``connectors.openai_chat`` and ``connectors.openai_responses``.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar

from connectors._simulate_text import Part
from connectors._simulate_writer import CREATED, Lane, Writer, sse
from operators.packet import Channel, Finish

__all__ = ["ChatWriter", "DeepSeekWriter", "GroqWriter", "MistralWriter", "ResponsesWriter"]

_REASONING, _TOOL, _REFUSAL = (int(channel) for channel in (Channel.REASONING, Channel.TOOL, Channel.REFUSAL))
_STOP, _LENGTH = int(Finish.STOP), int(Finish.LENGTH)
_CALLED, _REFUSED = int(Finish.TOOL), int(Finish.REFUSAL)


class ChatWriter(Writer):
    """Chat Completions; vendors differ in how they think."""

    probable = True
    model = "gpt-4o-mini-2024-07-18"
    reasons = "reasoning_content"
    refuses = True
    finishes: ClassVar[dict[int, int]] = {_REFUSED: _STOP}

    def lane(self, place: int, part: Part) -> Lane:
        del place  # texts of a choice are one, calls are counted: a speech has one at most
        return (_REFUSAL if self._refuses(part) else super().lane(0, part)[0]), 0, 0

    def head(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def begin(self, place: int, part: Part) -> bytes:
        if part.channel != _TOOL:
            return b""
        function = {"name": part.tool, "arguments": ""}
        call = {"index": 0, "id": f"call_{self._tag}", "type": "function", "function": function}
        return self._chunk({"tool_calls": [call]})

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        if part.channel == _TOOL:
            return self._chunk({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})
        if part.channel == _REASONING:
            return self._chunk(self._thought(text))
        key = "refusal" if self._refuses(part) else "content"
        told: dict[str, Any] | None = None
        if logprobs:
            told = {"content": None, "refusal": None} | {key: [_token(*each) for each in logprobs]}
        return self._chunk({key: text}, logprobs=told)

    def tail(self, finish: int, tokens: int) -> bytes:
        reason = {_LENGTH: "length", _CALLED: "tool_calls"}.get(finish, "stop")
        usage = {
            "prompt_tokens": self.prompt, "completion_tokens": tokens, "total_tokens": self.prompt + tokens,
        }  # fmt: skip
        last = sse(self._frame() | {"choices": [], "usage": usage})
        return self._chunk({}, reason) + last + b"data: [DONE]\n\n"

    def fault(self) -> bytes:
        message = "The server had an error while processing your request. Sorry about that!"
        return sse({"error": {"message": message, "type": "server_error", "param": None, "code": None}})

    def _refuses(self, part: Part) -> bool:
        return self.refuses and part.channel == _REFUSAL

    def _thought(self, text: str) -> dict[str, Any]:
        return {self.reasons: text}

    def _frame(self) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self._tag}", "object": "chat.completion.chunk", "created": CREATED,
            "model": self.model, "system_fingerprint": f"fp_{self._tag[:10]}",
        }  # fmt: skip

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, logprobs: object = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return sse(self._frame() | {"choices": [choice]})


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}


class DeepSeekWriter(ChatWriter):
    model = "deepseek-reasoner"
    refuses = False


class GroqWriter(ChatWriter):
    model = "openai/gpt-oss-20b"
    reasons = "reasoning"
    refuses = False
    probable = False


class MistralWriter(ChatWriter):
    model = "magistral-small-2509"
    refuses = False
    probable = False

    def _thought(self, text: str) -> dict[str, Any]:
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}


class ResponsesWriter(Writer):
    """OpenAI Responses: every part an item, said in pieces, then whole four times over."""

    def __init__(self, rng: random.Random, prompt: int) -> None:
        super().__init__(rng, prompt)
        self._number = 0
        self._output: list[dict[str, Any]] = []

    def lane(self, place: int, part: Part) -> Lane:
        return part.channel, 0, place

    def head(self) -> bytes:
        begun = {"response": self._response("in_progress")}
        return self._event("response.created", begun) + self._event("response.in_progress", begun)

    def begin(self, place: int, part: Part) -> bytes:
        added = {"output_index": place, "item": self._item(place, part, "")}
        said = self._event("response.output_item.added", added)
        if part.channel == _REASONING:
            opened = {"summary_index": 0, "part": {"type": "summary_text", "text": ""}}
            said += self._event("response.reasoning_summary_part.added", self._at(place) | opened)
        elif part.channel != _TOOL:
            opened = {"content_index": 0, "part": self._content(part, "")}
            said += self._event("response.content_part.added", self._at(place) | opened)
        return said

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        name, _, where = self._voice(part)
        said = self._at(place) | where | {"delta": text}
        if name == "output_text":
            said["logprobs"] = []
        return self._event(f"response.{name}.delta", said)

    def close(self, place: int, part: Part) -> bytes:
        name, field, where = self._voice(part)
        whole = self._at(place) | where | {field: part.text}
        if name == "output_text":
            whole["logprobs"] = []
        said = self._event(f"response.{name}.done", whole)
        if part.channel == _REASONING:
            done = {"summary_index": 0, "part": {"type": "summary_text", "text": part.text}}
            said += self._event("response.reasoning_summary_part.done", self._at(place) | done)
        elif part.channel != _TOOL:
            done = {"content_index": 0, "part": self._content(part, part.text)}
            said += self._event("response.content_part.done", self._at(place) | done)
        item = self._item(place, part, part.text)
        self._output.append(item)
        return said + self._event("response.output_item.done", {"output_index": place, "item": item})

    def tail(self, finish: int, tokens: int) -> bytes:
        status = "incomplete" if finish == _LENGTH else "completed"
        response = self._response(status)
        if finish == _LENGTH:
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        response["usage"] = {
            "input_tokens": self.prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": tokens, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.prompt + tokens,
        }  # fmt: skip
        return self._event(f"response.{status}", {"response": response})

    def fault(self) -> bytes:
        error = {"code": "server_error", "message": "The server had an error.", "param": None}
        response = self._response("failed") | {"error": error}
        return self._event("error", error) + self._event("response.failed", {"response": response})

    def _event(self, name: str, fields: dict[str, Any]) -> bytes:
        number, self._number = self._number, self._number + 1
        return sse({"type": name, "sequence_number": number, **fields}, name)

    def _at(self, place: int) -> dict[str, Any]:
        return {"item_id": f"item_{self._tag}{place}", "output_index": place}

    def _voice(self, part: Part) -> tuple[str, str, dict[str, Any]]:
        """Name of its events, field of its whole, where it stands in the item."""
        if part.channel == _TOOL:
            return "function_call_arguments", "arguments", {}
        if part.channel == _REASONING:
            return "reasoning_summary_text", "text", {"summary_index": 0}
        name, field = ("refusal", "refusal") if part.channel == _REFUSAL else ("output_text", "text")
        return name, field, {"content_index": 0}

    def _content(self, part: Part, text: str) -> dict[str, Any]:
        if part.channel == _REFUSAL:
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "annotations": [], "text": text}

    def _item(self, place: int, part: Part, text: str) -> dict[str, Any]:
        item = {"id": f"item_{self._tag}{place}", "status": "completed" if text else "in_progress"}
        if part.channel == _TOOL:
            call = {"call_id": f"call_{self._tag}", "name": part.tool, "arguments": text}
            return item | {"type": "function_call"} | call
        if part.channel == _REASONING:
            summary = [{"type": "summary_text", "text": text}] if text else []
            return item | {"type": "reasoning", "summary": summary}
        content = [self._content(part, text)] if text else []
        return item | {"type": "message", "role": "assistant", "content": content}

    def _response(self, status: str) -> dict[str, Any]:
        return {
            "id": f"resp_{self._tag}", "object": "response", "created_at": CREATED, "status": status,
            "error": None, "incomplete_details": None, "model": "gpt-5-mini-2025-08-07",
            "output": list(self._output), "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            "usage": None,
        }  # fmt: skip
