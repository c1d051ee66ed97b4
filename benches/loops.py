"""Texts to measure loop detectors with: loops of every kind, where each begins, and texts without any.

How to use it::

    from benches import loops
    for loop in loops.made():              # every kind behind every prefix: kind, text, start, period
        ...                                # a finding before loop.start is a false one
    for text in loops.benign():            # hard negatives, written or generated: name, kind, text
        ...
    for text in loops.files(loops.places(), "python", 40):
        ...                                # what lies on this machine: a kind of FILES
    for output in loops.outputs(folder):   # whole outputs of models, labelled by the data's README
        ...
    tokens = loops.pseudo_tokens(text)     # the same cut for every detector
    loops.delay(tokens, loop.start, decided)  # pseudo-tokens from where the loop began

Everything is the same in every run and on every machine, but for what files there are to choose from.
Files are chosen by the hash of their paths below the folder, so that it does not matter where that lies.
:func:`half` cuts any collection into two by the hash of the texts: what is tuned on one is told of the other.

The loops differ in their words from prefix to prefix, so that no detector can be tuned to one of them. Each
has 40 copies and 1,000 characters, or as many copies as 3,000 pseudo-tokens hold, but 6 at least.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from benches.benign import Benign, benign
from benches.loop_kinds import KINDS, PROSE

__all__ = [
    "FILES",
    "HALVED",
    "KINDS",
    "PREFIXES",
    "Benign",
    "Looping",
    "Output",
    "benign",
    "delay",
    "files",
    "half",
    "looping",
    "made",
    "outputs",
    "places",
    "prefix",
    "pseudo_tokens",
]

PREFIXES = 30
"""Beginnings that each kind of loop is put behind."""

HALVED = 10_000
"""Characters that say in which half a text is (:func:`half`)."""

_TOKENS, _COPIES, _CHARS, _FEWEST = 3000, 40, 1000, 6

_PIECE = 5  # characters of a pseudo-token at most: prose then has 3.5 a token, code and model outputs 3.3
_WORDS = re.compile(
    r"[\u2e80-\U0010ffff]| ?[^\W\d_\u2e80-\U0010ffff]+|\d{1,3}|\n+|[^\S\n]{2,}| ?_+| ?[^\w\s]+|\s"
)

_ROOT = Path(__file__).parents[1]

FILES = {
    "markdown": {".md", ".markdown", ".rst"},
    "python": {".py", ".pyi"},
    "data": {".json", ".csv", ".tsv", ".xml", ".toml", ".yaml", ".yml", ".jsonl", ".html", ".svg", ".log"}
    | {".po", ".cfg", ".ini", ".dat", ".ts"},
    "text": {".txt", ""},
    "code": {".js", ".c", ".h", ".sh", ".css", ".pl", ".pm", ".rb", ".go", ".rs", ".cpp", ".hpp", ".pyx"}
    | {".pxd", ".tcl", ".m4", ".el", ".lua", ".sql", ".cmake", ".vim", ".java"},
}
"""The kinds of files, and how their names end."""


class Looping(NamedTuple):
    """A text that runs into a loop and stays in it."""

    kind: str
    text: str
    start: int
    """Character where the first copy begins."""
    period: int
    """Characters of the first copy."""


class Output(NamedTuple):
    """One whole output of a model, as the data's README describes it."""

    name: str
    label: str
    """``loop``, ``repetitive``, ``structured`` or ``normal``; the first and the last are ground truth."""
    text: str
    start: int
    """Character where the exact period begins, -1 without one."""
    period: int
    """Characters of the exact period, 0 without one."""


def pseudo_tokens(text: str) -> list[str]:
    """`text` cut as a tokenizer might: words with the space before them in pieces of up to 5 characters.

    Digits come in threes, spaces and punctuation in runs, and what is written without spaces (from U+2E80
    on: CJK, emoji) by the character. The pieces joined are the text.
    """
    words = _WORDS.findall(text)
    return [word[at : at + _PIECE] for word in words for at in range(0, len(word), _PIECE)]


