"""What the official SDK makes of the recorded bytes, and what our dialect makes of them, is the same.

The SDK is fed through a mock transport of its own HTTP client; a recording of payloads without SSE gets
its framing here, and one of several messages is cut into one body each, as the SDK expects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.anthropic import AnthropicMessages
from operators.packet import Finish
from tests.connectors.heard import REASONING, SAMPLES, TEXT, TOOL, hear, recordings, sse

anthropic = pytest.importorskip("anthropic")
httpx2 = pytest.importorskip("httpx2")

FINISH = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "pause_turn": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "tool_use": Finish.TOOL,
    "refusal": Finish.REFUSAL,
}
CHANNEL = {"text": TEXT, "thinking": REASONING, "compaction": REASONING}


def ask(body: bytes) -> Any:
    """The final message that the SDK's own stream parser builds of `body`."""
    reply = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: reply))
    with (
        anthropic.Anthropic(api_key="none", http_client=http, max_retries=0) as client,
        client.beta.messages.stream(model="m", max_tokens=9, messages=[]) as stream,
    ):
        return stream.get_final_message()


def bodies(path: Path) -> Iterator[bytes]:
    """One SSE body for each message of a recording."""
    data = path.read_bytes()
    if path.suffix == ".sse":
        yield data
        return
    events: list[Any] = []
    for event in map(json.loads, data.splitlines()):
        if event["type"] == "message_start" and events:
            yield sse(*events, named=True)
            events = []
        events.append(event)
    yield sse(*events, named=True)


def agree(body: bytes) -> int:
    """Compare block by block; how many blocks were compared."""
    message = ask(body)
    heard = hear(AnthropicMessages(), body)
    lanes = dict(heard.lanes)
    blocks = 0
    for index, block in enumerate(message.content):
        if block.type in CHANNEL:
            text = block.content if block.type == "compaction" else getattr(block, block.type)
            assert lanes.pop((CHANNEL[block.type], 0, index), "") == (text or "")
        elif block.type.endswith("tool_use"):
            said = lanes.pop((TOOL, 0, index), "")
            if message.stop_reason != "max_tokens":
                assert json.loads(said or "{}") == block.input
        else:
            continue
        blocks += 1
    assert lanes == {}, "text that the SDK does not have"
    assert heard.finishes == [FINISH[message.stop_reason]]
    assert heard.usage["output"] == message.usage.output_tokens
    assert heard.usage["input"] == message.usage.input_tokens
    return blocks


def test_sample_means_to_the_sdk_what_it_means_to_us() -> None:
    assert agree(SAMPLES.joinpath("anthropic-messages.sse").read_bytes()) == 6


def test_every_recording_means_to_the_sdk_what_it_means_to_us(data_dir: Path) -> None:
    compared = 0
    for path in recordings(data_dir, "anthropic-messages"):
        for body in bodies(path):
            compared += agree(body)
    assert compared > 150
