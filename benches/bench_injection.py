"""How much of what tries to take a model over is found, how soon, and what harmless text is flagged with it.

``python -m benches.bench_injection --django Django-5.2-py3-none-any.whl [--policy default]``

Each text is a lane of its own and goes through the stages as it would through the flow. The scorer is judged
by cross-validation: the samples of a text come from a model that has not heard its fold (near duplicates
share one), those of what is never taught from the shipped one. A text is flagged by the highest of its
samples; the thresholds are those that 5 % and 1 % of the harmless texts of the folds exceed, and the shipped
one. Rules are those of the policy against injection, exfiltration, tool misuse and forged markup. Hits are
timed in tokens of four characters from the begin of the attack, which is the first thing a lane says or
comes behind an answer of Vicuna (``late``).
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.train_scorer import DATA, FOLDS, Text, Trained, corpus, folds, train
from flows import policies
from operators.directory import Directory
from operators.gate import Gate
from operators.packet import Delta, Finish, Kind, Packet, pack
from operators.scorer import Model, Scorer
from operators.slots import Stage

KINDS = {"injection", "exfiltration", "tool", "markup"}
WARN = 0.98
"""The threshold of the shipped policy."""
WITHIN = (16, 32, 64, 128)
"""Tokens of four characters."""

Samples = list[tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Of each text: characters read when each sample was complete, and its value."""


def through(texts: Sequence[str], stage: Stage) -> list[Packet]:
    """Behind `stage`, a packet a text: a stream of one lane, from start to end."""
    directory, packets = Directory(), []
    for text in texts:
        start, end = Delta(Kind.START, '{"provider":"","model":""}'), Delta(Kind.END, finish=Finish.STOP)
        said = [("", start), ("", Delta(Kind.TEXT, text)), ("", end)]
        packets.append(stage.update(directory.update(pack(0, said, now=0))))
    return packets


def sampled(texts: Sequence[str], model: Model) -> Samples:
    """What the scorer says of each text."""
    tables = [packet.samples for packet in through(texts, Scorer(model))]
    return [(table["decided"].astype(np.int64), table["value"].copy()) for table in tables]


def ruled(texts: Sequence[str], gate: Gate, codes: set[int]) -> list[float]:
    """The character at which the first of the rules `codes` found something in each text; else infinity."""
    firsts = []
    for packet in through(texts, gate):
        decided = [int(each["decided"]) for each in packet.findings if int(each["code"]) in codes]
        firsts.append(min(decided, default=np.inf))
    return firsts


def first_above(samples: Samples, limit: float) -> NDArray[np.float64]:
    """The character at which each text first exceeds the limit; else infinity."""
    firsts = [decided[value > limit] for decided, value in samples]
    return np.array([float(each[0]) if len(each) else np.inf for each in firsts])


def precision_recall_area(score: NDArray[np.float64], attack: NDArray[np.bool_]) -> float:
    """Average precision."""
    ranked = attack[np.argsort(-score, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].mean())


def percent(which: NDArray[np.bool_]) -> str:
    return f"{100 * which.mean():6.1f}" if len(which) else "     -"


def by_source(texts: Sequence[Text], columns: dict[str, NDArray[np.bool_]]) -> None:
    """A row for each source and label: the share of its texts that each column flags."""
    for attack in (True, False):
        head = "found, % of attacks" if attack else "flagged, % of harmless texts"
        print(f"\n{head:48} texts " + " ".join(f"{name:>10}" for name in columns))
        for source in sorted({each.source for each in texts if each.attack == attack}):
            which = np.array([each.source == source and each.attack == attack for each in texts])
            cells = " ".join(f"{percent(column[which]):>10}" for column in columns.values())
            print(f"{source:48} {which.sum():5} {cells}")


def by_time(name: str, starts: NDArray[np.float64], firsts: NDArray[np.float64]) -> None:
    """Hits within so many tokens of where the attack began."""
    after = firsts - starts
    cells = " ".join(f"{percent(after <= 4 * tokens)}" for tokens in WITHIN)
    print(f"{name:48} {cells} {percent(after < np.inf)}")


def by_stream(texts: Sequence[Text], samples: Samples, limits: dict[str, float]) -> None:
    """How often harmless text is flagged, counted as a stream would count."""
    print("\nharmless: samples above the threshold, %; texts flagged, %; times flagged in 10,000 tokens")
    tokens = sum(len(each.text) for each in texts) / 4
    for name, limit in limits.items():
        above = [value > limit for _, value in samples]
        times = sum(int(np.count_nonzero(np.diff(each, prepend=False) & each)) for each in above)
        flagged = np.array([each.any() for each in above])
        rates = f"{percent(np.concatenate(above))} {percent(flagged)} {1e4 * times / tokens:6.2f}"
        print(f"scorer {name:41} {rates}")


