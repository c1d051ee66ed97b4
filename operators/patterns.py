"""Reference series to look for in a signal: what one must be, whether it comes from a policy or from an order
to a running job.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

from operators.kernels.windows import is_flat
from operators.packet import Shape, Signal

__all__ = ["LONGEST", "Pattern", "pattern_of"]

LONGEST = 4096
"""Values of a pattern."""
_LONGEST_LIVE = 512  # of one that comes with a packet
_SIGNALS = frozenset(map(int, Signal))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A reference series to look for in one signal.

    :raises ValueError: If it cannot be looked for; the message names it and says what it must have.
    """

    name: str
    signal: int
    """The series it is looked for in (``operators.packet.Signal``)."""
    values: tuple[float, ...]
    """In units of the signal; 2 to `LONGEST`."""
    within: float
    """Matches up to this distance: squared differences along the warping path, summed, divided by the
    number of `values`. In squared units of the signal; if `normalised`, in squared deviations."""
    code: int
    """The ``code`` of its findings: in a policy, the place of `name` in its names."""
    normalised: bool = False
    """Whether pattern and windows are brought to mean 0 and deviation 1 first. Windows are as long as the
    pattern; one that is constant but for rounding matches nothing."""
    radius: int = -1
    """How far a window may be warped, in samples (Sakoe-Chiba); -1: a tenth of its length, rounded up."""

    def __post_init__(self) -> None:
        wrong = ""
        if not 2 <= len(self.values) <= LONGEST or not all(map(math.isfinite, self.values)):
            wrong = f"2 to {LONGEST} values, all of them finite"
        elif not 0 <= self.signal <= 255:
            wrong = f"a signal of 0 to 255, not {self.signal}"
        elif not (math.isfinite(self.within) and self.within >= 0):
            wrong = f"a finite distance of 0 or more as within, not {self.within}"
        elif self.radius < -1:
            wrong = f"a radius of 0 or more, or -1, not {self.radius}"
        elif self.radius >= 0 and not self.normalised:
            wrong = "no radius unless it is normalised: as it stands it is found at any speed"
        elif self.normalised and is_flat(self.values):
            wrong = "values that vary: a constant has no form to look for"
        if wrong:
            msg = f"pattern {self.name!r} must have {wrong}"
            raise ValueError(msg)


def pattern_of(shape: Shape, code: int = 0) -> Pattern:
    """The pattern that a shape makes.

    :raises ValueError: If a running job cannot look for it: it is no pattern, or too dear.
    """
    try:
        signal, radius = operator.index(shape.signal), operator.index(shape.radius)
        values = tuple(map(float, shape.values))
        made = Pattern(shape.name, signal, values, float(shape.within), code, bool(shape.normalised), radius)
    except (TypeError, OverflowError) as error:
        msg = f"pattern {shape.name!r} must have numbers: {error}"
        raise ValueError(msg) from error
    wrong = ""
    if len(values) > _LONGEST_LIVE:
        wrong = f"{_LONGEST_LIVE} values at most, not {len(values)}"
    elif radius > max(len(values) // 4, 1):
        wrong = f"a radius of a quarter of its length at most, not {radius}"
    elif signal not in _SIGNALS:
        wrong = f"a signal that is known, not {signal}"
    if wrong:
        msg = f"pattern {shape.name!r} must have {wrong}"
        raise ValueError(msg)
    return made
