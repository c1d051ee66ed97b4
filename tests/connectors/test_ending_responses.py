"""The last events of a response, as the official SDK takes them behind what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connectors import _open_items
from connectors._decoder import Event
from connectors._ending import open_ending
from connectors._last_frames import sse
from tests.connectors.heard import SAMPLES, recordings
from tests.connectors.left import CALL, END_WAYS, cuts, events_of, named, said, told

openai = pytest.importorskip("openai")
httpx2 = pytest.importorskip("httpx2")

REASON = {"blocked": "content_filter", "told why": "content_filter", "truncated": "max_output_tokens"}
FILES = ("openai-responses-0", "openai-responses-1", "azure-responses-", "bedrock-resp", "deepseek-resp")
SAMPLE = SAMPLES / "openai-responses.sse"


class Server:
    """The SDK's client, and what the next call is answered with."""

    def __init__(self) -> None:
        self.body = b""
        http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        self.client = openai.OpenAI(api_key="none", http_client=http, max_retries=0)

    def _answer(self, request: Any) -> Any:
        del request
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self.body)

    def events(self, body: bytes) -> list[Any]:
        """What the SDK's accumulator gives."""
        self.body = body
        with self.client.responses.stream(model="m", input="i") as stream:
            return list(stream)


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


def spoken(events: list[Any]) -> dict[tuple[str, str, int], str]:
    """What the deltas said, by kind, item and part."""
    texts: dict[tuple[str, str, int], str] = {}
    for event in events:
        kind, _, step = event.type.removeprefix("response.").rpartition(".")
        if step == "delta" and kind in ("output_text", "refusal", "reasoning_text", "reasoning_summary_text"):
            number = event.summary_index if kind == "reasoning_summary_text" else event.content_index
            key = kind, event.item_id, number
            texts[key] = texts.get(key, "") + event.delta
    return texts


def held(response: Any) -> dict[tuple[str, str, int], str]:
    """What the items of a response say, by kind, item and part."""
    texts: dict[tuple[str, str, int], str] = {}
    for item in response.output:
        if item.type == "message":
            for number, part in enumerate(item.content):
                text = part.text if part.type == "output_text" else part.refusal
                texts[part.type, item.id, number] = text
        elif item.type == "reasoning":
            for number, part in enumerate(item.summary):
                texts["reasoning_summary_text", item.id, number] = part.text
            for number, part in enumerate(item.content or ()):
                texts["reasoning_text", item.id, number] = part.text
    return {key: text for key, text in texts.items() if text}


def takes(server: Server, events: list[Event]) -> bool:
    try:
        server.events(sse(named(events)))
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, openai.OpenAIError):
        return False
    return True


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # sources the SDK has no type for
def test_every_recording_cut_anywhere_ends_as_the_sdk_reads_an_end(server: Server, data_dir: Path) -> None:
    ended, refused = 0, set()
    for path in recordings(data_dir, *FILES):
        events = events_of(path)
        if not takes(server, events):
            refused.add(path.name)
            continue
        for left in cuts(events):
            way, end = list(END_WAYS.items())[len(left) % len(END_WAYS)]
            ending = told("openai-responses", left)
            over = ending.over
            last = end(ending)
            assert (last == b"") == over
            if over:
                continue
            heard = server.events(sse(named(left)) + last)
            final = heard[-1]
            assert final.type == "response.incomplete"
            assert (final.response.status, final.response.incomplete_details.reason) == (
                "incomplete",
                REASON[way],
            )
            assert held(final.response) == spoken(heard), path.name
            numbers = [event.sequence_number for event in heard if event.sequence_number is not None]
            ours = numbers[-len(said(last)) :]
            first = max(numbers[: -len(ours)], default=len(left) - 1) + 1
            assert ours == list(range(first, first + len(ours)))
            ended += 1
    assert ended > 300
    assert len(refused) < 5, refused


def test_what_is_said_fits_the_published_schema(data_dir: Path) -> None:
    document = json.loads(data_dir.joinpath("streams", "openai-stream-schemas.json").read_bytes())
    one_of = Draft202012Validator({"$ref": "#/components/schemas/ResponseStreamEvent"} | document)
    for path in [SAMPLE, *recordings(data_dir, "openai-responses-0")]:
        for left in cuts(events_of(path)):
            ends = [*END_WAYS.values(), lambda ending: ending.failed("a stage failed")]
            for name, payload in said(ends[len(left) % 4](told("openai-responses", left))):
                assert name == payload["type"]
                response = payload.pop("response", None)  # its head is the provider's own, nulls and all
                if response:
                    for item in response["output"]:
                        assert item["type"] in ("message", "reasoning") or item.get("status") != "in_progress"
                else:
                    one_of.validate(payload)


def test_what_nothing_has_left_of_is_said_whole_and_fits_the_schema(server: Server, data_dir: Path) -> None:
    document = json.loads(data_dir.joinpath("streams", "openai-stream-schemas.json").read_bytes())
    one_of = Draft202012Validator({"$ref": "#/components/schemas/ResponseStreamEvent"} | document)
    for end in END_WAYS.values():
        events = [payload for _, payload in said(end(open_ending("openai-responses", CALL)))]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        for event in events:
            one_of.validate(event)
    heard = server.events(open_ending("openai-responses", CALL).blocked("Not here."))
    assert heard[0].type == "response.created"
    final = heard[-1].response
    assert (final.id, final.model, final.created_at) == ("resp_test", "asked-model", CALL.at)
    assert final.output[0].content[0].refusal == "Not here."
    assert final.output[0].status == "incomplete"


