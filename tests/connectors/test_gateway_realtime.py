"""Realtime sessions through a gateway that runs: the official SDK and plain WebSockets at either end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest

from connectors._exchange import Bounds
from operators.packet import Finish, Kind
from tests.connectors.answers import policy
from tests.gateways import Running, running
from tests.mock import Mock, wait_until
from tests.mock import running as mocking

openai = pytest.importorskip("openai")
websockets = pytest.importorskip("websockets")
pytest.importorskip("uvicorn")

from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import ClientConnection, connect  # noqa: E402
from websockets.sync.server import ServerConnection, serve  # noqa: E402
from websockets.typing import Subprotocol  # noqa: E402

from connectors._mock_pace import Pace, Waits  # noqa: E402
from connectors._realtime_exchange import RealtimeBounds  # noqa: E402
from connectors._realtime_relay import Message, RealtimeRelay  # noqa: E402
from connectors.mock_llm import MockConfig  # noqa: E402

# The SDK opens its WebSocket in a way that websockets has deprecated since.
pytestmark = [
    pytest.mark.process,
    pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager"),
]

SAID = "Grüße aus Zürich, 渡船."
MAIL = "mail jane.doe@example.com now"
WORD = "all is well: stop-word and more"
FUNCTION = {"type": "function", "name": "book", "parameters": {"type": "object"}}
FIRST = {"OpenAI-Beta": "realtime=v1"}
_TEXTS = (".output_text.delta", ".text.delta", "transcript.delta", "_arguments.delta")


@pytest.fixture(scope="module")
def mock() -> Iterator[Mock]:
    with mocking() as started:
        yield started


@pytest.fixture(scope="module")
def gate(mock: Mock) -> Iterator[Running]:
    with running(mock.url, policy()) as started:
        yield started


@contextmanager
def session(url: str, model: str = "echo:3", *, audio: bool = False, **headers: str) -> Iterator[Any]:
    """A session of the SDK's."""
    ws = url.replace("http", "ws") + "/v1"
    with (
        openai.OpenAI(api_key="caller-key", base_url=f"{url}/v1", websocket_base_url=ws) as api,
        api.realtime.connect(model=model, extra_headers=headers) as connection,
    ):
        assert connection.recv().type == "session.created"
        modalities = ["audio"] if audio else ["text"]
        connection.session.update(session={"type": "realtime", "output_modalities": modalities})
        assert connection.recv().type == "session.updated"
        yield connection


def speak(connection: Any, text: str) -> None:
    """The user says it in parts, none of which a rule matches."""
    cut = max(text.find("@"), text.find("-")) + 1
    content = [{"type": "input_text", "text": piece} for piece in (text[:cut], text[cut:]) if piece]
    connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    while connection.recv().type not in {"conversation.item.done", "conversation.item.created"}:
        pass


def answer(connection: Any, text: str = "") -> list[Any]:
    """The events of the response to `text`."""
    if text:
        speak(connection, text)
        connection.response.create()
    events = []
    for event in connection:
        events.append(event)
        if event.type == "response.done":
            return events
    return events


def said(events: list[Any]) -> str:
    return "".join(event.delta for event in events if event.type.endswith(_TEXTS))


def wholes(events: list[Any]) -> set[str]:
    """The text as it is said again when its part, its item and the response are done."""
    told = set()
    for event in events:
        if event.type.endswith((".text.done", ".output_text.done")):
            told.add(event.text)
        elif event.type.endswith("transcript.done"):
            told.add(event.transcript)
        elif event.type.endswith("_arguments.done"):
            told.add(event.arguments)
        elif event.type == "response.content_part.done":
            told.add(event.part.text or event.part.transcript)
        elif event.type in ("conversation.item.done", "response.output_item.done"):
            told |= set(_texts(event.item))
        elif event.type == "response.done":
            for item in event.response.output or ():
                told |= set(_texts(item))
    return told


def _texts(item: Any) -> Iterator[str]:
    if item.type == "function_call":
        yield item.arguments
    else:
        for part in item.content:
            yield part.text or part.transcript


@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize("headers", [{}, FIRST])
def test_a_clean_answer_is_the_same_through_the_gateway(
    mock: Mock, gate: Running, headers: dict[str, str], audio: bool
) -> None:
    told = []
    for url in (mock.url, gate.url):
        with session(url, audio=audio, **headers) as connection:
            if headers:
                shape = {"modalities": ["text", "audio"] if audio else ["text"]}
            else:
                shape = {"output_modalities": ["audio"] if audio else ["text"]}
            speak(connection, SAID)
            connection.response.create(response=shape)
            told.append(answer(connection))
    direct, passed = told
    assert said(passed) == said(direct) == SAID
    assert [event.type for event in passed] == [event.type for event in direct]
    assert wholes(passed) == {SAID}


