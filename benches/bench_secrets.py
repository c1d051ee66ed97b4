"""How many secrets are found, how much of each is covered, and what harmless text is flagged, beside a peer.

``python -m benches.bench_secrets`` (beside detect-secrets where it is installed)

Texts and spans: the rule examples of Nosey Parker and secretlint in ``data/secrets``; where a record has
several spans of one credential (user, host, password), the last is the secret. A span is *overlapped* by a
match that shares a character with it and *covered* when matches hold all its characters; secretlint spans
whole addresses, of which ours covers the password. Ours is the gate of a policy that names the pack; the
peer scans each text as a file, with its default plugins and filters, and its secrets are looked up in their
lines. Examples that must not fire one rule may well fire another, so their count is no rate of errors: that
is what the harmless texts are for: answers of models, questions, mails, sentences with personal data, and
the standard library.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import platform
import sysconfig
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.packs.matches import Match, covered, harmless, judged, matches, records

Spans = list[tuple[int, int]]
Scan = Callable[[Sequence[str]], list[Spans]]


def ours(packs: Sequence[str], rules: Counter[str]) -> Scan:
    """The gate of the packs; `rules` counts the matches of each."""
    made = judged(Path(tempfile.mkdtemp()), *packs)

    def scan(texts: Sequence[str]) -> list[Spans]:
        found = matches(made, texts)
        rules.clear()
        rules.update(match.rule for each in found for match in each)
        return [[(match.begin, match.stop) for match in each] for each in found]

    return scan


def detect_secrets() -> Scan | None:
    """The peer, if it is installed."""
    try:
        scanning = importlib.import_module("detect_secrets.core.scan")
        settings = importlib.import_module("detect_secrets.settings")
    except ImportError:
        return None

    file = Path(tempfile.mkdtemp()) / "text.txt"

    def spans(text: str) -> Iterator[tuple[int, int]]:
        file.write_text(text, encoding="utf-8", newline="")
        lines = text.splitlines(keepends=True)
        for secret in scanning.scan_file(str(file)):
            value, line = secret.secret_value or "", secret.line_number - 1
            at = lines[line].find(value) if line < len(lines) else -1
            if value and at >= 0:
                begin = sum(map(len, lines[:line])) + at
                yield begin, begin + len(value)

    def scan(texts: Sequence[str]) -> list[Spans]:
        with settings.default_settings():
            return [list(spans(text)) for text in texts]

    return scan


def truth(path: Path) -> Iterator[tuple[str, Spans, str]]:
    """Text, spans of its secrets (none: it is clean) and family of each record."""
    for record in records(path):
        if record["label"] == "identifier":
            continue
        spans = record["spans"]
        assert isinstance(spans, list)
        chosen = spans[-1:] if path.name.startswith("nosey") else spans
        family = str(record.get("rule") or record["id"]).removeprefix("np.").removeprefix("secretlint-")
        yield str(record["text"]), [(span["start"], span["end"]) for span in chosen], family.split("-")[0]


def share(part: int, whole: int) -> str:
    return f"{part:5} {100 * part / max(1, whole):5.1f} %"


def found_of(path: Path, scans: dict[str, Scan]) -> None:
    """A row per scanner, and the families that the first one misses."""
    cases = list(truth(path))
    total = sum(len(spans) for _, spans, _ in cases)
    clean = sum(not spans for _, spans, _ in cases)
    print(f"\n{path.name}: {total} secrets, {clean} clean texts")
    print(f"{'':16}{'overlapped':>14}{'covered':>15}{'clean texts hit':>18}{'seconds':>10}")
    missed: dict[str, int] = defaultdict(int)
    for name, scan in scans.items():
        began = time.perf_counter()
        found = scan([text for text, _, _ in cases])
        taken = time.perf_counter() - began
        overlapped = whole = hit = 0
        for (_, spans, family), matched in zip(cases, found, strict=True):
            hit += bool(matched and not spans)
            for begin, stop in spans:
                characters = covered([Match("", *span) for span in matched], begin, stop)
                overlapped += characters > 0
                whole += characters == stop - begin
                if name == "midstream" and not characters:
                    missed[family] += 1
        print(f"{name:16}{share(overlapped, total):>14}{share(whole, total):>15}{hit:>18}{taken:>10.2f}")
    print(
        "missed by ours:",
        ", ".join(f"{family} {count}" for family, count in sorted(missed.items())) or "none",
    )


def noise_of(texts: dict[str, list[str]], scans: dict[str, Scan], rules: Counter[str]) -> None:
    """Matches per 100 kB of harmless text."""
    print(f"\n{'matches per 100 kB of harmless text':40}{'kB':>7}" + "".join(f"{name:>16}" for name in scans))
    for name, listed in texts.items():
        size = sum(len(text.encode()) for text in listed)
        cells = ""
        for scan in scans.values():
            cells += f"{1e5 * sum(map(len, scan(listed))) / size:>16.2f}"
        print(f"{name:40}{size / 1000:>7.0f}{cells}")
        next(iter(scans.values()))(listed)
        if rules:
            print("   ours:", ", ".join(f"{rule} {count}" for rule, count in rules.most_common()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--packs", nargs="+", default=["secrets"])
    chosen = parser.parse_args()
    rules: Counter[str] = Counter()
    scans: dict[str, Scan] = {"midstream": ours(chosen.packs, rules)}
    peer = detect_secrets()
    versions = f"Python {platform.python_version()}"
    if peer:
        scans["detect-secrets"] = peer
        versions += f", detect-secrets {importlib.metadata.version('detect-secrets')}"
    print(f"{platform.processor() or platform.machine()}, {versions}, packs {json.dumps(chosen.packs)}")
    for name in ("noseyparker-1.jsonl", "secretlint-1.jsonl"):
        found_of(chosen.data / "secrets" / name, scans)
    library = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    code = [file.read_text(encoding="utf-8", errors="replace") for file in library]
    noise_of({"answers, questions, mails": harmless(chosen.data), "standard library": code}, scans, rules)


if __name__ == "__main__":
    main()
