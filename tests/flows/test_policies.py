"""The policy file: what it makes of text, and every way in which it can be wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bytewax.testing import TestingSink, TestingSource, run_main
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import policies
from flows.inflight import inflight
from flows.judgement import Judgement
from flows.policies import DEFAULT
from operators.attractor import Regime
from operators.directory import Limits
from operators.features import Features
from operators.packet import Action, Delta, Finish, Kind, Packet, pack
from operators.slots import slot_key

Write = Callable[..., str]
RULE = '[[rules]]\nname = "digits"\npattern = "K[0-9]{3}"\naction = "redact"\ndescription = "d"\n'
THRESHOLD = '[[thresholds]]\nname = "slow"\nsignal = "gap"\naction = "warn"\ndescription = "d"\n'
PATTERN = (
    '[[patterns]]\nname = "shape"\nsignal = "length"\nvalues = [1.0, 2.0]\nwithin = 0.1\ndescription = "d"\n'
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "policy.toml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def judged(judgement: Judgement, *texts: str) -> list[Packet]:
    """What a whole flow makes of one stream that says `texts`."""
    said = [("s", Delta(Kind.START, '{"provider":"","model":""}'))]
    said += [("s", Delta(Kind.TEXT, text, at=at * 10**9)) for at, text in enumerate(texts)]
    said.append(("s", Delta(Kind.END, finish=Finish.STOP, at=len(texts) * 10**9)))
    out: list[tuple[str, Packet]] = []
    source = TestingSource([(slot_key(0), pack(0, said, now=len(texts) * 10**9))])
    run_main(inflight(source, TestingSink(out), judgement, Limits()))  # type: ignore[no-untyped-call]
    return [packet for _, packet in out]


def released(packets: list[Packet]) -> str:
    return "".join(
        packet.released[row["start"] : row["end"]].decode() for packet in packets for row in packet.releases
    )


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.sampled_from(["jane@example.com ", "4111 1111 1111 1111 ", "é😀\n", "x", "078-05-1120"]),
        max_size=30,
    )
)
def test_an_empty_file_finds_masks_and_judges_nothing(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    file = tmp_path_factory.mktemp("policy") / "empty.toml"
    file.write_text("", encoding="utf-8")
    packets = judged(policies.load(str(file)), *texts)
    assert released(packets) == "".join(texts)
    assert sum(len(packet.findings) + len(packet.verdicts) for packet in packets) == 0


def test_the_shipped_policy_redacts_blocks_and_warns_as_the_design_says() -> None:
    judgement = policies.load(DEFAULT)
    actions = dict(zip(judgement.names, map(Action, judgement.actions), strict=True))
    assert {actions[name] for name in ("email", "card", "iban", "us-ssn", "github-token")} == {Action.REDACT}
    assert actions["private-key"] == Action.BLOCK
    assert {actions[name] for name in ("ignore-instructions", "loop", "stall")} == {Action.WARN}
    assert len(judgement.names) == len(judgement.reasons) == len(judgement.actions) == len(judgement.labels)
    said = "mail jane@example.com or pay 4111 1111 1111 1111 now", "-----BEGIN RSA PRIVATE KEY-----", "MIIE"
    assert released(judged(judgement, *said)) == "mail [EMAIL] or pay [CARD] now"


def test_the_shipped_policy_loads_while_a_person_does_not_notice() -> None:
    policies.load(DEFAULT)
    began = time.perf_counter()
    policies.load(DEFAULT)
    assert time.perf_counter() - began < 0.5


def test_packs_are_named_or_lie_beside_the_policy_and_come_before_its_own_rules(write: Write) -> None:
    write(RULE.replace("digits", "mine"), "pack.toml")
    path = write('packs = ["injection", "pack.toml"]\n' + RULE)
    names = policies.load(path).names
    assert names.index("ignore-instructions") < names.index("mine") < names.index("digits")


def test_an_action_can_be_overridden_by_name_for_everything_that_has_one(write: Write) -> None:
    path = write(
        'packs = ["personal"]\nactions = { email = "block", slow = "block", limit_cycle = "warn" }\n'
        + THRESHOLD + "above = 1.5\n" + '[regimes]\nsignal = "surprisal"\n'
    )  # fmt: skip
    judgement = policies.load(path)
    actions = dict(zip(judgement.names, map(Action, judgement.actions), strict=True))
    assert (actions["email"], actions["slow"]) == (Action.BLOCK, Action.BLOCK)
    assert (actions["card"], actions["limit_cycle"]) == (Action.REDACT, Action.WARN)
    assert released(judged(judgement, "to jane@example.com now")) == "to "


def test_a_mask_is_what_the_rule_says_or_its_name(write: Write) -> None:
    path = write(RULE + 'mask = "•••"\n' + RULE.replace("digits", "more").replace("K", "M"))
    assert released(judged(policies.load(path), "K123 M456.")) == "••• [MORE]."


def test_what_may_leave_does_not_depend_on_the_words_of_the_policy_but_its_rules(write: Write) -> None:
    path = write(RULE.replace('"redact"', '"warn"') + THRESHOLD + "above = 0.5\n")
    packets = judged(policies.load(path), "K123", " and", " on")
    assert released(packets) == "K123 and on"
    verdicts = [int(row["action"]) for packet in packets for row in packet.verdicts]
    assert verdicts == [Action.WARN] * 2


WRONG = {
    "no toml": ("packs = [", "not TOML: "),
    "unknown word": ("rulse = []", "rulse: Extra inputs are not permitted"),
    "unknown word in a rule": (RULE + 'actoin = "x"', "rules.0.actoin: Extra inputs are not permitted"),
    "missing word": ('[[rules]]\nname = "x"\npattern = "x"\naction = "warn"',
     "rules.0.description: Field required"),
    "unknown action": (RULE.replace("redact", "delete"),
     "rules.0.action: Input should be 'allow', 'warn', 'red"),
    "unknown signal": (THRESHOLD.replace("gap", "mood"),
     "thresholds.0.signal: Input should be 'gap', 'length'"),
    "a name that is none": (RULE.replace("digits", "Two Words"), "rules.0.name: String should match pattern"),
    "dialect": (RULE.replace("K[0-9]{3}", "(?<=a)b"), "rule 'digits': '(?<=a)b' is not in the dialect"),
    "empty match": (RULE.replace("K[0-9]{3}", "a*"), "rule 'digits': 'a*' matches the empty string"),
    "endless match": (RULE.replace("K[0-9]{3}", "a+"),
     "rule 'digits': 'a+' may match more than 512 characters"),
    "not ascii": (RULE.replace("K[0-9]{3}", "é"), "rule 'digits': 'é' is not ASCII"),
    "example": (RULE + 'examples = ["K12"]', "rule 'digits' does not match its example 'K12'"),
    "counter-example": (RULE + 'counter_examples = ["aK123"]',
     "rule 'digits' matches its counter-example 'aK123'"),
    "two of a name": (RULE + THRESHOLD.replace("slow", "digits") + "above = 1",
     "'digits' is the name of two things"),
    "the name of a regime": (RULE.replace("digits", "chaotic") + "[regimes]\nsignal = 'gap'",
     "'chaotic' is the name of two things"),
    "undecided text let go": (RULE + "[actions]\nundecided = 'warn'", "actions.undecided must be block"),
    "override of nothing": (RULE + "[actions]\ndigit = 'warn'",
     "actions.digit is the name of nothing in this policy: digits,"),
    "override with nothing": (RULE + "[actions]\ndigits = 'x'",
     "actions.digits: Input should be 'allow', 'warn'"),
    "no such pack": ('packs = ["mine"]',
     "packs: no pack 'mine'; shipped are injection, personal, secrets, a file's"),
    "no such pack file": ('packs = ["mine.toml"]', "packs: [Errno 2] No such file or directory"),
    "the policy as a pack": ('packs = ["default"]', "pack default: packs: Extra inputs are not permitted"),
    "limitless threshold": (THRESHOLD, "threshold 'slow' must have `above` or `below`"),
    "nan threshold": (THRESHOLD + "above = nan", "thresholds.0.above: Input should be greater than -inf"),
    "redacting threshold": (THRESHOLD.replace("warn", "redact") + "above = 1",
     "'slow' cannot redact: only a rule"),
    "redacting pattern": (PATTERN + 'action = "redact"',
     "'shape' cannot redact: only a rule knows what to cover"),
    "redacting override": (PATTERN + '[actions]\nshape = "redact"', "'shape' cannot redact: only a rule"),
    "redacting regime": ('[regimes]\nsignal = "gap"\nactions = { torus = "redact" }',
     "'torus' cannot redact"),
    "redacting the undecided": ('[actions]\nundecided = "redact"', "'undecided' cannot redact"),
    "short pattern": (PATTERN.replace("[1.0, 2.0]", "[1.0]"),
     "patterns.0.values: Tuple should have at least 2 it"),
    "negative within": (PATTERN.replace("0.1", "-0.1"),
     "patterns.0.within: Input should be greater than or equ"),
    "infinite pattern": (PATTERN.replace("2.0", "inf"), "'shape'"),
    "unknown regime": ('[regimes]\nsignal = "gap"\nactions = { mad = "warn" }', "regimes.actions.mad"),
    "short window": ('[regimes]\nsignal = "gap"\nwindow = 3',
     "regimes.window: Input should be greater than or equ"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_policy_is_refused_with_its_file_and_what_is_wrong(write: Write, case: str) -> None:
    text, wanted = WRONG[case]
    path = write(text)
    with pytest.raises(ValueError, match=r"^policy ") as caught:
        policies.load(path)
    assert wanted in str(caught.value)
    assert path in str(caught.value)


def test_a_pack_that_is_wrong_is_named_itself(write: Write, tmp_path: Path) -> None:
    path = write('packs = ["pack.toml"]')
    for text, wanted in (
        (b"rules = 5", "rules: "),
        (b"\xff", "invalid start byte"),
        (b"[[thresholds]]", "threshol"),
    ):
        (tmp_path / "pack.toml").write_bytes(text)
        with pytest.raises(ValueError, match=rf"^policy .*{wanted}"):
            policies.load(path)


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for name in ("none.toml", "bytes.toml", "."):
        with pytest.raises(ValueError, match=f"^policy {tmp_path}"):
            policies.load(str(tmp_path / name))


def test_every_regime_has_a_code_of_its_own_behind_everything_else(write: Write) -> None:
    names = policies.load(write(RULE + "[regimes]\nsignal = 'gap'")).names
    assert names == ["digits", "undecided", *(regime.value for regime in Regime)]
    assert policies.load(write(RULE)).names == ["digits", "undecided"]


def test_an_open_lane_takes_less_than_32_kib_under_the_default_policy() -> None:
    judgement = policies.load(DEFAULT)
    stages = (judgement.gate(), Features(), judgement.dtw(), judgement.attractor(), judgement.policy(),
              judgement.release())  # fmt: skip
    assert sum(stage.state_bytes for stage in stages) <= 32 * 1024
