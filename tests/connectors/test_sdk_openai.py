"""What the official SDK makes of the recorded bytes, and what our dialects make of them, is the same.

The SDK is fed through a mock transport of its own HTTP client; a recording of payloads without SSE gets
its framing here. A recording that the SDK refuses (an error inside, a chunk its accumulator cannot take)
is counted, and the count is small.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.openai_assistants import OpenAIAssistants
from connectors.openai_chat import OpenAIChat
from connectors.openai_completions import OpenAICompletions
from connectors.openai_responses import OpenAIResponses
from operators.packet import Channel, Finish
from tests.connectors.heard import REASONING, SAMPLES, TEXT, TOOL, Heard, hear, sse

openai = pytest.importorskip("openai")
httpx2 = pytest.importorskip("httpx2")

REFUSAL = int(Channel.REFUSAL)
FOR_CALLER = {
    "function_call",
    "custom_tool_call",
    "mcp_approval_request",
    "apply_patch_call",
    "tool_search_call",
}
FINISH = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL,
    "function_call": Finish.TOOL,
    "content_filter": Finish.REFUSAL,
    None: Finish.STOP,  # [DONE] came all the same
}
WRITTEN = {
    "function_call": "arguments",
    "mcp_call": "arguments",
    "mcp_approval_request": "arguments",
    "custom_tool_call": "input",
    "code_interpreter_call": "code",
}
"""Calls whose text the SDK keeps as a string, and where."""


def client(body: bytes) -> Any:
    """The SDK's own client, whose every request is answered with `body`."""
    reply = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: reply))
    return openai.OpenAI(api_key="none", http_client=http, max_retries=0)


def framed(path: Path) -> bytes:
    """The recording as an SSE body."""
    data = path.read_bytes()
    if path.suffix == ".jsonl":
        return sse(*map(json.loads, data.splitlines())) + b"data: [DONE]\n\n"
    return data


def recordings(data_dir: Path, *patterns: str) -> Iterator[tuple[str, bytes]]:
    found = sorted({path for pattern in patterns for path in data_dir.joinpath("streams").glob(pattern)})
    assert found, patterns
    for path in found:
        yield path.name, framed(path)


def chat_snapshot(body: bytes) -> Any:
    from openai.lib.streaming.chat import ChatCompletionStreamState

    state: Any = ChatCompletionStreamState()
    with client(body) as api:
        for chunk in api.chat.completions.create(model="m", messages=[], stream=True):
            state.handle_chunk(chunk)
    return state.current_completion_snapshot


def agree_on_chat(body: bytes) -> Heard:
    snapshot = chat_snapshot(body)
    heard = hear(OpenAIChat(), body)
    lanes = {lane: text for lane, text in heard.lanes.items() if lane[0] in (TEXT, TOOL, REFUSAL)}
    for choice in snapshot.choices:
        message = choice.message
        # Mistral's list of parts is not a thing the SDK has
        if not isinstance(message.content, list):
            assert lanes.pop((TEXT, choice.index, 0), "") == (message.content or "")
        assert lanes.pop((REFUSAL, choice.index, 0), "") == (message.refusal or "")
        for item, call in enumerate(message.tool_calls or ()):
            assert lanes.pop((TOOL, choice.index, item), "") == (call.function.arguments or "")
            # where a server repeats name and id in each chunk, the SDK writes them one behind the other
            named = [
                note["tool"] for note in heard.notes if call.function.name.startswith(note["tool"]["name"])
            ]
            assert any(call.id.startswith(tool["id"]) for tool in named)
        if message.function_call:
            assert lanes.pop((TOOL, choice.index, 0)) == message.function_call.arguments
    assert lanes == {}, "text that the SDK does not have"
    first = min(snapshot.choices, key=lambda choice: choice.index)
    assert heard.finishes == [FINISH[first.finish_reason]]
    if snapshot.usage:
        assert heard.usage["output"] == snapshot.usage.completion_tokens
        assert heard.usage["input"] == snapshot.usage.prompt_tokens
    return heard


def test_chat_recordings_read_as_the_sdk_reads_them(data_dir: Path) -> None:
    refused = {}
    agreed = 0
    for name, body in recordings(data_dir, "*-chat-??.sse", "*-chat-chunks-??.jsonl"):
        if name.startswith("cohere"):
            continue
        try:
            chat_snapshot(body)
        except Exception as error:  # whatever the SDK cannot take
            refused[name] = type(error).__name__
            continue
        agree_on_chat(body)
        agreed += 1
    assert agreed > 10 * len(refused), refused


