"""A policy made ready: the names and the stages that follow from its file.

Whatever can be found gets a code, its place in one list of names; stages and records speak of codes and
names only. Rules come first, so that the code of a rule is its place among them.

A policy that only monitors reports what it would redact or block, and does neither. What cannot be decided
stays an exception: that text is not released under any policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, get_args

import orjson

from flows import cache
from flows.entries import (
    ActionName,
    ChangeEntry,
    DynamicsEntry,
    LoopEntry,
    MeasureName,
    MotifEntry,
    PatternEntry,
    PhraseEntry,
    ReferenceEntry,
    RegimeEntry,
    RuleEntry,
    ThresholdEntry,
    WaitEntry,
)
from operators.attractor import Attractor, Regime
from operators.audit import Audit
from operators.automaton import Automaton, Rule
from operators.directory import Directory, Limits
from operators.drift import Change, Drift, Wait
from operators.dtw import Dtw, Pattern
from operators.dynamics import Dynamics
from operators.edit import Edit, Phrase
from operators.gate import Gate
from operators.lcs import Lcs, Reference
from operators.loop import Loop, Watch
from operators.masks import Style
from operators.motif import Motif
from operators.packet import Action, Shape, Signal
from operators.patterns import pattern_of
from operators.policy import Policy, Threshold
from operators.release import Release
from operators.scorer import Scorer
from operators.slots import Stage
from operators.words import Words

__all__ = ["Judgement"]

_ACTIONS = {action.name.lower(): action for action in Action} | {"stop": Action.BLOCK}
_SIGNALS = {signal.name.lower(): signal for signal in Signal}
_STYLES = {style.name.lower(): int(style) for style in Style}
_SEVERITIES = {"low": 0, "medium": 1, "high": 2, "critical": 3}
_MONITORED: Mapping[ActionName, ActionName] = {
    "redact": "would_redact",
    "block": "would_block",
    "stop": "would_block",
}
_UNDECIDED, _UNMEASURED = "undecided", "unmeasured"


class Analysis(Stage, Protocol):
    """A stage that compiles its kernels when it is told to, and knows what a lane costs it."""

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        ...

    def warm(self) -> None:
        """Compile, so that no token pays for it. Changes no state."""
        ...


_Named = (
    ThresholdEntry
    | PatternEntry
    | ReferenceEntry
    | PhraseEntry
    | MotifEntry
    | LoopEntry
    | ChangeEntry
    | WaitEntry
)


@dataclass(frozen=True)
class Judgement:
    """A policy made ready: the names, and the stages that follow from it."""

    entries: tuple[RuleEntry, ...] = ()
    thresholds: tuple[ThresholdEntry, ...] = ()
    patterns: tuple[PatternEntry, ...] = ()
    references: tuple[ReferenceEntry, ...] = ()
    phrases: tuple[PhraseEntry, ...] = ()
    motifs: MotifEntry | None = None
    loops: tuple[LoopEntry, ...] = ()
    changes: tuple[ChangeEntry, ...] = ()
    waits: tuple[WaitEntry, ...] = ()
    dynamics: DynamicsEntry | None = None
    regimes: RegimeEntry | None = None
    overrides: Mapping[str, ActionName] = field(default_factory=dict)
    monitor: bool = False
    mask_key: bytes = field(default=b"", repr=False)
    """Of the masks that are hashes."""
    fail_open: bool = False
    """What a stage could not process leaves unvetted."""

    @property
    def _analyses(
        self,
    ) -> tuple[_Named, ...]:
        """Whatever has a name, a description and an action, but for rules."""
        motifs = (self.motifs,) if self.motifs else ()
        found = (*self.thresholds, *self.patterns, *self.references, *self.phrases, *motifs)
        return (*found, *self.loops, *self.changes, *self.waits)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.names)}

    @cached_property
    def _table(self) -> list[tuple[str, str, ActionName]]:
        """Name, meaning and action of every code."""
        table: list[tuple[str, str, ActionName]] = [(e.name, e.description, e.action) for e in self.entries]
        table.append((_UNDECIDED, "a text with too many possible matches to decide", "block"))
        table += [(e.name, e.description, e.action) for e in self._analyses]
        if self.regimes:
            for regime in Regime:
                why = f"{self.regimes.signal} became {regime.value.replace('_', ' ')}"
                table.append((regime.value, why, self.regimes.actions.get(regime, "allow")))
        table.append((_UNMEASURED, "a measurement that is no finite number", "allow"))
        return [(name, why, self._effective(name, action)) for name, why, action in table]

    def _effective(self, name: str, action: ActionName) -> ActionName:
        """What is done about a thing of that name, whose entry says `action`."""
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
    def _signals(self) -> set[str]:
        """The signals that anything in it looks at."""
        found: set[str] = {entry.signal for entry in self.thresholds}
        found |= {entry.signal for entry in self.patterns} | {entry.signal for entry in self.changes}
        return found | {entry.signal for entry in (self.regimes, self.dynamics) if entry}

    @property
    def scores(self) -> bool:
        """Whether anything in it looks at the learned signal."""
        return "injection" in self._signals

    @property
    def _measures(self) -> list[int]:
        """The measures of the dynamics that anything in it looks at."""
        return sorted(int(_SIGNALS[name]) for name in self._signals & set(get_args(MeasureName)))

    @cached_property
    def fingerprint(self) -> str:
        """What all this comes down to, in 16 hexadecimal digits: another policy has another. The key of the
        hashes is no part of it.
        """
        wholes = [entry for entry in (self.regimes, self.dynamics) if entry]
        parts = [*self.entries, *self._analyses, *wholes]
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

    @property
    def analyses(self) -> list[tuple[str, Callable[[], Analysis]]]:
        """The analyses behind ``features`` that the policy asks for, in order: step, and maker of the stage.
        Shapes are always looked for: they may come while the job runs.
        """
        asked: list[tuple[str, object, Callable[[], Analysis]]] = [
            ("scorer", self.scores, Scorer),
            ("dynamics", self.dynamics or self._measures, self.measuring),
            ("dtw", True, self.dtw),
            ("attractor", self.regimes, self.attractor),
            ("words", self.references or self.motifs, Words),
            ("lcs", self.references, self.lcs),
            ("motif", self.motifs, self.motif),
            ("edit", self.phrases, self.edit),
            ("loop", self.loops, self.loop),
            ("drift", self.changes or self.waits, self.drift),
        ]
        return [(step, make) for step, wanted, make in asked if wanted]

    @property
    def readers(self) -> list[str]:
        """The steps behind ``directory`` that keep state by its rows: all but ``audit``, which has a head."""
        return ["gate", "features", *(step for step, _ in self.analyses), "policy", "release"]

    def directory(self, limits: Limits) -> Directory:
        """What gives out rows and tells of silence; `limits` are those of a stream.

        :raises ValueError: If a silence would outlast the stream.
        """
        for each in self.waits:
            if each.after * 1e9 >= limits.idle:
                idle = f"after {limits.idle / 1e9:g} s (limits.idle) a stream is over"
                msg = f"waits {each.name!r}: {idle}: {each.after:g} s is never reached"
                raise ValueError(msg)
        first, later = (
            tuple(sorted({round(each.after * 1e9) for each in self.waits if each.first == first}))
            for first in (True, False)
        )
        return Directory(replace(limits, first=first, later=later), self.readers)

    def measuring(self) -> Dynamics:
        """What keeps the measures up that anything looks at.

        :raises ValueError: If there is no signal to take them of, or nothing that looks at them.
        """
        if self.dynamics is None:
            name = Signal(self._measures[0]).name.lower()
            msg = f"something looks at {name!r}: [dynamics] must say of which signal it is taken"
            raise ValueError(msg)
        if not self._measures:
            msg = f"nothing looks at what [dynamics] measures: {', '.join(get_args(MeasureName))}"
            raise ValueError(msg)
        dynamics = self.dynamics
        signal = int(_SIGNALS[dynamics.signal])
        return Dynamics(signal, self._measures, dynamics.window, dynamics.dim, dynamics.lag)

    def dtw(self) -> Dtw:
        """A matcher of all patterns."""
        return Dtw(
            [
                Pattern(
                    e.name, int(_SIGNALS[e.signal]), e.values, e.within, self._codes[e.name],
                    e.normalised, e.radius,
                )
                for e in self.patterns
            ],
            error=self._codes[_UNMEASURED],
        )  # fmt: skip

    def shape(self, entry: PatternEntry) -> Shape:
        """A pattern for a running job, as it travels there.

        :raises ValueError: If a running job cannot look for it.
        """
        action = self._effective(entry.name, entry.action)
        shape = Shape(
            entry.name, int(_SIGNALS[entry.signal]), entry.values, entry.within,
            entry.normalised, entry.radius, int(_ACTIONS[action]), entry.description,
        )  # fmt: skip
        pattern_of(shape)
        return shape

    def lcs(self) -> Lcs:
        """What tells that a lane repeats a reference."""
        return Lcs(
            [Reference(e.name, e.text, e.similarity, self._codes[e.name], e.window) for e in self.references]
        )

    def edit(self) -> Edit:
        """A matcher of all phrases."""
        return Edit(
            [Phrase(e.name, text, e.errors, self._codes[e.name]) for e in self.phrases for text in e.texts]
        )

    def motif(self) -> Motif:
        """What tells that a lane repeats itself.

        :raises ValueError: If the policy has no ``motifs``.
        """
        if self.motifs is None:
            msg = "the policy has no [motifs]"
            raise ValueError(msg)
        motifs = self.motifs
        return Motif(self._codes[motifs.name], motifs.words, motifs.times, motifs.window)

    def loop(self) -> Loop:
        """What tells that a lane goes round."""
        return Loop(
            [Watch(e.name, self._codes[e.name], e.confidence, e.copies, e.wasted) for e in self.loops]
        )

    def drift(self) -> Drift:
        """What tells that a signal changed, and that nothing comes."""
        return Drift(
            [
                Change(
                    e.name, self._codes[e.name], int(_SIGNALS[e.signal]), e.method, e.false_alarm,
                    e.direction, e.reference,
                )
                for e in self.changes
            ],
            [Wait(e.name, self._codes[e.name], e.after, e.first) for e in self.waits],
        )  # fmt: skip

    def attractor(self) -> Attractor:
        """A classifier of regimes, where the policy wants one.

        :raises ValueError: If it has no ``regimes``.
        """
        if self.regimes is None:
            msg = "the policy has no [regimes]"
            raise ValueError(msg)
        codes = {regime: self._codes[regime.value] for regime in Regime}
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
            key=self.mask_key,
            fail_open=self.fail_open,
        )

    def policy(self) -> Policy:
        """The judge."""
        return Policy(
            self.actions,
            [
                Threshold(e.name, self._codes[e.name], int(_SIGNALS[e.signal]), e.above, e.below, e.after)
                for e in self.thresholds
            ],
        )
