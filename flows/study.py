"""``midstream study``: what the dynamics of one series are, in numbers that say how sure they are."""

from __future__ import annotations

import io
import math
import sys
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from connectors.series import read
from operators.study import LONGEST, Number, Study
from operators.study import study as studied

__all__ = ["study"]

_WRONG = 2
_ROWS = (
    ("period", "period", "samples"),
    ("period_strength", "strength of the period", ""),
    ("delay", "delay", "samples"),
    ("window", "Theiler window", "samples"),
    ("false_neighbours", "dimension, false neighbours", ""),
    ("cao", "dimension, Cao", ""),
    ("rosenstein", "exponent, Rosenstein", "nats a sample"),
    ("kantz", "exponent, Kantz", "nats a sample"),
    ("correlation_dimension", "correlation dimension", ""),
    ("permutation_entropy", "permutation entropy", "of 1"),
    ("permutation_order", "its order", ""),
    ("sample_entropy", "sample entropy", "nats"),
    ("zero_one", "0-1 test", "1: chaos or noise"),
    ("nonlinearity", "nonlinearity", "deviations from linear noise"),
    ("recurrence_radius", "recurrence within", "deviations"),
    ("recurrence_rate", "recurrence rate", ""),
    ("determinism", "determinism", ""),
    ("laminarity", "laminarity", ""),
    ("mean_diagonal", "mean diagonal", "samples"),
    ("longest_diagonal", "longest diagonal", "samples"),
    ("diagonal_entropy", "entropy of diagonals", "nats"),
    ("trapping_time", "trapping time", "samples"),
)
"""Field, what it is called, and its unit."""
_LEAST_P = 1 / 40
"""Least chance that a rank among 39 surrogates can tell."""
_EXPONENTS = {"rosenstein", "kantz"}


def study(
    file: Annotated[
        str, typer.Argument(help="CSV, TSV, NPY, NPZ, else a number a line; '-' is standard input.")
    ],
    column: Annotated[
        str | None,
        typer.Option(help="Column by name or number (from 1), or array of an NPZ.", metavar="NAME"),
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Column with the time of each sample.", metavar="NAME")
    ] = None,
    longest: Annotated[
        int, typer.Option(min=1, help="Most samples; time grows with their square.")
    ] = LONGEST,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, on a terminal too.")] = False,
) -> None:
    """Regime, period, exponent, dimensions, entropies and recurrence of one series.

    What the series does not determine has no number, but says what is missing.
    """
    try:
        if file == "-" and at is not None:
            msg = "'-' (standard input) can be read once; --at needs a file"
            raise ValueError(msg)
        series = _series(file, column)
        answer = studied(series, None if at is None else _series(file, at), longest)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_WRONG) from error
    as_said = _as_json if json or not sys.stdout.isatty() else _as_table
    typer.echo(as_said(file, answer))


def _series(path: str, column: str | None) -> Any:
    """The column of a file; of a text its lines."""
    values = read(path, column)
    if not isinstance(values, str):
        return values
    name = "standard input" if path == "-" else path
    numbers = []
    for line, text in enumerate(values.splitlines(), 1):
        try:
            numbers.append(float(text.replace("_", "x")))  # Python's own digit groups are in no file
        except ValueError:
            msg = f"{name}: line {line}: {text[:40]!r} is no number; a number on each line, or a .csv file"
            raise ValueError(msg) from None
    if not numbers:
        msg = f"{name}: it holds no values; a number on each line"
        raise ValueError(msg)
    return numbers


def _as_json(file: str, answer: Study) -> str:
    told = {"file": file} | msgspec.to_builtins(answer)
    return msgspec.json.encode(told).decode()


def _as_table(file: str, answer: Study) -> str:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("samples", f"{answer.samples:,}", "", file)
    studied_only = answer.stop - answer.first
    if studied_only < answer.samples:
        place = f"{answer.first + 1:,} to {answer.stop:,}, the longest stretch without a break"
        grid.add_row("studied", f"{studied_only:,}", "", place)
    for remark in answer.remarks:
        grid.add_row("times", "", "", remark)
    sure = answer.confidence
    grid.add_row("regime", answer.regime, "", sure.missing or f"confidence {sure.value:.3g}")
    missing: dict[str, list[str]] = {}
    for field, name, unit in _ROWS:
        number: Number = getattr(answer, field)
        if number.missing:
            missing.setdefault(number.missing, []).append(name)
        else:
            grid.add_row(name, f"{number.value:,.4g}", *_qualified(number, unit, answer.step, field))
    for why, names in missing.items():
        grid.add_row("undetermined", "", "", f"{why}: {'; '.join(names)}")
    out = io.StringIO()
    console = Console(file=out, width=max(Console().width, 100), highlight=False, markup=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def _qualified(number: Number, unit: str, step: float, field: str) -> tuple[str, str]:
    """The interval of a number, and what else there is to say about it."""
    interval = f"{number.low:.4g} to {number.high:.4g} (nominal 95 %)" if math.isfinite(number.low) else ""
    notes = [unit] if unit else []
    if field in _EXPONENTS and step > 0:
        notes.append(f"{number.value / step:.4g} in a unit of time")
    if math.isfinite(number.r2):
        notes.append(f"r2 {number.r2:.3f}")
    if math.isfinite(number.p):
        sign = "<= " if field == "nonlinearity" and number.p <= _LEAST_P else ""
        notes.append(f"p {sign}{number.p:.2g}{' against AR(1) noise' if field == 'period' else ''}")
    return interval, ", ".join(notes)
