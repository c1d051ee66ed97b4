"""Texts in which nothing loops, however much of them is alike: the hard negatives of loop detectors.

Written or generated for this purpose, 300 to 3,000 characters each, the same in every run. Tables, logs,
verse, data, code and notation repeat themselves because they must; a detector that stops them is wrong. What
people say three times ("no, no, no") is among them; what nobody could tell from a loop (a word forty times)
is not. Each name in ``__all__`` of a file here is a text; the file is its kind.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from benches.benign import code, data, lists, logs, notation, tables
from benches.benign.verse import verse

__all__ = ["Benign", "benign"]


class Benign(NamedTuple):
    """A text in which nothing loops, however much of it is alike."""

    name: str
    kind: str
    """``markdown``, ``python`` or ``data`` of files; ``tables``, ``verse`` and so on of what is made here."""
    text: str


def benign() -> list[Benign]:
    """All of them, in one order."""
    written = [Benign(name, "verse", text) for name, text in verse().items()]
    made = [
        Benign(name.replace("_", " "), module.__name__.rpartition(".")[2], text(random.Random(name)))
        for module in (code, data, lists, logs, notation, tables)
        for name, text in ((name, getattr(module, name)) for name in module.__all__)
    ]
    return [*written, *made]
