"""Loops: what is found how soon, what is stopped that should not be, and what it costs; beside the field's.

``python -m benches.bench_loop [--files N] [--peers N] [--failures FOLDER] [FOLDER ...]``

*kinds*: 30 prefixes before each kind of loop; the median of the pseudo-tokens from where the loop begins to
the stop, in brackets how many of the 30 are stopped, if not all. A stop before the loop begins is false, is
marked with a minus, and counts as not found. A pseudo-token is 3.5 characters of prose, and all detectors but
one are fed one at a time (``benches.loops``). *outputs*: outputs of models that end in a loop, from where the
exact period begins, over all of them (never is infinite) and over those of some length of the period. Models
often loop inexactly before that, so a stop before it is a delay of 0. *false stops*: texts in which nothing
loops, of files the first 3,000 pseudo-tokens; N files of each kind for us and the first 40 for the others,
which are slow here. What our constants were learnt from are such texts, of one half (``loops.half``);
*unseen* is the other half. *calls*: calls of tools until a cycle of them is stopped. *speed*: least of 30
runs, everything compiled before.

With ``--failures`` the texts that our stage got wrong are written to a folder. Files come from this Python's
library and packages, and from the folders named.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import NamedTuple

import numba

from benches import loops
from benches.loop_peers import PEERS, Call, doom_loop, gemini_calls
from operators.directory import Directory
from operators.loop import Loop, Watch
from operators.packet import Channel, Delta, Finish, Kind, Packet, Table, pack

WATCH = (Watch("loop", 0),)
LANES = (1, 16, 64, 256, 1024)
TOKENS = 3000
"""Of a file that are read."""
DELTAS = 256
"""Of a packet."""
RUNS = 30
PERIODS = (2, 6, 20, 60, 200, 2000)
"""Characters: where the classes of periods end that outputs are told by."""

Detector = Callable[[Sequence[str]], int]
Said = list[tuple[str, Delta]]


class Text(NamedTuple):
    """A text to be read, and what is known of it."""

    name: str
    corpus: str
    tokens: list[str]
    start: int = -1
    """Character where its loop begins, -1 without one."""
    period: int = 0
    half: int = 0
    """``loops.half`` of the whole text."""


def findings(said: Said) -> Table:
    """What our stage finds in what one stream says, behind the directory and at its defaults."""
    packet = Directory().update(pack(0, said, now=0))
    return Loop(WATCH).update(packet).findings


def ours(tokens: Sequence[str]) -> int:
    """Tokens read when our stage stops the text, 0 if it never does."""
    texts = [token.encode("utf-8", "replace").decode() for token in tokens]
    found = findings([("s", Delta(Kind.TEXT, text)) for text in texts])
    return loops.delay(tokens, -1, int(found["decided"][0])) if len(found) else 0


DETECTORS: dict[str, Detector] = {"ours": ours, **PEERS}


def delay(text: Text, read: int) -> int:
    """Pseudo-tokens of the loop that were read, 0 if it was stopped before or never."""
    return loops.delay(text.tokens, text.start, sum(map(len, text.tokens[:read])))


def row(name: str, cells: Iterable[str], width: int = 16) -> None:
    print(f"{name:<20}" + "".join(f"{cell:>{width}}" for cell in cells), flush=True)


def head(title: str) -> None:
    print(f"\n{title}")
    for line in itertools.zip_longest(*(name.split(", ") for name in DETECTORS), fillvalue=""):
        row("", (part.removeprefix("chunks of ") for part in line))


class Failures:
    """The texts that our stage got wrong, a file each, if there is a folder for them."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, what: str, text: Text, read: int) -> None:
        if not self._folder:
            return
        told = [what, text.corpus, text.name, f"start {text.start}, period {text.period}, tokens read {read}"]
        whole = "".join(text.tokens[: read or None])
        named = f"{what} {text.corpus} {text.name} {read}"
        name = "".join(sign if sign.isalnum() else "-" for sign in named)
        path = self._folder / f"{name}.txt"
        path.write_bytes("\n".join([*told, "", whole]).encode("utf-8", "replace"))


def kinds(failures: Failures) -> None:
    head("kinds: median pseudo-tokens from the beginning of the loop (stopped of 30)")
    for kind in loops.KINDS:
        texts = [
            Text(f"prefix {k}", kind, loops.pseudo_tokens(loop.text), loop.start, loop.period)
            for k, loop in enumerate(loops.made([kind]))
        ]
        cells = []
        for name, detector in DETECTORS.items():
            reads = [detector(text.tokens) for text in texts]
            delays = [delay(text, read) for text, read in zip(texts, reads, strict=True)]
            found = [each for each in delays if each]
            early = sum(read > 0 for read in reads) - len(found)
            share = "" if len(found) == len(texts) else f" ({len(found)})"
            cells.append(
                (f"{statistics.median(found):g}{share}" if found else "-") + f" -{early}" * (early > 0)
            )
            if name == "ours":
                for text, read, late in zip(texts, reads, delays, strict=True):
                    if not late:
                        failures.add("early" if read else "missed", text, read)
        row(kind, cells)