@pytest.mark.parametrize("audio", [False, True])
def test_a_mask_stands_wherever_the_text_is_said_again(gate: Running, audio: bool) -> None:
    with session(gate.url, audio=audio) as connection:
        events = answer(connection, MAIL)
    assert said(events) == "mail [MAIL] now"
    assert wholes(events) == {"mail [MAIL] now"}
    assert "jane" not in str(events)


def test_the_sound_of_an_item_ends_where_its_transcript_is_masked(gate: Running) -> None:
    with session(gate.url, audio=True) as connection:
        events = answer(connection, MAIL)
        kinds = [event.type for event in events]
        masked = next(at for at, event in enumerate(events) if "[MAIL]" in str(getattr(event, "delta", "")))
        before = [kind for kind in kinds[:masked] if kind == "response.output_audio.delta"]
        assert len(before) == 1, "of 'mai', the last piece that says nothing of the address"
        assert "response.output_audio.delta" not in kinds[masked:]
        assert kinds.count("response.output_audio.done") == 1
        again = answer(connection, SAID)
        assert [event.type for event in again].count("response.output_audio.delta") > 3


def test_arguments_of_a_tool_are_masked_before_a_call_can_be_run(gate: Running) -> None:
    with session(gate.url, "echo-tool:5") as connection:
        connection.session.update(session={"type": "realtime", "tools": [FUNCTION]})
        assert connection.recv().session.tools[0].name == "book"
        events = answer(connection, '{"to": "jane.doe@example.com"}')
    assert said(events) == '{"to": "[MAIL]"}'
    assert wholes(events) == {'{"to": "[MAIL]"}'}


@pytest.mark.parametrize("audio", [False, True])
def test_a_block_ends_the_response_and_the_session_goes_on(gate: Running, audio: bool) -> None:
    with session(gate.url, audio=audio) as connection:
        events = answer(connection, WORD)
        assert said(events) in ("all is well: ", "all is well:")
        done = events[-1].response
        assert (done.status, done.status_details.reason) == ("incomplete", "content_filter")
        assert [event.type for event in events].count("response.done") == 1
        assert "stop" not in str(events)
        if audio:
            kinds = [event.type for event in events]
            last = max(at for at, kind in enumerate(kinds) if kind.endswith("transcript.delta"))
            assert "response.output_audio.delta" not in kinds[last:]
        assert said(answer(connection, SAID)) == SAID
        events = answer(connection, MAIL)
        assert said(events) == "mail [MAIL] now"


def test_a_blocked_call_of_a_tool_is_never_said_to_be_done(gate: Running) -> None:
    with session(gate.url, "echo-tool:5") as connection:
        connection.session.update(session={"type": "realtime", "tools": [FUNCTION]})
        connection.recv()
        events = answer(connection, '{"to": "stop-word"}')
    assert not [event for event in events if event.type == "response.function_call_arguments.done"]
    assert events[-1].response.output == []


def test_a_block_stops_the_provider_too() -> None:
    slow = MockConfig(Pace(gap=Waits(0.02)))
    with (
        mocking(slow) as mock,
        running(mock.url, policy()) as gate,
        session(gate.url, "echo:1") as connection,
    ):
        events = answer(connection, "stop-word" + " and so on" * 200)
        assert events[-1].response.status_details.reason == "content_filter"
        wait_until(lambda: b"response.cancel" in (mock.seen.last.body if mock.seen.last else b""))
        assert mock.seen.chunks < 200
        assert said(answer(connection, "again")) == "again"


def test_the_users_words_are_judged_before_they_leave(mock: Mock, gate: Running) -> None:
    def item(text: str) -> dict[str, Any]:
        return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}

    with session(gate.url) as connection:
        connection.conversation.item.create(item=item(MAIL))
        assert connection.recv().item.content[0].text == "mail [MAIL] now"
        connection.recv()
        connection.conversation.item.create(item=item(WORD), event_id="mine")
        error = connection.recv()
        assert (error.type, error.error.code, error.error.event_id) == ("error", "content_filter", "mine")
        assert "stop" not in str(error)
        connection.response.create()
        assert said(answer(connection)) == "mail [MAIL] now"
        connection.session.update(session={"type": "realtime", "instructions": "say stop-word"})
        assert connection.recv().error.code == "content_filter"
        connection.response.create(response={"instructions": "write to jane.doe@example.com"})
        answer(connection)
        assert mock.seen.last is not None
        assert b"[MAIL]" in mock.seen.last.body
        connection.send_raw("{nonsense")
        assert connection.recv().error.code == "invalid_request"


