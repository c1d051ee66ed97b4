"""A call to a provider: repeated only before its first byte, limited in every phase, aborted for real."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpcore2")
pytest.importorskip("h2")

from connectors import _retry
from connectors._upstream import Provider, Timeouts, Upstream, UpstreamFault
from tests.connectors.served import END, HEAD, Respond, Served, answer, chunk, deaf, http1, http2, proxy
from tests.kafka_security import certificates

KEY = "sk-" + "secret" * 6


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate authority, and what it signed for 127.0.0.1."""
    return certificates(tmp_path_factory.mktemp("keys"))


def _server_side(keys: Path, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def _upstream(served: Served, **more: Any) -> Upstream:
    return Upstream("there", "openai-chat", f"http://127.0.0.1:{served.port}/v1", **({"key": KEY} | more))


def _secure(served: Served, authority: Path, **more: Any) -> Provider:
    address = f"https://127.0.0.1:{served.port}"
    return Provider(Upstream("there", "openai-chat", address, KEY, ca_file=str(authority), **more))


def _speaks(*parts: bytes) -> Respond:
    """Answers every request with `parts`, each written apart; keeps the connection open after them."""

    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.002)

    return respond


def _run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


async def _body(provider: Provider, path: str = "/chat/completions", **more: Any) -> tuple[int, bytes]:
    async with provider.call("POST", path, body=b"{}", **more) as reply:
        return reply.status, await reply.body(1 << 20)


def test_an_answer_comes_in_the_pieces_in_which_it_was_sent() -> None:
    async def test() -> None:
        async with http1(_speaks(HEAD + chunk(b"one"), chunk(b"two"), END)) as served:
            provider = Provider(_upstream(served))
            async with provider.call("POST", "/chat/completions", body=b"{}") as reply:
                assert (b"content-type", b"text/event-stream") in reply.headers
                assert [data async for data in reply.chunks()] == [b"one", b"two"]
            assert await _body(provider) == (200, b"onetwo")
            assert served.connections == 1, "a connection whose answer was read to its end is used again"
            await provider.aclose()

    _run(test)


def test_a_request_carries_the_callers_headers_and_our_key_and_nothing_of_one_connection() -> None:
    async def test() -> None:
        async with http1(_speaks(answer(200))) as served:
            provider = Provider(_upstream(served, headers=(("x-own", "1"),), query=(("api-version", "v 1"),)))
            given = [
                (b"Authorization", b"Bearer theirs"), (b"x-api-key", b"theirs"), (b"Cookie", b"theirs"),
                (b"Connection", b"close, X-Hop"), (b"x-hop", b"theirs"), (b"Accept-Encoding", b"gzip"),
                (b"Host", b"elsewhere"),
                (b"X-Own", b"2"), (b"OpenAI-Beta", b"realtime=v1"), (b"anthropic-version", b"2023-06-01"),
            ]  # fmt: skip
            await _body(provider, headers=given, query=[("alt", "sse"), ("key", "theirs")])
            await provider.aclose()
        head = served.asked[0]
        assert head.startswith(b"POST /v1/chat/completions?alt=sse&api-version=v+1 HTTP/1.1\r\n")
        assert b"theirs" not in head
        assert b"gzip" not in head
        assert b"elsewhere" not in head
        assert head.lower().count(b"x-own") == 1
        for line in (
            f"authorization: Bearer {KEY}\r\n".encode(), b"accept-encoding: identity\r\n", b"x-own: 1\r\n",
            b"OpenAI-Beta: realtime=v1\r\n", b"anthropic-version: 2023-06-01\r\n", b"content-length: 2\r\n",
        ):  # fmt: skip
            assert line in head

    _run(test)


@pytest.mark.parametrize(
    ("auth", "line"),
    [
        ("bearer", f"authorization: Bearer {KEY}"),
        ("x-api-key", f"x-api-key: {KEY}"),
        ("x-goog-api-key", f"x-goog-api-key: {KEY}"),
        ("api-key", f"api-key: {KEY}"),
    ],
)
def test_each_provider_gets_its_key_in_its_own_header(auth: Any, line: str) -> None:
    async def test() -> None:
        async with http1(_speaks(answer(200))) as served:
            provider = Provider(_upstream(served, auth=auth))
            await _body(provider)
            await provider.aclose()
        assert line.encode() in served.asked[0]
        assert served.asked[0].count(KEY.encode()) == 1

    _run(test)


