"""Seeded inputs that the benches share: streams of prose as wire bytes, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator

import orjson

__all__ = ["chat_events", "words"]

_WORDS = """
the a of to and in is that it for on with as this by from at an be are model stream token
answer while system every measure between before after window pattern signal value under over
small large question because however therefore example result number first second careful
simple follow change reason explain consider describe operate deliver measure compare observe
notice continue depend
""".split()  # noqa: SIM905 - seventy quoted words on as many lines are no list to read


def words(seed: int, count: int) -> Iterator[str]:
    """`count` tokens of made-up prose: pieces of words of about four characters, spaces in front."""
    seeded = random.Random(seed)
    made = 0
    while made < count:
        word = " " + seeded.choice(_WORDS) + (seeded.choice(".,;") if seeded.random() < 0.1 else "")
        for cut in range(0, len(word), 5)[: count - made]:
            yield word[cut : cut + 5]
            made += 1


def chat_events(stream: int, count: int) -> list[bytes]:
    """One Chat Completions stream: a role chunk, `count` content chunks, finish, usage, ``[DONE]``."""
    head = {
        "id": f"chatcmpl-{stream:08x}", "object": "chat.completion.chunk", "created": 1_760_000_000,
        "model": "gpt-4o-mini-2024-07-18", "service_tier": "default", "system_fingerprint": "fp_5e2d9c1a77",
    }  # fmt: skip

    def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + orjson.dumps(head | {"choices": [choice], "usage": None}) + b"\n\n"

    usage = {"prompt_tokens": 20, "completion_tokens": count, "total_tokens": count + 20}
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": token}) for token in words(stream, count)),
        chunk({}, "stop"),
        b"data: " + orjson.dumps(head | {"choices": [], "usage": usage}) + b"\n\n",
        b"data: [DONE]\n\n",
    ]
