"""Which items of an answer an event ends: nothing more comes of them, so what they said can be decided.

Strategy. The last words of a text may be the beginning of a match until it is known that nothing follows. A
stream that goes on with a call of a tool for seconds need not keep them: the APIs say when a block is over.
One small function an API; who sends more text of an item that is over is refused by the relay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["ends_of"]

Ends = list[tuple[int, int]]
"""Choice and item; item -1 is all items of the choice."""


def ends_of(dialect: str) -> Callable[[str, dict[str, Any]], Ends]:
    """The function of a dialect (``chat responses messages generate`` ...); of one that does not say when
    an item ends, one that knows no end.
    """
    return _ENDS.get(dialect, _nothing)


def _nothing(name: str, event: dict[str, Any]) -> Ends:
    del name, event
    return []


def _chat(name: str, event: dict[str, Any]) -> Ends:
    del name
    choices = event.get("choices")
    if choices.__class__ is not list:
        return []
    return [(choice.get("index") or 0, -1) for choice in choices if choice.get("finish_reason")]


def _messages(name: str, event: dict[str, Any]) -> Ends:
    if event.get("type", name) != "content_block_stop":
        return []
    return [(0, event["index"])]


def _responses(name: str, event: dict[str, Any]) -> Ends:
    if event.get("type", name) != "response.output_item.done" or type(event.get("output_index")) is not int:
        return []
    return [(0, event["output_index"])]


_ENDS = {"chat": _chat, "messages": _messages, "realtime": _responses, "responses": _responses}