def test_without_a_key_of_ours_the_callers_passes() -> None:
    async def test() -> None:
        async with http1(_speaks(answer(200))) as served:
            provider = Provider(_upstream(served, key=""))
            await _body(provider, headers=[(b"authorization", b"Bearer theirs")], query=[("key", "theirs")])
            await provider.aclose()
        assert b"authorization: Bearer theirs\r\n" in served.asked[0]
        assert served.asked[0].startswith(b"POST /v1/chat/completions?key=theirs HTTP/1.1\r\n")

    _run(test)


def test_a_redirect_is_an_answer_and_a_cookie_is_forgotten() -> None:
    async def test() -> None:
        async with http1(_speaks(answer(200))) as elsewhere:
            there = f"http://127.0.0.1:{elsewhere.port}/"
            moved = answer(307, b"", ("location", there), ("set-cookie", "a=b"))
            async with http1(_speaks(moved)) as served:
                provider = Provider(_upstream(served))
                assert (await _body(provider))[0] == 307
                assert (await _body(provider))[0] == 307
                await provider.aclose()
            assert elsewhere.asked == []
            assert b"cookie" not in served.asked[1].lower()

    _run(test)


@pytest.mark.parametrize(
    "path", ["chat", "//../x", "/a/../b", "/%2e%2e/b", "/a b", "/a?b=c", "/a#b", "/a\r\nb", "/ä"]
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    async def test() -> None:
        provider = Provider(Upstream("there", "openai-chat", "http://127.0.0.1:1/v1"))
        with pytest.raises(ValueError, match="path"):
            await _body(provider, path)

    _run(test)


@pytest.mark.parametrize(
    "given",
    [
        {"base_url": "ftp://127.0.0.1/"},
        {"base_url": "http://"},
        {"base_url": "http://user:pass@127.0.0.1/"},
        {"base_url": "http://127.0.0.1/?key=x"},
        {"base_url": "http://127.0.0.1:99999/"},
        {"base_url": "http://127.0.0.1/a/../b"},
        {"key": KEY + "\n"},
        {"key": KEY + " "},
        {"key": KEY + "ä"},
        {"headers": (("x-own", "a\r\nx-other: b"),)},
        {"proxy": "socks4://127.0.0.1:1"},
        {"proxy": "http://"},
    ],
    ids=str,
)
def test_an_upstream_that_cannot_be_right_is_refused_without_its_key(given: dict[str, Any]) -> None:
    sound = {"name": "there", "api": "openai-chat", "base_url": "http://127.0.0.1:1/v1", "key": KEY}
    with pytest.raises(ValueError, match="upstream there: ") as refused:
        Upstream(**(sound | given))
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("how", ["leave", "cancel", "cancel early", "raise"])
def test_an_abandoned_call_closes_its_connection_at_once(how: str) -> None:
    async def test() -> None:
        parts = [] if how == "cancel early" else [HEAD + chunk(b"one")]
        async with http1(_speaks(*parts)) as served:
            provider = Provider(_upstream(served))
            heard = asyncio.Event()

            async def call() -> None:
                async with provider.call("POST", "/x", body=b"{}") as reply:
                    async for _ in reply.chunks():
                        heard.set()
                        if how == "leave":
                            return
                        if how == "raise":
                            raise KeyError

            task = asyncio.create_task(call())
            if how == "cancel early":
                while not served.asked:
                    await asyncio.sleep(0.001)
            else:
                await heard.wait()
            assert not served.gone.is_set()
            if how.startswith("cancel"):
                task.cancel()
            await served.left()
            await asyncio.gather(task, return_exceptions=True)
            await provider.aclose()

    _run(test)


@pytest.mark.parametrize("path", ["/speaking", "/mute"])
def test_an_abandoned_http2_call_closes_its_connection_and_no_other(
    keys: tuple[Path, Path], path: str
) -> None:
    async def test() -> None:
        authority, server_keys = keys
        async with http2(3, _server_side(server_keys, "h2")) as served:
            provider = _secure(served, authority, http2=True)
            async with provider.call("POST", "/speaking", body=b"{}") as other:
                pieces = other.chunks()
                assert await anext(pieces) == b"x" * 1024
                task = asyncio.create_task(_body(provider, path))
                while len(served.asked) < 2:
                    await asyncio.sleep(0.001)
                assert not served.gone.is_set()
                task.cancel()
                await served.left()
                served.gone.clear()
                assert await anext(pieces) == b"x" * 1024
                await pieces.aclose()
            await served.left()
            await provider.aclose()

    _run(test)


def test_an_http2_connection_whose_answer_was_read_to_its_end_is_used_again(keys: tuple[Path, Path]) -> None:
    async def test() -> None:
        authority, server_keys = keys
        async with http2(3, _server_side(server_keys, "h2")) as served:
            provider = _secure(served, authority, http2=True)
            for _ in range(3):
                assert await _body(provider, "/whole") == (200, b"x" * 3072)
            assert served.connections == 1
            await provider.aclose()

    _run(test)


def test_more_calls_than_connections_wait_for_one_and_then_fail() -> None:
    async def test() -> None:
        async with http1(_speaks(HEAD + chunk(b"one"))) as served:
            provider = Provider(_upstream(served, max_connections=1, timeouts=Timeouts(pool=0.05)))
            async with provider.call("POST", "/x") as reply:
                assert await anext(reply.chunks()) == b"one"
                with pytest.raises(UpstreamFault, match="busy") as failed:
                    await _body(provider)
                assert failed.value.kind == "pool"
            await provider.aclose()

    _run(test)


def test_a_certificate_that_nobody_vouches_for_is_refused(keys: tuple[Path, Path]) -> None:
    async def test() -> None:
        authority, server_keys = keys
        async with http1(_speaks(answer(200)), _server_side(server_keys)) as served:
            trusting = _secure(served, authority)
            assert (await _body(trusting))[0] == 200
            strict = Provider(Upstream("there", "openai-chat", f"https://127.0.0.1:{served.port}", KEY))
            with pytest.raises(UpstreamFault, match="certificate not trusted") as failed:
                await _body(strict)
            assert failed.value.kind == "tls"
            await trusting.aclose()
            await strict.aclose()
            assert len(served.asked) == 1

    _run(test)


def test_a_file_that_holds_no_authority_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    sound = Upstream("there", "openai-chat", "https://127.0.0.1/v1", KEY, ca_file=str(file))
    with pytest.raises(ValueError, match="No such file"):
        Provider(sound)
    file.write_text("not PEM")
    with pytest.raises(ValueError, match=r"authority\.pem"):
        Provider(sound)


def test_a_proxy_of_the_settings_is_used_and_those_of_the_environment_are_not(
    keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        authority, server_keys = keys
        async with http1(_speaks(answer(200)), _server_side(server_keys)) as served, proxy() as through:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{through.port}")
            direct = _secure(served, authority)
            assert (await _body(direct))[0] == 200
            assert through.asked == []
            proxied = _secure(served, authority, proxy=f"http://me:p%40ss@127.0.0.1:{through.port}")
            assert (await _body(proxied))[0] == 200
            (head,) = through.asked
            assert head.startswith(f"CONNECT 127.0.0.1:{served.port} ".encode())
            assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in head
            assert KEY.encode() not in head
            await direct.aclose()
            await proxied.aclose()

    _run(test)


def test_a_proxy_that_refuses_is_told_apart() -> None:
    async def test() -> None:
        async with proxy(407) as through:
            provider = Provider(
                Upstream(
                    "there",
                    "openai-chat",
                    "https://127.0.0.1:9/v1",
                    KEY,
                    proxy=f"http://127.0.0.1:{through.port}",
                )
            )
            with pytest.raises(UpstreamFault, match="the proxy answered 407") as failed:
                await _body(provider)
            assert failed.value.kind == "proxy"
            await provider.aclose()

    _run(test)


@pytest.mark.parametrize(
    ("kind", "parts", "limits"),
    [
        ("timeout-first-byte", [], {"first_byte": 0.05}),
        ("timeout-first-byte", [HEAD], {"first_byte": 0.05}),
        ("timeout-between", [HEAD + chunk(b"one")], {"between_bytes": 0.05}),
        ("timeout-total", [], {"total": 0.05}),
        ("timeout-total", [HEAD + chunk(b"one")], {"total": 0.05}),
    ],
)
def test_each_phase_has_its_time_and_no_more(kind: str, parts: list[bytes], limits: dict[str, float]) -> None:
    async def test() -> None:
        async with http1(_speaks(*parts)) as served:
            provider = Provider(_upstream(served, timeouts=Timeouts(**limits)))
            began = time.monotonic()
            with pytest.raises(UpstreamFault) as failed:
                await _body(provider)
            assert failed.value.kind == kind
            assert time.monotonic() - began < 1
            await served.left()
            task = asyncio.current_task()
            assert task
            assert task.cancelling() == 0, "the cancellation that ended the waiting is taken back"
            await provider.aclose()

    _run(test)


def test_who_reads_slowly_is_not_taken_for_a_provider_that_stalls() -> None:
    async def test() -> None:
        async with http1(_speaks(HEAD + chunk(b"one"), chunk(b"two"), END)) as served:
            provider = Provider(_upstream(served, timeouts=Timeouts(between_bytes=0.3)))
            async with provider.call("POST", "/x") as reply:
                heard = []
                async for data in reply.chunks():
                    heard.append(data)
                    await asyncio.sleep(0.7)
            assert heard == [b"one", b"two"]
            await provider.aclose()

    _run(test)


def test_a_long_answer_that_never_pauses_is_not_ended() -> None:
    async def test() -> None:
        parts = [HEAD, *[chunk(b"x")] * 400, END]
        async with http1(_speaks(*parts)) as served:
            provider = Provider(_upstream(served, timeouts=Timeouts(first_byte=0.6, between_bytes=0.6)))
            began = time.monotonic()
            assert await _body(provider) == (200, b"x" * 400)
            assert time.monotonic() - began > 0.7
            await provider.aclose()

    _run(test)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("reset", HEAD + chunk(b"one")),
        ("reset", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none"),
        ("reset", b""),
        ("protocol", b"no HTTP at all\r\n\r\n"),
        ("protocol", HEAD + b"zz\r\n"),
        ("protocol", answer(200, b"x", ("content-encoding", "gzip"))),
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_a_fault(kind: str, sent: bytes) -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()

    async def test() -> None:
        async with http1(respond) as served:
            provider = Provider(_upstream(served))
            with pytest.raises(UpstreamFault) as failed:
                await _body(provider)
            assert failed.value.kind == kind
            await provider.aclose()

    _run(test)


def test_a_server_that_is_not_there_is_a_fault_that_says_why() -> None:
    async def test() -> None:
        async with http1(_speaks()) as served:
            pass
        provider = Provider(_upstream(served))
        with pytest.raises(UpstreamFault, match="Connection refused") as failed:
            await _body(provider)
        assert failed.value.kind == "connect"
        await provider.aclose()

    _run(test)


def test_a_body_beyond_its_limit_is_not_read() -> None:
    async def test() -> None:
        async with http1(_speaks(answer(200, b"x" * 1000))) as served:
            provider = Provider(_upstream(served))
            async with provider.call("GET", "/models") as reply:
                with pytest.raises(UpstreamFault, match="more than 999 bytes") as failed:
                    await reply.body(999)
            assert failed.value.kind == "too-large"
            await provider.aclose()

    _run(test)


def test_an_overloaded_provider_is_asked_again_when_it_says() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        late = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)  # in whole seconds
        turns = [answer(429, b"no", ("retry-after", "0.2")), answer(503, b"no", ("retry-after", late))]
        writer.write([*turns, answer(200)][len(served.asked) - 1])

    async def test() -> None:
        async with http1(respond) as served:
            provider = Provider(_upstream(served, retries=2))
            began = time.monotonic()
            assert (await _body(provider))[0] == 200
            assert time.monotonic() - began > 1
            assert len(served.asked) == 3
            await provider.aclose()

    _run(test)


def test_without_retries_or_after_the_last_the_answer_is_what_the_caller_gets() -> None:
    async def test() -> None:
        refused = answer(429, b"slow down", ("retry-after-ms", "10"))
        async with http1(_speaks(refused)) as served:
            for retries in (0, 2):
                served.asked.clear()
                provider = Provider(_upstream(served, retries=retries))
                assert await _body(provider) == (429, b"slow down")
                assert len(served.asked) == retries + 1
                await provider.aclose()

    _run(test)


def test_a_provider_that_wants_an_hour_is_not_waited_for() -> None:
    async def test() -> None:
        async with http1(_speaks(answer(429, b"no", ("retry-after", "3600")))) as served:
            provider = Provider(_upstream(served, retries=2))
            assert (await _body(provider))[0] == 429
            assert len(served.asked) == 1
            await provider.aclose()

    _run(test)


def test_a_connection_that_is_reset_before_an_answer_is_tried_again() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        if len(served.asked) == 1:
            writer.transport.abort()
        else:
            writer.write(answer(200))

    async def test() -> None:
        async with http1(respond) as served:
            provider = Provider(_upstream(served, retries=1))
            assert (await _body(provider))[0] == 200
            assert len(served.asked) == 2
            await provider.aclose()

    _run(test)


@pytest.mark.parametrize("part", [HEAD + chunk(b"one"), HEAD])
def test_nothing_is_asked_again_once_an_answer_has_begun(part: bytes) -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.transport.abort()

    async def test() -> None:
        async with http1(respond) as served:
            provider = Provider(_upstream(served, retries=5))
            with pytest.raises(UpstreamFault) as failed:
                await _body(provider)
            assert failed.value.kind == "reset"
            await asyncio.sleep(0.05)
            assert len(served.asked) == 1
            await provider.aclose()

    _run(test)


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, [(b"retry-after", b"7")], 7),
        (429, [(b"Retry-After", b"Sun, 22 Nov 2026 12:00:30 GMT")], 30),
        (503, [(b"retry-after", b"Sun, 22 Nov 2026 11:00:00 GMT")], 0),
        (429, [(b"retry-after-ms", b"250"), (b"retry-after", b"7")], 0.25),
        (429, [(b"retry-after", b"61")], None),
        (429, [(b"retry-after", b"7"), (b"x-should-retry", b"false")], None),
        (400, [(b"retry-after", b"7")], None),
        (400, [(b"retry-after", b"7"), (b"x-should-retry", b"true")], 7),
        (408, [(b"retry-after", b"1")], 1),
        (409, [(b"retry-after", b"1")], 1),
        (529, [(b"retry-after", b"1")], 1),
        (200, [], None),
        (401, [], None),
    ],
)
def test_a_retry_waits_as_long_as_the_answer_says(
    status: int, headers: list[tuple[bytes, bytes]], wait: float | None
) -> None:
    assert _retry.delay(status, headers, 0, NOON.timestamp()) == wait


