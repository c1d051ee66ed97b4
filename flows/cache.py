"""Compiled rules kept in a file, so that a policy is compiled once and not at every start.

Strategy. A file is named by everything its tables depend on: the rules, Python's Unicode data and the code
that makes the tables. It holds arrays only, is written beside its name and renamed, and lies in a folder
that nobody else can write to. A file that is damaged, another user's or not there is all the same: the
rules are compiled again. No failure of the cache can fail a start. Few states are compiled faster than
read, and not kept; of the others the last few used are.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import tempfile
import unicodedata
from dataclasses import astuple
from functools import lru_cache
from importlib import resources
from pathlib import Path

from operators.automaton import Automaton, Rule, compiled
from operators.tables import packed, unpacked

__all__ = ["automaton"]

_MAKERS = "alphabet.py", "automaton.py", "dialect.py", "rows.py", "subsets.py", "symbols.py", "tables.py"
_KEPT = 8  # files: policies in use on one machine, of 5 to 40 MB
_WORTH_KEEPING = 2_000  # states; below that compiling takes about 0.1 s


@lru_cache(maxsize=4)
def automaton(rules: tuple[Rule, ...]) -> Automaton:
    """The tables of `rules`, from the cache in ``$XDG_CACHE_HOME/midstream`` (else ``~/.cache/midstream``)
    or compiled now. 680 rules: 0.05 s or 5 s.

    :raises ValueError: As :func:`operators.automaton.compiled` does.
    """
    try:
        path = _folder() / f"{_name(rules)}.rules.npz"
        _check_own(path.parent)
        _check_own(path)
        tables = unpacked(path.read_bytes())
        os.utime(path)
    except (OSError, ValueError, RuntimeError):
        tables = compiled(rules)
        if len(tables.states) > _WORTH_KEEPING:
            _keep(rules, tables)
    return tables


def _keep(rules: tuple[Rule, ...], tables: Automaton) -> None:
    """Write the file, and remove those that were not used for longest."""
    try:
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_own(folder)
        handle, beside = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(packed(tables))
            Path(beside).replace(folder / f"{_name(rules)}.rules.npz")
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        files = sorted(folder.glob("*.rules.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in files[_KEPT:]:
            old.unlink(missing_ok=True)
    except (OSError, RuntimeError):
        return  # a read-only or full disk, or no home: the next start compiles again


def _folder() -> Path:
    """:raises RuntimeError: If the user has no home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "midstream"


def _check_own(path: Path) -> None:
    """:raises OSError: If `path` is not there, or anyone but this user may have written it."""
    about = path.lstat()
    others = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if stat.S_ISLNK(about.st_mode) or about.st_uid != os.getuid() or others:
        msg = f"{path} is not this user's own"
        raise PermissionError(msg)


def _name(rules: tuple[Rule, ...]) -> str:
    said = [unicodedata.unidata_version, sys.version_info[:2], [astuple(rule) for rule in rules]]
    digest = hashlib.sha256(json.dumps(said).encode())
    for maker in _MAKERS:
        digest.update((resources.files("operators") / maker).read_bytes())
    return digest.hexdigest()
