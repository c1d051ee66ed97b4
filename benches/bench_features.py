"""What measuring costs: the features stage whole, and its two kernels, against gzip as a yardstick.

``python -m benches.bench_features [--lanes 64] [--chars 5]``

Packets of prose from many lanes, 1 to 2,048 deltas each. zlib (level 1 and 6, the whole text at once, 32 KiB
of window) shows what a compressor in C takes for a byte, and what it makes of the same text: the byte
model is one too, with 8 KiB a lane. Nothing is timed before all is compiled; medians over packets.
"""

from __future__ import annotations

import argparse
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from benches.workloads import words
from operators.features import Features
from operators.kernels.features import measure
from operators.kernels.surprisal import surprise
from operators.packet import OPENED, SAMPLE, Delta, Kind, Packet, Signal, pack

BYTES = 400_000


def packets(size: int, lanes: int, chars: int) -> Iterator[Packet]:
    """One text after the other for each lane, `size` deltas a packet, as the directory passes them on."""
    text = "".join(words(1, BYTES // 4))[:BYTES]
    pieces = [text[at : at + chars] for at in range(0, len(text), chars)]
    heard = [0] * lanes
    for first in range(0, len(pieces) - size + 1, size):
        numbers = range(first, first + size)
        said = [(str(n % lanes), Delta(Kind.TEXT, pieces[n], at=n * 1_000_000)) for n in numbers]
        packet = pack(0, said, now=numbers[-1] * 1_000_000)
        packet.deltas["row"] = [n % lanes for n in numbers]
        for delta in packet.deltas:
            delta["begin"] = heard[delta["row"]]
            heard[delta["row"]] += delta["chars"]
        if not first:
            opened = np.zeros(lanes, OPENED)
            opened["row"] = np.arange(lanes)
            packet = packet.having(opened=opened)
        yield packet


def timed(call: Callable[[], object]) -> float:
    """Nanoseconds."""
    began = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - began


def whole(size: int, lanes: int, chars: int) -> float:
    """Nanoseconds of the stage for a packet."""
    update = Features().update
    return statistics.median(timed(partial(update, packet)) for packet in packets(size, lanes, chars))


def kernels(size: int, lanes: int, chars: int) -> tuple[float, float]:
    """Nanoseconds of the two kernels for a packet."""
    stage = Features()
    told = []
    for packet in packets(size, lanes, chars):
        if len(packet.opened):
            stage.update(packet)
        deltas = packet.deltas.view()
        deltas.flags.writeable = False
        text, likely = np.frombuffer(packet.text, np.uint8), np.empty(len(packet.text))
        samples = np.empty(5 * len(deltas) + len(text), SAMPLE)
        models, state = stage._state["model"], stage._state["lane"]
        model = timed(partial(surprise, deltas, text, models, stage._prior, likely))
        told.append((model, timed(partial(measure, deltas, text, likely, state, samples))))
    model, rest = (statistics.median(column) for column in zip(*told, strict=True))
    return model, rest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--chars", type=int, default=5, help="characters of a delta")
    chosen = parser.parse_args()
    print(f"compile or load: {timed(Features().warm) / 1e9:.2f} s")
    print("deltas/packet  us/packet  ns/delta  ns/byte | surprise ns/byte  measure ns/delta")
    for size in (1, 8, 64, 256, 2048):
        ns = whole(size, chosen.lanes, chosen.chars)
        model, rest = kernels(size, chosen.lanes, chosen.chars)
        length = size * chosen.chars
        print(f"{size:13} {ns / 1000:10.1f} {ns / size:9.0f} {ns / length:8.1f} |", end="")
        print(f" {model / length:16.1f} {rest / size:17.0f}")
    lane = list(packets(256, 1, chosen.chars))
    stage, bits = Features(), 0.0
    for packet in lane:
        samples = stage.update(packet).samples
        word = samples[samples["signal"] == Signal.SURPRISAL]
        bits += float((word["value"] * (word["stop"] - word["begin"])).sum())
    text = b"".join(packet.text for packet in lane)
    print(f"bits a character of one lane: surprisal {bits / len(text):.2f}", end="")
    for level in (1, 6):
        size = len(zlib.compress(text, level))
        ns = statistics.median(timed(partial(zlib.compress, text, level)) for _ in range(5))
        print(f", zlib -{level} {8 * size / len(text):.2f} ({ns / len(text):.1f} ns/byte)", end="")
    print()


if __name__ == "__main__":
    main()
