"""Frames that say one piece of text and nothing else, told without building what they are made of.

Nearly every frame of a stream is one. A decoder that knows each field it may have, and refuses every
other, proves that nothing stands in it but this text and what no rule looks at (the keys that
``_leaves.py`` passes over); building a string and two small structs is less than parsing it, hearing it and
walking over it. Whatever else there is, is left to the dialect: nothing is decided here
but speed. Only of APIs whose dialect remembers nothing of such a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import msgspec

from connectors._decoder import MAX_INDEX
from operators.packet import Channel

__all__ = ["Plain", "plain_of"]

_TEXT = int(Channel.TEXT)
_Index = Annotated[int, msgspec.Meta(ge=0, le=MAX_INDEX)]


class Plain(NamedTuple):
    """A piece of text: which, of which lane, and where it stands in the event."""

    text: str
    lane: tuple[int, int, int]
    path: tuple[str | int, ...]


class _Said(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: str
    role: str | None = None
    refusal: None = None
    reasoning_content: None = None
    reasoning: None = None
    tool_calls: None = None
    function_call: None = None


class _Choice(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    delta: _Said
    index: _Index = 0
    finish_reason: None = None
    native_finish_reason: None = None
    stop_reason: None = None
    logprobs: None = None


class _Chunk(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1, max_length=1)]
    id: str | None = None
    object: str | None = None
    created: float | None = None
    model: str | None = None
    provider: str | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    obfuscation: str | None = None
    usage: None = None
    error: None = None


class _TextDelta(msgspec.Struct, gc=False, forbid_unknown_fields=True, tag_field="type", tag="text_delta"):
    text: str


class _BlockDelta(
    msgspec.Struct, gc=False, forbid_unknown_fields=True, tag_field="type", tag="content_block_delta"
):
    index: _Index
    delta: _TextDelta


_chunk = msgspec.json.Decoder(_Chunk).decode
_block = msgspec.json.Decoder(_BlockDelta).decode
_CHUNK = "choices", 0, "delta", "content"
_BLOCK = "delta", "text"


def plain_of(dialect: str) -> Callable[[bytes], Plain | None] | None:
    """What tells the plain frames of a dialect; None if there is nothing that does."""
    return _PLAIN.get(dialect)


def _chat(payload: bytes) -> Plain | None:
    try:
        choice = _chunk(payload).choices[0]
    except (msgspec.MsgspecError, ValueError, RecursionError):  # it does not wrap what is no UTF-8
        return None
    text = choice.delta.content
    return Plain(text, (_TEXT, choice.index, 0), _CHUNK) if text else None


def _messages(payload: bytes) -> Plain | None:
    try:
        event: Any = _block(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    text = event.delta.text
    return Plain(text, (_TEXT, 0, event.index), _BLOCK) if text else None


_PLAIN = {"chat": _chat, "messages": _messages}
