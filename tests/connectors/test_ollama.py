"""Ollama: a line a piece, calls in one piece."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ollama import Ollama
from operators.packet import Finish, Kind
from tests.connectors.heard import REASONING, TEXT, TOOL, hear, lines, recordings


def said(**message: Any) -> dict[str, Any]:
    return {"model": "llama3", "message": {"role": "assistant", **message}, "done": False}


def done(**fields: Any) -> dict[str, Any]:
    return {"model": "llama3", "message": {"content": ""}, "done": True, **fields}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


SAMPLE = lines(
    said(content="", thinking="Hm. "),
    said(content="", thinking="Yes."),
    said(content="Bücher "),
    said(content="📚"),
    said(content="", tool_calls=[call("f", a=1, b="é"), call("g")]),
    said(content="", tool_calls=[call("h", c=[])]),
    done(done_reason="stop", prompt_eval_count=4, eval_count=6),
)


def test_chat_goes_to_lanes_and_each_call_to_its_own() -> None:
    heard = hear(Ollama(), SAMPLE)
    assert heard.lanes == {
        (REASONING, 0, 0): "Hm. Yes.",
        (TEXT, 0, 0): "Bücher 📚",
        (TOOL, 0, 0): '{"a":1,"b":"é"}',
        (TOOL, 0, 1): "{}",
        (TOOL, 0, 2): '{"c":[]}',
    }
    assert [note["tool"]["name"] for note in heard.notes] == ["f", "g", "h"]
    assert heard.usage == {"input": 4, "output": 6}
    assert (heard.finishes, heard.models, heard.errors) == ([Finish.STOP], ["llama3"], [])


@given(st.lists(st.integers(0, len(SAMPLE)), max_size=12))
def test_cutting_of_the_bytes_does_not_matter(cuts: list[int]) -> None:
    assert hear(Ollama(), SAMPLE, cuts) == hear(Ollama(), SAMPLE)


def test_generate_has_its_text_in_response() -> None:
    heard = hear(
        Ollama(),
        lines(
            {"model": "m", "response": "", "thinking": "Hm.", "done": False},
            {"model": "m", "response": "Hi", "done": False, "logprobs": [{"token": "Hi", "logprob": -0.5}]},
            {"model": "m", "response": "", "done": True, "context": [1, 2]},
        ),
    )
    assert heard.lanes == {(REASONING, 0, 0): "Hm.", (TEXT, 0, 0): "Hi"}
    assert [delta.logprob for delta in heard.deltas if delta.text == "Hi"] == [-0.5]
    assert heard.finishes == [Finish.STOP]


@pytest.mark.parametrize(
    ("reason", "finish", "notes"),
    [
        ("stop", Finish.STOP, []),
        ("length", Finish.LENGTH, []),
        ("load", Finish.STOP, []),
        ("tired", Finish.STOP, [{"finish": "tired"}]),
    ],
)
def test_done_reason_names_the_finish(reason: str, finish: Finish, notes: list[object]) -> None:
    heard = hear(Ollama(), lines(said(content="a"), done(done_reason=reason)))
    assert (heard.finishes, heard.notes) == ([finish], notes)


def test_error_line_ends_the_stream_without_repeating_it() -> None:
    for before in ([], [said(content="half")]):
        heard = hear(Ollama(), lines(*before, {"error": "model 'secret' not found"}))
        assert (heard.errors, heard.finishes) == (["provider error: no type given"], [Finish.ERROR])


def test_lines_after_done_are_a_stream_of_their_own() -> None:
    heard = hear(Ollama(), SAMPLE + SAMPLE)
    assert heard.finishes == [Finish.STOP, Finish.STOP]
    assert [delta.item for delta in heard.deltas if delta.kind == Kind.NOTE] == [0, 1, 2, 0, 1, 2]


def test_lines_that_stop_early_are_truncated() -> None:
    assert hear(Ollama(), lines(said(content="a"))).finishes == [Finish.TRUNCATED]


def test_recordings_say_all_their_pieces(data_dir: Path) -> None:
    for path in recordings(data_dir, "ollama-"):
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        text = "".join(row.get("response") or row.get("message", {}).get("content", "") for row in rows)
        heard = hear(Ollama(), path.read_bytes())
        assert heard.lanes == {(TEXT, 0, 0): text}
        assert heard.usage == {"input": rows[-1]["prompt_eval_count"], "output": rows[-1]["eval_count"]}
        assert (heard.finishes, heard.errors) == ([Finish.STOP], [])
