"""The gate as a stage: lanes apart, packets and restarts unseen, its dialect, its promise, its packs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import policies
from operators.automaton import MAX_HOLD, Rule
from operators.directory import Directory
from operators.gate import Gate
from operators.kernels import match
from operators.packet import Action, Delta, Kind, Packet, Reach, pack
from tests import naive_match as naive
from tests.stages import CUTS, TEXT, Make, Said, guard, lane_of, outcomes, released, run, say, whole, woven

RULES = [("a( b)?b", False), ("ba{1,3}", True), ("[^a] [^ ]?b", False), ("aba|ab b", False)]
LONG = [Rule("mail", "[ab]+[^ab ][ab]+", longest=6), Rule("key", "b b[ab]{2,}", longest=5)]
TEXTS = st.text(naive.ALPHABET, max_size=14)


def gate(rules: list[tuple[str, bool]]) -> Make:
    made = [Rule(str(i), pattern, bounded) for i, (pattern, bounded) in enumerate(rules)]
    return lambda: [Directory(), Gate(made, range(len(made) + 1))]


def found(packets: list[Packet]) -> list[tuple[Any, ...]]:
    """Findings by lane name, in order."""
    return [
        (
            lane_of(packet, f["delta"]),
            *(int(f[n]) for n in ("kind", "code", "begin", "stop", "decided", "upto")),
        )
        for packet in packets
        for f in packet.findings
    ]


def marks(packets: list[Packet]) -> list[tuple[Any, int]]:
    return [(lane_of(p, v["delta"]), int(v["upto"])) for p in packets for v in p.vetted]


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(TEXTS, TEXTS, TEXTS),
    CUTS,
    st.lists(st.integers(0, 2), max_size=30),
    CUTS,
    st.sets(st.integers(0, 6)),
)
def test_lanes_packets_and_restarts_do_not_mix(
    texts: tuple[str, str, str], chunks: list[int], turns: list[int], cuts: list[int], reload: set[int]
) -> None:
    speeches = [
        whole("s", texts[0], chunks),
        [*say("t", texts[1], range(14)), *say("t", "", ()), ("t", Delta(Kind.END))],
        [*say("u", texts[2], chunks, item=1), *say("u", texts[0], [1], item=2), ("u", Delta(Kind.END))],
    ]
    said = woven(speeches, turns)
    packets = run(gate(RULES), said, cuts, reload)
    assert found(packets) == found(run(gate(RULES), said))
    assert marks(packets) == marks(run(gate(RULES), said))
    for stream, item, text in (
        ("s", 0, texts[0]),
        ("t", 0, texts[1]),
        ("u", 1, texts[2]),
        ("u", 2, texts[0]),
    ):
        mine = [f[2:5] for f in found(packets) if f[0].stream == stream and f[0].item == item]
        assert sorted(mine) == sorted(m[:3] for m in naive.found(RULES, text))


@settings(max_examples=150, deadline=None)
@given(st.text("ab é", max_size=40), CUTS, CUTS, st.sets(st.integers(0, 6)))
def test_rules_that_slide_do_not_see_the_cutting_either(
    text: str, chunks: list[int], cuts: list[int], reload: set[int]
) -> None:
    def make() -> list[Any]:
        return [Directory(), Gate(LONG, range(3))]

    fine = run(make, whole("s", text, range(40)))
    coarse = run(make, whole("s", text, chunks), cuts, reload)
    assert found(coarse) == found(fine)
    assert max((held(p) for p in fine), default=0) < make()[1].hold


def held(packet: Packet) -> int:
    """The most characters that were read and not vetted after any delta."""
    texts = packet.deltas[packet.vetted["delta"]]
    return int((texts["begin"] + texts["chars"] - packet.vetted["upto"]).max(initial=0))


def test_every_text_delta_and_every_close_is_vetted() -> None:
    (packet,) = run(gate(RULES), [*say("s", "ab é", [1, 2]), *say("s", "b", item=1), ("s", Delta(Kind.END))])
    spoken = [i for i, d in enumerate(packet.deltas) if d["kind"] in (Kind.TEXT, Kind.CLOSE)]
    assert packet.vetted["delta"].tolist() == spoken


def test_a_gate_without_rules_vets_everything_at_once() -> None:
    (packet,) = run(gate([]), whole("s", "ab é", [1, 2]))
    assert packet.vetted["upto"].tolist() == [1, 2, 4, 4]
    assert not len(packet.findings)


def test_findings_carry_the_codes_they_were_given() -> None:
    stage = Gate([Rule("one", "ab"), Rule("two", "[^ab] ")], [17, 4, 99])
    (packet,) = run(lambda: [Directory(), stage], whole("s", "ab é ab"))
    assert packet.findings["code"].tolist() == [17, 4, 17]
    assert set(packet.findings["kind"]) == {Reach.RULE}
    assert set(packet.findings["value"]) == {1.0}


@pytest.mark.parametrize("chunks", [[], range(60)])
def test_an_overflow_of_threads_ends_the_stream_and_holds_back_what_is_undecided(chunks: list[int]) -> None:
    rule = Rule(
        "r", "a[^ab]{0,200}b|xy"
    )  # behind one undecided start, every xy waits with a thread of its own
    text = "--xy-a" + "xy" * 20 + "b--xy"
    packets = run(guard([rule], [Action.REDACT]), [*whole("s", text, chunks), *whole("t", "xy")])
    assert {lane.stream: said for lane, said in released(packets).items()} == {"s": "--<r>-", "t": "<r>"}
    assert outcomes(packets)[1] == ("s", "END", "BLOCKED")
    undecided = [f for f in found(packets) if f[2] == 1]
    assert [f[3] for f in undecided] == [5]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Rule("r", "a("), "not in the dialect"),
        (Rule("r", "^ab"), "not in the dialect"),
        (Rule("r", "ab$"), "not in the dialect"),
        (Rule("r", r"\bab"), "not in the dialect"),
        (Rule("r", r"(a)\1"), "not in the dialect"),
        (Rule("r", "a*", longest=5), "matches the empty string"),
        (Rule("r", ""), "matches the empty string"),
        (Rule("r", "é"), "not ASCII"),
        (Rule("r", "[é-ü]"), "not ASCII"),
        (Rule("r", "ab+"), "may match more than 512 characters"),
        (Rule("r", "ab+", longest=MAX_HOLD + 1), "may match more than 512 characters"),
        (Rule("r", "ab+", longest=-1), "may match more than 512 characters"),
        (Rule("r", "a{513}"), "may match more than 512 characters"),
        (Rule("r", "ab{6,}", longest=6), "its shortest match takes 7 characters"),
        (Rule("r", "a{600}", longest=9), "its shortest match takes more than 512 characters"),
    ],
)
def test_a_rule_outside_the_dialect_is_refused(rule: Rule, why: str) -> None:
    with pytest.raises(ValueError, match=f"rule 'r'.*{why}"):
        Gate([rule], [0, 1])


def test_the_longest_rule_that_fits_is_taken() -> None:
    assert Gate([Rule("r", "a{512}")], [0, 1]).hold == MAX_HOLD + 1


def test_a_rule_above_the_budget_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operators.automaton.MAX_STATES", 20)
    with pytest.raises(ValueError, match="rule 'big': 41 states, the budget is 20"):
        Gate([Rule("big", "b{40}")], [0, 1])


def test_too_many_rules_or_too_few_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="65 rules, the matcher takes 64"):
        Gate([Rule(str(i), "ab") for i in range(65)], range(66))
    with pytest.raises(ValueError, match="1 rules need 2 codes, got 1"):
        Gate([Rule("r", "ab")], [0])


def test_sixty_four_rules_are_kept_apart() -> None:
    letters = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    stage = Gate([Rule(word, word) for word in letters], range(65))
    (packet,) = run(lambda: [Directory(), stage], whole("s", " ".join(letters)))
    assert packet.findings["code"].tolist() == list(range(64))


def test_state_of_other_rules_is_refused() -> None:
    dump = Gate([Rule("r", "ab")], [0, 1]).dump()
    with pytest.raises(ValueError, match="does not fit"):
        Gate([Rule("r", "ab"), Rule("q", "cd")], [0, 1, 2]).load(dump)


def test_the_matcher_is_compiled_once_whatever_the_packets() -> None:
    if not hasattr(match.advance, "signatures"):
        pytest.skip("the JIT is off")
    Gate([], [0]).warm()
    before = len(match.advance.signatures)
    for size in (1, 2, 5):
        said: list[Said] = [(f"s{i}", Delta(TEXT, "ab é")) for i in range(size)]
        run(gate(RULES), said, range(size))
    assert len(match.advance.signatures) == before


def _shipped() -> list[Any]:
    packs = [file for file in resources.files("operators.packs").iterdir() if file.name.endswith(".toml")]
    rules = [rule for file in packs for rule in tomllib.loads(file.read_text()).get("rules", [])]
    return [pytest.param(rule, id=rule["name"]) for rule in rules]


@pytest.mark.parametrize("rule", _shipped())
@pytest.mark.parametrize("step", [1, 1000])
def test_a_shipped_rule_finds_its_examples_and_lets_its_counter_examples_pass(rule: Any, step: int) -> None:
    made = Rule(rule["name"], rule["pattern"], rule.get("bounded", False), rule.get("longest", 0))
    assert rule["examples"]
    assert rule["counter_examples"]
    for text in rule["examples"]:
        around = f"é {text}, ü"
        (packet,) = run(lambda: [Directory(), Gate([made], [0, 1])], whole("s", around, range(0, 999, step)))
        assert len(packet.findings) == 1, text
        begin, stop = packet.findings[["begin", "stop"]][0]
        assert around[begin:stop] in text
    for text in rule["counter_examples"]:
        said = whole("s", text, range(0, 999, step))
        assert released(run(guard([made], [2]), said)) == {pack(0, said, now=0).lanes[0]: text}


def test_state_of_rules_of_the_same_size_is_refused() -> None:
    """Both have five threads; a state of the first may be no state of the second."""
    made = Gate([Rule("a", "ab{2,4}c")], [0, 1])
    for pattern in ("ab{2,4}d", "xb{2,4}c"):
        with pytest.raises(ValueError, match="another policy"):
            Gate([Rule("a", pattern)], [0, 1]).load(made.dump())


SECRETS = {
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJ" + "zdWIi" * 400 + ".c2lnbmF0dXJl",
    "provider-key": "sk-proj-" + "0123456789abcdefABCDEF" * 40,
    "github-token": "ghp_" + "0123456789abcdefghijklmnop" * 30,
    "slack-token": "xoxb-" + "0123456789-abcdef" * 40,
    "stripe-key": "sk_live_" + "0123456789abcdefABCD" * 40,
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_longer_than_its_rule_holds_back_leaves_no_character_of_it(name: str) -> None:
    secret = SECRETS[name]
    judgement = policies.load(policies.DEFAULT)
    for cut in (1, 7, len(secret)):
        texts = ["key ", *(secret[at : at + cut] for at in range(0, len(secret), cut)), " end"]
        stages = [Directory(), judgement.gate(), judgement.policy(), judgement.release()]
        packet = pack(0, [("s", Delta(Kind.START, "{}")), *(("s", Delta(Kind.TEXT, t)) for t in texts),
                          ("s", Delta(Kind.END))], now=0)  # fmt: skip
        for stage in stages:
            packet = stage.update(packet)
        released = packet.released.decode()
        assert released.replace(f"[{name.upper()}]", "") == "key  end"


def test_the_tables_are_the_same_in_every_process() -> None:
    """A thread that one process saved is a state number; Python's hashes differ from process to process."""
    told = (
        "from flows import policies; import zlib;"
        "tables = policies.load('default').gate()._automaton[:10];"
        "print(zlib.crc32(b''.join(table.tobytes() for table in tables)))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", told], env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True, check=True,
        ).stdout
        for seed in (1, 2, 3)
    }  # fmt: skip
    assert len(runs) == 1


