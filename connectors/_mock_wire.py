"""The bytes of a mock provider's answer: a speech in the events of an API, one chunk a delta.

Strategy. The simulator's writers know the events. What a request may change about them, and they do not
know (several choices, no usage, Gemini's array in place of SSE), is done to the finished frames. Chunks
are made before the first is sent and kept for the next request that asks the same, so that a running
stream costs a write per delta and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import orjson

from connectors._mock_asked import Asked, Refused
from connectors._mock_whole import whole
from connectors._mock_writers import ALL_WRITERS
from connectors._simulate_text import Part, Speech, pieces
from connectors._simulate_writer import Writer
from operators.packet import Channel

__all__ = ["JSON", "SSE", "Answer", "answered", "failed", "oversized"]

SSE, NDJSON, JSON = "text/event-stream; charset=utf-8", "application/x-ndjson", "application/json"

_TEXT, _TOOL = int(Channel.TEXT), int(Channel.TOOL)
_MOST = 100_000  # deltas: each is a chunk of its own in memory
_SHORT = 1 << 14  # characters of a speech that is worth keeping
_DATA = b"data: "


class Answer(NamedTuple):
    """One response body."""

    chunks: tuple[bytes, ...]
    media: str
    whole: bool = False
    """Not streamed: one chunk, and its length is told."""
    deltas: int = 1
    """How many the model took to say it."""


def answered(api: str, speech: Speech, cut: int, asked: Asked) -> Answer:
    """`speech` as the answer of `api`.

    :arg cut: Characters of a delta; 0 as a tokenizer might.
    :raises Refused: If that would be too many.
    """
    length = sum(len(part.text) for part in speech.parts)
    if length // max(cut, 1) * asked.choices > _MOST:
        raise Refused(400, f"An answer has {_MOST:,} deltas at most.")
    prompt = len(pieces(asked.prompt))
    said = tuple(tuple(_tokens(part, cut)) for part in speech.parts)
    if not asked.stream:
        count = sum(map(len, said))
        body = whole(api, speech, asked.choices, prompt, count) or _last_response(api, speech, said, prompt)
        return Answer((body,), JSON, True, count)
    make = _chunks if length <= _SHORT else _chunks.__wrapped__
    chunks = make(api, speech, said, prompt, asked.choices, asked.usage, asked.array)
    media = NDJSON if api.startswith("ollama") else JSON if asked.array else SSE
    return Answer(chunks, media, False, len(chunks))


def failed(api: str) -> bytes:
    """The event with which `api` gives up in the middle."""
    return _writer(api, 0).fault()


@lru_cache(maxsize=16)
def oversized(api: str, size: int) -> bytes:
    """One event with so many characters of text."""
    text = "x" * size
    return _writer(api, 0).piece(0, Part(_TEXT, text), text, [])


@lru_cache(maxsize=512)
def _chunks(
    api: str, speech: Speech, said: tuple[tuple[str, ...], ...], prompt: int, choices: int, usage: bool,
    array: bool,
) -> tuple[bytes, ...]:  # fmt: skip
    chunks = _frames(_events(_writer(api, prompt), speech, said))
    if api in {"openai-chat", "openai-completions"}:
        chunks = _as_asked(chunks, choices, usage)
    elif array:
        chunks = _as_array(chunks)
    return tuple(chunks)


def _writer(api: str, prompt: int) -> Writer:
    return ALL_WRITERS[api](random.Random(f"{api}/{prompt}"), prompt)


def _tokens(part: Part, cut: int) -> Iterable[str]:
    if not cut:
        return pieces(part.text)
    return (part.text[at : at + cut] for at in range(0, len(part.text), cut))


def _events(writer: Writer, speech: Speech, said: tuple[tuple[str, ...], ...]) -> Iterator[bytes]:
    yield writer.head()
    for place, (part, tokens) in enumerate(zip(speech.parts, said, strict=True)):
        yield writer.begin(place, part)
        together = writer.whole_calls and part.channel == _TOOL
        for token in (part.text,) if together else tokens:
            yield writer.piece(place, part, token, [])
        yield writer.close(place, part)
    yield writer.tail(speech.finish, sum(map(len, said)))


def _frames(events: Iterable[bytes]) -> Iterator[bytes]:
    """One event of SSE at a time; what is no SSE stays as it is."""
    for event in events:
        head, *rest = event.split(b"\n\n")
        if not rest and head:
            yield head
        for frame in (head, *rest[:-1]) if rest else ():
            yield frame + b"\n\n"


def _as_asked(frames: Iterable[bytes], choices: int, usage: bool) -> Iterator[bytes]:
    """Every choice says the same, piece by piece in turn; the count is sent to whoever asked for it."""
    for frame in frames:
        if frame.startswith(b"data: [DONE]"):
            yield frame
            continue
        event = orjson.loads(frame[len(_DATA) :])
        if not event["choices"]:
            if usage:
                counts = event["usage"]
                counts["completion_tokens"] *= choices
                counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]
                yield _DATA + orjson.dumps(event) + b"\n\n"
            continue
        for choice in range(choices):
            event["choices"][0]["index"] = choice
            yield _DATA + orjson.dumps(event) + b"\n\n"


def _as_array(frames: Iterable[bytes]) -> Iterator[bytes]:
    """What Google sends without ``alt=sse``: each element as soon as it is there."""
    joint = b"["
    for frame in frames:
        yield joint + frame[len(_DATA) :].rstrip()
        joint = b",\r\n"
    yield b"]"


def _last_response(api: str, speech: Speech, said: tuple[tuple[str, ...], ...], prompt: int) -> bytes:
    """Responses: the last event holds the whole."""
    *_, last = _frames(_events(_writer(api, prompt), speech, said))
    return orjson.dumps(orjson.loads(last.partition(_DATA)[2])["response"])