def test_chat_samples_read_as_the_sdk_reads_them() -> None:
    for name in ("openai-chat.sse", "openai-chat-tools.sse"):
        agree_on_chat(SAMPLES.joinpath(name).read_bytes())


def test_completions_recordings_read_as_the_sdk_reads_them(data_dir: Path) -> None:
    for name, body in recordings(data_dir, "openai-completions-*", "vllm-completions-*"):
        texts: dict[tuple[int, int, int], str] = {}
        reason = None
        with client(body) as api:
            for chunk in api.completions.create(model="m", prompt="p", stream=True):
                for choice in chunk.choices:
                    lane = (TEXT, choice.index, 0)
                    texts[lane] = texts.get(lane, "") + choice.text
                    reason = choice.finish_reason or reason
        heard = hear(OpenAICompletions(), body)
        assert heard.lanes == texts, name
        assert heard.finishes == [FINISH[reason]], name


def final_response(body: bytes) -> Any:
    with client(body) as api, api.responses.stream(model="m", input="i") as stream:
        return stream.get_final_response()


def agree_on_response(body: bytes) -> int:
    """Compare the texts of each channel in their order; how many were compared.

    Not by place: a recording from which items were cut out has gaps between its places.
    """
    response = final_response(body)
    heard = hear(OpenAIResponses(), body)
    assert heard.errors == []
    texts: dict[int, list[str]] = {TEXT: [], REASONING: [], TOOL: []}
    for item in response.output:
        if item.type == "message":
            texts[TEXT].append("".join(part.text for part in item.content if part.type == "output_text"))
        elif item.type == "reasoning":
            texts[REASONING].append("".join(part.text for part in (*item.summary, *(item.content or ()))))
        elif item.type in WRITTEN:
            texts[TOOL].append(getattr(item, WRITTEN[item.type]) or "")
    ours = {place for place, tool in enumerate(item.type in WRITTEN for item in response.output) if tool}
    for channel, said in texts.items():
        lanes = sorted((lane, text) for lane, text in heard.lanes.items() if lane[0] == channel)
        if channel == TOOL:  # calls of the provider's own tools are no strings there
            lanes = [(lane, text) for lane, text in lanes if lane[2] in ours]
        assert [text for _, text in lanes] == [text for text in said if text]
    waits = bool(response.output) and response.output[-1].type in FOR_CALLER
    assert heard.finishes == [Finish.TOOL if waits else Finish.STOP]
    if response.usage:
        assert heard.usage["input"] == response.usage.input_tokens
        assert heard.usage["output"] == response.usage.output_tokens
    return sum(map(len, texts.values()))


def test_responses_recordings_read_as_the_sdk_reads_them(data_dir: Path) -> None:
    refused = {}
    texts = 0
    for name, body in recordings(data_dir, "*-responses-??.sse", "*-responses-chunks-??.jsonl"):
        try:
            final_response(body)
        except Exception as error:  # whatever the SDK cannot take
            refused[name] = type(error).__name__
            continue
        texts += agree_on_response(body)
    assert texts > 20 * len(refused), refused


def test_responses_sample_reads_as_the_sdk_reads_it() -> None:
    assert agree_on_response(SAMPLES.joinpath("openai-responses.sse").read_bytes()) == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_assistants_recordings_read_as_the_sdk_reads_them(data_dir: Path) -> None:
    for name, body in recordings(data_dir, "openai-assistants-*"):
        texts: list[str] = []
        status = ""
        with client(body) as api:
            for event in api.beta.threads.runs.create(thread_id="t", assistant_id="a", stream=True):
                if event.event == "thread.message.completed":
                    texts.append(
                        "".join(part.text.value for part in event.data.content if part.type == "text")
                    )
                elif event.event.startswith("thread.run.") and ".step." not in event.event:
                    status = event.data.status
        heard = hear(OpenAIAssistants(), body)
        assert [text for lane, text in sorted(heard.lanes.items()) if lane[0] == TEXT] == texts, name
        assert status == "completed", name
        assert heard.finishes == [Finish.STOP], name
