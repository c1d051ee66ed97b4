"""Which version the state of a step is of, and which this program writes.

Strategy. A dump says its version in a JSON head, alone or behind its length, at times in another dump's place
(``operators.columns.framed``): the outermost head counts. What this program writes is told by new stages of a
policy that asks for everything, so that no list of versions can be behind the stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from flows.entries import (
    ChangeEntry,
    DynamicsEntry,
    LoopEntry,
    MotifEntry,
    PhraseEntry,
    ReferenceEntry,
    RegimeEntry,
    ThresholdEntry,
)
from flows.judgement import Judgement
from flows.stores import Address, StateError, plain
from operators.columns import framed, unframed
from operators.directory import Limits
from operators.features import Features
from operators.slots import Stage

__all__ = ["Version", "open_streams", "readers", "refuse_unknown", "renamed", "version_of", "written"]

_DEPTH = 4  # frames within frames
_COUNTED = 3  # the version of the directory's state that names streams and steps in its head as ours does
_REFUSED = 4  # the place of that word in what it says of a stream


class Version(NamedTuple):
    """What a state says of itself."""

    version: int | None
    """None if it says nothing, as a source's position or a sink's may."""
    format: int | None
    """Of the columns (``operators.columns``), if they are the outermost."""


def version_of(state: Any) -> Version:
    """The version of a step's state; of a source that is followed by orders, the source's."""
    while isinstance(state, tuple) and state:
        state = state[0]
    head = _head(state) if isinstance(state, bytes) else {}
    version, form = (each if isinstance(each, int) else None for each in map(head.get, Version._fields))
    return Version(version, form)


def open_streams(state: Any) -> int | None:
    """How many streams the state of the step ``directory`` has open, without those that broke a limit and
    whose end has not come; None if it is of another version.
    """
    head = _head(state) if isinstance(state, bytes) else {}
    if head.get("version") != _COUNTED:
        return None
    try:
        return sum(not stream[_REFUSED] for stream in head["streams"])
    except (KeyError, TypeError, IndexError):  # another program's step of that name
        return None


def readers(state: Any) -> list[str]:
    """The steps that the state of the step ``directory`` was made for; none if it is of another version."""
    head = _head(state) if isinstance(state, bytes) else {}
    return list(head.get("readers", ())) if head.get("version") == _COUNTED else []


def renamed(state: bytes, names: Mapping[str, str]) -> bytes:
    """The state of the step ``directory``, made for steps of other `names` (new by old).

    :raises StateError: If it is cut or damaged.
    """
    try:
        head, *parts = unframed(state)
    except ValueError as error:
        msg = f"state of the step 'directory': {error}"
        raise StateError(msg) from error
    known = orjson.loads(head)
    known["readers"] = sorted(names.get(step, step) for step in known["readers"])
    return framed(orjson.dumps(known), *parts)


def _head(state: bytes) -> dict[str, Any]:
    """The outermost JSON object of a dump; empty if there is none."""
    for _ in range(_DEPTH):
        if state.startswith(b"{"):
            try:
                head = orjson.loads(state)
            except orjson.JSONDecodeError:
                return {}
            return head if isinstance(head, dict) else {}
        size = int.from_bytes(state[:4], "little")
        state = state[4 : 4 + size]
    return {}


def written() -> dict[str, Version]:
    """The version that this program writes, by step. Makes the stages: about a second."""
    about: dict[str, Any] = {"action": "allow", "description": ""}
    everything = Judgement(
        thresholds=(
            ThresholdEntry(name="a", signal="lyapunov", above=1, **about),
            ThresholdEntry(name="b", signal="injection", above=1, **about),
        ),
        references=(ReferenceEntry(name="c", text="one two three four", **about),),
        phrases=(PhraseEntry(name="d", texts=("one two",), **about),),
        motifs=MotifEntry(action="allow"),
        loops=(LoopEntry(name="e", **about),),
        changes=(ChangeEntry(name="f", signal="gap", **about),),
        dynamics=DynamicsEntry(signal="gap"),
        regimes=RegimeEntry(signal="gap"),
    )
    makers: dict[str, Callable[[], Stage]] = {
        "directory": lambda: everything.directory(Limits()), "gate": everything.gate, "features": Features,
        "policy": everything.policy, "release": everything.release, "audit": lambda: everything.audit(b""),
        **dict(everything.analyses),
    }  # fmt: skip
    return {step: version_of(make().dump()) for step, make in makers.items()}


def refuse_unknown(entries: Mapping[Address, bytes]) -> list[str]:
    """Refuse state that the stages of this program would not take.

    :returns: The steps that are no stages of it (sources and sinks): theirs is not looked at.

    :raises StateError: Says of which step, and which version it would have to be.
    """
    ours = written()
    for (step, key), entry in entries.items():
        theirs = version_of(plain(entry))
        if step in ours and theirs != ours[step]:
            msg = (
                f"state of step {step!r}, key {key!r} is of version {_named(theirs)}; this program reads "
                f"{_named(ours[step])}, and knows no way from one to the other"
            )
            raise StateError(msg)
    return sorted({address.step for address in entries} - ours.keys())


def _named(version: Version) -> str:
    return f"{version.version}" if version.format is None else f"{version.version} in format {version.format}"
