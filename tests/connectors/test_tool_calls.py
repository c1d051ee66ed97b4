"""The limits of what is kept of a call, and of what can be written as JSON."""

from __future__ import annotations

import json

import pytest

from connectors._decoder import MAX_EVENT, Script
from connectors._tool_calls import ToolCalls
from connectors._untrusted import compact, facts
from connectors.anthropic import AnthropicMessages
from operators.packet import Finish
from tests.connectors.heard import TOOL, hear, lines, sort


def test_arguments_beyond_the_limit_are_said_but_not_checked() -> None:
    out = Script("x")
    calls = ToolCalls(out)
    calls.open(0, "f", "t")
    half = "[" * (MAX_EVENT // 2 + 1)
    calls.add(0, half)
    calls.add(0, half)
    calls.close(0)
    calls.settle(Finish.TOOL)
    out.end()
    heard = sort(out.take())
    assert heard.lanes == {(TOOL, 0, 0): half + half}
    assert len(heard.errors) == 1
    assert "not checked" in heard.errors[0]


def test_names_and_ids_that_are_no_strings_are_empty() -> None:
    out = Script("x")
    ToolCalls(out).open(0, {"deep": 1}, None)
    assert json.loads(out.take()[-1].text) == {"tool": {"name": "", "id": ""}}


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True]}, {}, {"é": "\ud83d"}, {"n": 1 << 70}])
def test_compact_writes_what_it_was_given(value: object) -> None:
    text = compact(value)
    assert json.loads(text) == value
    assert " " not in text


def test_compact_refuses_what_is_nested_too_deep() -> None:
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match="too deep"):
        compact(deep)


def test_facts_are_scalars_of_the_names_asked_for() -> None:
    source = {"url": "u", "at": 3, "deep": {"text": "x"}, "other": "y"}
    assert facts(source, "url", "at", "deep", "none") == {"url": "u", "at": 3}
    assert facts("no object", "url") == {}


def test_surrogate_pair_cut_between_two_pieces_of_arguments_is_joined() -> None:
    start = {"type": "message_start", "message": {"model": "m"}}
    opened = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {}}}
    data = lines(start, opened) + b"".join(
        b'{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"%s"}}\n'
        % piece
        for piece in (b'{\\"a\\": \\"\\ud83d', b'\\udeb2\\"}')
    )
    heard = hear(AnthropicMessages(), data + lines({"type": "content_block_stop", "index": 0}))
    assert heard.lanes == {(TOOL, 0, 0): '{"a": "🚲"}'}
    assert heard.errors == []
