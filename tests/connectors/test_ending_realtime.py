"""The last events of a Realtime response, as the official SDK takes them over a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connectors._ending import Call, RealtimeEnding

openai = pytest.importorskip("openai")
websockets = pytest.importorskip("websockets")
from websockets.sync.server import ServerConnection, serve  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")  # in the SDK
CALL = Call("test", "asked-model", 1_700_000_000)
END_WAYS: dict[str, Callable[[RealtimeEnding], list[bytes]]] = {
    "blocked": lambda ending: ending.blocked(),
    "told why": lambda ending: ending.blocked("Not here."),
    "truncated": lambda ending: ending.truncated(),
}
REASON = {"blocked": "content_filter", "told why": "content_filter", "truncated": "max_output_tokens"}
VOICES = ("output_text", "text", "output_audio_transcript", "audio_transcript")
PRESENT = ("response.output_text.done", "response.output_audio.done", "response.output_audio_transcript.done")
FIRST = ("response.text.done", "response.audio.done", "response.audio_transcript.done")


class Server:
    """A WebSocket server that says `messages` to whoever connects, and the SDK's client for it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._server = serve(self._answer, "127.0.0.1", 0)
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        port = self._server.socket.getsockname()[1]
        self.client = openai.OpenAI(
            api_key="none", base_url="http://127.0.0.1", websocket_base_url=f"ws://127.0.0.1:{port}"
        )

    def _answer(self, connection: ServerConnection) -> None:
        for message in self.messages:
            connection.send(message, text=True)
        for _ in connection:
            pass  # until the client goes

    def events(self, messages: list[bytes]) -> list[Any]:
        self.messages = messages
        with self.client.realtime.connect(model="m") as connection:
            return [connection.recv() for _ in messages]

    def close(self) -> None:
        self.client.close()
        self._server.shutdown()
        self._thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def sessions(data_dir: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Recorded sessions: name, and what the provider said."""
    for path in sorted(data_dir.joinpath("realtime").glob("*-realtime-0?.jsonl")):
        if not path.name.startswith("google"):
            rows = map(json.loads, path.read_text().splitlines())
            yield path.name, [row["data"] for row in rows if row.get("direction") == "received"]


def told(left: list[dict[str, Any]]) -> RealtimeEnding:
    ending = RealtimeEnding(CALL)
    for event in left:
        ending.passed("", event)
    return ending


def spoken(left: list[dict[str, Any]]) -> str:
    """What the deltas of the response that is open said."""
    begun = max(place for place, event in enumerate(left) if event["type"] == "response.created")
    return "".join(
        event["delta"] for event in left[begun:] if event["type"] in {f"response.{v}.delta" for v in VOICES}
    )


def held(output: list[dict[str, Any]]) -> str:
    """What the messages of a response say."""
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text") or part.get("transcript") or "" for part in parts)


def places(events: list[dict[str, Any]]) -> Iterator[int]:
    """Every other place of a session, and those around its events that are no deltas."""
    for place in range(len(events) + 1):
        if place % 6 == 0 or place == len(events) or "delta" not in events[place]["type"]:
            yield place


def test_every_session_cut_anywhere_ends_as_the_sdk_reads_an_end(server: Server, data_dir: Path) -> None:
    ended = compared = 0
    for name, events in sessions(data_dir):
        for place in places(events):
            left = events[:place]
            way, end = list(END_WAYS.items())[place % len(END_WAYS)]
            ending = told(left)
            over = ending.over
            last = end(ending)
            assert (last == []) == over
            if over:
                continue
            heard = server.events([json.dumps(event).encode() for event in left] + last)
            response = heard[-1].response
            assert (heard[-1].type, response.status) == ("response.done", "incomplete")
            assert response.status_details.reason == REASON[way]
            output = json.loads(last[-1])["response"]["output"]
            if all("content" in item for item in output if item["type"] == "message"):  # xAI's have none
                assert held(output) == spoken(left), (name, place)
                compared += 1
            kinds = [json.loads(message)["type"] for message in last]
            first = any(event["type"] in FIRST for event in events)
            assert set(kinds).isdisjoint(PRESENT if first else FIRST), name
            ended += 1
    assert compared > 0.9 * ended > 180


def without_nulls(value: Any) -> Any:
    """As the schema would have it, which knows no null where all real sessions send one."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def test_what_is_said_fits_the_published_schemas(data_dir: Path) -> None:
    document = json.loads(data_dir.joinpath("realtime", "openai-realtime-schemas.json").read_bytes())
    server_event = Draft202012Validator({"$ref": "#/components/schemas/RealtimeServerEvent"} | document)
    cancel = Draft202012Validator(
        {"$ref": "#/components/schemas/RealtimeClientEventResponseCancel"} | document
    )
    checked = 0
    for name, events in sessions(data_dir):
        if not name.startswith("openai"):
            continue
        for place in places(events):
            ending = told(events[:place])
            for message in ending.cancel_upstream():
                cancel.validate(json.loads(message))
            for message in [*(END_WAYS["blocked"](ending)), *ending.failed("a stage failed")]:
                event = without_nulls(json.loads(message))
                if event["type"] == "response.content_part.done":
                    event["part"] = {"type": event["part"]["type"], "text": "t", "transcript": "t"}
                server_event.validate(event)
                checked += 1
    assert checked > 200


CREATED = {"type": "response.created", "event_id": "e0", "response": {
    "id": "resp_1", "object": "realtime.response", "status": "in_progress", "output": [], "usage": None,
}}  # fmt: skip


def of(kind: str, response: str = "resp_1", **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "event_id": "e", "response_id": response, **more}


def message(name: str, part: str) -> list[dict[str, Any]]:
    item = {"id": name, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    at = {"item_id": name, "output_index": 0, "content_index": 0}
    return [
        of("output_item.added", output_index=0, item=item),
        of("content_part.added", **at, part={"type": part}),
    ]


def test_sound_is_closed_before_its_transcript() -> None:
    left = [CREATED, *message("i", "audio")]
    at = {"item_id": "i", "output_index": 0, "content_index": 0}
    left.append(of("output_audio_transcript.delta", **at, delta="Hello"))
    last = [json.loads(each) for each in told(left).blocked()]
    assert [event["type"] for event in last] == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert last[1]["transcript"] == last[2]["part"]["transcript"] == "Hello"
    assert "transcript" not in last[0]
    item = last[3]["item"]
    assert (item["status"], item["content"]) == (
        "incomplete",
        [{"type": "output_audio", "transcript": "Hello"}],
    )
    assert len({event["event_id"] for event in last}) == len(last)


def test_a_session_that_speaks_the_first_names_hears_them() -> None:
    begun, part = message("i", "audio")
    left = [CREATED, begun, {"type": "conversation.item.created", "event_id": "e"}, part]
    last = [json.loads(each) for each in told(left).truncated()]
    assert [event["type"] for event in last[:2]] == ["response.audio.done", "response.audio_transcript.done"]
    assert last[-1]["response"]["output"][0]["content"] == [{"type": "audio", "transcript": ""}]


def test_half_a_tool_call_is_never_said_to_be_done() -> None:
    call = {"id": "fc", "type": "function_call", "call_id": "c", "name": "look", "arguments": ""}
    left = [CREATED, of("output_item.added", output_index=0, item=call)]
    left.append(of("function_call_arguments.delta", output_index=0, item_id="fc", call_id="c", delta="{}"))
    for end in END_WAYS.values():
        (last,) = (json.loads(each) for each in end(told(left)))
        assert (last["type"], last["response"]["output"]) == ("response.done", [])


def test_every_response_that_is_open_ends_and_the_session_goes_on() -> None:
    ending = told([CREATED, CREATED | {"response": {"id": "resp_2", "object": "realtime.response"}}])
    assert [json.loads(each)["response_id"] for each in ending.cancel_upstream()] == ["resp_1", "resp_2"]
    done = [json.loads(each) for each in ending.blocked("Not here.")]
    assert [event["response"]["id"] for event in done] == ["resp_1", "resp_2"]
    assert done[0]["response"]["status_details"]["error"]["message"] == "Not here."
    assert ending.over
    assert ending.blocked() == ending.cancel_upstream() == []
    ending.passed("", CREATED | {"response": {"id": "resp_3"}})
    assert not ending.over
    (event,) = (json.loads(each) for each in ending.truncated())
    assert event["response"]["id"] == "resp_3"
    assert event["event_id"] not in {each["event_id"] for each in done}


def test_a_response_that_was_done_is_over() -> None:
    assert told([CREATED, {"type": "response.done", "response": {"id": "resp_1"}}]).over


def test_a_failure_is_an_error_and_a_response_that_failed(server: Server) -> None:
    heard = server.events([json.dumps(CREATED).encode(), *told([CREATED]).failed("a stage failed")])
    assert [event.type for event in heard[1:]] == ["error", "response.done"]
    assert heard[1].error.message == heard[2].response.status_details.error.message == "a stage failed"
    assert heard[2].response.status == "failed"
    (alone,) = (json.loads(each) for each in RealtimeEnding(CALL).failed("a stage failed"))
    assert alone["type"] == "error"


def test_text_that_was_not_told_is_not_made_up() -> None:
    ending = told([CREATED, *message("i", "text")])
    delta = of("output_text.delta", item_id="i", output_index=0, content_index=0, delta="d")
    ending.passed_text(json.dumps(delta).encode(), 1)
    assert held(json.loads(ending.blocked()[-1])["response"]["output"]) == "d"
    ending = told([CREATED, *message("i", "text")])
    ending.passed_text(json.dumps(delta).encode(), 2)
    (last,) = (json.loads(each) for each in ending.blocked())
    assert last["response"]["output"] == []


def test_responses_that_are_never_done_are_forgotten() -> None:
    ending = told([CREATED | {"response": {"id": f"resp_{number}"}} for number in range(1000)])
    names = [json.loads(each)["response"]["id"] for each in ending.blocked()]
    assert names == [f"resp_{number}" for number in range(936, 1000)]
