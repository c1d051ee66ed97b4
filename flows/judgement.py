"""A policy made ready: what its file may say, and the names and stages that follow from it.

Whatever can be found gets a code, its place in one list of names; stages and records speak of codes and
names only. The order: rules, the lane that cannot be decided, thresholds, patterns, regimes.

A policy that only monitors reports what it would redact or block, and does neither. What cannot be decided
stays an exception: that text is not released under any policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from flows import cache
from operators.attractor import Attractor, Regime
from operators.audit import Audit
from operators.automaton import Automaton, Rule
from operators.dtw import Dtw, Pattern
from operators.gate import Gate
from operators.masks import Style
from operators.packet import Action, Signal
from operators.policy import Policy, Threshold
from operators.release import Release

__all__ = [
    "Judgement",
    "PackFile",
    "PatternEntry",
    "PolicyFile",
    "RegimeEntry",
    "RuleEntry",
    "ThresholdEntry",
]

ActionName = Literal["allow", "warn", "redact", "steer", "block", "would_redact", "would_block"]
KindName = Literal["personal", "secret", "injection", "exfiltration", "tool", "markup", "custom"]
SeverityName = Literal["low", "medium", "high", "critical"]
MaskName = Literal["label", "stars", "last4", "hash"]
SignalName = Literal["gap", "length", "logprob", "surprisal", "novelty", "injection"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

_ACTIONS = {action.name.lower(): action for action in Action}
_SIGNALS = {signal.name.lower(): signal for signal in Signal}
_STYLES = {style.name.lower(): int(style) for style in Style}
_SEVERITIES = {"low": 0, "medium": 1, "high": 2, "critical": 3}
_MONITORED: Mapping[ActionName, ActionName] = {"redact": "would_redact", "block": "would_block"}
_UNDECIDED = "undecided"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    name: Name
    action: ActionName
    description: str


class RuleEntry(_Entry):
    """``[[rules]]``: an expression (dialect: ``operators.automaton``), and what its matches mean."""

    pattern: str
    kind: KindName | None = None
    """Of the pack, if the rule does not say."""
    severity: SeverityName = "medium"
    """Of matches that overlap, the most severe names what stands in their place."""
    folded: bool = False
    """Matched on letters and digits alone, disguises undone."""
    bounded: bool = False
    longest: int = 0
    check: str = ""
    """Name of the function of ``operators.checks`` that must say yes to a match."""
    near: str = ""
    """What must stand shortly before a match."""
    detect: bool = False
    """Never holds text back, so that a match may have left when it is found."""
    mask: MaskName = "label"
    label: str = ""
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
    monitor: bool = False
    """Report what would be redacted or blocked, and do neither."""
    rules: tuple[RuleEntry, ...] = ()
    thresholds: tuple[ThresholdEntry, ...] = ()
    patterns: tuple[PatternEntry, ...] = ()
    regimes: RegimeEntry | None = None
    actions: Mapping[str, ActionName] = {}
    """Other actions for things by name: ``email = "block"``."""


class PackFile(_Strict):
    """A pack, as written: rules, and what kind they are of where they do not say."""

    kind: KindName = "custom"
    rules: tuple[RuleEntry, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """A policy made ready: the names, and the stages that follow from it."""

    entries: tuple[RuleEntry, ...] = ()
    thresholds: tuple[ThresholdEntry, ...] = ()
    patterns: tuple[PatternEntry, ...] = ()
    regimes: RegimeEntry | None = None
    overrides: Mapping[str, ActionName] = field(default_factory=dict)
    monitor: bool = False
    mask_key: bytes = field(default=b"", repr=False)
    """Of the masks that are hashes."""
    fail_open: bool = False
    """What a stage could not process leaves unvetted."""

    @cached_property
    def _table(self) -> list[tuple[str, str, ActionName]]:
        """Name, meaning and action of every code."""
        table: list[tuple[str, str, ActionName]] = [(e.name, e.description, e.action) for e in self.entries]
        table.append((_UNDECIDED, "a text with too many possible matches to decide", "block"))
        table += [(e.name, e.description, e.action) for e in (*self.thresholds, *self.patterns)]
        if self.regimes:
            for regime in Regime:
                why = f"{self.regimes.signal} became {regime.value.replace('_', ' ')}"
                table.append((regime.value, why, self.regimes.actions.get(regime, "allow")))
        return [(name, why, self._effective(name, action)) for name, why, action in table]

    def _effective(self, name: str, action: ActionName) -> ActionName:
        action = self.overrides.get(name, action)
        return _MONITORED.get(action, action) if self.monitor and name != _UNDECIDED else action

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
        masks = [entry.label or f"[{entry.name.upper()}]" for entry in self.entries]
        return masks + [""] * (len(self._table) - len(masks))

    @property
    def scores(self) -> bool:
        """Whether anything in it looks at the learned signal."""
        signals = {entry.signal for entry in self.thresholds} | {entry.signal for entry in self.patterns}
        return "injection" in signals or (self.regimes is not None and self.regimes.signal == "injection")

    @cached_property
    def fingerprint(self) -> str:
        """What all this comes down to, in 16 hexadecimal digits: another policy has another. The key of the
        hashes is no part of it.
        """
        parts = [*self.entries, *self.thresholds, *self.patterns, *([self.regimes] if self.regimes else [])]
        said = [part.model_dump(mode="json") for part in parts]
        acted = [self.names, self.actions, self.fail_open]
        return hashlib.sha256(orjson.dumps([said, acted], option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules as they are compiled. Text is held back only for a rule that would cover it or end its
        stream: nothing is gained by waiting for what is only reported.
        """
        acted = zip(self.entries, map(Action, self.actions), strict=False)
        return tuple(
            Rule(
                e.name, e.pattern, e.folded, e.bounded, e.longest, e.check, e.near,
                detect=e.detect or action not in {Action.REDACT, Action.BLOCK},
                eager=action == Action.BLOCK,
            )
            for e, action in acted
        )  # fmt: skip

    @cached_property
    def automaton(self) -> Automaton:
        """The tables of all rules."""
        return cache.automaton(self.rules)

    def gate(self) -> Gate:
        """A matcher of all rules."""
        return Gate(self.automaton, self.rules, range(len(self.rules) + 1))

    @cached_property
    def _hold(self) -> int:
        return self.gate().hold

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

    def audit(self, key: bytes) -> Audit:
        """What puts the verdicts on record; `key` signs."""
        return Audit(self.names, self.fingerprint, key)

    def release(self) -> Release:
        """What holds, masks and lets go.

        :raises ValueError: If something is redacted to a hash, and there is no key.
        """
        rest = len(self._table) - len(self.entries)
        redacts = [action == Action.REDACT for action in self.actions]
        styles = [_STYLES[e.mask] if redact else 0 for e, redact in zip(self.entries, redacts, strict=False)]
        return Release(
            self.labels,
            self._hold,
            styles=styles + [int(Style.LABEL)] * rest,
            severities=[_SEVERITIES[e.severity] for e in self.entries] + [0] * rest,
            detect=[code for code, e in enumerate(self.entries) if e.detect],
            key=self.mask_key,
            fail_open=self.fail_open,
        )

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