AWS = guard([Rule("key", "(AKIA|ASIA)[A-Z2-7]{16}", bounded=True)], [Action.REDACT])


@pytest.mark.parametrize("before", ["\\n", "\\t", "\\\\\\n", " ", "\\"])
def test_a_word_begins_behind_an_escape_of_json(before: str) -> None:
    """Tool arguments are JSON text: the n of a line feed is no part of the key behind it."""
    packets = run(AWS, whole("s", f"key{before}AKIAIOSFODNN7EXAMPLE"))
    assert sum(len(packet.findings) for packet in packets) == 1


@pytest.mark.parametrize("before", ["n", "\\\\n", "\\nx"])
def test_a_letter_that_is_not_escaped_is_part_of_the_word(before: str) -> None:
    packets = run(AWS, whole("s", f"key{before}AKIAIOSFODNN7EXAMPLE"))
    assert sum(len(packet.findings) for packet in packets) == 0


def test_more_matches_than_the_kernel_is_given_room_for_are_all_found() -> None:
    made = [Rule("a", "a"), Rule("b", "[ab]")]
    deltas = [("s", Delta(Kind.TEXT, "ab" * 700)) for _ in range(9)]
    stages = [Directory(), Gate(made, range(3))]
    packet = pack(0, [("s", Delta(Kind.START, "{}")), *deltas, ("s", Delta(Kind.END))], now=0)
    for stage in stages:
        packet = stage.update(packet)
    assert len(packet.findings) == 9 * 700 * 3
    assert (np.diff(packet.findings["delta"]) >= 0).all()
