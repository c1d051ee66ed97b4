"""What one client may take of a server before anybody knows who it is: real sockets against real uvicorn."""

from __future__ import annotations

import logging
import random
import time
from contextlib import suppress

import pytest

pytest.importorskip("uvicorn")

from connectors._bounded_http import ConnectionLimits  # needs uvicorn
from tests.connectors.bounded import GET, LONG, everything, running, until

pytestmark = pytest.mark.process


@pytest.mark.parametrize("said", [b"", b"\r\n"])
def test_a_client_that_asks_nothing_is_hung_up_on_without_a_word(said: bytes) -> None:
    with running() as server:
        begun = time.monotonic()
        assert server.ask(said) == b""
        assert 0.25 < time.monotonic() - begun < 2
        assert server.connected.refused == {408: 1}


def test_a_client_that_sends_its_head_byte_by_byte_has_no_more_time_than_others() -> None:
    with running() as server, server.open() as client:
        begun = time.monotonic()
        said = b""
        client.settimeout(0.05)
        for byte in GET * 3:
            try:
                client.sendall(bytes([byte]))
                said += client.recv(1000)
            except TimeoutError:
                continue
            if said:
                break
        assert said.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun < 2
        assert not server.app.paths


def test_half_a_request_is_hung_up_on_behind_a_whole_one_too() -> None:
    with running() as server:
        said = server.ask(GET, GET[:20])
        assert said.startswith(b"HTTP/1.1 200 ")
        assert said.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 408 " in said


def test_an_answer_is_not_broken_off_because_its_caller_sends_a_line_end_or_half_a_request_meanwhile() -> (
    None
):
    with running() as server, server.open() as client:
        client.sendall(LONG)
        until(lambda: server.app.heads != [])
        client.sendall(b"\r\n")
        time.sleep(0.1)
        client.sendall(GET[:20])
        time.sleep(0.8)  # far more than a head has
        server.app.go_on.set()
        said = everything(client)
        whole, _, rest = said.partition(b"0\r\n\r\n")
        assert whole.endswith(b"said\r\n")
        assert rest.startswith(b"HTTP/1.1 408 "), "its own time began when the answer was over"


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"x-%d: y\r\n" % number for number in range(10_000)),
        b"x-long: " + 80_000 * b"y" + b"\r\n",
        b"x-endless: " + 400_000 * b"y",
    ],
    ids=["10,000 headers", "a header of 80 kB", "a header of 400 kB"],
)
@pytest.mark.parametrize("size", [1_000, 1_000_000], ids=["in pieces", "at once"])
def test_a_head_that_is_too_long_is_431_for_its_size_not_for_its_time(head: bytes, size: int) -> None:
    data = b"GET /small HTTP/1.1\r\nhost: a\r\n" + head + b"\r\n\r\n"
    with running(ConnectionLimits()) as server:
        said = server.ask(*(data[at : at + size] for at in range(0, len(data), size)))
        assert said.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert said.count(b"HTTP/1.1 ") == 1
        assert server.connected.refused == {431: 1}
        assert not server.app.paths


def test_a_header_without_end_is_431_long_before_its_time() -> None:
    with running(ConnectionLimits()) as server, server.open() as client, suppress(OSError):
        begun = time.monotonic()
        client.sendall(GET[:-2] + b"x-endless: ")
        for _ in range(80):
            client.sendall(1000 * b"y")
            time.sleep(0.001)
        assert client.recv(1000).startswith(b"HTTP/1.1 431 ")
        assert time.monotonic() - begun < 5


def test_small_headers_are_limited_in_number() -> None:
    def head(number: int) -> bytes:
        return GET[:-2] + number * b"x: y\r\n" + b"\r\n"

    with running(ConnectionLimits(head_seconds=0.3, headers=20)) as server:
        assert server.ask(head(19)).startswith(b"HTTP/1.1 200 ")
        assert server.ask(head(20)).startswith(b"HTTP/1.1 431 ")


def test_a_path_counts_as_a_part_of_the_head() -> None:
    with running(ConnectionLimits()) as server:
        said = server.ask(b"GET /" + 70_000 * b"a" + b" HTTP/1.1\r\nhost: a\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 431 ")


