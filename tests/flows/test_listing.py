"""``midstream rules``: what each rule does, for a person and for a program."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from flows.__main__ import app

POLICY = """
[[rules]]
name = "digits"
kind = "personal"
pattern = 'K[0-9]{3}'
severity = "high"
mask = "last4"
check = "luhn"
near = "card"
action = "redact"
description = "personal data: digits"
[[rules]]
name = "order"
kind = "injection"
pattern = "ignore all rules"
folded = true
action = "warn"
description = "injection: an order"
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path / "policy.toml"


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["rules", *map(str, arguments)])


def test_rules_are_listed_with_what_they_do_and_cost(policy: Path) -> None:
    done = invoke("--policy", policy)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].split() == ["name", "kind", "severity", "action", "mask", "hold", "reads", "behind", "it"]
    assert lines[1].split() == "digits personal high redact last4 4 plain luhn, near".split()  # noqa: SIM905
    assert lines[2].split()[:5] == ["order", "injection", "medium", "warn", "none"]
    assert "letters, rot13, reversed" in lines[2]
    assert lines[-1].startswith("2 rules, 1 of them hold text back; ")


def test_a_program_gets_the_same_as_json(policy: Path) -> None:
    listed = orjson.loads(invoke("--policy", policy, "--json").output)
    assert [rule["name"] for rule in listed["rules"]] == ["digits", "order"]
    assert listed["rules"][0]["hold"] == 4
    assert listed["rules"][1]["hold"] == 0
    assert listed["states"] > 10
    assert len(listed["policy"]) == 16


def test_a_policy_that_cannot_be_is_refused_with_status_2(policy: Path) -> None:
    policy.write_text(POLICY.replace("K[0-9]{3}", "a*"))
    done = invoke("--policy", policy)
    assert (done.exit_code, "it matches the empty string" in done.output) == (2, True)
