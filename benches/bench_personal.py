"""Personal data: what the pack finds beside presidio's pattern recognisers, and what it takes for personal.

``python -m benches.bench_personal [--every 2 --from 1]``

*found*: precision and recall by type on the spans of presidio-research (``pii/presidio-synth-1.jsonl``, every
second line, from the second; ``presidio-synth-small.jsonl`` whole, which nobody read while the rules were
written). A span is found when a match of a rule of its type overlaps it (*overlap*), or begins and ends where
it does (*exact*); *covered* is the share of its characters that any rule masks. Precision is the share of a
type's matches that overlap a span of the type. Beside it, in the same run and counted alike: all recognisers
of presidio-analyzer that are patterns (no language model), at their own threshold of 0.35, with their context
words. Types that no rule can tell (persons, organisations, places, dates other than of birth) are shown too.

*noise*: matches per 100 KB and rule in texts that hold little personal data. Our side goes through the real
stages: the pack in a policy, its gate, a lane a text.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import orjson

from flows import policies
from flows.judgement import Judgement
from operators.packet import Delta, Kind, pack

DATA = Path(os.environ.get("MIDSTREAM_DATA", Path(__file__).parents[2] / "shared" / "data"))
Match = tuple[str, int, int]
"""Type, begin and end in characters."""

_OURS = {
    "card": "CREDIT_CARD", "email": "EMAIL_ADDRESS", "email-spelt-out": "EMAIL_ADDRESS", "iban": "IBAN_CODE",
    "us-ssn": "US_SSN", "us-ssn-bare": "US_SSN", "ipv4": "IP_ADDRESS", "ipv6": "IP_ADDRESS",
    "us-driver-license": "US_DRIVER_LICENSE", "birth-date": "DATE_TIME", "personal-page": "DOMAIN_NAME",
    "social-profile": "DOMAIN_NAME",
}  # fmt: skip
_FAMILIES = {"phone": "PHONE_NUMBER", "address": "ADDRESS", "postcode": "ADDRESS"}
_THEIRS = {"URL": "DOMAIN_NAME", "UK_POSTCODE": "ADDRESS"}
_NOISE = (
    "outputs/alpacaeval-normal-1", "outputs/vicuna-blog-1", "outputs/gpt3-1",
    "injection/cyberseceval-frr-benign-1", "injection/bipia-email-1", "injection/notinject-1",
    "injection/jailbreakbench-refusals-1",
)  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--every", type=int, default=2)
    arguments.add_argument("--from", type=int, default=1, dest="first")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.toml"
        file.write_text('packs = ["personal"]', encoding="utf-8")
        judgement = policies.load(str(file))
    print(f"{len(judgement.entries)} rules; presidio-analyzer {version('presidio-analyzer')}")
    for name, every, first in (
        ("presidio-synth-1", chosen.every, chosen.first), ("presidio-synth-small", 1, 0),
    ):  # fmt: skip
        records = [orjson.loads(line) for line in (DATA / "pii" / f"{name}.jsonl").read_bytes().splitlines()]
        records = records[first::every]
        texts = [record["text"] for record in records]
        spans = [[(s["type"], s["start"], s["end"]) for s in record["spans"]] for record in records]
        print(f"\n{name}, {len(records)} texts")
        table(spans, ours(judgement, texts), presidio(texts))
    noise(judgement)


def ours(judgement: Judgement, texts: Sequence[str]) -> list[list[Match]]:
    """Matches of each text, by the type of their rule."""
    return [[(_type(name), begin, end) for name, begin, end in found] for found in matches(judgement, texts)]


def matches(judgement: Judgement, texts: Sequence[str]) -> list[list[Match]]:
    """Rule, begin and end of the matches in each text: a lane each."""
    found: list[list[Match]] = [[] for _ in texts]
    for start in range(0, len(texts), 64):
        some = texts[start : start + 64]
        said = [
            ("", Delta(int(kind), text if kind == Kind.TEXT else "", item=place))
            for place, text in enumerate(some)
            for kind in (Kind.TEXT, Kind.CLOSE)
        ]
        packet = pack(0, said, now=0)
        packet.deltas["row"] = packet.deltas["lane"]
        packet.deltas["begin"][1::2] = packet.deltas["chars"][::2]  # a lane closes at its end
        opened = packet.opened.copy()
        opened.resize(len(some), refcheck=False)
        opened["row"] = np.arange(len(some))
        for finding in judgement.gate().update(packet.having(opened=opened)).findings:
            name = judgement.names[finding["code"]]
            found[start + int(finding["row"])].append((name, int(finding["begin"]), int(finding["stop"])))
    return found


def _type(rule: str) -> str:
    return _OURS.get(rule) or _FAMILIES.get(rule.split("-", maxsplit=1)[0]) or rule


def presidio(texts: Sequence[str]) -> list[list[Match]]:
    """What presidio's pattern recognisers find, all regions, with context, without a language model. Imported
    here: the rest of the bench runs without it.
    """
    import spacy  # noqa: PLC0415
    from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry  # noqa: PLC0415
    from presidio_analyzer import predefined_recognizers as predefined  # noqa: PLC0415
    from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine  # noqa: PLC0415

    class Blank(NlpEngine):
        """Tokens and no more."""

        def __init__(self) -> None:
            self._spacy = spacy.blank("en")

        def load(self) -> None: ...

        def is_loaded(self) -> bool:
            return True

        def process_text(self, text: str, language: str) -> NlpArtifacts:
            said = self._spacy(text)
            words = [token.lower_ for token in said]
            return NlpArtifacts([], said, [token.idx for token in said], words, self, language)

        def process_batch(
            self, texts: Iterable[str], language: str, batch_size: int = 1, n_process: int = 1, **_: object
        ) -> Iterator[tuple[str, NlpArtifacts]]:
            return ((text, self.process_text(text, language)) for text in texts)

        def is_stopword(self, word: str, language: str) -> bool:
            return bool(self._spacy.vocab[word].is_stop)

        def is_punct(self, word: str, language: str) -> bool:
            return bool(self._spacy.vocab[word].is_punct)

        def get_supported_entities(self) -> list[str]:
            return []

        def get_supported_languages(self) -> list[str]:
            return ["en"]

    logging.getLogger("tldextract").setLevel(logging.CRITICAL)  # it asks the network, then its own copy
    kinds = [getattr(predefined, name) for name in dir(predefined) if name.endswith("Recognizer")]
    patterns = [kind for kind in kinds if issubclass(kind, PatternRecognizer)]
    recognisers = [kind(supported_language="en") for kind in [*patterns, predefined.PhoneRecognizer]]
    registry = RecognizerRegistry(recognizers=recognisers, supported_languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    print(f"presidio: {len(recognisers)} recognisers")
    return [
        [
            (_THEIRS.get(result.entity_type, result.entity_type), result.start, result.end)
            for result in engine.analyze(text, language="en", score_threshold=0.35)
        ]
        for text in texts
    ]


def table(spans: list[list[Match]], *sides: list[list[Match]]) -> None:
    """A row a type, for each side: precision, recall by overlap and to the character, characters covered."""
    head = f"{'precision':>10}{'overlap':>9}{'exact':>7}{'covered':>9}"
    print(f"{'type':<20}{'spans':>6}" + "".join(f"  | {side:<10}{head}" for side in ("ours", "presidio")))
    kinds = Counter(kind for of_text in spans for kind, _, _ in of_text)
    for kind, count in kinds.most_common():
        row = f"{kind:<20}{count:>6}"
        for side in sides:
            row += f"  |{'':<11}" + "".join(f"{part:>9}" for part in _scores(kind, spans, side))
        print(row)


def _scores(kind: str, spans: list[list[Match]], side: list[list[Match]]) -> list[str]:
    overlap = exact = covered = characters = count = right = told = 0
    for wanted, found in zip(spans, side, strict=True):
        masked = {place for _, begin, end in found for place in range(begin, end)}
        of_kind = [match for match in found if match[0] == kind]
        for span in (span for span in wanted if span[0] == kind):
            count += 1
            overlap += any(match[1] < span[2] and match[2] > span[1] for match in of_kind)
            exact += span in of_kind
            characters += span[2] - span[1]
            covered += sum(place in masked for place in range(span[1], span[2]))
        told += len(of_kind)
        right += sum(any(m[1] < s[2] and m[2] > s[1] for s in wanted if s[0] == kind) for m in of_kind)
    precision = f"{right / told:.3f}" if told else "-"
    return [precision, f"{overlap / count:.3f}", f"{exact / count:.3f}", f"{covered / characters:.3f}"]


def noise(judgement: Judgement) -> None:
    """Matches per 100 KB in texts that are not about anybody."""
    counts: Counter[str] = Counter()
    total = 0
    print(f"\n{'noise: texts of':<44}{'KB':>6}{'texts':>7}{'with a match':>14}")
    for name in _NOISE:
        texts = [orjson.loads(line)["text"] for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()]
        found = matches(judgement, texts)
        size = sum(map(len, texts))
        total += size
        counts.update(match[0] for of_text in found for match in of_text)
        print(f"{name:<44}{size / 1000:>6.0f}{len(texts):>7}{sum(map(bool, found)):>14}")
    for rule, count in counts.most_common():
        print(f"{rule:<30}{count / total * 1e5:>8.3f} per 100 KB")


if __name__ == "__main__":
    main()
