"""The pack of personal data: loads, explains itself, finds what people wrote, leaves numbers alone."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from benches.bench_personal import matches, ours
from flows import policies
from flows.judgement import Judgement
from operators import alphabet
from operators.checks import CHECKS


@pytest.fixture(scope="module")
def judgement(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    """The pack alone; loading it checks every example and counter-example."""
    file = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text('packs = ["personal"]', encoding="utf-8")
    return policies.load(str(file))


def test_every_rule_says_what_it_finds_and_shows_what_it_does_not(judgement: Judgement) -> None:
    assert len(judgement.entries) > 100
    for rule in judgement.entries:
        assert rule.kind == "personal", rule.name
        assert rule.description.startswith("personal data: "), rule.name
        assert min(len(rule.examples), len(rule.counter_examples)) >= 2, rule.name
        assert not rule.check or rule.check in CHECKS, rule.name
        assert not rule.detect, f"{rule.name}: what may have left cannot be masked"


def test_announcing_words_are_written_as_the_gate_reads_them(judgement: Judgement) -> None:
    for rule in judgement.entries:
        re.compile(rule.near)
        assert alphabet.text(rule.near)[0] == rule.near, rule.name


def test_every_check_has_a_rule_but_the_one_for_rules_of_ones_own(judgement: Judgement) -> None:
    assert set(CHECKS) - {rule.check for rule in judgement.entries} == {"luhn"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to jane.doe@example.com now", "jane.doe@example.com"),
        ("pay with 4111 1111 1111 1111 today", "4111 1111 1111 1111"),
        ("IBAN gb29 nwbk 6016 1331 9268 19.", "gb29 nwbk 6016 1331 9268 19"),
        ("call ٠١ ٤٢ ٦٨ ٥٣ ٠٠ or not", "٠١ ٤٢ ٦٨ ٥٣ ٠٠"),
        ("my SSN is 078-05\u200b-1120, yes", "078-05\u200b-1120"),
        ("She was born on 2/7/1961 in Ulm", "2/7/1961"),
        ("account number: 000123456789 at the bank", "000123456789"),
        ("driver's license number is U62928788557186 ok", "U62928788557186"),
        ("wohnt in der Hauptstraße 12, 10115 Berlin", "Hauptstraße 12, 10115 Berlin"),
        ("来自 身份证号 11010519491231002X 的人", "11010519491231002X"),
    ],
)
def test_what_is_covered_is_the_data_and_not_the_words_around_it(
    judgement: Judgement, text: str, masked: str
) -> None:
    begin = text.index(masked)
    (found,) = matches(judgement, [text])
    assert (begin, begin + len(masked)) in {(start, stop) for _, start, stop in found}
    assert all(begin <= start < stop <= begin + len(masked) for _, start, stop in found)


def _number(seeded: random.Random) -> str:
    """A number as code, tables and logs hold them."""
    ways: list[Callable[[], str]] = [
        lambda: str(seeded.randrange(10 ** seeded.randrange(1, 12))),
        lambda: f"{seeded.randrange(1900, 2030)}-{seeded.randrange(1, 13):02}-{seeded.randrange(1, 29):02}",
        lambda: f"{seeded.randrange(1, 29):02}.{seeded.randrange(1, 13):02}.{seeded.randrange(1900, 2030)}",
        lambda: f"{seeded.randrange(24):02}:{seeded.randrange(60):02}:{seeded.randrange(60):02}",
        lambda: f"{seeded.random() * 1000:.5f}",
        lambda: f"v{seeded.randrange(9)}.{seeded.randrange(30)}.{seeded.randrange(99)}",
        lambda: str(uuid.UUID(int=seeded.getrandbits(128))),
        lambda: f"{seeded.getrandbits(160):040x}",
        lambda: f"${seeded.randrange(1, 999)},{seeded.randrange(999):03}.{seeded.randrange(99):02}",
        lambda: " ".join(str(seeded.randrange(1000)) for _ in range(seeded.randrange(2, 8))),
        lambda: f"({seeded.randrange(99)}, {seeded.randrange(99)})",
        lambda: f"{seeded.randrange(1_500_000_000_000, 1_800_000_000_000)}",
        lambda: f"0x{seeded.getrandbits(32):08x}",
    ]
    return seeded.choice(ways)()


def test_numbers_of_tables_logs_and_code_are_nobodys(judgement: Judgement) -> None:
    seeded = random.Random(11)
    words = ["value", "total", "order", "model", "step", "row", "price", "figure", "page", "version"]
    lines = [
        "".join(f"{seeded.choice(words)} {_number(seeded)}{seeded.choice(', ;')}" for _ in range(40))
        for _ in range(60)
    ]
    found = [match for of_line in matches(judgement, lines) for match in of_line]
    assert len(found) <= 2  # of 2,400 numbers: one in ten has a valid check digit


def test_spans_of_the_published_corpus_are_found(judgement: Judgement, data_dir: Path) -> None:
    lines = (data_dir / "pii" / "presidio-synth-small.jsonl").read_bytes().splitlines()
    records = [orjson.loads(line) for line in lines]
    found = ours(judgement, [record["text"] for record in records])
    for kind in ("CREDIT_CARD", "EMAIL_ADDRESS", "US_SSN", "IP_ADDRESS", "PHONE_NUMBER", "US_DRIVER_LICENSE"):
        spans = [
            (place, s["start"], s["end"])
            for place, record in enumerate(records)
            for s in record["spans"]
            if s["type"] == kind
        ]
        hit = [any(m[0] == kind and m[1] <= a and b <= m[2] for m in found[p]) for p, a, b in spans]
        assert spans, kind
        assert sum(hit) >= 0.9 * len(hit), kind
