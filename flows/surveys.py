"""What a recovery directory holds, as a person or a program wants to see it."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from flows.stores import Store, plain
from flows.versions import open_streams, version_of
from operators.slots import MAX_SLOTS, slot_key

__all__ = ["KeyRow", "StepRow", "Surveyed", "as_json", "as_table", "slot_number", "surveyed"]


class StepRow(NamedTuple):
    """A step."""

    step: str
    keys: int
    bytes: int
    """As pickled."""
    versions: Sequence[int]
    """Of its state, as far as it says one."""


class KeyRow(NamedTuple):
    """A slot, or whatever else state is kept by."""

    key: str
    slot: int | None
    """Its number; None if it is none."""
    steps: int
    bytes: int
    streams: int | None
    """That are open; None if its directory does not say."""


class Surveyed(NamedTuple):
    """A whole directory."""

    path: str
    flow: str
    execution: int
    resume_epoch: int
    slots: int
    parts: int
    runs: Sequence[str]
    disk_bytes: int
    superseded: int
    unfinished: int
    ended: int
    steps: Sequence[StepRow]
    keys: Sequence[KeyRow]


@cache
def _slots() -> dict[str, int]:
    return {slot_key(slot): slot for slot in range(MAX_SLOTS)}


def slot_number(key: str) -> int | None:
    """The slot that a key is the name of; None if it is none.

    >>> slot_number("03.53"), slot_number("03.54")
    (3, None)
    """
    return _slots().get(key)


def surveyed(path: str, store: Store) -> Surveyed:
    """What there is to say about a directory."""
    keys: dict[str, int] = defaultdict(int)
    sizes: dict[str, int] = defaultdict(int)
    versions: dict[str, set[int]] = defaultdict(set)
    of_key: dict[str, list[int]] = defaultdict(list)
    streams: dict[str, int | None] = {}
    for (step, key), entry in store.state.entries.items():
        state = plain(entry)
        keys[step] += 1
        sizes[step] += len(entry)
        of_key[key].append(len(entry))
        version = version_of(state).version
        if version is not None:
            versions[step].add(version)
        if step == "directory":
            streams[key] = open_streams(state)
    state = store.state
    return Surveyed(
        path, state.flow, store.execution, store.resume, state.slots, state.parts, state.runs, store.disk,
        store.superseded, store.unfinished, store.ended,
        [StepRow(step, keys[step], sizes[step], sorted(versions[step])) for step in sorted(keys)],
        [
            KeyRow(key, slot_number(key), len(each), sum(each), streams.get(key))
            for key, each in sorted(of_key.items())
        ],
    )  # fmt: skip


def as_json(found: Surveyed) -> str:
    """One JSON object."""
    rows = {"steps": [row._asdict() for row in found.steps], "keys": [row._asdict() for row in found.keys]}
    return msgspec.json.encode({"type": "store"} | found._asdict() | rows).decode()


def as_table(found: Surveyed) -> str:
    """Where it stands, and two tables: of steps and of keys."""
    steps = Table("step", box=None, pad_edge=False)
    for name in ("keys", "bytes", "version"):
        steps.add_column(name, justify="right")
    for row in found.steps:
        steps.add_row(row.step, str(row.keys), f"{row.bytes:,}", ", ".join(map(str, row.versions)) or "-")
    keys = Table("key", box=None, pad_edge=False)
    for name in ("slot", "steps", "bytes", "open streams"):
        keys.add_column(name, justify="right")
    for each in found.keys:
        streams = "-" if each.streams is None else f"{each.streams:,}"
        slot = "-" if each.slot is None else str(each.slot)
        keys.add_row(each.key, slot, str(each.steps), f"{each.bytes:,}", streams)
    out = io.StringIO()
    console = Console(file=out, width=max(Console().width, 100), highlight=False)
    console.print(
        f"{found.path}: flow {found.flow or '-'}, {found.slots or 'unknown'} slots, {found.parts} parts\n"
        f"execution {found.execution}, resumes at epoch {found.resume_epoch}; {found.disk_bytes:,} bytes on "
        f"disk; rows no run asks for: {found.superseded} superseded, {found.unfinished} unfinished, "
        f"{found.ended} ended\n"
    )
    console.print(steps)
    console.print()
    console.print(keys)
    return out.getvalue().rstrip("\n")
