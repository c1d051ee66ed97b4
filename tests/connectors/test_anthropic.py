"""Anthropic's dialects: where each piece of a message goes, and what is said of a broken one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._anthropic_events import STOP_REASONS
from connectors.anthropic import AnthropicComplete, AnthropicMessages
from operators.packet import Finish
from tests.connectors.heard import REASONING, SAMPLES, TEXT, TOOL, Heard, hear, lines, recordings

SAMPLE = SAMPLES.joinpath("anthropic-messages.sse").read_bytes()
START = {"type": "message_start", "message": {"model": "m", "content": [], "usage": {"input_tokens": 3}}}
STOP = {"type": "message_stop"}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def tool(index: int, *pieces: str, name: str = "f", given: object = None) -> list[dict[str, Any]]:
    content = {"type": "tool_use", "id": "t", "name": name, "input": given or {}}
    return block(index, content, *({"type": "input_json_delta", "partial_json": each} for each in pieces))


def text(piece: str, index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}


def reason(why: str | None) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": why}, "usage": {"output_tokens": 5}}


def messages(*events: object) -> Heard:
    return hear(AnthropicMessages(), lines(*events))


def test_message_goes_to_lanes_numbered_by_its_blocks() -> None:
    heard = hear(AnthropicMessages(), SAMPLE)
    assert heard.lanes == {
        (REASONING, 0, 0): "Two places, one call each.",
        (TEXT, 0, 1): "Let me look: Zürich 🚲 and Genève.",
        (TOOL, 0, 2): '{"query": "weather"}',
        (TEXT, 0, 4): "Rain.",
        (TOOL, 0, 5): '{"open": true}',
    }
    assert heard.finishes == [Finish.TOOL]
    assert heard.models == ["claude-sample"]
    assert heard.usage == {"input": 12, "cached": 4, "output": 57, "reasoning": 8}
    assert heard.errors == []


def test_tools_results_and_citations_are_notes_without_their_content() -> None:
    notes = hear(AnthropicMessages(), SAMPLE).notes
    assert notes == [
        {"tool": {"name": "web_search", "id": "srvtoolu_1"}},
        {"result": {"type": "web_search_tool_result", "id": "srvtoolu_1"}},
        {
            "citation": {
                "type": "web_search_result_location",
                "url": "https://weather.example",
                "title": "Weather",
            }
        },
        {"tool": {"name": "umbrella", "id": "toolu_1"}},
        {"tool": {"name": "now", "id": "toolu_2"}},
    ]


@given(st.lists(st.integers(0, len(SAMPLE)), max_size=12))
def test_cutting_of_the_bytes_does_not_matter(cuts: list[int]) -> None:
    assert hear(AnthropicMessages(), SAMPLE, cuts) == hear(AnthropicMessages(), SAMPLE)


@pytest.mark.parametrize(
    ("why", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("pause_turn", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("tool_use", Finish.TOOL),
        ("refusal", Finish.REFUSAL),
    ],
)
def test_stop_reason_names_the_finish(why: str, finish: Finish) -> None:
    heard = messages(START, text("hi"), reason(why), STOP)
    assert heard.finishes == [finish]
    assert heard.notes == []


def test_every_stop_reason_of_the_sdk_is_in_the_table() -> None:
    types = pytest.importorskip("anthropic.types.beta.beta_stop_reason")
    assert set(types.BetaStopReason.__args__) <= set(STOP_REASONS)


def test_unknown_stop_reason_is_a_stop_that_a_note_names() -> None:
    heard = messages(START, reason("tired"), STOP)
    assert (heard.finishes, heard.notes, heard.errors) == ([Finish.STOP], [{"finish": "tired"}], [])


def test_refusal_tells_its_category_and_not_its_explanation() -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"category": "cyber", "explanation": "secret words"}}
    heard = messages(START, {"type": "message_delta", "delta": delta}, STOP)
    assert heard.notes == [{"refusal": {"category": "cyber"}}]
    assert heard.finishes == [Finish.REFUSAL]


def test_bytes_that_stop_early_are_truncated_unless_the_reason_came() -> None:
    assert messages(START, text("hi")).finishes == [Finish.TRUNCATED]
    assert messages(START, text("hi"), reason("end_turn")).finishes == [Finish.STOP]


def test_arguments_that_are_not_json_are_an_error_once_the_block_stops() -> None:
    heard = messages(START, *tool(0, '{"a":', " nope}"), reason("tool_use"), STOP)
    assert heard.lanes == {(TOOL, 0, 0): '{"a": nope}'}
    assert len(heard.errors) == 1
    assert "item 0" in heard.errors[0]
    assert "nope" not in heard.errors[0]


def test_arguments_cut_by_the_token_limit_are_forgiven() -> None:
    heard = messages(START, *tool(0, '{"a": "hal'), reason("max_tokens"), STOP)
    assert (heard.errors, heard.finishes) == ([], [Finish.LENGTH])


def test_broken_arguments_are_told_even_if_no_reason_comes() -> None:
    assert len(messages(START, *tool(0, "{")).errors) == 1


def test_empty_arguments_are_none_and_whole_ones_are_said_once() -> None:
    heard = messages(START, *tool(0, ""), *tool(1, given={"a": [1, 2]}), *tool(2, "{}", given={"a": 1}), STOP)
    assert heard.lanes == {(TOOL, 0, 1): '{"a":[1,2]}', (TOOL, 0, 2): "{}"}
    assert heard.errors == []


def test_second_start_without_a_stop_is_an_error_and_loses_nothing() -> None:
    heard = messages(START, text("a"), START, text("b"), reason("end_turn"), STOP)
    assert heard.errors == ["second message_start before message_stop"]
    assert (heard.lanes, heard.finishes) == ({(TEXT, 0, 0): "ab"}, [Finish.STOP])


def test_message_after_a_message_is_a_stream_of_its_own() -> None:
    heard = messages(START, text("a"), reason("tool_use"), STOP, START, text("b"), reason("end_turn"), STOP)
    assert heard.finishes == [Finish.TOOL, Finish.STOP]
    assert heard.errors == []


def test_delta_without_a_start_is_heard_and_is_an_error() -> None:
    heard = messages(text("a"), text("b"))
    assert heard.lanes == {(TEXT, 0, 0): "ab"}
    assert heard.errors == ["content_block_delta before message_start"]


def test_end_without_a_start_is_an_error() -> None:
    heard = messages(STOP)
    assert (heard.errors, heard.finishes) == (["message_stop before message_start"], [Finish.ERROR])


@pytest.mark.parametrize("before", [[], [START, text("half an ans")]])
def test_error_event_ends_the_stream_without_repeating_its_message(before: list[object]) -> None:
    error = {"type": "overloaded_error", "message": "prompt was: hunter2"}
    heard = messages(*before, {"type": "error", "error": error})
    assert heard.errors == ["provider error: overloaded_error"]
    assert heard.finishes == [Finish.ERROR]


def test_unknown_events_blocks_and_deltas_pass_by() -> None:
    heard = messages(
        START,
        {"type": "weather_report", "index": 0},
        *block(0, {"type": "hologram", "rays": 3}, {"type": "ray_delta", "ray": 1}),
        text("hi", 1),
        reason("end_turn"),
        STOP,
    )
    assert heard.lanes == {(TEXT, 0, 1): "hi"}
    assert (heard.errors, heard.notes, heard.finishes) == ([], [], [Finish.STOP])


def test_body_that_was_not_streamed_is_heard_whole() -> None:
    body = {
        "type": "message",
        "model": "m",
        "content": [
            {"type": "text", "text": "hi"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    heard = messages(body)
    assert heard.lanes == {(TEXT, 0, 0): "hi", (TOOL, 0, 1): '{"a":1}'}
    assert heard.finishes == [Finish.TOOL]


def test_compaction_is_reasoning_and_a_fallback_a_note() -> None:
    heard = messages(
        START,
        *block(0, {"type": "compaction", "content": None}, {"type": "compaction_delta", "content": "So far"}),
        *block(1, {"type": "fallback", "from": {"model": "big"}, "to": {"model": "small"}}),
        STOP,
    )
    assert heard.lanes == {(REASONING, 0, 0): "So far"}
    assert heard.notes == [{"fallback": {"from": "big", "to": "small"}}]


def test_misshapen_block_is_an_error_and_the_stream_goes_on() -> None:
    heard = messages(START, text("a"), {"type": "content_block_delta", "index": 0}, text("b"), STOP)
    assert heard.lanes == {(TEXT, 0, 0): "ab"}
    assert len(heard.errors) == 1


def test_completion_ends_with_its_stop_reason() -> None:
    said = [
        {"type": "completion", "completion": " Light", "stop_reason": None, "model": "claude-2.1"},
        {"type": "ping"},
        {"type": "completion", "completion": " up", "stop_reason": None, "model": "claude-2.1"},
        {"type": "completion", "completion": "", "stop_reason": "max_tokens", "model": "claude-2.1"},
    ]
    heard = hear(AnthropicComplete(), lines(*said))
    assert heard.lanes == {(TEXT, 0, 0): " Light up"}
    assert (heard.finishes, heard.models, heard.errors) == ([Finish.LENGTH], ["claude-2.1"], [])
    assert hear(AnthropicComplete(), lines(*said[:-1])).finishes == [Finish.TRUNCATED]


def test_completion_error_ends_it() -> None:
    heard = hear(
        AnthropicComplete(), lines({"type": "error", "error": {"type": "api_error", "message": "no"}})
    )
    assert (heard.errors, heard.finishes) == (["provider error: api_error"], [Finish.ERROR])


def test_tool_json_of_every_recording_parses(data_dir: Path) -> None:
    seen = 0
    for path in recordings(data_dir, "anthropic-messages"):
        dialect = AnthropicMessages()
        heard = hear(dialect, path.read_bytes())
        assert heard.errors == [], path.name
        assert Finish.ERROR not in heard.finishes, path.name
        if len(heard.finishes) > 1 or Finish.LENGTH in heard.finishes:
            continue  # lanes of several messages are joined here; a cut one need not parse
        for (channel, _, _), said in heard.lanes.items():
            if channel == TOOL:
                json.loads(said)
                seen += 1
    assert seen > 30


def test_recorded_completion_is_heard(data_dir: Path) -> None:
    (path,) = recordings(data_dir, "anthropic-complete")
    heard = hear(AnthropicComplete(), path.read_bytes())
    assert heard.lanes == {(TEXT, 0, 0): " Light scatters blue."}
    assert (heard.finishes, heard.errors) == ([Finish.STOP], [])
