"""A gateway's door with one key, and a clock that is set by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors._access import Access, Caller, Refusal
from connectors._key_file import KeyFile
from connectors._keys import hashed, new_key
from connectors._origins import Origins

NAMES = ("openai", "anthropic", "groq")
HOST = [(b"host", b"127.0.0.1:8080")]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Door:
    """A gateway's door with one key, called ``ci``."""

    def __init__(self, folder: Path, said: str = "", **more: Any) -> None:
        self.key, self.clock, self.path = new_key("ci"), Clock(), folder / "keys.toml"
        self.write(said)
        self.file = KeyFile(str(self.path), NAMES)
        self.access = Access(self.file, Origins(), clock=self.clock, **more)

    def write(self, said: str) -> None:
        self.path.write_text(f'[keys.ci]\nhash = "{hashed(self.key)}"\n{said}', encoding="utf-8")

    def admit(self, key: str | None = None, dialect: str = "chat", upstream: str = "openai") -> Caller:
        headers = [(b"authorization", b"Bearer " + (self.key if key is None else key).encode())]
        return self.access.admit(headers, [], "10.1.2.3", dialect, upstream)

    def refused(self, *args: Any, **more: Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self.admit(*args, **more)
        assert self.key not in str(caught.value)
        return caught.value
