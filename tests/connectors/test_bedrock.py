"""Bedrock: Converse events bare and wrapped, and every vendor's events inside Invoke frames."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.bedrock import BedrockConverse, BedrockInvoke
from operators.packet import Finish
from tests.connectors.heard import REASONING, TEXT, TOOL, Heard, hear, lines, recordings


def frame(name: str, payload: object, *, message_type: str = "event") -> bytes:
    """One event-stream frame, made the way the specification says."""
    kind = ":event-type" if message_type == "event" else ":exception-type"
    headers = b""
    for key, value in ((kind, name), (":message-type", message_type)):
        headers += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def chunk(inner: object) -> bytes:
    return frame("chunk", {"bytes": base64.b64encode(json.dumps(inner).encode()).decode(), "p": "abc"})


def delta(index: int, **body: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": body, "p": "abcd"}


def tool(index: int) -> tuple[str, dict[str, Any]]:
    start = {"toolUse": {"name": "f", "toolUseId": "t"}}
    return "contentBlockStart", {"contentBlockIndex": index, "start": start}


def stop(reason: str) -> tuple[str, dict[str, Any]]:
    return "messageStop", {"stopReason": reason}


START = ("messageStart", {"role": "assistant"})
METADATA = ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 1}})
SAMPLE = [
    START,
    delta(0, reasoningContent={"text": "Hm."}),
    delta(0, reasoningContent={"signature": "c2ln"}),
    delta(1, text="Größe "),
    delta(1, text="🎩"),
    delta(1, citation={"title": "Hats", "source": "hats.txt", "location": {"web": {}}}),
    tool(2),
    delta(2, toolUse={"input": '{"size":'}),
    delta(2, toolUse={"input": " 58}"}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    stop("tool_use"),
    METADATA,
]
WIRE = b"".join(frame(*event) for event in SAMPLE)


def converse(*events: tuple[str, dict[str, Any]]) -> Heard:
    return hear(BedrockConverse(), b"".join(frame(*event) for event in events))


def invoke(*inner: object) -> Heard:
    return hear(BedrockInvoke(), b"".join(map(chunk, inner)))


def test_converse_goes_to_lanes_numbered_by_its_blocks() -> None:
    heard = hear(BedrockConverse(), WIRE)
    assert heard.lanes == {
        (REASONING, 0, 0): "Hm.",
        (TEXT, 0, 1): "Größe 🎩",
        (TOOL, 0, 2): '{"size": 58}',
    }
    assert heard.notes == [
        {"citation": {"title": "Hats", "source": "hats.txt"}},
        {"tool": {"name": "f", "id": "t"}},
    ]
    assert heard.usage == {"input": 3, "output": 4, "cached": 1}
    assert (heard.finishes, heard.errors) == ([Finish.TOOL], [])


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_cutting_of_the_bytes_does_not_matter(cuts: list[int]) -> None:
    assert hear(BedrockConverse(), WIRE, cuts) == hear(BedrockConverse(), WIRE)


def test_wrapped_events_say_what_frames_say() -> None:
    wrapped = lines(*({name: body} for name, body in SAMPLE))
    assert hear(BedrockConverse(), wrapped) == hear(BedrockConverse(), WIRE)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("guardrail_intervened", Finish.REFUSAL),
        ("content_filtered", Finish.REFUSAL),
    ],
)
def test_stop_reason_names_the_finish(reason: str, finish: Finish) -> None:
    heard = converse(START, delta(0, text="a"), stop(reason), METADATA)
    assert (heard.finishes, heard.errors, heard.notes) == ([finish], [], [])


def test_unknown_stop_reason_is_a_stop_that_a_note_names() -> None:
    heard = converse(START, stop("tired"))
    assert (heard.finishes, heard.notes) == ([Finish.STOP], [{"finish": "tired"}])


def test_stream_without_metadata_ends_with_its_bytes() -> None:
    assert converse(START, delta(0, text="a"), stop("end_turn")).finishes == [Finish.STOP]
    assert converse(START, delta(0, text="a")).finishes == [Finish.TRUNCATED]


def test_misplaced_starts_and_deltas_are_errors_and_nothing_is_lost() -> None:
    heard = converse(delta(0, text="a"), START, delta(0, text="b"))
    assert heard.lanes == {(TEXT, 0, 0): "ab"}
    assert heard.errors == [
        "contentBlockDelta before messageStart",
        "second messageStart before messageStop",
    ]


def test_broken_arguments_are_an_error_unless_the_token_limit_cut_them() -> None:
    broken = [
        START,
        tool(0),
        delta(0, toolUse={"input": "{"}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
    ]
    assert len(converse(*broken, stop("tool_use")).errors) == 1
    assert converse(*broken, stop("max_tokens")).errors == []


@pytest.mark.parametrize("dialect", [BedrockConverse, BedrockInvoke])
def test_exception_frame_ends_the_stream_without_repeating_its_message(dialect: Any) -> None:
    fault = frame("throttlingException", {"message": "words of the prompt"}, message_type="exception")
    opening = frame(*START) if dialect is BedrockConverse else chunk({START[0]: START[1]})
    for data in (fault, opening + fault, lines({"throttlingException": {"message": "words"}})):
        heard = hear(dialect(), data)
        assert heard.errors == ["provider error: throttlingException"]
        assert heard.finishes == [Finish.ERROR]


def test_bare_error_body_ends_the_stream() -> None:
    heard = hear(BedrockConverse(), lines({"message": "no such model"}))
    assert (heard.errors, heard.finishes) == (["provider error: no type given"], [Finish.ERROR])


def test_anthropic_events_inside_are_read_as_anthropics() -> None:
    heard = invoke(
        {
            "type": "message_start",
            "message": {"model": "claude", "content": [], "usage": {"input_tokens": 2}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 2}},
    )
    assert (heard.lanes, heard.models) == ({(TEXT, 0, 0): "hi"}, ["claude"])
    assert (heard.finishes, heard.usage, heard.errors) == ([Finish.STOP], {"input": 2, "output": 1}, [])


def test_novas_blocks_of_one_word_are_one_lane() -> None:
    heard = invoke(
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "jane@"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "mail.example"}, "contentBlockIndex": 1}},
        {"messageStop": {"stopReason": "end_turn"}, "amazon-bedrock-guardrailAction": "INTERVENED"},
        {"metadata": {"usage": {"inputTokens": 2, "outputTokens": 3, "cacheReadInputTokenCount": 0}}},
    )
    assert heard.lanes == {(TEXT, 0, 0): "jane@mail.example"}
    assert heard.notes == [{"guardrail": {"action": "INTERVENED"}}]
    assert (heard.finishes, heard.usage) == ([Finish.STOP], {"input": 2, "output": 3, "cached": 0})


METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 9}}


@pytest.mark.parametrize(
    ("events", "finish"),
    [
        ([{"outputText": "a b", "index": 0}, {"outputText": "", "completionReason": "FINISH"}], Finish.STOP),
        ([{"generation": "a b"}, {"generation": "", "stop_reason": "length"}], Finish.LENGTH),
        ([{"outputs": [{"text": "a b"}]}, {"outputs": [{"text": "", "stop_reason": "stop"}]}], Finish.STOP),
        ([{"text": "a b"}, {"is_finished": True, "finish_reason": "ERROR_TOXIC"}], Finish.REFUSAL),
    ],
    ids=["titan", "llama", "mistral", "cohere"],
)
def test_small_shapes_inside_give_text_reason_and_usage(events: list[dict[str, Any]], finish: Finish) -> None:
    events[-1] = events[-1] | METRICS
    heard = invoke(*events)
    assert heard.lanes == {(TEXT, 0, 0): "a b"}
    assert (heard.finishes, heard.errors) == ([finish], [])
    assert heard.usage == {"input": 5, "output": 9}


def test_inner_shape_that_nobody_knows_is_an_error_once() -> None:
    heard = invoke({"choices": [{"delta": {"content": "a"}}]}, {"choices": []})
    assert heard.errors == ["events of this model are not known"]


def test_bytes_that_are_no_base64_are_an_error() -> None:
    heard = hear(BedrockInvoke(), frame("chunk", {"bytes": "*not base64*"}))
    assert len(heard.errors) == 1


def test_recordings_are_heard_and_only_hand_made_ones_lack_their_start(data_dir: Path) -> None:
    for path in recordings(data_dir, "bedrock-converse", "bedrock-invoke"):
        dialect = BedrockConverse() if "converse" in path.name else BedrockInvoke()
        heard = hear(dialect, path.read_bytes())
        headless = path.suffix == ".jsonl" and not path.read_bytes().startswith(b'{"messageStart')
        assert len(heard.errors) == headless, path.name
        assert heard.lanes, path.name
        assert heard.finishes[0] in (Finish.STOP, Finish.LENGTH, Finish.TOOL, Finish.REFUSAL), path.name
        for (channel, _, _), text in heard.lanes.items():
            if channel == TOOL:
                json.loads(text)