def test_sound_of_the_user_passes_unread(gate: Running) -> None:
    with session(gate.url) as connection:
        connection.input_audio_buffer.append(audio="stop-word")
        connection.input_audio_buffer.commit()
        kinds = [connection.recv().type for _ in range(3)]
    assert kinds == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]


def test_the_callers_key_stays_and_ours_goes(mock: Mock, gate: Running) -> None:
    with session(gate.url):
        assert mock.seen.last is not None
        headers = dict(mock.seen.last.headers)
    assert headers["authorization"] == "Bearer upstream-key"
    url = f"ws://127.0.0.1:{gate.port}/v1/realtime?model=echo"
    protocols = [Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.caller-key")]
    with connect(url, subprotocols=protocols) as socket:
        assert socket.subprotocol == "realtime"
        assert json.loads(socket.recv())["type"] == "session.created"
        assert mock.seen.last is not None
        assert dict(mock.seen.last.headers)["sec-websocket-protocol"] == "realtime"
        assert "caller-key" not in str(mock.seen.last.headers)
        assert socket.response is not None
        assert socket.response.headers["x-midstream-stream"].startswith("gw-")


def test_where_the_upstream_has_no_key_the_callers_passes(mock: Mock) -> None:
    with running(mock.url, policy(), key="") as gate, session(gate.url):
        assert mock.seen.last is not None
        assert dict(mock.seen.last.headers)["authorization"] == "Bearer caller-key"


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_handshake_that_the_provider_refuses_is_refused(gate: Running, status: int) -> None:
    with pytest.raises(InvalidStatus) as raised, session(gate.url, f"echo!{status}"):
        pass
    assert raised.value.response.status_code == status
    body = json.loads(raised.value.response.body)
    assert str(status) in body["error"]["message"]
    assert "upstream-key" not in str(body)


@pytest.mark.parametrize(("path", "status"), [("/v1/realtime", 502), ("/v1/nothing", 404)])
def test_a_session_that_cannot_be_had_is_a_status(path: str, status: int) -> None:
    with running("http://127.0.0.1:1", policy()) as gate, pytest.raises(InvalidStatus) as raised:
        connect(f"ws://127.0.0.1:{gate.port}{path}?model=echo")
    assert raised.value.response.status_code == status
    assert json.loads(raised.value.response.body)["error"]["message"]


def test_sessions_are_limited_and_a_place_is_free_again_when_one_ends(mock: Mock) -> None:
    with running(mock.url, policy(), sessions=RealtimeBounds(sessions=1)) as gate:
        with session(gate.url):
            with pytest.raises(InvalidStatus) as raised, session(gate.url):
                pass
            assert raised.value.response.status_code == 503
        wait_until(lambda: mock.seen.open == 0)
        with session(gate.url) as connection:
            assert said(answer(connection, SAID)) == SAID


def test_a_session_that_nobody_uses_ends(mock: Mock) -> None:
    url = "/v1/realtime?model=echo"
    with running(mock.url, policy(), sessions=RealtimeBounds(idle=0.2)) as gate:
        with connect(f"ws://127.0.0.1:{gate.port}{url}") as socket:
            socket.recv()
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=5)
        wait_until(lambda: mock.seen.open == 0)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_a_client_that_goes_away_closes_the_session_upstream_and_frees_its_rows(
    mock: Mock, gate: Running
) -> None:
    with session(gate.url, "echo:1!stall:5") as connection:
        speak(connection, "a long answer")
        connection.response.create()
        while connection.recv().type != "response.output_text.delta":
            pass
        gone = time.monotonic_ns()
    wait_until(lambda: mock.seen.open == 0)
    assert mock.seen.departures[-1].at - gone < 1_000_000_000
    wait_until(lambda: len(gate.hub) == 0)


@pytest.mark.parametrize("fault", ["reset:2", "hang-up:2", "garbage"])
def test_a_provider_that_breaks_is_an_error_event_and_1011(gate: Running, fault: str) -> None:
    with session(gate.url, f"echo:3!{fault}") as connection:
        speak(connection, SAID)
        connection.response.create()
        events: list[Any] = []
        with pytest.raises(ConnectionClosed) as closed:
            events.extend(iter(connection.recv, None))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    *_, error, done = events
    assert (error.type, error.error.code) == ("error", "stream_failed")
    assert (done.type, done.response.status) == ("response.done", "failed")
    assert "doctype" not in str(events)
    wait_until(lambda: len(gate.hub) == 0)