def real(failures: Failures) -> None:
    texts = [
        Text(output.name, "outputs", loops.pseudo_tokens(output.text), output.start, output.period)
        for output in loops.outputs()
        if output.label == "loop"
    ]
    if not texts:
        print("\noutputs: no recorded data (MIDSTREAM_DATA)")
        return
    head(f"outputs: {len(texts)} outputs of models that end in a loop")
    table: dict[str, list[str]] = defaultdict(list)
    for name, detector in DETECTORS.items():
        reads = [detector(text.tokens) for text in texts]
        late = [delay(text, read) if read else inf for text, read in zip(texts, reads, strict=True)]
        table["stopped"].append(f"{sum(map(bool, reads))}")
        table["  before the period"].append(f"{late.count(0)}")
        table["tokens, median"].append(f"{statistics.median(late):g}")
        chars = [
            max(0, sum(map(len, text.tokens[:read])) - text.start) if read else inf
            for text, read in zip(texts, reads, strict=True)
        ]
        table["characters, median"].append(f"{statistics.median(chars):g}")
        copies = [each / text.period for each, text in zip(chars, texts, strict=True)]
        table["periods, median"].append(f"{statistics.median(copies):.2f}")
        for least, most in pairwise((1, *PERIODS)):
            part = [each for each, text in zip(late, texts, strict=True) if least <= text.period < most]
            table[f"tokens, {least}..{most - 1}: {len(part)}"].append(f"{statistics.median(part):g}")
        if name == "ours":
            for text, read in zip(texts, reads, strict=True):
                if not read:
                    failures.add("missed", text, read)
    for name, cells in table.items():
        row(name, cells)


def corpora(folders: Sequence[Path], files: int) -> dict[str, list[Text]]:
    """Texts in which nothing loops, by what they are; of ``repetitive`` ones nobody is sure."""
    made: dict[str, list[Text]] = {"made": []}
    for each in loops.benign():
        tokens = loops.pseudo_tokens(each.text)
        made["made"].append(Text(each.name, each.kind, tokens, half=loops.half(each.text)))
    for kind in ("markdown", "python", "data"):
        found = loops.files(folders, kind, files)
        made[kind] = [
            Text(each.name, kind, loops.pseudo_tokens(each.text)[:TOKENS], half=loops.half(each.text))
            for each in found
        ]
    for output in loops.outputs():
        if output.label != "loop":
            tokens = loops.pseudo_tokens(output.text)
            text = Text(output.name, output.label, tokens, half=loops.half(output.text))
            made.setdefault(output.label, []).append(text)
    return made


def false_stops(folders: Sequence[Path], files: int, peers: int, failures: Failures) -> None:
    head("false stops, of so many texts")
    mine: list[tuple[Text, int]] = []
    for corpus, texts in corpora(folders, files).items():
        cells = []
        for name, detector in DETECTORS.items():
            # Files are many and the peers are slow; everything else is read by all.
            chosen = (
                texts if name == "ours" or corpus not in {"markdown", "python", "data"} else texts[:peers]
            )
            reads = [(text, detector(text.tokens)) for text in chosen]
            stopped = [(text, read) for text, read in reads if read]
            cells.append(f"{len(stopped)}/{len(chosen)}")
            if name == "ours" and corpus != "repetitive":
                mine += reads
                for text, read in stopped:
                    failures.add("false", text, read)
        row(corpus, cells)
    for name, half in (("learnt from", 0), ("unseen", 1)):
        part = [read for text, read in mine if text.half == half]
        stops = sum(read > 0 for read in part)
        row(f"{name}, all but repetitive: {stops}/{len(part)}, {stops / max(1, len(part)):.2%}", ())


def said_calls(calls: Iterable[Call]) -> Said:
    """A stream that calls tools, as a decoder tells it."""
    said = [("s", Delta(Kind.START, '{"provider":"","model":""}'))]
    for item, call in enumerate(calls):
        note = json.dumps({"tool": {"name": call.name, "id": f"call_{item}"}})
        said.append(("s", Delta(Kind.NOTE, note, Channel.TOOL, item=item)))
        said += [
            ("s", Delta(Kind.TEXT, token, Channel.TOOL, item=item))
            for token in loops.pseudo_tokens(call.arguments)
        ]
    return [*said, ("s", Delta(Kind.END, finish=Finish.STOP))]


