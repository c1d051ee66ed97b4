"""What every ending has in common: it hears what has left towards a client, and says the last frames.

Strategy. An ending must always come, whatever went before it: so what is heard is written down as JSON at
once (:func:`kept`), and what cannot be written is forgotten then, not found out when the last frame is due.
Events of unexpected shape are passed over. What one stream makes an ending remember is bounded.

A subclass knows one API: what to remember of its events, and what its last events are. How these become
bytes is the business of :meth:`Ending._last`: a WebSocket has messages and no SSE.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeGuard, TypeVar

import orjson

from connectors._decoder import MAX_INDEX, MISSHAPEN, Event

__all__ = [
    "DONE",
    "Call",
    "Cut",
    "Ending",
    "SseEnding",
    "counts",
    "kept",
    "mended",
    "numbered",
    "sse",
    "written",
]

DONE: Event = ("", b"[DONE]")
"""What ends the SSE of OpenAI's first APIs. No JSON."""

_MOST = 500  # characters of a message or a reason of ours
_READ_ON = (*MISSHAPEN, orjson.JSONEncodeError)

Wire = TypeVar("Wire", bytes, list[bytes])


@dataclass(frozen=True)
class Call:
    """What an ending says of a stream of which the provider has said nothing yet."""

    name: str = "midstream"
    """Stands for the provider's id, behind the prefix that its API gives to ids."""
    model: str = "unknown"
    """The model that was asked for."""
    at: int = 0
    """Seconds since 1970 when it was asked."""


class Cut(Enum):
    """Why a stream ends before its model has finished. Each API has its own words for these."""

    BLOCKED = "blocked"
    TRUNCATED = "truncated"


def written(name: str, payload: dict[str, Any]) -> Event:
    """An event with its payload as JSON. What a provider said is in it only by way of the functions below."""
    return name, orjson.dumps(payload)


def sse(events: list[Event]) -> bytes:
    r"""Events as server-sent events, each with its blank line.

    >>> sse([("ping", b"{}"), DONE])
    b'event: ping\ndata: {}\n\ndata: [DONE]\n\n'
    """
    return b"".join(
        (b"event: %s\n" % name.encode() if name else b"") + b"data: " + payload + b"\n\n"
        for name, payload in events
    )


def numbered(value: object) -> int:
    """The number of a choice, candidate or block; one that was left out is 0.

    :raises ValueError: If it is no number that an API counts to.
    """
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_INDEX:
        raise ValueError(value)
    return value


def counts(value: object) -> TypeGuard[int]:
    """Whether a provider's count can be counted on from, and written: JSON readers have numbers to 2^53."""
    return type(value) is int and 0 <= value < 1 << 53


def kept(source: object, *names: str) -> dict[str, orjson.Fragment]:
    """The fields of a provider's object, each written as JSON; only `names`, if there are any.

    What is no object has no fields, and a field that cannot be written is left out.
    """
    fields: dict[str, orjson.Fragment] = {}
    if isinstance(source, dict):
        for name in names or source:
            if name in source:
                try:
                    orjson.dumps(name)
                    fields[name] = orjson.Fragment(orjson.dumps(source[name]))
                except _READ_ON:
                    continue
    return fields


def mended(text: object, most: int | None = _MOST) -> str:
    """Text that is sure to be UTF-8, of at most `most` characters: halves of a surrogate pair that stand
    together are joined, others become U+FFFD. What is no string is empty.
    """
    if not isinstance(text, str):
        return ""
    text = text if most is None else text[:most]
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Ending(ABC, Generic[Wire]):
    """The end of one stream, if it should be us who end it.

    It is told of everything that has left towards the client, in order, as it left. Then one of
    :meth:`blocked`, :meth:`truncated` and :meth:`failed` gives what is still to be sent. Nothing here raises.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._unread = b""

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether the client knows that nothing more comes."""

    def passed(self, name: str, event: dict[str, Any]) -> None:
        """An event has left. `name` is that of its SSE event, "" if it had none."""
        self._read_on()
        try:
            self._hear(name, event)
        except _READ_ON:
            return  # an event that its API does not send says nothing about how it ends

    def passed_text(self, payload: bytes, count: int) -> None:
        """`count` events have left that say nothing but pieces of text of one lane, or are no JSON; `payload`
        is that of the last. Read only when needed: this is for the many.
        """
        del count
        self._unread = payload

    def blocked(self, message: str = "") -> Wire:
        """The policy lets no more of it out.

        :arg message: What the policy says to the caller, 500 characters at most; never what it matched.
        """
        return self._last(lambda: self._cut(Cut.BLOCKED, mended(message)))

    def truncated(self) -> Wire:
        """It is cut off, as if its limit of tokens had been reached."""
        return self._last(lambda: self._cut(Cut.TRUNCATED, ""))

    def failed(self, reason: str) -> Wire:
        """Something is broken.

        :arg reason: What, in our words, 500 characters at most; the client sees it.
        """
        return self._last(lambda: self._failed(mended(reason)))

    def _read_on(self) -> None:
        if self._unread:
            payload, self._unread = self._unread, b""
            self._read(payload)

    def _read(self, payload: bytes) -> None:
        try:
            self._hear("", _loads(payload))
        except _READ_ON:
            return

    @abstractmethod
    def _last(self, say: Callable[[], list[Event]]) -> Wire:
        """What `say` gives, as it is sent; nothing if there is nothing to end."""

    @abstractmethod
    def _hear(self, name: str, event: dict[str, Any]) -> None:
        """Remember of an event what the last ones will need. May raise what a misshapen event raises."""

    @abstractmethod
    def _cut(self, how: Cut, message: str) -> list[Event]:
        """The last events of a stream that was cut."""

    @abstractmethod
    def _failed(self, reason: str) -> list[Event]:
        """The last events of a stream that has failed."""


class SseEnding(Ending[bytes]):
    """The end of an answer of server-sent events. Said once: after it the stream is over."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._over = False
        self._said = False

    @property
    def over(self) -> bool:
        """Whether the provider, or this, has said the end."""
        self._read_on()
        return self._over or self._said

    def passed_text(self, payload: bytes, count: int) -> None:
        """As everywhere; ``[DONE]`` ends the stream."""
        if payload == DONE[1]:
            self._said = True
        else:
            super().passed_text(payload, count)

    def _last(self, say: Callable[[], list[Event]]) -> bytes:
        events = [] if self.over else say()
        self._said = True
        return sse(events)


def _loads(payload: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError:
        said = json.loads(payload)  # half a surrogate pair, which orjson refuses
    if not isinstance(said, dict):
        raise TypeError(type(said))
    return said
