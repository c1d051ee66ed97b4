"""What leaks before it is found, and what delay is paid for it: every strategy on the same streams.

``python -m benches.bench_leak [--streams 125] [--chars 1000] [--seed 1] [--tables 1 2 3 4]``

Streams are texts of presidio-research joined by line feeds until they have so many characters, cut into
pseudo-tokens: a word with the space before it, cut every 2 to 7 characters at random, seeded; 3.3
characters on average. Four tables. *Short*: five expressions (e-mail, card, IBAN, SSN, IP), shared by all.
*Long*: into each stream three made-up secrets are put (a PEM key, a JWT, a link with a token, a provider's
key, 100 to 1,700 characters), with expressions for these. Both again with all rules of the shipped policy,
which then is every strategy's scanner.

The truth is what the scanner finds in the whole text: for shared expressions Python's ``re``, for the shipped
policy the gate, told the text in one delta. An entity has leaked if one character of it left as it is. Delay:
tokens between the arrival and the release of characters outside of every entity. TTFT: tokens until the first
character leaves, less one. A stream's end is known with its last token. Our side are the real stages, with
blocks turned into masks so that every stream runs to its end; what they release is aligned with the original,
and any character there that should not be is an error. Nothing is timed.
"""

from __future__ import annotations

import argparse
import base64
import os
import platform
import random
import re
import string
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from benches.strategies import PEERS, Step
from flows import policies
from flows.judgement import Judgement
from operators.directory import Directory
from operators.packet import Action, Delta, Finish, Kind, Packet, pack
from operators.slots import Stage

