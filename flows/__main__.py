"""The ``midstream`` command: run a job, replay recordings, scan one text, ask a model, look at rules and
audit records, compare two sequences, study one series.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from bytewax._bytewax import cli_main
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig

from connectors._fault import Fault
from connectors._stop import STOP
from connectors._tally import Tally
from flows import analyze, audits, dead, ends, inflight, ingest, keys, listing, mocking, policies, states
from flows.asking import ask
from flows.comparing import compare
from flows.recovery import kept, refuse_several
from flows.settings import Settings, load, secret
from flows.study import study
from operators.slots import affinity_holds

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(audits.app, name="audit")
app.add_typer(dead.app, name="dlq")
app.add_typer(states.app, name="state")
app.add_typer(keys.app, name="keys")
app.command()(compare)
app.command()(study)

_UNSEEN, _FAILED, _WRONG, _BLOCKED = 1, 1, 2, 3
_JOBS = {
    "inflight": inflight.flow,
    "ingest": ingest.flow,
    "analyze": analyze.flow,
    "gateway": ends.gateway,
}

Policy = Annotated[str | None, typer.Option(help="Policy file, or 'default'.", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines, on a terminal too.")]


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="inflight, ingest or analyze.")] = "inflight",
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
    source: Annotated[
        str | None, typer.Option(help="simulate, replay, ndjson or kafka.", metavar="NAME")
    ] = None,
    sink: Annotated[str | None, typer.Option(help="stdout or kafka.", metavar="NAME")] = None,
    policy: Policy = None,
    json: Json = False,
) -> None:
    """Run a job. inflight: the simulator, or what the settings name, through the whole analysis; gateway:
    between clients and providers; ingest: streams into Kafka; analyze: from Kafka through the analysis into
    Kafka.
    """
    if job not in _JOBS:
        _wrong(f"no job {job!r}; there are {', '.join(_JOBS)}")
    settings = _settings(policy, json, input=_given(source=source), output=_given(sink=sink))
    if workers > 1 and not affinity_holds(workers):
        typer.echo(
            f"note: slots cross threads with {workers} workers; a power of two up to 64 is faster", err=True
        )
    _run(
        settings, Tally(), job, workers=workers, process=process, addresses=addresses,
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


app.command()(ask)
app.command("mock-llm")(mocking.mock_llm)


def _given(**flags: Any) -> dict[str, Any]:
    """The flags that were said: the others leave the environment and the file their say."""
    return {name: value for name, value in flags.items() if value is not None}


def _settings(policy: str | None, json: bool, **sections: dict[str, Any]) -> Settings:
    flags: dict[str, Any] = dict(sections)
    if policy is not None:
        flags["policy"] = policy
    if json:
        flags["output"] = flags.get("output", {}) | {"format": "json"}
    try:
        return load(flags)
    except (ValueError, RecursionError) as error:
        _wrong(str(error))


def _run(
    settings: Settings, tally: Tally, job: str = "inflight", *, workers: int = 1,
    process: int | None = None, addresses: str = "",
    recovery: Path | None = None, snapshot: float = 10.0, backup: float = 0.0,
) -> None:  # fmt: skip
    try:
        if process is not None or addresses:
            refuse_several(settings, job)
        with kept(recovery, settings, job, process or 0) as known:
            config = None
            if recovery:
                config = RecoveryConfig(recovery, timedelta(seconds=backup))  # type: ignore[no-untyped-call]
            flow = _JOBS[job](known, tally)
            _start(flow, workers, process, addresses, snapshot, config)
    except (ValueError, OSError, RecursionError, Fault) as error:
        _wrong(str(error))
    if ends.to_kafka(settings, job):
        typer.echo(msgspec.json.encode(tally.summary()))


def _start(
    flow: Dataflow, workers: int, process: int | None, addresses: str, snapshot: float,
    config: RecoveryConfig | None,
) -> None:  # fmt: skip
    try:
        cli_main(  # type: ignore[no-untyped-call]
            flow, workers_per_process=workers, process_id=process,
            addresses=addresses.split(";") if addresses else None,
            epoch_interval=timedelta(seconds=snapshot), recovery_config=config,
        )  # fmt: skip
    except Exception as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, Fault):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        typer.echo(str(cause), err=True)  # the log has the rest
        raise typer.Exit(_FAILED) from None


def _wrong(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_WRONG)


def main() -> None:
    """Entry point of the console script. What has failed ends at once: clients of a broker that is gone would
    be waited for, by the interpreter, for minutes.
    """
    try:
        app()
    except SystemExit as end:
        if end.code:
            with suppress(OSError, ValueError, AttributeError):  # closed, or nobody reads any more
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else _FAILED)
        raise


if __name__ == "__main__":
    main()
