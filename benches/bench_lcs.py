"""Words, and reference texts that a lane repeats: what the two stages cost.

``python -m benches.bench_lcs``

The text is the answers in ``outputs/vicuna-blog-1.jsonl`` (``MIDSTREAM_DATA``, or ``../shared/data``): those
to one half of the questions are said, the references are taken from those to the other half. *words*:
nanoseconds a byte and a delta, in packets of 256 deltas, and for a whole text at once. *lcs*: nanoseconds a
word, in packets of 256 words, by how many references there are and how long. The lane says *another* text, or
*repeats* the references one after the other, or does so with every other word replaced by one from elsewhere
in them, so that it stays below the similarity that is asked for and few words are spared the comparison:
*shuffled*. Then how often a text that has nothing to do with the references is found: what a similarity has
to be above. Medians of 31 runs; everything is compiled before it is timed.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numba
import numpy as np
import orjson
from numpy.typing import NDArray

from operators.kernels.passages import LONGEST
from operators.lcs import Lcs, Reference
from operators.packet import DELTA, OPENED, WORD, Delta, Kind, Packet, pack
from operators.spelling import words_of
from operators.words import Words

DATA = Path(os.environ.get("MIDSTREAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
PACKET = 256
SAID = 4096
SIMILARITY = 0.7
LIBRARIES = ((1, 64, 0), (1, 256, 0), (16, 256, 0), (16, 256, 16), (256, 256, 0), (1, 4096, 0), (16, 4096, 0))
"""How many references, of how many words, and their window."""


def seconds(run: Callable[[], object], runs: int = 31) -> float:
    """Median time of `run`, after one that does not count."""
    run()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def texts() -> tuple[str, str]:
    """What is said, and what the references are taken from: answers to other questions."""
    answers: tuple[list[str], list[str]] = ([], [])
    for line in (DATA / "outputs" / "vicuna-blog-1.jsonl").read_bytes().splitlines():
        record = orjson.loads(line)
        answers[int(record["id"].rpartition("-")[2]) % 2].append(record["text"])
    return "\n".join(answers[0]), "\n".join(answers[1])


def opened(stage: Words | Lcs) -> None:
    stage.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=np.zeros(1, OPENED)))


def packets(text: str, size: int) -> list[Packet]:
    """A lane that says `text` in deltas of `size` characters."""
    pieces = [text[k : k + size] for k in range(0, len(text), size)]
    made, at = [], 0
    for first in range(0, len(pieces), PACKET):
        packet = pack(0, [("a", Delta(Kind.TEXT, piece)) for piece in pieces[first : first + PACKET]], now=0)
        packet.deltas["row"] = 0
        packet.deltas["begin"] = at + np.cumsum(packet.deltas["chars"]) - packet.deltas["chars"]
        at += int(packet.deltas["chars"].sum())
        made.append(packet)
    return made


def time_words(text: str) -> None:
    text = text[:200_000]
    size = len(text.encode())
    print(f"\n{'words':<40}{'ns/byte':>10}{'ns/delta':>10}")
    for chars in (4, 64, 1024):
        stage, made = Words(), packets(text, chars)
        opened(stage)
        taken = seconds(partial(updated, stage, made))
        deltas = sum(len(packet.deltas) for packet in made)
        print(f"{f'deltas of {chars}':<40}{taken / size * 1e9:>10.2f}{taken / deltas * 1e9:>10.0f}")
    print(f"{'a whole text':<40}{seconds(partial(words_of, text)) / size * 1e9:>10.2f}")


def said_in(hashes: NDArray[np.uint64]) -> list[Packet]:
    """A lane that says these words, in packets."""
    words = np.zeros(len(hashes), WORD)
    words["word"] = hashes
    return [
        Packet(0, 0, (), np.zeros(0, DELTA), b"", words=words[k : k + PACKET])
        for k in range(0, len(words), PACKET)
    ]


def updated(stage: Words | Lcs, made: list[Packet]) -> int:
    """How many findings the packets have behind the stage."""
    return sum(len(stage.update(packet).findings) for packet in made)


def named(count: int, length: int, window: int) -> str:
    return f"{count} of {length} words, window {window or min(length, LONGEST)}"


def references(text: str, count: int, length: int, window: int, similarity: float) -> list[Reference]:
    """As many stretches of `text`, which begins anew when it is used up."""
    hashes, begins, stops = words_of(text)
    firsts = [k * length % (len(hashes) - length) for k in range(count)]
    return [
        Reference(str(k), text[begins[first] : stops[first + length - 1]], similarity, k, window)
        for k, first in enumerate(firsts)
    ]


def time_lcs(said: str, known: str) -> None:
    other, repeated = words_of(said)[0][:SAID], words_of(known)[0][:SAID]
    elsewhere = np.random.default_rng(1).permutation(repeated)
    shuffled = np.where(np.arange(SAID) % 2, repeated, elsewhere)
    head = "".join(f"{what:>9}" for what in ("another", "repeats", "shuffled", "bytes"))
    print(f"\n{f'lcs, similarity {SIMILARITY}: ns a word':<40}{head}")
    for count, length, window in LIBRARIES:
        stage = Lcs(references(known, count, length, window, SIMILARITY))
        opened(stage)
        row = ""
        for hashes in (other, repeated, shuffled):
            run = partial(updated, stage, said_in(hashes))
            row += f"{seconds(run) / SAID * 1e9:>9.1f}"
        print(f"{named(count, length, window):<40}{row}{stage.state_bytes:>9}")


def count_by_chance(said: str, known: str) -> None:
    hashes = words_of(said)[0]
    levels = (0.3, 0.4, 0.5, 0.6, 0.7)
    head = "".join(f"{level:>9}" for level in levels)
    print(f"\n{'findings in 1,000 words, similarity':<40}{head}")
    for count, length, window in LIBRARIES:
        row = ""
        for level in levels:
            stage = Lcs(references(known, count, length, window, level))
            opened(stage)
            row += f"{updated(stage, said_in(hashes)) / len(hashes) * 1000:>9.3f}"
        print(f"{named(count, length, window):<40}{row}")


def main() -> None:
    versions = f"Python {platform.python_version()}, numba {numba.__version__}"
    print(f"{platform.processor() or platform.machine()}, {versions}")
    said, known = texts()
    time_words(said)
    time_lcs(said, known)
    count_by_chance(said, known)


if __name__ == "__main__":
    main()
