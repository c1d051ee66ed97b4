"""The last chunks of Chat Completions, as the official SDK takes them behind what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connectors._ending import open_ending
from connectors._last_frames import sse
from tests.connectors.heard import SAMPLES, recordings
from tests.connectors.left import CALL, END_WAYS, cuts, events_of, said, told

openai = pytest.importorskip("openai")
httpx2 = pytest.importorskip("httpx2")

REASON = {"blocked": "content_filter", "told why": "content_filter", "truncated": "length"}
FILES = (
    "openai-chat-0",
    "azure-chat-01",
    "groq-chat-0",
    "mistral-chat-0",
    "openrouter-chat-0",
    "vllm-chat-0",
)
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "strict": True,
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}


class Server:
    """The SDK's client, and what the next call is answered with."""

    def __init__(self) -> None:
        self.body = b""
        http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        self.client = openai.OpenAI(api_key="none", http_client=http, max_retries=0)

    def _answer(self, request: Any) -> Any:
        del request
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self.body)

    def chunks(self, body: bytes) -> list[Any]:
        self.body = body
        return list(self.client.chat.completions.create(model="m", messages=[], stream=True))

    def snapshot(self, body: bytes, **options: Any) -> Any:
        """What the SDK's accumulator holds when the stream is over."""
        self.body = body
        with self.client.chat.completions.stream(model="m", messages=[], **options) as stream:
            for _ in stream:
                pass
            return stream.current_completion_snapshot


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


def texts(chunks: list[Any]) -> dict[int, str]:
    spoken: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices or ():
            spoken[choice.index] = spoken.get(choice.index, "") + (choice.delta.content or "")
    return spoken


def finishes(chunks: list[Any]) -> dict[int, str]:
    return {c.index: c.finish_reason for chunk in chunks for c in chunk.choices or () if c.finish_reason}


def accumulated(chunks: list[Any]) -> dict[int, str]:
    """The finishes that the SDK's accumulator has when it was given `chunks`."""
    from openai.lib.streaming.chat import ChatCompletionStreamState

    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        if chunk.object == "chat.completion.chunk":  # what its stream helper gives to it
            state.handle_chunk(chunk)
    return {c.index: c.finish_reason for c in state.current_completion_snapshot.choices if c.finish_reason}


def test_every_recording_cut_anywhere_ends_as_the_sdk_reads_an_end(server: Server, data_dir: Path) -> None:
    ended = refused = 0
    for path in recordings(data_dir, *FILES):
        for left in cuts(events_of(path)):
            way, end = list(END_WAYS.items())[len(left) % len(END_WAYS)]
            ending = told("openai-chat", left)
            over = ending.over
            last = end(ending)
            assert (last == b"") == over
            if over:
                continue
            assert last.endswith(b"data: [DONE]\n\n")
            chunks = server.chunks(sse(left) + last)
            before = chunks[: len(left)]
            assert not any(texts(chunks[len(left) :]).values())
            is_ = finishes(chunks)
            choices = set(texts(before)) or {0}
            assert is_ == {index: finishes(before).get(index, REASON[way]) for index in choices}, path.name
            try:
                assert accumulated(chunks) == is_
            except (LookupError, RuntimeError, TypeError):
                with pytest.raises((LookupError, RuntimeError, TypeError)):
                    accumulated(before)  # no beginning that the accumulator could take
                refused += 1
            ended += 1
    assert ended > 300
    assert refused < ended / 10, refused


def test_a_failure_raises_what_the_api_raises(server: Server, data_dir: Path) -> None:
    for path in recordings(data_dir, "openai-chat-01", "openai-chat-02"):
        for left in cuts(events_of(path)):
            ending = told("openai-chat", left)
            if ending.over:
                assert ending.failed("no") == b""
                continue
            with pytest.raises(openai.APIError, match="a stage failed") as raised:
                server.chunks(sse(left) + ending.failed("a stage failed"))
            assert raised.value.code == "stream_failed"


def test_the_helper_of_the_sdk_names_both_reasons(server: Server) -> None:
    left = [("", json.dumps(chunk(0, {"role": "assistant", "content": "He"})).encode())]
    server.body = sse(left) + told("openai-chat", left).blocked()
    with (
        pytest.raises(openai.ContentFilterFinishReasonError),
        server.client.chat.completions.stream(model="m", messages=[]) as stream,
    ):
        stream.get_final_completion()
    server.body = sse(left) + told("openai-chat", left).truncated()
    with (
        pytest.raises(openai.LengthFinishReasonError),
        server.client.chat.completions.stream(model="m", messages=[]) as stream,
    ):
        stream.get_final_completion()


