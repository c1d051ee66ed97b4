"""Every dialect outside OpenAI's family: which events it claims, and that nothing can make it raise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._decoder import Decoder, Dialect, Event
from connectors._sniff import SniffedFraming
from connectors.anthropic import AnthropicComplete, AnthropicMessages
from connectors.bedrock import BedrockConverse, BedrockInvoke
from connectors.cohere import CohereChat
from connectors.gemini import GeminiGenerate, GeminiInteractions
from connectors.mcp import McpHttp
from connectors.ollama import Ollama
from connectors.replicate import Replicate
from connectors.watsonx import Watsonx
from connectors.writer import WriterCompletions
from tests.connectors.heard import lines, sort

DIALECTS: dict[type[Dialect], tuple[str, ...]] = {
    AnthropicMessages: ("anthropic-messages",),
    AnthropicComplete: ("anthropic-complete",),
    GeminiGenerate: ("gemini-generate", "vertex-generate"),
    GeminiInteractions: ("gemini-interactions",),
    CohereChat: ("cohere-",),
    Ollama: ("ollama-",),
    BedrockConverse: ("bedrock-converse",),
    BedrockInvoke: ("bedrock-invoke",),
    Replicate: ("replicate-",),
    Watsonx: ("watsonx-",),
    WriterCompletions: ("writer-completions",),
    McpHttp: ("mcp-",),
}
STREAMED = (".sse", ".json", ".jsonl", ".ndjson", ".eventstream")

EVENTS: list[Any] = [
    {
        "type": "message_start",
        "message": {"model": "m", "content": [{"type": "text", "text": "a"}], "usage": {}},
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "citations_delta", "citation": {"url": "u"}},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
    {"type": "error", "error": {"type": "overloaded_error"}},
    {"type": "completion", "completion": "a", "stop_reason": None},
    {"candidates": [{"content": {"parts": [{"text": "a"}]}, "index": 0, "finishReason": "STOP"}]},
    {
        "candidates": [
            {"content": {"parts": [{"functionCall": {"name": "f", "args": {}, "willContinue": True}}]}}
        ]
    },
    {
        "candidates": [
            {
                "content": {
                    "parts": [{"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "b"}]}}]
                }
            }
        ]
    },
    {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1}},
    {"event_type": "interaction.created", "interaction": {"model": "m"}},
    {"event_type": "step.start", "index": 0, "step": {"type": "function_call", "name": "f", "arguments": {}}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "arguments_delta", "arguments": "{}"}},
    {"event_type": "step.stop", "index": 0},
    {"event_type": "interaction.completed", "interaction": {"status": "completed", "usage": {}}},
    {
        "type": "tool-call-start",
        "index": 0,
        "delta": {"message": {"tool_calls": {"function": {"name": "f"}}}},
    },
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "a"}}}},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {}}}},
    {"event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0, "name": "f", "parameters": "{"}},
    {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {"meta": {}}},
    {"model": "m", "message": {"content": "a", "tool_calls": [{"function": {"name": "f"}}]}, "done": False},
    {"model": "m", "response": "a", "done": True, "done_reason": "stop", "logprobs": [{"logprob": -1}]},
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{"}}}},
    {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {"name": "f"}}}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 1}}},
    {"bytes": "eyJvdXRwdXRUZXh0IjogImEifQ=="},
    {"model_id": "m", "results": [{"generated_text": "a", "stop_reason": "eos_token"}]},
    {"value": "a"},
    {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "a"}]}},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": 1}},
]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=5,
)


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """One event of any API with one value replaced by something else, or taken away."""
    event = json.loads(json.dumps(draw(st.sampled_from(EVENTS))))
    place: Any = event
    while isinstance(place, dict | list) and place:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.integers(0, 3)) == 0:
            if draw(st.booleans()):
                place[key] = draw(anything)
            else:
                del place[key]
            break
        place = place[key]
    return event


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60)
@given(events=st.lists(spoiled() | st.sampled_from(EVENTS), min_size=1, max_size=8))
def test_no_events_make_a_dialect_raise_or_break_the_law(dialect: type[Dialect], events: list[Any]) -> None:
    decoder = Decoder(SniffedFraming(), dialect())
    deltas = decoder.receive_data(lines(*events), now=1) + decoder.receive_eof(now=2)
    sort(deltas)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"[DONE]", b"null", b'"a"', b"\xff", b'{"a":1e999}'])
def test_no_payload_makes_a_dialect_raise(dialect: type[Dialect], payload: bytes) -> None:
    for name in ("", "message", "output", "done", "error", "chunk", "metadata", "aException"):
        decoder = Decoder(_Given([(name, payload)]), dialect())
        sort(decoder.receive_data(b"", now=1) + decoder.receive_eof(now=2))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_deep_nesting_is_an_error_at_most(dialect: type[Dialect]) -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    for event in EVENTS:
        text = orjson.dumps(event)
        for hole in (b"{}", b'"a"', b"1"):
            payload = text.replace(hole, deep, 1)
            decoder = Decoder(_Given([("", payload)]), dialect())
            sort(decoder.receive_data(b"", now=1) + decoder.receive_eof(now=2))


def test_recorded_events_are_claimed_by_their_own_dialect_alone(data_dir: Path) -> None:
    first_claims = 0
    for path in sorted(data_dir.joinpath("streams").iterdir()):
        if path.suffix not in STREAMED or path.name.startswith(("INDEX", "openai-stream", "sse-conf")):
            continue
        framing = SniffedFraming()
        events = framing.receive_data(path.read_bytes()) + framing.receive_eof()
        claims = {
            dialect for name, payload in events for dialect in DIALECTS if claimed(dialect, name, payload)
        }
        own = {dialect for dialect, names in DIALECTS.items() if path.name.startswith(names)}
        assert claims == own, path.name
        first_claims += any(claimed(dialect, *events[0]) for dialect in own)
    assert first_claims > 130  # nearly always the very first event tells


def claimed(dialect: type[Dialect], name: str, payload: bytes) -> bool:
    try:
        event = json.loads(payload)
    except ValueError:
        event = {}
    return dialect.knows(name, event if isinstance(event, dict) else {})


class _Given:
    """A framing whose events are given."""

    failed = ""

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def receive_data(self, data: bytes) -> list[Event]:
        return self._events

    def receive_eof(self) -> list[Event]:
        return []
