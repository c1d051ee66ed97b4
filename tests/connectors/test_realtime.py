"""Realtime sessions: OpenAI's events under both their names, and Gemini Live's messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors._decoder import Decoder
from connectors._lines import CassetteFraming
from connectors.gemini_live import GeminiLive
from connectors.openai_realtime import OpenAIRealtime
from operators.packet import Channel, Finish
from tests.connectors.heard import REASONING, TEXT, TOOL, Heard, hear, lines, sort

TRANSCRIPT = int(Channel.TRANSCRIPT)
SESSION = {"type": "session.created", "session": {"model": "voice"}}
CREATED = {"type": "response.created", "response": {"status": "in_progress"}}


def over(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "response.done", "response": {"status": "completed", "output": list(output)} | more}


def piece(name: str, text: str, item: int = 0) -> dict[str, Any]:
    return {"type": f"response.{name}.delta", "output_index": item, "content_index": 0, "delta": text}


def realtime(*events: object) -> Heard:
    return hear(OpenAIRealtime(), lines(*events))


def live(*messages: object) -> Heard:
    return hear(GeminiLive(), lines(*messages))


@pytest.mark.parametrize(
    ("name", "lane"),
    [
        ("output_text", TEXT),
        ("text", TEXT),
        ("output_audio_transcript", TRANSCRIPT),
        ("audio_transcript", TRANSCRIPT),
        ("function_call_arguments", TOOL),
    ],
)
def test_both_names_of_an_event_have_one_lane(name: str, lane: int) -> None:
    heard = realtime(
        SESSION, CREATED, piece(name, "a"), piece("output_audio", "AAAA"), piece(name, "b"), over()
    )
    assert heard.lanes == {(lane, 0, 0): "ab"}
    assert (heard.models, heard.finishes, heard.errors) == (["voice"], [Finish.STOP], [])


def test_each_response_of_a_session_is_a_stream() -> None:
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"}
    added = {"type": "response.output_item.added", "output_index": 0, "item": call | {"arguments": ""}}
    usage = {"input_tokens": 7, "output_tokens": 3, "input_token_details": {"cached_tokens": 2}}
    heard = realtime(
        SESSION, CREATED, added, piece("function_call_arguments", "{}"), over(call, usage=usage),
        CREATED, piece("output_text", "a"), over(),
    )  # fmt: skip
    assert heard.finishes == [Finish.TOOL, Finish.STOP]
    assert heard.notes == [{"tool": {"name": "f", "id": "c"}}]
    assert heard.usage == {"input": 7, "output": 3, "cached": 2}


@pytest.mark.parametrize(
    ("response", "finish", "errors"),
    [
        ({"status": "cancelled", "status_details": {"reason": "turn_detected"}}, Finish.STOP, []),
        ({"status": "incomplete", "status_details": {"reason": "max_output_tokens"}}, Finish.LENGTH, []),
        ({"status": "incomplete", "status_details": {"reason": "content_filter"}}, Finish.REFUSAL, []),
        (
            {"status": "failed", "status_details": {"error": {"code": "e"}}},
            Finish.ERROR,
            ["provider error: e"],
        ),
        (
            {"status": "failed", "status_details": "unimplemented"},
            Finish.ERROR,
            ["provider error: no code given"],
        ),
    ],
)
def test_response_ends_as_its_status_says(
    response: dict[str, Any], finish: Finish, errors: list[str]
) -> None:
    heard = realtime(CREATED, over(**response))
    assert (heard.finishes, heard.errors) == ([finish], errors)


def test_error_event_does_not_end_the_response() -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "code": "x", "message": "secret"}}
    heard = realtime(CREATED, error, piece("output_text", "a"), over())
    assert heard.errors == ["provider error: invalid_request_error x"]
    assert (heard.lanes, heard.finishes) == ({(TEXT, 0, 0): "a"}, [Finish.STOP])


def test_connection_that_closes_inside_a_response_truncates_it() -> None:
    rows: list[dict[str, Any]] = [
        {"direction": "received", "data": each} for each in (SESSION, CREATED, piece("text", "a"))
    ]
    rows += [{"kind": "close", "code": 1011}]
    rows += [
        {"direction": "received", "data": each} for each in (SESSION, CREATED, piece("text", "b"), over())
    ]
    assert hear(OpenAIRealtime(), lines(*rows)).finishes == [Finish.TRUNCATED, Finish.STOP]


def test_what_the_caller_said_is_not_text_of_the_stream() -> None:
    heard = realtime(
        CREATED,
        {"type": "conversation.item.input_audio_transcription.delta", "delta": "question", "item_id": "i"},
        {"type": "conversation.item.added", "item": {"type": "message", "content": [{"type": "input_text"}]}},
        over(),
    )
    assert heard.lanes == {}


def test_translation_session_is_one_stream() -> None:
    word = {"type": "session.output_transcript.delta", "delta": "La"}
    heard = realtime(
        SESSION, {"type": "session.input_transcript.delta", "delta": "The"}, word, {"type": "session.closed"}
    )
    assert (heard.lanes, heard.finishes) == ({(TRANSCRIPT, 0, 0): "La"}, [Finish.STOP])


def test_session_without_a_response_is_not_silent() -> None:
    heard = realtime(SESSION)
    assert heard.errors == ["the bytes ended before a stream began"]
    assert heard.finishes == [Finish.TRUNCATED]


def test_turn_of_a_live_session_is_a_stream() -> None:
    heard = live(
        {"setupComplete": {}},
        {"serverContent": {"inputTranscription": {"text": "what the caller said"}}},
        {"serverContent": {"modelTurn": {"parts": [{"text": "hm", "thought": True}, {"text": "Hi"}]}}},
        {
            "toolCall": {
                "functionCalls": [{"id": "1", "name": "f", "args": {"a": 1}}, {"id": "2", "name": "g"}]
            }
        },
        {"serverContent": {"outputTranscription": {"text": "Hello"}}},
        {
            "serverContent": {
                "modelTurn": {"parts": [{"executableCode": {"code": "1+1"}}, {"inlineData": {}}]}
            }
        },
        {
            "serverContent": {"turnComplete": True},
            "usageMetadata": {"promptTokenCount": 4, "responseTokenCount": 2},
        },
        {"serverContent": {"modelTurn": {"parts": [{"text": "Next"}]}}},
    )
    assert heard.lanes == {
        (REASONING, 0, 0): "hm",
        (TEXT, 0, 0): "HiNext",
        (TOOL, 0, 0): '{"a":1}',
        (TOOL, 0, 1): "{}",
        (TRANSCRIPT, 0, 0): "Hello",
        (TOOL, 0, 2): "1+1",
    }
    assert [note["tool"]["name"] for note in heard.notes] == ["f", "g", "code_execution"]
    assert heard.finishes == [Finish.STOP, Finish.TRUNCATED]
    assert heard.usage == {"input": 4, "output": 2}


def wholes(events: list[dict[str, Any]]) -> list[str]:
    """The texts a recorded session itself says once more, at the end of each part."""
    fields = {"text": "text", "audio_transcript": "transcript", "output_text": "text"}
    fields |= {"output_audio_transcript": "transcript", "function_call_arguments": "arguments"}
    said = []
    for event in events:
        name = event.get("type", "").removeprefix("response.").removesuffix(".done")
        if event.get("type", "").endswith(".done") and name in fields:
            said.append(event[fields[name]])
    return said


def test_recorded_sessions_say_their_own_whole_texts(data_dir: Path) -> None:
    paths = [
        path
        for path in sorted(data_dir.joinpath("realtime").glob("*-realtime-*.jsonl"))
        if "google" not in path.name
    ]
    assert paths
    for path in paths:
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        events = [row["data"] for row in rows if row.get("direction") == "received"]
        decoder = Decoder(CassetteFraming(), OpenAIRealtime())
        heard = sort(decoder.receive_data(path.read_bytes(), now=0) + decoder.receive_eof(now=0))
        assert heard.errors == [], path.name
        assert len(heard.finishes) == sum(event.get("type") == "response.created" for event in events)
        assert sorted("".join(heard.lanes.values())) == sorted("".join(wholes(events))), path.name


def test_recorded_live_sessions_say_all_their_transcripts(data_dir: Path) -> None:
    paths = sorted(data_dir.joinpath("realtime").glob("google-realtime-*.jsonl"))
    assert paths
    for path in paths:
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        content = [row["data"].get("serverContent", {}) for row in rows if row.get("direction") == "received"]
        spoken = "".join(each.get("outputTranscription", {}).get("text", "") for each in content)
        decoder = Decoder(CassetteFraming(), GeminiLive())
        heard = sort(decoder.receive_data(path.read_bytes(), now=0) + decoder.receive_eof(now=0))
        assert heard.lanes[TRANSCRIPT, 0, 0] == spoken, path.name
        assert heard.finishes == [Finish.STOP] * sum(each.get("turnComplete", False) for each in content)
