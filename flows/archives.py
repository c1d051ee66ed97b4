"""State as one file: JSON lines that any program can read, the same bytes for the same state.

Strategy. The first line says what it is of. The last one says how many lines stand between, and the SHA-256
of all before it, so that a file that was cut or changed is refused. Between them a line is the state of one
key of one step, in X

::

    {"type":"state","version":1,"flow":"analyze","slots":8,"parts":4,"runs":["5e1f...", ...]}
    {"type":"entry","step":"directory","key":"03.53","pickle":"gASV..."}
    {"type":"end","entries":1,"sha256":"..."}
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from flows.stores import Address, State, StateError, plain

__all__ = ["load", "save"]

_VERSION = 1


class _Head(msgspec.Struct, tag_field="type", tag="state", forbid_unknown_fields=True):
    version: int
    flow: str
    slots: int
    parts: int
    runs: tuple[str, ...]


class _Entry(msgspec.Struct, tag_field="type", tag="entry", forbid_unknown_fields=True):
    step: str
    key: str
    pickle: bytes


class _End(msgspec.Struct, tag_field="type", tag="end", forbid_unknown_fields=True):
    entries: int
    sha256: str


def save(state: State, file: Path) -> None:
    """Write all of `state` to a `file` that is there when it is complete.

    :raises StateError: If there is a `file`.
    """
    if file.exists():
        msg = f"{file} exists: name a new one"
        raise StateError(msg)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            for line in _lines(state):
                out.write(line)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _lines(state: State) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for value in _values(state):
        line = msgspec.json.encode(value) + b"\n"
        digest.update(line)
        yield line
    yield msgspec.json.encode(_End(len(state.entries), digest.hexdigest())) + b"\n"


def _values(state: State) -> Iterator[_Head | _Entry]:
    yield _Head(_VERSION, state.flow, state.slots, state.parts, state.runs)
    for address, entry in sorted(state.entries.items()):
        yield _Entry(address.step, address.key, entry)


def load(file: Path) -> State:
    """What :func:`save` wrote.

    :raises StateError: If it is something else, of another version, cut or changed, or if an entry is no
        plain value.
    """
    decoder = msgspec.json.Decoder(_Head | _Entry | _End)
    digest, head, entries = hashlib.sha256(), None, dict[Address, bytes]()
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                value = decoder.decode(line)
                if isinstance(value, _Entry):
                    plain(value.pickle)
            except (msgspec.DecodeError, UnicodeDecodeError, StateError) as error:
                msg = f"{file}:{number}: {error}"
                raise StateError(msg) from error
            if isinstance(value, _Head):
                head = _checked(file, value)
            elif isinstance(value, _Entry):
                entries[Address(value.step, value.key)] = value.pickle
            elif head is None or value != _End(len(entries), digest.hexdigest()) or lines.read(1):
                break
            else:
                return State(head.flow, head.slots, head.parts, head.runs, entries)
            digest.update(line)
    msg = f"{file} was cut or changed: it does not end with the sum of what stands before"
    raise StateError(msg)


def _checked(file: Path, head: _Head) -> _Head:
    if head.version != _VERSION or head.parts < 1 or (head.runs and len(head.runs) != head.slots):
        msg = f"{file}: state of version {head.version}; this program reads version {_VERSION}, whole"
        raise StateError(msg)
    return head
