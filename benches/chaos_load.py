"""Streams for a topic of deltas at a steady rate, of kinds whose right outcome is known beforehand.

Strategy. A thread that writes as providers speak: a few streams open in every slot, one piece of one of them
at a time. What each stream said is kept, so that the check needs no second analysis to know that clean text
must come out as it went in and a secret must not come out at all. The log also has what a crashed writer
leaves there (records with a number that was there before) and records that are none.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from benches.workloads import words
from operators.slots import slot_of

__all__ = ["SECRETS", "Load", "Stream"]

SECRETS = ("jane.doe@example.com", "4111 1111 1111 1111", "078-05-1120", "ghp_" + "a1" * 18)
_KEY = "-----BEGIN RSA PRIVATE KEY-----"
_KINDS = ("clean", "clean", "secret", "secret", "key", "loop", "silent", "broken")
_QUIET = 11.0  # seconds: longer than the default policy takes for a stall
_OPEN = 4  # streams of a slot at a time, beside one that never ends


@dataclass
class Stream:
    """One that is being said, or was."""

    name: str
    slot: int
    kind: str
    """``clean secret key loop silent broken`` or ``long``, which goes on until the load ends."""
    born: float
    """``time.monotonic()`` of its start."""
    said: list[str] = field(default_factory=list)
    secret: str = ""
    quiet_until: float = 0.0


class Load:
    """Writes to partitions of `topic` from :meth:`start` to :meth:`finish`.

    :arg client: Options of a client of the cluster.

    :arg topic: Of deltas; partition = slot.

    :arg slots: How many.

    :arg rate: Records a second, all slots together.

    :arg seed: Of everything that is drawn.

    """

    def __init__(self, client: Mapping[str, Any], topic: str, slots: int, rate: float, seed: int) -> None:
        self._producer = Producer(
            {**client, "enable.idempotence": True, "acks": "all", "delivery.timeout.ms": 3_600_000}
        )
        self._topic, self._slots, self._rate = topic, slots, rate
        self._drawn = random.Random(seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._number = 0
        self._numbers = [0] * slots
        self._open: list[tuple[Stream, Iterator[str]]] = []
        self._fault = ""
        self.records = 0
        self.streams: dict[str, Stream] = {}

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def finish(self) -> None:
        """End all streams, and return when the broker has everything.

        :raises RuntimeError: If it did not take a record.
        """
        self._ending.set()
        self._thread.join()
        if left := self._producer.flush(120):
            self._fault = f"{left} deltas were not delivered"
        if self._fault:
            raise RuntimeError(self._fault)

    def _run(self) -> None:
        for slot in range(self._slots):
            self._begin(slot, "long")
        begun, said = time.monotonic(), 0
        while not self._ending.is_set():
            due = int((time.monotonic() - begun) * self._rate)
            for _ in range(due - said):
                self._step()
            said = due
            self._producer.poll(0)
            time.sleep(0.005)
        for stream, _ in self._open:
            self._tell(stream, {"type": "end"})

    def _step(self) -> None:
        slot = self._drawn.randrange(self._slots)
        here = [each for each in self._open if each[0].slot == slot]
        if len(here) <= _OPEN:
            here.append(self._begin(slot, self._drawn.choice(_KINDS)))
        stream, pieces = self._drawn.choice(here)
        if stream.quiet_until > time.monotonic():
            return
        piece = next(pieces, None)
        if piece is None:
            self._open.remove((stream, pieces))
            self._tell(stream, {"type": "end"})
        elif piece:
            stream.said.append(piece)
            self._tell(stream, {"type": "delta", "text": piece})
        elif stream.kind == "silent":
            stream.quiet_until = time.monotonic() + _QUIET
        else:
            self._write(stream, b"no record of ours")

    def _begin(self, slot: int, kind: str) -> tuple[Stream, Iterator[str]]:
        while slot_of(name := f"{kind}-{self._number:06d}", self._slots) != slot:
            self._number += 1
        self._number += 1
        stream = self.streams[name] = Stream(name, slot, kind, time.monotonic())
        self._tell(stream, {"type": "start", "provider": "chaos", "model": kind})
        self._open.append((stream, self._pieces(stream)))
        return self._open[-1]

    def _pieces(self, stream: Stream) -> Iterator[str]:
        """What a stream says, bit by bit; an empty piece is where something else happens to it."""
        drawn, kind = self._drawn, stream.kind
        seed = drawn.randrange(1 << 30)
        yield from words(seed, drawn.randint(5, 25))
        if kind == "loop":
            for _ in range(6):
                yield from words(seed, 12)
        elif kind in {"silent", "broken"}:
            yield ""
        elif kind in {"secret", "key"}:
            stream.secret = drawn.choice(SECRETS) if kind == "secret" else _KEY
            cut = drawn.randint(1, len(stream.secret) - 1)
            yield from (" ", stream.secret[:cut], stream.secret[cut:], " ")
        while kind == "long":
            yield from words(drawn.randrange(1 << 30), 50)
        yield from words(seed + 1, drawn.randint(5, 25))

    def _tell(self, stream: Stream, record: dict[str, Any]) -> None:
        number = self._numbers[stream.slot] = self._numbers[stream.slot] + 1
        record |= {"stream": stream.name, "slot": stream.slot, "run": "load", "seq": number}
        value = json.dumps(record).encode()
        self._write(stream, value)
        if self._drawn.random() < 0.01:  # a writer that crashed did not know that it was there
            self._write(stream, value)

    def _write(self, stream: Stream, value: bytes) -> None:
        self._producer.produce(self._topic, value, stream.name, stream.slot, on_delivery=self._heard)
        self.records += 1

    def _heard(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and not self._fault:
            self._fault = f"partition {message.partition()} did not take a delta: {error}"
