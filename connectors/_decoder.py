"""What every decoder is made of: a framing cuts bytes into events, a dialect turns events into deltas.

Strategy. The two are orthogonal: the events of one API come as SSE, as bare JSON lines (a fixture), as
one JSON array, in binary frames or inside a recorder's cassette, and mean the same. So a framing knows
bytes and sizes and no API, a dialect knows one API and no bytes, and :class:`Decoder` joins them. No
I/O and no clock: bytes and ``now`` in, deltas out (sans I/O, as h11 does it). Because an event is
complete or not there, how the bytes were cut cannot change the deltas.

Laws, for every decoder and every input:

- For each stream: one START first, one END last. A second START may follow (one connection may carry
  several responses); nothing else comes after END but an ERROR.
- What cannot be understood is an ERROR with a reason, never an exception and never silence. Unknown
  event types and fields are not errors: APIs grow.
- A reason holds our words and the provider's short codes, never text of the stream: it is not gated.
- After a framing error the rest of the bytes cannot be trusted: the stream ends with finish *error*.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from operators.packet import Delta, Finish, Kind

__all__ = [
    "MAX_EVENT",
    "MAX_INDEX",
    "MISSHAPEN",
    "Decoder",
    "Dialect",
    "Event",
    "Framing",
    "Script",
    "error_code",
    "listed",
    "short",
]

MAX_EVENT = 1 << 20
"""Bytes of one event before its framing gives up (1 MiB): the largest in 371 recordings is 0.2 MiB."""

MAX_INDEX = 0xFFFF
"""The highest number of a choice or item: no API counts so far, and a lane costs state."""

Event = tuple[str, bytes]
"""Name of an event (``""`` where the framing has none) and its payload."""

_START, _TEXT, _NOTE = int(Kind.START), int(Kind.TEXT), int(Kind.NOTE)
_USAGE, _ERROR, _END = int(Kind.USAGE), int(Kind.ERROR), int(Kind.END)
_NAN = float("nan")
_HIGH = re.compile("[\ud800-\udbff]\\Z")
_LONE = re.compile("[\ud800-\udfff]")
_CODE = re.compile(r"[A-Za-z][A-Za-z_.-]{0,63}|-?[0-9]{1,5}")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:/@ +()-]")
MISSHAPEN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a value of an unexpected shape raises."""


class Framing(Protocol):
    """Bytes in, complete events out, in whatever pieces the bytes come. Never raises."""

    @property
    def failed(self) -> str:
        """Why nothing more can be read, "" while all is well. Events before the fault were returned; a
        failed framing returns no more (an exception would lose those that came in the same call).
        """
        ...

    def receive_data(self, data: bytes) -> list[Event]:
        """Events completed by `data`."""
        ...

    def receive_eof(self) -> list[Event]:
        """Events that the end of the bytes completes, one cut short included; sets ``failed`` if it
        cannot be given even so. A second call gives none.
        """
        ...


def short(value: object, most: int = 64) -> str:
    """A provider's name or id, fit for a NOTE: at most `most` harmless characters."""
    return _FOREIGN.sub("", str(value) if isinstance(value, str | int) else "")[:most]


def listed(value: object) -> str:
    """A provider's code or type, fit for a reason, which is not gated: a word of letters or a number of
    three digits. What is neither might be anything, a key or a card number too, and is not repeated.
    """
    said = str(value) if isinstance(value, str | int) else ""
    return said if _CODE.fullmatch(said) else "unlisted" if said else ""


def error_code(error: object) -> str:
    """The ``type`` and ``code`` of a provider's error object, fit for a reason; its words are left out."""
    facts = error if isinstance(error, dict) else {}
    said = dict.fromkeys(listed(facts[key]) for key in ("type", "code") if facts.get(key) is not None)
    return " ".join(said) or "no code given"


