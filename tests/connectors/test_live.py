"""A question asked of a provider: each API's answer as one stream, whatever goes wrong."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, cluster_main

pytest.importorskip("httpcore2")
pytest.importorskip("h2")
pytest.importorskip("websockets")

from connectors import _retry
from connectors._stop import STOP
from connectors._upstream import Timeouts, Upstream
from connectors.live import LiveSource, Question
from operators.packet import Channel, Finish, Kind, Packet
from tests.connectors.served import END, HEAD, Served, answer, chunk, http1
from tests.kafka_security import certificates
from tests.mock import Mock, running, wait_until

APIS = ("openai-chat", "openai-responses", "anthropic-messages", "gemini-generate")
PROMPT = "The quick brown fox jumps over the lazy dog, and then once more over the same dog."
SECRET = "sk-" + "secret" * 5


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    with running() as made:
        yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is waited before a next attempt."""
    monkeypatch.setattr(_retry, "_FIRST", 0.02)


class _Reader:
    """The one partition, turned as a worker would turn it."""

    def __init__(self, source: LiveSource, state: Any = None) -> None:
        self.part: Any = source.build_part("source", "00", state)
        self.said: list[tuple[Kind, str, int]] = []

    def turn(self) -> bool:
        try:
            batch = self.part.next_batch()
        except StopIteration:
            return False
        for key, packet in batch:
            assert (key, packet.slot) == ("00", 3)
            self.said += _said(packet)
        return True

    def rest(self, seconds: float = 10.0) -> list[tuple[Kind, str, int]]:
        self.until(lambda: False, seconds)
        self.part.close()
        return self.said

    def until(self, holds: Callable[[], bool], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds() and self.turn():
            assert time.monotonic() < deadline, "the source does not end"
            time.sleep(0.0002)

    def text(self) -> str:
        return "".join(text for kind, text, _ in self.said if kind == Kind.TEXT)

    def errors(self) -> list[str]:
        return [text for kind, text, _ in self.said if kind == Kind.ERROR]


def _said(packet: Packet) -> list[tuple[Kind, str, int]]:
    for row in packet.deltas:
        lane = packet.lanes[row["lane"]]
        assert lane.stream == "s"
        assert row["kind"] != Kind.TEXT or lane.channel == Channel.TEXT
    return [
        (Kind(row["kind"]), packet.text[row["start"] : row["end"]].decode(), int(row["finish"]))
        for row in packet.deltas
    ]


def _upstream(mock: Mock, api: str, **more: Any) -> Upstream:
    version = "v1beta" if api == "gemini-generate" else "v1"
    return Upstream("there", api, f"{mock.url}/{version}", SECRET, **more)


def _source(upstream: Upstream, model: str = "echo", prompt: str = PROMPT, **more: Any) -> LiveSource:
    return LiveSource("s", "00", 3, upstream, Question(model, prompt, **more))


def _is_one_stream(said: list[tuple[Kind, str, int]], finish: Finish) -> None:
    kinds = [kind for kind, _, _ in said]
    assert kinds[0] == Kind.START
    assert kinds[-1] == Kind.END
    assert kinds.count(Kind.START) == kinds.count(Kind.END) == 1
    assert said[-1][2] == finish


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", APIS)
def test_each_api_answers_a_question_with_its_text_and_its_counts(
    mock: Mock, api: str, *, stream: bool
) -> None:
    reader = _Reader(_source(_upstream(mock, api), stream=stream))
    said = reader.rest()
    _is_one_stream(said, Finish.STOP)
    assert reader.text() == PROMPT
    assert reader.errors() == []
    usage: dict[str, int] = {}
    for kind, text, _ in said:
        if kind == Kind.USAGE:
            usage |= orjson.loads(text)
    assert usage["input"] > 10
    assert usage["output"] > 10


@pytest.mark.parametrize("api", APIS)
def test_a_refusal_is_an_error_with_the_providers_codes_and_nothing_of_its_words(
    mock: Mock, api: str
) -> None:
    reader = _Reader(_source(_upstream(mock, api), model="echo!401"))
    said = reader.rest()
    _is_one_stream(said, Finish.ERROR)
    (error,) = reader.errors()
    assert error.startswith("provider error: status 401 ")
    assert "Incorrect" not in error
    assert len(error.split()) > 4, "a code follows the status"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", ["reset", "hang-up"])
def test_an_answer_that_breaks_off_is_truncated_and_what_came_before_stays(
    mock: Mock, api: str, fault: str
) -> None:
    reader = _Reader(_source(_upstream(mock, api), model=f"echo!{fault}:6"))
    said = reader.rest()
    _is_one_stream(said, Finish.TRUNCATED)
    assert PROMPT.startswith(reader.text())
    (error,) = reader.errors()
    assert "the connection was closed before the answer was complete" in error


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", ["garbage", "200-error"])
def test_garbage_and_an_error_inside_the_stream_end_it_with_an_error(
    mock: Mock, api: str, fault: str
) -> None:
    reader = _Reader(_source(_upstream(mock, api), model=f"echo!{fault}"))
    said = reader.rest()
    kinds = [kind for kind, _, _ in said]
    assert kinds[0] == Kind.START
    assert kinds.count(Kind.START) == kinds.count(Kind.END) == 1
    assert reader.errors()


def test_an_overloaded_provider_is_asked_again_and_the_stream_does_not_show_it() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        busy = answer(429, b"{}", ("retry-after-ms", "5"))
        writer.write(
            busy if len(served.asked) < 3 else HEAD + chunk(_chat("Hello") + b"data: [DONE]\n\n") + END
        )

    with _serving(respond) as served:
        upstream = Upstream("there", "openai-chat", f"http://127.0.0.1:{served.port}/v1", retries=2)
        reader = _Reader(_source(upstream))
        _is_one_stream(reader.rest(), Finish.STOP)
        assert (reader.text(), reader.errors(), len(served.asked)) == ("Hello", [], 3)


def test_a_provider_that_stalls_ends_the_stream_in_time(mock: Mock) -> None:
    upstream = _upstream(mock, "openai-chat", timeouts=Timeouts(between_bytes=0.2))
    reader = _Reader(_source(upstream, model="echo!stall:4"))
    began = time.monotonic()
    _is_one_stream(reader.rest(), Finish.TRUNCATED)
    assert time.monotonic() - began < 3
    assert "stalled" in reader.errors()[0]


def test_a_provider_that_is_not_there_is_an_error_in_the_stream() -> None:
    upstream = Upstream("there", "openai-chat", "http://127.0.0.1:9/v1", SECRET)
    reader = _Reader(_source(upstream))
    _is_one_stream(reader.rest(), Finish.ERROR)
    assert "no connection" in reader.errors()[0]
    assert SECRET not in str(reader.said)


def test_a_slot_that_waits_for_an_answer_is_told_the_time(mock: Mock) -> None:
    source = _source(_upstream(mock, "openai-chat"), model="echo!slow-headers:1")
    part = source.build_part("source", "00", None)
    ticks: list[Packet] = []
    deadline = time.monotonic() + 0.9
    while time.monotonic() < deadline:
        ticks += [packet for _, packet in part.next_batch()]
        time.sleep(0.001)
    part.close()
    assert 2 <= len(ticks) <= 4
    assert all(len(packet.deltas) == 0 and packet.now for packet in ticks)


def test_a_question_of_an_unusable_upstream_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="cannot be asked"):
        _source(Upstream("there", "openai-images", "http://127.0.0.1:9/v1"))
    with pytest.raises(ValueError, match="ca_file"):
        _source(Upstream("there", "openai-chat", "https://127.0.0.1:9/v1", ca_file="/nowhere.pem"))


