"""What a writer of simulated wire bytes is: the other half of a decoder.

Strategy. A writer knows one API's events: how a response begins, how a part of it opens, one piece, how
the part closes, the tail with finish reason and usage, and a fault in the middle. It is written from the
documents and the recordings, not from the decoder. Same calls, same bytes. What an API has no word for it
says its own way, and ``lane`` and ``finishes`` tell what that comes to: a refusal is a channel of its own
at OpenAI only, a call of a tool ends a stream in different words.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import orjson

from connectors._simulate_text import Part
from operators.packet import Channel

__all__ = ["CREATED", "Lane", "Writer", "sse"]

CREATED = 1_767_603_600
"""When every simulated response was made: seconds, the same in every run."""

Lane = tuple[int, int, int]
"""Channel, choice, item."""

_TEXT, _REFUSAL = int(Channel.TEXT), int(Channel.REFUSAL)
_HEX = "0123456789abcdef"


class Writer(ABC):
    """One response of one API. `place` is the part's place in the response, from 0."""

    most = 1
    """Pieces that the provider puts into one event at most."""
    whole_calls = False
    """Arguments of a tool come in one piece."""
    probable = False
    """Sends log probabilities where they were asked for."""
    finishes: ClassVar[dict[int, int]] = {}
    """What an ending comes to that the API has no word for."""

    def __init__(self, rng: random.Random, prompt: int) -> None:
        self.prompt = prompt  # input tokens
        self._tag = "".join(rng.choices(_HEX, k=24))

    def lane(self, place: int, part: Part) -> Lane:
        """The lane in which `part` is heard."""
        return (_TEXT if part.channel == _REFUSAL else part.channel), 0, place

    def head(self) -> bytes:
        """How the response begins."""
        return b""

    def begin(self, place: int, part: Part) -> bytes:
        """How a part opens."""
        del place, part
        return b""

    @abstractmethod
    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        """The next fragment of a part."""

    def close(self, place: int, part: Part) -> bytes:
        """How a part ends."""
        del place, part
        return b""

    @abstractmethod
    def tail(self, finish: int, tokens: int) -> bytes:
        """How the response ends after `tokens` pieces."""

    @abstractmethod
    def fault(self) -> bytes:
        """The provider gives up in the middle."""


def sse(event: dict[str, Any], name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + orjson.dumps(event) + b"\n\n"