def test_a_head_below_the_limits_is_served() -> None:
    head = b"".join(b"x-%d: %s\r\n" % (number, 400 * b"y") for number in range(120))
    with running() as server, server.open() as client:
        client.sendall(b"GET /small HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + head + b"\r\n")
        assert everything(client).endswith(b"said\r\n0\r\n\r\n")


def test_what_is_no_http_is_400() -> None:
    with running() as server:
        assert server.ask(b"\x16\x03\x01\x02\x00").startswith(b"HTTP/1.1 400 ")
        with server.open() as client:
            client.sendall(GET)
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
            client.sendall(b"nonsense\r\n\r\n")
            assert everything(client).count(b"HTTP/1.1 400 ") == 1


def test_requests_behind_one_another_are_answered_in_order() -> None:
    with running() as server, server.open() as client:
        client.sendall(GET + GET + GET[:-2] + b"connection: close\r\n\r\n")
        assert everything(client).count(b"HTTP/1.1 200 ") == 3


def test_requests_without_end_behind_an_answer_close_the_connection() -> None:
    with running() as server:
        said = server.ask(LONG + 1000 * GET)
        assert said.count(b"HTTP/1.1 ") <= 1, "no status in the midst of an answer"
        assert server.connected.refused == {503: 1}
        assert server.app.paths in ([], ["/long"])


def test_trailers_do_not_become_headers() -> None:
    body = b"3\r\nabc\r\n0\r\nauthorization: Bearer other\r\n\r\n"
    with running() as server, server.open() as client:
        client.sendall(
            b"POST /reading HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        client.sendall(body)
        assert everything(client).startswith(b"HTTP/1.1 200 ")
        assert b"authorization" not in dict(server.app.heads[0])


def test_trailers_without_end_are_too_long() -> None:
    with running(ConnectionLimits()) as server, server.open() as client:
        client.sendall(b"POST /reading HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
        client.sendall(b"".join(b"x-%d: y\r\n" % number for number in range(10_000)))
        assert everything(client).startswith(b"HTTP/1.1 431 ")


def test_the_rest_of_a_body_that_was_answered_already_is_not_waited_for() -> None:
    head = b"POST /small HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n"
    with running() as server, server.open() as client:
        client.sendall(head)
        begun, said = time.monotonic(), b""
        client.settimeout(0.05)
        while time.monotonic() - begun < 5:
            try:
                client.sendall(b"x")  # as long as something comes, uvicorn would wait
                data = client.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            said += data
        assert said.count(b"HTTP/1.1 ") == 1
        assert time.monotonic() - begun < 2


def test_a_body_that_comes_slowly_is_for_the_application_to_judge() -> None:
    with running() as server, server.open() as client:
        client.sendall(b"POST /reading HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\n\r\n")
        for _ in range(3):
            time.sleep(0.25)
            client.sendall(b"x")
        assert everything(client).startswith(b"HTTP/1.1 200 ")


def test_a_caller_that_does_not_read_its_answer_is_hung_up_on() -> None:
    with running() as server, server.open() as client:
        client.sendall(b"GET /much HTTP/1.1\r\nhost: a\r\n\r\n")
        until(lambda: server.connected.total == 1)
        until(lambda: server.connected.total == 0)


def test_connections_have_a_limit_all_together_and_from_one_address() -> None:
    for limits in (ConnectionLimits(connections=3), ConnectionLimits(connections_each=3)):
        with running(limits) as server:
            there = [server.open() for _ in range(3)]
            until(lambda: server.connected.total == 3)
            assert server.ask().startswith(b"HTTP/1.1 503 ")
            there.pop().close()
            until(lambda: server.connected.total == 2)
            with server.open() as client:
                client.sendall(GET)
                assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
            for each in there:
                each.close()


def test_bytes_of_any_kind_leave_no_error_and_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    drawn = random.Random(7)
    pieces = [
        GET, LONG, GET[:15], b"\r\n", b"\r\n\r\n", b"\0\xff", b"x: y\r\n", b"0\r\n\r\n", b"5\r\nabc",
        b"POST /reading HTTP/1.1\r\ncontent-length: 5\r\n\r\n", b"transfer-encoding: chunked\r\n",
        b"POST /reading HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n",
        b"upgrade: h2c\r\nconnection: upgrade\r\n", b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", b"HTTP/1.1",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /small HTTP/1.0\r\n\r\n",
        b"GET http://a/small HTTP/1.1\r\n\r\n",
    ]  # fmt: skip
    with running(ConnectionLimits(head_seconds=0.05, stalled_seconds=0.05)) as server:
        server.app.go_on.set()
        for _ in range(300):
            with server.open() as client, suppress(OSError):
                client.settimeout(0.03)
                for piece in drawn.choices(pieces, k=drawn.randrange(1, 6)):
                    client.sendall(piece)
                    if drawn.random() < 0.2:
                        client.recv(1000)
        until(lambda: server.connected.total == 0)
        with server.open() as client:
            client.sendall(GET)
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.WARNING] == []


def test_a_connection_that_becomes_a_websocket_is_counted_until_it_ends() -> None:
    connecting = pytest.importorskip("websockets.sync.client")
    with running() as server:
        with connecting.connect(f"ws://127.0.0.1:{server.port}/", proxy=None):
            time.sleep(0.5)
            assert server.connected.total == 1, "nor does the head's time run on"
        until(lambda: server.connected.total == 0)
