"""The door of a gateway that runs: official SDKs with and without keys, limits, pages, counters, TLS."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.judgement import Judgement
from tests.gateways import running
from tests.kafka_security import certificates
from tests.mock import Mock
from tests.mock import running as mocking

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")
httpx2 = pytest.importorskip("httpx2")

from connectors._access import Access  # noqa: E402  # needs what was just looked for
from connectors._bounded_http import ConnectionLimits  # noqa: E402
from connectors._key_file import KeyFile  # noqa: E402
from connectors._keys import hashed, new_key  # noqa: E402
from connectors._origins import Origins  # noqa: E402
from connectors._tls import server_tls  # noqa: E402

pytestmark = pytest.mark.process

USER = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    with mocking() as started:
        yield started


def keyed(folder: Path, said: str = "", origins: tuple[str, ...] = ()) -> tuple[str, Access]:
    """A key, and the door that it opens."""
    key, path = new_key("ci"), folder / "keys.toml"
    path.write_text(f'[keys.ci]\nhash = "{hashed(key)}"\n{said}', encoding="utf-8")
    return key, Access(KeyFile(str(path), ["openai", "anthropic", "gemini"]), Origins(origins))


def by_chat(url: str, key: str) -> Any:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as api:
        return api.chat.completions.create(model="echo:3", messages=USER).choices[0].message.content


def by_messages(url: str, key: str) -> Any:
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as api:
        return api.messages.create(model="echo:3", max_tokens=99, messages=USER).content[0].text


def by_gemini(url: str, key: str) -> Any:
    api = genai.Client(api_key=key, http_options={"base_url": url})
    return api.models.generate_content(model="echo:3", contents="hello there").text


def test_official_clients_are_served_with_a_key_and_refused_without_in_their_own_words(
    mock: Mock, tmp_path: Path
) -> None:
    key, access = keyed(tmp_path)
    with running(mock.url, Judgement(), access=access) as gate:
        for ask in (by_chat, by_messages, by_gemini):
            assert ask(gate.url, key) == "hello there"
        other = new_key("ci")
        with pytest.raises(openai.AuthenticationError, match="the key is not known"):
            by_chat(gate.url, other)
        with pytest.raises(anthropic.AuthenticationError, match="the key is not known"):
            by_messages(gate.url, other)
        with pytest.raises(genai.errors.ClientError, match="401"):
            by_gemini(gate.url, other)
        counters = httpx2.get(f"{gate.url}/metrics", trust_env=False)
        assert counters.status_code == 401


@contextmanager
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """A provider that keeps what it is asked, as it stands on the wire."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            for _ in range(2):
                client, _ = server.accept()
                with client:
                    asked.append(client.recv(65_536))
                    client.sendall(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
                    )

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(timeout=10)


def test_no_key_of_a_caller_goes_on_to_a_provider_for_which_there_is_none(tmp_path: Path) -> None:
    key, access = keyed(tmp_path)
    with (
        listening() as (url, asked),
        running(url, Judgement(), key="", access=access) as gate,
        httpx2.Client(base_url=gate.url, trust_env=False) as client,
    ):
        client.post("/v1beta/models/m:countTokens", params={"key": key, "alt": "json"}, json={})
        client.post("/v1/chat/completions", headers={"x-api-key": key, "authorization": "Bearer x"}, json={})
    assert b"?alt=json HTTP/1.1" in asked[0]
    assert b"POST /v1/chat/completions" in asked[1]
    assert b"authorization" not in asked[1].lower()
    assert key.encode() not in b"".join(asked)


def test_limits_are_told_as_each_api_tells_them(mock: Mock, tmp_path: Path) -> None:
    key, access = keyed(tmp_path, "requests_per_minute = 2\ntokens_per_minute = 1000")
    with running(mock.url, Judgement(), access=access) as gate:
        with openai.OpenAI(base_url=f"{gate.url}/v1", api_key=key, max_retries=0) as api:
            raw = api.chat.completions.with_raw_response.create(model="echo:3", messages=USER)
            assert raw.headers["x-ratelimit-remaining-requests"] == "1"
            assert int(raw.headers["x-ratelimit-remaining-tokens"]) < 1000
            api.chat.completions.create(model="echo:3", messages=USER)
            with pytest.raises(openai.RateLimitError) as caught:
                api.chat.completions.create(model="echo:3", messages=USER)
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30
        with pytest.raises(anthropic.RateLimitError) as refused:
            by_messages(gate.url, key)
        assert refused.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"


def test_a_page_and_a_rebound_name_are_refused_before_anything_is_asked(mock: Mock) -> None:
    with running(mock.url, Judgement()) as gate, httpx2.Client(base_url=gate.url, trust_env=False) as client:
        before = mock.seen.requests
        for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
            answer = client.post(
                "/v1/chat/completions", headers=headers, json={"model": "echo", "messages": USER}
            )
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        assert mock.seen.requests == before


def test_a_page_that_is_named_asks_first_and_reads_then(mock: Mock) -> None:
    page = {"origin": "https://chat.example.com"}
    access = Access(None, Origins((page["origin"],)))
    with (
        running(mock.url, Judgement(), access=access) as gate,
        httpx2.Client(base_url=gate.url, trust_env=False) as client,
    ):
        wanted = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        told = client.options("/v1/chat/completions", headers=page | wanted)
        assert told.status_code == 204
        assert told.headers["access-control-allow-headers"] == "authorization"
        body = {"model": "echo", "messages": USER}
        assert client.post("/v1/chat/completions", headers=page, json=body).headers[
            "access-control-allow-origin"
        ] == page["origin"]  # fmt: skip


def test_counters_are_served_and_grow(mock: Mock) -> None:
    with running(mock.url, Judgement()) as gate, httpx2.Client(base_url=gate.url, trust_env=False) as client:
        client.post("/v1/chat/completions", json={"model": "echo", "messages": USER})
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        said = 'midstream_gateway_requests_total{dialect="chat",status="2xx",upstream="openai"} 1.0'
        assert said in answer.text
        assert re.search(r"^midstream_gateway_connections 1\.0$", answer.text, re.MULTILINE)


def test_the_gateway_speaks_tls_and_hangs_up_on_half_a_head(mock: Mock, tmp_path: Path) -> None:
    authority, own = certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority))
    limits = ConnectionLimits(head_seconds=0.3)
    with (
        running(mock.url, Judgement(), connections=limits, tls=server_tls(str(own), str(own))) as gate,
        httpx2.Client(verify=trusting, trust_env=False) as client,
    ):
        url = gate.url.replace("http://", "https://")
        assert client.get(f"{url}/healthz").status_code == 200
        with openai.OpenAI(base_url=f"{url}/v1", api_key="k", http_client=client, max_retries=0) as api:
            said = api.chat.completions.create(model="echo:3", messages=USER, stream=True)
            assert (
                "".join(chunk.choices[0].delta.content or "" for chunk in said if chunk.choices)
                == "hello there"
            )
