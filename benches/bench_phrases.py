"""Approximate phrase search: bytes a second over phrases and errors, over a long stream, over hostile text.

``python -m benches.bench_phrases``

*curve*: made-up prose in deltas of 4 KiB, phrases of 20 characters cut from other prose of the same words.
*stream*: the first and the eighth MiB of one lane. *deltas*: of four characters, of one lane and of 64 that
take turns. *hostile*: texts that say the phrases, and phrases that are all nearly one; a policy of distinct
phrases and one of a thousand variants differ by more than any texts do. *peer*: the same search by the
``regex`` module, phrase by phrase and all in one expression, over the whole text, which need not wait for
its end there; where it is installed. ASCII, so a character is a byte. Medians of several runs; everything is
compiled before it is timed.
"""

from __future__ import annotations

import importlib
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numba

from benches.workloads import words
from operators.directory import Directory
from operators.edit import Edit, Phrase
from operators.packet import Delta, Kind, Packet, pack

LENGTH = 20
MIB = 1 << 20


def seconds(run: Callable[[], object], runs: int = 9) -> float:
    """Median time of `run`, after one that does not count."""
    run()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def prose(seed: int, size: int) -> str:
    return "".join(words(seed, size // 2))[:size]


def phrases_of(texts: Sequence[str], errors: int) -> list[Phrase]:
    return [Phrase(str(k), text, errors, k) for k, text in enumerate(texts)]


def distinct(count: int) -> list[str]:
    """Pieces of prose, at random places."""
    text, rng = prose(1, 40 * count + 1000), random.Random(0)
    starts = [rng.randrange(len(text) - LENGTH) for _ in range(count)]
    return [text[start : start + LENGTH].strip().ljust(LENGTH, "x") for start in starts]


def variant(text: str, errors: int, rng: random.Random) -> str:
    """The text with some characters replaced."""
    letters = list(text)
    for place in rng.sample(range(len(letters)), errors):
        letters[place] = rng.choice("abcdefgh")
    return "".join(letters)


def packets(text: str, size: int, lanes: int = 1, deltas: int = 4096) -> Iterator[Packet]:
    """A text in deltas of `size`, which the lanes say in turns."""
    directory = Directory()
    start = Delta(Kind.START, '{"provider":"","model":""}')
    yield directory.update(pack(0, [(str(lane), start) for lane in range(lanes)], now=0))
    said = (
        (str(k % lanes), Delta(Kind.TEXT, text[at : at + size]))
        for k, at in enumerate(range(0, len(text), size))
    )
    while part := list(islice(said, deltas)):
        yield directory.update(pack(0, part, now=0))


def taken(phrases: Sequence[Phrase], text: str, size: int, lanes: int = 1) -> tuple[float, int]:
    """Seconds for a text, and how much is found in it."""
    stage = Edit(phrases)
    first, *rest = packets(text, size, lanes)
    stage.update(first)

    def run() -> int:
        return sum(len(stage.update(packet).findings) for packet in rest)

    return seconds(run), run()


def curve() -> None:
    text = prose(2, 1 << 16)
    print(f"{'phrases':>8}" + "".join(f"{f'k={errors} MB/s':>12}{'ns/phrase':>11}" for errors in range(4)))
    for count in (10, 100, 1000, 10000):
        row = f"{count:>8}"
        for errors in range(4):
            spent, _ = taken(
                phrases_of(distinct(count), errors), text[: len(text) // (1 + count // 2000)], 4096
            )
            each = spent / (len(text) // (1 + count // 2000))
            row += f"{1e-6 / each:>12.2f}{each / count * 1e9:>11.3f}"
        print(row)


def stream() -> None:
    stage = Edit(phrases_of(distinct(1000), 2))
    first, *rest = packets(prose(3, 8 * MIB), 4096, deltas=MIB // 4096)
    stage.update(first)
    spent = []
    for packet in rest:
        began = time.perf_counter()
        stage.update(packet)
        spent.append(time.perf_counter() - began)
    print(f"MiB 1 to 8, seconds each: {' '.join(f'{each:.3f}' for each in spent)}")
    print(f"state of a lane: {stage.state_bytes / 1024:.1f} KiB")


def small() -> None:
    text = prose(4, 1 << 14)
    for count in (10, 100, 1000):
        row = f"{count:>8}"
        for lanes in (1, 64):
            spent, _ = taken(phrases_of(distinct(count), 2), text, 4, lanes)
            row += f"{spent / (len(text) / 4) * 1e6:>14.2f}"
        print(row)


def hostile() -> None:
    rng = random.Random(5)
    apart = distinct(1000)
    alike = [variant(apart[0], 2, rng) for _ in range(1000)]
    letters = [variant("a" * LENGTH, 2, rng) for _ in range(1000)]
    for name, texts, text in (
        ("distinct phrases, prose", apart, prose(6, 20_000)),
        ("distinct phrases, said with no error", apart, "".join(apart)),
        ("distinct phrases, said with 2 errors", apart, "".join(variant(each, 2, rng) for each in apart)),
        ("30 variants of one among them, said", apart[30:] + alike[:30], "".join(alike[:200])),
        ("1000 variants of one, prose", alike, prose(6, 20_000)),
        ("1000 variants of one, said", alike, "".join(alike[:100])),
        ("1000 times 20 a, aaaa", ["a" * LENGTH] * 1000, "a" * 2000),
        ("1000 variants of 20 a, aaaa", letters, "a" * 2000),
    ):
        spent, found = taken(phrases_of(texts, 2), text, 4096)
        print(f"{name:<40}{len(text) / spent / 1e6:>9.3f}{found / len(text):>16.3f}")


def peer() -> None:
    try:
        regex: Any = importlib.import_module("regex")
    except ImportError:
        print("regex is not installed")
        return
    text, texts = prose(7, 10_000), distinct(10)
    ours, _ = taken(phrases_of(texts, 2), text, 4096)
    alone = [regex.compile(f"(?:{regex.escape(each)}){{e<=2}}") for each in texts]
    together = regex.compile("(?:" + "|".join(map(regex.escape, texts)) + "){e<=2}")
    by_one = seconds(lambda: [each.findall(text) for each in alone], 3)
    at_once = seconds(partial(together.findall, text), 3)
    for name, spent in (("ours", ours), ("regex, one by one", by_one), ("regex, one expression", at_once)):
        print(f"{name:<24}{len(text) / spent / 1e6:>10.4f} MB/s{spent / ours:>10.0f}")


def main() -> None:
    print(f"{platform.machine()}, Python {platform.python_version()}, numba {numba.__version__}")
    print("\ncurve: phrases of 20 characters; MB/s of text, nanoseconds a character and phrase")
    curve()
    print("\nstream: 1,000 phrases, 2 errors")
    stream()
    print("\ndeltas of 4 characters, 2 errors: microseconds a delta, one lane and 64 in turns")
    small()
    print("\nhostile: 1,000 phrases, 2 errors; MB/s and findings a character")
    hostile()
    print("\npeer: 10 phrases, 2 errors, 10 kB of prose; MB/s, and times ours")
    peer()


if __name__ == "__main__":
    main()
