"""What a policy file may say: its forms, key by key. ``flows.policies`` reads one, ``flows.judgement`` makes
the stages of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from operators.attractor import Regime

__all__ = [
    "ActionName",
    "ChangeEntry",
    "DynamicsEntry",
    "LoopEntry",
    "MeasureName",
    "MotifEntry",
    "PackFile",
    "PatternEntry",
    "PhraseEntry",
    "PolicyFile",
    "ReferenceEntry",
    "RegimeEntry",
    "RuleEntry",
    "ThresholdEntry",
    "WaitEntry",
]

ActionName = Literal["allow", "warn", "redact", "steer", "block", "stop", "would_redact", "would_block"]
"""``stop`` is ``block``, of something that has no text to keep back: the stream ends there."""
KindName = Literal["personal", "secret", "injection", "exfiltration", "tool", "markup", "custom"]
SeverityName = Literal["low", "medium", "high", "critical"]
MaskName = Literal["label", "stars", "last4", "hash"]
SignalName = Literal["gap", "length", "logprob", "surprisal", "novelty", "injection"]
MeasureName = Literal[
    "lyapunov", "permutation", "complexity", "determinism", "laminarity", "path", "velocity"
]
SeriesName = Literal[SignalName, MeasureName]
MethodName = Literal["cusum", "page_hinkley", "adwin", "bocpd"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Entry = TypeVar("Entry", bound=BaseModel)


def _one_of(entry: Entry, here: str, there: str) -> Entry:
    if bool(getattr(entry, here)) == bool(getattr(entry, there)):
        msg = f"must have either {here} or {there}"
        raise ValueError(msg)
    return entry


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

    signal: SeriesName
    """``logprob`` is in nats of surprise: the logarithm that the provider sends, without its minus."""
    above: Annotated[float, Field(gt=float("-inf"))] = float("inf")
    below: Annotated[float, Field(lt=float("inf"))] = float("-inf")
    after: Annotated[int, Field(ge=0, le=10**12)] = 0
    """Characters of the lane that must have passed."""


class PatternEntry(_Entry):
    """``[[patterns]]``: a shape to find in a signal."""

    signal: SeriesName
    """As of a threshold."""
    values: Annotated[tuple[float, ...], Field(max_length=4096)] = ()
    file: str = ""
    """In place of `values`: an NPZ beside the policy, each array of it a pattern ``name-array``."""
    within: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Largest distance: squared differences along the warping path, divided by the pattern's length."""
    normalised: bool = False
    """Pattern and window are scaled to mean 0 and deviation 1 first: a matter of form, not of level."""
    radius: Annotated[int, Field(ge=-1, le=4096)] = -1
    """How far a normalised window may be warped, in samples; -1 is a tenth of the pattern."""
    action: ActionName = "allow"

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        return _one_of(self, "values", "file")


class ReferenceEntry(_Entry):
    """``[[references]]``: a text that lanes should not repeat, even with words left out or put in."""

    text: str = ""
    file: str = ""
    """In place of `text`: a file beside the policy."""
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of the lane's last words that stand in the text, in its order."""
    window: Annotated[int, Field(ge=0, le=63)] = 0
    """How many last words; 0: as many as the text has, 63 at most."""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        return _one_of(self, "text", "file")


class PhraseEntry(_Entry):
    """``[[phrases]]``: to be found although some characters are wrong, missing or too many."""

    texts: tuple[str, ...] = ()
    file: str = ""
    """In place of `texts`: a file beside the policy, a phrase a line; a line that begins with # is none."""
    errors: Annotated[int, Field(ge=0, le=8)] = 1
    """Most characters that may be inserted, left out or replaced."""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        return _one_of(self, "texts", "file")


class MotifEntry(_Entry):
    """``[motifs]``: phrases that a lane itself says again and again."""

    name: Name = "motif"
    description: str = "the same words again and again"
    words: Annotated[int, Field(ge=2, le=64)] = 8
    """The shortest such phrase, in words."""
    times: Annotated[int, Field(ge=2, le=64)] = 3
    """How often it is said, without overlap, within the window."""
    window: Annotated[int, Field(ge=4, le=4096)] = 256
    """The last words that are looked at."""


class LoopEntry(_Entry):
    """``[[loops]]``: a text, or tool calls, that go round: what is said about it from when on."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """That it is a loop, and not a table, a list or data."""
    copies: Annotated[int, Field(ge=3, le=100_000)] = 3
    """How often it was said."""
    wasted: Annotated[int, Field(ge=0, le=10**9)] = 0
    """Tokens said since its first copy ended."""


class ChangeEntry(_Entry):
    """``[[changes]]``: a signal that is not what it was."""

    signal: SeriesName
    method: MethodName = "cusum"
    false_alarm: Annotated[float, Field(ge=1e-6, le=1e-3)] = 1e-4
    """Alarms a sample where nothing changes."""
    direction: Literal["up", "down", "both"] = "both"
    reference: Annotated[int, Field(ge=8, le=1024)] = 32
    """Samples that tell what is usual."""


class WaitEntry(_Entry):
    """``[[waits]]``: a stream that says nothing, told of while it does."""

    after: Annotated[float, Field(ge=0.1, le=1e6, allow_inf_nan=False)]
    """Seconds."""
    first: bool = False
    """After its start, before it said anything; else after it spoke."""


class DynamicsEntry(_Strict):
    """``[dynamics]``: of which signal the measures are taken that thresholds and patterns look at."""

    signal: SignalName
    window: Annotated[int, Field(ge=32, le=4096)] = 256
    """Samples that they are of."""
    dim: Annotated[int, Field(ge=1, le=10)] = 3
    lag: Annotated[int, Field(ge=1, le=64)] = 1


class RegimeEntry(_Strict):
    """``[regimes]``: which signal is classified, how often, and what to do about a regime."""

    signal: SeriesName
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
    references: tuple[ReferenceEntry, ...] = ()
    phrases: tuple[PhraseEntry, ...] = ()
    motifs: MotifEntry | None = None
    loops: tuple[LoopEntry, ...] = ()
    changes: tuple[ChangeEntry, ...] = ()
    waits: tuple[WaitEntry, ...] = ()
    dynamics: DynamicsEntry | None = None
    regimes: RegimeEntry | None = None
    actions: Mapping[str, ActionName] = {}
    """Other actions for things by name: ``email = "block"``."""


class PackFile(_Strict):
    """A pack, as written: rules, and what kind they are of where they do not say."""

    kind: KindName = "custom"
    rules: tuple[RuleEntry, ...] = ()