def our_calls(calls: Sequence[Call]) -> int:
    """Calls begun when our stage stops the stream, 0 if it never does."""
    said = said_calls(calls)
    packet = Directory().update(pack(0, said, now=0))
    found = Loop(WATCH).update(packet).findings
    if not len(found):
        return 0
    before = packet.deltas["kind"][: int(found["delta"][0]) + 1]
    return int((before == Kind.NOTE).sum())


def tool_calls() -> None:
    print("\ncalls: tool calls until the stop, of 40 (0: never)")
    row("cycle of", ("ours", "opencode", "gemini-cli"))
    cycles = {
        str(n): [Call(f"tool_{k % 3}", json.dumps({"path": f"src/{k}.py"})) for k in range(n)]
        for n in range(1, 9)
    }
    streams = {name: list(itertools.islice(itertools.cycle(cycle), 40)) for name, cycle in cycles.items()}
    streams["spaces that change"] = [Call("read", '{"path":' + " " * (k % 4) + '"a b"}') for k in range(40)]
    streams["pages, no loop"] = [Call("list", json.dumps({"path": "src", "page": k})) for k in range(40)]
    streams["files, no loop"] = [
        Call("read", json.dumps({"path": f"src/{k * k % 97}.py"})) for k in range(40)
    ]
    for name, calls in streams.items():
        row(name, (str(detector(calls)) for detector in (our_calls, doom_loop, gemini_calls)))


def packets(text: str, lanes: int) -> tuple[list[Packet], list[Packet]]:
    """What fills every lane with 1,500 characters, and what is timed."""
    directory = Directory()
    whole = text * (1 + 40_000 // len(text))
    offsets = [997 * lane % len(text) for lane in range(lanes)]
    filling: Said = [(str(lane), Delta(Kind.TEXT, whole[at : at + 1500])) for lane, at in enumerate(offsets)]
    places = [at + 1500 for at in offsets]
    timed = []
    for number in range(max(16, 2 * lanes // DELTAS)):
        said: Said = []
        for k in range(number * DELTAS, (number + 1) * DELTAS):
            lane, size = k % lanes, 4 + k // lanes % 2
            said.append((str(lane), Delta(Kind.TEXT, whole[places[lane] : places[lane] + size])))
            places[lane] += size
        timed.append(said)
    return [directory.update(pack(0, filling, now=0))], [
        directory.update(pack(0, said, now=0)) for said in timed
    ]


def microseconds(text: str, lanes: int) -> float:
    """Of one delta, in our stage alone."""
    filling, timed = packets(text, lanes)
    stage = Loop(WATCH)
    for packet in filling:
        stage.update(packet)
    state, least = stage.dump(), float("inf")
    for _ in range(RUNS):
        stage = Loop(WATCH)
        stage.load(state)
        began = time.perf_counter()
        for packet in timed:
            stage.update(packet)
        least = min(least, time.perf_counter() - began)
    return least / len(timed) / DELTAS * 1e6


def speed() -> None:
    stage = Loop(WATCH)
    stage.warm()
    print(f"\nspeed: us a delta of 4 or 5 characters, packets of {DELTAS}")
    print(f"state of a lane: {stage.state_bytes} bytes")
    row("lanes", map(str, LANES))
    written = {name: text for name, _, text in loops.benign()}
    texts = {
        "prose": " ".join(map(loops.prefix, range(loops.PREFIXES))),
        "code": written["getters"] + written["minified"] + written["inserts"],
        "data": written["records"] + written["hexdump"] + written["digits"],
        "Chinese": written["chinese"],
        "one letter": "a" * 500,
        "letter, space": "a " * 500,
        "marks": "!?.,;:" * 100,
    }
    for kind in ("word", "sentence", "counter", "replaced"):
        loop = loops.looping(kind, 3)
        texts[f"loop: {kind}"] = loop.text[loop.start :]
    for name, text in texts.items():
        row(name, (f"{microseconds(text, lanes):.2f}" for lanes in LANES))


TABLES = ("kinds", "outputs", "false", "calls", "speed")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "folders", nargs="*", type=Path, help="more folders with files in which nothing loops"
    )
    parser.add_argument("--files", type=int, default=400, help="files of each kind that we read")
    parser.add_argument("--peers", type=int, default=40, help="files of each kind that the others read")
    parser.add_argument("--failures", type=Path, help="folder for the texts that we get wrong")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES, help="tables to be made")
    given = parser.parse_args()
    failures = Failures(given.failures)
    print(f"{platform.machine()}, Python {platform.python_version()}, numba {numba.__version__}")
    folders = [*loops.places(), *given.folders]
    tables: dict[str, Callable[[], None]] = {
        "kinds": functools.partial(kinds, failures),
        "outputs": functools.partial(real, failures),
        "false": functools.partial(false_stops, folders, given.files, given.peers, failures),
        "calls": tool_calls,
        "speed": speed,
    }
    for name in given.only:
        tables[name]()


if __name__ == "__main__":
    main()
