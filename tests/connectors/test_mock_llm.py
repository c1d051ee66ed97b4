"""What the official SDKs, unchanged but for the base URL, get from the mock provider."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors._mock_pace import Pace, Waits
from connectors.mock_llm import MockConfig, Provider
from tests.connectors.heard import SAMPLES
from tests.mock import Mock, running, wait_until

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")
httpx2 = pytest.importorskip("httpx2")

pytest_plugins = ["tests.mock_fixtures"]

SAID = "Grüße aus Zürich: 3 Züge, 渡船 und 🌫️."
TOOLS = [{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}]


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def openai_client(mock: Mock, **settings: Any) -> Any:
    return openai.OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=0, **settings)


def anthropic_client(mock: Mock) -> Any:
    return anthropic.Anthropic(base_url=mock.url, api_key="none", max_retries=0)


def genai_client(mock: Mock) -> Any:
    return genai.Client(api_key="none", http_options={"base_url": mock.url})


def spoken(chunks: list[Any], choice: int = 0) -> list[str]:
    """The pieces of a choice of Chat Completions."""
    said = [each for chunk in chunks for each in chunk.choices if each.index == choice]
    return [each.delta.content for each in said if each.delta.content]


def test_chat_says_the_users_words_again_cut_as_the_model_name_says(mock: Mock) -> None:
    with openai_client(mock) as api:
        chunks = list(api.chat.completions.create(model="echo:3", messages=user(SAID), stream=True))
        assert spoken(chunks) == [SAID[at : at + 3] for at in range(0, len(SAID), 3)]
        assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
        assert all(chunk.usage is None for chunk in chunks)
        whole = api.chat.completions.create(model="echo", messages=user(SAID))
        assert whole.choices[0].message.content == SAID
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens


def test_chat_sends_each_of_several_choices_and_the_count_that_was_asked_for(mock: Mock) -> None:
    with openai_client(mock) as api:
        chunks = list(
            api.chat.completions.create(
                model="echo:2", messages=user("abcd"), stream=True, n=3,
                stream_options={"include_usage": True},
            )
        )  # fmt: skip
        for choice in range(3):
            assert spoken(chunks, choice) == ["ab", "cd"]
        assert chunks[-1].choices == []
        assert chunks[-1].usage.completion_tokens == 6
        whole = api.chat.completions.create(model="echo:2", messages=user("abcd"), n=3)
        assert [each.message.content for each in whole.choices] == ["abcd"] * 3
        assert whole.usage.completion_tokens == 6


def test_a_tool_is_called_with_the_users_words(mock: Mock) -> None:
    words = '{"seat": "4A"}'
    with openai_client(mock) as api:
        chunks = list(
            api.chat.completions.create(model="echo-tool:4", messages=user(words), tools=TOOLS, stream=True)
        )
        calls = [chunk.choices[0].delta.tool_calls for chunk in chunks]
        functions = [call[0].function for call in calls if call]
        assert functions[0].name == "book"
        assert "".join(function.arguments for function in functions) == words
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
        whole = api.chat.completions.create(model="echo-tool", messages=user("4A"), tools=TOOLS)
        assert json.loads(whole.choices[0].message.tool_calls[0].function.arguments) == {"text": "4A"}
        told = api.chat.completions.create(model="echo-tool", messages=user("4A"))
        assert told.choices[0].message.content == "4A"


def test_azure_names_the_model_in_the_path(mock: Mock) -> None:
    azure = openai.AzureOpenAI(
        azure_endpoint=mock.url, api_key="none", api_version="2024-10-21", max_retries=0
    )
    with azure as api:
        chunks = list(api.chat.completions.create(model="echo", messages=user(SAID), stream=True))
    assert "".join(spoken(chunks)) == SAID
    assert mock.seen.last is not None
    assert mock.seen.last.path == "/openai/deployments/echo/chat/completions"


def test_completions_says_the_prompt_again(mock: Mock) -> None:
    with openai_client(mock) as api:
        stream = api.completions.create(model="echo:5", prompt=SAID, stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == SAID
        assert api.completions.create(model="echo", prompt=[SAID]).choices[0].text == SAID


def test_responses_says_the_input_again_and_calls_tools(mock: Mock) -> None:
    tools = [{"type": "function", "name": "book", "parameters": {}, "strict": False}]
    with openai_client(mock) as api:
        with api.responses.stream(model="echo:4", input=SAID) as stream:
            said = [event.delta for event in stream if event.type == "response.output_text.delta"]
            assert stream.get_final_response().output_text == SAID
        assert said == [SAID[at : at + 4] for at in range(0, len(SAID), 4)]
        assert api.responses.create(model="echo", input=user(SAID)).output_text == SAID
        called = api.responses.create(model="echo-tool", input='{"a":1}', tools=tools)
        assert (called.output[0].name, called.output[0].arguments) == ("book", '{"a":1}')


def test_messages_says_the_last_words_again_and_calls_tools(mock: Mock) -> None:
    asked = {"model": "echo:4", "max_tokens": 99, "messages": [*user("first"), *user(SAID)]}
    with anthropic_client(mock) as api:
        with api.messages.stream(**asked) as stream:
            assert list(stream.text_stream) == [SAID[at : at + 4] for at in range(0, len(SAID), 4)]
            final = stream.get_final_message()
        assert (final.stop_reason, final.content[0].text) == ("end_turn", SAID)
        assert api.messages.create(**asked).content[0].text == SAID
        tool = {"name": "book", "input_schema": {"type": "object"}}
        call = {"model": "echo-tool:3", "max_tokens": 99, "messages": user('{"seat":"4A"}'), "tools": [tool]}
        with api.messages.stream(**call) as stream:
            final = stream.get_final_message()
        assert (final.stop_reason, final.content[0].input) == ("tool_use", {"seat": "4A"})
        assert api.messages.create(**call).content[0].input == {"seat": "4A"}


def test_gemini_says_the_contents_again_and_calls_functions(mock: Mock) -> None:
    function = {"function_declarations": [{"name": "book", "description": "Book a seat."}]}
    with genai_client(mock) as api:
        chunks = list(api.models.generate_content_stream(model="echo:4", contents=SAID))
        assert [chunk.text for chunk in chunks if chunk.text] == [
            SAID[at : at + 4] for at in range(0, len(SAID), 4)
        ]
        assert chunks[-1].candidates[0].finish_reason == "STOP"
        assert api.models.generate_content(model="echo", contents=SAID).text == SAID
        called = api.models.generate_content(
            model="echo-tool", contents='{"seat":"4A"}', config={"tools": [function]}
        )
        assert (called.function_calls[0].name, called.function_calls[0].args) == ("book", {"seat": "4A"})


def test_gemini_without_sse_is_one_array(mock: Mock) -> None:
    asked = {"contents": [{"role": "user", "parts": [{"text": SAID}]}]}
    answer = httpx2.post(f"{mock.url}/v1beta/models/echo:9:streamGenerateContent", json=asked)
    parts = [each["candidates"][0]["content"]["parts"][0]["text"] for each in answer.json()]
    assert len(parts) > 2
    assert "".join(parts) == SAID


@pytest.mark.parametrize(("path", "field"), [("chat", "message"), ("generate", "response")])
def test_ollama_streams_unless_told_not_to(mock: Mock, path: str, field: str) -> None:
    asked = {"model": "echo:4", "messages": user(SAID), "prompt": SAID}
    lines = httpx2.post(f"{mock.url}/api/{path}", json=asked).text.splitlines()
    whole = httpx2.post(f"{mock.url}/api/{path}", json=asked | {"stream": False}).json()

    def text(told: dict[str, Any]) -> str:
        said = told[field]
        return str(said["content"] if path == "chat" else said)

    events = [json.loads(line) for line in lines]
    assert [event["done"] for event in events] == [False] * (len(events) - 1) + [True]
    assert "".join(map(text, events)) == text(whole) == SAID


def test_models_are_listed_for_whoever_asks(mock: Mock) -> None:
    with openai_client(mock) as api, anthropic_client(mock) as other, genai_client(mock) as third:
        names = [model.id for model in api.models.list()]
        assert names[:2] == ["echo", "echo-tool"]
        assert [model.id for model in other.models.list()] == names
        assert [model.name for model in third.models.list()] == [f"models/{name}" for name in names]


def test_simulated_speech_is_that_of_the_seed() -> None:
    def said(seed: int, model: str) -> str:
        with running(MockConfig(seed=seed)) as mock, openai_client(mock) as api:
            answer = api.chat.completions.create(model=model, messages=user("?"))
            return str(answer.choices[0].message.content)

    assert said(1, "sim:list") == said(1, "sim:list") != said(2, "sim:list")
    assert "\n- " in (listed := said(3, "sim:list")) or "\n2. " in listed
    assert len(said(1, "gpt-4o-mini")) > 500, "a name that means nothing says prose"


@pytest.mark.parametrize("kind", ["tool_call", "reasoning", "refusal", "secret"])
def test_a_speech_is_the_same_streamed_and_whole(kind: str) -> None:
    asked = {"model": f"sim:{kind}", "messages": user("?")}
    other = {"model": f"sim:{kind}", "messages": user("?"), "max_tokens": 9}
    for api_name in ("chat", "responses", "messages"):
        with running() as one, running() as two:  # the same number of a request says the same
            if api_name == "messages":
                with anthropic_client(one) as first, anthropic_client(two) as second:
                    with first.messages.stream(**other) as stream:
                        streamed = stream.get_final_message()
                    whole = second.messages.create(**other)
                    assert [part.type for part in streamed.content] == [part.type for part in whole.content]
                    assert streamed.stop_reason == whole.stop_reason
                continue
            with openai_client(one) as first, openai_client(two) as second:
                if api_name == "chat":
                    with first.chat.completions.stream(**asked) as events:
                        mine = events.get_final_completion().choices[0]
                    theirs = second.chat.completions.create(**asked).choices[0]
                    assert mine.finish_reason == theirs.finish_reason
                    assert (mine.message.content or "") == (theirs.message.content or "")
                    assert mine.message.refusal == theirs.message.refusal
                else:
                    with first.responses.stream(model=f"sim:{kind}", input="?") as events:
                        final = events.get_final_response()
                    made = second.responses.create(model=f"sim:{kind}", input="?")
                    assert final.output_text == made.output_text
                    assert [item.type for item in final.output] == [item.type for item in made.output]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("openai-chat.sse", "/v1/chat/completions"),
        ("openai-responses.sse", "/v1/responses"),
        ("anthropic-messages.sse", "/v1/messages"),
        ("gemini-generate.sse", "/v1beta/models/replay:gemini-generate.sse:streamGenerateContent?alt=sse"),
    ],
)
def test_a_recording_is_served_byte_for_byte(name: str, path: str) -> None:
    asked = {"model": f"replay:{name}", "stream": True, "messages": [], "input": "", "contents": []}
    with running(MockConfig(recordings=SAMPLES)) as mock:
        answer = httpx2.post(f"{mock.url}{path}", json=asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == SAMPLES.joinpath(name).read_bytes()


def test_every_stream_recorded_anywhere_is_served_byte_for_byte(data_dir: Path) -> None:
    paths = [
        path
        for path in data_dir.joinpath("streams").iterdir()
        if path.suffix in {".sse", ".ndjson", ".eventstream"}
    ]
    assert len(paths) > 200
    config = MockConfig(recordings=data_dir / "streams")
    with running(config) as mock, httpx2.Client(base_url=mock.url) as client:
        for path in paths:
            asked = {"model": f"replay:{path.name}", "stream": True, "messages": []}
            assert client.post("/v1/chat/completions", json=asked).content == path.read_bytes(), path.name


def test_a_recording_says_the_same_whole_as_streamed() -> None:
    asked = {"model": "replay:openai-chat.sse", "messages": []}
    with running(MockConfig(recordings=SAMPLES)) as mock, openai_client(mock) as api:
        whole = api.chat.completions.create(**asked).choices[0].message.content
        chunks = list(api.chat.completions.create(**asked, stream=True))
    assert len(spoken(chunks)) > 2
    assert whole == "".join(spoken(chunks))


def test_payloads_recorded_bare_get_their_framing(tmp_path: Path) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    tmp_path.joinpath("chat.jsonl").write_text(json.dumps(chunk) + "\n" + json.dumps(chunk) + "\n")
    with running(MockConfig(recordings=tmp_path)) as mock, openai_client(mock) as api:
        said = spoken(list(api.chat.completions.create(model="replay:chat.jsonl", messages=[], stream=True)))
    assert said == ["Hi", "Hi"]


def test_a_table_names_recordings_and_one_file_answers_everything_else() -> None:
    table = MockConfig(recordings=SAMPLES, table={"gpt-9": "openai-chat.sse"})
    with running(table) as mock, openai_client(mock) as api:
        expected = list(api.chat.completions.create(model="replay:openai-chat.sse", messages=[], stream=True))
        assert list(api.chat.completions.create(model="gpt-9", messages=[], stream=True)) == expected
    with running(MockConfig(recordings=SAMPLES / "openai-chat.sse")) as mock, openai_client(mock) as api:
        assert list(api.chat.completions.create(model="any", messages=[], stream=True)) == expected
        echo = api.chat.completions.create(model="echo", messages=user(SAID))
        assert echo.choices[0].message.content == SAID


def test_a_recording_cannot_be_asked_for_by_its_path() -> None:
    with running(MockConfig(recordings=SAMPLES)) as mock, openai_client(mock) as api:
        for name in ("../conftest.py", str(SAMPLES / "openai-chat.sse"), ""):
            with pytest.raises(openai.NotFoundError):
                api.chat.completions.create(model=f"replay:{name}", messages=[])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", b"{"),
        ("/v1/chat/completions", b"[]"),
        ("/v1/chat/completions", b'{"model": "echo", "messages": 3}'),
        ("/v1/chat/completions", b'{"model": 3, "messages": []}'),
        ("/v1/chat/completions", b'{"model": "echo", "messages": []}'),
        ("/v1/chat/completions", b'{"model": "x", "messages": [], "n": 1000}'),
        ("/v1/messages", b'{"model": "echo"}'),
        ("/v1/responses", b'{"model": "echo", "input": {}}'),
        ("/v1beta/models/echo:generateContent", b'{"contents": [1]}'),
    ],
)
def test_what_is_no_request_is_refused_in_the_words_of_the_api(mock: Mock, path: str, body: bytes) -> None:
    answer = httpx2.post(mock.url + path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_unknown_paths_models_and_methods_are_not_found(mock: Mock) -> None:
    asked = {"model": "sim:nothing", "messages": user("?"), "contents": []}
    for path in ("/v1/nothing", "/v1/chat/completions", "/v1beta/models/echo:countTokens"):
        answer = httpx2.post(mock.url + path, json=asked)
        assert (answer.status_code, bool(answer.json()["error"]["message"])) == (404, True)
    assert httpx2.get(f"{mock.url}/v1/messages").status_code == 405


def test_the_far_side_counts_what_it_sees(mock: Mock) -> None:
    with httpx2.Client(base_url=mock.url, headers={"authorization": "Bearer sk-1"}) as client:
        answer = client.post(
            "/v1/chat/completions", json={"model": "echo", "messages": user("x"), "stream": True}
        )
        client.post("/v1/messages", json={"model": "echo", "messages": user("y")})
        told = client.get("/_mock/state").json()
    assert told["requests"] == 2
    assert told["by_api"] == {"openai-chat": 1, "anthropic-messages": 1}
    assert told["completed"] == 2
    assert told["open"] == told["aborted"] == 0
    assert told["bytes"] > len(answer.content)
    assert json.loads(told["last"]["body"])["messages"] == user("y")
    assert ["authorization", "Bearer sk-1"] in told["last"]["headers"]
    assert mock.seen.last is not None
    assert "sk-1" not in repr(mock.seen)


def test_open_streams_are_counted_while_they_run() -> None:
    slow = MockConfig(Pace(gap=Waits(0.02)))
    with running(slow) as mock, openai_client(mock) as api:

        def ask() -> None:
            list(api.chat.completions.create(model="echo:1", messages=user("x" * 20), stream=True))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: mock.seen.open == 8)
        for thread in threads:
            thread.join()
        assert (mock.seen.open, mock.seen.most_open, mock.seen.completed) == (0, 8, 8)


def test_a_port_can_be_had_again_and_two_run_at_once() -> None:
    with running() as first, running() as second:
        assert first.port != second.port
        for mock in (first, second):
            with openai_client(mock) as api:
                assert api.chat.completions.create(model="echo", messages=user("x"))
        port = first.port
        with pytest.raises(OSError, match="Address already in use"), running(port=port):
            pass
    with running(port=port) as third, openai_client(third) as api:
        assert api.chat.completions.create(model="echo", messages=user("x"))


def test_a_provider_that_ends_resets_what_is_under_way() -> None:
    with running(MockConfig(Pace(gap=Waits(0.05)))) as mock:
        client = openai_client(mock)
        stream = client.chat.completions.create(model="echo:1", messages=user("x" * 999), stream=True)
        next(iter(stream))
    with client, pytest.raises((openai.APIConnectionError, httpx2.ReadError)):
        list(stream)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"faults": {"explode": 0.1}}, "no such fault; there are reset"),
        ({"faults": {"reset": 1.5}}, "must be 0 to 1"),
        ({"faults": {"reset": 0.6, "stall": 0.6}}, "at most 1"),
        ({"recordings": SAMPLES.parent / "flows"}, "no recording there"),
        ({"recordings": SAMPLES, "table": {"m": "absent.sse"}}, "no recording is named absent.sse"),
    ],
)
def test_wrong_settings_are_refused_with_a_message(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Provider(MockConfig(**settings))
