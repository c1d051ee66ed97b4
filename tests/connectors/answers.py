"""Answers of providers as they stand on the wire, and what a client makes of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from flows.entries import RuleEntry
from flows.judgement import Judgement


@cache
def policy() -> Judgement:
    """Masks what looks like an address, ends what says *stop-word*."""
    mail = RuleEntry(
        name="mail", description="an address", pattern=r"[a-z.]{1,20}@[a-z]{1,20}\.com", action="redact",
        label="[MAIL]",
    )  # fmt: skip
    word = RuleEntry(name="word", description="a word", pattern="stop-word", action="block")
    return Judgement(entries=(mail, word))


def sse(event: dict[str, Any], name: str = "") -> bytes:
    """One event."""
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: " + orjson.dumps(event) + b"\n\n"


def said(delta: dict[str, Any], index: int = 0, finish: str | None = None, **more: Any) -> bytes:
    """One chunk of Chat Completions."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return sse({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more})


def chat(*pieces: str, finish: str = "stop") -> list[bytes]:
    """The frames of an answer in `pieces`."""
    words = [said({"content": piece}) for piece in pieces]
    return [said({"role": "assistant", "content": ""}), *words, said({}, finish=finish), b"data: [DONE]\n\n"]


def message(*pieces: str) -> list[bytes]:
    """The frames of an answer of Anthropic's."""
    head = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": head},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return [sse(event, event["type"]) for event in events]


def chunks(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream that are JSON objects."""
    return [orjson.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")]


def content(data: bytes, index: int = 0) -> str:
    """What a client of Chat Completions makes of a stream."""
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks(data)
        for choice in chunk.get("choices", ())
        if choice["index"] == index
    )
