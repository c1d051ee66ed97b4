"""What the official SDK makes of the recorded bytes, and what our dialects make of them, is the same.

The SDK is fed through a mock transport of its own HTTP client. It always asks for SSE, so a recorded JSON
array and recorded payloads get that framing here; our side reads the file as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.gemini import GeminiGenerate, GeminiInteractions
from operators.packet import Finish
from tests.connectors.heard import REASONING, SAMPLES, TEXT, TOOL, Heard, hear, recordings, sse

httpx2 = pytest.importorskip("httpx2")
genai = pytest.importorskip("google.genai")


FINISH = {"STOP": Finish.STOP, "MAX_TOKENS": Finish.LENGTH, "RECITATION": Finish.REFUSAL}
STATUS = {"completed": Finish.STOP, "incomplete": Finish.LENGTH, "requires_action": Finish.TOOL}


def ask(body: bytes, request: Callable[[Any], Iterator[Any]]) -> list[Any]:
    """What `request` yields when the server answers `body`."""
    reply = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    with httpx2.Client(transport=httpx2.MockTransport(lambda _: reply)) as http:
        options = genai.types.HttpOptions(httpx_client=http)
        with genai.Client(api_key="none", http_options=options) as client:
            return list(request(client))


def generate(client: Any) -> Iterator[Any]:
    return iter(client.models.generate_content_stream(model="m", contents="hi"))


def interact(client: Any) -> Iterator[Any]:
    return iter(client.interactions.create(model="m", input="hi", stream=True))


def wire(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".json":
        return sse(*orjson.loads(data))
    return data if path.suffix == ".sse" else sse(*map(json.loads, data.splitlines()))


def agree(responses: list[Any], heard: Heard) -> None:
    """Compare text, thoughts, arguments, finish and usage of the first candidate."""
    texts: dict[int, str] = {TEXT: "", REASONING: ""}
    calls, reasons = [], []
    usage: dict[str, int | None] = {}
    for response in responses:
        for candidate in (response.candidates or [])[:1]:
            reasons += [candidate.finish_reason] if candidate.finish_reason else []
            for part in (candidate.content and candidate.content.parts) or []:
                texts[REASONING if part.thought else TEXT] += part.text or ""
                if part.function_call and part.function_call.name:
                    calls.append((part.function_call.name, part.function_call.args))
        if response.usage_metadata:
            usage["input"] = response.usage_metadata.prompt_token_count or usage.get("input")
            usage["output"] = response.usage_metadata.candidates_token_count or usage.get("output")
    for channel, text in texts.items():
        assert heard.lanes.get((channel, 0, 0), "") == text
    names = [note["tool"]["name"] for note in heard.notes if "tool" in note]
    tools = [text for (channel, _, _), text in heard.lanes.items() if channel == TOOL]
    said = dict(enumerate(zip(names, tools, strict=True)))
    for name, args in calls:
        item = next(item for item, (tool, _) in said.items() if tool == name)
        text = said.pop(item)[1]
        if args is not None:  # the SDK does not put streamed arguments together
            assert json.loads(text) == args
    blocked = next((r.prompt_feedback for r in responses if r.prompt_feedback), None)
    if reasons:
        assert heard.finishes == [FINISH.get(reasons[-1].value, Finish.STOP)]
    elif blocked and blocked.block_reason:
        assert heard.finishes == [Finish.REFUSAL]
    else:
        assert heard.finishes == [Finish.TRUNCATED]
    assert {name: count for name, count in usage.items() if count} == {
        name: count for name, count in heard.usage.items() if name in ("input", "output") and count
    }


def test_sample_means_to_the_sdk_what_it_means_to_us() -> None:
    body = SAMPLES.joinpath("gemini-generate.sse").read_bytes()
    agree(ask(body, generate), hear(GeminiGenerate(), body))


@pytest.mark.filterwarnings("ignore:.* is not a valid ")
def test_every_recording_means_to_the_sdk_what_it_means_to_us(data_dir: Path) -> None:
    refused = set()
    for path in recordings(data_dir, "gemini-generate", "vertex-generate"):
        try:
            responses = ask(wire(path), generate)
        except (genai.errors.APIError, AttributeError, ValueError):
            refused.add(path.name)
            continue
        agree(responses, hear(GeminiGenerate(), path.read_bytes()))
    # two error bodies, and a reason given as a number
    assert refused == {"gemini-generate-12.sse", "vertex-generate-01.json", "vertex-generate-03.sse"}


def test_every_recorded_interaction_means_to_the_sdk_what_it_means_to_us(data_dir: Path) -> None:
    for path in recordings(data_dir, "gemini-interactions"):
        texts: dict[int, str] = {}
        finish = Finish.TRUNCATED
        for event in ask(wire(path), interact):
            if event.event_type == "step.delta" and event.delta.type == "text":
                texts[event.index] = texts.get(event.index, "") + event.delta.text
            elif event.event_type == "interaction.completed":
                finish = STATUS[event.interaction.status]
        heard = hear(GeminiInteractions(), path.read_bytes())
        assert {item: text for (channel, _, item), text in heard.lanes.items() if channel == TEXT} == texts
        assert heard.finishes == [finish], path.name
