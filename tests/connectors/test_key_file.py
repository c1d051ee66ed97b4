"""The file of keys while a gateway runs: what changes in it holds, what is wrong with it changes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from connectors._access import Access, Refusal
from connectors._key_file import KeyFile
from connectors._keys import hashed
from connectors._origins import Origins
from tests.connectors.door import HOST, NAMES, Door


def changed(path: Path) -> None:
    """Make it look changed, however coarse the file system's clock."""
    later = time.time() + 10
    os.utime(path, (later, later))


def test_a_key_that_is_taken_away_lets_nobody_in_any_more(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.admit()
    door.path.write_text("", encoding="utf-8")
    door.file.look()
    assert door.refused().kind == "unauthorized"


def test_a_wrong_file_leaves_the_keys_as_they_were_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door(tmp_path)
    for wrong in (
        '[keys.ci]\nhash = "',
        "[keys.ci]\nhash = 3",
        f'[keys.b]\nhash = "{hashed("x")}"\nupstreams = ["x"]',
    ):
        caplog.clear()
        door.path.write_text(wrong, encoding="utf-8")
        changed(door.path)
        door.file.look()
        door.file.look()
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert f"keys {door.path}: " in caplog.text
        door.admit()
    caplog.clear()
    door.path.unlink()
    door.file.look()
    door.file.look()
    assert caplog.text.count("No such file") == 1
    door.admit()
    door.write("disabled = true")
    door.file.look()
    assert str(door.refused()) == "the key is disabled"


def test_limits_that_change_hold_at_once_and_what_was_used_stays_used(tmp_path: Path) -> None:
    door = Door(tmp_path, "requests_per_minute = 2")
    door.admit()
    door.admit()
    door.write("requests_per_minute = 60")
    door.file.look()
    assert door.refused().retry_after == pytest.approx(1)


def test_until_a_limit_changes_it_refills_as_fast_as_it_was(tmp_path: Path) -> None:
    door = Door(tmp_path, "requests_per_minute = 2")
    door.admit()
    door.admit()
    door.clock.now += 30
    door.write("requests_per_minute = 60")
    door.file.look()
    door.admit()
    door.refused()


def test_a_wrong_file_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    for content, why in ((b"\xff", "no UTF-8"), (b"[", "no TOML"), (b"#" * (5 << 20), "more than")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"keys {path}: {why}"):
            KeyFile(str(path), NAMES)
    with pytest.raises(ValueError, match="No such file"):
        KeyFile(str(tmp_path / "none"), NAMES)
    with pytest.raises(ValueError, match="Is a directory"):
        KeyFile(str(tmp_path), NAMES)


def test_the_file_is_followed_while_the_loop_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors._key_file._EVERY", 0.01)
    door = Door(tmp_path)

    async def run() -> None:
        following = asyncio.create_task(door.access.follow())
        door.write("disabled = true")
        for _ in range(500):
            await asyncio.sleep(0.01)
            with suppress(Refusal):
                door.admit()
                continue
            break
        assert str(door.refused()) == "the key is disabled"
        assert not following.done()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    asyncio.run(run())


def test_without_keys_there_is_nothing_to_follow_and_a_callers_key_goes_on() -> None:
    access = Access(None, Origins())
    asyncio.run(access.follow())
    headers = [(b"authorization", b"Bearer sk-providers-own")]
    assert access.forwarded(headers, [("key", "k")]) == (headers, [("key", "k")])


def test_with_keys_no_key_goes_on(tmp_path: Path) -> None:
    door = Door(tmp_path)
    headers = [(b"authorization", f"Bearer {door.key}".encode()), (b"x-api-key", b"other"), *HOST]
    assert door.access.forwarded(headers, [("key", "k"), ("alt", "sse")]) == (HOST, [("alt", "sse")])
