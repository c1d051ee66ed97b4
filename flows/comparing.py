"""``midstream compare``: how far apart two files are, how similar, and what goes with what."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from connectors.series import read
from operators.compare import ALGORITHMS, Comparison, Options
from operators.compare import compare as compared

__all__ = ["compare"]

_WRONG = 2
_SHOWN = 20
"""Pairs of an alignment on a terminal."""


def compare(
    a: Annotated[str, typer.Argument(help="CSV, TSV, NPY, NPZ, else text; '-' is standard input.")],
    b: Annotated[str, typer.Argument(help="What to compare it with.")],
    algorithm: Annotated[str, typer.Option(help=", ".join(ALGORITHMS), metavar="NAME")],
    column: Annotated[
        str | None,
        typer.Option(help="Column by name or number (from 1), or array of an NPZ.", metavar="NAME"),
    ] = None,
    column_b: Annotated[
        str | None, typer.Option(help="The same for B, where it is another; '' for none.", metavar="NAME")
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Compare the words of texts.")] = False,
    radius: Annotated[int | None, typer.Option(help="Values that a warping path may stray.")] = None,
    cost: Annotated[str, typer.Option(help="Of a warping path: squared or absolute.")] = "squared",
    gamma: Annotated[float, typer.Option(help="How soft the minimum of soft-dtw is.")] = 1.0,
    normalise: Annotated[bool, typer.Option("--normalise", help="To mean 0 and deviation 1.")] = False,
    alignment: Annotated[bool, typer.Option("--alignment", help="Show what goes with what.")] = False,
    longest: Annotated[int, typer.Option(help="Most values, characters or words.")] = 100_000,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, on a terminal too.")] = False,
) -> None:
    """Compare two series, or two texts character by character.

    The distance grows with the lengths, the similarity (0 to 1) does not.
    """
    try:
        if a == b == "-":
            msg = "'-' (standard input) can be read once"
            raise ValueError(msg)
        options = Options(radius, cost, gamma, normalise, alignment, longest)
        one: Any = read(a, column)
        other: Any = read(b, (column if column_b is None else column_b) or None)
        if words:
            one, other = _words(a, one), _words(b, other)
        answer = compared(one, other, algorithm, options)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_WRONG) from error
    as_said = _as_json if json or not sys.stdout.isatty() else _as_table
    typer.echo(as_said(a, b, answer))


def _words(path: str, text: Any) -> list[str]:
    if not isinstance(text, str):
        msg = f"{path}: it holds numbers; --words is for texts"
        raise ValueError(msg)
    return text.split()


def _as_json(a: str, b: str, answer: Comparison) -> str:
    pairs = answer.alignment
    told = {
        "a": a, "b": b, "algorithm": answer.algorithm, "distance": answer.distance,
        "similarity": answer.similarity, "lengths": answer.lengths,
        "alignment": None if pairs is None else pairs.tolist(),
    }  # fmt: skip
    return msgspec.json.encode(told).decode()


def _as_table(a: str, b: str, answer: Comparison) -> str:
    grid = Table.grid(padding=(0, 2))
    for name, length in zip((a, b), answer.lengths, strict=True):
        grid.add_row("length", f"{length:,}", name)
    grid.add_row("distance", f"{answer.distance:,.6g}", answer.algorithm)
    grid.add_row("similarity", f"{answer.similarity:.4f}")
    pairs = [] if answer.alignment is None else answer.alignment.tolist()
    for at, (i, j) in enumerate(pairs[:_SHOWN]):
        grid.add_row(
            "" if at else "alignment", " - ".join("none" if place < 0 else str(place) for place in (i, j))
        )
    if len(pairs) > _SHOWN:
        grid.add_row("", f"and {len(pairs) - _SHOWN:,} more", "with --json")
    out = io.StringIO()
    console = Console(file=out, width=max(Console().width, 100), highlight=False, markup=False)
    console.print(grid)
    return out.getvalue().rstrip("\n")
