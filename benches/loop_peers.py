"""The loop detectors of the field, written anew from what they are published to do, to stand beside ours.

Each is a function of a text's pseudo-tokens that gives the number of tokens it had read when it stopped the
text, or 0 if it never did. The engines' detectors see token ids; here the pseudo-tokens are the ids. As
published they look at the whole tail with every token; here each period keeps how long it has held, which
gives the same answers sooner (``tests/test_loops_corpus.py`` compares the two).

Sources: google-gemini/gemini-cli, ``packages/core/src/services/loopDetectionService.ts`` (constants and
conditions as of commit 022f913d; its tool calls and its model as a judge are not part of a text); vLLM
pull requests 35451 (``repetition_detection``) and 52677 (reasoning, 4 to 128 tokens four times);
waybarrios/vllm-mlx 723; llama.cpp pull request 26039; anomalyco/opencode ``doom_loop`` (issues 25254, 47759).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PEERS", "Call", "doom_loop", "gemini_calls", "gemini_cli", "periodic_tail", "vllm_mlx"]

_WINDOW, _HITS, _GAP, _HISTORY = 50, 10, 250, 5000  # gemini-cli
_FENCE = re.compile("```")
_ELEMENTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(^|\n)\s*(\|.*\||[|+-]{3,})",  # a table
        r"(^|\n)\s*[*-+]\s",  # a list item; as there, a range from * to +
        r"(^|\n)\s*\d+\.\s",
        r"(^|\n)#+\s",  # a heading
        r"(^|\n)>\s",  # a quotation
    )
)
_DIVIDER = re.compile(
    "[+-_=*\u2500-\u257f]+"
)  # as there: + to _ is a range, which has digits and capitals in
_CALLS = 5


class Call(NamedTuple):
    """One call of a tool, its arguments as the JSON the model wrote."""

    name: str
    arguments: str


def _holding(tokens: Sequence[str], longest: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Tokens read, and for each period up to `longest` how many last ones equal those a period before."""
    numbers: dict[str, int] = {}
    ids = np.zeros(longest + len(tokens), np.int64)  # before the first token is 0, which no token is
    ids[longest:] = [numbers.setdefault(token, len(numbers) + 1) for token in tokens]
    held = np.zeros(longest, np.int64)
    for read in range(1, len(tokens) + 1):
        last = longest + read - 1
        held += 1
        held *= ids[last - longest : last][::-1] == ids[last]
        yield read, held


def periodic_tail(tokens: Sequence[str], shortest: int, longest: int, copies: int) -> int:
    """Stop when the last tokens are one pattern of `shortest` to `longest` tokens, `copies` times."""
    needed = np.arange(1, longest + 1) * (copies - 1)
    for read, held in _holding(tokens, longest):
        if (held[shortest - 1 :] >= needed[shortest - 1 :]).any():
            return read
    return 0


def vllm_mlx(tokens: Sequence[str]) -> int:
    """Stop at three copies of 1 to 128 tokens that cover 48; looks at every 16th token, from the 64th on.

    What it sees are the last 512 tokens.
    """
    periods = np.arange(1, 129)
    for read, held in _holding(tokens, 128):
        if read >= 64 and read % 16 == 0:
            copies = np.minimum(held + periods, 512) // periods
            if ((copies >= 3) & (copies * periods >= 48)).any():
                return read
    return 0


def gemini_cli(tokens: Sequence[str], together: int) -> int:
    """Stop when a window of 50 characters came ten times, 250 apart on average, with at most 5 texts between.

    Windows are taken at every character of what was said since the last fence, table, list, heading, quote
    or ruler, and none inside a fence. `together` tokens come in one chunk: the regular expressions see a
    chunk, so the chunks decide what they find.
    """
    history, at, fenced = "", 0, False
    places: dict[str, list[int]] = defaultdict(list)
    for first in range(0, len(tokens), together):
        chunk = "".join(tokens[first : first + together])
        fences = len(_FENCE.findall(chunk))
        divider = _DIVIDER.fullmatch(chunk) is not None
        if fences or divider or any(element.search(chunk) for element in _ELEMENTS):
            history, at = "", 0
            places.clear()
        inside = fenced
        fenced ^= fences % 2 == 1
        if inside or fenced or divider:
            continue
        history += chunk
        if len(history) > _HISTORY:
            gone = len(history) - _HISTORY
            history, at = history[gone:], max(0, at - gone)
            for window, seen in list(places.items()):
                places[window] = [place - gone for place in seen if place >= gone]
                if not places[window]:
                    del places[window]
        while at + _WINDOW <= len(history):
            seen = places[history[at : at + _WINDOW]]
            seen.append(at)
            if len(seen) >= _HITS and _dense(history, seen[-_HITS:]):
                return min(first + together, len(tokens))
            at += 1
    return 0


def _dense(history: str, places: Sequence[int]) -> bool:
    if places[-1] - places[0] > _GAP * (_HITS - 1):
        return False
    gaps = {history[begin:stop] for begin, stop in pairwise(places)}
    return len(gaps) <= _HITS // 2


def gemini_calls(calls: Sequence[Call]) -> int:
    """Stop at the fifth equal call in a row: how many calls were read, 0 for never."""
    return _row_of_equals(calls, _CALLS)


def doom_loop(calls: Sequence[Call]) -> int:
    """Stop at the third equal call in a row, as opencode asks its user: how many calls were read."""
    return _row_of_equals(calls, 3)


def _row_of_equals(calls: Sequence[Call], times: int) -> int:
    row, last = 0, ""
    for read, call in enumerate(calls, 1):
        # Both compare what JSON.stringify makes of the parsed arguments: spaces do not count, the order does.
        key = f"{call.name}:{json.dumps(json.loads(call.arguments))}"
        row = row + 1 if key == last else 1
        last = key
        if row >= times:
            return read
    return 0


PEERS: dict[str, Callable[[Sequence[str]], int]] = {
    "gemini-cli, chunks of 25 tokens": partial(gemini_cli, together=25),
    "gemini-cli, a token at a time": partial(gemini_cli, together=1),
    "vLLM, 1..64 x 4": partial(periodic_tail, shortest=1, longest=64, copies=4),
    "vLLM reasoning, 4..128 x 4": partial(periodic_tail, shortest=4, longest=128, copies=4),
    "vllm-mlx, 48 tokens x 3": vllm_mlx,
    "llama.cpp, 16..1024 x 4": partial(periodic_tail, shortest=16, longest=1024, copies=4),
}
"""The detectors by name."""
