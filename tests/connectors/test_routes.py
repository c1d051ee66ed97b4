"""Which calls go where, and which nowhere."""

from __future__ import annotations

import pytest

from connectors._routes import Route, below, route

NAMES = {"openai", "anthropic", "gemini", "groq"}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/v1/chat/completions", Route("openai", "chat", "/v1/chat/completions")),
        ("POST", "/groq/v1/chat/completions", Route("groq", "chat", "/v1/chat/completions")),
        ("POST", "/v1/responses", Route("openai", "responses", "/v1/responses")),
        ("GET", "/v1/responses/r_1", Route("openai", "responses", "/v1/responses/r_1")),
        ("POST", "/v1/messages", Route("anthropic", "messages", "/v1/messages")),
        (
            "POST", "/v1beta/models/g-2:streamGenerateContent",
            Route("gemini", "generate", "/v1beta/models/g-2:streamGenerateContent", "g-2"),
        ),
        (
            "POST", "/v1/models/g-2:generateContent",
            Route("gemini", "generate", "/v1/models/g-2:generateContent", "g-2"),
        ),
        ("GET", "/v1/models", Route("openai", "", "/v1/models")),
        ("GET", "/v1beta/models/g-2", Route("gemini", "", "/v1beta/models/g-2")),
        ("GET", "/v1/chat/completions", None),
        ("POST", "/v1/embeddings", None),
        ("POST", "/nobody/v1/chat/completions", None),
        ("POST", "/v1/chat/completions/", None),
        ("POST", "//v1/chat/completions", None),
        ("POST", "/v1/responses/a/b/cancel", None),
        ("POST", "http://elsewhere/v1/chat/completions", None),
    ],
)  # fmt: skip
def test_a_call_goes_where_the_table_says(method: str, path: str, expected: Route | None) -> None:
    assert route(method, path, NAMES) == expected


def test_models_are_those_of_the_api_that_the_caller_speaks() -> None:
    found = route("GET", "/v1/models", NAMES, anthropic=True)
    assert found is not None
    assert found.upstream == "anthropic"


def test_a_version_is_not_said_twice() -> None:
    assert below("https://h/v1", "/v1/chat/completions") == "/chat/completions"
    assert below("https://h/openai/v1/", "/v1/chat/completions") == "/chat/completions"
    assert below("https://h", "/v1/messages") == "/v1/messages"
    assert below("https://h/v1beta", "/v1/models/m:generateContent") == "/v1/models/m:generateContent"
