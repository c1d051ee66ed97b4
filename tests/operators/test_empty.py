"""Packets that say nothing, through every stage: of no deltas, or what is left of one that failed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from operators.attractor import Attractor, Regime
from operators.automaton import Rule, compiled
from operators.directory import Directory
from operators.drift import Change, Drift, Wait
from operators.dtw import Dtw, Pattern
from operators.dynamics import Dynamics
from operators.edit import Edit, Phrase
from operators.features import Features
from operators.gate import Gate
from operators.lcs import Lcs, Reference
from operators.loop import Loop, Watch
from operators.motif import Motif
from operators.packet import Action, Packet, Signal, pack
from operators.policy import Policy, Threshold
from operators.scorer import Scorer
from operators.slots import Stage, _rows_only
from operators.words import Words
from tests import stages

MAKERS: list[Callable[[], Stage]] = [
    Directory,
    lambda: Gate(compiled((Rule("word", "ab"),)), [Rule("word", "ab")], [0, 1]),
    Features,
    Scorer,
    lambda: Dtw(
        [
            Pattern("step", Signal.LENGTH, (0.0, 1.0), 0.1, 0),
            Pattern("form", Signal.LENGTH, (0.0, 1.0), 0.1, 0, normalised=True),
        ]
    ),
    lambda: Attractor(Signal.LENGTH, 64, 16, {regime: code for code, regime in enumerate(Regime)}),
    lambda: Dynamics(Signal.LENGTH, [Signal.PATH, Signal.PERMUTATION], window=64),
    Words,
    lambda: Lcs([Reference("text", "one two three four", 0.8, 0)]),
    lambda: Motif(0),
    lambda: Edit([Phrase("phrase", "some words", 1, 0)]),
    lambda: Loop([Watch("loop", 0)]),
    lambda: Drift([Change("change", 0, Signal.SURPRISAL, false_alarm=1e-3)], [Wait("wait", 0, 1.0)]),
    lambda: Policy([Action.WARN], [Threshold("long", 0, Signal.LENGTH, above=3.0)]),
]
TEXT = "one, two. Three four: ab, and som words; " + "and so on and on, " * 30
SAID = stages.whole("a", TEXT, (k for k in range(len(TEXT)) if k % 7 in {0, 2, 3}))
CUTS = [8, 90, 150]

every_stage = pytest.mark.parametrize("make", MAKERS, ids=lambda make: type(make()).__name__)


def spoken(stage: Stage) -> list[Packet]:
    """What `stage` is given of one lane, with samples, words and a finding: it opens, goes on, and closes."""
    if isinstance(stage, Directory):
        return [pack(0, piece, now=0) for piece in stages.cut(SAID, CUTS)]
    return stages.run(lambda: [Directory(), Features(), Scorer(), Words()], SAID, CUTS)


@every_stage
def test_a_packet_of_nothing_is_passed_on_and_changes_nothing(make: Callable[[], Stage]) -> None:
    stage, undisturbed = make(), make()
    nothing = pack(0, [], now=0).to_bytes()
    said = spoken(stage)
    added = 0
    for packet in said:
        assert stage.update(Packet.from_bytes(nothing)).to_bytes() == nothing
        told = undisturbed.update(packet).to_bytes()
        added += len(told) - len(packet.to_bytes())
        assert stage.update(packet).to_bytes() == told
    assert added > 0
    assert stage.dump() == undisturbed.dump() == make().dump()


@every_stage
def test_of_a_packet_that_failed_rows_open_and_close_and_no_more(make: Callable[[], Stage]) -> None:
    stage = make()
    opening, *going_on, closing = map(_rows_only, spoken(stage))
    assert len(opening.opened) == (not isinstance(stage, Directory))
    for packet in (opening, *going_on):
        assert not len(packet.deltas)
        assert stage.update(packet).to_bytes() == packet.to_bytes()
    stage.update(closing)
    assert stage.dump() == make().dump()
