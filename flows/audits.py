"""``midstream audit``: follow the chains of audit records, and take records out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import orjson
import typer

from operators.audit import verify as follow

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Audit records: verify and export them.")

_BROKEN, _WRONG = 1, 2

Files = Annotated[list[Path], typer.Argument(help="Files of audit records, oldest first.")]


@app.command()
def verify(
    files: Files,
    key_file: Annotated[Path | None, typer.Option(help="File with the key they were made with.")] = None,
    head: Annotated[
        list[str] | None, typer.Option(help="A hash that was a head once; may be given several times.")
    ] = None,
) -> None:
    """Follow the chains; exit status 1 if one is broken.

    Prints the heads: kept elsewhere, they show later whether lines are missing at the end.
    """
    try:
        key = key_file.read_bytes().strip() if key_file else b""
        chains = follow(_lines(files), key, head or ())
    except OSError as error:
        _wrong(str(error))
    for what in chains.faults:
        typer.echo(f"fault: {what}")
    for what in chains.notes:
        typer.echo(f"note: {what}")
    for slot, told in sorted(chains.heads.items()):
        typer.echo(f"head of slot {slot}: {told}")
    typer.echo(f"{chains.lines} records hold, {len(chains.faults)} faults")
    if chains.faults:
        raise typer.Exit(_BROKEN)


@app.command()
def export(
    files: Files,
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action: redact, block, end ...")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this time on (ISO 8601).")] = None,
    form: Annotated[
        Literal["json", "csv"], typer.Option("--format", help="json: one object a line.")
    ] = "json",
) -> None:
    """Print records, each once, as JSON lines or CSV."""
    begin = _nanoseconds(since) if since else 0
    out, known, header = io.StringIO(), set[str](), True
    try:
        for place, line in _lines(files):
            record = _record(place, line)
            if record["hash"] in known or record["at"] < begin:
                continue
            if stream not in {None, record["stream"]} or action not in {None, record["action"]}:
                continue
            known.add(record["hash"])
            if form == "json":
                typer.echo(line, nl=False)
                continue
            writer = csv.DictWriter(out, list(record), lineterminator="\n")
            if header:
                writer.writeheader()
                header = False
            writer.writerow(record)
            typer.echo(out.getvalue(), nl=False)
            out.seek(0)
            out.truncate()
    except OSError as error:
        _wrong(str(error))


def _lines(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield f"{file}:{number}", line


def _record(place: str, line: bytes) -> dict[str, Any]:
    try:
        record: dict[str, Any] = orjson.loads(line)
        known = record["type"] == "audit"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        known = False
    if not known:
        _wrong(f"{place}: no audit record; `midstream audit verify` says more")
    return record


def _nanoseconds(time: str) -> int:
    try:
        when = datetime.fromisoformat(time)
    except ValueError as error:
        _wrong(f"--since: {error}")
    return int(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1e9)


def _wrong(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_WRONG)
