"""Simulated Anthropic, Gemini, Cohere, Ollama and Bedrock; and the table of all writers.

References: those of the decoders of the same names.
"""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any, ClassVar

import orjson

from connectors._simulate_openai import ChatWriter, DeepSeekWriter, GroqWriter, MistralWriter, ResponsesWriter
from connectors._simulate_text import Part
from connectors._simulate_writer import Lane, Writer, sse
from operators.packet import Channel, Finish

__all__ = ["WRITERS"]

_REASONING, _TOOL = int(Channel.REASONING), int(Channel.TOOL)
_STOP, _LENGTH = int(Finish.STOP), int(Finish.LENGTH)
_CALLED, _REFUSED = int(Finish.TOOL), int(Finish.REFUSAL)


class MessagesWriter(Writer):
    """Anthropic Messages: every part a content block."""

    most = 5

    def head(self) -> bytes:
        usage = {"input_tokens": self.prompt, "cache_read_input_tokens": 0, "output_tokens": 1}
        message: dict[str, Any] = {
            "id": f"msg_{self._tag}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
            "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
        }  # fmt: skip
        return self._event("message_start", {"message": message}) + self._event("ping", {})

    def begin(self, place: int, part: Part) -> bytes:
        block: dict[str, Any] = {"type": "text", "text": ""}
        if part.channel == _TOOL:
            block = {"type": "tool_use", "id": f"toolu_{self._tag}", "name": part.tool, "input": {}}
        elif part.channel == _REASONING:
            block = {"type": "thinking", "thinking": "", "signature": ""}
        return self._event("content_block_start", {"index": place, "content_block": block})

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        delta = {"type": "text_delta", "text": text}
        if part.channel == _TOOL:
            delta = {"type": "input_json_delta", "partial_json": text}
        elif part.channel == _REASONING:
            delta = {"type": "thinking_delta", "thinking": text}
        return self._event("content_block_delta", {"index": place, "delta": delta})

    def close(self, place: int, part: Part) -> bytes:
        signed = b""
        if part.channel == _REASONING:
            delta = {"type": "signature_delta", "signature": self._tag}
            signed = self._event("content_block_delta", {"index": place, "delta": delta})
        return signed + self._event("content_block_stop", {"index": place})

    def tail(self, finish: int, tokens: int) -> bytes:
        words = {_LENGTH: "max_tokens", _CALLED: "tool_use", _REFUSED: "refusal"}
        delta = {"stop_reason": words.get(finish, "end_turn"), "stop_sequence": None}
        usage = {"input_tokens": self.prompt, "output_tokens": tokens}
        ended = self._event("message_delta", {"delta": delta, "usage": usage})
        return ended + self._event("message_stop", {})

    def fault(self) -> bytes:
        return self._event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})

    def _event(self, name: str, fields: dict[str, Any]) -> bytes:
        return sse({"type": name, **fields}, name)


class GeminiWriter(Writer):
    """Gemini ``streamGenerateContent`` with ``alt=sse``: few, long pieces; calls of tools whole."""

    most = 18
    whole_calls = True
    finishes: ClassVar[dict[int, int]] = {_CALLED: _STOP}

    def lane(self, place: int, part: Part) -> Lane:
        return super().lane(0, part)

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        if part.channel == _TOOL:
            return self._chunk({"functionCall": {"name": part.tool, "args": orjson.loads(text)}})
        return self._chunk({"text": text} | ({"thought": True} if part.channel == _REASONING else {}))

    def tail(self, finish: int, tokens: int) -> bytes:
        reason = {_LENGTH: "MAX_TOKENS", _REFUSED: "SAFETY"}.get(finish, "STOP")
        return self._chunk({"text": ""}, {"finishReason": reason}, {"candidatesTokenCount": tokens})

    def fault(self) -> bytes:
        message = "The model is overloaded. Please try again later."
        return sse({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}})

    def _chunk(
        self, part: dict[str, Any], ended: dict[str, str] | None = None, counted: dict[str, int] | None = None
    ) -> bytes:
        candidate = {"content": {"parts": [part], "role": "model"}, **(ended or {}), "index": 0}
        usage = {"promptTokenCount": self.prompt, **(counted or {})}
        return sse(
            {
                "candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash",
                "responseId": self._tag,
            }
        )  # fmt: skip


class CohereWriter(Writer):
    """Cohere v2 Chat: every part a content block, calls of tools beside them."""

    finishes: ClassVar[dict[int, int]] = {_REFUSED: _STOP}

    def head(self) -> bytes:
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        return self._event("message-start", None, message, {"id": self._tag})

    def begin(self, place: int, part: Part) -> bytes:
        if part.channel == _TOOL:
            function = {"name": part.tool, "arguments": ""}
            call = {"id": f"{part.tool}_{self._tag[:8]}", "type": "function", "function": function}
            return self._event("tool-call-start", place, {"tool_calls": call})
        kind = "thinking" if part.channel == _REASONING else "text"
        return self._event("content-start", place, {"content": {"type": kind, kind: ""}})

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        if part.channel == _TOOL:
            return self._event("tool-call-delta", place, {"tool_calls": {"function": {"arguments": text}}})
        kind = "thinking" if part.channel == _REASONING else "text"
        return self._event("content-delta", place, {"content": {kind: text}})

    def close(self, place: int, part: Part) -> bytes:
        return self._event("tool-call-end" if part.channel == _TOOL else "content-end", place)

    def tail(self, finish: int, tokens: int) -> bytes:
        return self._end({_LENGTH: "MAX_TOKENS", _CALLED: "TOOL_CALL"}.get(finish, "COMPLETE"), tokens)

    def fault(self) -> bytes:
        return self._end("ERROR", 0)

    def _end(self, reason: str, tokens: int) -> bytes:
        usage = {"tokens": {"input_tokens": self.prompt, "output_tokens": tokens}}
        delta = {"finish_reason": reason, "usage": usage}
        return sse({"type": "message-end", "delta": delta}, "message-end") + b"data: [DONE]\n\n"

    def _event(
        self, name: str, place: int | None, message: object = None, more: dict[str, str] | None = None
    ) -> bytes:
        where = {} if place is None else {"index": place}
        said = {} if message is None else {"delta": {"message": message}}
        return sse({"type": name, **(more or {}), **where, **said}, name)


