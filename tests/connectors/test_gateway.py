"""The official SDKs, unchanged but for the base URL, through a gateway, before a provider: all run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.judgement import Judgement
from tests.connectors.answers import policy
from tests.gateways import Running, running
from tests.mock import Mock, wait_until
from tests.mock import running as mocking

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")
httpx2 = pytest.importorskip("httpx2")

from connectors.mock_llm import MockConfig  # noqa: E402  # needs what was just looked for

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    with mocking() as started:
        yield started


@pytest.fixture(scope="module")
def gate(mock: Mock) -> Iterator[Running]:
    with running(mock.url, policy()) as started:
        yield started


def parts(text: str, kind: str = "text") -> list[dict[str, str]]:
    """A text in two parts, neither of which a rule matches: the mock says it again whole, and the gateway has
    let the request pass.
    """
    cut = max(text.find("@"), text.find("-")) + 1
    return [{"type": kind, "text": piece} for piece in (text[:cut], text[cut:]) if piece]


def user(text: str, kind: str = "text") -> list[dict[str, Any]]:
    return [{"role": "user", "content": parts(text, kind)}]


def chat_client(url: str) -> Any:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="caller-key", max_retries=0)


def messages_client(url: str) -> Any:
    return anthropic.Anthropic(base_url=url, api_key="caller-key", max_retries=0)


def gemini_client(url: str) -> Any:
    return genai.Client(api_key="caller-key", http_options={"base_url": url})


CLEAN = "Grüße aus Zürich: 3 Züge, 渡船 und 🌫️."


def by_chat(url: str, text: str, model: str = "echo:3") -> tuple[str, str]:
    """What a client reads, and how it ended."""
    said, finish = "", ""
    with chat_client(url) as api:
        for chunk in api.chat.completions.create(model=model, messages=user(text), stream=True):
            for choice in chunk.choices:
                said += choice.delta.content or ""
                finish = choice.finish_reason or finish
    return said, finish


def by_responses(url: str, text: str, model: str = "echo:3") -> tuple[str, str]:
    said, finish = "", ""
    with chat_client(url) as api:
        for event in api.responses.create(model=model, input=user(text, "input_text"), stream=True):
            if event.type == "response.output_text.delta":
                said += event.delta
            elif event.type in ("response.completed", "response.incomplete"):
                finish = event.response.status
                assert event.response.output_text == said
                if event.response.incomplete_details:
                    finish = event.response.incomplete_details.reason
    return said, finish


def by_messages(url: str, text: str, model: str = "echo:3") -> tuple[str, str]:
    with (
        messages_client(url) as api,
        api.messages.stream(model=model, max_tokens=99, messages=user(text)) as stream,
    ):
        said = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(block.text for block in message.content) == said
    return said, message.stop_reason


def by_gemini(url: str, text: str, model: str = "echo:3") -> tuple[str, str]:
    said, finish = "", ""
    api = gemini_client(url)
    contents = [{"role": "user", "parts": [{"text": part["text"]} for part in parts(text)]}]
    for chunk in api.models.generate_content_stream(model=model, contents=contents):
        for candidate in chunk.candidates or ():
            spoken = (candidate.content.parts if candidate.content else None) or ()
            said += "".join(part.text or "" for part in spoken)
            finish = candidate.finish_reason.value if candidate.finish_reason else finish
    return said, finish


STREAMED = pytest.mark.parametrize(
    ("ask", "done", "blocked"),
    [
        (by_chat, "stop", "content_filter"),
        (by_responses, "completed", "content_filter"),
        (by_messages, "end_turn", "refusal"),
        (by_gemini, "STOP", "SAFETY"),
    ],
)
Ask = Callable[..., tuple[str, str]]


@STREAMED
def test_a_clean_answer_is_the_same_through_the_gateway(
    ask: Ask, done: str, blocked: str, mock: Mock, gate: Running
) -> None:
    assert ask(gate.url, CLEAN) == ask(mock.url, CLEAN) == (CLEAN, done)


@STREAMED
def test_what_a_rule_masks_never_leaves(ask: Ask, done: str, blocked: str, gate: Running) -> None:
    said, finish = ask(gate.url, "mail jane.doe@example.com now")
    assert (said, finish) == ("mail [MAIL] now", done)


@STREAMED
def test_what_a_rule_blocks_ends_as_the_api_documents_it(
    ask: Ask, done: str, blocked: str, gate: Running
) -> None:
    said, finish = ask(gate.url, "all is well: stop-word and more")
    assert said in ("all is well: ", "all is well:")
    assert finish == blocked


def test_a_request_is_judged_before_it_leaves(mock: Mock, gate: Running) -> None:
    said, _ = by_whole_request(gate.url, "write to jane.doe@example.com now")
    assert said == "write to [MAIL] now"
    assert mock.seen.last is not None
    assert b"jane" not in mock.seen.last.body
    before = mock.seen.requests
    with chat_client(gate.url) as api, pytest.raises(openai.BadRequestError) as refused:
        api.chat.completions.create(model="echo", messages=[{"role": "user", "content": "say stop-word"}])
    assert refused.value.code == "content_filter"
    assert "stop-word" not in str(refused.value)
    assert mock.seen.requests == before


def by_whole_request(url: str, text: str) -> tuple[str, str]:
    with chat_client(url) as api:
        answer = api.chat.completions.create(model="echo", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content, answer.choices[0].finish_reason


def test_answers_that_are_not_streamed_are_judged_whole(gate: Running) -> None:
    mail, word = "mail jane.doe@example.com now", "well: stop-word and more"
    with chat_client(gate.url) as api:
        chat = api.chat.completions.create(model="echo", messages=user(mail)).choices[0]
        assert chat.message.content == "mail [MAIL] now"
        chat = api.chat.completions.create(model="echo", messages=user(word)).choices[0]
        assert (chat.message.content, chat.finish_reason) == ("", "content_filter")
        answer = api.responses.create(model="echo", input=user(mail, "input_text"))
        assert answer.output_text == "mail [MAIL] now"
        answer = api.responses.create(model="echo", input=user(word, "input_text"))
        assert (answer.output_text, answer.status) == ("", "incomplete")
        assert answer.incomplete_details.reason == "content_filter"
    with messages_client(gate.url) as api:
        message = api.messages.create(model="echo", max_tokens=9, messages=user(mail))
        assert message.content[0].text == "mail [MAIL] now"
        message = api.messages.create(model="echo", max_tokens=9, messages=user(word))
        assert (message.content, message.stop_reason) == ([], "refusal")
    gemini = gemini_client(gate.url)
    contents = [{"role": "user", "parts": [{"text": part["text"]} for part in parts(word)]}]
    candidate = gemini.models.generate_content(model="echo", contents=contents).candidates[0]
    assert (candidate.finish_reason.value, candidate.content.parts) == ("SAFETY", [])


def test_arguments_of_a_tool_are_judged_before_a_call_can_be_run(gate: Running) -> None:
    tools = [{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}]
    with chat_client(gate.url) as api:
        said = ""
        for chunk in api.chat.completions.create(
            model="echo-tool:3", messages=user('{"to": "jane.doe@example.com"}'), tools=tools, stream=True
        ):
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or ():
                    said += call.function.arguments or ""
        assert said == '{"to": "[MAIL]"}'


def test_the_callers_key_stays_and_ours_goes(mock: Mock, gate: Running) -> None:
    by_chat(gate.url, "hello")
    assert mock.seen.last is not None
    headers = dict(mock.seen.last.headers)
    assert headers["authorization"] == "Bearer upstream-key"
    assert "caller-key" not in str(mock.seen.last.headers)


def test_every_recording_is_served_byte_for_byte(data_dir: Path) -> None:
    with (
        mocking(MockConfig(recordings=data_dir / "streams")) as mock,
        running(mock.url, Judgement()) as gate,
        httpx2.Client(timeout=30) as client,
    ):
        served = 0
        for path in sorted(data_dir.joinpath("streams").glob("*.sse")):
            dialect = path.name.rsplit("-", 1)[0].rpartition("-")[2]
            where = {
                "chat": "/v1/chat/completions",
                "responses": "/v1/responses",
                "messages": "/v1/messages",
                "generate": "/v1beta/models/m:streamGenerateContent?alt=sse",
            }.get(dialect)
            if where is None or path.name.startswith(("cohere", "ollama", "watsonx", "writer-comp")):
                continue
            body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
            if dialect != "generate":
                body = {"model": f"replay:{path.name}", "stream": True, "messages": user("hi"), "input": "hi"}
            where = where.replace("/m:", f"/replay:{path.name}:")
            reply = client.post(gate.url + where, json=body)
            assert reply.status_code == 200, (path.name, reply.text[:200])
            assert reply.content == path.read_bytes(), path.name
            served += 1
        assert served > 200


FAULTY = pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("500", "InternalServerError"),
        ("503", "InternalServerError"),
        ("429:7", "RateLimitError"),
        ("401", "AuthenticationError"),
        ("reset:3", "APIError"),
        ("hang-up:3", "APIError"),
        ("garbage", "InternalServerError"),
        ("oversize", "APIError"),
        ("200-error", "APIError"),
        ("reset:0", "InternalServerError"),
    ],
)


@FAULTY
def test_a_faulty_provider_looks_to_the_sdk_like_one(gate: Running, fault: str, raised: str) -> None:
    with chat_client(gate.url) as api, pytest.raises(openai.APIError) as caught:
        for _ in api.chat.completions.create(model=f"echo:3!{fault}", messages=user(CLEAN), stream=True):
            pass
    assert type(caught.value).__name__ == raised
    assert "upstream-key" not in str(caught.value)
    if fault == "429:7":
        assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("ask", [by_chat, by_responses, by_messages, by_gemini])
def test_a_character_in_two_writes_stays_one(ask: Ask, gate: Running) -> None:
    assert ask(gate.url, CLEAN, "echo:3!half-character")[0] == CLEAN


def test_a_stream_that_is_cut_short_is_cut_short_for_the_client_too(mock: Mock, gate: Running) -> None:
    assert by_chat(gate.url, CLEAN, "echo:3!truncate:4") == by_chat(mock.url, CLEAN, "echo:3!truncate:4")


def test_a_provider_that_is_not_there_is_a_bad_gateway() -> None:
    with (
        running("http://127.0.0.1:1", policy()) as gate,
        chat_client(gate.url) as api,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        api.chat.completions.create(model="echo", messages=user("hi"))
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_failed"


class _Busy(BaseHTTPRequestHandler):
    """A proxy before a provider, which answers with a page."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(429)
        for name, value in (("content-type", "text/html"), ("retry-after", "9"), ("content-length", "13")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"<html></html>")

    def log_message(self, *said: Any) -> None:
        """Nothing."""


