"""One question to a model as each API takes it: path, query, headers and body of the request.

Strategy. Four forms, one function each; what a question leaves open is not sent, so that the provider's own
default holds: models refuse what they do not know, a temperature for one. The exception is Anthropic's
``max_tokens``, which must be there. Token counts are asked for where they do not come by themselves.

https://platform.openai.com/docs/api-reference https://platform.claude.com/docs/en/api/messages
https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from connectors._upstream import Pairs

__all__ = ["DIALECTS", "Asked", "Question", "request"]

_MAX_TOKENS = 4096
_NEW, _OLD = b"2026-10-21", b"2023-06-01"
"""Versions of Anthropic's API: the newer has no temperature (platform.claude.com/docs/en/api/versioning)."""
_COUNTS_ALWAYS = frozenset({"mistral", "perplexity"})
"""Send token counts unasked, and Mistral refuses a field that it does not know."""
_RENAMED = frozenset({"openai", "azure"})
"""Take ``max_completion_tokens``: ``max_tokens`` is not compatible with their reasoning models."""


@dataclass(frozen=True)
class Question:
    """What is asked. Its words are in no repr, for they may hold anything."""

    model: str
    prompt: str = field(repr=False)
    system: str = field(default="", repr=False)
    max_tokens: int | None = None
    temperature: float | None = None
    stream: bool = True
    background: bool = False
    """The provider goes on when the connection breaks, and is read from where it broke: Responses only."""


@dataclass(frozen=True)
class Asked:
    """A request, below a base URL."""

    path: str
    body: bytes = field(repr=False)
    query: tuple[tuple[str, str], ...] = ()
    headers: Pairs = ((b"content-type", b"application/json"),)


def request(api: str, question: Question) -> Asked:
    """`question` in the form of `api`, a name of ``decoders.API_NAMES`` that ends as one of :data:`DIALECTS`.

    :raises ValueError: If nothing can be asked in this form.

    >>> request("gemini-generate", Question("gemini-2.5-flash", "Hi")).path
    '/models/gemini-2.5-flash:streamGenerateContent'
    """
    vendor, _, dialect = api.rpartition("-")
    if dialect not in DIALECTS:
        msg = f"api {api!r} cannot be asked a question; those that can end in {', '.join(DIALECTS)}"
        raise ValueError(msg)
    if question.background and dialect != "responses":
        msg = f"api {api!r} cannot answer in the background: only those that end in responses can"
        raise ValueError(msg)
    return DIALECTS[dialect](vendor, question)


def _chat(vendor: str, question: Question) -> Asked:
    messages = [{"role": "user", "content": question.prompt}]
    if question.system:
        messages.insert(0, {"role": "system", "content": question.system})
    limit = "max_completion_tokens" if vendor in _RENAMED else "max_tokens"
    counts = question.stream and vendor not in _COUNTS_ALWAYS
    return Asked(
        "/chat/completions",
        _json(
            model=question.model,
            messages=messages,
            stream=question.stream,
            stream_options={"include_usage": True} if counts else None,
            temperature=question.temperature,
            **{limit: question.max_tokens},
        ),
    )


def _responses(vendor: str, question: Question) -> Asked:
    del vendor
    return Asked(
        "/responses",
        _json(
            model=question.model,
            input=question.prompt,
            instructions=question.system or None,
            stream=question.stream,
            background=question.background or None,
            store=question.background or None,
            temperature=question.temperature,
            max_output_tokens=question.max_tokens,
        ),
    )


def _messages(vendor: str, question: Question) -> Asked:
    del vendor
    return Asked(
        "/messages",
        _json(
            model=question.model,
            messages=[{"role": "user", "content": question.prompt}],
            system=question.system or None,
            stream=question.stream,
            temperature=question.temperature,
            max_tokens=_MAX_TOKENS if question.max_tokens is None else question.max_tokens,
        ),
        headers=(
            (b"content-type", b"application/json"),
            (b"anthropic-version", _NEW if question.temperature is None else _OLD),
        ),
    )


def _generate(vendor: str, question: Question) -> Asked:
    del vendor
    method = "streamGenerateContent" if question.stream else "generateContent"
    limits = {"maxOutputTokens": question.max_tokens, "temperature": question.temperature}
    return Asked(
        f"/models/{quote(question.model, safe='')}:{method}",
        _json(
            contents=[{"role": "user", "parts": [{"text": question.prompt}]}],
            systemInstruction={"parts": [{"text": question.system}]} if question.system else None,
            generationConfig={name: value for name, value in limits.items() if value is not None} or None,
        ),
        query=(("alt", "sse"),) if question.stream else (),
    )


DIALECTS: dict[str, Callable[[str, Question], Asked]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "generate": _generate,
}
"""The forms, by the last part of an API's name."""


def _json(**fields: Any) -> bytes:
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})
