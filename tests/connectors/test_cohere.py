"""Cohere's two versions: other names for the same things."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cohere import CohereChat
from operators.packet import Finish
from tests.connectors.heard import REASONING, TEXT, TOOL, Heard, hear, lines, recordings, sse

START = {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}}
FIRST = {"event_type": "stream-start", "is_finished": False, "generation_id": "1"}


def content(text: str, kind: str = "text", index: int = 0) -> dict[str, Any]:
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: text}}}}


def plan(text: str) -> dict[str, Any]:
    return {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": text}}}


def call(kind: str, index: int, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": {"tool_calls": fields}}}


def end(reason: str) -> dict[str, Any]:
    usage = {"tokens": {"input_tokens": 5, "output_tokens": 8}, "cached_tokens": 2}
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}


SAMPLE = [
    START,
    plan("I will "),
    plan("look."),
    call("tool-call-start", 0, id="c", type="function", function={"name": "f", "arguments": ""}),
    call("tool-call-delta", 0, function={"arguments": '{"a":'}),
    call("tool-call-delta", 0, function={"arguments": ' "é"}'}),
    {"type": "tool-call-end", "index": 0},
    content("Hm. ", "thinking"),
    content("Été ", index=1),
    content("chaud", index=1),
    {
        "type": "citation-start",
        "index": 0,
        "delta": {"message": {"citations": {"start": 0, "end": 3, "text": "Été", "content_index": 1}}},
    },
    end("TOOL_CALL"),
]
WIRE = sse(*SAMPLE, named=True) + b"data: [DONE]\n\n"


def chat(*events: object) -> Heard:
    return hear(CohereChat(), lines(*events))


def test_second_version_goes_to_lanes() -> None:
    heard = hear(CohereChat(), WIRE)
    assert heard.lanes == {
        (REASONING, 0, 0): "I will look.Hm. ",
        (TOOL, 0, 0): '{"a": "é"}',
        (TEXT, 0, 1): "Été chaud",
    }
    assert heard.notes == [{"tool": {"name": "f", "id": "c"}}, {"citation": {"start": 0, "end": 3}}]
    assert heard.usage == {"input": 5, "output": 8, "cached": 2}
    assert (heard.finishes, heard.errors) == ([Finish.TOOL], [])


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_cutting_of_the_bytes_does_not_matter(cuts: list[int]) -> None:
    assert hear(CohereChat(), WIRE, cuts) == hear(CohereChat(), WIRE)


def test_first_version_goes_to_lanes_and_repeats_nothing() -> None:
    meta = {"tokens": {"input_tokens": 5, "output_tokens": 8}}
    heard = chat(
        FIRST,
        {"event_type": "tool-calls-chunk", "text": "I will look."},
        {"event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0, "name": "f"}},
        {"event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0, "parameters": '{"a": 1}'}},
        {
            "event_type": "tool-calls-generation",
            "text": "I will look.",
            "tool_calls": [{"name": "f", "parameters": {"a": 1}}],
        },
        {"event_type": "text-generation", "text": "He"},
        {"event_type": "text-generation", "text": "llo"},
        {"event_type": "citation-generation", "citations": [{"start": 0, "end": 5, "document_ids": ["d"]}]},
        {
            "event_type": "stream-end",
            "finish_reason": "COMPLETE",
            "response": {"text": "Hello", "meta": meta},
        },
    )
    assert heard.lanes == {
        (REASONING, 0, 0): "I will look.",
        (TOOL, 0, 0): '{"a": 1}',
        (TEXT, 0, 0): "Hello",
    }
    assert heard.usage == {"input": 5, "output": 8}
    assert (heard.finishes, heard.errors) == ([Finish.STOP], [])


def test_calls_of_the_first_version_that_were_not_streamed_are_said_whole() -> None:
    calls = [{"name": "f", "parameters": {"a": 1}}, {"name": "g", "parameters": {}}]
    heard = chat(FIRST, {"event_type": "tool-calls-generation", "tool_calls": calls})
    assert heard.lanes == {(TOOL, 0, 0): '{"a":1}', (TOOL, 0, 1): "{}"}


@pytest.mark.parametrize(
    ("reason", "finish", "errors"),
    [
        ("COMPLETE", Finish.STOP, []),
        ("MAX_TOKENS", Finish.LENGTH, []),
        ("ERROR_TOXIC", Finish.REFUSAL, []),
        ("ERROR", Finish.ERROR, ["finish reason ERROR"]),
    ],
)
def test_finish_reason_names_the_finish(reason: str, finish: Finish, errors: list[str]) -> None:
    heard = chat(START, content("a"), end(reason))
    assert (heard.finishes, heard.errors, heard.notes) == ([finish], errors, [])


def test_unknown_finish_reason_is_a_stop_that_a_note_names() -> None:
    heard = chat(START, end("TIRED"))
    assert (heard.finishes, heard.notes) == ([Finish.STOP], [{"finish": "TIRED"}])


def test_broken_arguments_are_an_error_unless_the_token_limit_cut_them() -> None:
    broken = [
        START,
        call("tool-call-start", 0, id="c", function={"name": "f", "arguments": '{"a"'}),
        {"type": "tool-call-end", "index": 0},
    ]
    assert len(chat(*broken, end("TOOL_CALL")).errors) == 1
    assert chat(*broken, end("MAX_TOKENS")).errors == []


def test_misplaced_starts_and_deltas_are_errors_and_nothing_is_lost() -> None:
    heard = chat(content("a"), START, content("b"))
    assert heard.lanes == {(TEXT, 0, 0): "ab"}
    assert len(heard.errors) == 2
    assert heard.finishes == [Finish.TRUNCATED]


def test_error_body_does_not_repeat_its_message() -> None:
    heard = chat({"message": "invalid request: words of the prompt"})
    assert (heard.errors, heard.finishes) == (["provider error: no type given"], [Finish.ERROR])


def test_first_versions_last_event_holds_the_text_that_was_streamed(data_dir: Path) -> None:
    (path,) = recordings(data_dir, "cohere-v1chat")
    last = json.loads(path.read_bytes().splitlines()[-1])
    heard = hear(CohereChat(), path.read_bytes())
    assert heard.lanes == {(TEXT, 0, 0): last["response"]["text"]}
    assert (heard.finishes, heard.errors) == ([Finish.STOP], [])


def test_recordings_of_the_second_version_end_well_and_their_arguments_parse(data_dir: Path) -> None:
    calls = 0
    for path in recordings(data_dir, "cohere-v2chat"):
        heard = hear(CohereChat(), path.read_bytes())
        assert heard.errors == [], path.name
        assert heard.finishes[0] in (Finish.STOP, Finish.TOOL)
        assert heard.lanes
        for lane, text in heard.lanes.items():
            if lane[0] == TOOL:
                assert isinstance(json.loads(text), dict)
                calls += 1
    assert calls == 4
