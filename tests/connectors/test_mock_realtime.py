"""What the official SDK hears from the mock provider's Realtime WebSocket, in present and first names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors._decoder import Decoder
from connectors._lines import LineFraming
from connectors._mock_pace import Pace, Waits
from connectors.mock_llm import MockConfig
from connectors.openai_realtime import OpenAIRealtime
from operators.packet import Channel, Finish
from tests.connectors.heard import Heard, sort
from tests.mock import Mock, running, wait_until

openai = pytest.importorskip("openai")
websockets = pytest.importorskip("websockets")

pytest_plugins = ["tests.mock_fixtures"]
# The SDK opens its WebSocket in a way that websockets has deprecated since.
pytestmark = pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager")

SAID = "Grüße aus Zürich, 渡船."
FUNCTION = {"type": "function", "name": "book", "parameters": {"type": "object"}}
SLOW = MockConfig(Pace(gap=Waits(0.05)))


@contextmanager
def session(mock: Mock, model: str = "echo:4", **headers: str) -> Iterator[Any]:
    """A session in text, in which the user has spoken."""
    url = f"ws://127.0.0.1:{mock.port}/v1"
    with (
        openai.OpenAI(api_key="none", base_url=f"{mock.url}/v1", websocket_base_url=url) as api,
        api.realtime.connect(model=model, extra_headers=headers) as connection,
    ):
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        assert connection.recv().type == "session.updated"
        speak(connection, SAID)
        yield connection


def speak(connection: Any, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    while connection.recv().type not in {"conversation.item.done", "conversation.item.created"}:
        pass


def answer(connection: Any) -> list[Any]:
    """The events of the response under way."""
    events = []
    for event in connection:
        events.append(event)
        if event.type in {"response.done", "error"}:
            return events
    return events


def heard(events: list[Any]) -> Heard:
    """What our own decoder makes of them."""
    decoder = Decoder(LineFraming(), OpenAIRealtime())
    named = [("", event.model_dump_json(warnings=False).encode()) for event in events]
    return sort([*decoder.receive_events(named, now=1), *decoder.receive_eof(now=1)])


def deltas(events: list[Any], kind: str = "response.output_text.delta") -> list[str]:
    return [event.delta for event in events if event.type == kind]


def test_a_response_says_the_users_words_again_and_counts(mock: Mock) -> None:
    with session(mock) as connection:
        connection.response.create()
        events = answer(connection)
    assert deltas(events) == [SAID[at : at + 4] for at in range(0, len(SAID), 4)]
    kinds = [event.type for event in events if not event.type.endswith(".delta")]
    assert kinds == [
        "response.created", "response.output_item.added", "conversation.item.added",
        "response.content_part.added", "response.output_text.done", "response.content_part.done",
        "conversation.item.done", "response.output_item.done", "response.done",
    ]  # fmt: skip
    last = events[-1].response
    assert (last.status, last.output[0].content[0].text) == ("completed", SAID)
    assert last.usage.output_tokens == len(deltas(events))
    told = heard(events)
    assert told.lanes == {(int(Channel.TEXT), 0, 0): SAID}
    assert told.finishes == [Finish.STOP]


def test_several_responses_follow_each_other_in_one_session(mock: Mock) -> None:
    with session(mock) as connection:
        for text in ("first", "second"):
            speak(connection, text)
            connection.response.create()
            assert "".join(deltas(answer(connection))) == text


def test_audio_is_silence_with_a_transcript(mock: Mock) -> None:
    with session(mock) as connection:
        connection.response.create(response={"output_modalities": ["audio"]})
        events = answer(connection)
    said = deltas(events, "response.output_audio_transcript.delta")
    assert "".join(said) == SAID
    assert len(deltas(events, "response.output_audio.delta")) == len(said)
    assert events[-1].response.output[0].content[0].transcript == SAID
    assert heard(events).lanes == {(int(Channel.TRANSCRIPT), 0, 0): SAID}


def test_what_a_response_sets_is_for_that_response_only(mock: Mock) -> None:
    with session(mock) as connection:
        connection.response.create(response={"output_modalities": ["audio"]})
        assert answer(connection)[-1].response.output_modalities == ["audio"]
        connection.response.create()
        assert answer(connection)[-1].response.output_modalities == ["text"]


def test_a_function_is_called_with_the_users_words(mock: Mock) -> None:
    with session(mock, "echo-tool:5") as connection:
        connection.session.update(session={"type": "realtime", "tools": [FUNCTION]})
        assert connection.recv().session.tools[0].name == "book"
        speak(connection, '{"seat": "4A"}')
        connection.response.create()
        events = answer(connection)
    arguments = deltas(events, "response.function_call_arguments.delta")
    assert (len(arguments), "".join(arguments)) == (3, '{"seat": "4A"}')
    (call,) = events[-1].response.output
    assert (call.type, call.name, call.arguments) == ("function_call", "book", '{"seat": "4A"}')
    assert heard(events).finishes == [Finish.TOOL]


def test_a_client_of_the_beta_hears_the_first_names(mock: Mock) -> None:
    with session(mock, **{"OpenAI-Beta": "realtime=v1"}) as connection:
        connection.response.create()
        events = answer(connection)
        kinds = {event.type for event in events}
        assert {"response.text.delta", "response.text.done", "conversation.item.created"} <= kinds
        assert not {kind for kind in kinds if "output_text" in kind or kind.endswith("item.added")} - {
            "response.output_item.added"
        }
        assert heard(events).lanes == {(int(Channel.TEXT), 0, 0): SAID}
        connection.response.create(response={"modalities": ["text", "audio"]})
        events = answer(connection)
        assert "".join(deltas(events, "response.audio_transcript.delta")) == SAID
        assert deltas(events, "response.audio.delta")


def test_a_cancelled_response_closes_what_it_opened() -> None:
    with running(SLOW) as mock, session(mock, "echo:1") as connection:
        connection.response.create()
        while connection.recv().type != "response.output_text.delta":
            pass
        connection.response.cancel()
        events = answer(connection)
    *_, done = events
    assert (done.response.status, done.response.status_details.reason) == ("cancelled", "client_cancelled")
    item = done.response.output[0]
    assert item.status == "incomplete"
    assert SAID.startswith(item.content[0].text)
    assert len(item.content[0].text) < len(SAID)


def test_a_cancel_does_not_wait_for_the_next_delta() -> None:
    with running(MockConfig(Pace(gap=Waits(20.0)))) as mock, session(mock, "echo:1") as connection:
        connection.response.create()
        while connection.recv().type != "response.output_text.delta":
            pass
        began = time.monotonic()
        connection.response.cancel()
        assert answer(connection)[-1].response.status == "cancelled"
        assert time.monotonic() - began < 5


def test_what_the_client_does_wrong_is_an_error_event_and_the_session_goes_on() -> None:
    with running(SLOW) as mock, session(mock, "echo:4") as connection:
        connection.response.cancel(event_id="mine")
        (error,) = answer(connection)
        assert (error.error.code, error.error.event_id) == ("response_cancel_not_active", "mine")
        for wrong in (
            "{", "[]", '{"type": "nothing"}', '{"type": "conversation.item.create"}',
            '{"type": "response.create", "response": {"tools": [3]}}',
        ):  # fmt: skip
            connection.send_raw(wrong)
            assert connection.recv().type == "error"
        connection.response.create()
        connection.response.create()
        errors = [event for event in answer(connection) if event.type == "error"]
        assert errors[0].error.code == "conversation_already_has_active_response"
        assert answer(connection)[-1].response.status == "completed"


def test_a_model_that_is_not_there_is_an_error_event(mock: Mock) -> None:
    with session(mock, "sim:nothing") as connection:
        connection.response.create()
        (error,) = answer(connection)
    assert "there is no such kind" in error.error.message


def test_audio_that_is_committed_is_an_item(mock: Mock) -> None:
    with session(mock) as connection:
        connection.input_audio_buffer.append(audio="AAAA")
        connection.input_audio_buffer.commit()
        kinds = [connection.recv().type for _ in range(3)]
    assert kinds == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_handshake_can_be_refused(mock: Mock, status: int) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus) as raised, session(mock, f"echo!{status}"):
        pass
    assert raised.value.response.status_code == status


@pytest.mark.parametrize("fault", ["reset:2", "hang-up:2"])
def test_a_connection_can_break_in_the_middle_of_a_response(mock: Mock, fault: str) -> None:
    heard_of: list[Any] = []
    with session(mock, f"echo:4!{fault}") as connection:
        connection.response.create()
        with pytest.raises(websockets.exceptions.ConnectionClosedError) as raised:
            heard_of.extend(connection)
    assert raised.value.rcvd is None, "no closing handshake"
    assert len(deltas(heard_of)) == 2
    wait_until(lambda: mock.seen.open == 0)
    assert (mock.seen.aborted, mock.seen.completed) == (0, 0)


def test_a_connection_can_be_closed_in_good_order_before_the_response_is_done(mock: Mock) -> None:
    with session(mock, "echo:4!truncate:2") as connection:
        connection.response.create()
        events = list(connection)
    assert len(deltas(events)) == 2
    assert events[-1].type == "response.output_text.delta"


def test_a_response_can_fail_and_the_session_goes_on(mock: Mock) -> None:
    with session(mock, "echo:4!200-error:2") as connection:
        connection.response.create()
        events = answer(connection)
        assert len(deltas(events)) == 2
        assert (events[-1].response.status, heard(events).finishes) == ("failed", [Finish.ERROR])
        speak(connection, "still there")


def test_garbage_and_an_oversized_delta_are_messages(mock: Mock) -> None:
    with session(mock, "echo!garbage") as connection:
        connection.response.create()
        raw = [connection.recv_bytes() for _ in range(5)]
        assert raw[-1].startswith(b"<!doctype")
    with session(mock, "echo!oversize:200") as connection:
        connection.response.create()
        events = answer(connection)
        assert max(map(len, deltas(events))) == 200 << 10


def test_a_client_that_leaves_a_response_is_noticed() -> None:
    with running(SLOW) as mock:
        with session(mock, "echo:1!stall:1") as connection:
            connection.response.create()
            while connection.recv().type != "response.output_text.delta":
                pass
            assert mock.seen.open == 1
            left = time.monotonic_ns()
        wait_until(lambda: mock.seen.open == 0)
        (departure,) = mock.seen.departures
    assert left <= departure.at < left + 1_000_000_000