def test_an_error_that_is_no_json_keeps_its_status_and_its_retry_after() -> None:
    with HTTPServer(("127.0.0.1", 0), _Busy) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with (
                running(f"http://127.0.0.1:{server.server_port}", policy()) as gate,
                chat_client(gate.url) as api,
                pytest.raises(openai.RateLimitError) as caught,
            ):
                api.chat.completions.create(model="m", messages=user("hi"))
        finally:
            server.shutdown()
    assert caught.value.response.headers["retry-after"] == "9"
    assert "html" not in str(caught.value)


def test_a_client_that_goes_away_stops_the_call_upstream_and_frees_its_row(mock: Mock, gate: Running) -> None:
    aborted = mock.seen.aborted
    with chat_client(gate.url) as api:
        stream = api.chat.completions.create(
            model="echo:1!stall:5", messages=user("a long answer"), stream=True
        )
        next(iter(stream))
        gone = time.monotonic_ns()
        stream.close()
    wait_until(lambda: mock.seen.aborted == aborted + 1)
    assert (
        mock.seen.departures[-1].at - gone < 1_000_000_000
    )  # 100 ms where the machine is quiet: bench_gateway
    wait_until(lambda: len(gate.hub) == 0)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{nonsense", 400),
        ("/v1/chat/completions", b"[1, 2]", 400),
        ("/v1/chat/completions", b"\xff\xfe", 400),
        ("/v1/chat/completions", b"", 400),
        ("/v1/chat/completions", b'{"content": "half \\ud800", "model": 7, "a": "stop-word"}', 400),
        ("/v1/messages", b"{", 400),
        ("/v1beta/models/m:generateContent", b"{", 400),
        ("/v1/embeddings", b"{}", 404),
        ("/v1/chat/completions/../../admin", b"{}", 404),
        ("/nobody/v1/chat/completions", b"{}", 404),
        ("/v1/chat/completions", b" " * (1 << 20) + b"x" * (32 << 20), 413),
    ],
)
def test_a_wrong_request_is_refused_in_the_words_of_its_api(
    gate: Running, mock: Mock, path: str, body: bytes, status: int
) -> None:
    before = mock.seen.requests
    with httpx2.Client() as client:
        reply = client.post(gate.url + path, content=body, headers={"content-type": "application/json"})
        assert reply.status_code == status, reply.text
        assert reply.json()["error"]["message"]
        assert client.get(f"{gate.url}/healthz").status_code == 200
    assert mock.seen.requests == before
