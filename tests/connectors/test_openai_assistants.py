"""Assistants: the events of a run."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.openai_assistants import OpenAIAssistants
from operators.packet import Channel, Finish
from tests.connectors.heard import TEXT, TOOL, Heard, hear

REFUSAL = int(Channel.REFUSAL)


def run(status: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return f"thread.run.{status}", {
        "object": "thread.run",
        "model": "m",
        "status": status,
        "usage": None,
    } | more


def said(message: str, *parts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "thread.message.delta", {
        "id": message,
        "object": "thread.message.delta",
        "delta": {"content": parts},
    }


def text(value: str, index: int = 0) -> dict[str, Any]:
    return {"index": index, "type": "text", "text": {"value": value}}


def called(call: dict[str, Any], step: str = "s") -> tuple[str, dict[str, Any]]:
    details = {"type": "tool_calls", "tool_calls": [call]}
    return "thread.run.step.delta", {"id": step, "delta": {"step_details": details}}


def assistants(*events: tuple[str, dict[str, Any]]) -> Heard:
    wire = b"".join(b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data)) for name, data in events)
    return hear(OpenAIAssistants(), wire + b"event: done\ndata: [DONE]\n\n")


def test_messages_are_items_in_their_order() -> None:
    whole = {"id": "m1", "content": [{"type": "text", "text": {"value": "ab"}}]}
    usage = {"prompt_tokens": 4, "completion_tokens": 2}
    heard = assistants(
        run("created"),
        said("m1", text("a")),
        said("m1", text("b")),
        ("thread.message.completed", whole),
        said("m2", text("c"), {"index": 1, "type": "refusal", "refusal": "no"}),
        run("completed", usage=usage),
    )
    assert heard.lanes == {(TEXT, 0, 0): "ab", (TEXT, 0, 1): "c", (REFUSAL, 0, 1): "no"}
    assert (heard.finishes, heard.models, heard.errors) == ([Finish.STOP], ["m"], [])
    assert heard.usage == {"input": 4, "output": 2}


def test_message_whose_whole_contradicts_its_pieces_is_an_error() -> None:
    whole = {"id": "m1", "content": [{"type": "text", "text": {"value": "x"}}]}
    heard = assistants(run("created"), said("m1", text("a")), ("thread.message.completed", whole))
    assert heard.errors == ["the whole of item 0 differs from its 1 pieces"]


def test_calls_are_items_with_a_note() -> None:
    heard = assistants(
        run("created"),
        called({"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{"}}),
        called({"index": 0, "type": "function", "function": {"arguments": "}"}}),
        called({"index": 1, "id": "c2", "type": "code_interpreter", "code_interpreter": {"input": "1"}}),
        called(
            {"index": 0, "id": "c3", "type": "function", "function": {"name": "g", "arguments": "{}"}}, "s2"
        ),
        run("requires_action"),
    )
    assert heard.lanes == {(TOOL, 0, 0): "{}", (TOOL, 0, 1): "1", (TOOL, 0, 2): "{}"}
    assert [note["tool"]["name"] for note in heard.notes] == ["f", "code_interpreter", "g"]
    assert heard.finishes == [Finish.TOOL]


@pytest.mark.parametrize(
    ("event", "finish", "errors"),
    [
        (run("incomplete"), Finish.LENGTH, []),
        (run("cancelled"), Finish.STOP, []),
        (run("expired"), Finish.ERROR, ["expired"]),
        (
            run("failed", last_error={"code": "server_error", "message": "secret"}),
            Finish.ERROR,
            ["server_error"],
        ),
        (("error", {"code": "rate_limit", "message": "secret"}), Finish.ERROR, ["rate_limit"]),
    ],
)
def test_run_ends_as_its_status_says(
    event: tuple[str, dict[str, Any]], finish: Finish, errors: list[str]
) -> None:
    heard = assistants(run("created"), event)
    assert (heard.finishes, heard.errors) == ([finish], [f"provider error: {code}" for code in errors])
