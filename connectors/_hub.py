"""Between connections on the pump's loop and the worker that judges what they carry.

Strategy. A connection says deltas under the name of its stream; the worker takes what was said since it last
looked, and tells what became of it. Both directions are a queue and nothing is waited for: the worker never
waits for a connection, and the loop is woken once for a packet, however many streams are in it. What may be
said and was not taken yet is bounded; who has said too much waits (:meth:`Hub.room`), and then reads nothing
more from its provider: TCP does the rest.

A stream is named by its connection and, from the second answer on, ``#`` and its number. A name lives in one
slot, as everywhere.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from connectors._relay import LaneKey, Said
from operators.packet import Action, Delta, Finish, Kind, Packet

__all__ = ["Covered", "Ended", "Failed", "Hub", "Judged", "Released", "Told"]

_ACTION = [action.name.lower() for action in Action]
_START, _ERROR, _END = int(Kind.START), int(Kind.ERROR), int(Kind.END)


class Released(NamedTuple):
    """The characters of a lane before `stop` may leave."""

    answer: int
    lane: LaneKey
    stop: int


class Covered(NamedTuple):
    """``begin:stop`` of a lane may leave as `shown`."""

    answer: int
    lane: LaneKey
    begin: int
    stop: int
    shown: str


class Judged(NamedTuple):
    """What the policy decided."""

    answer: int
    action: str
    rule: str
    reason: str


class Failed(NamedTuple):
    """Something is wrong with the stream."""

    answer: int
    reason: str


class Ended(NamedTuple):
    """The stream is over: nothing is told of it behind this."""

    answer: int
    finish: Finish


Told = Released | Covered | Judged | Failed | Ended


class Loop(Protocol):
    """What is asked of an event loop here."""

    def call_soon_threadsafe(self, callback: Callable[..., None], *args: Any) -> object:
        """Have the loop call back."""
        ...


class Hub:
    """The switch of one process.

    :arg names: What each code of the policy is called.

    :arg reasons: What each code means, for a person.

    :arg home: The slot that a name lives in.

    :arg slots: How many there are.

    :arg room: Deltas that may wait to be taken, of a slot.

    """

    def __init__(
        self,
        names: Sequence[str],
        reasons: Sequence[str],
        home: Callable[[str], int],
        slots: int,
        room: int = 16_384,
    ) -> None:
        self._names, self._reasons, self._home, self._room = names, reasons, home, room
        self._said: list[deque[tuple[str, Delta]]] = [deque() for _ in range(slots)]
        self._listeners: dict[str, Callable[[list[Told]], None]] = {}
        self._freed = asyncio.Event()
        self._loop: Loop | None = None

    # on the loop

    def begin(self, loop: Loop) -> None:
        """Connections live on `loop` from here on."""
        self._loop = loop

    def open(self, name: str, listener: Callable[[list[Told]], None]) -> None:
        """`listener` is told, on the loop, what becomes of the stream `name`."""
        self._listeners[name] = listener

    def close(self, name: str) -> None:
        """Nobody listens any more."""
        self._listeners.pop(name, None)

    def __len__(self) -> int:
        """Streams that are listened to."""
        return len(self._listeners)

    def say(self, name: str, said: Sequence[Said]) -> None:
        """Have deltas judged."""
        queue = self._said[self._home(name)]
        for answer, delta in said:
            queue.append((name if answer == 1 else f"{name}#{answer}", delta))

    async def room(self, name: str) -> None:
        """Wait until there is room for more of `name`."""
        queue = self._said[self._home(name)]
        while len(queue) >= self._room:
            self._freed.clear()
            if len(queue) >= self._room:  # the worker may have taken between the two lines
                await self._freed.wait()

    def _deliver(self, told: dict[str, list[Told]]) -> None:
        self._freed.set()
        for name, items in told.items():
            listener = self._listeners.get(name)
            if listener is not None:
                listener(items)

    # on a worker

    def take(self, slot: int, most: int) -> list[tuple[str, Delta]]:
        """Up to `most` deltas that were said for a slot, oldest first; returns at once."""
        queue = self._said[slot]
        return [queue.popleft() for _ in range(min(len(queue), most))]

    def waiting(self, slot: int) -> bool:
        """Whether there is anything to take."""
        return bool(self._said[slot])

    def tell(self, packet: Packet) -> None:
        """Tell the connections what became of a packet."""
        told: dict[str, list[Told]] = {}
        lanes = packet.lanes
        places = packet.deltas["lane"].tolist()

        def listed(name: str) -> tuple[list[Told], int]:
            name, _, number = name.partition("#")
            return told.setdefault(name, []), int(number or 1)

        for delta, _, start, end, begin, stop in packet.covered.tolist():
            stream, *key = lanes[places[delta]]
            items, answer = listed(stream)
            shown = packet.released[start:end].decode()
            items.append(Covered(answer, (key[0], key[1], key[2]), begin, stop, shown))
        for delta, _, _, _, _, _, stop in packet.releases.tolist():
            stream, *key = lanes[places[delta]]
            items, answer = listed(stream)
            items.append(Released(answer, (key[0], key[1], key[2]), stop))
        for verdict in packet.verdicts[packet.verdicts["seq"] >= 0]:
            items, answer = listed(lanes[places[verdict["delta"]]].stream)
            rule, reason = packet.meaning(int(verdict["code"]), self._names, self._reasons)
            items.append(Judged(answer, _ACTION[verdict["action"]], rule, reason))
        for outcome in packet.outcomes:
            delta = packet.deltas[outcome["delta"]]
            items, answer = listed(lanes[delta["lane"]].stream)
            if outcome["kind"] == _ERROR:
                reason = packet.failed or packet.text[delta["start"] : delta["end"]].decode()
                items.append(Failed(answer, reason))
            elif outcome["kind"] == _END:
                items.append(Ended(answer, Finish(int(outcome["finish"]))))
        if (told or not self._freed.is_set()) and self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._deliver, told)
