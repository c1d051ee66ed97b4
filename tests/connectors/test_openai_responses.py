"""Responses: pieces, their wholes, and how a response ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._decoder import Decoder
from connectors._response_items import _VOICES
from connectors._sniff import SniffedFraming
from connectors.openai_responses import OpenAIResponses
from operators.packet import Channel, Finish
from tests.connectors.heard import REASONING, SAMPLES, TEXT, TOOL, Heard, hear, lines, recordings, sort

SAMPLE = SAMPLES.joinpath("openai-responses.sse").read_bytes()
REFUSAL = int(Channel.REFUSAL)
CREATED = {"type": "response.created", "response": {"model": "m", "status": "in_progress", "output": []}}


def completed(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", "output": list(output)} | more}


def delta(text: str, name: str = "output_text", **more: Any) -> dict[str, Any]:
    return {"type": f"response.{name}.delta", "output_index": 0, "delta": text} | more


def done(name: str = "output_text", **more: Any) -> dict[str, Any]:
    return {"type": f"response.{name}.done", "output_index": 0} | more


def message(text: str, kind: str = "output_text", field: str = "text") -> dict[str, Any]:
    return {"type": "message", "content": [{"type": kind, field: text}]}


def responses(*events: object) -> Heard:
    return hear(OpenAIResponses(), lines(*events))


def test_items_are_lanes_numbered_by_their_place() -> None:
    heard = hear(OpenAIResponses(), SAMPLE)
    assert heard.lanes == {
        (REASONING, 0, 0): "Ask, then tell.",
        (TEXT, 0, 1): "Moment — ich schaue 🚲 nach.",
        (TOOL, 0, 2): '{"city":"Zürich"}',
    }
    assert heard.notes == [{"tool": {"name": "weather", "id": "call_1"}}]
    assert heard.finishes == [Finish.TOOL]
    assert heard.models == ["gpt-sample"]
    assert heard.usage == {"input": 20, "output": 31, "reasoning": 5, "cached": 8}
    assert heard.errors == []


@given(st.lists(st.integers(0, len(SAMPLE)), max_size=12))
def test_cutting_of_the_bytes_does_not_matter(cuts: list[int]) -> None:
    whole = hear(OpenAIResponses(), SAMPLE)
    assert list(map(repr, hear(OpenAIResponses(), SAMPLE, cuts).deltas)) == list(map(repr, whole.deltas))


def events_of(path: Path) -> Iterator[dict[str, Any]]:
    framing = SniffedFraming()
    for _, payload in framing.receive_data(path.read_bytes()) + framing.receive_eof():
        if payload != b"[DONE]":
            yield orjson.loads(payload)


def test_done_texts_of_recordings_are_what_was_streamed(data_dir: Path) -> None:
    """The oracle in the data: the whole text that the provider itself sends behind the pieces."""
    compared = 0
    paths = [path for path in recordings(data_dir, "") if "-responses-" in path.name]
    assert len(paths) > 50
    for path in paths:
        wholes: dict[tuple[int, int], list[str]] = {}
        decoder = Decoder(SniffedFraming(), OpenAIResponses())
        heard = sort(decoder.receive_data(path.read_bytes(), now=0) + decoder.receive_eof(now=0))
        for event in events_of(path):
            name = event["type"].removeprefix("response.").removesuffix(".done")
            if event["type"].endswith(".done") and name in _VOICES:
                channel, field, _ = _VOICES[name]
                wholes.setdefault((channel, event["output_index"]), []).append(event[field])
        for (channel, item), parts in wholes.items():
            assert heard.lanes.get((channel, 0, item), "") == "".join(parts), path.name
            compared += 1
        assert not [reason for reason in heard.errors if "differs" in reason], path.name
    assert compared > 50


def test_whole_text_that_was_streamed_is_not_said_again() -> None:
    heard = responses(CREATED, delta("a"), delta("b"), done(text="ab"), completed(message("ab")))
    assert heard.lanes == {(TEXT, 0, 0): "ab"}
    assert heard.errors == []


@pytest.mark.parametrize(
    "events",
    [
        [done(text="ab")],
        [delta("a"), done(text="ab")],
        [{"type": "response.output_item.done", "output_index": 0, "item": message("ab")}],
        [],
    ],
)
def test_whole_text_that_was_not_streamed_is_said_once(events: list[dict[str, Any]]) -> None:
    heard = responses(CREATED, *events, completed(message("ab")))
    assert heard.lanes == {(TEXT, 0, 0): "ab"}
    assert heard.errors == []


def test_items_without_their_index_are_kept_apart_by_their_ids() -> None:
    call = {"id": "fc", "type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"}
    heard = responses(
        CREATED,
        {"type": "response.output_item.added", "output_index": 0, "item": {"id": "m", "type": "message"}},
        {"type": "response.output_item.added", "output_index": 0, "item": call | {"arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc", "delta": "{}"},
        {
            "type": "response.function_call_arguments.done",
            "item_id": "fc",
            "output_index": 0,
            "arguments": "{}",
        },
        {"type": "response.output_item.done", "output_index": 0, "item": call},
        completed(message("") | {"id": "m"}, call),
    )
    assert heard.lanes == {(TOOL, 0, 1): "{}"}
    assert len(heard.notes) == 1
    assert heard.errors == []


def test_whole_text_that_contradicts_its_pieces_is_an_error() -> None:
    heard = responses(CREATED, delta("ax"), done(text="ab"), completed(message("ab")))
    assert heard.lanes == {(TEXT, 0, 0): "ax"}
    assert heard.errors == ["the whole of item 0 differs from its 1 pieces"]
    assert heard.finishes == [Finish.STOP]


def test_character_cut_into_its_surrogates_is_whole_again() -> None:
    pieces = b'{"type":"response.output_text.delta","output_index":0,"delta":"%s"}\n'
    wire = pieces % rb"\ud83d" + pieces % rb"\udeb2" + lines(done(text="🚲"))
    heard = hear(OpenAIResponses(), wire)
    assert heard.lanes == {(TEXT, 0, 0): "🚲"}
    assert heard.errors == []


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "{}"),
        ({"type": "custom_tool_call", "name": "f", "input": "ls"}, "ls"),
        ({"type": "mcp_approval_request", "name": "f", "arguments": "{}"}, "{}"),
        ({"type": "code_interpreter_call", "code": "1+1"}, "1+1"),
        ({"type": "tool_search_call", "arguments": {"q": 1}}, '{"q":1}'),
        ({"type": "web_search_call", "action": {"query": "x"}}, '{"query":"x"}'),
        ({"type": "file_search_call", "queries": ["x"]}, '["x"]'),
        ({"type": "shell_call", "action": {"commands": ["ls", "pwd"]}}, "lspwd"),
        ({"type": "apply_patch_call", "operation": {"type": "update_file", "diff": "+x"}}, "+x"),
    ],
)
def test_what_the_model_writes_for_a_tool_is_tool_text(item: dict[str, Any], text: str) -> None:
    added = {"type": "response.output_item.added", "output_index": 0, "item": {"type": item["type"]}}
    if item["type"] == "shell_call":
        added["item"] = item | {"action": {"commands": []}}
    finished = {"type": "response.output_item.done", "output_index": 0, "item": item}
    for heard in (responses(CREATED, added, finished), responses(CREATED, completed(item))):
        assert heard.lanes == {(TOOL, 0, 0): text}
        assert len(heard.notes) == 1
        assert heard.errors == []


@pytest.mark.parametrize(
    ("event", "finish"),
    [
        (completed(message("a")), Finish.STOP),
        (completed(message("a"), {"type": "function_call", "arguments": "{}"}), Finish.TOOL),
        (completed({"type": "web_search_call"}, message("a")), Finish.STOP),
        (completed(message("a", "refusal", "refusal")), Finish.REFUSAL),
        (completed(status="incomplete", incomplete_details={"reason": "max_output_tokens"}), Finish.LENGTH),
        (completed(status="incomplete", incomplete_details={"reason": "content_filter"}), Finish.REFUSAL),
        (completed(status="cancelled"), Finish.STOP),
        (completed(status="failed", error={"code": "server_error", "message": "secret"}), Finish.ERROR),
        (delta("a"), Finish.TRUNCATED),
    ],
)
def test_finish_is_made_of_status_and_last_item(event: dict[str, Any], finish: Finish) -> None:
    assert responses(CREATED, event).finishes == [finish]


def test_failure_is_reported_by_its_codes_and_never_its_words() -> None:
    failed = completed(status="failed", error={"code": "server_error", "message": "secret"})
    assert responses(CREATED, failed).errors == ["provider error: server_error"]
    event = {"type": "error", "code": "rate_limit_exceeded", "message": "secret", "param": None}
    heard = responses(CREATED, event)
    assert (heard.errors, heard.finishes) == (["provider error: rate_limit_exceeded"], [Finish.ERROR])
    body = {"error": {"type": "invalid_request_error", "code": "bad", "message": "secret"}}
    assert responses(body).errors == ["provider error: invalid_request_error bad"]


def test_refusal_and_both_reasonings_have_their_lanes() -> None:
    heard = responses(
        CREATED,
        delta("s", "reasoning_summary_text", summary_index=0),
        delta("r", "reasoning_text", content_index=0),
        delta("no", "refusal", output_index=1),
        completed({"type": "reasoning", "summary": [{"text": "s"}], "content": [{"text": "r"}]}),
    )
    assert heard.lanes == {(REASONING, 0, 0): "sr", (REFUSAL, 0, 1): "no"}
    assert heard.errors == []


def test_tokens_are_deltas_where_logprobs_prove_them() -> None:
    logprobs = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}]
    said = [delta for delta in responses(delta("ab", logprobs=logprobs)).deltas if delta.text in ("a", "b")]
    assert [delta.logprob for delta in said] == [-0.5, -1.0]


def test_annotation_is_a_note() -> None:
    annotation = {"type": "url_citation", "url": "https://a.example", "title": "A", "text": "long"}
    heard = responses(
        {"type": "response.output_text.annotation.added", "output_index": 2, "annotation": annotation}
    )
    assert heard.notes == [{"citation": {"type": "url_citation", "url": "https://a.example", "title": "A"}}]


def test_whole_body_is_read_like_its_events() -> None:
    body = {"object": "response", "model": "m", "status": "completed", "output": [message("a")]}
    heard = responses(body | {"usage": {"input_tokens": 1, "output_tokens": 2}})
    assert heard.lanes == {(TEXT, 0, 0): "a"}
    assert (heard.finishes, heard.usage) == ([Finish.STOP], {"input": 1, "output": 2})


def test_unknown_events_pass_by() -> None:
    heard = responses(
        CREATED, {"type": "keepalive"}, {"type": "response.next_year.delta", "delta": "x"}, completed()
    )
    assert heard.lanes == {}
    assert (heard.errors, heard.finishes) == ([], [Finish.STOP])


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta"},
        {"type": "response.output_text.delta", "delta": "x", "output_index": "a"},
        {"type": "response.output_text.delta", "delta": 5, "output_index": 0},
        {"type": "response.completed", "response": 3},
        {"type": "response.output_item.added", "item": []},
        {"type": ["response"]},
    ],
)
def test_event_of_another_shape_is_an_error_and_the_stream_goes_on(event: dict[str, Any]) -> None:
    heard = responses(CREATED, event, delta("b", output_index=1), completed())
    assert heard.errors[0].startswith("event does not have the shape of this API")
    assert heard.lanes == {(TEXT, 0, 1): "b"}
    assert heard.finishes == [Finish.STOP]
