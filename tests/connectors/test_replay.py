"""Which files are recordings, what they are called, and what bad ones cost: themselves."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.replay import ReplayConfig, ReplaySource, find
from operators.packet import Delta, Finish, Kind

SECOND = 10**9
CHAT = 'data: {"model":"m","choices":[{"index":0,"delta":{"content":%s}}]}\n\n'


def chat(*texts: str) -> bytes:
    """A Chat Completions body that says `texts`."""
    return ("".join(CHAT % json.dumps(text) for text in texts) + "data: [DONE]\n\n").encode()


def play(*paths: Path | str, **how: Any) -> dict[str, list[tuple[int, Delta]]]:
    """What one slot says, by stream, as fast as possible."""
    source = ReplaySource(ReplayConfig(tuple(map(str, paths)), speed=0, **how), ["00"], lambda _: 0)
    part: Any = source.build_part("source", "00", None)
    said: dict[str, list[tuple[int, Delta]]] = {}
    while part._deck.due() is not None:
        for at, name, delta in part._deck.take(1 << 62, 100):
            said.setdefault(name, []).append((at, delta))
    return said


def text_of(said: Sequence[tuple[int, Delta]]) -> str:
    return "".join(delta.text for _, delta in said if delta.kind == Kind.TEXT)


def errors_of(said: Sequence[tuple[int, Delta]]) -> list[str]:
    return [delta.text for _, delta in said if delta.kind == Kind.ERROR]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "b.sse", "a.sse", "notes.md", "INDEX.jsonl", ".hidden", "deep/a.sse", "deep/er/c.txt", ".git/HEAD",
        "odd[1].sse",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chat(name))
    return tmp_path


def _found(tree: Path, *paths: str) -> list[str]:
    return [str(path.relative_to(tree)) for path in find([str(tree / path) for path in paths])]


def test_a_folder_means_every_recording_below_it(tree: Path) -> None:
    assert _found(tree, ".") == ["a.sse", "b.sse", "deep/a.sse", "deep/er/c.txt", "odd[1].sse"]


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("*.sse", ["a.sse", "b.sse", "odd[1].sse"]),
        ("**/a.sse", ["a.sse", "deep/a.sse"]),
        ("odd[1].sse", ["odd[1].sse"]),
        ("[ab].sse", ["a.sse", "b.sse"]),
        ("notes.md", ["notes.md"]),
        (".hidden", [".hidden"]),
    ],
)
def test_a_pattern_or_a_name_means_what_it_says(tree: Path, path: str, files: list[str]) -> None:
    assert _found(tree, path) == files


def test_a_file_that_is_named_twice_is_played_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _found(tree, "b.sse", "*.sse", "deep/../b.sse") == ["b.sse", "a.sse", "odd[1].sse"]
    monkeypatch.chdir(tree)
    assert len(find(["a.sse", str(tree / "a.sse"), "./a.sse"])) == 1


@pytest.mark.parametrize("path", ["none.sse", "none/*.sse", "empty"])
def test_a_path_that_means_nothing_is_refused_by_name(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no recording at '.*" + path.split("/", 1)[0]):
        find([str(tmp_path / path)])


def test_namesakes_are_told_apart_by_their_folders(tree: Path) -> None:
    said = play(tree)
    assert {name: text_of(deltas) for name, deltas in said.items()} == {
        f"{tree.name}/a.sse": "a.sse", "b.sse": "b.sse", "deep/a.sse": "deep/a.sse",
        "c.txt": "deep/er/c.txt", "odd[1].sse": "odd[1].sse",
    }  # fmt: skip


def test_a_file_name_that_is_no_text_has_a_name_all_the_same(tmp_path: Path) -> None:
    for name in (b"\xff.sse", b"\xfe.sse"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(chat("hi"))
    assert sorted(play(tmp_path)) == ["\\xfe.sse", "\\xff.sse"]


def test_an_api_that_nobody_knows_is_refused_before_anything_runs(tree: Path) -> None:
    with pytest.raises(ValueError, match="no API is named 'telepathy'; there are: auto, text"):
        play(tree, api="telepathy")


def test_the_name_of_an_api_decides_how_a_file_is_read(tree: Path) -> None:
    (said,) = play(tree / "a.sse", api="groq_chat").values()
    assert json.loads(said[0][1].text) == {"provider": "groq", "model": "m"}
    (said,) = play(tree / "a.sse", api="text").values()
    assert text_of(said) == chat("a.sse").decode()


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6), st.sampled_from([1, 7, 1000]))
def test_recutting_changes_the_cutting_and_not_the_text(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], chunk: int
) -> None:
    file = tmp_path_factory.mktemp("chunk") / "a.sse"
    file.write_bytes(chat(*texts))
    (said,) = play(file, chunk=chunk).values()
    lengths = [len(delta.text) for _, delta in said if delta.kind == Kind.TEXT]
    assert text_of(said) == "".join(texts)
    assert set(lengths[:-1]) <= {chunk}


def test_what_holds_no_time_gets_the_same_schedule_in_every_run(tmp_path: Path) -> None:
    for name in ("a.sse", "b.sse"):
        (tmp_path / name).write_bytes(chat(*"abcdefgh"))
    first, again = play(tmp_path), play(tmp_path)
    times = {name: [at for at, _ in said] for name, said in first.items()}
    assert times == {name: [at for at, _ in said] for name, said in again.items()}
    assert times["b.sse"][0] == SECOND // 4
    assert all(said == sorted(said) for said in times.values())
    assert [at - SECOND // 4 for at in times["b.sse"]] != times["a.sse"]


def _timed(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_timed_recording_plays_as_it_was_recorded(tmp_path: Path) -> None:
    body = chat("one ", "two").decode()
    file = tmp_path / "t.jsonl"
    file.write_bytes(
        _timed(
            {"at": 0.5, "data": body[:30]}, {"at": 2, "data": body[30:100]}, {"at": 1.5, "data": body[100:]}
        )
    )
    (said,) = play(file).values()
    assert text_of(said) == "one two"
    assert [at for at, delta in said if delta.kind == Kind.TEXT] == [2 * SECOND] * 2
    events = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in ("x", "y")]
    file.write_bytes(_timed(*({"at": at, "data": event} for at, event in enumerate(events, 1))))
    (said,) = play(file).values()
    assert [(at, delta.text) for at, delta in said if delta.kind == Kind.TEXT] == [
        (SECOND, "x"), (2 * SECOND, "y"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[]", b"5", b'{"at": 1}', b'{"data": "x"}', b'{"at": "x", "data": ""}',
        b'{"at": [1], "data": ""}', b'{"at": -1, "data": ""}', b'{"at": 1e300, "data": ""}',
        b'{"at": null, "data": ""}', b"\xff\xfe", b'{"at": 1, "data": "' + b"x" * 4_000_000 + b'"}',
    ],
    ids=lambda line: line[:24].decode(errors="replace"),
)  # fmt: skip
def test_a_line_of_a_timed_recording_that_is_none_is_one_error_and_the_rest_is_played(
    tmp_path: Path, line: bytes
) -> None:
    file = tmp_path / "t.jsonl"
    good = (
        _timed({"at": 0, "data": chat("be").decode()[:-14]}),
        _timed({"at": 1, "data": chat("fore").decode()}),
    )
    file.write_bytes(good[0] + line + b"\n\n" + good[1])
    (said,) = play(file).values()
    assert errors_of(said) == ["a line of a timed recording is not {'at': seconds, 'data': ...}"]
    assert text_of(said) == "before"


def test_a_timed_recording_that_goes_back_in_time_is_told_once_and_played_in_order(tmp_path: Path) -> None:
    pieces = [chat("abcd").decode()[at : at + 20] for at in range(0, len(chat("abcd")), 20)]
    times = [0, 5, 3, 4, 6, 1, *([7] * len(pieces))]
    lines = [_timed({"at": at, "data": piece}) for at, piece in zip(times, pieces, strict=False)]
    (tmp_path / "t.jsonl").write_bytes(b"".join(lines))
    (said,) = play(tmp_path / "t.jsonl").values()
    assert errors_of(said) == ["a timed recording goes back in time: it is played without"]
    assert text_of(said) == "abcd"


def _bad_files() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "space", b" \n\n\n"
    yield "garbage", bytes(range(256)) * 64
    yield "zeros", bytes(100_000)
    yield "unknown", b'{"hello": "world"}\n' * 40
    yield "prose", b"This is no wire format at all.\n"
    yield "truncated", chat("hello")[:-14]
    yield "invalid-utf8", b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n'


@pytest.mark.parametrize(("name", "data"), list(_bad_files()))
@pytest.mark.parametrize("chunk", [0, 1])
def test_a_bad_file_is_an_error_with_a_reason_and_an_end(
    tmp_path: Path, name: str, data: bytes, chunk: int
) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.sse").write_bytes(chat("fine"))
    said = play(tmp_path, chunk=chunk)
    assert text_of(said["good.sse"]) == "fine"
    kinds = [delta.kind for _, delta in said[name]]
    assert kinds[0] == Kind.START
    assert kinds.count(Kind.END) == kinds.count(Kind.START) == 1
    assert name == "truncated" or errors_of(said[name])
    if name == "truncated":
        assert said[name][-1][1].finish == Finish.TRUNCATED


def test_invalid_utf8_in_plain_text_is_replaced_and_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"good \xff\xfe bad \xe2\x82")
    (said,) = play(tmp_path, api="text").values()
    assert text_of(said) == "good \ufffd\ufffd bad \ufffd"
    assert errors_of(said) == ["no UTF-8 at byte 5", "no UTF-8 at byte 6", "no UTF-8 at byte 12"]


def test_a_file_that_cannot_be_read_is_an_error_of_its_stream(tmp_path: Path) -> None:
    for name in ("a.sse", "b.sse"):
        (tmp_path / name).write_bytes(chat(name))
    source = ReplaySource(ReplayConfig((str(tmp_path),), speed=0), ["00"], lambda _: 0)
    (tmp_path / "a.sse").unlink()
    part: Any = source.build_part("source", "00", None)
    said = [(name, delta.kind, delta.text) for _, name, delta in part._deck.take(1 << 62, 100)]
    assert [each for each in said if each[0] == "a.sse"] == [
        ("a.sse", Kind.START, '{"provider":"","model":""}'),
        ("a.sse", Kind.ERROR, "the recording cannot be read: No such file or directory"),
        ("a.sse", Kind.END, ""),
    ]
    assert ("b.sse", Kind.TEXT, "b.sse") in said


@pytest.mark.parametrize("timed", [False, True])
def test_a_line_of_twenty_megabytes_is_an_error_in_bounded_memory(tmp_path: Path, timed: bool) -> None:
    head = _timed({"at": 0, "data": chat("a").decode()[:-14]}) if timed else chat("a")[:-14]
    (tmp_path / "long").write_bytes(head + b'data: {"at":1,"choices":[' + b"x" * 20_000_000)
    (tmp_path / "short.sse").write_bytes(chat("fine"))
    tracemalloc.start()
    try:
        said = play(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert errors_of(said["long"])
    assert text_of(said["short.sse"]) == "fine"
    assert peak < 12_000_000


def test_the_size_of_an_event_is_what_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "a.sse").write_bytes(chat("x" * 5000))
    (said,) = play(tmp_path).values()
    assert text_of(said) == "x" * 5000
    (said,) = play(tmp_path, event_bytes=2048).values()
    assert errors_of(said)
    assert text_of(said) == ""


def test_the_size_of_a_packet_is_what_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "a.sse").write_bytes(chat(*"abcdef"))
    source = ReplaySource(ReplayConfig((str(tmp_path),), speed=0, batch=3), ["00"], lambda _: 0)
    ((_, packet),) = source.build_part("source", "00", None).next_batch()
    assert len(packet.deltas) == 3