def delay(tokens: Sequence[str], start: int, decided: int) -> int:
    """Pseudo-tokens behind character `start` that were read when `decided` characters were."""
    count = at = 0
    for token in tokens:
        if at >= decided:
            break
        at += len(token)
        count += at > start
    return count


def prefix(number: int) -> str:
    """What is said before a loop begins: 2 to 7 sentences of prose, others for each number."""
    sentences = _sentences()
    first, count = 5 * number, 2 + number % 6
    return " ".join(itertools.islice(itertools.cycle(sentences), first, first + count))


@cache
def _sentences() -> list[str]:
    prose = (_ROOT / "tests" / "data" / "prose.txt").read_text(encoding="utf-8").replace("\n\n", " ").strip()
    return re.split(r"(?<=\.) ", f"{prose} {PROSE}")


def looping(kind: str, number: int) -> Looping:
    """The loop of that kind behind prefix `number`.

    >>> loop = looping("word", 0)
    >>> loop.text[loop.start :][: 3 * loop.period]
    ' very very very'
    """
    rng = random.Random(f"{kind} {number}")
    lead, copies = KINDS[kind](number, rng)
    head = prefix(number) + lead
    body, tokens, chars = [], 0, 0
    for count, copy in enumerate(copies, 1):
        body.append(copy)
        tokens += len(pseudo_tokens(copy))
        chars += len(copy)
        if (count >= _COPIES and chars >= _CHARS) or (tokens >= _TOKENS and count >= _FEWEST):
            break
    return Looping(kind, head + "".join(body), len(head), len(body[0]))


def made(kinds: Iterable[str] = (), numbers: Iterable[int] = range(PREFIXES)) -> Iterator[Looping]:
    """Loops of all `kinds` (none named: of every kind) behind the prefixes of those `numbers`."""
    chosen = list(numbers)
    for kind in kinds or KINDS:
        for number in chosen:
            yield looping(kind, number)


def places() -> list[Path]:
    """Where files are looked for if nobody says where: this Python's own and its packages."""
    paths = sysconfig.get_paths()
    return sorted({Path(paths[name]) for name in ("stdlib", "purelib", "platlib")})


def files(folders: Iterable[Path], kind: str, count: int, *, chars: int = HALVED) -> list[Benign]:
    """The beginnings, so many characters long, of `count` files of that kind below the `folders`.

    The same ones wherever the folders lie: in the order of the hashes of their paths below them, no more than
    an eighth from one package. Not taken are links, files that are no UTF-8 or hold NULs, are shorter than
    1,000 characters, or begin as another one does.
    """
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for path in (Path(place, name) for name in names):
                if path.suffix.lower() in FILES[kind]:
                    below = path.relative_to(folder)
                    found.append((_hash(below.as_posix()), below.parts[:2], path))
    chosen: dict[str, Benign] = {}
    taken: Counter[tuple[str, ...]] = Counter()
    for _, package, path in sorted(found):
        text = _beginning(path, chars) if taken[package] < max(1, count // 8) else ""
        if len(text) >= 1000 and text[:HALVED] not in chosen:
            taken[package] += 1
            chosen[text[:HALVED]] = Benign(path.name, kind, text)
            if len(chosen) == count:
                break
    return list(chosen.values())


def _beginning(path: Path, chars: int) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read(chars)
    except (OSError, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else text


def half(text: str) -> int:
    """0 or 1, by the hash of the first 10,000 characters: tune on the one, tell the numbers of the other."""
    return int(_hash(text[:HALVED]), 16) % 2


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def outputs(folder: Path | None = None) -> list[Output]:
    """The model outputs of the shared data; of MIDSTREAM_DATA, or beside the project, if `folder` is None."""
    data = Path(os.environ.get("MIDSTREAM_DATA", _ROOT.parent / "shared" / "data"))
    rows = []
    for path in sorted((folder or data / "outputs").glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")):
            if line:
                row = json.loads(line)
                place = row.get("loop_start") if row["label"] == "loop" else None
                start, period = (-1, 0) if place is None else (place, row["period_chars"])
                rows.append(Output(f"{path.stem} {number}", row["label"], row["text"], start, period))
    return rows
