"""The table of endings: the name of an API, and how a stream of it ends when it is us who end it.

A stream passes through, frame by frame, until the policy blocks it, a stage fails, or it is cut. What has
left by then is a beginning without an end, which no SDK takes. An ending is told what left, and gives the
frames that are missing: those that the API itself would send, in its own words for *blocked*, *cut* and
*failed*.

Strategy. One class an API, of one shape (:class:`~connectors._last_frames.Ending`); no I/O and no clock.
An API is named ``vendor-dialect``, and the dialect decides: whoever speaks a dialect ends a stream as it is
ended in it. A Realtime session is not in the table, since it has messages where these have bytes, and goes on
when a response ends: :class:`~connectors._ending_realtime.RealtimeEnding`.
"""

from __future__ import annotations

from connectors._ending_chat import ChatEnding, CompletionsEnding
from connectors._ending_gemini import GeminiEnding
from connectors._ending_messages import MessagesEnding
from connectors._ending_realtime import RealtimeEnding
from connectors._ending_responses import ResponsesEnding
from connectors._last_frames import Call, SseEnding

__all__ = ["Call", "RealtimeEnding", "SseEnding", "open_ending"]

_ENDINGS: dict[str, type[SseEnding]] = {
    "chat": ChatEnding,
    "completions": CompletionsEnding,
    "responses": ResponsesEnding,
    "messages": MessagesEnding,
    "generate": GeminiEnding,
}


def open_ending(api: str, call: Call | None = None) -> SseEnding:
    """The ending of one stream of `api`, of which nothing has left yet.

    :arg api: ``openai-chat`` (or any vendor's), ``openai-completions``, ``openai-responses``,
        ``anthropic-messages``, ``gemini-generate`` and so on; ``_`` and ``-`` are equal.
    :arg call: What it says of a stream that ends before the provider has said anything.
    :raises ValueError: If how a stream of this API ends is not known.

    >>> ending = open_ending("groq-chat")
    >>> ending.passed("", {"choices": [{"index": 0, "delta": {"content": "He"}}], "id": "c1", "model": "m"})
    >>> ending.blocked().decode().splitlines()[-2]
    'data: [DONE]'
    """
    dialect = api.replace("_", "-").rpartition("-")[2]
    if dialect not in _ENDINGS:
        msg = f"no ending for streams of {api!r}; there is one for names on {', '.join(_ENDINGS)}"
        raise ValueError(msg)
    return _ENDINGS[dialect](call or Call())