def test_a_failure_is_a_failed_response_that_finishes_no_text(server: Server, data_dir: Path) -> None:
    for path in [SAMPLE, *recordings(data_dir, "openai-responses-02")]:
        for left in cuts(events_of(path)):
            ending = told("openai-responses", left)
            if ending.over:
                assert ending.failed("no") == b""
                continue
            heard = server.events(sse(named(left)) + ending.failed("a stage failed"))
            assert [event.type for event in heard[len(left) :]] in (
                ["response.failed"],
                ["response.created", "response.failed"],
            )
            error = heard[-1].response.error
            assert (error.code, error.message) == ("server_error", "a stage failed")


def event(kind: str, number: int, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": number, **more}


RESPONSE = {"id": "resp_1", "object": "response", "model": "m", "created_at": 1, "output": [], "usage": None}
CALLED = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "look", "arguments": ""}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


@pytest.mark.parametrize("arguments", ["", "{}", '{"path": "/'])
def test_half_a_tool_call_is_never_said_to_be_done(server: Server, arguments: str) -> None:
    left = [
        event("created", 0, response=RESPONSE),
        event("output_item.added", 1, output_index=0, item=CALLED),
        event("function_call_arguments.delta", 2, output_index=0, item_id="fc_1", delta=arguments),
    ]
    frames = [(one["type"], json.dumps(one).encode()) for one in left]
    for end in END_WAYS.values():
        last = end(told("openai-responses", frames))
        heard = server.events(sse(frames) + last)
        done = [one.item.type for one in heard if one.type == "response.output_item.done"]
        assert "function_call" not in done
        assert not [one for one in heard if one.type == "response.function_call_arguments.done"]
        assert all(item.type != "function_call" for item in heard[-1].response.output)


def test_a_call_that_was_done_stands_in_the_output() -> None:
    ending = open_ending("openai-responses", CALL)
    ending.passed("", event("created", 0, response=RESPONSE))
    ending.passed("", event("output_item.added", 1, output_index=0, item=CALLED))
    ending.passed("", event("output_item.done", 2, output_index=0, item=CALLED | {"arguments": "{}"}))
    ((_, last),) = said(ending.truncated())
    assert last["response"]["output"] == [CALLED | {"arguments": "{}"}]


def test_text_is_closed_as_it_left_in_the_order_of_the_api() -> None:
    ending = open_ending("openai-responses", CALL)
    note = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    at = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    for one in (
        event("created", 0, response=RESPONSE),
        event("output_item.added", 1, output_index=0, item=MESSAGE),
        event("content_part.added", 2, **at, part=PART),
        event("output_text.delta", 3, **at, delta="My num"),
        event("output_text.annotation.added", 4, **at, annotation_index=0, annotation=note),
    ):
        ending.passed(one["type"], one)
    ending.passed_text(json.dumps(event("output_text.delta", 5, **at, delta="ber is ***")).encode(), 1)
    closing = [payload for _, payload in said(ending.blocked())]
    part = PART | {"text": "My number is ***", "annotations": [note]}
    item = MESSAGE | {"status": "incomplete", "content": [part]}
    assert closing == [
        event("output_text.done", 6, **at, text="My number is ***", logprobs=[]),
        event("content_part.done", 7, **at, part=part),
        event("output_item.done", 8, output_index=0, item=item),
        event(
            "incomplete",
            9,
            response=RESPONSE
            | {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": [item]},
        ),
    ]


def begun(*texts: str) -> Any:
    ending = open_ending("openai-responses", CALL)
    at = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    ending.passed("", event("created", 0, response=RESPONSE))
    ending.passed("", event("output_item.added", 1, output_index=0, item=MESSAGE))
    for number, text in enumerate(texts, 2):
        ending.passed("", event("output_text.delta", number, **at, delta=text))
    return ending


def test_text_that_was_not_told_is_not_made_up() -> None:
    ending = begun("a")
    at = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    ending.passed_text(json.dumps(event("output_text.delta", 5, **at, delta="d")).encode(), 3)
    ((_, last),) = said(ending.blocked())
    assert (last["response"]["output"], last["sequence_number"]) == ([], 6)


def test_what_is_gathered_of_one_response_is_bounded() -> None:
    ending = begun(*["x" * 60_000] * 80)
    ((_, last),) = said(ending.blocked("Not here."))
    assert last["response"]["output"] == []
    whole = begun(*["x" * 60_000] * 8)
    assert len(said(whole.blocked())[0][1]["text"]) == 480_000 < _open_items.LIMIT


def test_the_item_named_counts_where_a_server_gives_each_the_same_index() -> None:
    ending = begun("one")
    second = MESSAGE | {"id": "msg_2"}
    ending.passed("", event("output_item.added", 3, output_index=0, item=second))
    at = {"output_index": 0, "content_index": 0}
    ending.passed("", event("output_text.delta", 4, item_id="msg_2", **at, delta="two"))
    ending.passed("", event("output_text.delta", 5, item_id="msg_1", **at, delta="!"))
    last = said(ending.truncated())[-1][1]
    assert [item["content"][0]["text"] for item in last["response"]["output"]] == ["one!", "two"]


def test_what_was_said_to_be_done_is_not_said_again() -> None:
    ending = begun("whole")
    at = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    ending.passed("", event("output_text.done", 3, **at, text="whole", logprobs=[]))
    kinds = ["response.content_part.done", "response.output_item.done", "response.incomplete"]
    assert [name for name, _ in said(ending.blocked())] == kinds
    ending = begun("whole")
    ending.passed("", event("output_text.done", 3, **at, text="whole", logprobs=[]))
    ending.passed("", event("content_part.done", 4, **at, part=PART | {"text": "whole"}))
    assert [name for name, _ in said(ending.blocked())] == kinds[1:]
