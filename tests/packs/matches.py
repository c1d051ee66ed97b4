"""Texts through the gate of a policy that names some packs: what is found, and where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from flows import policies
from flows.judgement import Judgement
from operators.directory import Directory
from tests.stages import lane_of, run, whole


class Match(NamedTuple):
    """One finding of a rule, in characters of the text."""

    rule: str
    begin: int
    stop: int


def judged(folder: Path, *packs: str, also: str = "") -> Judgement:
    """The policy that names `packs`; `also` is what else its file says."""
    path = folder / "policy.toml"
    path.write_text(f"packs = {json.dumps(packs)}\n{also}", encoding="utf-8")
    return policies.load(str(path))


def matches(made: Judgement, texts: Iterable[str], chunk: int = 0) -> list[list[Match]]:
    """What the rules find in each text, said in pieces of `chunk` characters (0: in one)."""
    listed = list(texts)
    said = [
        each
        for place, text in enumerate(listed)
        for each in whole(str(place), text, range(0, len(text), chunk) if chunk else ())
    ]
    found: list[list[Match]] = [[] for _ in listed]
    gate = made.gate()
    for packet in run(lambda: [Directory(), gate], said):
        for finding in packet.findings:
            match = Match(made.names[finding["code"]], int(finding["begin"]), int(finding["stop"]))
            found[int(lane_of(packet, finding["delta"]).stream)].append(match)
    return found


def names(made: Judgement, texts: Iterable[str]) -> list[set[str]]:
    """Names of the rules that find something in each text."""
    return [{match.rule for match in each} for each in matches(made, texts)]


def covered(found: Sequence[Match], begin: int, stop: int) -> int:
    """Characters of a span that lie in some match."""
    return len({at for match in found for at in range(max(begin, match.begin), min(stop, match.stop))})


def records(path: Path) -> Iterator[dict[str, object]]:
    """The lines of a file of JSON lines."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def harmless(data_dir: Path) -> list[str]:
    """Texts of every benign set: answers, questions with trigger words, security questions, mails,
    refusals, sentences with personal data.
    """
    files = (
        "outputs/alpacaeval-normal-1.jsonl", "outputs/gpt3-1.jsonl", "outputs/vicuna-blog-1.jsonl",
        "injection/notinject-1.jsonl", "injection/cyberseceval-frr-benign-1.jsonl",
        "injection/bipia-email-1.jsonl", "injection/jailbreakbench-refusals-1.jsonl",
        "pii/presidio-synth-1.jsonl",
    )  # fmt: skip
    return [str(record["text"]) for file in files for record in records(data_dir / file)]


def aimds(data_dir: Path, *categories: str, expected: str = "threat") -> dict[str, str]:
    """Cases of the AIMDS corpus by id: of these categories, or all."""
    text = (data_dir / "injection" / "aimds-injection-corpus.json").read_text(encoding="utf-8")
    return {
        case["id"]: case["text"]
        for case in json.loads(text)["cases"]
        if case["expected"] == expected and (not categories or case["category"] in categories)
    }
