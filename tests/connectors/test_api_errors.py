"""Our refusals raise, in each official SDK, the exception that its API's own errors raise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors._api_errors import KINDS, api_error
from connectors._last_frames import sse

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")
httpx2 = pytest.importorskip("httpx2")

SAID = "What was wrong, and what would be right."
OPENAI = {
    "bad_request": (openai.BadRequestError, 400, "invalid_request"),
    "unauthorized": (openai.AuthenticationError, 401, "invalid_api_key"),
    "forbidden": (openai.PermissionDeniedError, 403, "insufficient_permissions"),
    "not_found": (openai.NotFoundError, 404, "not_found"),
    "too_large": (openai.APIStatusError, 413, "request_too_large"),
    "rate_limited": (openai.RateLimitError, 429, "rate_limit_exceeded"),
    "overloaded": (openai.InternalServerError, 503, "overloaded"),
    "upstream_failed": (openai.InternalServerError, 502, "upstream_failed"),
    "upstream_timeout": (openai.InternalServerError, 504, "upstream_timeout"),
    "blocked": (openai.BadRequestError, 400, "content_filter"),
}
ANTHROPIC = {
    "bad_request": ("BadRequestError", 400, "invalid_request_error"),
    "unauthorized": ("AuthenticationError", 401, "authentication_error"),
    "forbidden": ("PermissionDeniedError", 403, "permission_error"),
    "not_found": ("NotFoundError", 404, "not_found_error"),
    "too_large": ("ContentTooLargeError", 413, "request_too_large"),
    "rate_limited": ("RateLimitError", 429, "rate_limit_error"),
    "overloaded": ("OverloadedError", 529, "overloaded_error"),
    "upstream_failed": ("InternalServerError", 502, "api_error"),
    "upstream_timeout": ("GatewayTimeoutError", 504, "timeout_error"),
    "blocked": ("BadRequestError", 400, "invalid_request_error"),
}
GOOGLE = {
    "bad_request": (genai.errors.ClientError, 400, "INVALID_ARGUMENT"),
    "unauthorized": (genai.errors.ClientError, 401, "UNAUTHENTICATED"),
    "forbidden": (genai.errors.ClientError, 403, "PERMISSION_DENIED"),
    "not_found": (genai.errors.ClientError, 404, "NOT_FOUND"),
    "too_large": (genai.errors.ClientError, 413, "INVALID_ARGUMENT"),
    "rate_limited": (genai.errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    "overloaded": (genai.errors.ServerError, 503, "UNAVAILABLE"),
    "upstream_failed": (genai.errors.ServerError, 502, "UNAVAILABLE"),
    "upstream_timeout": (genai.errors.ServerError, 504, "DEADLINE_EXCEEDED"),
}


def answered(library: Any, status: int, body: bytes, kind: str = "application/json") -> Any:
    """A client of `library` whose every request is answered so."""
    reply = library.Response(status, headers={"content-type": kind}, content=body)
    return library.Client(transport=library.MockTransport(lambda _: reply))


def ask_google(http: Any) -> list[Any]:
    options = genai.types.HttpOptions(httpx_client=http)
    with http, genai.Client(api_key="none", http_options=options) as client:
        return list(client.models.generate_content_stream(model="m", contents="hi"))


def test_the_tables_here_name_every_kind() -> None:
    assert set(OPENAI) == set(ANTHROPIC) == set(KINDS) == {*GOOGLE, "blocked"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "api", ["openai-chat", "openai-responses", "groq_chat", "openai-realtime", "elsewhere"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_openai_sdk_raises_its_own(kind: str, api: str, stream: bool) -> None:
    raised_as, status, code = OPENAI[kind]
    said, body = api_error(api, 0, kind, SAID)
    with (
        answered(httpx2, said, body) as http,
        openai.OpenAI(api_key="none", http_client=http, max_retries=0) as client,
        pytest.raises(raised_as, match=SAID) as raised,
    ):
        client.chat.completions.create(model="m", messages=[], stream=stream)
    assert (raised.value.status_code, raised.value.code, raised.value.param) == (status, code, None)
    assert raised.value.type


@pytest.mark.parametrize("kind", KINDS)
def test_the_anthropic_sdk_raises_its_own(kind: str) -> None:
    raised_as, status, type_ = ANTHROPIC[kind]
    said, body = api_error("anthropic-messages", 0, kind, SAID)
    with (
        answered(httpx2, said, body) as http,
        anthropic.Anthropic(api_key="none", http_client=http, max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError, match=SAID) as raised,
    ):
        client.messages.create(model="m", max_tokens=9, messages=[])
    assert type(raised.value).__name__ == raised_as
    assert (raised.value.status_code, raised.value.type, raised.value.api_message) == (status, type_, SAID)


@pytest.mark.parametrize("kind", GOOGLE)
def test_the_google_sdk_raises_its_own(kind: str) -> None:
    raised_as, status, name = GOOGLE[kind]
    said, body = api_error("gemini-generate", 0, kind, SAID)
    with pytest.raises(raised_as) as raised:
        ask_google(answered(httpx2, said, body))
    assert (raised.value.code, raised.value.status, raised.value.message) == (status, name, SAID)


def test_a_prompt_that_is_blocked_is_an_answer_of_gemini() -> None:
    status, body = api_error("gemini-generate", 0, "blocked", SAID)
    for wire, kind in ((body, "application/json"), (sse([("", body)]), "text/event-stream")):
        (response,) = ask_google(answered(httpx2, status, wire, kind))
        assert response.prompt_feedback.block_reason.value == "PROHIBITED_CONTENT"
        assert not response.candidates


def test_a_status_of_the_provider_is_passed_on() -> None:
    for api in ("openai-chat", "anthropic-messages"):
        assert api_error(api, 402, "upstream_failed", SAID)[0] == 402
    status, body = api_error("vertex-generate", 402, "upstream_failed", SAID)
    assert status == json.loads(body)["error"]["code"] == 402
    assert api_error("gemini-generate", 402, "blocked", SAID)[0] == 200


def test_where_no_dialect_is_named_the_vendor_decides() -> None:
    assert b'"NOT_FOUND"' in api_error("gemini-", 0, "not_found", SAID)[1]
    assert b'"not_found_error"' in api_error("anthropic-", 0, "not_found", SAID)[1]
    assert b'"not_found"' in api_error("openai-", 0, "not_found", SAID)[1]
    assert b'"not_found_error"' in api_error("vertex-messages", 0, "not_found", SAID)[1]
    assert api_error("gemini-", 0, "blocked", SAID)[0] == 400, "a count of tokens has no feedback on prompts"


@pytest.mark.parametrize("api", ["openai-chat", "anthropic-messages", "gemini-generate"])
def test_any_message_can_be_said_and_a_long_one_is_cut(api: str) -> None:
    assert "\\ud83d" not in api_error(api, 0, "bad_request", "half \ud83d")[1].decode()
    assert len(api_error(api, 0, "bad_request", "x" * 10_000)[1]) < 1_000


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(KeyError, match="teapot"):
        api_error("openai-chat", 0, "teapot", SAID)
