"""``midstream ask``: one question to a model, its answer through the gate, to the terminal.

The exit status is 0 for a whole answer, 3 for one that was blocked, 1 for one that is not whole, 2 for wrong
settings, 130 after Ctrl-C, and then the call to the provider is closed.
"""

from __future__ import annotations

import importlib
import signal
import sys
from datetime import timedelta
from types import FrameType, ModuleType
from typing import Annotated, NoReturn

import typer
from bytewax._bytewax import cli_main

from connectors._stop import STOP
from flows.settings import load

__all__ = ["ask"]

_NOT_WHOLE, _WRONG, _BLOCKED, _INTERRUPTED = 1, 2, 3, 130
_WHOLE = ("stop", "length", "tool", "refusal")
_PROMPT = 1 << 20  # characters
_RETRIES = 2


def ask(
    prompt: Annotated[str, typer.Argument(help="What to ask; '-' reads it from standard input.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="PROVIDER/MODEL, or a gpt-, claude- or gemini- model alone.")
    ],
    system: Annotated[str, typer.Option("--system", "-s", help="Instructions before the prompt.")] = "",
    policy: Annotated[str | None, typer.Option(help="Policy file, or 'default'.", metavar="FILE")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON lines in place of text.")] = False,
    usage: Annotated[bool, typer.Option("--usage", "-u", help="Tell the tokens that were counted.")] = False,
    price: Annotated[
        str,
        typer.Option(help="US dollars for a million tokens in and out: tells the cost.", metavar="IN,OUT"),
    ] = "",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of the answer.", metavar="N")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, metavar="X")] = None,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Ask for the answer in one piece.")] = False,
) -> None:
    """Ask a model: the answer is judged while it is spoken, and what may leave is printed as it comes."""
    try:
        live, endpoints = _extra("flows.live"), _extra("flows.endpoints")
        prices = _prices(price)
        settings = load({} if policy is None else {"policy": policy})
        vendor, name = endpoints.vendor_of(model, settings)
        upstream = endpoints.upstream(vendor, settings, retries=_RETRIES, environment=True)
        question = live.Question(name, _asked(prompt), system, max_tokens, temperature, stream=not no_stream)
        flow, answer = live.answering(settings, upstream, question, json=json)
    except (ValueError, OSError, RecursionError) as error:
        _wrong(str(error))
    interrupted = _noting_interrupts()
    cli_main(flow, workers_per_process=1, epoch_interval=timedelta(seconds=10))  # type: ignore[no-untyped-call]
    if usage or prices:
        typer.echo(_counted(answer.usage, prices), err=True)
    if answer.finishes["blocked"]:
        raise typer.Exit(_BLOCKED)
    if interrupted:
        raise typer.Exit(_INTERRUPTED)
    if STOP.is_set() or not any(answer.finishes[finish] for finish in _WHOLE):
        raise typer.Exit(_NOT_WHOLE)


def _extra(module: str) -> ModuleType:
    """A module that needs the HTTP client, without which the core installs.

    :raises ValueError: If that is not there.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in {"httpcore2", "httpx2"}:
            raise
        msg = "asking needs the HTTP client: install the extra 'gateway' ('.[gateway]' in place of '.')"
        raise ValueError(msg) from error


def _asked(prompt: str) -> str:
    said = sys.stdin.read(_PROMPT + 1) if prompt == "-" else prompt
    if len(said) > _PROMPT:
        msg = f"the prompt has more than {_PROMPT} characters"
        raise ValueError(msg)
    if not said.strip():
        msg = "the prompt is empty: there is nothing to ask"
        raise ValueError(msg)
    return said


def _prices(said: str) -> tuple[float, ...]:
    """What a million tokens cost, in and out; none if nothing was said."""
    try:
        prices = tuple(float(part) for part in said.split(",")) if said else ()
    except ValueError:
        prices = (-1.0,)
    if said and (len(prices) != 2 or not all(0 <= price < 1e6 for price in prices)):
        msg = f"--price {said!r}: two numbers, dollars for a million tokens in and out: --price 0.25,2"
        raise ValueError(msg)
    return prices


def _counted(usage: dict[str, int], prices: tuple[float, ...]) -> str:
    if not usage:
        return "tokens: the provider told none"
    said = "tokens: " + ", ".join(f"{count:,} {name}" for name, count in usage.items())
    if prices:
        cost = (usage.get("input", 0) * prices[0] + usage.get("output", 0) * prices[1]) / 1e6
        said += f"; cost: ${cost:.6f}"
    return said


def _noting_interrupts() -> list[int]:
    """Where Ctrl-C is taken down, on its way to who ends the job."""
    noted: list[int] = []
    following = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        if callable(following):
            following(number, frame)

    signal.signal(signal.SIGINT, note)
    return noted


def _wrong(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_WRONG)