class OllamaWriter(Writer):
    """Ollama chat: one JSON object a line; calls of tools whole."""

    whole_calls = True
    finishes: ClassVar[dict[int, int]] = {_CALLED: _STOP, _REFUSED: _STOP}

    def __init__(self, rng: random.Random, prompt: int) -> None:
        super().__init__(rng, prompt)
        self._lines = 0

    def lane(self, place: int, part: Part) -> Lane:
        return super().lane(0, part)

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        if part.channel == _TOOL:
            call = {"function": {"name": part.tool, "arguments": orjson.loads(text)}}
            return self._line({"content": "", "tool_calls": [call]})
        if part.channel == _REASONING:
            return self._line({"content": "", "thinking": text})
        return self._line({"content": text})

    def tail(self, finish: int, tokens: int) -> bytes:
        counts = {"prompt_eval_count": self.prompt, "eval_count": tokens}
        reason = "length" if finish == _LENGTH else "stop"
        return self._line({"content": ""}, {"done_reason": reason, "done": True, **counts})

    def fault(self) -> bytes:
        return orjson.dumps({"error": "an error was encountered while running the model"}) + b"\n"

    def _line(self, message: dict[str, Any], ended: dict[str, Any] | None = None) -> bytes:
        self._lines += 1
        minute, second = divmod(self._lines // 40, 60)
        created = f"2026-01-05T09:{minute:02}:{second:02}.{self._lines % 40 * 25:03}Z"
        head = {"model": "llama3.2", "created_at": created, "message": {"role": "assistant", **message}}
        return orjson.dumps(head | (ended or {"done": False})) + b"\n"


class ConverseWriter(Writer):
    """Bedrock ConverseStream: every part a content block, every event a binary frame."""

    most = 3

    def head(self) -> bytes:
        return self._event("messageStart", {"role": "assistant"})

    def begin(self, place: int, part: Part) -> bytes:
        if part.channel != _TOOL:
            return b""
        call = {"name": part.tool, "toolUseId": f"tooluse_{self._tag}"}
        return self._event("contentBlockStart", {"contentBlockIndex": place, "start": {"toolUse": call}})

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        delta: dict[str, Any] = {"text": text}
        if part.channel == _TOOL:
            delta = {"toolUse": {"input": text}}
        elif part.channel == _REASONING:
            delta = {"reasoningContent": {"text": text}}
        return self._event("contentBlockDelta", {"contentBlockIndex": place, "delta": delta})

    def close(self, place: int, part: Part) -> bytes:
        return self._event("contentBlockStop", {"contentBlockIndex": place})

    def tail(self, finish: int, tokens: int) -> bytes:
        words = {_LENGTH: "max_tokens", _CALLED: "tool_use", _REFUSED: "content_filtered"}
        usage = {"inputTokens": self.prompt, "outputTokens": tokens, "totalTokens": self.prompt + tokens}
        stopped = self._event("messageStop", {"stopReason": words.get(finish, "end_turn")})
        return stopped + self._event("metadata", {"metrics": {"latencyMs": 900}, "usage": usage})

    def fault(self) -> bytes:
        failed = {"message": "The model produced an unexpected error while streaming."}
        return _frame({":exception-type": "modelStreamErrorException", ":message-type": "exception"}, failed)

    def _event(self, name: str, payload: dict[str, Any]) -> bytes:
        padded = payload | {"p": self._tag[: 4 + len(self._tag) * len(name) % 20]}
        return _frame({":event-type": name, ":message-type": "event"}, padded)


def _frame(headers: dict[str, str], payload: dict[str, Any]) -> bytes:
    """One message of ``application/vnd.amazon.eventstream``."""
    body = orjson.dumps(payload)
    head = b""
    for name, value in (headers | {":content-type": "application/json"}).items():
        head += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return message + struct.pack(">I", zlib.crc32(message))


WRITERS: dict[str, type[Writer]] = {
    "openai-chat": ChatWriter,
    "openai-responses": ResponsesWriter,
    "anthropic-messages": MessagesWriter,
    "gemini-generate": GeminiWriter,
    "cohere-v2chat": CohereWriter,
    "ollama-chat": OllamaWriter,
    "mistral-chat": MistralWriter,
    "deepseek-chat": DeepSeekWriter,
    "groq-chat": GroqWriter,
    "bedrock-converse": ConverseWriter,
}
"""By the name of the API, as ``connectors.decoders`` knows it."""
