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
    "MotifEntry",
    "PackFile",
    "PatternEntry",
    "PhraseEntry",
    "PolicyFile",
    "ReferenceEntry",
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

    signal: SignalName
    """``logprob`` is in nats of surprise: the logarithm that the provider sends, without its minus."""
    above: Annotated[float, Field(gt=float("-inf"))] = float("inf")
    below: Annotated[float, Field(lt=float("inf"))] = float("-inf")
    after: int = 0


class PatternEntry(_Entry):
    """``[[patterns]]``: a shape to find in a signal."""

    signal: SignalName
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
    references: tuple[ReferenceEntry, ...] = ()
    phrases: tuple[PhraseEntry, ...] = ()
    motifs: MotifEntry | None = None
    regimes: RegimeEntry | None = None
    actions: Mapping[str, ActionName] = {}
    """Other actions for things by name: ``email = "block"``."""


class PackFile(_Strict):
    """A pack, as written: rules, and what kind they are of where they do not say."""

    kind: KindName = "custom"
    rules: tuple[RuleEntry, ...] = ()
