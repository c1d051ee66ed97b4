"""SIGTERM and Ctrl-C end the job in order: sources say end-of-file, Bytewax saves, the exit status is 0.

A second signal, or a stop that takes longer than the grace period, ends the process at once with status
75 (EX_TEMPFAIL: start me again, nothing is wrong with the input).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from connectors._stop import STOP

__all__ = ["GRACE", "handle", "starting"]

GRACE = 30.0
"""Seconds an orderly stop may take."""

_TEMPFAIL = 75


_asked = threading.Event()
"""SIGTERM came before the job ran."""


def starting() -> None:
    """Until :func:`handle`: SIGTERM leaves as an exception does, and what was begun is cleaned up."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    _asked.set()
    sys.exit(128 + number)


def handle() -> None:
    """Install the handlers, in the main thread; elsewhere there is nothing to install."""
    if _asked.is_set():  # the compiler calls back from C, where an exception is lost
        sys.exit(128 + signal.SIGTERM)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    if STOP.is_set():
        os._exit(_TEMPFAIL)
    STOP.set()
    watchdog = threading.Timer(GRACE, os._exit, [_TEMPFAIL])
    watchdog.daemon = True
    watchdog.start()
