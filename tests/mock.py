"""A mock provider on a thread with a loop of its own, at a free port of this machine.

``with running() as mock``, or the fixture `mock` of ``tests.mock_fixtures``. A test talks to ``mock.url`` and
looks at ``mock.seen`` from its own thread; ``mock.provider.then("503", "")`` says what goes wrong with the
next requests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from connectors._mock_seen import Seen
from connectors.mock_llm import MockConfig, MockServer, Provider

__all__ = ["Mock", "running", "wait_until"]


@dataclass(frozen=True)
class Mock:
    """A provider that runs."""

    url: str
    """``http://127.0.0.1:PORT``, without a path."""
    port: int
    provider: Provider

    @property
    def seen(self) -> Seen:
        return self.provider.seen


@contextmanager
def running(config: MockConfig | None = None, *, port: int = 0) -> Iterator[Mock]:
    """A provider until the end of the block; answers under way are reset then."""
    server = MockServer(Provider(config or MockConfig()), port=port)
    thread = threading.Thread(target=server.run, name="mock-llm")
    thread.start()
    try:
        yield Mock(server.url, server.port, server.provider)
    finally:
        server.stop()
        thread.join(timeout=10)
        assert not thread.is_alive(), "the mock provider did not end"


def wait_until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for what another thread does."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to hold"
        time.sleep(0.002)
