"""The ``midstream`` command: run a job, replay recordings, scan one text, look at rules and audit records,
compare two sequences, study one series.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from bytewax._bytewax import cli_main
from bytewax.recovery import RecoveryConfig, init_db_dir

from connectors._stop import STOP
from connectors._tally import Tally
from flows import audits, listing, policies
from flows.comparing import compare
from flows.inflight import flow
from flows.settings import Settings, load, secret
from flows.study import study
from operators.slots import affinity_holds

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(audits.app, name="audit")
app.command()(compare)
app.command()(study)

_UNSEEN, _WRONG, _BLOCKED = 1, 2, 3
_RECOVERY_PARTS = 4

Policy = Annotated[str | None, typer.Option(help="Policy file, or 'default'.", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines, on a terminal too.")]


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="The job; there is 'inflight'.")] = "inflight",
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, help="Workers of this process.")] = 1,
    process: Annotated[int | None, typer.Option("--process-id", "-i", help="Place in --addresses.")] = None,
    addresses: Annotated[str, typer.Option("--addresses", "-a", help="host:port;... of all processes.")] = "",
    recovery: Annotated[
        Path | None, typer.Option("--recovery", "-r", help="Where state is kept; made if absent.")
    ] = None,
    snapshot: Annotated[
        float, typer.Option("--snapshot", "-s", min=0.1, help="Seconds between snapshots.")
    ] = 10.0,
    backup: Annotated[
        float, typer.Option("--backup", "-b", min=0, help="Seconds an old snapshot is kept.")
    ] = 0.0,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Run a job: the simulator, or what the settings name, through the whole analysis."""
    if job != "inflight":
        _wrong(f"no job {job!r}; there is inflight")
    settings = _settings(policy, json)
    if workers > 1 and not affinity_holds(workers):
        typer.echo(
            f"note: slots cross threads with {workers} workers; a power of two up to 64 is faster", err=True
        )
    _run(
        settings, Tally(), workers=workers, process=process, addresses=addresses,
        recovery=recovery, snapshot=snapshot, backup=backup,
    )  # fmt: skip


@app.command()
def replay(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, patterns; '-' is standard input.")],
    api: Annotated[
        str | None, typer.Option(help="Wire format; 'text' is plain text.", metavar="NAME")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option(min=0, help="Re-cut each lane every N characters.", metavar="N")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(min=0, help="1: as recorded; 0: as fast as possible.", metavar="X")
    ] = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Play recorded streams through the same analysis."""
    if "-" in paths and len(paths) > 1:
        _wrong("'-' (standard input) cannot be mixed with files")
    settings = _settings(policy, json, replay=_given(paths=paths, api=api, chunk=chunk, speed=speed))
    _run(settings, Tally())


@app.command()
def scan(
    policy: Policy = None,
    json: Json = False,
    chunk: Annotated[
        int | None, typer.Option(min=0, help="Cut the text every N characters.", metavar="N")
    ] = None,
) -> None:
    """Analyse one text on standard input; exit status 3 if it was blocked, 1 if not all of it was seen."""
    tally = Tally()
    _run(_settings(policy, json, replay=_given(paths=["-"], api="text", chunk=chunk)), tally)
    if tally.finishes["blocked"]:
        raise typer.Exit(_BLOCKED)
    if STOP.is_set() or not tally.finishes["stop"]:
        raise typer.Exit(_UNSEEN)


@app.command()
def rules(policy: Policy = None, json: Json = False) -> None:
    """List the rules of a policy: what each does about a match, and what it costs."""
    settings = _settings(policy, json)
    try:
        listed = listing.listed(policies.load(settings.policy, secret(settings.mask_key)))
    except (ValueError, OSError) as error:
        _wrong(str(error))
    typer.echo(listing.as_json(listed) if json else listing.as_table(listed))


def _given(**flags: Any) -> dict[str, Any]:
    """The flags that were said: the others leave the environment and the file their say."""
    return {name: value for name, value in flags.items() if value is not None}


def _settings(policy: str | None, json: bool, **sections: dict[str, Any]) -> Settings:
    flags: dict[str, Any] = dict(sections)
    if policy is not None:
        flags["policy"] = policy
    if json:
        flags["output"] = {"format": "json"}
    try:
        return load(flags)
    except (ValueError, RecursionError) as error:
        _wrong(str(error))


def _run(
    settings: Settings, tally: Tally, *, workers: int = 1, process: int | None = None, addresses: str = "",
    recovery: Path | None = None, snapshot: float = 10.0, backup: float = 0.0,
) -> None:  # fmt: skip
    try:
        job = flow(settings, tally)
    except (ValueError, OSError, RecursionError) as error:
        _wrong(str(error))
    config = None
    if recovery is not None:
        if not any(recovery.glob("part-*.sqlite3")):
            recovery.mkdir(parents=True, exist_ok=True)
            init_db_dir(recovery, _RECOVERY_PARTS)  # type: ignore[no-untyped-call]
        _same_slots(recovery / "slots", settings.slots)
        config = RecoveryConfig(recovery, timedelta(seconds=backup))  # type: ignore[no-untyped-call]
    cli_main(  # type: ignore[no-untyped-call]
        job, workers_per_process=workers, process_id=process,
        addresses=addresses.split(";") if addresses else None,
        epoch_interval=timedelta(seconds=snapshot), recovery_config=config,
    )  # fmt: skip


def _same_slots(kept: Path, slots: int) -> None:
    """The number of slots is part of every key of the state: refuse another one than it began with."""
    if not kept.exists():
        kept.write_text(str(slots))
    elif kept.read_text() != str(slots):
        _wrong(f"slots is {slots}, but {kept.parent} was made with slots = {kept.read_text()}")


def _wrong(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_WRONG)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