@pytest.mark.parametrize("said", [b"", b"-1", b"soon", b"1e9", b"nan", b"\xff"])
def test_without_a_usable_word_the_wait_doubles_with_jitter_up_to_a_bound(said: bytes) -> None:
    for attempt, least in enumerate([0.5, 1, 2, 4, 8, 8, 8]):
        waits = [_retry.delay(500, [(b"retry-after", said)], attempt, 0.0) for _ in range(20)]
        assert all(wait is not None and 0.75 * least <= wait <= least for wait in waits)
        assert len(set(waits)) > 1


def test_the_key_is_in_no_message_no_repr_and_no_log(
    caplog: pytest.LogCaptureFixture, keys: tuple[Path, Path]
) -> None:
    async def test() -> None:
        authority, server_keys = keys
        seen = []
        async with http1(_speaks(answer(429, b"no", ("retry-after-ms", "1")))) as served:
            provider = Provider(_upstream(served, retries=1, headers=(("x-more", KEY),), query=(("q", KEY),)))
            seen += [repr(provider.upstream), str(provider.upstream), repr(provider)]
            await _body(provider)
            for headers in ([(b"x-bad", KEY.encode() + b"\r\n")], [(b"x bad", KEY.encode())]):
                with pytest.raises(UpstreamFault) as failed:
                    await _body(provider, headers=headers)
                seen += [repr(failed.value), str(failed.value)]
                assert failed.value.kind == "request"
                assert failed.value.__suppress_context__
            await provider.aclose()
        async with http2(1, _server_side(server_keys, "h2")) as served:
            provider = _secure(served, authority, http2=True)
            await _body(provider, "/whole")
            await provider.aclose()
        with pytest.raises(UpstreamFault) as failed:
            await _body(provider, "/whole")
        seen.append(repr(failed.value))
        assert KEY not in "".join(seen) + caplog.text
        assert "httpcore2" not in caplog.text

    caplog.set_level(logging.DEBUG)
    _run(test)