class Player:
    """A provider that says what it is told to, and hears."""

    def __init__(self) -> None:
        self.say: list[str | bytes] = []
        self.then: Callable[[ServerConnection], None] = lambda connection: None
        self.heard: list[str | bytes] = []
        self.code = 0
        self._server = serve(self._talk, "127.0.0.1", 0)
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _talk(self, connection: ServerConnection) -> None:
        for message in self.say:
            connection.send(message)
        self.then(connection)
        try:
            while True:
                self.heard.append(connection.recv())
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 1006

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


@pytest.fixture
def player() -> Iterator[Player]:
    started = Player()
    yield started
    started.close()


@pytest.fixture
def played(player: Player) -> Iterator[Running]:
    with running(player.url, policy()) as started:
        yield started


def joined(gate: Running) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{gate.port}/v1/realtime?model=m", max_size=1 << 26)


def event(kind: str, **fields: Any) -> str:
    return orjson.dumps({"type": kind, "event_id": "e", **fields}).decode()


def created(name: str) -> str:
    return event("response.created", response={"id": name, "object": "realtime.response", "output": []})


def added(response: str, item: str, place: int = 0) -> str:
    head = {"id": item, "type": "message", "role": "assistant", "content": []}
    return event("response.output_item.added", response_id=response, output_index=place, item=head)


def delta(response: str, item: str, text: str, voice: str = "output_text") -> str:
    return event(
        f"response.{voice}.delta", response_id=response, item_id=item, output_index=0, content_index=0,
        delta=text,
    )  # fmt: skip


def done(response: str, *texts: str) -> str:
    output = [
        {"id": f"i{response}", "type": "message", "content": [{"type": "output_text", "text": text}]}
        for text in texts
    ]
    return event("response.done", response={"id": response, "status": "completed", "output": output})


def received(socket: ClientConnection, count: int) -> list[Any]:
    return [json.loads(socket.recv(timeout=10)) for _ in range(count)]


def recorded(path: Path) -> list[str]:
    """What a provider said."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [json.dumps(row["data"]) for row in rows if row.get("direction") == "received"]


def test_every_recording_passes_byte_for_byte(data_dir: Path, player: Player, played: Running) -> None:
    passed = 0
    for path in sorted(data_dir.joinpath("realtime").glob("*-realtime-*.jsonl")):
        if path.name.startswith("google"):
            continue
        player.say = [*recorded(path), event("input_audio_buffer.cleared", note="Zürich 🌫️")]
        with joined(played) as socket:
            for message in player.say:
                assert socket.recv(timeout=10) == message, path.name
        passed += 1
    assert passed == 20


def test_of_a_session_that_goes_on_no_more_waits_than_may_begin_a_match(
    data_dir: Path, player: Player, played: Running
) -> None:
    """Every session that was recorded, but for the user's words, up to a piece that no match begins in."""
    passed = 0
    for path in sorted(data_dir.joinpath("realtime").glob("*-realtime-*.jsonl")):
        if path.name.startswith("google"):
            continue
        say: list[str | bytes] = [said for said in recorded(path) if "input_audio_transcription" not in said]
        texts = [at for at, said in enumerate(say) if json.loads(said)["type"].endswith(_TEXTS)]
        last = json.dumps(json.loads(say[texts[-1]]) | {"delta": " - "})
        player.say = [*say[: texts[-1]], last]
        with joined(played) as socket:
            for message in player.say:
                assert socket.recv(timeout=10) == message, path.name
        passed += 1
    assert passed == 20


def test_responses_under_way_at_a_time_are_streams_apart(player: Player, played: Running) -> None:
    player.say = [
        created("a"), added("a", "ia"), created("b"), added("b", "ib"),
        delta("a", "ia", "to jane.doe@exam"), delta("b", "ib", "well: stop-"),
        delta("a", "ia", "ple.com now"), delta("b", "ib", "word and more"),
        done("b", "well: stop-word and more"), done("a", "to jane.doe@example.com now"),
    ]  # fmt: skip
    events: list[Any] = []
    with joined(played) as socket:
        while len([each for each in events if each["type"] == "response.done"]) < 2:
            events += received(socket, 1)
    told = {"a": "", "b": ""}
    for each in events:
        if each["type"] == "response.output_text.delta":
            told[each["response_id"]] += each["delta"]
    assert told["a"] == "to [MAIL] now"
    assert told["b"].rstrip() == "well:"
    ends = {each["response"]["id"]: each["response"] for each in events if each["type"] == "response.done"}
    assert ends["b"]["status_details"]["reason"] == "content_filter"
    assert ends["a"]["output"][0]["content"][0]["text"] == "to [MAIL] now"


