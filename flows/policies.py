"""The policy file: TOML in, everything the stages need out.

A policy names packs (files of rules), adds rules, thresholds, patterns and regimes of its own, and says
what to do about each. Whatever can be found gets a code, its place in one list of names; stages and
records speak of codes and names only. A policy is checked whole when it is loaded: unknown words, a rule
outside the dialect, an example that its rule does not match, a counter-example that it does, are refused
with the file and the key. An empty file is a policy that finds, masks and judges nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operators.attractor import Attractor, Regime
from operators.dtw import Dtw, Pattern
from operators.gate import Gate, Rule
from operators.packet import Action, Delta, Kind, Signal, pack
from operators.policy import Policy, Threshold
from operators.release import Release

__all__ = ["DEFAULT", "Judgement", "load"]

DEFAULT = "default"
"""The name of the shipped policy."""

_ACTIONS = {action.name.lower(): action for action in Action}
_SIGNALS = {signal.name.lower(): signal for signal in Signal}
ActionName = Literal["allow", "warn", "redact", "steer", "block"]
SignalName = Literal["gap", "length", "logprob", "surprisal", "novelty"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
File = TypeVar("File", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    name: Name
    action: ActionName
    description: str


class RuleEntry(_Entry):
    """``[[rules]]``: an expression (dialect: ``operators.gate``), and what its matches mean."""

    pattern: str
    bounded: bool = False
    longest: int = 0
    mask: str = ""
    """What stands in place of a match; ``[NAME]`` if empty."""
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()


class ThresholdEntry(_Entry):
    """``[[thresholds]]``: a limit on a signal."""

    signal: SignalName
    above: Annotated[float, Field(gt=float("-inf"))] = float("inf")
    below: Annotated[float, Field(lt=float("inf"))] = float("-inf")
    after: int = 0


class PatternEntry(_Entry):
    """``[[patterns]]``: a shape to find in a signal."""

    signal: SignalName
    values: Annotated[tuple[float, ...], Field(min_length=2, max_length=512)]
    within: Annotated[float, Field(ge=0)]
    action: ActionName = "allow"


class RegimeEntry(_Strict):
    """``[regimes]``: which signal is classified, how often, and what to do about a regime."""

    signal: SignalName
    window: Annotated[int, Field(ge=32, le=4096)] = 128
    every: Annotated[int, Field(ge=1, le=4096)] = 32
    actions: Mapping[Regime, ActionName] = {}


class PolicyFile(_Strict):
    """A whole file, as written."""

    packs: tuple[str, ...] = ()
    rules: tuple[RuleEntry, ...] = ()
    thresholds: tuple[ThresholdEntry, ...] = ()
    patterns: tuple[PatternEntry, ...] = ()
    regimes: RegimeEntry | None = None
    actions: Mapping[str, ActionName] = {}
    """Other actions for things by name: ``email = "block"``."""


class PackFile(_Strict):
    """A pack, as written: rules and nothing else."""

    rules: tuple[RuleEntry, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """A policy made ready: the names, and the stages that follow from it."""

    entries: tuple[RuleEntry, ...] = ()
    thresholds: tuple[ThresholdEntry, ...] = ()
    patterns: tuple[PatternEntry, ...] = ()
    regimes: RegimeEntry | None = None
    overrides: Mapping[str, ActionName] = field(default_factory=dict)

    @cached_property
    def _table(self) -> list[tuple[str, str, ActionName]]:
        """Name, meaning and action of every code."""
        table: list[tuple[str, str, ActionName]] = [(e.name, e.description, e.action) for e in self.entries]
        table.append(("undecided", "a text with too many possible matches to decide", "block"))
        table += [(e.name, e.description, e.action) for e in (*self.thresholds, *self.patterns)]
        actions = self.regimes.actions if self.regimes else {}
        for regime in Regime:
            signal = self.regimes.signal if self.regimes else ""
            table.append(
                (
                    regime.value,
                    f"{signal} became {regime.value.replace('_', ' ')}",
                    actions.get(regime, "allow"),
                )
            )
        return [(name, why, self.overrides.get(name, action)) for name, why, action in table]

    @property
    def names(self) -> list[str]:
        """What each code is called."""
        return [name for name, _, _ in self._table]

    @property
    def reasons(self) -> list[str]:
        """What each code means, for a person."""
        return [why for _, why, _ in self._table]

    @property
    def actions(self) -> list[int]:
        """What to do about each code."""
        return [int(_ACTIONS[action]) for _, _, action in self._table]

    @property
    def labels(self) -> list[str]:
        """What stands in place of a match of each code."""
        masks = [entry.mask or f"[{entry.name.upper()}]" for entry in self.entries]
        return masks + [""] * (len(self._table) - len(masks))

    def gate(self) -> Gate:
        """A matcher of all rules."""
        rules = [Rule(e.name, e.pattern, e.bounded, e.longest) for e in self.entries]
        return Gate(rules, range(len(rules) + 1))

    def dtw(self) -> Dtw:
        """A matcher of all patterns."""
        first = len(self.entries) + 1 + len(self.thresholds)
        return Dtw(
            [
                Pattern(e.name, int(_SIGNALS[e.signal]), e.values, e.within, first + place)
                for place, e in enumerate(self.patterns)
            ]
        )

    def attractor(self) -> Attractor:
        """A classifier of regimes, where the policy wants one.

        :raises ValueError: If it has no ``regimes``.
        """
        if self.regimes is None:
            msg = "the policy has no [regimes]"
            raise ValueError(msg)
        first = len(self._table) - len(Regime)
        codes = {regime: first + place for place, regime in enumerate(Regime)}
        return Attractor(int(_SIGNALS[self.regimes.signal]), self.regimes.window, self.regimes.every, codes)

    def release(self) -> Release:
        """What holds, masks and lets go."""
        return Release(self.labels, self.gate().hold)

    def policy(self) -> Policy:
        """The judge."""
        first = len(self.entries) + 1
        return Policy(
            self.actions,
            [
                Threshold(e.name, first + place, int(_SIGNALS[e.signal]), e.above, e.below, e.after)
                for place, e in enumerate(self.thresholds)
            ],
        )


def load(path: str) -> Judgement:
    """The policy in the file `path`, or the shipped one for the name ``default``.

    :raises ValueError: If the file cannot be read or says something that cannot be; the message names
        the file, the key and what would be right.
    """
    if path == DEFAULT:
        return _judgement(_parse(path, _shipped(DEFAULT), PolicyFile), path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"policy {path}: {error}"
        raise ValueError(msg) from error
    return _judgement(_parse(path, text, PolicyFile), path)


def _judgement(file: PolicyFile, path: str) -> Judgement:
    entries = [rule for name in file.packs for rule in _pack(name, path).rules] + list(file.rules)
    made = Judgement(tuple(entries), file.thresholds, file.patterns, file.regimes, file.actions)
    twice = sorted({name for name in made.names if made.names.count(name) > 1})
    if twice:
        msg = f"policy {path}: {twice[0]!r} is the name of two things; every name must be different"
        raise ValueError(msg)
    unknown = sorted(set(file.actions) - set(made.names))
    if unknown:
        known = ", ".join(made.names)
        msg = f"policy {path}: actions.{unknown[0]} is the name of nothing in this policy: {known}"
        raise ValueError(msg)
    analyses = zip(made.names[len(entries) :], made.actions[len(entries) :], strict=True)
    blind = [name for name, action in analyses if action == Action.REDACT]
    if blind:
        msg = f"policy {path}: {blind[0]!r} cannot redact: only a rule knows what to cover"
        raise ValueError(msg)
    try:
        gate = made.gate()
        made.dtw()
        if made.regimes:
            made.attractor()
        made.policy()
    except ValueError as error:
        msg = f"policy {path}: {error}"
        raise ValueError(msg) from error
    _check_examples(made, gate, path)
    return made


def _check_examples(made: Judgement, gate: Gate, path: str) -> None:
    cases = [
        (code, text, wanted)
        for code, entry in enumerate(made.entries)
        for wanted, texts in ((True, entry.examples), (False, entry.counter_examples))
        for text in texts
    ]
    found = _matches(gate, [text for _, text, _ in cases])
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
