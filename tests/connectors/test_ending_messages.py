"""The last events of a message, as the official SDK takes them behind what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors._decoder import Event
from connectors._ending import open_ending
from connectors._last_frames import sse
from tests.connectors.heard import recordings
from tests.connectors.left import CALL, END_WAYS, cuts, events_of, named, said, told

anthropic = pytest.importorskip("anthropic")
httpx2 = pytest.importorskip("httpx2")

REASON = {"blocked": "refusal", "told why": "refusal", "truncated": "max_tokens"}


class Server:
    """The SDK's client, and what the next call is answered with."""

    def __init__(self) -> None:
        self.body = b""
        http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        self.client = anthropic.Anthropic(api_key="none", http_client=http, max_retries=0)

    def _answer(self, request: Any) -> Any:
        del request
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self.body)

    def message(self, body: bytes) -> tuple[list[str], Any]:
        """The types of the raw events, and the message that the SDK's accumulator makes of them."""
        self.body = body
        kinds = []
        with self.client.beta.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
            for event in stream:
                kinds.append(event.type)  # noqa: PERF401
            return kinds, stream.get_final_message()


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


def spoken(events: list[Event]) -> str:
    """What the deltas of text and thinking said."""
    deltas = [json.loads(payload).get("delta", {}) for _, payload in events]
    return "".join(delta.get("text") or delta.get("thinking") or "" for delta in deltas)


def held(message: Any) -> str:
    """What the blocks of a message say."""
    return "".join(
        block.text if block.type == "text" else block.thinking
        for block in message.content
        if block.type in ("text", "thinking")
    )


def one_message(path: Path) -> list[Event]:
    """The first message of a recording, which may hold several."""
    events = named(events_of(path))
    starts = [place for place, (name, _) in enumerate(events) if name == "message_start"]
    return events[: starts[1]] if len(starts) > 1 else events


def test_every_recording_cut_anywhere_ends_as_the_sdk_reads_an_end(server: Server, data_dir: Path) -> None:
    ended = 0
    for path in recordings(data_dir, "anthropic-messages-"):
        if path.stat().st_size > 50_000:
            continue
        for left in cuts(one_message(path)):
            way, end = list(END_WAYS.items())[len(left) % len(END_WAYS)]
            ending = told("anthropic-messages", left)
            over = ending.over
            last = end(ending)
            assert (last == b"") == over
            if over:
                continue
            kinds, message = server.message(sse(left) + last)
            assert kinds.count("message_start") == 1
            assert kinds[-1] == "message_stop"
            stops = [json.loads(payload)["delta"].get("stop_reason") for name, payload in left
                     if name == "message_delta"]  # fmt: skip
            assert message.stop_reason == next(filter(None, stops), REASON[way]), path.name
            assert held(message) == spoken(left), path.name
            ended += 1
    assert ended > 300


def test_a_failure_raises_what_the_api_raises(server: Server, data_dir: Path) -> None:
    for path in recordings(data_dir, "anthropic-messages-0"):
        for left in cuts(one_message(path)):
            ending = told("anthropic-messages", left)
            if ending.over:
                assert ending.failed("no") == b""
                continue
            with pytest.raises(anthropic.APIStatusError, match="a stage failed") as raised:
                server.message(sse(left) + ending.failed("a stage failed"))
            assert raised.value.type == "api_error"


def frames(*events: dict[str, Any]) -> list[Event]:
    return [(event["type"], json.dumps(event).encode()) for event in events]


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": []}
    ends = {"stop_reason": None, "stop_sequence": None, "usage": usage}
    return {"type": "message_start", "message": message | ends}


def block(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def test_nothing_left_is_one_whole_message(server: Server) -> None:
    kinds, message = server.message(open_ending("anthropic-messages", CALL).blocked("Not here."))
    assert kinds == ["message_start", "message_delta", "message_stop"]
    assert (message.id, message.model, message.content) == ("msg_test", "asked-model", [])
    assert message.stop_reason == "refusal"
    assert message.stop_details.explanation == "Not here."
    assert message.stop_details.category is None


@pytest.mark.parametrize("kind", ["text", "thinking"])
def test_the_block_that_is_open_is_closed_and_no_other(kind: str) -> None:
    left = frames(
        start(input_tokens=1, output_tokens=1),
        block(0, type="text", text=""),
        {"type": "content_block_stop", "index": 0},
        block(1, type=kind, **{kind: ""}),
    )
    events = said(told("anthropic-messages", left).truncated())
    assert [name for name, _ in events] == ["content_block_stop", "message_delta", "message_stop"]
    assert events[0][1]["index"] == 1
    assert all(name == payload["type"] for name, payload in events)


@pytest.mark.parametrize("arguments", [[], ["{}"], ['{"path": "/']])
def test_half_a_tool_call_is_never_said_to_be_done(server: Server, arguments: list[str]) -> None:
    left = frames(
        start(input_tokens=1, output_tokens=1),
        block(0, type="tool_use", id="t", name="look", input={}),
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": part},
            }
            for part in arguments
        ),
    )
    for way, end in END_WAYS.items():
        kinds, message = server.message(sse(left) + end(told("anthropic-messages", left)))
        assert "content_block_stop" not in kinds
        assert message.stop_reason == REASON[way] != "tool_use"


def test_usage_is_what_was_said_last(server: Server) -> None:
    left = frames(
        start(input_tokens=25, cache_read_input_tokens=3, output_tokens=1),
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 15}},
    )
    _, message = server.message(sse(left) + told("anthropic-messages", left).blocked())
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (25, 3, 15)


def test_a_reason_that_has_left_is_not_taken_back(server: Server) -> None:
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
    left = frames(start(input_tokens=1, output_tokens=1), delta)
    last = told("anthropic-messages", left).blocked()
    assert [name for name, _ in said(last)] == ["message_stop"]
    assert server.message(sse(left) + last)[1].stop_reason == "end_turn"


def test_what_the_provider_ended_itself_is_over() -> None:
    for last in ({"type": "message_stop"}, {"type": "error", "error": {"type": "overloaded_error"}}):
        ending = told("anthropic-messages", frames(start(output_tokens=1), last))
        assert ending.over
        assert ending.blocked() == ending.failed("x") == b""
