"""What a mock provider says, by the name of the model that is asked.

================= ========================================================================
model             says
================= ========================================================================
``echo``          the user's last words, cut as a tokenizer might
``echo:N``        the same, cut every N characters
``echo-tool[:N]`` the same as arguments of the first tool given: as they are if they are a
                  JSON object, else as its field ``text``; without tools the words
``sim:KIND``      a simulated speech of that kind (``connectors._simulate_text``)
``sim``           each kind in turn
any other         simulated prose
================= ========================================================================

Simulated speeches follow from the seed and the request's number; there are so many, then they come
again, so that each is made once however many are asked for.
"""

from __future__ import annotations

import random
from functools import lru_cache

import orjson

from connectors._mock_asked import Asked, Refused
from connectors._simulate_text import SPEAKERS, Part, Speech
from operators.packet import Channel, Finish

__all__ = ["MODELS", "speech_of"]

_TEXT, _TOOL = int(Channel.TEXT), int(Channel.TOOL)
_CALLED = int(Finish.TOOL)
_VARIETY = 64
"""Different speeches of a kind."""

_KINDS = tuple(kind for kind in SPEAKERS if kind not in {"stall", "burst", "truncated", "error"})
# Those that were left out differ in their times and ends only, which are faults here.

MODELS = ("echo", "echo-tool", "sim", *(f"sim:{kind}" for kind in _KINDS))
"""Names that mean something; all others say prose."""


def speech_of(model: str, asked: Asked, seed: int, number: int) -> tuple[Speech, int]:
    """What `model` says to request `number`, and the characters of a delta (0: as a tokenizer might).

    :raises Refused: If the name asks for what there is not, or an echo for nothing.
    """
    name, _, detail = model.partition(":")
    if name in {"echo", "echo-tool"}:
        cut = int(detail) if detail.isascii() and detail.isdigit() else 0
        if detail and not cut:
            raise Refused(404, f"{name}:N is cut every N characters; N must be a number above 0.")
        if not asked.prompt:
            raise Refused(400, f"{name} needs a text of the user's to say again; there is none.")
        if name == "echo-tool" and asked.tool:
            arguments = _arguments(asked.prompt)
            return Speech((Part(_TOOL, arguments, asked.tool),), finish=_CALLED), cut
        return Speech((Part(_TEXT, asked.prompt),)), cut
    if name == "sim" and detail and detail not in _KINDS:
        raise Refused(404, f"sim:KIND: there is no such kind; there are {', '.join(_KINDS)}.")
    kind = detail if name == "sim" and detail else "prose"
    if model == "sim":
        kind = _KINDS[number % len(_KINDS)]
    return _simulated(kind, seed, number % _VARIETY), 0


@lru_cache(maxsize=4096)
def _simulated(kind: str, seed: int, number: int) -> Speech:
    return SPEAKERS[kind](random.Random(f"{seed}/{number}/{kind}"))


def _arguments(text: str) -> str:
    try:
        if isinstance(orjson.loads(text), dict):
            return text
    except orjson.JSONDecodeError:
        pass
    return orjson.dumps({"text": text}).decode()
