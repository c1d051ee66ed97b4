"""The policy file: what it makes of text, and every way in which it can be wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from bytewax.testing import TestingSink, TestingSource, run_main
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._records import Error, Recorder, Verdict
from flows import policies
from flows.inflight import inflight
from flows.judgement import Judgement
from flows.policies import DEFAULT
from operators.attractor import Regime
from operators.directory import Directory, Limits
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


def test_a_label_is_what_the_rule_says_or_its_name(write: Write) -> None:
    path = write(RULE + 'label = "•••"\n' + RULE.replace("digits", "more").replace("K", "M"))
    assert released(judged(policies.load(path), "K123 M456.")) == "••• [MORE]."


def test_what_may_leave_does_not_depend_on_the_words_of_the_policy_but_its_rules(write: Write) -> None:
    path = write(RULE.replace('"redact"', '"warn"') + THRESHOLD + "above = 0.5\n")
    packets = judged(policies.load(path), "K123", " and", " on")
    assert released(packets) == "K123 and on"
    verdicts = [int(row["action"]) for packet in packets for row in packet.verdicts]
    assert verdicts == [Action.WARN] * 2


def test_what_is_monitored_is_reported_and_nothing_else_is_done(write: Write) -> None:
    block = RULE.replace("digits", "word").replace("K[0-9]{3}", "STOP").replace("redact", "block")
    path = write("monitor = true\n" + RULE + block + THRESHOLD.replace("warn", "block") + "above = 0.5\n")
    judgement = policies.load(path)
    packets = judged(judgement, "K123 and ", "STOP it")
    assert released(packets) == "K123 and STOP it"
    verdicts = [int(row["action"]) for packet in packets for row in packet.verdicts]
    assert sorted(verdicts) == [Action.WOULD_REDACT, Action.WOULD_BLOCK, Action.WOULD_BLOCK]
    actions = dict(zip(judgement.names, judgement.actions, strict=True))
    assert actions["undecided"] == Action.BLOCK, "what cannot be decided stays"


def test_one_thing_alone_can_be_monitored(write: Write) -> None:
    path = write(
        RULE + RULE.replace("digits", "more").replace("K", "M") + '[actions]\nmore = "would_redact"\n'
    )
    assert released(judged(policies.load(path), "K123 M456.")) == "[DIGITS] M456."


def test_nothing_waits_for_what_is_only_reported(write: Write) -> None:
    for action, held in (("redact", 3), ("would_redact", 0), ("warn", 0)):
        judgement = policies.load(write(RULE.replace("redact", action).replace("K[0", "K: [0")))
        packet = judged(judgement, "a K: ", "x")[0]
        assert packet.vetted["upto"].tolist()[0] == 5 - held


@pytest.mark.parametrize(
    ("mask", "said", "left"),
    [
        ("label", "a K123.", "a [DIGITS]."),
        ("stars", "a K123.", "a ****."),
        ("last4", "a K123456789012.", "a *********9012."),
        ("last4", "a K123.", "a ****."),
    ],
)
def test_a_mask_is_shown_in_its_style(write: Write, mask: str, said: str, left: str) -> None:
    rule = RULE.replace("[0-9]{3}", "[0-9]{3,20}") + f'mask = "{mask}"\n'
    for texts in ((said,), tuple(said)):
        assert released(judged(policies.load(write(rule)), *texts)) == left


def test_a_hash_is_the_same_for_the_same_text_and_its_key_is_shown_nowhere(write: Write) -> None:
    path, key = write(RULE + 'mask = "hash"\n'), b"a key that is long enough"
    judgement = policies.load(path, key)
    left = released(judged(judgement, "K123 K124 K123."))
    first, second, third = left.removesuffix(".").split(" ")
    assert re.fullmatch(r"\[DIGITS:[0-9a-f]{12}\]", first)
    assert (first == third, first == second) == (True, False)
    assert key.decode() not in f"{judgement} {judgement!r} {judgement.fingerprint}"
    assert judgement.fingerprint == policies.load(path, b"another key, as long").fingerprint
    assert policies.load(write(RULE.replace("redact", "warn") + 'mask = "hash"\n')).names[0] == "digits"


def test_the_most_severe_of_overlapping_rules_names_what_is_covered(write: Write) -> None:
    low = RULE.replace("digits", "long").replace("K[0-9]{3}", "K[0-9]{3}-[0-9]{2}") + 'severity = "low"\n'
    path = write(RULE.replace("digits", "short") + 'severity = "high"\n' + low)
    assert released(judged(policies.load(path), "a K123-45.")) == "a [SHORT]."
    path = write(RULE.replace("digits", "short") + low.replace('"low"', '"medium"'))
    assert released(judged(policies.load(path), "a K123-45.")) == "a [LONG]."


def test_another_policy_has_another_fingerprint(write: Write) -> None:
    texts = (RULE, RULE.replace("3", "4"), RULE + 'severity = "low"\n', RULE + "[actions]\ndigits = 'warn'\n",
             "monitor = true\n" + RULE, RULE + "[regimes]\nsignal = 'gap'\n", "")  # fmt: skip
    assert len({policies.load(write(text)).fingerprint for text in texts}) == len(texts)
    assert (
        policies.load(write(RULE, "a.toml")).fingerprint == policies.load(write(RULE, "b.toml")).fingerprint
    )


def test_what_is_said_about_a_match_is_in_the_policys_own_words() -> None:
    """Every rule's examples: reasons, errors and audit records consist of names and descriptions, numbers and
    nothing else, so that no match is in them.
    """
    judgement = policies.load(DEFAULT)
    stages = [Directory(), judgement.gate(), judgement.policy(), judgement.release(), judgement.audit(b"")]
    recorder = Recorder(judgement.names, judgement.reasons)
    seen = set()
    for number, entry in enumerate(judgement.entries):
        said = [(f"s{number}", Delta(Kind.TEXT, text, item=item)) for item, text in enumerate(entry.examples)]
        start, end = (
            (f"s{number}", Delta(kind, "{}" * (kind == Kind.START))) for kind in (Kind.START, Kind.END)
        )
        packet = pack(0, [start, *said, end], now=0)
        for stage in stages[:4]:
            packet = stage.update(packet)
        for record in recorder.records(packet):
            if isinstance(record, Verdict):
                assert judgement.reasons[judgement.names.index(record.rule)] == record.reason
                seen.add(record.rule)
            assert not isinstance(record, Error)
        for line in stages[4].update(packet).released.splitlines():
            told = orjson.loads(line)
            assert {told.pop("rule"), told.pop("stream")} <= {*judgement.names, "", f"s{number}"}
            assert told.pop("lane") in {"", *(f"text/0/{item}" for item in range(len(said)))}
            assert told.pop("action") in {action.name.lower() for action in Action} | {"end"}
            assert told.pop("finish") in {"", "none", "blocked"}
            assert re.fullmatch(
                r"audit[0-9a-f]{16}([0-9a-f]{64}){2}",
                "".join(told.pop(key) for key in ("type", "policy", "previous", "hash")),
            )
            assert all(isinstance(value, int) for value in told.values())
    acted = {e.name for e, a in zip(judgement.entries, judgement.actions, strict=False) if a != Action.ALLOW}
    blocked = sum(action == Action.BLOCK for action in judgement.actions)
    assert len(acted - seen) <= blocked, "a block may stand before what the same packet holds"


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
    "dialect": (RULE.replace("K[0-9]{3}", "(?<=a)b"), "rule 'digits': '(?<=a)b': "),
    "empty match": (RULE.replace("K[0-9]{3}", "a*"), "rule 'digits': 'a*': it matches the empty string"),
    "endless match": (RULE.replace("K[0-9]{3}", "a+"),
     "rule 'digits': 'a+': it may match more than 512 characters"),
    "unknown kind": (RULE + 'kind = "mystery"', "rules.0.kind: Input should be 'personal', 'secret'"),
    "unknown severity": (RULE + 'severity = "huge"', "rules.0.severity: Input should be 'low', 'medium'"),
    "unknown mask": (RULE + 'mask = "fog"', "rules.0.mask: Input should be 'label', 'stars', 'last4' or 'h"),
    "unknown check": (RULE + 'check = "gut"', "rule 'digits': no check 'gut'; there are "),
    "near is none": (RULE + 'near = "("', "rule 'digits': near: '(' is no expression: "),
    "redacting what may have left": (RULE + "detect = true",
     "rule 'digits' cannot redact: with detect = true its match may have left"),
    "a hash without a key": (RULE + 'mask = "hash"',
     "rule 'digits': mask = \"hash\" needs the key of the hashes: set mask_key, best as MIDSTREAM_MASK_KEY"),
    "monitoring a redacting threshold": (
        "monitor = true\n" + THRESHOLD.replace("warn", "redact") + "above = 1",
        "'slow' cannot redact: only a rule",
    ),
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
     "packs: no pack 'mine'; shipped are exfiltration, injection, markup, personal,"),
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
     "'shape' must have 2 to 4096 values"),
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


def test_every_regime_has_a_code_of_its_own_behind_the_rules(write: Write) -> None:
    names = policies.load(write(RULE + "[regimes]\nsignal = 'gap'")).names
    assert names == ["digits", "undecided", *(regime.value for regime in Regime), "unmeasured"]
    assert policies.load(write(RULE)).names == ["digits", "undecided", "unmeasured"]


def test_an_open_lane_takes_less_than_34_kib_under_the_default_policy() -> None:
    judgement = policies.load(DEFAULT)
    analyses = [make() for _, make in judgement.analyses]
    stages: list[Any] = [judgement.gate(), Features(), *analyses, judgement.policy(), judgement.release()]
    assert sum(stage.state_bytes for stage in stages) <= 34 * 1024
