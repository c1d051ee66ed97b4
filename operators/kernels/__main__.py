"""Compile kernels and leave them in numba's cache on disk: ``python -m operators.kernels [STAGE...]``.

For an image, so that no container compiles when it starts. The cache is keyed by the model of the
processor: it helps on machines like the one that built it.
"""

from __future__ import annotations

import sys
import time

from operators.attractor import Attractor, Regime
from operators.automaton import Rule, compiled
from operators.directory import Directory
from operators.drift import Change, Drift
from operators.dtw import Dtw, Pattern
from operators.dynamics import Dynamics
from operators.edit import Edit, Phrase
from operators.features import Features
from operators.gate import Gate
from operators.lcs import Lcs, Reference
from operators.loop import Loop, Watch
from operators.motif import Motif
from operators.packet import Signal
from operators.policy import Policy
from operators.release import Release
from operators.scorer import Scorer
from operators.words import Words


def main() -> None:
    """Warm one of each stage, or of those that are named, and say how long it took."""
    rule = Rule("word", "ab")
    codes = {regime: code for code, regime in enumerate(Regime)}
    for stage in (
        Directory(),
        Gate(compiled((rule,)), [rule], [0, 1]),
        Features(),
        Scorer(),
        Dtw(
            [Pattern("step", 0, (0.0, 1.0), 0.1, 0), Pattern("form", 0, (0.0, 1.0), 0.1, 0, normalised=True)]
        ),
        Dynamics(0, [signal for signal in Signal if signal >= Signal.LYAPUNOV]),
        Attractor(0, 128, 32, codes),
        Words(),
        Lcs([Reference("text", "one two three four", 0.8, 0)]),
        Motif(0),
        Edit([Phrase("phrase", "some words", 1, 0)]),
        Loop([Watch("loop", 0)]),
        Drift([Change(method, 0, 0, method) for method in ("cusum", "page_hinkley", "adwin", "bocpd")]),
        Policy([0]),
        Release([""], 8),
    ):
        name = type(stage).__name__.lower()
        if name in sys.argv[1:] or not sys.argv[1:]:
            began = time.perf_counter()
            stage.warm()
            print(f"{name:<10} {time.perf_counter() - began:6.2f} s")


if __name__ == "__main__":
    main()
