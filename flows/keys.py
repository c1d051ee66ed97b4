"""``midstream keys``: make keys for a gateway's callers, and look at those there are.

Strategy. A key is shown once, when it is made, and never kept: the file has its hash. A file is only added
to, in one write, so what somebody wrote into it by hand stays as it is, and a gateway that reads it meanwhile
sees it before or after.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from connectors._keys import SCOPES, Key, hashed, id_of, new_key, parse
from flows.settings import load

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Keys of a gateway's callers: make, hash and list them.")

_WRONG = 2

File = Annotated[
    Path | None, typer.Option("--file", help="File of keys; the one that gateway.keys names if absent.")
]
Name = Annotated[str | None, typer.Argument(help="Its id: a-z, 0-9 and _; drawn if absent.", metavar="ID")]
Scopes = Annotated[
    list[str] | None, typer.Option("--scope", help=f"Of {', '.join(SCOPES)}; repeatable. All but metrics.")
]
Upstreams = Annotated[
    list[str] | None, typer.Option("--upstream", help="Only for this provider; repeatable.", metavar="NAME")
]
Count = Annotated[int | None, typer.Option(min=1, metavar="N")]


@app.command()
def new(
    name: Name = None,
    file: File = None,
    scope: Scopes = None,
    upstream: Upstreams = None,
    requests_per_minute: Count = None,
    tokens_per_minute: Count = None,
    tokens_per_day: Count = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Until it expires.")] = None,
) -> None:
    """Make a key: it is printed, its hash is added to the file, which is made if there is none. Gateways that
    run know it a second later.
    """
    path = _path(file)
    known = _known(path) if path.exists() else {}
    name = name or secrets.token_hex(4)
    if name in known:
        _wrong(f"there is a key {name!r} in {path} already")
    try:
        key = new_key(name)
    except ValueError as error:
        _wrong(str(error))
    expires = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0) if days else None
    said: dict[str, object] = {
        "hash": hashed(key), "scopes": scope, "upstreams": upstream,
        "requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute,
        "tokens_per_day": tokens_per_day, "expires": expires,
    }  # fmt: skip
    table = _table(name, said)
    try:
        parse(table)
        _add(path, table)
    except ValueError as error:
        _wrong(str(error))
    except OSError as error:
        _wrong(f"{path}: {error.strerror}")
    typer.echo(f"added to {path}; the key is shown this once:", err=True)
    typer.echo(key)


@app.command("hash")
def hash_() -> None:
    """Read a key on standard input and print its table for a file of keys."""
    asked = sys.stdin.isatty()
    key = str(typer.prompt("key", hide_input=True, err=True) if asked else sys.stdin.readline(1024)).strip()
    name = id_of(key)
    if not name:
        _wrong("that is no key: midstream keys new makes one")
    typer.echo(_table(name, {"hash": hashed(key)}), nl=False)


@app.command("list")
def list_(
    file: File = None, json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False
) -> None:
    """List the keys there are: for what, how much of it, until when."""
    path, now = _path(file), time.time()
    rows = []
    for name, key in sorted(_known(path).items()):
        known = {k: v for k, v in msgspec.to_builtins(key).items() if k not in {"hash", "disabled"}}
        rows.append({"id": name, "state": key.state(now)} | known)
    if json:
        for row in rows:
            typer.echo(msgspec.json.encode(row))
        return
    table = Table("id", "state", "scopes", "upstreams", "requests/min", "tokens/min", "tokens/day", "expires")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    Console(soft_wrap=True).print(table)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "-" if value is None else str(value)


def _path(file: Path | None) -> Path:
    try:
        path = file or load().gateway.keys
    except ValueError as error:
        _wrong(str(error))
    return Path(path) if path else _wrong("name a file: --file FILE, or gateway.keys in the settings")


def _known(path: Path) -> dict[str, Key]:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        _wrong(f"{path}: {error.strerror}")
    except ValueError as error:
        _wrong(f"{path}: {error}")


def _table(name: str, said: dict[str, object]) -> str:
    """A table as TOML; what is None is left out."""
    lines = [f"[keys.{name}]"]
    lines += [f"{field} = {_value(value)}" for field, value in said.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    # JSON's strings, lists of strings and numbers are TOML's.
    return value.isoformat() if isinstance(value, datetime) else msgspec.json.encode(value).decode()


def _add(path: Path, table: str) -> None:
    """Add to a file that only its owner may read.

    :raises OSError: If that cannot be.
    """
    there = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(there, (("\n" if os.fstat(there).st_size else "") + table).encode())
    finally:
        os.close(there)


def _wrong(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_WRONG)
