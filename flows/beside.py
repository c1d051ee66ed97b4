"""Files that a policy names: they lie beside it, and what they hold takes the place of their name."""

from __future__ import annotations

import stat
from pathlib import Path

from pydantic import ValidationError

from connectors.library import read
from flows.entries import PatternEntry, PhraseEntry, ReferenceEntry
from operators.patterns import LONGEST

__all__ = ["patterns_of", "phrases", "reference"]

_LARGEST = 64 << 20


def patterns_of(entry: PatternEntry, path: str) -> list[PatternEntry]:
    """The entry, or one for each array of its file.

    :raises ValueError: If the file is no library of patterns.
    """
    if not entry.file:
        return [entry]
    said = entry.model_dump(exclude={"file"})
    try:
        library = read(_regular(path, entry.file), LONGEST)
        return [
            PatternEntry.model_validate(said | {"name": f"{entry.name}-{name}", "values": values})
            for name, values in library.items()
        ]
    except (OSError, ValueError) as error:
        msg = f"policy {path}: pattern {entry.name!r}: {_said(error)}"
        raise ValueError(msg) from error


def reference(entry: ReferenceEntry, path: str) -> ReferenceEntry:
    """The entry with the text of its file.

    :raises ValueError: If the file cannot be read.
    """
    if not entry.file:
        return entry
    return entry.model_copy(update={"text": _text(path, entry.file, f"reference {entry.name!r}")})


def phrases(entry: PhraseEntry, path: str) -> PhraseEntry:
    """The entry with the phrases of its file.

    :raises ValueError: If the file cannot be read, or has no phrase.
    """
    if not entry.file:
        return entry
    lines = _text(path, entry.file, f"phrases {entry.name!r}").splitlines()
    texts = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not texts:
        msg = f"policy {path}: phrases {entry.name!r}: no phrase in {entry.file}; it must have one a line"
        raise ValueError(msg)
    return entry.model_copy(update={"texts": texts})


def _text(path: str, name: str, whose: str) -> str:
    """The text of a file beside the policy."""
    try:
        return _regular(path, name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"policy {path}: {whose}: {name}: {error}"
        raise ValueError(msg) from error


def _regular(path: str, name: str) -> Path:
    """The place of a file beside the policy: a pipe would make the start wait, a device never end."""
    file = Path(path).parent / name
    known = file.stat()
    if not stat.S_ISREG(known.st_mode) or known.st_size > _LARGEST:
        msg = f"must be a regular file of {_LARGEST >> 20} MiB at most"
        raise ValueError(msg)
    return file


def _said(error: Exception) -> str:
    """What is wrong, in one line."""
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
