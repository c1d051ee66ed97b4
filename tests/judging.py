"""Answers of providers through the stages and back, without an engine, a socket or a thread.

What a relay says is packed and judged at once, and what the stages decide is told to it through the hub that
the gateway uses: only the threads and the sockets between them are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from connectors._frames import Frames, SseFrames
from connectors._hub import Covered, Ended, Hub, Released, Told
from connectors._item_ends import ends_of
from connectors._plain_frames import plain_of
from connectors._relay import Nobody, Relay, Said, Witness
from connectors.decoders import open_dialect
from flows.judgement import Judgement
from operators.directory import Limits
from operators.features import Features
from operators.packet import Finish, pack
from tests.stages import cut


class _AtOnce:
    def call_soon_threadsafe(self, callback: Callable[..., None], *args: Any) -> None:
        callback(*args)


class Judged:
    """One answer.

    `most` is the deltas of a packet: another one changes nothing.
    """

    def __init__(
        self, judgement: Judgement, dialect: str, *, frames: Frames | None = None,
        witness: Witness | None = None, most: int = 1000, plain: bool = True,
    ) -> None:  # fmt: skip
        self.relay = Relay(
            frames or SseFrames(), open_dialect(dialect, "test"), ends_of(dialect), witness or Nobody(),
            plain_of(dialect) if plain else None,
        )  # fmt: skip
        analyses = [make() for _, make in judgement.analyses]
        self._stages = [
            judgement.directory(Limits()), judgement.gate(), Features(), *analyses, judgement.policy(),
            judgement.release(),
        ]  # fmt: skip
        self._most = most
        self._hub = Hub(judgement.names, judgement.reasons, lambda name: 0, 1)
        self._hub.begin(_AtOnce())
        self._hub.open("s", self._hear)
        self.finishes: list[Finish] = []
        self.told: list[Told] = []
        self.left: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        """What leaves when `data` has come and was judged."""
        return self._judge(self.relay.receive_data(data, now=1))

    def receive_eof(self) -> bytes:
        return self._judge(self.relay.receive_eof(now=1))

    def whole(self, data: bytes, places: Iterable[int] = ()) -> bytes:
        """What leaves of an answer that comes in pieces, cut at `places`."""
        return b"".join([*map(self.receive, cut(data, places)), self.receive_eof()])

    def _judge(self, said: list[Said]) -> bytes:
        free = [self.relay.take()]
        self._hub.say("s", said)
        while deltas := self._hub.take(0, self._most):
            packet = pack(0, deltas, now=1)
            for stage in self._stages:
                packet = stage.update(packet)
            assert not packet.failed, packet.failed
            self._hub.tell(packet)
            blocked = Finish.BLOCKED in self.finishes
            free.append(self.relay.take_rest() if blocked else self.relay.take())
        self.left += [data for data in free if data]
        return b"".join(free)

    def _hear(self, told: list[Told]) -> None:
        self.told += told
        for each in told:
            match each:
                case Released(answer, lane, stop):
                    self.relay.released(answer, lane, stop)
                case Covered(answer, lane, begin, stop, shown):
                    self.relay.covered(answer, lane, begin, stop, shown)
                case Ended(_, finish):
                    self.finishes.append(finish)
