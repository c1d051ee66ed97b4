"""Before the first token: every kernel is compiled, nothing lies in wait for the garbage collector, and who
waits is told why.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flows.judgement import Judgement
from operators.directory import Directory
from operators.features import Features
from operators.kernels._jit import was_compiled
from operators.kernels.directory import number

__all__ = ["compiling", "patience", "warm"]

_PATIENT = 120.0  # seconds
_HALF = ("gate", "attractor")
"""Stages whose kernels take half of the time that all of the shipped policy's take."""


@contextmanager
def patience() -> Iterator[None]:
    """Who waits for more than two seconds is told why."""
    said = "starting: kernels are compiled once on this machine, rules once for each policy ..."
    timer = threading.Timer(2.0, print, [said], {"file": sys.stderr})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def compiling() -> Iterator[subprocess.Popen[bytes] | None]:
    """Where nothing is compiled yet, a process that compiles half of the kernels into the cache, beside this
    one, which compiles the rules and the others. It ends with the block.
    """
    Directory().warm()
    beside = None
    if was_compiled(number):
        # With our own path and -P: -m alone would import what lies in the current folder.
        half = [sys.executable, "-P", "-m", "operators.kernels", *_HALF]
        path = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        silent = subprocess.DEVNULL
        with suppress(OSError):  # then this process compiles everything
            beside = subprocess.Popen(half, stdin=silent, stdout=silent, stderr=silent, env=path)
    try:
        yield beside
    finally:
        if beside:
            beside.kill()  # it has ended, unless something was wrong
            beside.wait()


def warm(
    judgement: Judgement, beside: subprocess.Popen[bytes] | None = None, *, shapes: bool = False
) -> None:
    """Compile every kernel now, so that no token waits for it; and let the garbage collector pass over
    what the compiler leaves behind, 130,000 objects, so that no token waits for that either.

    Those of `beside` come last, when it has ended. `shapes`: patterns of any kind may come while the job
    runs.
    """
    for made in (Directory(), Features(), judgement.policy(), judgement.release()):
        made.warm()
    later = [analysis for step, analysis in judgement.analyses if step in _HALF]
    for step, analysis in judgement.analyses:
        if step not in _HALF:
            analysis().warm()
    if shapes:
        judgement.dtw().warm_for_shapes()
    if beside:
        with suppress(subprocess.TimeoutExpired):
            beside.wait(_PATIENT)  # what it has not compiled by then is compiled here
    for analysis in (judgement.gate, *later):
        analysis().warm()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # packets make no cycles: 8 % more deltas a second than with 700
