"""What a mock provider is before there is a server: its settings, its answers, and what it has seen.

Strategy. An answer is decided by four things in this order: the fault, a recording, the model's name, the
simulator. Chance, of faults and of times, is one generator of the seed, so that a run with one client at a
time can be had again.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connectors import _mock_faults as faults
from connectors._mock_asked import Asked, Refused
from connectors._mock_faults import Fault
from connectors._mock_line import Line
from connectors._mock_pace import Pace
from connectors._mock_recordings import Recordings
from connectors._mock_seen import Request, Seen
from connectors._mock_speech import MODELS, speech_of
from connectors._mock_wire import Answer, answered
from connectors._simulate_text import Part, Speech
from operators.packet import Channel

__all__ = ["MockConfig", "Provider"]

_TEXT = int(Channel.TEXT)
_OWN = frozenset(model.partition(":")[0] for model in MODELS)


@dataclass(frozen=True)
class MockConfig:
    """Who answers, and how.

    :raises ValueError: If a fault is not known, or the probabilities are none.
    """

    pace: Pace = field(default_factory=Pace)
    recordings: Path | None = None
    """A folder, or one file that answers every model."""
    table: Mapping[str, str] = field(default_factory=dict)
    """File names of recordings by model name."""
    faults: Mapping[str, float] = field(default_factory=dict)
    """How probable each is for a request that names none."""
    seed: int = 1

    def __post_init__(self) -> None:
        for name, share in self.faults.items():
            faults.parse(name)
            if not 0 <= share <= 1:
                msg = f"the probability of fault {name} must be 0 to 1, not {share}"
                raise ValueError(msg)
        if sum(self.faults.values()) > 1:
            msg = "the probabilities of all faults together must be at most 1"
            raise ValueError(msg)


class Provider:
    """The far side of every API.

    :raises ValueError: If the recordings are none.
    :raises OSError: If they cannot be read.
    """

    def __init__(self, config: MockConfig) -> None:
        self.config = config
        self.seen = Seen()
        self.lines: set[Line] = set()
        """Connections with an answer under way."""
        self.rng = random.Random(f"{config.seed}/mock")
        self._recordings = Recordings(config.recordings, config.table)
        self._next: deque[Fault] = deque()

    @property
    def models(self) -> tuple[str, ...]:
        """Names to ask for; all others say prose."""
        return (*MODELS, *self._recordings.models())

    def note(self, api: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        """Count a request; returns its number."""
        seen = self.seen
        seen.requests += 1
        seen.by_api[api] += 1
        seen.last = Request(seen.requests, path, tuple(headers), body)
        return seen.requests

    def then(self, *names: str) -> None:
        """The next requests that name no fault get these, one each; "" is none. From any thread.

        :raises ValueError: If one is not known.
        """
        self._next.extend([faults.parse(name) for name in names])

    def fault(self, header: str, suffix: str) -> Fault:
        """What goes wrong with a request; counted.

        :raises Refused: If it asks for what is not known.
        """
        try:
            fault = faults.parse(header or suffix) if header or suffix else self._unasked()
        except ValueError as error:
            raise Refused(400, str(error)) from None
        if fault.name:
            self.seen.faults[fault.name] += 1
        return fault

    def _unasked(self) -> Fault:
        return self._next.popleft() if self._next else faults.chance(self.config.faults, self.rng)

    def speech(self, model: str, asked: Asked, number: int) -> tuple[Speech, int]:
        """What `model` says, and the characters of a delta.

        :raises Refused: If it asks for what there is not.
        """
        recording = self._recordings.name_of(model, _OWN)
        if recording:
            return self._recordings.speech(recording), 0
        return speech_of(model, asked, self.config.seed, number)

    def answer(self, api: str, model: str, asked: Asked, number: int, fault: Fault) -> Answer:
        """The body for request `number`.

        :raises Refused: If it asks for what there is not.
        """
        recording = self._recordings.name_of(model, _OWN) if asked.stream else ""
        if recording:
            return self._recordings.streamed(recording)
        if fault.name == "oversize" and not asked.stream:
            text = "x" * (int(fault.number) << 10)
            return answered(api, Speech((Part(_TEXT, text),)), len(text) or 1, asked)
        return answered(api, *self.speech(model, asked, number), asked)
