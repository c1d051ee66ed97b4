"""``midstream mock-llm``: a provider that costs nothing and fails on demand."""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

__all__ = ["mock_llm"]

_WRONG = 2
_SERVER = {"starlette", "uvicorn", "httptools", "websockets"}


def _server() -> tuple[ModuleType, ModuleType]:
    """``connectors.mock_llm`` and its times: the core installs without a server.

    :raises ValueError: If there is none.
    """
    try:
        mock = importlib.import_module("connectors.mock_llm")
        return mock, importlib.import_module("connectors._mock_pace")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _SERVER:
            raise
        msg = "this command needs a server: install the extra 'gateway' ('.[gateway]' in place of '.')"
        raise ValueError(msg) from error


def mock_llm(
    host: Annotated[str, typer.Option(help="Address to bind. It asks for no key: keep to loopback.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")] = 8090,
    ttft: Annotated[
        str,
        typer.Option(help="Seconds to the first token: MEAN, MEAN,STD or MEAN,exp.", metavar="MEAN,STD"),
    ] = "0",
    gap: Annotated[
        str, typer.Option(help="Seconds between deltas, likewise; 0: no pause.", metavar="MEAN,STD")
    ] = "0",
    coalesce: Annotated[int, typer.Option(min=1, help="Deltas in one write.", metavar="N")] = 1,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder, asked for as replay:FILE; or a file for every model.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="What goes wrong how often; repeatable.", metavar="NAME=P")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is said and of all chance.")] = 1,
) -> None:
    """Serve the providers' APIs from the simulator, recordings, or the caller's own words.

    A model's name says what comes: echo, echo:N, echo-tool, sim:KIND, replay:FILE; with !FAULT behind it,
    what goes wrong: reset, hang-up, stall, truncate, garbage, 429, 500 and others.
    """
    try:
        mock, pace = _server()
        config = mock.MockConfig(
            pace=pace.Pace(_waits(pace, "--ttft", ttft), _waits(pace, "--gap", gap), coalesce),
            recordings=recordings,
            faults=dict(_probable(each) for each in fault or ()),
            seed=seed,
        )
        server = mock.MockServer(mock.Provider(config), host, port)
    except (ValueError, OSError) as error:
        typer.echo(f"mock-llm: {error}", err=True)
        raise typer.Exit(_WRONG) from error
    for said in (
        f"OPENAI_BASE_URL={server.url}/v1",
        f"ANTHROPIC_BASE_URL={server.url}",
        f"GOOGLE_GEMINI_BASE_URL={server.url}",
        f"AZURE_OPENAI_ENDPOINT={server.url}",
        f"OLLAMA_HOST={server.url}",
    ):
        typer.echo(said)
    with suppress(KeyboardInterrupt):  # the way to end it
        server.run()


def _waits(pace: ModuleType, option: str, text: str) -> object:
    try:
        return pace.Waits.parse(text)
    except ValueError as error:
        msg = f"{option}: {error}"
        raise ValueError(msg) from error


def _probable(text: str) -> tuple[str, float]:
    name, _, share = text.rpartition("=")
    try:
        return name, float(share)
    except ValueError:
        msg = f"--fault: {text!r} must be NAME=PROBABILITY, as in reset=0.01"
        raise ValueError(msg) from None
