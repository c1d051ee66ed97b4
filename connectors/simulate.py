"""Streams that nobody asked for: a seeded cast of models, speaking real wire formats in real time.

Speaks     ten APIs, byte for byte what their decoders read (``connectors._simulate_wire``)
Direction  source
Emits      :class:`~operators.packet.Packet`
Delivery   exactly once into the state, at least once out of the flow
Parallel   one partition per slot
Needs      nothing: no network, no server, no key

A stream is a :class:`Performance`: some kind of speech (``connectors._simulate_text``) in some API's
events, with the times of a network. It follows from the seed and its number alone, so any part of a
simulation can be played again, and it knows the truth: the text of every lane, how it ends, and what was
planted in it for a detector to find. Time to first token is a truncated normal, gaps between tokens are
log-normal; events come late and together or cut in two, at times inside a character.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors import decoders
from connectors._simulate_text import SPEAKERS, Part, Planted, Speech, pieces
from connectors._simulate_wire import WRITERS
from connectors._simulate_writer import Lane, Writer
from connectors._tape import Tape, TapeSource
from operators.packet import Channel, Delta, Finish

__all__ = ["Performance", "SimulateConfig", "SimulateSource", "script"]

_TOOL = int(Channel.TOOL)
_STALL = 12.0  # seconds of silence
_BURST = 10.0  # times faster
_TOGETHER = 0.15  # share of events that wait for the next one ...
_PATIENCE = 0.2  # ... if it comes within so many seconds
_TORN = 0.08  # share of reads that end inside an event

_Weights = dict[str, Annotated[int, Field(ge=0)]]


class SimulateConfig(BaseModel):
    """Who plays, how many, how fast. Two runs with equal configs give equal bytes at equal times."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 1
    streams: Annotated[int, Field(ge=1)] = 40
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 4.0
    """Streams that begin in a second."""
    ttft_mean: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.4
    """Seconds from a stream's beginning to its first event, at the middle of a normal ..."""
    ttft_sd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.15
    """... of this width, cut off at 0."""
    gap_median: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.02
    """Seconds between two tokens, at the middle of a log-normal ..."""
    gap_sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    """... with this width of the logarithm."""
    logprobs: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the streams with log probabilities, of those whose API can send them."""
    kinds: _Weights = Field(
        default_factory=lambda: (
            dict.fromkeys(SPEAKERS, 1)
            | {"prose": 7, "code": 3, "list": 2, "table": 2, "stall": 2, "personal_data": 3}
            | {"secret": 2, "injection": 2, "tool_call": 3, "reasoning": 3}
        )
    )
    """How many of each kind there are in a round; the order within a round is drawn."""
    apis: _Weights = Field(
        default_factory=lambda: (
            dict.fromkeys(WRITERS, 1)
            | {"openai-chat": 4, "openai-responses": 3, "anthropic-messages": 4, "gemini-generate": 2}
        )
    )
    """Weight of each API; every stream draws its own."""

    @field_validator("kinds", "apis")
    @classmethod
    def _known(cls, weights: dict[str, int], info: object) -> dict[str, int]:
        known = SPEAKERS if getattr(info, "field_name", "") == "kinds" else WRITERS
        strange = sorted(set(weights) - set(known))
        if strange:
            msg = f"{', '.join(strange)} must be among {', '.join(known)}"
            raise ValueError(msg)
        if not any(weights.values()):
            msg = "one weight at least must be above 0"
            raise ValueError(msg)
        return weights


@dataclass(frozen=True)
class _Event:
    """What the provider sends at once: pieces of one part, or a frame around them."""

    at: float
    data: bytes
    place: int = -1
    text: str = ""
    whole: bool = True


@dataclass(frozen=True)
class Performance:
    """One stream to be played. Nothing of it is made before it is asked for."""

    stream: str
    """Its id: ``sim-000-prose``."""
    api: str
    """Name of a decoder."""
    kind: str
    begins: float
    """Seconds after the beginning of the simulation when the request is sent."""
    config: SimulateConfig
    number: int

    def chunks(self) -> Iterator[tuple[float, bytes]]:
        """What the network brings: seconds after the beginning of the simulation, never falling, and wire
        bytes, cut at no boundary in particular. 8 us a delta.
        """
        rng = self._generator("network")
        held, came = b"", 0.0
        for event in self._events():
            if held and event.at - came > _PATIENCE:
                yield came, held
                held = b""
            held, came = held + event.data, event.at
            luck = rng.random()
            if luck < _TOGETHER:
                continue
            torn = rng.randrange(1, len(event.data)) if luck > 1 - _TORN else 0
            yield came, held[: len(held) - torn]
            held = held[len(held) - torn :]
        if held:
            yield came, held

    @property
    def truth(self) -> tuple[Planted, ...]:
        """What there is to be found. Channels are those of the lanes it is heard in."""
        writer, speech = self._writer(), self._speech
        heard = {part.channel: writer.lane(place, part)[0] for place, part in enumerate(speech.parts)}
        return tuple(each._replace(channel=heard[each.channel]) for each in speech.planted)

    @property
    def lanes(self) -> dict[Lane, str]:
        """The text of each lane (channel, choice, item), as far as it is sent."""
        writer, parts = self._writer(), self._speech.parts
        said: dict[Lane, str] = {}
        for event in self._events():
            if event.text and event.whole:
                lane = writer.lane(event.place, parts[event.place])
                said[lane] = said.get(lane, "") + event.text
        return said

    @property
    def finish(self) -> Finish:
        """How the stream ends."""
        if self.kind == "truncated":
            return Finish.TRUNCATED
        if self.kind == "error":
            return Finish.ERROR
        planned = self._speech.finish
        return Finish(self._writer().finishes.get(planned, planned))

    @cached_property
    def _speech(self) -> Speech:
        return SPEAKERS[self.kind](self._generator("speech"))

    def _generator(self, purpose: str) -> random.Random:
        return random.Random(f"{self.config.seed}/{self.number}/{purpose}")

    def _writer(self) -> Writer:
        rng = self._generator("ids")
        return WRITERS[self.api](rng, prompt=rng.randint(12, 900))

    def _events(self) -> Iterator[_Event]:
        rng, writer = self._generator("times"), self._writer()
        config, parts = self.config, self._speech.parts
        with_logprobs = writer.probable and rng.random() < config.logprobs
        plan = _plan(rng, writer, parts)
        half = len(plan) // 2
        at = self.begins + _waits(rng, config)
        pace = math.log(config.gap_median)
        if head := writer.head():
            yield _Event(at, head)
        told, opened = 0, -1
        for number, (place, tokens) in enumerate(plan):
            part, text = parts[place], "".join(tokens)
            for _ in tokens:
                quick = _BURST if self.kind == "burst" and number > half else 1.0
                at += rng.lognormvariate(pace, config.gap_sigma) / quick
            if number == half and self.kind == "stall":
                at += _STALL
            if number == half and self.kind == "error":
                yield _Event(at, writer.fault())
                return
            frame = b""
            if place != opened:
                if opened >= 0:
                    frame = writer.close(opened, parts[opened])
                frame += writer.begin(place, part)
                opened = place
            logprobs = [(token, _logprob(rng)) for token in tokens] if with_logprobs else []
            data = writer.piece(place, part, text, logprobs)
            if number == half and self.kind == "truncated":
                yield _Event(at, frame + data[: len(data) // 2], place, text, whole=False)
                return
            yield _Event(at, frame + data, place, text)
            told += len(tokens)
        yield _Event(at, writer.close(opened, parts[opened]) + writer.tail(self._speech.finish, told))


def script(config: SimulateConfig, number: int) -> Performance:
    """Stream `number` (from 0) of a simulation.

    Kinds come in rounds, shuffled, so that every so many streams in a row hold each kind as often as
    its weight says. Beginnings are spread evenly, each shifted at random within its share of a second.
    """
    cards = [kind for kind, weight in config.kinds.items() for _ in range(weight)]
    round_, place = divmod(number, len(cards))
    random.Random(f"{config.seed}/round/{round_}").shuffle(cards)
    rng = random.Random(f"{config.seed}/{number}/cast")
    (api,) = rng.choices(list(config.apis), list(config.apis.values()))
    begins = (number + rng.random()) / config.rate
    return Performance(f"sim-{number:03}-{cards[place]}", api, cards[place], begins, config, number)


def _plan(rng: random.Random, writer: Writer, parts: tuple[Part, ...]) -> list[tuple[int, list[str]]]:
    """The tokens of each event: place of the part, tokens."""
    plan = []
    for place, part in enumerate(parts):
        whole = writer.whole_calls and part.channel == _TOOL
        tokens = [part.text] if whole else pieces(part.text)
        at = 0
        while at < len(tokens):
            count = rng.randint(1, writer.most)
            plan.append((place, tokens[at : at + count]))
            at += count
    return plan


def _waits(rng: random.Random, config: SimulateConfig) -> float:
    """Time to first token."""
    while (wait := rng.gauss(config.ttft_mean, config.ttft_sd)) < 0:
        pass
    return wait


def _logprob(rng: random.Random) -> float:
    """Of a token: most are likely, a few are not."""
    return -(rng.expovariate(1.0) ** 3) / 6


def _tape(performance: Performance) -> Tape:
    def deltas() -> Iterator[tuple[int, Delta]]:
        decoder = decoders.open_decoder(performance.api)
        at = begins
        for seconds, data in performance.chunks():
            at = max(at, int(seconds * 1e9))
            for delta in decoder.receive_data(data, now=at):
                yield at, delta
        for delta in decoder.receive_eof(now=at):
            yield at, delta

    begins = int(performance.begins * 1e9)
    return Tape(performance.stream, begins, deltas)


class SimulateSource(TapeSource):
    """The streams of `config`, each in the slot of its name.

    :arg config: Who plays, how many, how fast.

    :arg keys: Key of each slot, in order.

    :arg slot_of: The slot of a name.

    :arg speed: 1.0 in real time, 0 as fast as possible.

    :arg batch: Deltas in a packet at most.

    """

    def __init__(
        self,
        config: SimulateConfig,
        keys: Sequence[str],
        slot_of: Callable[[str], int],
        *,
        speed: float = 1.0,
        batch: int = 1024,
    ) -> None:
        tapes = [_tape(script(config, number)) for number in range(config.streams)]
        super().__init__(tapes, keys, slot_of, speed=speed, batch=batch)
