"""A speech as one body, for the requests that do not stream.

References: those of the decoders of the same names, in their sections on responses without streaming.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from connectors._simulate_text import Part, Speech
from connectors._simulate_writer import CREATED
from operators.packet import Channel, Finish

__all__ = ["whole"]

_REASONING, _TOOL, _REFUSAL = (int(channel) for channel in (Channel.REASONING, Channel.TOOL, Channel.REFUSAL))
_LENGTH, _CALLED, _REFUSED = int(Finish.LENGTH), int(Finish.TOOL), int(Finish.REFUSAL)
_TAG = "000000000000000000000000"


def whole(api: str, speech: Speech, choices: int, prompt: int, tokens: int) -> bytes:
    """The body of `api`, or nothing if it is not among those here.

    :arg prompt: Tokens of the request.
    :arg tokens: Tokens of one choice.
    """
    make = _WHOLES.get(api)
    return orjson.dumps(make(speech, choices, prompt, tokens)) if make else b""


def _join(parts: tuple[Part, ...], *channels: int) -> str:
    return "".join(part.text for part in parts if part.channel in channels)


def _spoken(parts: tuple[Part, ...]) -> str:
    """All that is neither a thought nor a call: most APIs have no other place for a refusal."""
    return "".join(part.text for part in parts if part.channel not in {_REASONING, _TOOL})


def _object(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}


def _openai_usage(prompt: int, tokens: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}


def _chat(speech: Speech, choices: int, prompt: int, tokens: int) -> dict[str, Any]:
    refusal, thought = _join(speech.parts, _REFUSAL), _join(speech.parts, _REASONING)
    spoken = "".join(part.text for part in speech.parts if part.channel not in {_REASONING, _TOOL, _REFUSAL})
    message: dict[str, Any] = {"role": "assistant", "content": spoken or None, "refusal": refusal or None}
    if thought:
        message["reasoning_content"] = thought
    calls = [
        {
            "id": f"call_{_TAG}{at}", "type": "function",
            "function": {"name": part.tool, "arguments": part.text},
        }
        for at, part in enumerate(part for part in speech.parts if part.channel == _TOOL)
    ]  # fmt: skip
    if calls:
        message["tool_calls"] = calls
    reason = {_LENGTH: "length", _CALLED: "tool_calls"}.get(speech.finish, "stop")
    said = [
        {"index": at, "message": message, "logprobs": None, "finish_reason": reason} for at in range(choices)
    ]
    return {
        "id": f"chatcmpl-{_TAG}", "object": "chat.completion", "created": CREATED,
        "model": "gpt-4o-mini-2024-07-18", "choices": said,
        "usage": _openai_usage(prompt, tokens * choices), "system_fingerprint": "fp_mock",
    }  # fmt: skip


def _completions(speech: Speech, choices: int, prompt: int, tokens: int) -> dict[str, Any]:
    reason = "length" if speech.finish == _LENGTH else "stop"
    text = "".join(part.text for part in speech.parts)
    said = [{"text": text, "index": at, "logprobs": None, "finish_reason": reason} for at in range(choices)]
    return {
        "id": f"cmpl-{_TAG}", "object": "text_completion", "created": CREATED,
        "model": "gpt-3.5-turbo-instruct", "choices": said, "usage": _openai_usage(prompt, tokens * choices),
    }  # fmt: skip


def _messages(speech: Speech, choices: int, prompt: int, tokens: int) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for at, part in enumerate(speech.parts):
        if part.channel == _TOOL:
            call = {"id": f"toolu_{_TAG}{at}", "name": part.tool, "input": _object(part.text)}
            content.append({"type": "tool_use", **call})
        elif part.channel == _REASONING:
            content.append({"type": "thinking", "thinking": part.text, "signature": _TAG})
        else:
            content.append({"type": "text", "text": part.text})
    words = {_LENGTH: "max_tokens", _CALLED: "tool_use", _REFUSED: "refusal"}
    return {
        "id": f"msg_{_TAG}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": content, "stop_reason": words.get(speech.finish, "end_turn"), "stop_sequence": None,
        "usage": {"input_tokens": prompt, "cache_read_input_tokens": 0, "output_tokens": tokens},
    }  # fmt: skip


def _gemini(speech: Speech, choices: int, prompt: int, tokens: int) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for part in speech.parts:
        if part.channel == _TOOL:
            parts.append({"functionCall": {"name": part.tool, "args": _object(part.text)}})
        else:
            thought = {"thought": True} if part.channel == _REASONING else {}
            parts.append({"text": part.text, **thought})
    reason = {_LENGTH: "MAX_TOKENS", _REFUSED: "SAFETY"}.get(speech.finish, "STOP")
    counts = {
        "promptTokenCount": prompt, "candidatesTokenCount": tokens, "totalTokenCount": prompt + tokens,
    }  # fmt: skip
    return {
        "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason, "index": 0}],
        "usageMetadata": counts, "modelVersion": "gemini-2.5-flash", "responseId": _TAG,
    }  # fmt: skip


def _ollama_end(speech: Speech, prompt: int, tokens: int) -> dict[str, Any]:
    return {
        "model": "llama3.2", "created_at": "2026-01-05T09:00:00Z", "done": True,
        "done_reason": "length" if speech.finish == _LENGTH else "stop",
        "prompt_eval_count": prompt, "eval_count": tokens,
    }  # fmt: skip


def _ollama_chat(speech: Speech, choices: int, prompt: int, tokens: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": _spoken(speech.parts)}
    if thought := _join(speech.parts, _REASONING):
        message["thinking"] = thought
    calls = [part for part in speech.parts if part.channel == _TOOL]
    if calls:
        message["tool_calls"] = [
            {"function": {"name": part.tool, "arguments": _object(part.text)}} for part in calls
        ]
    return _ollama_end(speech, prompt, tokens) | {"message": message}


def _ollama_generate(speech: Speech, choices: int, prompt: int, tokens: int) -> dict[str, Any]:
    text = "".join(part.text for part in speech.parts)
    return _ollama_end(speech, prompt, tokens) | {"response": text}


_WHOLES: dict[str, Callable[[Speech, int, int, int], dict[str, Any]]] = {
    "openai-chat": _chat,
    "openai-completions": _completions,
    "anthropic-messages": _messages,
    "gemini-generate": _gemini,
    "ollama-chat": _ollama_chat,
    "ollama-generate": _ollama_generate,
}
"""Responses is not here: its last event holds the whole."""
