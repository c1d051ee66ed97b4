"""How others look at a stream: which stretch they scan when, and how much they let go then.

Strategy. All of them are geometries: after some token a window of the text so far is scanned, what matches
in it is covered as far as it is still here, and the text up to a mark leaves. So each is a function from the
tokens of a stream to its steps, the scanner is the caller's, and every strategy can be given the same one.
Written from reading what the projects do (``nemoguardrails/rails/llm/buffer.py``, LiteLLM's
``unified_guardrail.py``, agentgateway's ``streaming_guardrails.rs``, AISIX's ``StreamOutputPolicy``; state of
September 2026), not taken from them; those that stop a stream at a match are given the benefit of masking it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

__all__ = ["PEERS", "Step", "Strategy"]

LOOK_BACK = 2_000
"""Characters that "everything so far" reaches back: more would only cost time."""


class Step(NamedTuple):
    """After token `at`, the characters ``begin:stop`` are scanned and what lies before `upto` leaves."""

    at: int
    begin: int
    stop: int
    upto: int


Strategy = Callable[[Sequence[str]], Iterator[Step]]


def _ends(tokens: Sequence[str]) -> list[int]:
    return list(accumulate(map(len, tokens)))


def each_token(tokens: Sequence[str]) -> Iterator[Step]:
    """Scan a chunk alone and let it go: blind to everything that two chunks share."""
    begin = 0
    for at, end in enumerate(_ends(tokens)):
        yield Step(at, begin, end, end)
        begin = end


def batches(size: int) -> Strategy:
    """Collect `size` tokens, scan them alone, let them go."""

    def steps(tokens: Sequence[str]) -> Iterator[Step]:
        begin, ends = 0, _ends(tokens)
        for at, end in enumerate(ends):
            if (at + 1) % size == 0 or at + 1 == len(ends):
                yield Step(at, begin, end, end)
                begin = end

    return steps


def rolling(size: int, context: int, *, stream_first: bool) -> Strategy:
    """NeMo's RollingBuffer: a batch is full at `size` tokens, `context` of which the next one keeps in
    front. With `stream_first` a token leaves before anything looks at it.
    """

    def steps(tokens: Sequence[str]) -> Iterator[Step]:
        ends = _ends(tokens)
        first = 0
        for at, end in enumerate(ends):
            if stream_first:
                yield Step(at, 0, 0, end)
            if at + 1 - first >= size or at + 1 == len(ends):
                yield Step(at, ends[first - 1] if first else 0, end, end)
                first = at + 1 - context

    return steps


def sampled(every: int) -> Strategy:
    """LiteLLM by default: every so many chunks all of the text so far is scanned before that chunk
    leaves; the chunks between leave as they come.
    """

    def steps(tokens: Sequence[str]) -> Iterator[Step]:
        ends = _ends(tokens)
        for at, end in enumerate(ends):
            looks = (at + 1) % every == 0 or at + 1 == len(ends)
            yield Step(at, max(0, end - LOOK_BACK) if looks else end, end, end)

    return steps


def rewritten(every: int, hold: int) -> Strategy:
    """LiteLLM's incremental rewriting: chunks wait for the next round, and `hold` characters for the one
    after it.
    """

    def steps(tokens: Sequence[str]) -> Iterator[Step]:
        ends = _ends(tokens)
        for at, end in enumerate(ends):
            last = at + 1 == len(ends)
            if (at + 1) % every == 0 or last:
                yield Step(at, max(0, end - LOOK_BACK), end, end if last else max(0, end - hold))

    return steps


def byte_windows(size: int, overlap: int) -> Strategy:
    """agentgateway: hold until `size` bytes are there, scan them behind the last `overlap` bytes of the
    window before, flush.
    """

    def steps(tokens: Sequence[str]) -> Iterator[Step]:
        ends = _ends(tokens)
        weight = list(accumulate((len(letter.encode()) for letter in "".join(tokens)), initial=0))
        begin, released = 0, 0
        for at, end in enumerate(ends):
            if weight[end] - weight[released] >= size or at + 1 == len(ends):
                yield Step(at, begin, end, end)
                begin, released = max(begin, bisect_left(weight, weight[end] - overlap)), end

    return steps


def windows(size: int, overlap: int) -> Strategy:
    """AISIX's Window: hold until `size` characters are there, scan them behind `overlap` before them."""

    def steps(tokens: Sequence[str]) -> Iterator[Step]:
        ends = _ends(tokens)
        released = 0
        for at, end in enumerate(ends):
            if end - released >= size or at + 1 == len(ends):
                yield Step(at, max(0, released - overlap), end, end)
                released = end

    return steps


def held_back(hold: int) -> Strategy:
    """Everything so far is scanned with every token, and the last `hold` characters wait."""

    def steps(tokens: Sequence[str]) -> Iterator[Step]:
        ends = _ends(tokens)
        for at, end in enumerate(ends):
            upto = end if at + 1 == len(ends) else max(0, end - hold)
            yield Step(at, max(0, end - LOOK_BACK), end, upto)

    return steps


def whole(tokens: Sequence[str]) -> Iterator[Step]:
    """Hold all of it, scan it once, let it go."""
    end = sum(map(len, tokens))
    yield Step(len(tokens) - 1, 0, end, end)


PEERS: dict[str, Strategy] = {
    "each token alone": each_token,
    "NeMo 200/50, stream first": rolling(200, 50, stream_first=True),
    "NeMo 200/50, check first": rolling(200, 50, stream_first=False),
    "50-token batches, no carry": batches(50),
    "LiteLLM, every 5th chunk": sampled(5),
    "LiteLLM, rewriting, hold 40": rewritten(5, 40),
    "agentgateway 1024 + 256 bytes": byte_windows(1024, 256),
    "AISIX window 2000/128": windows(2000, 128),
    "hold-back of 40 characters": held_back(40),
    "hold-back of 128 characters": held_back(128),
    "full buffer": whole,
}
