"""The policy file: TOML in, everything the stages need out.

A policy names packs (files of rules), adds rules, thresholds, patterns and regimes of its own, and says
what to do about each. Whatever can be found gets a code, its place in one list of names; stages and
records speak of codes and names only. A policy is checked whole when it is loaded: unknown words, a rule
outside the dialect, an example that its rule does not match, a counter-example that it does, are refused
with the file and the key. An empty file is a policy that finds, masks and judges nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from flows import beside
from flows.entries import PackFile, PolicyFile, RuleEntry
from flows.judgement import Judgement
from operators.gate import Gate
from operators.packet import Action, Delta, Kind, pack

__all__ = ["DEFAULT", "check", "load", "read"]

DEFAULT = "default"
"""The name of the shipped policy."""

File = TypeVar("File", bound=BaseModel)


def load(path: str, mask_key: bytes = b"", *, fail_open: bool = False) -> Judgement:
    """The policy in the file `path`, or the shipped one for the name ``default``.

    :arg path: A file, or ``default``.

    :arg mask_key: Of the masks that are hashes.

    :arg fail_open: Let what a stage could not process leave unvetted.

    :returns: The policy, checked.

    :raises ValueError: If the file cannot be read or says something that cannot be; the message names
        the file, the key and what would be right.
    """
    judgement = read(path, mask_key, fail_open=fail_open)
    check(judgement, path)
    return judgement


def read(path: str, mask_key: bytes = b"", *, fail_open: bool = False) -> Judgement:
    """The same, its rules compiled but their examples not tried: that takes the kernels.

    :raises ValueError: As :func:`load` does.
    """
    if path == DEFAULT:
        return _judgement(_parse(path, _shipped(DEFAULT), PolicyFile), path, mask_key, fail_open)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"policy {path}: {error}"
        raise ValueError(msg) from error
    return _judgement(_parse(path, text, PolicyFile), path, mask_key, fail_open)


def _judgement(file: PolicyFile, path: str, mask_key: bytes, fail_open: bool) -> Judgement:
    entries = [rule for name in file.packs for rule in _of_a_kind(_pack(name, path))]
    entries += _of_a_kind(PackFile(rules=file.rules))
    made = Judgement(
        tuple(entries), file.thresholds,
        tuple(one for entry in file.patterns for one in beside.patterns_of(entry, path)),
        tuple(beside.reference(entry, path) for entry in file.references),
        tuple(beside.phrases(entry, path) for entry in file.phrases),
        file.motifs, file.loops, file.changes, file.waits, file.dynamics, file.regimes, file.actions,
        file.monitor, mask_key, fail_open,
    )  # fmt: skip
    twice = sorted({name for name in made.names if made.names.count(name) > 1})
    if twice:
        msg = f"policy {path}: {twice[0]!r} is the name of two things; every name must be different"
        raise ValueError(msg)
    unknown = sorted(set(file.actions) - set(made.names))
    if unknown:
        known = ", ".join(made.names)
        msg = f"policy {path}: actions.{unknown[0]} is the name of nothing in this policy: {known}"
        raise ValueError(msg)
    _check_actions(made, path)
    try:
        made.gate()
        for _, analysis in made.analyses:
            analysis()
        made.policy()
        made.release()
    except ValueError as error:
        msg = f"policy {path}: {error}"
        raise ValueError(msg) from error
    return made


def _check_actions(made: Judgement, path: str) -> None:
    """What is done about a thing must be possible."""
    first, acted = len(made.entries), list(zip(made.names, made.actions, strict=True))
    blind = [name for name, action in acted[first:] if action in {Action.REDACT, Action.WOULD_REDACT}]
    if blind:
        msg = f"policy {path}: {blind[0]!r} cannot redact: only a rule knows what to cover"
        raise ValueError(msg)
    for entry, (name, action) in zip(made.entries, acted, strict=False):
        if entry.detect and action == Action.REDACT:
            msg = f"policy {path}: rule {name!r} cannot redact: with detect = true its match may have left"
            raise ValueError(msg)
        if entry.mask == "hash" and action == Action.REDACT and not made.mask_key:
            msg = (
                f'policy {path}: rule {name!r}: mask = "hash" needs the key of the hashes: set mask_key, '
                f"best as MIDSTREAM_MASK_KEY"
            )
            raise ValueError(msg)
    if made.overrides.get("undecided", "block") != "block":
        msg = f"policy {path}: actions.undecided must be block: what cannot be decided cannot be released"
        raise ValueError(msg)


def _of_a_kind(pack: PackFile) -> list[RuleEntry]:
    return [rule if rule.kind else rule.model_copy(update={"kind": pack.kind}) for rule in pack.rules]


def check(made: Judgement, path: str) -> None:
    """Try the examples of every rule.

    :raises ValueError: If a rule does not match an example of its own, or matches a counter-example.
    """
    cases = [
        (code, text, wanted)
        for code, entry in enumerate(made.entries)
        for wanted, texts in ((True, entry.examples), (False, entry.counter_examples))
        for text in texts
    ]
    found = _matches(made.gate(), [text for _, text, _ in cases])
    for (code, text, wanted), codes in zip(cases, found, strict=True):
        if (code in codes) != wanted:
            does = "does not match its example" if wanted else "matches its counter-example"
            msg = f"policy {path}: rule {made.names[code]!r} {does} {text!r}"
            raise ValueError(msg)


def _matches(gate: Gate, texts: Sequence[str]) -> list[set[int]]:
    """Codes of the rules that match somewhere in each text: a lane each, in one packet."""
    said = [
        ("", Delta(int(kind), text if kind == Kind.TEXT else "", item=place))
        for place, text in enumerate(texts)
        for kind in (Kind.TEXT, Kind.CLOSE)
    ]
    packet = pack(0, said, now=0)
    packet.deltas["row"] = packet.deltas["lane"]
    packet.deltas["begin"][1::2] = packet.deltas["chars"][::2]  # a lane closes at its end
    opened = packet.opened.copy()
    opened.resize(len(texts), refcheck=False)
    opened["row"] = range(len(texts))
    findings = gate.update(packet.having(opened=opened)).findings
    found: list[set[int]] = [set() for _ in texts]
    for finding in findings:
        found[finding["row"]].add(int(finding["code"]))
    return found


def _pack(name: str, path: str) -> PackFile:
    """A shipped pack by name, or a file beside the policy that names it."""
    if name.endswith(".toml"):
        file = Path(path).parent / name
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"policy {path}: packs: {error}"
            raise ValueError(msg) from error
        return _parse(f"{path}: pack {name}", text, PackFile)
    try:
        return _parse(f"{path}: pack {name}", _shipped(name), PackFile)
    except FileNotFoundError as error:
        have = sorted(
            f.name[:-5] for f in resources.files("operators.packs").iterdir() if f.name.endswith(".toml")
        )
        have.remove(DEFAULT)
        shipped = ", ".join(have)
        msg = f"policy {path}: packs: no pack {name!r}; shipped are {shipped}, a file's name ends in .toml"
        raise ValueError(msg) from error


def _shipped(name: str) -> str:
    return (resources.files("operators.packs") / f"{name}.toml").read_text(encoding="utf-8")


def _parse(path: str, text: str, form: type[File]) -> File:
    try:
        return form.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        msg = f"policy {path}: not TOML: {error}"
        raise ValueError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"policy {path}: {_key(first['loc'])}: {first['msg']}"
        raise ValueError(msg) from error


def _key(place: tuple[Any, ...]) -> str:
    return ".".join(map(str, place)) or "the file"
