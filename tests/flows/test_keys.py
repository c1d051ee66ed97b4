"""``midstream keys``: what is made, what is kept, what is shown."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors._keys import hashed, parse, right
from flows.keys import app


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, and no variable of ours."""
    for name in [name for name in os.environ if name.upper().startswith("MIDSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str, said: str = "") -> tuple[int, str, str]:
    """The exit status, and what was said on both streams."""
    result = CliRunner().invoke(app, [*args], input=said)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_a_key_is_printed_once_and_its_hash_kept_where_only_the_owner_reads() -> None:
    status, key, told = run("new", "ci", "--file", "keys.toml")
    key = key.strip()
    assert (status, told) == (0, "added to keys.toml; the key is shown this once:\n")
    kept = Path("keys.toml").read_text(encoding="utf-8")
    assert key not in kept
    assert right(key, parse(kept)["ci"])
    assert stat.S_IMODE(Path("keys.toml").stat().st_mode) == 0o600


def test_all_that_is_said_of_a_key_is_kept() -> None:
    status, key, _ = run(
        "new", "ci", "--file", "keys.toml", "--scope", "chat", "--scope", "models", "--upstream", "openai",
        "--requests-per-minute", "60", "--tokens-per-minute", "1000", "--tokens-per-day", "5000",
        "--days", "30",
    )  # fmt: skip
    assert status == 0
    known = parse(Path("keys.toml").read_text(encoding="utf-8"))["ci"]
    assert (known.hash, known.scopes, known.upstreams) == (
        hashed(key.strip()),
        ("chat", "models"),
        ("openai",),
    )
    assert (known.requests_per_minute, known.tokens_per_minute, known.tokens_per_day) == (60, 1000, 5000)
    assert known.expires is not None
    assert known.expires.tzinfo is not None


def test_a_key_is_added_and_what_is_there_stays_as_it_is() -> None:
    path = Path("keys.toml")
    path.write_text(f'# by hand\n[keys.first]\nhash = "{hashed("x")}"', encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert run("new", "second", "--file", "keys.toml")[0] == 0
    assert run("new", "--file", "keys.toml")[0] == 0
    after = path.read_text(encoding="utf-8")
    assert after.startswith(before + "\n[keys.second]\n")
    assert len(parse(after)) == 3
    status, key, told = run("new", "second", "--file", "keys.toml")
    assert (status, key, told) == (2, "", "there is a key 'second' in keys.toml already\n")
    assert path.read_text(encoding="utf-8") == after


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["A-B"], "the id of a key has"),
        (["ci", "--scope", "chats"], "no such scope"),
        (["ci", "--upstream", "a b"], "upstreams"),
        (["ci", "--file", "none/keys.toml"], "none/keys.toml: No such file"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(args: list[str], why: str) -> None:
    status, out, told = run("new", "--file", "keys.toml", *args)
    assert (status, out) == (2, "")
    assert why in told
    assert not Path("keys.toml").exists()


def test_a_file_that_is_wrong_is_not_added_to() -> None:
    Path("keys.toml").write_text("[keys", encoding="utf-8")
    status, _, told = run("new", "ci", "--file", "keys.toml")
    assert status == 2
    assert told.startswith("keys.toml: no TOML")
    assert Path("keys.toml").read_text(encoding="utf-8") == "[keys"


def test_a_key_can_be_hashed_without_being_said_in_the_command() -> None:
    _, key, _ = run("new", "ci", "--file", "keys.toml")
    status, table, _ = run("hash", said=key)
    assert status == 0
    assert right(key.strip(), parse(table)["ci"])
    status, out, told = run("hash", said="sk-proj-something\n")
    assert (status, out) == (2, "")
    assert "sk-proj" not in told


def test_keys_are_listed_with_what_they_are_for_and_without_their_hashes() -> None:
    run("new", "b", "--file", "keys.toml", "--scope", "chat", "--days", "1")
    with Path("keys.toml").open("a", encoding="utf-8") as file:
        file.write(f'[keys.a]\nhash = "{hashed("x")}"\nexpires = 2020-01-01T00:00:00Z\n')
        file.write(f'[keys.c]\nhash = "{hashed("y")}"\ndisabled = true\n')
    status, listed, _ = run("list", "--file", "keys.toml", "--json")
    rows = [json.loads(line) for line in listed.splitlines()]
    assert status == 0
    assert [(row["id"], row["state"]) for row in rows] == [
        ("a", "expired"),
        ("b", "valid"),
        ("c", "disabled"),
    ]
    assert rows[1]["scopes"] == ["chat"]
    assert "sha256" not in listed
    table = run("list", "--file", "keys.toml")[1]
    assert "expired" in table
    assert "sha256" not in table


def test_without_a_file_it_is_said_how_to_name_one() -> None:
    assert run("list") == (2, "", "name a file: --file FILE, or gateway.keys in the settings\n")


def test_the_file_of_the_settings_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDSTREAM_GATEWAY__KEYS", "set.toml")
    assert run("new", "ci")[0] == 0
    assert list(parse(Path("set.toml").read_text(encoding="utf-8"))) == ["ci"]
