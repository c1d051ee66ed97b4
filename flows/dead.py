"""``midstream dlq``: look at dead letters, and put what they hold back into the log.

Strategy. Letters are read one at a time, so that the topic may be of any length; both commands choose them in
the same way. What the letters hold is text that no gate has seen: it is only shown to who asks for it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.ends import client
from flows.settings import load

if TYPE_CHECKING:  # the core installs without Kafka's client
    from connectors._kafka_client import Cluster
    from connectors.kafka_dead import DeadLetters, Letter

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Dead letters in Kafka: show them, put them back.")

_NOT_ALL, _WRONG = 1, 2
_COLUMNS = ("when", "slot", "letter", "offsets", "stream", "cause", "size", "replayed")

Stream = Annotated[str | None, typer.Option(help="Only of this stream.", metavar="NAME")]
Slot = Annotated[int | None, typer.Option(min=0, help="Only of this slot.", metavar="K")]
Cause = Annotated[str | None, typer.Option(help="Only where the cause has this in it.", metavar="TEXT")]
Since = Annotated[str | None, typer.Option(help="Only from this time on (ISO 8601).", metavar="TIME")]


@app.command()
def show(
    stream: Stream = None,
    slot: Slot = None,
    cause: Cause = None,
    since: Since = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines, oldest of each slot first.")] = False,
    data: Annotated[
        bool, typer.Option("--data", help="With what they hold. It is text that NO GATE HAS SEEN.")
    ] = False,
) -> None:
    """List dead letters. An offset is one of the topic that a letter came from; -1 where there is none."""
    wanted = _wanted(stream, cause, since)
    with _letters(slot) as (_, slots, dead):
        found = filter(wanted, dead.letters(slots))
        if json:
            for letter in found:
                typer.echo(_as_json(letter, data=data))
        else:
            typer.echo(_as_table(found, data=data))
        if dead.strange:
            raise typer.Exit(_NOT_ALL)


@app.command()
def replay(
    stream: Stream = None,
    slot: Slot = None,
    cause: Cause = None,
    since: Since = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was put back before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be put back.")] = False,
) -> None:
    """Put what dead letters hold back into the topic of the deltas; exit status 1 if not all could be.

    The records come as they were, without 'run' and 'seq', under their key and in their slot, behind what the
    topic holds now. A letter that was put back is not put back again, unless --again asks for it.
    """
    wanted = _wanted(stream, cause, since)
    there = before = lost = 0
    with _letters(slot) as (cluster, slots, dead):
        from connectors.kafka_dead import LostError, PutBack  # noqa: PLC0415 - see _letters

        back = None if dry_run else PutBack(cluster)
        try:
            for letter in filter(wanted, dead.letters(slots)):
                if letter.replayed and not again:
                    before += 1
                    continue
                try:
                    records = dead.records(letter)
                except LostError as why:
                    typer.echo(f"letter {letter.slot}/{letter.place} cannot be put back: {why}", err=True)
                    lost += 1
                    continue
                there += 1
                if back:
                    back.put(letter, records)
            if back:
                back.commit()
        finally:  # whatever went wrong: what is said is what was acknowledged
            if back:
                back.close()
            done = f"{back.letters} letters put back" if back else f"{there} letters would be put back"
            typer.echo(f"{done}, {before} were before, {lost} cannot be")
        if lost or dead.strange:
            raise typer.Exit(_NOT_ALL)


@contextmanager
def _letters(slot: int | None) -> Iterator[tuple[Cluster, range, DeadLetters]]:
    """The dead letters of the cluster that is set, and the slots that are asked for."""
    try:
        settings = load()
        if slot is not None and slot >= settings.slots:
            _wrong(f"--slot {slot}: there are slots 0 to {settings.slots - 1}")
        slots = range(settings.slots) if slot is None else range(slot, slot + 1)
        cluster: Cluster = client().cluster(settings)
        # The core installs without Kafka's client.
        from connectors._kafka_client import KafkaFault  # noqa: PLC0415
        from connectors.kafka_dead import DeadLetters  # noqa: PLC0415
    except (ValueError, RecursionError) as error:
        _wrong(str(error))
    try:
        with closing(DeadLetters(cluster)) as dead:
            yield cluster, slots, dead
    except KafkaFault as error:
        _wrong(str(error))


def _wanted(stream: str | None, cause: str | None, since: str | None) -> Callable[[Letter], bool]:
    """Whether a letter is one of those that are asked for."""
    begin = _milliseconds(since) if since else 0

    def wanted(letter: Letter) -> bool:
        said = letter.said
        return letter.when >= begin and stream in {None, said.stream} and (cause or "") in said.cause

    return wanted


def _milliseconds(time: str) -> int:
    try:
        when = datetime.fromisoformat(time)
    except ValueError as error:
        _wrong(f"--since: {error}")
    return int(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1000)


def _when(letter: Letter) -> str:
    return datetime.fromtimestamp(letter.when / 1000, UTC).isoformat(timespec="milliseconds")


def _as_json(letter: Letter, *, data: bool) -> str:
    """One JSON object; bytes are base64."""
    said = letter.said
    about = {
        "when": _when(letter), "slot": letter.slot, "letter": letter.place, "topic": said.topic,
        "offset": said.offset, "last": said.last, "stream": said.stream, "cause": said.cause,
        "size": said.size, "replayed": letter.replayed,
    }  # fmt: skip
    return msgspec.json.encode(about | ({"data": said.data} if data else {})).decode()


def _as_table(letters: Iterator[Letter], *, data: bool) -> str:
    """A table, as wide as the terminal, and how many there are."""
    grid = Table(box=None, pad_edge=False)
    for name in (*_COLUMNS, *(["data"] if data else [])):
        grid.add_column(name, overflow="fold", no_wrap=name == "when")
    for letter in letters:
        said = letter.said
        offsets = str(said.offset) if said.last == said.offset else f"{said.offset}-{said.last}"
        row = (
            _when(letter), str(letter.slot), str(letter.place), offsets, said.stream, said.cause,
            str(said.size), "yes" if letter.replayed else "",
        )  # fmt: skip
        shown = (*row, *([said.data.decode(errors="backslashreplace")] if data else []))
        grid.add_row(*(Text(_plain(cell)) for cell in shown))
    out = io.StringIO()
    console = Console(file=out, width=max(Console().width, 120), highlight=False)
    console.print(grid)
    console.print(f"\n{grid.row_count} dead letters")
    return out.getvalue().rstrip("\n")


def _plain(text: str) -> str:
    """`text` with what a terminal would obey written out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _wrong(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_WRONG)