def chunk(index: int, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {
        "id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [choice],
    } | more  # fmt: skip


def test_completions_end_as_the_sdk_reads_an_end(server: Server, data_dir: Path) -> None:
    ended = 0
    for path in recordings(data_dir, "openai-completions-0"):
        for left in cuts(events_of(path)):
            way, end = list(END_WAYS.items())[len(left) % len(END_WAYS)]
            ending = told("openai-completions", left)
            if ending.over:
                assert end(ending) == b""
                continue
            server.body = sse(left) + end(ending)
            chunks = list(server.client.completions.create(model="m", prompt="p", stream=True))
            was = finishes(chunks[: len(left)])
            choices = {c.index for chunk in chunks[: len(left)] for c in chunk.choices} or {0}
            assert finishes(chunks) == {index: was.get(index, REASON[way]) for index in choices}
            assert not any(c.text for chunk in chunks[len(left) :] for c in chunk.choices)
            assert {chunk.object for chunk in chunks[len(left) :]} <= {"text_completion"}
            ended += 1
    assert ended > 30


def test_half_a_tool_call_is_not_parsed_and_not_asked_for(server: Server) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    left = [("", json.dumps(chunk(0, {"role": "assistant", "tool_calls": [call]})).encode())]
    body = sse(left) + told("openai-chat", left).blocked()
    with pytest.raises(openai.ContentFilterFinishReasonError):
        server.snapshot(body, tools=[TOOL])
    assert finishes(server.chunks(body)) == {0: "content_filter"}


def test_only_choices_that_are_open_are_ended() -> None:
    ending = open_ending("openai-chat", CALL)
    for index in (2, 0, 1):
        ending.passed("", chunk(index, {"role": "assistant", "content": ""}))
    ending.passed("", chunk(1, {}, "stop"))
    ending.passed_text(json.dumps(chunk(3, {"content": "late"})).encode(), 1)
    choices = [payload["choices"] for _, payload in said(ending.blocked())]
    assert choices == [
        [{"index": index, "delta": {}, "finish_reason": "content_filter"}] for index in (0, 2, 3)
    ]


def test_what_nothing_has_left_of_is_said_whole(server: Server) -> None:
    ending = open_ending("openai-chat", CALL)
    snapshot = server.snapshot(ending.blocked("Not here."))
    assert (snapshot.id, snapshot.model, snapshot.created) == ("chatcmpl-test", "asked-model", CALL.at)
    (choice,) = snapshot.choices
    assert (choice.message.role, choice.message.content, choice.message.refusal) == (
        "assistant",
        "",
        "Not here.",
    )


def test_a_message_is_a_refusal_and_leaves_the_content_alone(server: Server) -> None:
    left = [("", json.dumps(chunk(0, {"role": "assistant", "content": '{"a":'})).encode())]
    snapshot = server.snapshot(sse(left) + told("openai-chat", left).blocked("Not here."))
    assert snapshot.choices[0].message.content == '{"a":'
    assert snapshot.choices[0].message.refusal == "Not here."


def test_usage_that_each_chunk_tells_stays_what_it_was(server: Server) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    left = [("", json.dumps(chunk(0, {"role": "assistant", "content": "a"}, usage=usage)).encode())]
    assert server.snapshot(sse(left) + told("vllm-chat", left).blocked()).usage.completion_tokens == 2
    left = [("", json.dumps(chunk(0, {"role": "assistant", "content": "a"}, usage=None)).encode())]
    ((_, last),) = said(told("openai-chat", left).blocked())
    assert last["usage"] is None, "asked for with stream_options, and not known"


def test_all_choices_finished_leaves_only_the_end_of_the_stream() -> None:
    ending = open_ending("openai-chat", CALL)
    ending.passed("", chunk(0, {"content": "a"}, "stop"))
    assert ending.blocked() == b"data: [DONE]\n\n"
    assert ending.over
    assert ending.failed("again") == b""


def test_the_head_is_the_one_of_the_stream(data_dir: Path) -> None:
    for path in recordings(data_dir, "azure-chat-0"):
        events = events_of(path)[:4]  # the first has neither id nor model
        ((_, last),) = said(told("azure-chat", events).blocked())
        spoken = [json.loads(payload) for _, payload in events if json.loads(payload)["choices"]]
        assert (last["id"], last["model"]) == (spoken[-1]["id"], spoken[-1]["model"])


def test_what_is_said_fits_the_published_schema(data_dir: Path) -> None:
    document = json.loads(data_dir.joinpath("streams", "openai-stream-schemas.json").read_bytes())
    schema = {"$ref": "#/components/schemas/CreateChatCompletionStreamResponse"} | document
    validator = Draft202012Validator(schema)
    for left in cuts(events_of(SAMPLES / "openai-chat-tools.sse")):
        for end in END_WAYS.values():
            for _, payload in said(end(told("openai-chat", left))):
                if payload.get("usage", payload) is None:
                    del payload["usage"]  # null in all that OpenAI sends, and not in its schema
                validator.validate(payload)
