"""The text of each lane as words: for whoever compares what is said word by word.

Strategy. Words are numbers (``operators.kernels.words``): those who read them compare hashes, and no text is
kept. What a word is, is told in ``operators.spelling``, where reference texts are cut by the same kernel.
"""

from __future__ import annotations

import numpy as np

from operators.columns import Columns
from operators.kernels.words import LANE, cut
from operators.packet import DELTA, OPENED, WORD, Kind, Packet, frozen, joined
from operators.spelling import codes

__all__ = ["Words"]

_VERSION = 1


class Words:
    """A stage: packets of text in, the same packets with their words out.

    A word stands with the delta in which it was complete: that of the character behind it, that of its 64th
    character, or the lane's CLOSE. No cutting into deltas or packets changes it. State: 40 bytes per lane.
    Cost (``benches.bench_lcs``, packets of 256 deltas): 4 ns a byte of English and 30 ns a delta. Raises:
    nothing on any packet.
    """

    def __init__(self) -> None:
        self._codes = codes()
        self._state = Columns(_VERSION, reads=(self._codes,), lane=(LANE, ()))

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the words that its deltas complete, behind those already there."""
        self._state.open(packet.opened["row"])
        deltas = frozen(packet.deltas)
        text = np.frombuffer(packet.text, np.uint8)
        words = np.empty(len(deltas) + len(text), WORD)
        count = cut(deltas, text, self._codes, self._state["lane"], words)
        self._state.close(packet.closed_rows())
        return packet.having(words=joined(packet.words, words[:count]))

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load`."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` is of another version or was made with other characters for letters.
        """
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernel, so that no delta pays for it. Changes no state."""
        deltas = np.zeros(1, DELTA)
        deltas["kind"], deltas["chars"], deltas["end"] = Kind.TEXT, 1, 1
        Words().update(Packet(0, 0, (), deltas, b"a", opened=np.zeros(1, OPENED)))
