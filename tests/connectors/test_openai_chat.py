"""Chat Completions: where each field of each vendor's delta goes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._chat_chunk import KEYS, only_content
from connectors.openai_chat import _VOICES, OpenAIChat
from operators.packet import Channel, Finish, Kind
from tests.connectors.heard import REASONING, SAMPLES, TEXT, TOOL, Heard, hear, lines

SAMPLE = SAMPLES.joinpath("openai-chat.sse").read_bytes()
TOOLS = SAMPLES.joinpath("openai-chat-tools.sse").read_bytes()
REFUSAL, TRANSCRIPT = int(Channel.REFUSAL), int(Channel.TRANSCRIPT)


def chunk(delta: dict[str, Any] | None = None, *, index: int = 0, **more: Any) -> dict[str, Any]:
    """A chunk of one choice; `more` are fields of the choice if a delta is given, else of the chunk."""
    if delta is None:
        return {"object": "chat.completion.chunk", "model": "m", "choices": []} | more
    return {
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": index, "delta": delta} | more],
    }


def chat(*events: object) -> Heard:
    return hear(OpenAIChat(), lines(*events))


def test_choices_are_lanes_and_the_first_names_the_finish() -> None:
    heard = hear(OpenAIChat(), SAMPLE)
    assert heard.lanes == {(TEXT, 0, 0): "Grüße aus Zürich 🚲.", (TEXT, 1, 0): "Hello there"}
    assert heard.finishes == [Finish.STOP]
    assert heard.models == ["gpt-sample"]
    assert heard.usage == {"input": 9, "output": 12, "reasoning": 0, "cached": 4}
    assert heard.errors == []


def test_tool_calls_are_lanes_with_a_note_of_name_and_id() -> None:
    heard = hear(OpenAIChat(), TOOLS)
    assert heard.lanes == {(TOOL, 0, 0): '{"city": "Genève"}', (TOOL, 0, 1): "{}"}
    assert heard.notes == [
        {"tool": {"name": "weather", "id": "call_a"}},
        {"tool": {"name": "clock", "id": "call_b"}},
    ]
    assert heard.finishes == [Finish.TOOL]


@given(st.sampled_from([SAMPLE, TOOLS]), st.lists(st.integers(0, 1200), max_size=12))
def test_cutting_of_the_bytes_does_not_matter(wire: bytes, cuts: list[int]) -> None:
    places = [min(place, len(wire)) for place in cuts]
    whole = hear(OpenAIChat(), wire)
    assert list(map(repr, hear(OpenAIChat(), wire, places).deltas)) == list(map(repr, whole.deltas))


def test_delta_is_split_into_tokens_where_logprobs_prove_them() -> None:
    said = [delta for delta in hear(OpenAIChat(), SAMPLE).deltas if delta.kind == Kind.TEXT]
    proven = [(delta.text, delta.logprob) for delta in said if not math.isnan(delta.logprob)]
    assert proven == [("aus", -0.25), (" Zürich", -1.5)]


def test_tokens_that_do_not_make_up_the_text_are_not_believed() -> None:
    logprobs = {"content": [{"token": "\\xf0\\x9f", "logprob": -1.0}, {"token": "x", "logprob": -2.0}]}
    said = [
        delta for delta in chat(chunk({"content": "🚲"}, logprobs=logprobs)).deltas if delta.kind == Kind.TEXT
    ]
    assert [delta.text for delta in said] == ["🚲"]
    assert math.isnan(said[0].logprob)


def test_tokens_of_a_refusal_have_their_logprobs() -> None:
    logprobs = {
        "content": None,
        "refusal": [{"token": "No", "logprob": -0.5}, {"token": "!", "logprob": -0.1}],
    }
    heard = chat(chunk({"refusal": "No!"}, logprobs=logprobs, finish_reason="stop"))
    assert heard.lanes == {(REFUSAL, 0, 0): "No!"}
    assert [delta.logprob for delta in heard.deltas if delta.kind == Kind.TEXT] == [-0.5, -0.1]


@pytest.mark.parametrize(
    ("delta", "lanes"),
    [
        ({"content": "a", "role": "assistant"}, {(TEXT, 0, 0): "a"}),
        ({"reasoning_content": "a", "content": None}, {(REASONING, 0, 0): "a"}),
        ({"reasoning": "a", "reasoning_details": [{"text": "a"}]}, {(REASONING, 0, 0): "a"}),
        ({"reasoning": "a", "reasoning_content": "a"}, {(REASONING, 0, 0): "a"}),
        ({"reasoning_details": [{"text": "a"}, {"summary": "b"}, {"data": "e"}]}, {(REASONING, 0, 0): "ab"}),
        ({"refusal": "a", "content": ""}, {(REFUSAL, 0, 0): "a"}),
        ({"audio": {"transcript": "a", "data": "AAAA"}}, {(TRANSCRIPT, 0, 0): "a"}),
        ({"audio": {"data": "AAAA"}, "content": "b"}, {(TEXT, 0, 0): "b"}),
        ({"function_call": {"name": "f", "arguments": "{}"}}, {(TOOL, 0, 0): "{}"}),
        ({"tool_calls": [{"function": {"arguments": "{"}}] * 2}, {(TOOL, 0, 0): "{", (TOOL, 0, 1): "{"}),
        ({"tool_calls": [{"index": 3, "custom": {"name": "f", "input": "ls"}}]}, {(TOOL, 0, 3): "ls"}),
        ({"tool_calls": [{"index": 0, "function": {"arguments": {"a": 1}}}]}, {(TOOL, 0, 0): '{"a":1}'}),
        ({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": None}}]}, {}),
        (
            {"content": [{"type": "thinking", "thinking": [{"text": "t"}]}, {"type": "text", "text": "a"}]},
            {(REASONING, 0, 0): "t", (TEXT, 0, 0): "a"},
        ),
    ],
)  # fmt: skip
def test_each_voice_has_its_lane(delta: dict[str, Any], lanes: dict[tuple[int, int, int], str]) -> None:
    heard = chat(chunk(delta))
    assert heard.lanes == lanes
    assert heard.errors == []


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("model_length", Finish.LENGTH),
        ("tool_calls", Finish.TOOL),
        ("function_call", Finish.TOOL),
        ("content_filter", Finish.REFUSAL),
        ("insufficient_system_resource", Finish.ERROR),
        ("a reason of next year", Finish.STOP),
    ],
)
def test_finish_reason_is_the_finish(reason: str, finish: Finish) -> None:
    assert chat(chunk({"content": "a"}), chunk({}, finish_reason=reason)).finishes == [finish]


def test_bytes_that_stop_before_a_finish_reason_are_truncated() -> None:
    assert chat(chunk({"content": "a"})).finishes == [Finish.TRUNCATED]


def test_done_without_a_finish_reason_is_a_stop() -> None:
    assert hear(OpenAIChat(), lines(chunk({"content": "a"})) + b"[DONE]\n").finishes == [Finish.STOP]


def test_two_bodies_on_one_connection_are_two_streams() -> None:
    body = lines(chunk({"content": "a"}, finish_reason="stop")) + b"[DONE]\n"
    heard = hear(OpenAIChat(), body + body)
    assert heard.finishes == [Finish.STOP, Finish.STOP]
    assert heard.lanes == {(TEXT, 0, 0): "aa"}


@pytest.mark.parametrize(
    ("event", "codes"),
    [
        ({"error": {"message": "secret words", "type": "server_error", "code": 503}}, "server_error 503"),
        ({"error": {"message": "secret words"}}, "no code given"),
        ({"error": "secret words"}, "no code given"),
        (
            {"object": "error", "message": "secret words", "type": "BadRequestError", "code": 400},
            "BadRequestError 400",
        ),
        ({"x_groq": {"error": "secret words"}, "choices": []}, "no code given"),
        ({"error": {"code": 502, "message": "secret words"}, "choices": [{"index": 0, "delta": {}}]}, "502"),
        ({"choices": [{"index": 0, "delta": {}, "error": {"code": 502}, "finish_reason": "error"}]}, "502"),
    ],
)
def test_error_is_reported_by_its_codes_and_never_its_words(event: dict[str, Any], codes: str) -> None:
    for heard in (chat(event), chat(chunk({"content": "a"}), event)):
        assert heard.errors == [f"provider error: {codes}"]
        assert heard.finishes == [Finish.ERROR]


def test_error_event_without_an_error_object_is_an_error() -> None:
    assert hear(OpenAIChat(), b'event: error\ndata: {"message": "x"}\n\n').finishes == [Finish.ERROR]


def test_azure_stream_begins_with_the_chunk_that_has_a_model() -> None:
    first = {"object": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    assert chat(first, chunk({"content": "a"})).models == ["m"]


def test_whole_body_is_read_like_its_chunks() -> None:
    message: dict[str, Any] = {"role": "assistant", "content": "a", "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = {"object": "chat.completion", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 1}}
    heard = chat(body)
    assert heard.lanes == {(TEXT, 0, 0): "a"}
    assert (heard.finishes, heard.usage) == ([Finish.STOP], {"input": 1})


def test_message_beside_a_delta_is_not_said_twice() -> None:
    assert chat(chunk({"content": "a"}, message={"content": "a"})).lanes == {(TEXT, 0, 0): "a"}


def test_citations_are_notes_once_however_often_they_are_sent() -> None:
    heard = chat(*[chunk({"content": "a"}) | {"citations": ["https://a.example"]}] * 3)
    assert heard.notes == [{"citation": {"url": "https://a.example"}}]


def test_annotation_is_a_note_without_the_cited_text() -> None:
    cited = {"url": "https://a.example", "title": "A", "content": "long", "start_index": 0, "end_index": 3}
    heard = chat(chunk({"annotations": [{"type": "url_citation", "url_citation": cited}]}))
    assert heard.notes == [
        {"citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3}}
    ]


def test_usage_in_two_places_of_a_chunk_is_said_once() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    heard = chat(chunk(usage=usage, x_groq={"usage": usage}))
    assert [delta.kind for delta in heard.deltas].count(Kind.USAGE) == 1
    assert heard.usage == {"input": 3, "output": 5}


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [3]},
        {"choices": 3},
        {"choices": [{"delta": [1]}]},
        {"choices": [{"delta": {"content": 7}}]},
        {"choices": [{"index": "0", "delta": {"content": "a"}}]},
        {"choices": [{"index": -1, "delta": {"content": "a"}}]},
        {"choices": [{"index": 1 << 40, "delta": {"content": "a"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": {"a": 1}}}]},
        {"choices": [{"delta": {}, "finish_reason": ["stop"]}]},
        {"usage": [1]},
        {"usage": {"prompt_tokens_details": 3}},
    ],
)
def test_chunk_of_another_shape_is_an_error_and_the_stream_goes_on(event: dict[str, Any]) -> None:
    heard = chat(event, chunk({"content": "b"}, finish_reason="stop"))
    assert heard.errors[0].startswith("event does not have the shape of this API")
    assert heard.lanes == {(TEXT, 0, 0): "b"}
    assert heard.finishes == [Finish.STOP]


def test_openai_compatible_tools_that_the_sdk_cannot_take_are_read(data_dir: Path) -> None:
    heard = hear(OpenAIChat(), data_dir.joinpath("streams", "openaicompat-chat-01.sse").read_bytes())
    assert heard.finishes == [Finish.TOOL]
    assert heard.errors == []
    assert any(lane[0] == TOOL and text.endswith("}") for lane, text in heard.lanes.items())


def test_the_quick_look_knows_every_voice() -> None:
    assert set(_VOICES) == KEYS


@pytest.mark.parametrize(
    "extra", [{"usage": {"prompt_tokens": 1}}, {"citations": ["u"]}, {"error": {"code": 1}}]
)
def test_a_chunk_that_says_more_than_content_is_not_heard_quickly(extra: dict[str, Any]) -> None:
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None}
    assert only_content(orjson.dumps({"choices": [choice]})) == ("a", 0)
    assert only_content(orjson.dumps({"choices": [choice]} | extra)) is None
    for more in ({"finish_reason": "stop"}, {"logprobs": {"content": []}}, {"error": {}}):
        assert only_content(orjson.dumps({"choices": [choice | more]})) is None
    for key in KEYS - {"content"}:
        assert only_content(orjson.dumps({"choices": [{"delta": {"content": "a", key: "b"}}]})) is None
    assert only_content(orjson.dumps({"choices": [choice, choice]})) is None
