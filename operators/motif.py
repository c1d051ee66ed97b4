"""Phrases that a lane keeps saying: the same words, several times among its last words.

Strategy. A model that is stuck says the same thing over and over, with other text in between or without an
end. Both are found while they happen, in a fixed number of bytes a lane, from the words of the packet
(``operators.kernels.repeats``). Words are compared by their hashes of letters and digits, case undone, so
punctuation and line breaks do not hide a repetition; one replaced word does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.repeats import LANE, MIX, ROOM, find_repeats
from operators.packet import DELTA, FINDING, OPENED, WORD, Kind, Packet, Reach, Table, column, joined

__all__ = ["Motif"]

_VERSION = 1
_WIDEST = 1 << 20  # words of a window: 24 MiB a lane
_BITS = 31  # of a hash


class Motif:
    """A stage: packets with words in, the same packets with findings of kind ``motif`` out.

    A finding is a phrase of at least `words` words whose first `words` words were said for the `times`-th
    time or later, in the last `window` words; occurrences do not overlap. It covers the characters of the
    latest occurrence, as far as that repeats the one before it; ``value`` is how many there are. It comes
    with the first word that differs, or with the lane's CLOSE; a phrase that follows upon itself comes when
    it is complete, and not again while it goes on. No cutting into deltas or packets changes it.

    State: 24 bytes per word of the window, rounded up to a power of two, and 72 (6.1 KiB for 256).
    Emits: with the word that decided it, or with the lane's CLOSE. Cost: 8 us a packet and 30 ns a word.

    :param code: Place of the motif's name in the policy's names: the ``code`` of its findings.
    :param words: Words of the shortest phrase, 2 or more.
    :param times: How often it must be said, 2 or more.
    :param window: Words among which it must be, ``words * times`` to 1,048,576.
    :raises ValueError: If `words`, `times` or `window` is out of its range.
    """

    def __init__(self, code: int, words: int = 8, times: int = 3, window: int = 256) -> None:
        if words < 2 or times < 2:
            msg = f"motif: words and times must be 2 or more, not {words} and {times}"
            raise ValueError(msg)
        if not words * times <= window <= _WIDEST:
            msg = (
                f"motif: the window must hold {times} phrases of {words} words, and {_WIDEST} words at most: "
                f"{words * times} to {_WIDEST}, not {window}"
            )
            raise ValueError(msg)
        self._code = code
        bits = (window - 1).bit_length()
        power = pow(MIX, words, 1 << _BITS)
        self._shape = np.array([words, times, window, power, _BITS - bits], np.int64)
        self._state = Columns(_VERSION, reads=(self._shape,), lane=(LANE, ()), ring=(ROOM, (1 << bits,)))

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the phrases that its words and its closing lanes decide."""
        self._state.open(packet.opened["row"])
        found = [packet.findings]
        if len(packet.words):
            found.append(self._follow(packet.words))
        rows = packet.closed_rows()
        if len(rows):
            found.append(self._flush(packet.deltas, np.flatnonzero(packet.deltas["kind"] == Kind.CLOSE)))
        self._state.close(rows)
        if sum(map(len, found)) == len(packet.findings):
            return packet
        findings = joined(*found)
        return packet.having(findings=findings[np.lexsort((findings["decided"], findings["delta"]))])

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load` of a stage with the same parameters but the code."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` was made with other parameters.
        """
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernel, so that no word pays for it. Changes no state."""
        packet = Packet(
            0, 0, (), np.zeros(1, DELTA), b"", opened=np.zeros(1, OPENED), words=np.zeros(1, WORD)
        )
        Motif(0).update(packet)

    def _follow(self, words: Table) -> Table:
        out = [np.empty(len(words), np.int64) for _ in range(4)]
        columns = [column(words, name) for name in ("row", "word", "begin", "stop")]
        state = [self._shape, self._state["lane"], self._state["ring"]]
        count = find_repeats(*columns, *state, *out)
        places, times, begins, stops = (each[:count] for each in out)
        found = self._findings(times, begins, stops)
        for name in ("delta", "row", "decided"):
            found[name] = words[name][places]
        return found

    def _flush(self, deltas: Table, closing: NDArray[np.int64]) -> Table:
        lanes = self._state["lane"][deltas["row"][closing]]
        held = (lanes["run"] > 0) & (lanes["told"] == 0)
        lanes, closing = lanes[held], closing[held]
        found = self._findings(lanes["times"], lanes["begin"], lanes["stop"])
        found["delta"] = closing
        found["row"] = deltas["row"][closing]
        found["decided"] = deltas["begin"][closing]
        return found

    def _findings(
        self, times: NDArray[np.int64], begins: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> Table:
        found = np.zeros(len(times), FINDING)
        found["kind"] = Reach.MOTIF
        found["code"] = self._code
        found["value"] = times
        found["begin"] = begins
        found["stop"] = stops
        return found