class Script:
    """The deltas a dialect says, in order, with the law of START and END kept for it.

    Dialects call the methods in the order things happen; :meth:`text` opens the stream if the
    provider never said that it starts. A UTF-16 surrogate pair that the provider cut between two
    JSON strings is joined here, per lane.
    """

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.now = 0
        self.open = False
        self.begun = False
        self._finishes: dict[int, int] = {}
        self._halves: dict[tuple[int, int, int], str] = {}
        self._deltas: list[Delta] = []

    def take(self) -> list[Delta]:
        """All deltas since the last call."""
        deltas, self._deltas = self._deltas, []
        return deltas

    def start(self, model: object = "") -> None:
        """The stream begins, unless it has begun."""
        if self.open:
            return
        self.open = self.begun = True
        name = model if isinstance(model, str) else ""
        head = _dumps({"provider": self.provider, "model": short(name, 100)})
        self._deltas.append(Delta(_START, head, at=self.now))

    def text(
        self,
        text: str,
        channel: int = 0,
        choice: int = 0,
        item: int = 0,
        logprob: float = _NAN,
    ) -> None:
        """A fragment of a lane. An empty one says nothing and is dropped."""
        if not text:
            return
        if not 0 <= choice | item <= MAX_INDEX:
            raise ValueError(choice, item)
        if not self.open:
            self.start()
        if not text.isascii() or self._halves:
            text = self._whole(text, (channel, choice, item))
            if not text:
                return
        self._deltas.append(Delta(_TEXT, text, channel, choice, item, logprob, 0, self.now))

    def note(self, fact: dict[str, Any], channel: int = 0, choice: int = 0, item: int = 0) -> None:
        """A fact about a lane: ``{"tool": {"name": ..., "id": ...}}``, ``{"citation": {...}}``."""
        if not 0 <= choice | item <= MAX_INDEX:
            raise ValueError(choice, item)
        self.start()
        self._deltas.append(Delta(_NOTE, _dumps(fact), channel, choice, item, at=self.now))

    def usage(self, **counts: object) -> None:
        """Token counts so far; what is no number is left out."""
        known = {name: int(n) for name, n in counts.items() if isinstance(n, int | float)}
        if known:
            self.start()
            self._deltas.append(Delta(_USAGE, _dumps(known), at=self.now))

    def error(self, reason: str) -> None:
        """Something is wrong; the stream goes on until :meth:`end`."""
        if not self.begun:
            self.start()
        self._deltas.append(Delta(_ERROR, reason, at=self.now))

    def fail(self, reason: str) -> None:
        """The provider gave up, or we must: an ERROR, and the stream's finish is *error*."""
        self.error(reason)
        if self.open:
            self._finishes = {-1: int(Finish.ERROR)}

    def finish(self, finish: int, choice: int = 0) -> None:
        """A choice is over. The stream is over only with :meth:`end`; the lowest choice names it."""
        if not 0 <= choice | 0 <= MAX_INDEX:
            raise ValueError(choice)
        self.start()
        if -1 not in self._finishes:
            self._finishes[choice] = int(finish)

    def end(self, finish: int = Finish.TRUNCATED) -> None:
        """The stream is over, with `finish` if no choice has said its own."""
        if not self.open:
            return
        for lane in self._halves:
            self._deltas.append(Delta(_TEXT, "\ufffd", *lane, at=self.now))
        if self._halves:
            self.error("half a UTF-16 surrogate pair at the end of a lane")
        self._halves.clear()
        how = self._finishes[min(self._finishes)] if self._finishes else int(finish)
        self._deltas.append(Delta(_END, finish=how, at=self.now))
        self._finishes = {}
        self.open = False

    def _whole(self, text: str, lane: tuple[int, int, int]) -> str:
        text = self._halves.pop(lane, "") + text
        if _HIGH.search(text):
            self._halves[lane] = text[-1]
            text = text[:-1]
        if _LONE.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text


