"""Each fault of the mock provider looks to the official SDKs as the real one would."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors import _mock_faults as faults
from connectors._mock_pace import Pace, Waits
from connectors.mock_llm import MockConfig
from tests.mock import Mock, running, wait_until

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")
httpx2 = pytest.importorskip("httpx2")

pytest_plugins = ["tests.mock_fixtures"]

SAID = "Zürich, 渡船: 3 Züge"
BROKEN = (openai.APIConnectionError, httpx2.ReadError)
CUT = (openai.APIConnectionError, httpx2.RemoteProtocolError)


def user(text: str = SAID) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def chat(mock: Mock, fault: str, model: str = "echo:2", timeout: float = 10.0) -> tuple[str, Any]:
    """Text and last finish reason of a streamed chat."""
    said, finish = "", None
    url = f"{mock.url}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=timeout) as api:
        for chunk in api.chat.completions.create(model=f"{model}!{fault}", messages=user(), stream=True):
            for choice in chunk.choices:
                said += choice.delta.content or ""
                finish = choice.finish_reason or finish
    return said, finish


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("404", openai.NotFoundError),
        ("429:7", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("503", openai.InternalServerError),
    ],
)
def test_a_status_is_the_exception_of_the_openai_sdk(mock: Mock, fault: str, error: Any) -> None:
    with pytest.raises(error) as raised:
        chat(mock, fault)
    assert raised.value.status_code == int(fault[:3])
    assert faults.STATUSES[fault[:3]] in raised.value.message
    assert raised.value.response.headers.get("retry-after") == ("7" if fault == "429:7" else None)


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        ("401", anthropic.AuthenticationError, "authentication_error"),
        ("429", anthropic.RateLimitError, "rate_limit_error"),
        ("529", anthropic.APIStatusError, "overloaded_error"),
    ],
)
def test_a_status_is_the_exception_of_the_anthropic_sdk(
    mock: Mock, fault: str, error: Any, kind: str
) -> None:
    with (
        anthropic.Anthropic(base_url=mock.url, api_key="none", max_retries=0) as api,
        pytest.raises(error) as raised,
    ):
        api.messages.create(model=f"echo!{fault}", max_tokens=9, messages=user())
    assert raised.value.body["error"]["type"] == kind


def test_a_status_is_the_exception_of_the_google_sdk(mock: Mock) -> None:
    with (
        genai.Client(api_key="none", http_options={"base_url": mock.url}) as api,
        pytest.raises(genai.errors.ClientError) as raised,
    ):
        api.models.generate_content(model="echo!403", contents=SAID)
    assert (raised.value.code, raised.value.status) == (403, "PERMISSION_DENIED")


def test_an_sdk_that_retries_waits_as_long_as_it_is_told(mock: Mock) -> None:
    mock.provider.then("429:0.3", "503", "")
    began = time.monotonic()
    with openai.OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=2) as api:
        answer = api.chat.completions.create(model="echo", messages=user())
    assert answer.choices[0].message.content == SAID
    assert mock.seen.requests == 3
    assert time.monotonic() - began > 0.3


@pytest.mark.parametrize("streamed", [True, False])
def test_a_reset_fails_the_read_and_nothing_else(mock: Mock, streamed: bool) -> None:
    asked = {"model": "echo:2!reset:4", "messages": user(), "stream": streamed}
    got = b""

    def read() -> None:
        nonlocal got
        with httpx2.stream("POST", f"{mock.url}/v1/chat/completions", json=asked) as answer:
            assert answer.status_code == 200
            for data in answer.iter_raw():
                got += data

    with pytest.raises(httpx2.ReadError):
        read()
    if streamed:
        assert got.count(b"data: ") == 4
    else:
        assert got.startswith(b'{"id":')
    wait_until(lambda: mock.seen.open == 0)
    assert (mock.seen.aborted, mock.seen.completed) == (0, 0), "it was we who went"


def test_a_reset_is_rst_and_a_hang_up_is_fin(mock: Mock) -> None:
    def ends(fault: str) -> bytes:
        body = json.dumps({"model": f"echo!{fault}", "messages": user(), "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as peer:
            peer.sendall(head.encode() + body)
            got = b""
            while data := peer.recv(1 << 16):
                got += data
            return got

    with pytest.raises(ConnectionResetError):
        ends("reset")
    assert not ends("hang-up").endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(("fault", "error"), [("reset", BROKEN), ("hang-up", CUT)])
def test_a_broken_connection_is_an_error_of_the_sdk(mock: Mock, fault: str, error: Any) -> None:
    with pytest.raises(error):
        chat(mock, fault)


def test_a_stall_is_a_timeout_of_the_sdk_and_an_abort_of_ours(mock: Mock) -> None:
    with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
        chat(mock, "stall:2", timeout=0.3)
    wait_until(lambda: mock.seen.aborted == 1)
    assert mock.seen.departures[0].chunks == 2


def test_a_truncated_stream_ends_well_without_a_finish(mock: Mock) -> None:
    assert chat(mock, "truncate:3") == (SAID[:4], None)


def test_an_error_inside_a_stream_is_raised_in_the_middle_of_it(mock: Mock) -> None:
    with pytest.raises(openai.APIError, match="The server had an error"):
        chat(mock, "200-error")
    with anthropic.Anthropic(base_url=mock.url, api_key="none", max_retries=0) as api:
        seen: list[Any] = []
        with pytest.raises(anthropic.APIStatusError) as raised:
            seen += api.messages.create(model="echo!200-error:5", max_tokens=9, messages=user(), stream=True)
        assert raised.value.body["error"]["type"] == "overloaded_error"
    asked = {"model": "echo!200-error", "messages": user()}
    whole = httpx2.post(f"{mock.url}/v1/chat/completions", json=asked)
    assert (whole.status_code, list(whole.json())) == (200, ["error"])


def test_an_error_inside_geminis_array_is_its_last_element(mock: Mock) -> None:
    path = "/v1beta/models/echo:2!200-error:2:streamGenerateContent"
    told = httpx2.post(mock.url + path, json={"contents": [{"parts": [{"text": SAID}]}]}).json()
    assert [next(iter(each)) for each in told] == ["candidates", "candidates", "error"]


def test_garbage_is_no_event_and_no_text(mock: Mock) -> None:
    with pytest.raises(UnicodeDecodeError):  # what this SDK makes of it
        chat(mock, "garbage")
    asked = {"model": "echo!garbage", "messages": user()}
    with (
        openai.OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=0) as api,
        pytest.raises(ValueError, match="utf-8"),
    ):
        api.chat.completions.create(**asked)
    with pytest.raises(UnicodeDecodeError):
        httpx2.post(f"{mock.url}/v1/chat/completions", json=asked).content.decode()


def test_an_oversized_event_is_as_large_as_asked(mock: Mock) -> None:
    said, finish = chat(mock, "oversize:300")
    assert (said.count("x"), finish) == (300 << 10, "stop")
    assert said.replace("x", "") == SAID
    with openai.OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=0) as api:
        whole = api.chat.completions.create(model="echo!oversize", messages=user())
        assert len(whole.choices[0].message.content) == 2 << 20


def test_slow_headers_keep_the_status_waiting(mock: Mock) -> None:
    began = time.monotonic()
    assert chat(mock, "slow-headers:0.3") == (SAID, "stop")
    assert time.monotonic() - began > 0.3
    with pytest.raises(openai.APITimeoutError):
        chat(mock, "slow-headers:5", timeout=0.2)
    wait_until(lambda: mock.seen.aborted == 1)


def test_characters_come_in_halves_and_are_whole_to_the_sdk(mock: Mock) -> None:
    assert chat(mock, "half-character") == (SAID, "stop")
    asked = {"model": "echo!half-character", "messages": user(), "stream": True}
    with httpx2.stream("POST", f"{mock.url}/v1/chat/completions", json=asked) as answer:
        reads = list(answer.iter_raw())
    halves = 0
    for data in reads:
        try:
            data.decode()
        except UnicodeDecodeError:
            halves += 1
    assert halves >= 2


def test_a_body_can_end_inside_a_character(mock: Mock) -> None:
    asked = {"model": "echo:2!cut-character", "messages": user(), "stream": True}
    body = httpx2.post(f"{mock.url}/v1/chat/completions", json=asked).content
    assert body.endswith(b"Z\xc3")


def test_a_cut_character_needs_one(mock: Mock) -> None:
    asked = {"model": "echo!cut-character", "messages": user("plain"), "stream": True}
    answer = httpx2.post(f"{mock.url}/v1/chat/completions", json=asked)
    assert answer.status_code == 400
    assert "beyond ASCII" in answer.json()["error"]["message"]


def test_the_header_goes_before_the_name_and_both_before_chance() -> None:
    with running(MockConfig(faults={"500": 1.0})) as mock:
        url = f"{mock.url}/v1/chat/completions"
        asked = {"model": "echo!503", "messages": user()}
        assert httpx2.post(url, json=asked, headers={"x-mock-fault": "429"}).status_code == 429
        assert httpx2.post(url, json=asked).status_code == 503
        assert httpx2.post(url, json=asked | {"model": "echo"}).status_code == 500
        assert mock.seen.faults == {"429": 1, "503": 1, "500": 1}


def test_chance_is_that_of_the_seed_and_of_the_setting() -> None:
    def statuses() -> list[int]:
        config = MockConfig(faults={"500": 0.2, "429": 0.3}, seed=3)
        asked = {"model": "echo", "messages": user()}
        with running(config) as mock, httpx2.Client(base_url=mock.url) as client:
            return [client.post("/v1/chat/completions", json=asked).status_code for _ in range(200)]

    first = statuses()
    assert first == statuses()
    assert 20 < first.count(500) < 60
    assert 35 < first.count(429) < 85


@pytest.mark.parametrize("fault", ["explode", "reset:-1", "reset:many", "oversize:1e9", "stall:nan"])
def test_a_fault_that_is_none_is_refused(mock: Mock, fault: str) -> None:
    asked = {"model": "echo", "messages": user()}
    answer = httpx2.post(f"{mock.url}/v1/chat/completions", json=asked, headers={"x-mock-fault": fault})
    assert answer.status_code == 400
    assert re.search("no such fault; there are|must be 0 to", answer.json()["error"]["message"])


def _leave_by_fin(peer: socket.socket) -> None:
    peer.close()


def _leave_by_rst(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    peer.close()


@pytest.mark.parametrize("leave", [_leave_by_fin, _leave_by_rst])
@pytest.mark.parametrize("model", ["echo:1", "echo!stall:1", "echo!slow-headers"])
def test_a_client_that_leaves_is_noticed_at_once(leave: Callable[[socket.socket], None], model: str) -> None:
    with running(MockConfig(Pace(ttft=Waits(30.0) if model == "echo:1" else Waits()))) as mock:
        body = json.dumps({"model": model, "messages": user(), "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        peer = socket.create_connection(("127.0.0.1", mock.port), timeout=10)
        peer.sendall(head.encode() + body)
        wait_until(lambda: mock.seen.open == 1)
        left = time.monotonic_ns()
        leave(peer)
        wait_until(lambda: mock.seen.open == 0)
        (departure,) = mock.seen.departures
    assert left <= departure.at < left + 1_000_000_000
    assert (departure.request, mock.seen.aborted, mock.seen.completed) == (1, 1, 0)


def test_a_client_that_reads_nothing_holds_the_provider_up_not_its_memory() -> None:
    with running() as mock:
        body = json.dumps({"model": "echo:1", "messages": user("x" * 60_000), "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as peer:
            peer.sendall(head.encode() + body)
            wait_until(lambda: mock.seen.bytes > 0)
            stood = -1
            while stood != mock.seen.bytes:
                stood = mock.seen.bytes
                time.sleep(0.3)
            assert stood < 12_000_000, "of 15 MB"
            assert mock.seen.open == 1
        wait_until(lambda: mock.seen.open == 0)
        assert mock.seen.aborted == 1


def test_the_server_serves_on_after_every_fault(mock: Mock) -> None:
    names = (
        "reset",
        "hang-up",
        "truncate",
        "200-error",
        "garbage",
        "oversize",
        "half-character",
        "cut-character",
    )
    for name in (*names, *faults.STATUSES):
        try:
            httpx2.post(
                f"{mock.url}/v1/chat/completions",
                json={"model": f"echo!{name}", "messages": user(), "stream": True},
            )
        except httpx2.TransportError:
            assert name in {"reset", "hang-up"}
    assert chat(mock, "") == (SAID, "stop")
    assert mock.seen.open == 0
