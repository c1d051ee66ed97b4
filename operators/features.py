"""The first measurements: deltas become samples, which every later analysis reads.

Strategy. Two kernels, one after the other over the whole packet: ``surprisal`` gives each byte its
probability under what the lane said before, ``features`` cuts the words and writes the samples. Signals
of a word (surprisal, novelty) are a matter of the text alone: no cutting into deltas or packets changes
them. Signals of a delta (gap, length, log probability) are about the cutting.
"""

from __future__ import annotations

import numpy as np

from operators.columns import Columns
from operators.kernels.features import LANE, measure
from operators.kernels.surprisal import MODEL, byte_prior, first_trust, surprise
from operators.packet import DELTA, OPENED, SAMPLE, Kind, Packet, frozen, joined

__all__ = ["Features"]

_VERSION = 1


class Features:
    """A stage: packets of text in, the same packets with samples of every ``Signal`` out.

    State: 9.8 KiB per lane. Emits: samples of a delta with it, those of a word with the delta in which
    the word was complete or with the lane's CLOSE; ordered by delta. Cost (``benches.bench_features``): 7 us
    a packet of one delta; in large ones 0.3 us a delta of five bytes, 0.5 where 64 lanes and more take turns.
    Raises: nothing on any packet.
    """

    def __init__(self) -> None:
        self._prior = byte_prior()
        self._trust = first_trust()
        self._state = Columns(_VERSION, model=(MODEL, ()), lane=(LANE, ()))

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the samples of its deltas."""
        opened = packet.opened["row"]
        self._state.open(opened)
        self._state.wake(packet.deltas["row"])
        if len(opened):
            self._state["model"]["trust"][opened] = self._trust
        deltas = frozen(packet.deltas)
        text = np.frombuffer(packet.text, np.uint8)
        likely = np.empty(len(text))
        samples = np.empty(5 * len(deltas) + len(text), SAMPLE)
        surprise(deltas, text, self._state["model"], self._prior, likely)
        count = measure(deltas, text, likely, self._state["lane"], samples)
        self._state.close(packet.closed_rows())
        return packet.having(samples=joined(packet.samples, samples[:count]))

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load`."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` is of another version.
        """
        self._state.load_asleep(state)

    def warm(self) -> None:
        """Compile the kernels, so that no delta pays for it. Changes no state."""
        deltas = np.zeros(1, DELTA)
        deltas["kind"], deltas["chars"], deltas["end"] = Kind.TEXT, 1, 1
        Features().update(Packet(0, 0, (), deltas, b"a", opened=np.zeros(1, OPENED)))