DATA = Path(os.environ.get("MIDSTREAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
MARK = "\ue000"
"""The label of every rule here: a character that no text has, so that masks can be told from text."""

Span = tuple[int, int]
Scan = Callable[[Sequence[str]], list[list[Span]]]


class Shared(NamedTuple):
    """An expression that all strategies share."""

    name: str
    pattern: str
    bounded: bool
    longest: int


SHORT = (
    Shared("email", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", False, 254),
    Shared("card", r"(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6011)(?:[ -]?[0-9]{4}){3}"
           r"|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}", True, 0),
    Shared("iban", r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?", True, 0),
    Shared("ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", True, 0),
    Shared("ip", r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}",
           True, 0),
)  # fmt: skip
LONG = (
    Shared("pem", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[A-Za-z0-9+/=\n]*(?:-----END (?:[A-Z]+ )?PRIVATE "
           r"KEY-----)?", False, 512),
    Shared("jwt", r"eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+){0,2}", False, 512),
    Shared("link", r"https://[a-z0-9.-]+/[a-z0-9/]*\?token=[A-Za-z0-9_-]{24,}", False, 512),
    Shared("key", r"sk-[A-Za-z0-9_-]{32,}", False, 256),
)  # fmt: skip


@dataclass
class Stream:
    """A text as it comes."""

    tokens: list[str]

    @cached_property
    def text(self) -> str:
        return "".join(self.tokens)

    def arrivals(self) -> NDArray[np.int64]:
        """The token each character came with."""
        return np.repeat(np.arange(len(self.tokens)), list(map(len, self.tokens)))


@dataclass
class Fate:
    """What became of each character: the token it left after (-1: never), and whether as it is."""

    left: NDArray[np.int64]
    bare: NDArray[np.bool_]


def texts(count: int, chars: int) -> list[str]:
    """Texts of about `chars` characters each, in the order of the file."""
    lines = (DATA / "pii" / "presidio-synth-1.jsonl").read_text(encoding="utf-8").splitlines()
    out, parts = [], []
    for line in lines:
        parts.append(orjson.loads(line)["text"])
        if sum(map(len, parts)) + len(parts) > chars:
            out.append("\n".join(parts))
            parts = []
    return out[:count]


def tokens(text: str, seeded: random.Random) -> list[str]:
    """Pseudo-tokens of a text."""
    out = []
    for word in re.findall(r"\s?[^\s]+|\s", text):
        at = 0
        while at < len(word):
            size = seeded.randint(2, 7)
            out.append(word[at : at + size])
            at += size
    return out


def secret(seeded: random.Random) -> str:
    """A long secret, made up."""

    def run(size: int, letters: str = string.ascii_letters + string.digits) -> str:
        return "".join(seeded.choices(letters, k=size))

    url_safe = string.ascii_letters + string.digits + "-_"
    match seeded.randrange(4):
        case 0:
            body = base64.b64encode(seeded.randbytes(seeded.choice([120, 610, 1190]))).decode()
            lines = [body[at : at + 64] for at in range(0, len(body), 64)]
            return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"])
        case 1:
            head = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').decode().rstrip("=")
            payload, signature = seeded.randint(120, 520), seeded.choice([43, 342])
            return f"{head}.eyJ{run(payload, url_safe)}.{run(signature, url_safe)}"
        case 2:
            path = "/".join(run(20, string.ascii_lowercase) for _ in range(seeded.randint(2, 9)))
            return f"https://files.example.com/{path}?token={run(120, url_safe)}"
        case _:
            return f"sk-proj-{run(seeded.randint(92, 192), url_safe)}"


def with_secrets(text: str, seeded: random.Random) -> str:
    """The text with three long secrets between its lines."""
    lines = text.split("\n")
    for _ in range(3):
        lines.insert(seeded.randint(0, len(lines)), secret(seeded))
    return "\n".join(lines)


def by_expressions(shared: Sequence[Shared]) -> Scan:
    """A scanner: Python's ``re``."""
    made = [
        re.compile(rf"(?<![A-Za-z0-9_])(?:{rule.pattern})(?![A-Za-z0-9_])" if rule.bounded else rule.pattern)
        for rule in shared
    ]

    def scan(windows: Sequence[str]) -> list[list[Span]]:
        return [[match.span() for rule in made for match in rule.finditer(text)] for text in windows]

    return scan


def by_gate(judgement: Judgement) -> Scan:
    """A scanner: the gate, told each window whole, in a lane of its own."""
    fatal = _masking(judgement)
    gate = judgement.gate()

    def scan(windows: Sequence[str]) -> list[list[Span]]:
        out: list[list[Span]] = []
        for at in range(0, len(windows), 256):
            part = windows[at : at + 256]
            directory = Directory()
            said = [(str(i), Delta(Kind.TEXT, text)) for i, text in enumerate(part)]
            said += [(str(i), Delta(Kind.END)) for i in range(len(part))]
            packet = gate.update(directory.update(pack(0, said, now=0)))
            spans: list[list[Span]] = [[] for _ in part]
            for found in packet.findings:
                if found["code"] in fatal:
                    lane = packet.lanes[packet.deltas["lane"][found["delta"]]]
                    spans[int(lane.stream)].append((int(found["begin"]), int(found["stop"])))
            out += spans
        return out

    return scan


def _masking(judgement: Judgement) -> set[int]:
    """Codes of the rules that cover what they match, in time."""
    return {
        code
        for code, entry in enumerate(judgement.entries)
        if judgement.actions[code] in (Action.REDACT, Action.BLOCK) and not entry.detect
    }


def marking(judgement: Judgement) -> Judgement:
    """The same policy, but that blocks are masks, and every mask is one mark."""
    names, actions = judgement.names, judgement.actions
    blocks = {names[code] for code in range(len(judgement.entries)) if actions[code] == Action.BLOCK}
    entries = tuple(e.model_copy(update={"mask": "label", "label": MARK}) for e in judgement.entries)
    overrides = dict(judgement.overrides) | dict.fromkeys(blocks, "redact")
    return replace(judgement, entries=entries, overrides=overrides)


def policy_of(shared: Sequence[Shared]) -> Judgement:
    """The policy of some expressions alone, through a file as a user would write it."""
    rules = "".join(
        f"[[rules]]\nname = '{rule.name}'\npattern = '''{rule.pattern}'''\naction = 'redact'\n"
        f"bounded = {str(rule.bounded).lower()}\nlongest = {rule.longest}\n"
        f"description = 'secret: {rule.name}'\n"
        for rule in shared
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.toml"
        file.write_text(rules, encoding="utf-8")
        return policies.load(str(file))


def ours(judgement: Judgement, streams: Sequence[Stream], held: Counter[str]) -> list[Fate]:
    """The stages, a delta a token. `held`: characters that wait after each delta, by the rule that holds
    them, added to.
    """
    stages: list[Stage] = [Directory(), judgement.gate(), judgement.policy(), judgement.release()]
    fates = []
    for number, stream in enumerate(streams):
        name = str(number)
        said = [
            (name, Delta(Kind.START, "{}")),
            *((name, Delta(Kind.TEXT, token)) for token in stream.tokens),
        ]
        packet = pack(0, [*said, (name, Delta(Kind.END, finish=Finish.STOP))], now=0)
        for stage in stages:
            packet = stage.update(packet)
        _blame(packet, judgement.names, held)
        fates.append(_fate(packet, judgement, stream))
    return fates


def _blame(packet: Packet, names: Sequence[str], held: Counter[str]) -> None:
    deltas = packet.deltas[packet.vetted["delta"]]
    waits = deltas["begin"] + deltas["chars"] - packet.vetted["upto"]
    for wait, code in zip(waits.tolist(), packet.vetted["code"].tolist(), strict=True):
        if wait > 0:
            held[names[code] if code >= 0 else "(nameless)"] += wait


def _fate(packet: Packet, judgement: Judgement, stream: Stream) -> Fate:
    """Align what was released with the original.

    :raises RuntimeError: If it is anything but the original with marks in place of what was found.
    """
    text, fatal = stream.text, _masking(judgement)
    fate = Fate(np.full(len(text), -1), np.zeros(len(text), np.bool_))
    found = sorted((int(f["begin"]), int(f["stop"])) for f in packet.findings if f["code"] in fatal)
    at = 0
    for release in packet.releases:
        token = min(max(int(release["delta"]) - 1, 0), len(stream.tokens) - 1)
        for letter in packet.released[release["start"] : release["end"]].decode():
            stop = at + 1
            if letter == MARK:
                stop = _covered(found, at)
            elif letter != text[at]:
                msg = f"character {at} of a stream was released as another"
                raise RuntimeError(msg)
            fate.left[at:stop] = token
            fate.bare[at:stop] = letter != MARK
            at = stop
    if at < len(text) and not len(packet.verdicts[packet.verdicts["action"] == Action.BLOCK]):
        msg = f"a stream of {len(text)} characters ends with {at} released"
        raise RuntimeError(msg)
    return fate


def _covered(found: Sequence[Span], at: int) -> int:
    """Where the stretch ends that a mark at `at` stands for."""
    stop = at
    for begin, end in found:
        if begin <= at < end or at < begin < stop or (begin == stop > at):
            stop = max(stop, end)
    return stop


def theirs(
    steps_of: Callable[[Sequence[str]], Iterator[Step]],
    scan: Scan,
    streams: Sequence[Stream],
    known: dict[tuple[int, int, int], list[Span]],
) -> list[Fate]:
    """Another strategy, with its scanner: what matches is masked as far as it has not left. `known` keeps
    what was found in which window of which stream, for strategies that look at the same.
    """
    plans = [list(steps_of(stream.tokens)) for stream in streams]
    wanted = {(number, step.begin, step.stop) for number, plan in enumerate(plans) for step in plan}
    fresh = sorted(wanted - known.keys())
    found = scan([streams[number].text[begin:stop] for number, begin, stop in fresh])
    known.update(zip(fresh, found, strict=True))
    fates = []
    for number, (stream, plan) in enumerate(zip(streams, plans, strict=True)):
        size = len(stream.text)
        left, bare, covered, at = np.full(size, -1), np.zeros(size, np.bool_), np.zeros(size, np.bool_), 0
        for step in plan:
            for begin, stop in known[number, step.begin, step.stop]:
                covered[step.begin + begin : step.begin + stop] = True
            left[at : step.upto] = step.at
            bare[at : step.upto] = ~covered[at : step.upto]
            at = max(at, step.upto)
        fates.append(Fate(left, bare))
    return fates


def table(title: str, streams: Sequence[Stream], scan: Scan, judgement: Judgement) -> None:
    """All strategies on these streams."""
    truths = [_merged(spans) for spans in scan([stream.text for stream in streams])]
    entities, longest = sum(map(len, truths)), max(stop - begin for spans in truths for begin, stop in spans)
    chars, count = sum(len(s.text) for s in streams), sum(len(s.tokens) for s in streams)
    print(f"\n{title}")
    print(f"{len(streams)} streams, {chars:,} characters, {count:,} tokens of {chars / count:.2f} characters;"
          f" {entities} entities, the longest {longest:,} characters")  # fmt: skip
    print(f"{'strategy':<30}{'entities leaked':>17}{'characters':>12}{'mean delay':>12}{'p99':>6}{'max':>6}"
          f"{'TTFT':>8}")  # fmt: skip
    held: Counter[str] = Counter()
    known: dict[tuple[int, int, int], list[Span]] = {}
    for name, steps in PEERS.items():
        _line(name, streams, truths, theirs(steps, scan, streams, known))
    _line("midstream", streams, truths, ours(judgement, streams, held))
    total = sum(held.values()) or 1
    print("held back by: " + ", ".join(f"{name} {n / total:.1%}" for name, n in held.most_common(10)))


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Spans that touch, as one: a long secret is found in pieces, and is one entity."""
    out: list[Span] = []
    for begin, stop in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], stop))
        else:
            out.append((begin, stop))
    return out


def _line(
    name: str, streams: Sequence[Stream], truths: Sequence[Sequence[Span]], fates: Sequence[Fate]
) -> None:
    leaked, chars, first, delays, stopped = 0, 0, [], [], 0
    for stream, spans, fate in zip(streams, truths, fates, strict=True):
        secret_part = np.zeros(len(stream.text), np.bool_)
        for begin, stop in spans:
            secret_part[begin:stop] = True
            leaked += bool(fate.bare[begin:stop].any())
        chars += int((secret_part & fate.bare).sum())
        out = fate.left >= 0
        stopped += not out.all()
        delays.append((fate.left - stream.arrivals())[out & ~secret_part])
        first.append(int(fate.left[out].min(initial=len(stream.tokens))))
    waits, entities = np.concatenate(delays), sum(map(len, truths))
    print(f"{name:<30}{leaked:>8} {leaked / entities:>8.1%}{chars:>12,}{waits.mean():>12.2f}"
          f"{np.percentile(waits, 99):>6.0f}{waits.max():>6}{np.mean(first):>8.2f}"
          + (f"  {stopped} streams stopped" if stopped else ""))  # fmt: skip


def main() -> None:
    """Print the four tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--streams", type=int, default=125)
    parser.add_argument("--chars", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables", nargs="*", type=int, default=[1, 2, 3, 4])
    args = parser.parse_args()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, seed {args.seed}")
    seeded = random.Random(args.seed)
    plain = texts(args.streams, args.chars)
    short = [Stream(tokens(text, seeded)) for text in plain]
    long = [Stream(tokens(with_secrets(text, seeded), seeded)) for text in plain]
    if 1 in args.tables:
        table("short entities, five expressions", short, by_expressions(SHORT), marking(policy_of(SHORT)))
    if 2 in args.tables:
        table("long secrets, four expressions", long, by_expressions(LONG), marking(policy_of(LONG)))
    shipped = policies.load(policies.DEFAULT)
    rules = f"all rules of the shipped policy ({len(_masking(shipped))} of {len(shipped.entries)} cover text)"
    marked = marking(shipped)  # the scanner's too: where a rule blocks, the first end of a match would do
    if 3 in args.tables:
        table(f"short entities, {rules}", short, by_gate(marked), marked)
    if 4 in args.tables:
        table(f"long secrets, {rules}", long, by_gate(marked), marked)


if __name__ == "__main__":
    main()
