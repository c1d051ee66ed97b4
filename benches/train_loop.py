"""Learn the weights of ``operators.loop``, and tell how far they hold on what was not learnt from.

``python -m benches.train_loop [--files N] [--held FOLDER ...] [FOLDER ...]``

Strategy. What a copy is described by comes from the stage's own kernels; logistic regression does the rest,
one for each sort of repetition. A text without a loop is as bad as its worst copy, and must stay below the
bound in all of them: so its most suspicious copies are added to the examples, and the weights are learnt
anew, a few times. A loop has to be told with a certain copy (``NEEDED``), which is soon where nobody would
say so much again, as a sentence of prose, and later where people do: where only words or numbers change, in
tables, in fragments. Behind code and data it may take longer still (``LATER``): therefore loops are put
behind files, too.

Learnt from: of files below the folders (this Python's own, and those that are named), the first 10,000
characters, and up to 400,000; of recorded outputs of models (MIDSTREAM_DATA) all that loop, and those
labelled normal or structured; of ``benches.loops`` the loops behind the numbers from 30 on and the texts of
``benign``. Of what does not loop only one half (``loops.half``). Told of: the other half, the made loops of
``benches.bench_loop``, and folders that nothing is learnt from (``--held``); and of the outputs that loop,
how many of the other half are found if only one half is learnt from. Printed are the weights as they stand
in ``operators.loop``, how many texts without a loop were stopped, and after how many copies the loops were.
"""

from __future__ import annotations

import argparse
import math
import random
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benches import loops
from operators.kernels.loop import COPY, LANE, PERIODS, ROOM, SCORES, follow_copies
from operators.kernels.loop_judge import FEATURES, SORTS, describe_copies
from operators.kernels.loop_symbols import CUT, SYMBOL, cut_symbols
from operators.kernels.loop_track import TRACK, standing
from operators.packet import DELTA, Kind
from operators.spelling import codes

NEEDED = {
    "word": 4, "phrase": 4, "list item": 4, "counter": 4, "date": 4, "replaced": 4, "inserted": 4,
    "left out": 4, "drifting": 4, "shuffled": 6, "nested": 4, "character": 60, "emoji": 10, "fragment": 6,
    "table row": 8, "CJK": 4, "other script": 4,
}  # fmt: skip
"""With which copy a loop of that kind is to be told, if not with the third."""

MUST = {"loop", *loops.KINDS, *(f"alone: {kind}" for kind in loops.KINDS)} - {"shuffled", "alone: shuffled"}
"""What is missed of these counts twice as much in the next round."""

LATER = 3
"""Copies more, behind a file."""

BOUND = 0.8
ODDS = math.log(BOUND / (1 - BOUND))
WHOLE = 400_000
FIRST, LAST = 30, 200  # numbers of made loops
BEHIND, ALONE = 20, 20  # how many of each kind are put behind files; behind a sentence or nothing at all
REAL, FOLLOWING = 12.0, 2.0  # weights of outputs that loop, of made loops behind files
HARD, EASY = 20.0, 0.05  # of suspicious copies, others
HARD_COUNTING = 12.0  # of suspicious ones that count: dates have months, and weekdays that change
EARLY = 0.15  # of a copy of a changing loop before the one with which it is to be told
MARGIN = 0.7  # by how much more than asked the odds are to be on the right side
CHANGING, COUNTING = SORTS.index("changing"), SORTS.index("counting")
WORTH = {"normal": 3.0, "structured": 3.0}  # of these texts without a loop
ROUNDS, WORST, SHRINK = 14, 3, 0.05

Floats = NDArray[np.float64]


class Example(NamedTuple):
    """A text, and every copy in it that the stage would judge."""

    corpus: str
    name: str
    half: int
    start: int
    """Character where it begins to loop, -1 if it does not."""
    period: int
    length: int
    at: NDArray[np.int64]
    begin: NDArray[np.int64]
    copies: NDArray[np.int64]
    features: NDArray[np.float32]
    sorts: NDArray[np.int8]
    needed: int = 3