def test_a_thousand_abandoned_calls_leave_nothing_behind() -> None:
    async def test() -> None:
        async with http1(_speaks(HEAD + chunk(b"one"))) as served:
            provider = Provider(_upstream(served, max_connections=4))
            before = asyncio.all_tasks()

            async def call() -> None:
                async with provider.call("POST", "/x", body=b"{}") as reply:
                    async for _ in reply.chunks():
                        return

            for _ in range(250):
                await asyncio.gather(*(call() for _ in range(4)))
            await asyncio.sleep(0.05)
            assert served.connections == 1000
            assert asyncio.all_tasks() == before
            await provider.aclose()

    _run(test)


def test_what_a_server_says_on_an_idle_connection_is_no_answer_to_the_next_call() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        del served
        writer.write(answer(200, b"yes"))
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(answer(408, b"too slow"))

    async def test() -> None:
        async with http1(respond) as served:
            provider = Provider(_upstream(served))
            for _ in range(3):
                assert await _body(provider) == (200, b"yes")
                await asyncio.sleep(0.05)
            assert served.connections == 3
            await provider.aclose()

    _run(test)


def test_a_connection_that_its_server_has_closed_is_not_used_again() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        del served
        writer.write(answer(200, b"yes"))
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()

    async def test() -> None:
        async with http1(respond) as served:
            provider = Provider(_upstream(served))
            for _ in range(3):
                assert await _body(provider) == (200, b"yes")
                await asyncio.sleep(0.05)
            assert served.connections == 3
            await provider.aclose()

    _run(test)


