"""The rules of a policy as a person or a program wants to see them: what each does and what it costs."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from flows.judgement import Judgement
from operators.automaton import compiled
from operators.packet import Action

__all__ = ["Listed", "Row", "as_json", "as_table", "listed"]


class Row(NamedTuple):
    """One rule."""

    name: str
    kind: str
    severity: str
    action: str
    mask: str
    hold: int
    """Characters of read text that it may hold back; 0 if it holds nothing."""
    reads: str
    check: str
    near: bool
    description: str


class Listed(NamedTuple):
    """All rules, and what they are together."""

    policy: str
    """The fingerprint."""
    rules: Sequence[Row]
    states: int
    table_bytes: int
    compiled_s: float
    """Seconds that compiling them takes, without the cache."""


def listed(judgement: Judgement) -> Listed:
    """What there is to say about a policy's rules. Compiles them once more, to time it."""
    compiled.cache_clear()
    began = time.perf_counter()
    automaton = compiled(judgement.rules)
    took = time.perf_counter() - began
    actions = [Action(action).name.lower() for action in judgement.actions]
    rows = [
        Row(
            entry.name, entry.kind or "", entry.severity, action,
            entry.mask if action.endswith("redact") else "",
            0 if rule.detect else int(longest), _reads(rule.folded, entry.pattern), entry.check,
            bool(entry.near), entry.description,
        )
        for entry, rule, action, longest in zip(
            judgement.entries, judgement.rules, actions, automaton.longest, strict=False
        )
    ]  # fmt: skip
    size = sum(table.nbytes for table in automaton)
    return Listed(judgement.fingerprint, rows, len(automaton.base), size, round(took, 3))


def _reads(folded: bool, pattern: str) -> str:
    if not folded:
        return "plain"
    return "letters, rot13, reversed" if pattern.isascii() else "letters"


def as_json(rules: Listed) -> str:
    """One JSON object."""
    rows = [row._asdict() for row in rules.rules]
    return msgspec.json.encode(rules._asdict() | {"rules": rows}).decode()


def as_table(rules: Listed) -> str:
    """A table, as wide as the terminal, and the totals."""
    grid = Table(box=None, pad_edge=False)
    for name in ("name", "kind", "severity", "action", "mask", "hold", "reads", "behind it"):
        grid.add_column(name, justify="right" if name == "hold" else "left", no_wrap=name == "name")
    for row in rules.rules:
        behind = ", ".join([*([row.check] if row.check else []), *(["near"] if row.near else [])])
        hold = str(row.hold) if row.hold else "none"
        grid.add_row(row.name, row.kind, row.severity, row.action, row.mask, hold, row.reads, behind)
    out = io.StringIO()
    console = Console(file=out, width=max(Console().width, 100), highlight=False)
    console.print(grid)
    holding = sum(row.hold > 0 for row in rules.rules)
    console.print(
        f"\n{len(rules.rules)} rules, {holding} of them hold text back; {rules.states:,} states, "
        f"{rules.table_bytes / 1e6:.1f} MB; compiled in {rules.compiled_s:.2f} s; policy {rules.policy}"
    )
    return out.getvalue().rstrip("\n")