def example(
    corpus: str, name: str, text: str, start: int = -1, period: int = 0, needed: int = 3, half: int = -1
) -> Example:
    """What the kernels say of `text`."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    deltas = np.zeros(2, DELTA)
    deltas["kind"], deltas["end"][0], deltas["begin"][1] = (Kind.TEXT, Kind.CLOSE), len(data), len(text)
    deltas.flags.writeable = False
    symbols = np.empty(2 * (2 + len(data)), SYMBOL)
    count = int(cut_symbols(deltas, data, codes(), np.zeros(1, CUT), symbols))
    copies = np.empty(2 * count, COPY)
    rings: tuple[Any, ...] = tuple(np.zeros((1, ROOM), kind) for kind in ("u1", "u2", "u2", "u1"))
    follow: Any = follow_copies
    count = int(
        follow(
            symbols, count, np.zeros(1, LANE), np.zeros((1, 2), TRACK), *rings,
            np.zeros((1, SCORES), np.uint8), standing(PERIODS), np.empty(PERIODS, np.uint8), copies,
        )
    )  # fmt: skip
    kept = copies[:count][copies["copies"][:count] > 2]
    features, sorts = np.empty((len(kept), len(FEATURES))), np.empty(len(kept), np.int64)
    describe_copies(kept, len(kept), features, sorts)
    return Example(
        corpus, name, loops.half(text) if half < 0 else half, start, period, len(text),
        symbols["at"][kept["symbol"]], kept["begin"].copy(), kept["copies"].astype(np.int64),
        features.astype(np.float32), sorts.astype(np.int8), needed,
    )  # fmt: skip


def of_files(folders: Sequence[Path], count: int, *, held: bool = False) -> Iterator[Example]:
    """Files, their beginnings and as wholes. Held ones have no half: nothing is learnt from them."""
    for kind in loops.FILES:
        for text in loops.files(folders, kind, count, chars=WHOLE):
            half = 2 if held else loops.half(text.text)
            corpus = f"held {kind}" if held else kind
            yield example(corpus, text.name, text.text[: loops.HALVED], half=half)
            if len(text.text) > loops.HALVED:
                yield example(f"{corpus}, whole", text.name, text.text, half=half)


def of_outputs() -> Iterator[Example]:
    for output in loops.outputs():
        if output.label != "repetitive":
            yield example(output.label, output.name, output.text, output.start, output.period)
    for text in loops.benign():
        yield example("benign", text.name, text.text)


def of_made(folders: Sequence[Path]) -> Iterator[Example]:
    """Made loops: those to learn from, those of the bench, and some behind the beginnings of files."""
    rng = random.Random(7)
    before = [
        text.text
        for kind in loops.FILES
        for text in loops.files(folders, kind, 200)
        if not loops.half(text.text)
    ]
    for kind in loops.KINDS:
        needed = NEEDED.get(kind, 3)
        for number in range(LAST):
            loop = loops.looping(kind, number)
            half = 0 if number >= FIRST else 1
            yield example(kind, str(number), loop.text, loop.start, loop.period, needed, half)
        for number in range(LAST, LAST + ALONE):
            loop = loops.looping(kind, number)
            left = len(loops.prefix(number).rpartition(". ")[0]) if number % 2 else len(loops.prefix(number))
            text = loop.text[left:].lstrip()
            start = len(text) - len(loop.text) + loop.start
            yield example(f"alone: {kind}", str(number), text, max(0, start), loop.period, needed, 0)
        for number in range(BEHIND):
            loop = loops.looping(kind, LAST + number)
            lead = rng.choice(before)[: rng.randrange(300, loops.HALVED)].rsplit("\n", 1)[0]
            lead += loop.text[len(loops.prefix(LAST + number)) : loop.start] or "\n"
            text = lead + loop.text[loop.start :]
            yield example(f"behind: {kind}", str(number), text, len(lead), loop.period, needed + LATER, 0)


def wanted(each: Example) -> NDArray[np.int64]:
    """Copies of a loop with which it is to be told: the first three, and some of the later ones."""
    tail = each.at - each.start
    good = (tail > 0) & (each.begin >= each.start - 3 * each.period - 40)
    if each.corpus == "loop":
        good &= tail >= min(220, each.length - each.start - 30)
    else:
        good &= (tail > (each.needed - 0.6) * each.period) & (each.copies >= min(each.needed, 10))
    places = np.flatnonzero(good)
    spread = np.geomspace(4, max(4, len(places)), 4).astype(np.int64) - 1
    return np.concatenate([places[:3], places[spread]]) if len(places) > 6 else places


def regression(x: Floats, y: Floats, weight: Floats) -> Floats:
    """Weights of a logistic function by Newton's method, shrunk a little; no step may make them worse.

    The margin is taken off the odds of loops, and added to those of others.
    """
    found, worst = np.zeros(x.shape[1]), math.inf
    offset, sign = np.where(y > 0, MARGIN, -MARGIN) + ODDS, np.where(y > 0, -1.0, 1.0)
    step = found
    for _ in range(60):
        odds = x @ (found + step) - offset
        cost = float(weight @ np.logaddexp(0.0, sign * odds)) + SHRINK / 2 * float(
            np.sum((found + step) ** 2)
        )
        if cost > worst:
            step = step / 2
            continue
        found, worst = found + step, cost
        share = 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))
        slope = x.T @ (weight * (y - share)) - SHRINK * found
        bend = (x * (weight * share * (1 - share))[:, None]).T @ x
        step = np.linalg.solve(bend + SHRINK * np.eye(len(found)), slope)
    return found


def learnt(examples: Sequence[Example]) -> Floats:
    """Weights of each sort of repetition."""
    taught = [each for each in examples if each.half == 0 and len(each.at)]
    harmless = [each for each in taught if each.start < 0]
    looping = [each for each in taught if each.start >= 0]
    chosen = [wanted(each) for each in looping]
    number = np.repeat(np.arange(len(looping)), [len(places) for places in chosen])
    good = stacked(looping, chosen)
    worth = np.array([weight_of(each) for each in looping])
    share = 1.0 / np.array([max(1, len(places)) for places in chosen])
    some = [np.unique(np.linspace(0, len(each.at) - 1, 10).astype(np.int64)) for each in harmless]
    easy = stacked(harmless, some)
    early = stacked(looping, [too_early(each) for each in looping])
    weights = np.zeros((len(SORTS), len(FEATURES)))
    suspect: list[dict[tuple[int, int], Floats]] = [{} for _ in SORTS]
    for _ in range(ROUNDS):
        for sort, mine in enumerate(suspect):
            often = Counter(number for number, _ in mine)
            worst = HARD_COUNTING if sort == COUNTING else HARD
            hard = [
                worst * WORTH.get(harmless[number].corpus, 1.0) / often[number] ** 0.5 for number, _ in mine
            ]
            parts = [
                (good.features[good.sorts == sort], 1.0, (worth * share)[number[good.sorts == sort]]),
                (easy.features[easy.sorts == sort], 0.0, EASY),
                (early.features[early.sorts == sort], 0.0, EARLY),
                (np.array(list(mine.values())).reshape(-1, len(FEATURES)), 0.0, np.array(hard)),
            ]
            weights[sort] = regression(
                np.concatenate([x for x, _, _ in parts]),
                np.concatenate([np.full(len(x), y) for x, y, _ in parts]),
                np.concatenate([np.broadcast_to(w, len(x)) for x, _, w in parts]),
            )
        for place, each in enumerate(harmless):
            odds = np.einsum("ij,ij->i", each.features, weights[each.sorts])
            for sort in range(len(SORTS)):
                places = np.flatnonzero(each.sorts == sort)
                for k in places[np.argsort(-odds[places])[:WORST]]:
                    suspect[sort][place, int(k)] = each.features[k].astype(np.float64)
        worth[[each.corpus in MUST and not len(told(each, weights)) for each in looping]] *= 2.0
    return weights.round(2)


def weight_of(each: Example) -> float:
    """Of a text with a loop, in the first round."""
    if each.corpus == "loop":
        return REAL
    return FOLLOWING if each.corpus.startswith("behind") else 1.0


class Rows(NamedTuple):
    """Copies of several texts."""

    features: Floats
    sorts: NDArray[np.int8]


def stacked(examples: Sequence[Example], places: Sequence[NDArray[np.int64]]) -> Rows:
    """The copies at those places of each text."""
    features = [each.features[mine] for each, mine in zip(examples, places, strict=True)]
    sorts = [each.sorts[mine] for each, mine in zip(examples, places, strict=True)]
    return Rows(np.concatenate(features).astype(np.float64), np.concatenate(sorts))


def too_early(each: Example) -> NDArray[np.int64]:
    """Copies of a changing loop with which it is not to be told yet."""
    early = (
        ((each.sorts == CHANGING) | (each.sorts == COUNTING))
        & (each.copies < each.needed)
        & (each.at > each.start)
    )
    return np.flatnonzero(early)[:WORST] if each.needed in (4, 4 + LATER) else np.empty(0, np.int64)


def told(each: Example, weights: Floats) -> NDArray[np.int64]:
    """Places of the copies that are told at the bound."""
    odds = np.einsum("ij,ij->i", each.features, weights[each.sorts])
    return np.flatnonzero(odds >= ODDS)


def report(examples: Sequence[Example], weights: Floats) -> None:
    """How many texts without a loop are stopped, and after how many copies those with one are."""
    table: dict[tuple[int, str], list[float]] = defaultdict(list)
    for each in examples:
        hits = told(each, weights)
        late = hits[each.at[hits] > each.start]
        value = float(len(hits) > 0)
        if each.start >= 0:  # outputs loop inexactly before the place that their label says
            copies = (each.at[late[0]] - each.start) / each.period if len(late) else 0.0
            value = copies if len(hits) else math.inf
        table[each.half, each.corpus].append(value)
    harmless = {each.corpus for each in examples if each.start < 0}
    for half, title in enumerate(("learnt from", "not learnt from", "held folders")):
        print(f"\n{title}\n{'without a loop':<24}{'texts':>8}{'stopped':>8}{'share':>8}")
        for corpus in sorted({corpus for side, corpus in table if side == half} & harmless):
            values = table[half, corpus]
            print(f"{corpus:<24}{len(values):>8}{sum(values):>8g}{np.mean(values):>8.2%}")
        looping = sorted({corpus for side, corpus in table if side == half} - harmless)
        if looping:
            print(f"{'loops':<24}{'texts':>8}{'missed':>8}{'copies':>8}")
        for corpus in looping:
            values = table[half, corpus]
            print(f"{corpus:<24}{len(values):>8}{np.isinf(values).sum():>8}{np.median(values):>8.1f}")


def printed(weights: Floats) -> str:
    """As they stand in ``operators.loop``."""
    rows = (", ".join(f"{value:g}" for value in row) for row in weights.tolist())
    lines = (
        textwrap.fill(f"[{row}],", 106, initial_indent=" " * 4, subsequent_indent=" " * 5) for row in rows
    )
    return "\n".join(["WEIGHTS = np.array([", *lines, "])  # fmt: skip"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="more folders of files to learn from")
    parser.add_argument("--held", nargs="+", type=Path, default=[], help="folders to tell the numbers of")
    parser.add_argument("--files", type=int, default=1500, help="files of each kind")
    given = parser.parse_args()
    folders = [*loops.places(), *given.folders]
    examples = [*of_files(folders, given.files), *of_outputs(), *of_made(folders)]
    examples += of_files(given.held, given.files, held=True)
    weights = learnt(examples)
    others = [each for each in examples if each.corpus == "loop" and each.half]
    found = sum(len(told(each, weights)) > 0 for each in others)
    print(f"outputs that loop, learnt from one half: {found} of {len(others)} of the other half found\n")
    examples = [each._replace(half=0) if each.corpus == "loop" else each for each in examples]
    weights = learnt(examples)
    report(examples, weights)
    print(printed(weights))


if __name__ == "__main__":
    main()