def test_a_name_is_reached_at_the_first_address_that_takes_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        async with http1(_speaks(answer(200, b"yes"))) as served:
            real = asyncio.get_running_loop().getaddrinfo

            async def several(host: str, port: int, **more: Any) -> list[Any]:
                assert host == "upstream.example"
                dead = await real("127.0.0.2", port, **more)  # nobody listens there
                return dead + await real("127.0.0.1", port, **more)

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", several)
            there = f"http://upstream.example:{served.port}/v1"
            provider = Provider(Upstream("there", "openai-chat", there, KEY))
            assert await _body(provider) == (200, b"yes")
            assert f"host: upstream.example:{served.port}\r\n".encode() in served.asked[0]
            await provider.aclose()

    _run(test)


def test_a_name_that_nobody_knows_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async def unknown(host: str, port: int, **more: Any) -> list[Any]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        provider = Provider(Upstream("there", "openai-chat", "http://upstream.example/v1", KEY))
        with pytest.raises(UpstreamFault, match="no such host is known") as failed:
            await _body(provider)
        assert failed.value.kind == "connect"
        await provider.aclose()

    _run(test)


@pytest.mark.parametrize("secure", [False, True])
def test_a_large_request_and_a_large_answer_pass_whole(keys: tuple[Path, Path], *, secure: bool) -> None:
    size = 5_000_000

    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, served.asked[-1].partition(b"\r\n\r\n")[2]))
        await writer.drain()

    async def test() -> None:
        authority, server_keys = keys
        async with http1(respond, _server_side(server_keys) if secure else None) as served:
            provider = _secure(served, authority) if secure else Provider(_upstream(served))
            body = bytes(range(250)) * (size // 250)
            async with provider.call("POST", "/x", body=body) as reply:
                assert await reply.body(size) == body
            await provider.aclose()

    _run(test)


def test_a_reader_that_stops_is_felt_by_the_server() -> None:
    sent = 0

    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        del served
        writer.write(HEAD)
        for _ in range(1000):
            writer.write(chunk(b"x" * 65_536))
            await writer.drain()
            sent += 65_536

    async def test() -> None:
        async with http1(respond) as served:
            provider = Provider(_upstream(served))
            async with provider.call("POST", "/x") as reply:
                pieces = reply.chunks()
                got = len(await anext(pieces))
                await asyncio.sleep(0.3)
                stopped = sent
                await asyncio.sleep(0.2)
                assert sent == stopped < 32 << 20
                async for data in pieces:
                    got += len(data)
                    if got > 48 << 20:
                        break
                assert sent > stopped, "it goes on when there is reading again"
                await pieces.aclose()
            await provider.aclose()

    _run(test)


def test_a_server_that_does_not_take_the_request_is_given_up() -> None:
    async def test() -> None:
        async with deaf() as served:
            provider = Provider(_upstream(served, timeouts=Timeouts(write=0.1, first_byte=3)))
            with pytest.raises(UpstreamFault, match=r"not taken within 0.1 s") as failed:
                async with provider.call("POST", "/x", body=bytes(64 << 20)):
                    pass
            assert failed.value.kind == "timeout-write"
            await provider.aclose()

    _run(test)


@pytest.mark.parametrize("secure", [False, True])
def test_uvloops_loop_does_as_well(keys: tuple[Path, Path], *, secure: bool) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def test() -> None:
        authority, server_keys = keys
        respond = _speaks(HEAD + chunk(b"one"), chunk(b"two"))
        async with http1(respond, _server_side(server_keys) if secure else None) as served:
            provider = _secure(served, authority) if secure else Provider(_upstream(served))
            async with provider.call("POST", "/x", body=bytes(300_000)) as reply:
                pieces = reply.chunks()
                assert [await anext(pieces), await anext(pieces)] == [b"one", b"two"]
                await pieces.aclose()
                assert not served.gone.is_set()
            await served.left()
            await provider.aclose()

    uvloop.run(test())
