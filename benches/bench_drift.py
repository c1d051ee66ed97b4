"""Drift: the false alarms that were asked for and those that come, how late changes are told, what it costs.

``NUMBA_NUM_THREADS=1 python -m benches.bench_drift [learn|rate|real|delay|cost ...]``

*learn*: false alarms a sample of ADWIN and of the Bayesian detector over scores of which all is known, by
their own parameter: where the tables in their kernels come from. *rate*: of the stage, over independent
samples of several distributions, as a share of what was asked for; lanes of 2,000 and 20,000 samples.
*real*: of the stage over lengths and surprisal of recorded streams and whole answers (``MIDSTREAM_DATA``),
as they came and with the samples of each lane shuffled, and how many of them upwards. *delay*: median
and 90th percentile of the samples from a change, which comes behind 300 samples, to its finding, of normal
samples and of two values; river's at the same false alarms where it is installed. *cost*: nanoseconds a
sample, packets of 1,024 samples, beside river: the least of several runs.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.decoders import open_decoder
from operators.directory import Directory
from operators.drift import Change, Drift
from operators.features import Features
from operators.kernels import adwin, bocpd
from operators.packet import DELTA, OPENED, SAMPLE, Delta, Kind, Packet, Signal, empty, pack

Series = NDArray[np.float64]
Draw = Callable[[tuple[int, int]], Series]
METHODS = ("cusum", "page_hinkley", "adwin", "bocpd")
RATES = (1e-3, 1e-4)
DATA = Path(os.environ.get("MIDSTREAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
BLOCK = 64  # samples of each lane in a packet


def packets(x: Series, block: int = BLOCK) -> Iterator[Packet]:
    """Lanes ``x[lane]``, taking turns; a sample is a character."""
    lanes, length = x.shape
    opened = np.zeros(lanes, OPENED)
    opened["row"] = np.arange(lanes)
    for first in range(0, length, block):
        part = x[:, first : first + block]
        table = np.zeros(part.size, SAMPLE)
        table["row"] = np.tile(np.arange(lanes), part.shape[1])
        table["begin"] = np.repeat(np.arange(first, first + part.shape[1]), lanes)
        table["stop"] = table["decided"] = table["begin"] + 1
        table["value"] = part.T.ravel()
        yield Packet(0, 0, (), empty(DELTA), b"", samples=table, opened=opened)
        opened = empty(OPENED)


def alarms(change: Change, x: Series) -> list[tuple[int, int, int]]:
    """Lane, deciding sample and estimated first sample of every finding."""
    stage = Drift([change])
    found = [stage.update(packet).findings for packet in packets(x)]
    return [(int(f["row"]), int(f["stop"]) - 1, int(f["begin"])) for part in found for f in part]


def watch(method: str, false_alarm: float = 1e-4, direction: str = "both") -> Change:
    return Change("bench", 0, 0, method, false_alarm, direction)


def learn(samples: int = 20_000_000, lanes: int = 1000) -> None:
    """Alarms of the bare kernels; a lane begins anew behind each."""
    rng = np.random.default_rng(1)
    rows = np.tile(np.arange(lanes, dtype=np.int32), BLOCK)
    begins = np.zeros(len(rows), np.int64)
    places = np.empty(len(rows), np.int64)

    def rate(draw: Draw, run: Callable[..., int], shape: Series, *kept: NDArray[Any]) -> float:
        count = tested = 0
        for _ in range(samples // len(rows)):
            scores = draw((1, len(rows)))[0]
            alarmed = run(rows, scores, scores, begins, shape, *kept, places)
            count += alarmed
            tested += len(rows) - int((BLOCK - 1 - places[:alarmed] // lanes).sum())
            for table in kept:
                table[rows[places[:alarmed]]] = 0
        return count / tested

    print("adwin: delta, false alarms a sample")
    for delta in (0.01, 0.03, 0.1, 0.3, 1.0, 2.5):
        shape = adwin.shape(1e-4)
        shape[0] = delta
        kept = np.zeros(lanes, adwin.ADWIN), np.zeros((lanes, adwin.LEVELS, adwin.MOST + 1), adwin.BUCKET)
        print(f"  {delta:>8} {rate(rng.random, adwin.adwin, shape, *kept):.3g}", flush=True)
    print("bocpd: chance of a change, false alarms a sample as a share of it")
    for chance in (5e-3, 1e-3, 1e-4, 1e-5):
        shape = bocpd.shape(1e-4)
        shape[0] = chance
        runs = np.zeros(lanes, bocpd.BOCPD), np.zeros((lanes, bocpd.MOST), bocpd.RUN)
        share = rate(rng.standard_normal, bocpd.bocpd, shape, *runs) / chance
        print(f"  {chance:>8g} {share:.3g}", flush=True)


def draws(seed: int) -> dict[str, Draw]:
    rng = np.random.default_rng(seed)
    return {
        "normal": rng.standard_normal,
        "exponential": rng.standard_exponential,
        "log-normal, sigma 1.5": lambda size: rng.lognormal(0.0, 1.5, size),
        "Pareto, alpha 1.1": lambda size: rng.pareto(1.1, size),
        "two values, 30 %": lambda size: (rng.random(size) < 0.3).astype(np.float64),
        "two values, 1 %": lambda size: (rng.random(size) < 0.01).astype(np.float64),
        "Poisson, mean 4": lambda size: rng.poisson(4.0, size).astype(np.float64),
        "Poisson, mean 0.3": lambda size: rng.poisson(0.3, size).astype(np.float64),
        "constant": lambda size: np.full(size, 0.25),
    }


def rate(samples: int = 4_000_000) -> None:
    print(f"false alarms as a share of what was asked for{'':>6}" + "".join(f"{m:>26}" for m in METHODS))
    for false_alarm in RATES:
        for name, draw in draws(2).items():
            cells = []
            for method in METHODS:
                shares = []
                for length in (2000, 20_000):
                    found = alarms(watch(method, false_alarm), draw((samples // length, length)))
                    shares.append(f"{len(found) / samples / false_alarm:.2f}")
                cells.append(" / ".join(shares))
            print(f"{false_alarm:<8g}{name:<43}" + "".join(f"{c:>26}" for c in cells), flush=True)
    for title, run in rivers():
        counts = {name: len(run(draw((100, 2000)))) for name, draw in draws(2).items()}
        print(f"{title}, a sample: " + ", ".join(f"{name} {n / 200_000:.1e}" for name, n in counts.items()))


def heard() -> Iterator[tuple[str, list[Delta]]]:
    """Recorded streams, and whole answers said in deltas of four characters."""
    for path in sorted((DATA / "streams").iterdir()):
        if path.suffix not in (".md",) and path.name not in ("INDEX.jsonl", "openai-stream-schemas.json"):
            decoder = open_decoder("auto")
            yield path.name, [*decoder.receive_data(path.read_bytes(), now=0), *decoder.receive_eof(now=0)]
    for path in sorted((DATA / "outputs").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            answer = json.loads(line)
            if answer["label"] == "normal":
                text = answer["text"]
                said = [Delta(Kind.TEXT, text[at : at + 4]) for at in range(0, len(text), 4)]
                yield f"{path.stem} {answer['id']}", [Delta(Kind.START, "{}"), *said, Delta(Kind.END)]


def real() -> None:
    series: dict[str, list[Series]] = {}
    for name, deltas in heard():
        directory, features = Directory(), Features()
        packet = features.update(directory.update(pack(0, [(name, delta) for delta in deltas], now=0)))
        for row in np.unique(packet.samples["row"]):
            of_row = packet.samples[packet.samples["row"] == row]
            kind = "streams" if "." in name else "answers"
            for signal in (Signal.LENGTH, Signal.LOGPROB, Signal.SURPRISAL, Signal.NOVELTY):
                values = of_row["value"][of_row["signal"] == signal]
                if len(values) > 40 and (kind, signal) != ("answers", Signal.LENGTH):
                    series.setdefault(f"{signal.name.lower()} of {kind}", []).append(values)
    # One side alone has, at half of the rate, the thresholds that both have.
    watches = {m: (watch(m), watch(m, 5e-5, "up")) for m in METHODS}
    watches["cusum, up"] = (watch("cusum", 1e-4, "up"),) * 2
    print(
        f"{'alarms per 10,000 tested samples (up); asked for 1':<60}" + "".join(f"{m:>18}" for m in watches)
    )
    rng = np.random.default_rng(3)
    for name, lanes in series.items():
        tested = sum(len(lane) - 32 for lane in lanes)
        for title, order in (("", np.asarray), (", shuffled", rng.permutation)):
            cells = []
            ordered = [order(lane)[np.newaxis] for lane in lanes]
            for pair in watches.values():
                each, up = (sum(len(alarms(one, lane)) for lane in ordered) / tested * 1e4 for one in pair)
                cells.append(f"{each:.2f} ({up:.2f})")
            head = f"{name}{title} ({len(lanes)} lanes, {tested:,} samples)"
            print(f"{head:<60}" + "".join(f"{c:>18}" for c in cells), flush=True)


def changed(lanes: int, before: int, after: int) -> dict[str, Series]:
    """Normal samples that change behind `before`; and two values, of which one comes twice as often then."""
    x = np.random.default_rng(4).normal(size=(lanes, before + after))
    early, late = x[:, :before], x[:, before:]
    series = {f"+ {size:g} sd": np.hstack([early, late + size]) for size in (0.5, 1, 2, 4)}
    series |= {"sd x 3": np.hstack([early, 3.0 * late]), "sd / 3": np.hstack([early, late / 3.0])}
    often, more_often = NormalDist().inv_cdf(0.3), NormalDist().inv_cdf(0.6)
    series["30 % to 60 %"] = np.hstack([early < often, late < more_often]).astype(np.float64)
    return series


def delay(lanes: int = 500, before: int = 300, after: int = 1000) -> None:
    series = changed(lanes, before, after)
    print(f"{'samples to the finding, median / 90 % (missed)':<48}" + "".join(f"{s:>20}" for s in series))
    detectors: dict[str, Callable[[Series], list[tuple[int, int]]]] = {
        f"{method}, {false_alarm:g}": partial(_our_alarms, watch(method, false_alarm))
        for false_alarm in RATES
        for method in METHODS
    }
    for name, run in [*detectors.items(), *rivers()]:
        cells = []
        for x in series.values():
            first: dict[int, int] = {}
            for lane, place in run(x):
                first.setdefault(lane, place - before + 1)
            told = [late for late in first.values() if late > 0]
            alike = len(told) + lanes - len(first)
            late = f"{np.median(told):.0f} / {np.percentile(told, 90):.0f}" if told else "-"
            cells.append(f"{late} ({1 - len(told) / alike:.0%})")
        print(f"{name:<48}" + "".join(f"{c:>20}" for c in cells), flush=True)


def _our_alarms(change: Change, x: Series) -> list[tuple[int, int]]:
    return [(lane, place) for lane, place, _ in alarms(change, x)]


def rivers() -> Iterator[tuple[str, Callable[[Series], list[tuple[int, int]]]]]:
    """The detectors of river: its defaults, and the thresholds for 1e-4 where the samples are normal."""
    try:
        drift = importlib.import_module("river.drift")
    except ImportError:
        return
    makers = {
        "river ADWIN, default": drift.ADWIN,
        "river PageHinkley, default": drift.PageHinkley,
        "river PageHinkley, ours for 1e-4, sd known": partial(
            drift.PageHinkley, min_instances=1, delta=0.25, threshold=14.5, alpha=1.0
        ),
    }
    for name, make in makers.items():
        yield name, partial(_river_alarms, make)


def _river_alarms(make: Callable[[], Any], x: Series) -> list[tuple[int, int]]:
    found = []
    for lane, values in enumerate(x.tolist()):
        detector = make()
        for place, value in enumerate(values):
            detector.update(value)
            if detector.drift_detected:
                found.append((lane, place))
    return found


def steady(method: str, parts: Iterator[Packet]) -> float:
    """Least nanoseconds of one of the last 20 packets, when every lane is judged."""
    stage = Drift([watch(method)])
    taken = []
    for part in parts:
        began = time.perf_counter()
        stage.update(part)
        taken.append((time.perf_counter() - began) * 1e9)
    return min(taken[-20:])


def cost() -> None:
    heads = "".join(f"{n:>10}" for n in (1, 16, 128, 1024))
    print(f"{'nanoseconds a sample, by lanes':<48}{heads}   a packet of 1")
    for method in METHODS:
        row = []
        for lanes in (1, 16, 128, 1024):
            each = 1024 // lanes
            x = np.random.default_rng(5).lognormal(size=(lanes, max(400, 30 * each)))
            row.append(steady(method, packets(x, each)) / 1024)
        row.append(steady(method, packets(np.random.default_rng(6).lognormal(size=(1, 400)), 1)))
        name = f"{method} ({Drift([watch(method)]).state_bytes:,} bytes a lane)"
        print(f"{name:<48}" + "".join(f"{each:>10,.0f}" for each in row), flush=True)
    x = np.random.default_rng(5).lognormal(size=(1, 10_000))
    for name, run in rivers():
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            run(x)
            taken.append((time.perf_counter() - began) / x.size * 1e9)
        print(f"{name:<48}{min(taken):>10.0f}", flush=True)


def main() -> None:
    sections = {"learn": learn, "rate": rate, "real": real, "delay": delay, "cost": cost}
    for name in sys.argv[1:] or sections:
        print(f"\n{name}")
        sections[name]()


if __name__ == "__main__":
    main()