def test_what_comes_of_a_blocked_response_is_dropped_and_its_cancel_is_no_error_of_the_clients(
    player: Player, played: Running
) -> None:
    def rest(connection: ServerConnection) -> None:
        order = json.loads(connection.recv())
        assert (order["type"], order["response_id"]) == ("response.cancel", "a")
        item = {"id": "ia", "type": "message", "content": [{"type": "output_text", "text": "hidden"}]}
        for message in (
            delta("a", "ia", "hidden"), event("conversation.item.done", item=item), done("a", "hidden"),
            event("error", error={"code": "response_cancel_not_active", "event_id": order["event_id"]}),
            event("conversation.item.retrieved", item=item),
            event("rate_limits.updated", rate_limits=[{"name": "requests"}]),
        ):  # fmt: skip
            connection.send(message)

    player.say = [created("a"), added("a", "ia"), delta("a", "ia", "say stop-word now")]
    player.then = rest
    events: list[Any] = []
    with joined(played) as socket:
        while not events or events[-1]["type"] != "rate_limits.updated":
            events += received(socket, 1)
    assert [each["type"] for each in events].count("response.done") == 1
    assert not [each for each in events if each["type"] == "error"]
    assert "hidden" not in str(events)
    assert "stop" not in str(events)


def test_a_call_that_comes_whole_is_not_cut_to_a_shorter_one(player: Player, played: Running) -> None:
    place = {"response_id": "a", "item_id": "ia", "output_index": 0}
    head = {"id": "ia", "type": "function_call", "name": "run", "call_id": "c", "arguments": ""}
    player.say = [
        created("a"),
        event("response.output_item.added", response_id="a", output_index=0, item=head),
        event("response.function_call_arguments.done", arguments='{"do": "all but stop-word"}', **place),
    ]
    with joined(played) as socket:
        events = received(socket, 3)
    assert [each["type"] for each in events][-1] == "response.done"
    assert "all but" not in str(events)


def test_a_response_that_is_blocked_as_it_begins_is_said_to_be_over(player: Player, played: Running) -> None:
    begun = {"id": "a", "object": "realtime.response", "metadata": {"note": "a stop-word"}, "output": []}
    player.say = [event("response.created", response=begun), delta("a", "ia", "hidden"), done("a", "hidden")]
    with joined(played) as socket:
        (last,) = received(socket, 1)
    assert (last["type"], last["response"]["id"]) == ("response.done", "a")
    assert last["response"]["status_details"]["reason"] == "content_filter"
    assert "stop" not in str(last)


def test_sound_does_not_overtake_the_words_before_it(player: Player, played: Running) -> None:
    voice = "output_audio_transcript"
    player.say = [
        created("a"), added("a", "ia"), delta("a", "ia", "to jane", voice),
        delta("a", "ia", "U09VTkQ=", "output_audio"),
    ]  # fmt: skip
    player.then = lambda connection: None
    with joined(played) as socket:
        received(socket, 2)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)  # "jane" may become an address


def test_a_transcript_of_the_user_is_judged_over_its_pieces(player: Player, played: Running) -> None:
    kind = "conversation.item.input_audio_transcription"
    player.say = [
        event(f"{kind}.delta", item_id="u", content_index=0, delta="I am jane.doe@exam"),
        event(f"{kind}.delta", item_id="u", content_index=0, delta="ple.com here"),
        event(f"{kind}.completed", item_id="u", content_index=0, transcript="I am jane.doe@example.com here"),
        event(f"{kind}.delta", item_id="v", content_index=0, delta="a stop-"),
        event(f"{kind}.delta", item_id="v", content_index=0, delta="word here"),
        event(f"{kind}.completed", item_id="v", content_index=0, transcript="a stop-word here"),
        event("input_audio_buffer.cleared"),
    ]
    events: list[Any] = []
    with joined(played) as socket:
        while not events or events[-1]["type"] != "input_audio_buffer.cleared":
            events += received(socket, 1)
    assert "".join(each.get("delta", "") for each in events[:2]) == "I am [MAIL] here"
    assert events[2]["transcript"] == "I am [MAIL] here"
    assert [each["error"]["code"] for each in events if each["type"] == "error"] == ["content_filter"]
    assert "word here" not in str(events)


