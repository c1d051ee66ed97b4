"""Replicate, watsonx, Writer completions and MCP: a shape each, and its ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mcp import McpHttp
from connectors.replicate import Replicate
from connectors.watsonx import Watsonx
from connectors.writer import WriterCompletions
from operators.packet import Finish
from tests.connectors.heard import TEXT, hear, lines, recordings, sse


def event(name: str, *data: str) -> bytes:
    return f"event: {name}\n".encode() + "".join(f"data: {line}\n" for line in data).encode() + b"\n"


def result(text: str, reason: str = "not_finished", **counts: int) -> dict[str, Any]:
    return {"model_id": "granite", "results": [{"generated_text": text, "stop_reason": reason, **counts}]}


@pytest.mark.parametrize("text", ["Hé!", '{"a" : 1}', "[1, 2]", "5", '"quoted"', "null", "[DONE]", "{"])
def test_replicate_output_is_text_whatever_it_looks_like(text: str) -> None:
    heard = hear(Replicate(), event("output", "So: ") + event("output", text) + event("done", "{}"))
    assert heard.lanes == {(TEXT, 0, 0): f"So: {text}"}
    assert (heard.finishes, heard.errors) == ([Finish.STOP], [])


def test_replicate_output_of_several_lines_keeps_them() -> None:
    heard = hear(Replicate(), event("output", ":", "", "Why") + event("done", "{}"))
    assert heard.lanes == {(TEXT, 0, 0): ":\n\nWhy"}


@pytest.mark.parametrize(
    ("last", "finish", "errors"),
    [
        (event("done", '{"reason": "canceled"}'), Finish.STOP, 0),
        (event("done", '{"reason": "error"}'), Finish.ERROR, 1),
        (event("error", '{"detail": "words of the prompt"}'), Finish.ERROR, 1),
        (event("error", "words of the prompt"), Finish.ERROR, 1),
        (b"", Finish.TRUNCATED, 0),
    ],
)
def test_replicate_ends_as_its_last_event_says(last: bytes, finish: Finish, errors: int) -> None:
    heard = hear(Replicate(), event("output", "half") + last)
    assert (heard.finishes, len(heard.errors)) == ([finish], errors)
    assert not any("words" in error for error in heard.errors)


def test_watsonx_ends_with_its_reason_and_counts() -> None:
    heard = hear(
        Watsonx(),
        sse(
            result("", generated_token_count=0, input_token_count=8),
            result("the", generated_token_count=1, input_token_count=0),
            result(" sun", "max_tokens", generated_token_count=2, input_token_count=0),
        ),
    )
    assert heard.lanes == {(TEXT, 0, 0): "the sun"}
    assert (heard.finishes, heard.models) == ([Finish.LENGTH], ["granite"])
    assert heard.usage == {"input": 8, "output": 2}


def test_watsonx_unknown_reason_is_a_stop_and_none_is_truncated() -> None:
    heard = hear(Watsonx(), sse(result("a", "tired")))
    assert (heard.finishes, heard.notes) == ([Finish.STOP], [{"finish": "tired"}])
    assert hear(Watsonx(), sse(result("a"))).finishes == [Finish.TRUNCATED]


def test_watsonx_error_does_not_repeat_its_message() -> None:
    body = {"errors": [{"code": "rate_limit", "message": "words"}], "status_code": 429}
    heard = hear(Watsonx(), lines(body))
    assert (heard.errors, heard.finishes) == (["provider error: rate_limit"], [Finish.ERROR])


def test_writer_completion_ends_with_its_bytes() -> None:
    heard = hear(WriterCompletions(), sse({"value": "Sure"}, {"value": ", é"}))
    assert (heard.lanes, heard.finishes) == ({(TEXT, 0, 0): "Sure, é"}, [Finish.STOP])
    assert hear(WriterCompletions(), sse({"value": "a"}, {"error": "words"})).finishes == [Finish.ERROR]


def test_mcp_takes_the_texts_of_results_and_nothing_twice() -> None:
    heard = hear(
        McpHttp(),
        sse(
            {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "noise"}},
            {
                "jsonrpc": "2.0",
                "id": 1,
                "result": {
                    "content": [
                        {"type": "text", "text": "one"},
                        {"type": "image", "data": "AAAA", "mimeType": "image/png"},
                        {"type": "resource", "resource": {"uri": "file:///a", "text": "two"}},
                    ],
                    "structuredContent": {"result": "one"},
                },
            },
            {"jsonrpc": "2.0", "id": 2, "result": {"contents": [{"uri": "file:///b", "text": "three"}]}},
            {
                "jsonrpc": "2.0",
                "id": 3,
                "result": {"messages": [{"role": "user", "content": {"type": "text", "text": "four"}}]},
            },
        ),
    )
    assert heard.lanes == {
        (TEXT, 0, 0): "one",
        (TEXT, 0, 1): "two",
        (TEXT, 0, 2): "three",
        (TEXT, 0, 3): "four",
    }
    assert (heard.finishes, heard.errors) == ([Finish.STOP], [])


def test_mcp_faults_are_errors() -> None:
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "words"}}
    heard = hear(McpHttp(), sse(error))
    assert (heard.errors, heard.finishes) == (["JSON-RPC error -32601"], [Finish.ERROR])
    failed = {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"content": [{"type": "text", "text": "no"}], "isError": True},
    }
    heard = hear(McpHttp(), sse(failed))
    assert (heard.lanes, len(heard.errors)) == ({(TEXT, 0, 0): "no"}, 1)


SMALL = {
    Replicate: event("output", "Zü") + event("output", "rich 🚲", "two") + event("done", "{}"),
    Watsonx: sse(result("Zü"), result("rich 🚲", "eos_token", generated_token_count=3)),
    WriterCompletions: sse({"value": "Zü"}, {"value": "rich 🚲"}),
    McpHttp: sse({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "Zürich 🚲"}]}}),
}


@pytest.mark.parametrize("dialect", SMALL)
@given(data=st.data())
def test_cutting_of_the_bytes_does_not_matter(dialect: Any, data: st.DataObject) -> None:
    wire = SMALL[dialect]
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=12))
    assert hear(dialect(), wire, cuts) == hear(dialect(), wire)


@pytest.mark.parametrize(
    ("dialect", "name", "start", "end"),
    [
        (Replicate, "replicate-stream-01", "Sure, here's a joke", "assist you with?"),
        (Watsonx, "watsonx-generate-01", "the sun is", "in the sky"),
        (WriterCompletions, "writer-completions-01", "Sure, here's", "'t!"),
        (McpHttp, "mcp-http-03", "Pydantic AI is", ""),
    ],
)
def test_recording_is_heard_whole(data_dir: Path, dialect: Any, name: str, start: str, end: str) -> None:
    (path,) = recordings(data_dir, name)
    heard = hear(dialect(), path.read_bytes())
    assert list(heard.lanes) == [(TEXT, 0, 0)]
    text = heard.lanes[TEXT, 0, 0]
    assert text.startswith(start)
    assert text.endswith(end)
    assert (heard.finishes, heard.errors) == ([Finish.STOP], [])


def test_recorded_tool_answer_is_its_structured_content(data_dir: Path) -> None:
    (path,) = recordings(data_dir, "mcp-http-03")
    last = json.loads(path.read_bytes().decode().rsplit("data: ", 1)[1])
    heard = hear(McpHttp(), path.read_bytes())
    assert heard.lanes[TEXT, 0, 0] == last["result"]["structuredContent"]["result"]
