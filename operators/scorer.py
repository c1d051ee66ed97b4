"""How likely the last words of a lane are an attempt to take a model over: a sample for each word.

Strategy. A linear model over hashed n-grams needs no vocabulary and no tokeniser, a table of 64 KiB does;
its score is a leaky sum that begins again wherever harmless text has brought it to zero
(``operators.kernels.scorer``). It is what the rules are not: fuzzy, and at home only in what it has been
trained on. So it gives a probability and judges nothing; the policy sets a threshold. It reads the text as
it stands, accents and letter case undone, and does not decode: encoded attacks are a matter of the rules.

The shipped weights (``packs/scorer.npz``) come from ``benches/train_scorer.py``; their ``about`` says when,
from which files under which licences, with which seed and split. No text is in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import IO, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from operators.columns import Columns
from operators.kernels.scorer import BITS, LANE, score
from operators.packet import DELTA, OPENED, SAMPLE, Kind, Packet, frozen, joined

__all__ = ["Model", "Scorer"]

_VERSION = 1


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """Everything that is learned, and how a character is read."""

    weights: NDArray[np.int8]
    """Of each of ``2**BITS`` buckets."""
    codes: NDArray[np.int16]
    """What each character is read as: above 0 a letter or digit, below 0 any other, 0 not at all."""
    left: float
    """Share of the score that is left after a word, above 0 and below 1."""
    bound: float
    """Most evidence that one word gives, for or against; in units of the weights."""
    slope: float
    """Log odds for a unit of score, above 0."""
    intercept: float
    """Log odds at score 0."""
    about: str = ""
    """Where the weights come from."""

    def __post_init__(self) -> None:
        wrong = ""
        if self.weights.dtype != np.int8 or self.weights.shape != (2**BITS,):
            wrong = f"int8[{2**BITS}] as weights, not {self.weights.dtype}{list(self.weights.shape)}"
        elif self.codes.dtype != np.int16 or self.codes.ndim != 1 or len(self.codes) < 128:
            wrong = f"int16[128 or more] as codes, not {self.codes.dtype}{list(self.codes.shape)}"
        elif not 0 < self.left < 1:
            wrong = f"a share left of above 0 and below 1, not {self.left}"
        elif not (self.bound > 0 and math.isfinite(self.bound)):
            wrong = f"a finite bound above 0, not {self.bound}"
        elif not (self.slope > 0 and math.isfinite(self.slope) and math.isfinite(self.intercept)):
            wrong = f"a finite slope above 0 and intercept, not {self.slope} and {self.intercept}"
        if wrong:
            msg = f"scorer: a model must have {wrong}"
            raise ValueError(msg)

    @classmethod
    def read(cls, file: IO[bytes]) -> Self:
        """What :meth:`write` wrote.

        :raises ValueError: If it is no such file.
        """
        try:
            with np.load(file, allow_pickle=False) as arrays:
                left, bound, slope, intercept = map(float, arrays["shape"])
                steps = np.cumsum(arrays["codes"], dtype=np.int64).astype(np.int16)
                return cls(arrays["weights"], steps, left, bound, slope, intercept, str(arrays["about"]))
        except (KeyError, ValueError, OSError, EOFError, BadZipFile) as error:
            msg = f"scorer: not a file of weights: {error}"
            raise ValueError(msg) from error

    def write(self, file: IO[bytes]) -> None:
        """A compressed ``.npz`` without pickles. Codes as steps from one to the next: mostly 1."""
        np.savez_compressed(
            file,
            weights=self.weights,
            codes=np.diff(self.codes.astype(np.int32), prepend=np.int32(0)),
            shape=np.array([self.left, self.bound, self.slope, self.intercept]),
            about=np.array(self.about),
        )


@cache
def shipped() -> Model:
    """The weights of ``packs/scorer.npz``."""
    with (resources.files("operators.packs") / "scorer.npz").open("rb") as file:
        return Model.read(file)


class Scorer:
    """A stage: packets of text in, the same packets with samples of ``Signal.INJECTION`` out.

    The sample of a word is the probability that what the lane has been saying is an attempt to take a model
    over, where attempt and not are as likely beforehand; it stands with the delta in which the word was
    complete, or with the lane's CLOSE, behind the samples already there. No cutting into deltas or packets
    changes it. State: 80 bytes per lane. Cost: 55 ns a character (``benches.bench_injection``). Raises:
    nothing on any packet.

    :param model: Other weights than the shipped ones.
    """

    def __init__(self, model: Model | None = None) -> None:
        model = model or shipped()
        self._codes, self._weights = model.codes, model.weights
        self._shape = np.array([model.left, model.bound, model.slope, model.intercept])
        self._found = np.empty(6, np.int64)
        self._state = Columns(_VERSION, reads=(self._weights, self._codes, self._shape), lane=(LANE, ()))

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return self._state.row_bytes

    def update(self, packet: Packet) -> Packet:
        """`packet` with the samples of its words."""
        self._state.open(packet.opened["row"])
        deltas = frozen(packet.deltas)
        text = np.frombuffer(packet.text, np.uint8)
        samples = np.empty(len(deltas) + len(text), SAMPLE)
        lanes = self._state["lane"]
        count = score(deltas, text, self._codes, self._weights, self._shape, lanes, self._found, samples)
        self._state.close(packet.closed_rows())
        return packet.having(samples=joined(packet.samples, samples[:count]))

    def dump(self) -> bytes:
        """State of the open lanes, for :meth:`load`."""
        return self._state.dump()

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` is of another version or made with other weights.
        """
        self._state.load(state)

    def warm(self) -> None:
        """Compile the kernel, so that no delta pays for it. Changes no state."""
        codes, weights = np.zeros(128, np.int16), np.zeros(2**BITS, np.int8)
        deltas = np.zeros(1, DELTA)
        deltas["kind"], deltas["chars"], deltas["end"] = Kind.TEXT, 1, 1
        packet = Packet(0, 0, (), deltas, b"a", opened=np.zeros(1, OPENED))
        Scorer(Model(weights, codes, 0.5, 1.0, 1.0, 0.0)).update(packet)
