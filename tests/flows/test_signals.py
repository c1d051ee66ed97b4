"""One signal stops in order, a second one at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connectors._stop import STOP
from flows import signals


@pytest.fixture(autouse=True)
def watchdogs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, Any, Any]]]:
    """Signals of this process as they were afterwards, and no timer that ends the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    started: list[tuple[float, Any, Any]] = []

    class Timer(threading.Timer):
        def start(self) -> None:
            started.append((self.interval, self.function, self.args))

    monkeypatch.setattr(threading, "Timer", Timer)
    STOP.clear()
    yield started
    STOP.clear()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_the_sources_to_end_and_starts_a_watchdog(
    watchdogs: list[tuple[float, Any, Any]], number: signal.Signals
) -> None:
    signals.handle()
    os.kill(os.getpid(), number)
    assert STOP.wait(1)
    assert watchdogs == [(signals.GRACE, os._exit, [75])]


def test_a_second_signal_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    signals.handle()
    os.kill(os.getpid(), signal.SIGINT)
    assert exits == []
    os.kill(os.getpid(), signal.SIGTERM)
    assert exits[0] == 75


def test_elsewhere_than_in_the_main_thread_nothing_is_installed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            signals.handle()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.process
def test_a_stop_that_takes_too_long_ends_with_the_status_that_asks_for_a_restart() -> None:
    program = (
        "import os, signal, time\nfrom flows import signals\nsignals.GRACE = 0.1\nsignals.handle()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(30)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=20)
    assert done.returncode == 75
