"""Verse, songs and speech that repeat on purpose, written for ``benches.benign``: the pieces of verse.txt."""

from __future__ import annotations

from pathlib import Path

__all__ = ["verse"]


def verse() -> dict[str, str]:
    """The texts by the names that stand above them."""
    whole = Path(__file__).with_name("verse.txt").read_text(encoding="utf-8")
    pieces = (piece.partition("\n\n") for piece in whole.removeprefix("## ").split("\n## "))
    return {name: text for name, _, text in pieces}