def test_an_item_that_is_shown_again_has_no_sound_where_its_words_are_masked(
    player: Player, played: Running
) -> None:
    part = {"type": "output_audio", "audio": "U09VTkQ=", "transcript": "to jane.doe@example.com"}
    clean = part | {"transcript": "good day"}
    player.say = [
        event("conversation.item.retrieved", item={"id": "i", "type": "message", "content": [each]})
        for each in (part, clean)
    ]
    with joined(played) as socket:
        masked, same = received(socket, 2)
    assert masked["item"]["content"][0]["transcript"] == "to [MAIL]"
    assert masked["item"]["content"][0]["audio"] is None
    assert same["item"]["content"][0] == clean


def test_a_response_is_over_for_the_flow_when_it_is_done() -> None:
    relay = RealtimeRelay("s", "openai", "m")
    for name, stream in (("a", 1), ("b", 2)):
        told = []
        for message in (created(name), delta(name, "i", "good day"), done(name)):
            told += relay.receive(Message(message.encode()), now=1)
        assert {who for who, _ in told} == {"s"}
        deltas = [delta for _, said in told for delta in said]
        assert {number for number, _ in deltas} == {stream}
        assert [Kind(delta.kind) for _, delta in deltas][:: len(deltas) - 1] == [Kind.START, Kind.END]
        assert deltas[-1][1].finish == Finish.STOP


def test_half_a_character_breaks_nothing(player: Player, played: Running) -> None:
    half = r'{"type":"session.update","session":{"instructions":"\ud83d to jane.doe@example.com"}}'
    player.say = [half]
    with joined(played) as socket:
        assert "[MAIL]" in str(socket.recv(timeout=10))
        socket.send(half)
        wait_until(lambda: len(player.heard) == 1)
        assert json.loads(player.heard[0])["session"]["instructions"] == "\ufffd to [MAIL]"


@pytest.mark.parametrize(
    ("code", "carried"), [(1000, 1000), (1001, 1001), (1008, 1008), (1009, 1009), (1011, 1011), (4321, 4321)]
)
def test_the_code_of_a_close_is_carried_over_to_the_client(
    player: Player, played: Running, code: int, carried: int
) -> None:
    player.say = [event("session.created", session={"model": "m"})]
    player.then = lambda connection: connection.close(code, "some words of the provider's")
    with joined(played) as socket:
        socket.recv()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (carried, "")


@pytest.mark.parametrize(("code", "carried"), [(1000, 1000), (1001, 1001), (4000, 4000), (1002, 1001)])
def test_the_code_of_a_close_is_carried_over_to_the_provider(
    player: Player, played: Running, code: int, carried: int
) -> None:
    with joined(played) as socket:
        socket.close(code)
    wait_until(lambda: player.code == carried)


def test_messages_keep_their_order_and_their_kind_in_each_direction(player: Player, played: Running) -> None:
    sent: list[str | bytes] = []
    for number in range(40):
        sent.append(event("input_audio_buffer.append", audio="A" * number))
        sent.append(event("session.update", session={"instructions": f"be number {number}"}))
        sent.append(bytes([number, 0, 255]))
    with joined(played) as socket:
        for message in sent:
            socket.send(message)
        wait_until(lambda: len(player.heard) == len(sent))
    assert player.heard == sent


def test_words_in_a_binary_message_are_judged_all_the_same(player: Player, played: Running) -> None:
    player.say = [event("session.created", session={"instructions": "jane.doe@example.com"}).encode()]
    with joined(played) as socket:
        assert b"[MAIL]" in socket.recv(timeout=10)
        socket.send(event("session.update", session={"instructions": "say stop-word"}).encode())
        assert received(socket, 1)[0]["error"]["code"] == "content_filter"
    assert player.heard == []


def test_a_message_that_is_too_large_ends_the_session(player: Player) -> None:
    with running(player.url, policy(), bounds=Bounds(body=4096)) as gate:
        with connect(f"ws://127.0.0.1:{gate.port}/v1/realtime?model=m") as socket:
            socket.send("x" * 5000)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        player.say = [event("session.created", session={"instructions": "x" * 5000})]
        with connect(f"ws://127.0.0.1:{gate.port}/v1/realtime?model=m") as socket:
            assert received(socket, 1)[0]["type"] == "error"
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