class Dialect(ABC):
    """One API's events. A subclass says what it hears to ``self.out``.

    Written for the documented shape: a ``KeyError``, ``TypeError`` or the like that an unexpected one
    raises is caught by :class:`Decoder` and becomes an ERROR.
    """

    provider = ""
    """The provider that START names where the event does not."""
    text_only = False
    """Payloads are text and no JSON: :meth:`receive_text` gets them all."""

    def __init__(self) -> None:
        self.out = Script(self.provider)

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """Whether `event` can be of this API only; a cheap look, False where it does not tell.

        An event that is no JSON object is looked at as an empty one.
        """
        del name, event
        return False

    quick: Callable[[bytes], tuple[str, int] | None] | None = None
    """Tells the text and the choice of a payload, not parsed yet, that says nothing but a piece of text of
    an open stream; None for any other. A static function, for dialects where it is worth it.
    """

    @abstractmethod
    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event, parsed. `name` is the framing's (SSE ``event:``, frame ``:event-type``)."""

    def receive_text(self, name: str, payload: bytes) -> bool:
        """A payload that is not a JSON object. True if the dialect knows what it means.

        ``[DONE]`` ends a stream for every dialect that has it; nobody else sends it.
        """
        del name
        if payload == b"[DONE]":
            self.out.end(Finish.STOP)
            return True
        return False

    def receive_eof(self) -> None:
        """The bytes are over: whatever is still open was truncated or has said its finish."""
        self.out.end()


class Decoder:
    """A framing and a dialect, joined; what sources feed and tests check.

    2.1 us for a Chat Completions chunk of 285 bytes where a read holds 16 of them, 3.1 us where each read
    holds one (``benches.bench_inflight``), orjson alone takes 1.05 us.
    """

    def __init__(self, framing: Framing, dialect: Dialect) -> None:
        self._framing = framing
        self._dialect = dialect
        self._dead = False

    def receive_data(self, data: bytes, *, now: int) -> list[Delta]:
        """Deltas that `data` completes; `now` (ns) is their ``at``. Never raises on any bytes."""
        if self._dead:
            return []
        return self.receive_events(self._framing.receive_data(data), now=now)

    def receive_events(self, events: list[Event], *, now: int) -> list[Delta]:
        """Deltas of `events` that are framed already (the messages of a WebSocket)."""
        dialect = self._dialect
        out = dialect.out
        out.now = now
        if dialect.text_only:
            for name, payload in events:
                self._hear_text(name, payload)
        else:
            receive, loads = dialect.receive, orjson.loads
            quick = dialect.quick
            for name, payload in events:
                if quick and out.open and (heard := quick(payload)):
                    out.text(heard[0], 0, heard[1])
                    continue
                try:
                    event = loads(payload)
                except orjson.JSONDecodeError:
                    event = self._parse_again(name, payload)
                    if event is None:
                        continue
                if event.__class__ is not dict:
                    if not self._hear_text(name, payload):
                        out.error(f"event is a JSON {type(event).__name__}, expected an object")
                    continue
                try:
                    receive(name, event)
                except MISSHAPEN as error:
                    self._misshapen(error)
        if self._framing.failed:
            self._die()
        return out.take()

    def receive_eof(self, *, now: int) -> list[Delta]:
        """Deltas that the end of the bytes completes; every stream is over after it."""
        if self._dead:
            return []
        deltas = self.receive_events(self._framing.receive_eof(), now=now)
        if self._dead:
            return deltas
        self._dead = True
        out = self._dialect.out
        try:
            self._dialect.receive_eof()
        except MISSHAPEN as error:
            self._misshapen(error)
        if not out.begun:
            out.error("the bytes ended before a stream began")
        out.end()
        return deltas + out.take()

    def _parse_again(self, name: str, payload: bytes) -> Any:
        """What orjson refused: text the dialect knows, or JSON with half a surrogate pair in it
        (Script can join those). None if it was dealt with or is neither.
        """
        if self._hear_text(name, payload):
            return None
        try:
            return json.loads(payload)
        except (ValueError, RecursionError):
            self._dialect.out.error(f"event of {len(payload)} bytes is not valid JSON")
            return None

    def _hear_text(self, name: str, payload: bytes) -> bool:
        try:
            return self._dialect.receive_text(name, payload)
        except MISSHAPEN as error:
            self._misshapen(error)
            return True

    def _misshapen(self, error: Exception) -> None:
        self._dialect.out.error(f"event does not have the shape of this API ({type(error).__name__})")

    def _die(self) -> None:
        self._dead = True
        self._dialect.out.fail(self._framing.failed)
        self._dialect.out.end()


def _dumps(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no character
