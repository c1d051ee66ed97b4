"""A policy made ready: what its file may say, and the names and stages that follow from it.

Whatever can be found gets a code, its place in one list of names; stages and records speak of codes and
names only. The order: rules, the lane that cannot be decided, thresholds, patterns, regimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from operators.attractor import Attractor, Regime
from operators.automaton import Rule
from operators.dtw import Dtw, Pattern
from operators.gate import Gate
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

_ACTIONS = {action.name.lower(): action for action in Action}
_SIGNALS = {signal.name.lower(): signal for signal in Signal}
ActionName = Literal["allow", "warn", "redact", "steer", "block"]
SignalName = Literal["gap", "length", "logprob", "surprisal", "novelty"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    name: Name
    action: ActionName
    description: str


class RuleEntry(_Entry):
    """``[[rules]]``: an expression (dialect: ``operators.automaton``), and what its matches mean."""

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
        if self.regimes:
            for regime in Regime:
                why = f"{self.regimes.signal} became {regime.value.replace('_', ' ')}"
                table.append((regime.value, why, self.regimes.actions.get(regime, "allow")))
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
