"""What can be asked to go wrong at a mock provider, and how it is said.

``NAME`` or ``NAME:NUMBER``, in the header ``X-Mock-Fault``, behind the model's name (``echo!reset:5``), or
by a probability of each. The header goes before the model, both before chance.

============== ============================================================== =======================
name           what the client sees                                           the number
============== =============================================================== =======================
reset          RST in the middle of the body                                  chunks before it (3)
hang-up        FIN in the middle of the body                                  chunks before it (3)
stall          silence until it goes away                                     chunks before it (3)
truncate       the body ends in good order, without its last events           chunks before it (3)
200-error      the API's error event inside the stream, then its end          chunks before it (3)
garbage        a web page where events should be, not even UTF-8              chunks before it (0)
oversize       one event so large                                             KiB (2048)
half-character every character beyond ASCII comes in two writes               none
cut-character  the body ends inside the first character beyond ASCII          none
slow-headers   nothing at all, then all is well                               seconds (5)
429            too many requests                                              Retry-After (1)
401 ... 529    any other error status, with the API's error body              Retry-After, if above 0
============== =============================================================== =======================

Chunks are all but the last at most. A body that is not streamed is two halves.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["NO_FAULT", "STATUSES", "Fault", "chance", "parse"]

STATUSES = {
    "400": "The request was not understood.",
    "401": "Incorrect API key provided.",
    "403": "The key has no access to this model.",
    "404": "The model does not exist.",
    "408": "The request took too long.",
    "413": "The request is too large.",
    "422": "The request cannot be processed.",
    "429": "Rate limit reached, please try again later.",
    "500": "The server had an error while processing your request.",
    "502": "Bad gateway.",
    "503": "The engine is currently overloaded, please try again later.",
    "504": "The upstream did not answer in time.",
    "529": "Overloaded.",
}
"""Error statuses that can be asked for, and what their body says."""

_NUMBERS = {
    "reset": 3.0, "hang-up": 3.0, "stall": 3.0, "truncate": 3.0, "200-error": 3.0, "garbage": 0.0,
    "oversize": 2048.0, "half-character": 0.0, "cut-character": 0.0, "slow-headers": 5.0,
} | dict.fromkeys(STATUSES, 0.0) | {"429": 1.0}  # fmt: skip
_MOST = 65_536.0  # KiB, seconds or chunks


class Fault(NamedTuple):
    """One thing that goes wrong; ``""`` is none."""

    name: str = ""
    number: float = 0.0

    @property
    def status(self) -> int:
        """The error status it is, else 0."""
        return int(self.name) if self.name in STATUSES else 0


NO_FAULT = Fault()


def parse(text: str) -> Fault:
    """A fault as it is asked for.

    >>> parse("reset:5")
    Fault(name='reset', number=5.0)
    >>> parse("429").number
    1.0

    :raises ValueError: If it is not known, or its number is none from 0 to 65,536.
    """
    name, _, number = text.strip().partition(":")
    if not name:
        return NO_FAULT
    if name not in _NUMBERS:
        msg = f"no such fault; there are {', '.join(_NUMBERS)}"
        raise ValueError(msg)
    try:
        value = float(number) if number else _NUMBERS[name]
    except ValueError:
        value = -1.0
    if not 0 <= value <= _MOST:
        msg = f"the number of fault {name} must be 0 to {_MOST:.0f}"
        raise ValueError(msg)
    return Fault(name, value)


def chance(faults: Mapping[str, float], rng: random.Random) -> Fault:
    """One of `faults` by its probability, or none."""
    luck = rng.random() if faults else 1.0
    for name, share in faults.items():
        luck -= share
        if luck < 0:
            return parse(name)
    return NO_FAULT
