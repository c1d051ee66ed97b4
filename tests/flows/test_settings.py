"""Which source of a setting wins, and what a wrong one is told."""

from __future__ import annotations

import os
import stat
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.settings import Settings, load, secret

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, and no variable of ours."""
    for name in [name for name in os.environ if name.upper().startswith("MIDSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _refused(flags: dict[str, object] | None = None) -> str:
    with pytest.raises(ValueError, match=r"^settings: ") as caught:
        load(flags)
    assert SECRET not in "".join(traceback.format_exception(caught.value)), "a log would show it"
    return str(caught.value)


def test_nothing_set_gives_the_documented_limits() -> None:
    known = load()
    assert known == Settings()
    assert (known.policy, known.slots, known.batch) == ("default", 8, 1024)
    limits = known.limits
    assert (limits.delta_bytes, limits.stream_bytes, limits.idle) == (64 * 1024, 16 * 1024 * 1024, 600.0)
    assert known.output.format == "auto"


VALUE = st.one_of(st.none(), st.integers(1, 64))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=VALUE, variable=VALUE, flag=VALUE, deep=st.tuples(VALUE, VALUE, VALUE))
def test_flags_beat_variables_beat_the_file_beats_the_defaults_key_by_key(
    place: Path, file: int | None, variable: int | None, flag: int | None,
    deep: tuple[int | None, int | None, int | None],
) -> None:  # fmt: skip
    lines = [f"slots = {file}"] if file else []
    lines += ["[limits]", "stream_lanes = 5", *([f"delta_bytes = {deep[0]}"] if deep[0] else [])]
    (place / "midstream.toml").write_text("\n".join(lines), encoding="utf-8")
    flags: dict[str, object] = {"slots": flag} if flag else {}
    if deep[2]:
        flags["limits"] = {"delta_bytes": deep[2]}
    with pytest.MonkeyPatch.context() as patch:
        if variable:
            patch.setenv("MIDSTREAM_SLOTS", str(variable))
        if deep[1]:
            patch.setenv("MIDSTREAM_LIMITS__DELTA_BYTES", str(deep[1]))
        known = load(flags)
    assert known.slots == (flag or variable or file or 8)
    assert known.limits.delta_bytes == (deep[2] or deep[1] or deep[0] or 64 * 1024)
    assert known.limits.stream_lanes == 5


def test_the_policy_has_a_variable_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDSTREAM_POLICY", "mine.toml")
    assert load().policy == "mine.toml"
    assert load({"policy": "flag.toml"}).policy == "flag.toml"
    monkeypatch.setenv("MIDSTREAM_POLICY", "")
    assert load().policy == "default"


def test_a_named_settings_file_is_read_in_place_of_the_one_that_lies_there(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "midstream.toml").write_text("slots = 3", encoding="utf-8")
    (place / "other.toml").write_text("slots = 5", encoding="utf-8")
    assert load().slots == 3
    monkeypatch.setenv("MIDSTREAM_CONFIG", "other.toml")
    assert load().slots == 5


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ("a.sse", ("a.sse",)),
        (f"a.sse{os.pathsep}b", ("a.sse", "b")),
        ('["a:b.sse", "c"]', ("a:b.sse", "c")),
        ("-", ("-",)),
    ],
)
def test_paths_in_a_variable_are_separated_as_in_path_or_a_json_list(
    monkeypatch: pytest.MonkeyPatch, given: str, paths: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MIDSTREAM_REPLAY__PATHS", given)
    assert load().replay.paths == paths
    assert load({"replay": {"paths": ["flag"]}}).replay.paths == ("flag",)


@pytest.mark.parametrize(
    ("variable", "wanted"),
    [
        ("MIDSTREAM_SLOTS", "settings: slots (from MIDSTREAM_SLOTS): Input should be a valid integer"),
        ("MIDSTREAM_LIMITS__IDLE",
         "settings: limits.idle (from MIDSTREAM_LIMITS__IDLE): Input should be a val"),
        ("MIDSTREAM_OUTPUT__FORMAT",
         "settings: output.format (from MIDSTREAM_OUTPUT__FORMAT): Input should be 'auto', 'json' or 'view'"),
        ("MIDSTREAM_LIMITS",
         "settings: limits (from MIDSTREAM_LIMITS): not a JSON object; or set its keys: MIDSTR"),
        ("MIDSTREAM_LIMITS__IDEL",
         "settings: limits.idel (from MIDSTREAM_LIMITS__IDEL): no such key; there are delta_bytes,"),
        ("MIDSTREAM_MASK_KEY", "settings: mask_key (from MIDSTREAM_MASK_KEY): Value should have at least 16"),
        ("MIDSTREAM_AUDIT__KEY",
         "settings: audit.key (from MIDSTREAM_AUDIT__KEY): Value should have at least 16"),
        ("MIDSTREAM_FAIL_OPEN",
         "settings: fail_open (from MIDSTREAM_FAIL_OPEN): Input should be a valid boolean"),
        ("midstream_slots", "settings: slots (from MIDSTREAM_SLOTS): Input should be a valid integer"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, variable: str, wanted: str
) -> None:
    monkeypatch.setenv(variable, SECRET)
    message = _refused()
    assert message.startswith(wanted)
    assert SECRET not in message


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f'slots = "{SECRET}"', "settings: slots (from midstream.toml): Input should be a valid integer"),
        ("slots = 65", "settings: slots (from midstream.toml): Input should be less than or equal to 64"),
        ("slots = 0", "settings: slots (from midstream.toml): Input should be greater than or equal to 1"),
        ("batch = 0", "settings: batch (from midstream.toml): Input should be greater than or equal to 1"),
        ("[limits]\nidle = 0", "settings: limits.idle (from midstream.toml): Input should be greater than 0"),
        ("[replay]\nspeed = nan",
         "settings: replay.speed (from midstream.toml): Input should be a finite number"),
        ("[replay]\nspeed = -1",
         "settings: replay.speed (from midstream.toml): Input should be greater than or"),
        ("[replay]\npaths = [1]",
         "settings: replay.paths.0 (from midstream.toml): Input should be a valid string"),
        ("limits = 5", "settings: limits (from midstream.toml): Input should be a valid dictionary"),
        (f'plicy = "{SECRET}"',
         "settings: plicy (from midstream.toml): no such key; there are policy, mask_key, fail_open, slots,"),
        (f'[limits]\nidel = "{SECRET}"',
         "settings: limits.idel (from midstream.toml): no such key; there are delta_bytes, stream_bytes,"),
        ('policy = ""', "settings: policy (from midstream.toml): String should have at least 1 character"),
        (f"slots = {SECRET}", "settings: midstream.toml: Invalid value (at line 1, column 9)"),
    ],
)  # fmt: skip
def test_a_wrong_settings_file_is_named_with_what_would_be_right(place: Path, text: str, wanted: str) -> None:
    (place / "midstream.toml").write_text(text, encoding="utf-8")
    message = _refused()
    assert message.startswith(wanted)
    assert SECRET not in message


def test_a_wrong_flag_is_said_to_come_from_the_command_line(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "midstream.toml").write_text("slots = 3", encoding="utf-8")
    monkeypatch.setenv("MIDSTREAM_SLOTS", "4")
    message = _refused({"slots": 99})
    assert message == "settings: slots (from the command line): Input should be less than or equal to 64"


def test_every_fault_has_a_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "midstream.toml").write_text("slots = 99\n[output]\nformat = 'paper'", encoding="utf-8")
    monkeypatch.setenv("MIDSTREAM_LIMITS__IDLE", "never")
    lines = _refused().splitlines()
    assert [line.split(":")[1].strip() for line in lines] == [
        "slots (from midstream.toml)", "limits.idle (from MIDSTREAM_LIMITS__IDLE)",
        "output.format (from midstream.toml)",
    ]  # fmt: skip


def test_a_settings_file_that_is_named_must_be_there_and_readable(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDSTREAM_CONFIG", "absent.toml")
    assert _refused().startswith("settings: absent.toml: ")
    assert "No such file" in _refused()
    (place / "absent.toml").write_bytes(b'policy = "\xff"')
    assert _refused().startswith("settings: absent.toml: ")
    (place / "folder").mkdir(mode=stat.S_IRWXU)
    monkeypatch.setenv("MIDSTREAM_CONFIG", "folder")
    assert "Is a directory" in _refused()


def test_variables_of_others_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDSTREAM_DATA", "/somewhere")
    monkeypatch.setenv("POLICY", SECRET)
    monkeypatch.setenv("SLOTS", SECRET)
    assert load() == Settings()


def test_settings_cannot_be_changed_behind_the_back_of_the_flow() -> None:
    known = load()
    with pytest.raises(ValueError, match="frozen"):
        known.slots = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        known.limits.idle = 3.0  # type: ignore[misc]


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    long = SECRET * 3
    monkeypatch.setenv("MIDSTREAM_MASK_KEY", long)
    monkeypatch.setenv("MIDSTREAM_AUDIT__KEY", long)
    known = load()
    assert (secret(known.mask_key), secret(known.audit.key)) == (long.encode(), long.encode())
    assert SECRET not in f"{known} {known!r} {known.model_dump_json()}"
    assert secret(None) == b""