@contextmanager
def _serving(
    respond: Callable[[Served, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> Iterator[Served]:
    """A small server on a thread of its own."""
    ready, done = threading.Event(), threading.Event()
    found: list[Served] = []

    async def serve() -> None:
        async with http1(respond, tls) as served:
            found.append(served)
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.005)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    try:
        yield found[0]
    finally:
        done.set()
        thread.join(timeout=10)


def _chat(text: str) -> bytes:
    data = orjson.dumps({"model": "m", "choices": [{"index": 0, "delta": {"content": text}}]})
    return b"data: " + data + b"\n\n"


async def _speaks_and_holds(served: Served, writer: asyncio.StreamWriter) -> None:
    del served
    writer.write(HEAD + chunk(_chat("Hello")))
    await writer.drain()


@pytest.mark.parametrize("unwanted", [True, False])
def test_a_stop_closes_the_call_within_a_tenth_of_a_second(*, unwanted: bool) -> None:
    with _serving(_speaks_and_holds) as served:
        source = _source(Upstream("there", "openai-chat", f"http://127.0.0.1:{served.port}/v1"))
        reader = _Reader(source)
        reader.until(lambda: reader.text() == "Hello")
        assert not served.gone.is_set()
        (source.unwanted if unwanted else STOP).set()
        began = time.monotonic()
        try:
            said = reader.rest()
        finally:
            STOP.clear()
        wait_until(served.gone.is_set, 0.1)
        assert time.monotonic() - began < 0.2
        if unwanted:
            assert Kind.END not in [kind for kind, _, _ in said], "whoever did not want it has ended it"
        else:
            _is_one_stream(said, Finish.TRUNCATED)


def test_a_stop_after_the_end_of_an_answer_ends_it_no_second_time() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        del served
        writer.write(HEAD + chunk(_chat("Hello") + b"data: [DONE]\n\n"))

    with _serving(respond) as served:
        reader = _Reader(_source(Upstream("there", "openai-chat", f"http://127.0.0.1:{served.port}/v1")))
        reader.until(lambda: bool(reader.said) and reader.said[-1][0] == Kind.END)
        STOP.set()
        try:
            _is_one_stream(reader.rest(), Finish.STOP)
        finally:
            STOP.clear()


def test_a_question_is_asked_once_and_after_a_crash_its_stream_is_ended() -> None:
    with _serving(_speaks_and_holds) as served:
        source = _source(Upstream("there", "openai-chat", f"http://127.0.0.1:{served.port}/v1"))
        reader = _Reader(source)
        reader.until(lambda: reader.text() == "Hello")
        state = reader.part.snapshot()
        reader.part.close()
        again = _Reader(source, state)
        said = again.rest()
        assert [kind for kind, _, _ in said] == [Kind.ERROR, Kind.END]
        assert said[-1][2] == Finish.TRUNCATED
        fresh = _Reader(source, {"response": "", "deltas": 0, "over": False})
        _is_one_stream(fresh.rest(), Finish.TRUNCATED)
        assert len(served.asked) == 1


def test_a_question_is_asked_once_however_many_workers_there_are() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        del served
        writer.write(HEAD + chunk(_chat("Hello") + b"data: [DONE]\n\n") + END)

    with _serving(respond) as served:
        source = _source(Upstream("there", "openai-chat", f"http://127.0.0.1:{served.port}/v1"))
        heard: list[tuple[str, Packet]] = []
        flow = Dataflow("live")
        op.output("sink", op.input("source", flow, source), TestingSink(heard))
        cluster_main(flow, [], 0, worker_count_per_proc=2)
        said = [each for _, packet in heard for each in _said(packet)]
        _is_one_stream(said, Finish.STOP)
        assert len(served.asked) == 1


def test_an_answer_that_was_over_is_not_asked_for_again(mock: Mock) -> None:
    source = _source(_upstream(mock, "openai-chat"))
    reader = _Reader(source)
    reader.rest()
    state = reader.part.snapshot()
    assert state["over"]
    assert _Reader(source, state).rest() == []


WORDS = [f"word{n} " for n in range(20)]


def _responses() -> list[bytes]:
    """The events of an answer in the background, each with its number."""
    head = {"id": "resp_1", "model": "m", "status": "in_progress"}
    item = {"item_id": "i", "output_index": 0, "content_index": 0}
    whole = {
        "id": "i", "type": "message", "content": [{"type": "output_text", "text": "".join(WORDS)}],
    }  # fmt: skip
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": head},
        *({"type": "response.output_text.delta", "delta": word} | item for word in WORDS),
        {"type": "response.completed", "response": head | {"status": "completed", "output": [whole]}},
    ]
    numbered = [event | {"sequence_number": n} for n, event in enumerate(events)]
    return [
        f"event: {event['type']}\n".encode() + b"data: " + orjson.dumps(event) + b"\n\n" for event in numbered
    ]


class _Background:
    """A provider that goes on by itself; each connection gets so many events, cut in the middle of one."""

    def __init__(self, *gives: int) -> None:
        self.gives = list(gives)
        self.cancelled = threading.Event()

    async def respond(self, served: Served, writer: asyncio.StreamWriter) -> None:
        line = served.asked[-1].split(b"\r\n")[0].decode()
        if line.startswith("POST /v1/responses/resp_1/cancel"):
            self.cancelled.set()
            writer.write(answer(200, b"{}"))
            return
        begin = 0
        if "starting_after=" in line:
            begin = int(line.split("starting_after=")[1].split()[0]) + 1
        events = _responses()[begin:]
        gives = self.gives.pop(0) if self.gives else len(events)
        data = b"".join(events[:gives])
        if gives < len(events):
            writer.write(HEAD + chunk(data + events[gives][:40]))
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
        else:
            writer.write(HEAD + chunk(data) + END)

    def upstream(self, served: Served) -> Upstream:
        return Upstream("there", "openai-responses", f"http://127.0.0.1:{served.port}/v1", SECRET)


def test_an_answer_in_the_background_is_read_on_from_where_its_connection_broke(quick: None) -> None:
    provider = _Background(5, 0, 7)
    with _serving(provider.respond) as served:
        reader = _Reader(_source(provider.upstream(served), background=True))
        _is_one_stream(reader.rest(), Finish.STOP)
        assert reader.text() == "".join(WORDS)
        lines = [asked.split(b" HTTP")[0].decode() for asked in served.asked]
        assert lines == [
            "POST /v1/responses",
            "GET /v1/responses/resp_1?stream=true&starting_after=4",
            "GET /v1/responses/resp_1?stream=true&starting_after=4",
            "GET /v1/responses/resp_1?stream=true&starting_after=11",
        ]
        assert orjson.loads(served.asked[0].partition(b"\r\n\r\n")[2])["background"] is True


def test_an_answer_in_the_background_that_never_goes_on_is_truncated(quick: None) -> None:
    provider = _Background(5, *[0] * 20)
    with _serving(provider.respond) as served:
        reader = _Reader(_source(provider.upstream(served), background=True))
        _is_one_stream(reader.rest(20), Finish.TRUNCATED)
        assert reader.text() == "".join(WORDS[:4])
        assert len(served.asked) == 5


def test_after_a_crash_an_answer_in_the_background_goes_on_and_nothing_is_said_twice(quick: None) -> None:
    provider = _Background(6, 6)
    with _serving(provider.respond) as served:
        source = _source(provider.upstream(served), background=True)
        source.batch = 1
        reader = _Reader(source)
        reader.until(lambda: len(reader.said) == 4)
        state = orjson.loads(orjson.dumps(reader.part.snapshot()))
        assert state == {"response": "resp_1", "deltas": 4, "over": False}
        reader.part.close()
        again = _Reader(source, state)
        _is_one_stream(reader.said + again.rest(), Finish.STOP)
        assert reader.text() + again.text() == "".join(WORDS)
        assert sum(asked.startswith(b"POST") for asked in served.asked) == 1, "asked once"
        assert not provider.cancelled.is_set()


def test_an_answer_in_the_background_that_nobody_wants_is_cancelled() -> None:
    provider = _Background(6)

    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        if b"/cancel" in served.asked[-1]:
            await provider.respond(served, writer)
        else:
            writer.write(HEAD + chunk(b"".join(_responses()[:3])))

    with _serving(respond) as served:
        source = _source(provider.upstream(served), background=True)
        reader = _Reader(source)
        reader.until(lambda: reader.text() == "word0 word1 ")
        source.unwanted.set()
        reader.rest()
        assert provider.cancelled.is_set()
        assert reader.part.snapshot()["over"]


def test_no_key_and_no_word_of_the_prompt_is_logged(mock: Mock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for model in ("echo", "echo!401", "echo!reset"):
        _Reader(_source(_upstream(mock, "openai-chat"), model=model, prompt="my secretprompt here")).rest()
    assert SECRET not in caplog.text
    assert "secretprompt" not in caplog.text


REALTIME = {"ga": (), "beta": (("OpenAI-Beta", "realtime=v1"),)}


@pytest.mark.parametrize("version", REALTIME)
def test_a_realtime_session_answers_a_text_question(mock: Mock, version: str) -> None:
    upstream = _upstream(mock, "openai-realtime", headers=REALTIME[version])
    reader = _Reader(_source(upstream, system="Be brief", max_tokens=500))
    _is_one_stream(reader.rest(), Finish.STOP)
    assert reader.text() == PROMPT
    assert reader.errors() == []


@pytest.mark.parametrize(
    ("fault", "finish", "said"),
    [
        ("401", Finish.ERROR, "provider error: status 401"),
        ("reset:4", Finish.TRUNCATED, "the session was closed before the answer was complete"),
        ("hang-up:4", Finish.TRUNCATED, "the session was closed before the answer was complete"),
        ("stall:4", Finish.TRUNCATED, "said nothing within 0.3 s"),
        ("oversize", Finish.TRUNCATED, "too large"),
    ],
)
def test_a_realtime_session_that_fails_ends_its_stream(
    mock: Mock, fault: str, finish: Finish, said: str
) -> None:
    upstream = _upstream(mock, "openai-realtime", timeouts=Timeouts(between_bytes=0.3))
    reader = _Reader(_source(upstream, model=f"echo!{fault}"))
    _is_one_stream(reader.rest(), finish)
    assert said in reader.errors()[0]
    assert SECRET not in str(reader.said)


def test_a_realtime_session_is_left_at_once_when_its_answer_is_not_wanted(mock: Mock) -> None:
    source = _source(_upstream(mock, "openai-realtime"), model="echo!stall:4")
    reader = _Reader(source)
    reader.until(lambda: len(reader.text()) > 5)
    assert mock.provider.lines
    source.unwanted.set()
    began = time.monotonic()
    reader.rest()
    wait_until(lambda: not mock.provider.lines, 0.5)
    assert time.monotonic() - began < 1


def test_a_realtime_session_follows_no_redirect() -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        there = f"http://127.0.0.1:{elsewhere.port}/v1/realtime"
        writer.write(answer(307, b"", ("location", there)))

    with _serving(_speaks_and_holds) as elsewhere, _serving(respond) as served:
        upstream = Upstream("there", "openai-realtime", f"http://127.0.0.1:{served.port}/v1", SECRET)
        reader = _Reader(_source(upstream))
        _is_one_stream(reader.rest(), Finish.ERROR)
        assert reader.errors() == ["provider error: status 307"]
        assert SECRET.encode() in served.asked[0]
        assert elsewhere.asked == []


def test_a_realtime_session_is_had_with_a_server_that_is_vouched_for_alone(tmp_path: Path) -> None:
    async def respond(served: Served, writer: asyncio.StreamWriter) -> None:
        del served
        writer.write(answer(403, b"{}"))

    authority, keys = certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(keys)
    with _serving(respond, tls) as served:
        address = f"https://127.0.0.1:{served.port}/v1"
        strict = _Reader(_source(Upstream("there", "openai-realtime", address, SECRET)))
        strict.rest()
        assert "certificate not trusted" in strict.errors()[0]
        assert served.asked == []
        trusting = _Reader(
            _source(Upstream("there", "openai-realtime", address, SECRET, ca_file=str(authority)))
        )
        trusting.rest()
        assert trusting.errors() == ["provider error: status 403"]


def test_a_realtime_session_that_cannot_be_had_is_an_error() -> None:
    upstream = Upstream("there", "openai-realtime", "http://127.0.0.1:9/v1", SECRET)
    reader = _Reader(_source(upstream))
    _is_one_stream(reader.rest(), Finish.ERROR)
    assert "no connection: Connection refused" in reader.errors()[0]


@pytest.mark.parametrize("more", [{"temperature": 0.5}, {"stream": False}, {"background": True}])
def test_what_a_realtime_session_does_not_take_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Realtime API"):
        _source(Upstream("there", "openai-realtime", "http://127.0.0.1:9/v1"), **more)
