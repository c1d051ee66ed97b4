"""Feeding a framing or a decoder the same bytes in different pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from hypothesis import strategies as st

from connectors._decoder import Decoder, Event, Framing
from operators.packet import Delta

SIZES = (1, 2, 3, 7, 64)
"""Pieces that every recording is fed in (the issue's list)."""

CUTS = st.lists(st.integers(0, 400), max_size=12)
"""Places to cut at; those behind the end cut nothing."""


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """`data` in pieces of `size` bytes."""
    return (data[at : at + size] for at in range(0, len(data), size))


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` cut at `places`, empty pieces included."""
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


def frames(framing: Framing, parts: Iterable[bytes]) -> tuple[list[Event], str]:
    """All events of `parts`, end included, and why the framing failed."""
    events = [event for part in parts for event in framing.receive_data(part)]
    return events + framing.receive_eof(), framing.failed


def deltas(decoder: Decoder, parts: Iterable[bytes]) -> list[Delta]:
    """All deltas of `parts`, end included, all at the same time."""
    said = [delta for part in parts for delta in decoder.receive_data(part, now=7)]
    return said + decoder.receive_eof(now=7)


def same(said: Iterable[Delta]) -> list[str]:
    """Deltas in a form that compares: a missing logprob is NaN, which equals nothing."""
    return [repr(delta) for delta in said]
