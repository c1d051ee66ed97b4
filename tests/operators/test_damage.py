"""State that was damaged: no stage takes any of it, so compiled code never follows what it says."""

from __future__ import annotations

import random

import pytest

from flows import policies
from operators.directory import Limits
from operators.features import Features
from operators.packet import Delta, Kind, pack
from operators.slots import Stage

_POLICY = """
packs = ["personal"]
[[waits]]
name = "silence"
description = "nothing comes"
after = 10.0
action = "warn"
[[loops]]
name = "round"
description = "it goes round"
action = "warn"
[motifs]
action = "warn"
[[thresholds]]
name = "jailbreak"
description = "it sounds like one"
signal = "injection"
above = 0.9
action = "warn"
"""
_SAID = "again and again, bob@example.com and 4111 1111 1111 "


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Stage, Stage]]:
    """By step: a stage in which lanes are open, and a new one."""
    file = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text(_POLICY)
    judgement = policies.load(str(file))

    def made() -> dict[str, Stage]:
        analyses = {step: make() for step, make in judgement.analyses}
        return {
            "directory": judgement.directory(Limits()), "gate": judgement.gate(), "features": Features(),
            **analyses, "policy": judgement.policy(), "release": judgement.release(),
        }  # fmt: skip

    before = made()
    begun, spoken = Delta(Kind.START, "{}"), Delta(Kind.TEXT, _SAID)
    said = [(f"s{number}", delta) for number in range(3) for delta in (begun, spoken)]
    packet = pack(0, said, now=1)
    for stage in before.values():
        packet = stage.update(packet)
    after = made()
    return {step: (before[step], after[step]) for step in before}


_STEPS = [
    "directory", "gate", "features", "scorer", "dtw", "words", "motif", "loop", "drift", "policy", "release",
]  # fmt: skip


def test_every_step_is_looked_at(stages: dict[str, tuple[Stage, Stage]]) -> None:
    assert list(stages) == _STEPS


@pytest.mark.parametrize("step", _STEPS)
def test_a_bit_that_fell_over_is_found_wherever_it_lies(
    stages: dict[str, tuple[Stage, Stage]], step: str
) -> None:
    whole, fresh = stages[step]
    dump = whole.dump()
    drawn = random.Random(step)
    places = drawn.sample(range(8 * len(dump)), min(8 * len(dump), 400))
    for place in places:
        damaged = bytearray(dump)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match="cut or damaged"):
            fresh.load(bytes(damaged))
    for size in drawn.sample(range(len(dump)), min(len(dump), 50)):
        with pytest.raises(ValueError, match="cut or damaged"):
            fresh.load(dump[:size])
    fresh.load(dump)
    assert fresh.dump() == dump
