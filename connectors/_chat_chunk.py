"""The chunk that says one thing: a piece of ``content`` of one choice, and nothing else worth hearing.

Nearly every chunk of Chat Completions is one. Parsing it with its type in hand builds a string and two
small structs in place of three dictionaries with all their keys, 0.6 us in place of 1.0. Whatever says
more, or is not what it should be, is left to the dialect, so nothing is decided here but speed. Every key
that the dialect listens to must have its field below, or it would be passed over
(``tests/connectors/test_openai_chat.py`` holds them together).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from connectors._decoder import MAX_INDEX

__all__ = ["KEYS", "only_content"]


class _Said(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None
    annotations: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Said
    index: Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)] = 0
    finish_reason: Any = None
    logprobs: Any = None
    error: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice]
    usage: Any = None
    error: Any = None
    x_groq: Any = None
    citations: Any = None


KEYS = frozenset(_Said.__struct_fields__)
_decode = msgspec.json.Decoder(_Chunk).decode


def only_content(payload: bytes) -> tuple[str, int] | None:
    """The content and the choice of a chunk that says nothing else; None for any other payload."""
    try:
        chunk = _decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # it does not wrap what is no UTF-8
        return None
    if len(chunk.choices) != 1 or chunk.usage or chunk.error or chunk.x_groq or chunk.citations:
        return None
    (choice,) = chunk.choices
    said = choice.delta
    if choice.finish_reason or choice.logprobs is not None or choice.error is not None or not said.content:
        return None
    if (
        said.tool_calls or said.reasoning or said.reasoning_content or said.refusal or said.reasoning_details
        or said.function_call or said.audio or said.annotations
    ):  # fmt: skip
        return None
    return said.content, choice.index
