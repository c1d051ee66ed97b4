"""The table of providers, and what settings make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("httpcore2")

from connectors import decoders
from connectors._upstream import Timeouts
from flows.endpoints import ENDPOINTS, upstream, vendor_of
from flows.settings import Settings, load

KEY = "sk-" + "secret" * 4


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings file and no key of whoever runs this."""
    monkeypatch.chdir(tmp_path)
    for known in ENDPOINTS.values():
        if known.key:
            monkeypatch.delenv(known.key, raising=False)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_each_known_provider_makes_a_sound_upstream(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = ENDPOINTS[name]
    assert known.api in decoders.API_NAMES
    assert known.models.startswith("/")
    monkeypatch.setenv(f"MIDSTREAM_UPSTREAMS__{name.upper()}__API_KEY", KEY)
    if not known.base_url:
        monkeypatch.setenv(f"MIDSTREAM_UPSTREAMS__{name.upper()}__BASE_URL", "https://mine.example/openai/v1")
    made = upstream(name, load())
    assert (made.name, made.api, made.auth, made.key) == (name, known.api, known.auth, KEY)
    assert made.base_url == (known.base_url or "https://mine.example/openai/v1")
    local = made.base_url.startswith("http://127.0.0.1:")
    assert local or made.base_url.startswith("https://")
    assert local == (not known.key), "a provider on this machine needs no key, all others do"


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("gpt-5-mini", ("openai", "gpt-5-mini")),
        ("o3", ("openai", "o3")),
        ("claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("gemini-2.5-flash", ("gemini", "gemini-2.5-flash")),
        ("groq/openai/gpt-oss-20b", ("groq", "openai/gpt-oss-20b")),
        ("openrouter/anthropic/claude-x", ("openrouter", "anthropic/claude-x")),
        ("ollama/llama3.2:1b", ("ollama", "llama3.2:1b")),
        ("mine/m", ("mine", "m")),
    ],
)
def test_a_model_names_its_provider_or_begins_as_one_does(
    model: str, found: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDSTREAM_UPSTREAMS__MINE__BASE_URL", "http://127.0.0.1:9/v1")
    assert vendor_of(model, load()) == found


@pytest.mark.parametrize("model", ["llama3", "nobody/llama3", "groq/", "gpt-oss/x", ""])
def test_a_model_of_nobody_known_is_refused_with_the_names_there_are(model: str) -> None:
    with pytest.raises(ValueError, match="there are openai, anthropic"):
        vendor_of(model, Settings())


def test_settings_change_what_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "midstream.toml").write_text(
        f"""
        [upstreams.azure]
        base_url = "https://mine.openai.azure.com/openai/deployments/d"
        api_key = "{KEY}"
        api_version = "2024-10-21"
        first_byte = 5
        retries = 7
        [upstreams.azure.headers]
        x-team = "a"
        """
    )
    monkeypatch.setenv("MIDSTREAM_UPSTREAMS__AZURE__PROXY", f"http://me:{KEY}@127.0.0.1:3128")
    monkeypatch.setenv("MIDSTREAM_UPSTREAMS__AZURE__HTTP2", "true")
    settings = load()
    made = upstream("azure", settings)
    assert made.query == (("api-version", "2024-10-21"),)
    assert made.timeouts == Timeouts(first_byte=5)
    assert (made.retries, made.http2, made.headers) == (7, True, (("x-team", "a"),))
    assert made.proxy == f"http://me:{KEY}@127.0.0.1:3128"
    assert KEY not in repr(made) + repr(settings) + str(settings)


def test_a_vendors_variable_counts_only_where_it_is_asked_for_and_goes_to_that_vendor_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert not upstream("openai", load()).key
    assert upstream("openai", load(), environment=True).key == KEY
    monkeypatch.setenv("MIDSTREAM_UPSTREAMS__OPENAI__BASE_URL", "http://127.0.0.1:9/v1")
    assert not upstream("openai", load(), environment=True).key


@pytest.mark.parametrize(
    ("name", "variables", "said"),
    [
        ("azure", {}, "AZURE__BASE_URL"),
        ("unknown", {}, "UNKNOWN__BASE_URL"),
        ("openai", {}, "OPENAI__API_KEY, or OPENAI_API_KEY"),
        ("openai", {"OPENAI_API_KEY": f"{KEY} {KEY}"}, "no header can carry"),
        ("mine", {"MIDSTREAM_UPSTREAMS__MINE__BASE_URL": "ftp://x"}, "http:// or https://"),
        ("openai", {"MIDSTREAM_UPSTREAMS__OPENAI__API": "soap"}, "no API is named 'soap'"),
    ],
)
def test_what_is_missing_or_wrong_is_said_with_what_would_be_right(
    name: str, variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match="settings: ") as refused:
        upstream(name, load(), environment=True)
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MIDSTREAM_UPSTREAMS__OPENAI__FIRST_BYTE", "0", "greater than 0"),
        ("MIDSTREAM_UPSTREAMS__OPENAI__SECRET", KEY, "no such key; there are base_url, api"),
        ("MIDSTREAM_UPSTREAMS__OPENAI__AUTH", KEY, "upstreams.openai.auth"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_key_and_without_its_value(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match="settings: upstreams") as refused:
        load()
    assert said in str(refused.value)
    assert KEY not in str(refused.value)