def by_probability(top: NDArray[np.float64], attack: NDArray[np.bool_]) -> None:
    """What the probabilities are worth: the share of attacks among texts whose highest sample is so high."""
    print(
        "\nhighest sample, texts, share of attacks if both labels weigh the same; above: attacks, harmless, %"
    )
    cost = np.where(attack, 0.5 / attack.sum(), 0.5 / (~attack).sum())
    for low, high in itertools.pairwise((0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)):
        which = (top > low) & (top <= high)
        share = cost[which & attack].sum() / max(cost[which].sum(), 1e-12)
        rest = f"{percent(top[attack] > low)} {percent(top[~attack] > low)}"
        print(f"{low:5.3f} to {high:5.3f} {which.sum():6} {share:6.2f}; {rest}")


def speed(texts: Sequence[str], model: Model) -> float:
    """Nanoseconds a character, in packets of 256 deltas of four characters."""
    whole = " ".join(texts)[:400_000]
    stage, directory, spent = Scorer(model), Directory(), []
    for at in range(0, len(whole) - 1024, 1024):
        said = [("a", Delta(Kind.TEXT, whole[i : i + 4])) for i in range(at, at + 1024, 4)]
        packet = directory.update(pack(0, said, now=0))
        began = time.perf_counter_ns()
        stage.update(packet)
        spent.append((time.perf_counter_ns() - began) / 1024)
    return statistics.median(spent)


def cross_sampled(texts: Sequence[str], fold: NDArray[np.int64], trained: Trained) -> Samples:
    """What a model says of each text that has not heard it: for fold -1 the one that is shipped."""
    samples: Samples = [(np.empty(0, np.int64), np.empty(0))] * len(texts)
    for k, model in enumerate([*trained.without, trained.model]):
        which = np.flatnonzero(fold == (k if k < FOLDS else -1)).tolist()
        for i, own in zip(which, sampled([texts[i] for i in which], model), strict=True):
            samples[i] = own
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--django", type=Path, required=True, help="the wheel of Django 5.2")
    parser.add_argument("--policy", default=policies.DEFAULT)
    chosen = parser.parse_args()
    policy = policies.load(chosen.policy)
    texts = corpus(chosen.data, chosen.django)
    words, attack = [each.text for each in texts], np.array([each.attack for each in texts])
    fold = folds(texts)
    trained = train(texts, fold)
    samples = cross_sampled(words, fold, trained)
    top = np.array([value.max(initial=0) for _, value in samples])
    inside = fold >= 0
    harmless, attacks = np.flatnonzero(inside & ~attack), np.flatnonzero(inside & attack)
    limits = {f"{share} %": float(np.quantile(top[harmless], 1 - share / 100)) for share in (5, 1)}
    limits[str(WARN)] = WARN

    codes = {code for code, entry in enumerate(policy.entries) if entry.kind in KINDS}
    ruling = np.array(ruled(words, policy.gate(), codes))
    area = precision_recall_area(top[inside], attack[inside])
    print(f"{len(codes)} rules of {chosen.policy}; scorer, folds: AUPRC {area:.3f}, thresholds", limits)
    columns = {f"scorer {name}": top > limit for name, limit in limits.items()}
    columns["rules"] = ruling < np.inf
    columns |= {f"both {name}": columns[f"scorer {name}"] | columns["rules"] for name in limits}
    by_source(texts, columns)

    opening = next(each.text for each in texts if each.source == "outputs/vicuna-blog-1") + "\n\n"
    late = cross_sampled([opening + words[i] for i in attacks], fold[attacks], trained)
    begin = np.zeros(len(attacks))
    title = "hit within tokens, % of attacks in the folds"
    print(f"\n{title:48} " + " ".join(f"{tokens:6}" for tokens in (*WITHIN, "all")))
    for name, limit in limits.items():
        firsts = first_above([samples[i] for i in attacks], limit)
        by_time(f"scorer {name}", begin, firsts)
        by_time(f"scorer {name}, late", begin + len(opening), first_above(late, limit))
        by_time(f"both {name}", begin, np.minimum(firsts, ruling[attacks]))
    by_time("rules", begin, ruling[attacks])

    by_stream([texts[i] for i in harmless], [samples[i] for i in harmless], limits)
    by_probability(top[inside], attack[inside])
    print(f"\n{speed(words, trained.model):.0f} ns a character, packets of 256 deltas of 4 characters")


if __name__ == "__main__":
    main()
