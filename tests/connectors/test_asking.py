"""A question as each API takes it: what the official client sends for the same one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("httpcore2")
pytest.importorskip("h2")

from connectors._asking import Question, request
from tests.connectors.served import answer, http1

SAID = {"prompt": "Say hé", "system": "Be brief", "max_tokens": 50, "temperature": 0.5}


async def _sent(client: Any, port: int) -> None:
    base = f"http://127.0.0.1:{port}/v1"
    match client:
        case "openai-chat":
            from openai import AsyncOpenAI

            async with AsyncOpenAI(base_url=base, api_key="k", max_retries=0) as sdk:
                await sdk.chat.completions.create(
                    model="m", stream=True, stream_options={"include_usage": True}, temperature=0.5,
                    max_completion_tokens=50,
                    messages=[
                        {"role": "system", "content": "Be brief"}, {"role": "user", "content": "Say hé"}
                    ],
                )  # fmt: skip
        case "openai-responses":
            from openai import AsyncOpenAI

            async with AsyncOpenAI(base_url=base, api_key="k", max_retries=0) as sdk:
                await sdk.responses.create(
                    model="m", stream=True, temperature=0.5, max_output_tokens=50, input="Say hé",
                    instructions="Be brief", background=True, store=True,
                )  # fmt: skip
        case "anthropic-messages":
            from anthropic import AsyncAnthropic

            root = f"http://127.0.0.1:{port}"
            async with AsyncAnthropic(base_url=root, api_key="k", max_retries=0) as claude:
                await claude.messages.create(
                    model="m", stream=True, max_tokens=50, system="Be brief",
                    messages=[{"role": "user", "content": "Say hé"}],
                )  # fmt: skip
        case "gemini-generate":
            from google import genai
            from google.genai import types

            options = types.HttpOptions(base_url=f"http://127.0.0.1:{port}", api_version="v1")
            google = genai.Client(api_key="k", http_options=options)
            config = types.GenerateContentConfig(
                temperature=0.5, max_output_tokens=50, system_instruction="Be brief"
            )
            async for _ in await google.aio.models.generate_content_stream(
                model="m", contents="Say hé", config=config
            ):
                pass
            await google.aio.aclose()


def _bare(value: Any) -> Any:
    """Without what says nothing: Google's client sends the default role of a system instruction."""
    if isinstance(value, dict):
        return {name: _bare(each) for name, each in value.items() if name != "role" or each != "user"}
    return [_bare(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_question_is_sent_as_the_official_client_sends_it(api: str) -> None:
    async def test() -> bytes:
        async def respond(served: Any, writer: asyncio.StreamWriter) -> None:
            del served
            writer.write(answer(200, b"", ("content-type", "text/event-stream")))

        async with http1(respond) as served:
            await _sent(api, served.port)
        return served.asked[0]

    head, _, body = asyncio.run(asyncio.wait_for(test(), 20)).partition(b"\r\n\r\n")
    said = SAID | {"temperature": None} if api == "anthropic-messages" else SAID  # its client has none
    asked = request(api, Question("m", **said, background=api == "openai-responses"))  # type: ignore[arg-type]
    assert _bare(json.loads(asked.body)) == _bare(json.loads(body))
    line = head.split(b"\r\n")[0].decode()
    query = "&".join(f"{name}={value}" for name, value in asked.query)
    assert line == f"POST /v1{asked.path}{'?' + query if query else ''} HTTP/1.1"
    for name, value in asked.headers:
        assert name + b": " + value in head.lower()


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"])
def test_what_a_question_leaves_open_is_not_sent(api: str) -> None:
    body = json.loads(request(api, Question("m", "Hi", stream=False)).body)
    assert not body.keys() & {"temperature", "system", "instructions", "generationConfig", "stream_options"}
    assert not body.get("stream")
    assert body.get("max_tokens") == (4096 if api == "anthropic-messages" else None)


def test_a_temperature_goes_to_the_version_of_anthropics_api_that_takes_one() -> None:
    asked = request("anthropic-messages", Question("m", "Hi", temperature=0.0))
    assert json.loads(asked.body)["temperature"] == 0
    assert (b"anthropic-version", b"2023-06-01") in asked.headers


def test_vendors_that_differ_get_what_they_take() -> None:
    body = json.loads(request("mistral-chat", Question("m", "Hi", max_tokens=9)).body)
    assert body == {
        "model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 9,
    }  # fmt: skip


def test_a_model_name_cannot_become_a_path() -> None:
    asked = request("gemini-generate", Question("../../x?y#z", "Hi"))
    assert asked.path == "/models/..%2F..%2Fx%3Fy%23z:streamGenerateContent"


@pytest.mark.parametrize("api", ["openai-images", "cohere-v2chat", "text", "auto"])
def test_an_api_that_takes_no_question_is_refused(api: str) -> None:
    with pytest.raises(ValueError, match="cannot be asked"):
        request(api, Question("m", "Hi"))


def test_only_responses_answer_in_the_background() -> None:
    with pytest.raises(ValueError, match="in the background"):
        request("openai-chat", Question("m", "Hi", background=True))


def test_the_words_of_a_question_are_in_no_repr() -> None:
    question = Question("m", "very secret", "also secret")
    assert "secret" not in repr(question) + repr(request("openai-chat", question))
