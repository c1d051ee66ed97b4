"""Compiled rules in a file: the same tables, and nothing that can happen to the file fails a start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import cache
from operators.automaton import Automaton, Rule, compiled
from operators.tables import packed

RULES = (Rule("key", "sk-[A-Za-z0-9]{20,}", longest=64), Rule("phrase", "ignore (all )?rules", folded=True))
OTHERS = (RULES[0], Rule("phrase", "ignore (the )?rules", folded=True))


class Counting:
    """The compiler, counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, rules: tuple[Rule, ...]) -> Automaton:
        self.calls += 1
        return compiled(rules)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr(cache, "compiled", counting)
    return counting


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "_WORTH_KEEPING", 0)
    cache.automaton.cache_clear()
    yield tmp_path / "midstream"
    cache.automaton.cache_clear()


def anew(rules: tuple[Rule, ...] = RULES) -> Automaton:
    """What a new process would get."""
    cache.automaton.cache_clear()
    return cache.automaton(rules)


def same(one: Automaton, other: Automaton) -> bool:
    return packed(one) == packed(other)


def test_rules_are_compiled_once(folder: Path, compiler: Counting) -> None:
    first = anew()
    second = anew()
    assert compiler.calls == 1
    assert same(first, second)
    assert same(first, compiled(RULES))
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_every_difference_of_rules_has_its_own_file(folder: Path, compiler: Counting) -> None:
    anew(RULES)
    anew(OTHERS)
    anew(RULES[::-1])
    assert compiler.calls == len(list(folder.iterdir())) == 3


def test_a_damaged_file_is_as_good_as_none(folder: Path, compiler: Counting) -> None:
    anew()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    tables = compiled(RULES)
    other = packed(tables._replace(cells=tables.cells + 100_000))
    for damaged in (
        b"",
        whole[:-1],
        whole[: len(whole) // 2],
        whole.replace(b"\3", b"\4"),
        b"\0" * 99,
        other,
    ):
        file.write_bytes(damaged)
        calls = compiler.calls
        assert same(anew(), tables)
        assert compiler.calls == calls + 1
        assert file.read_bytes() == whole


def test_what_others_may_write_to_is_not_read(folder: Path, compiler: Counting) -> None:
    anew()
    (file,) = folder.iterdir()
    file.chmod(0o622)
    anew()
    assert compiler.calls == 2
    assert file.stat().st_mode & 0o777 == 0o600
    folder.chmod(0o777)
    anew()
    assert compiler.calls == 3
    folder.chmod(0o700)
    anew()
    assert compiler.calls == 3


def test_another_users_file_is_not_read(compiler: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    anew()
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    anew()
    assert compiler.calls == 2


def test_a_link_is_not_followed(folder: Path, compiler: Counting, tmp_path: Path) -> None:
    anew()
    (file,) = folder.iterdir()
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    anew()
    assert compiler.calls == 2
    assert not file.is_symlink()


def test_no_folder_can_be_made(tmp_path: Path, compiler: Counting) -> None:
    (tmp_path / "midstream").write_text("in the way")
    assert same(anew(), compiled(RULES))
    assert compiler.calls == 1


def test_no_home_and_no_sensible_setting(compiler: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        msg = "no home"
        raise RuntimeError(msg)

    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    monkeypatch.setattr(Path, "home", homeless)
    assert same(anew(), compiled(RULES))
    assert compiler.calls == 1


def test_a_write_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert same(anew(), compiled(RULES))
    assert list(folder.iterdir()) == []


def test_the_last_used_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_KEPT", 2)
    anew(RULES)
    anew(OTHERS)
    first, second = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.utime(first, ns=(1, 1))
    os.utime(second, ns=(2, 2))
    anew(RULES)  # used again: the other is now the oldest
    anew(RULES[:1])
    assert first.exists()
    assert not second.exists()
    assert len(list(folder.iterdir())) == 2


def test_what_is_compiled_quickly_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_WORTH_KEEPING", 2_000)
    anew()
    assert not folder.exists()


def test_a_rule_that_cannot_be_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="rule 'odd': "):
        anew((Rule("odd", "a*?"),))
    assert not folder.exists()
