"""What holds for every ending: it always comes, it comes once, and it says nothing that it should not."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import decoders
from connectors._ending import Call, RealtimeEnding, open_ending
from connectors._last_frames import Ending
from tests.connectors import heard
from tests.connectors.left import events_of, said

APIS = ("openai-chat", "openai-completions", "openai-responses", "anthropic-messages", "gemini-generate")
SAMPLES = {
    "openai-chat": heard.SAMPLES / "openai-chat-tools.sse",
    "openai-completions": heard.SAMPLES / "openai-chat.sse",  # the same but for the field of the text
    "openai-responses": heard.SAMPLES / "openai-responses.sse",
    "anthropic-messages": heard.SAMPLES / "anthropic-messages.sse",
    "gemini-generate": heard.SAMPLES / "gemini-generate.sse",
}
REALTIME = "openai-realtime"
CALL = Call("test", "m", 7)

# Events that are nearly right: the fields that endings read, with anything in them.
_FIELDS = """
type index choices candidates delta message usage content_block item part output_index item_id id response
content_index finish_reason finishReason stop_reason sequence_number response_id error text annotations
annotation promptFeedback model summary_index
"""
_WORDS = """
message_start content_block_start content_block_stop message_delta message_stop text output_text audio refusal
response.created response.output_item.added response.output_item.done response.content_part.added
response.content_part.done response.output_text.delta response.output_text.done response.done
response.output_text.annotation.added response.reasoning_summary_text.delta message reasoning function_call
"""
_NAMES = st.sampled_from(_FIELDS.split())
_TYPES = st.sampled_from(_WORDS.split())
_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(2**70, 2**71)
    | st.floats()
    | st.text(max_size=3)
    | st.just("half \ud83d")
    | _TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=12,
)
_EVENT = st.dictionaries(_NAMES, _ANY, max_size=6)


def opened(api: str) -> Ending[Any]:
    return RealtimeEnding(CALL) if api == REALTIME else open_ending(api, CALL)


def payloads(wire: bytes | list[bytes]) -> list[dict[str, Any]]:
    """The events of an ending, parsed."""
    return (
        [json.loads(each) for each in wire] if isinstance(wire, list) else [event for _, event in said(wire)]
    )


def ends(ending: Ending[Any], way: int, words: str) -> bytes | list[bytes]:
    """The wire of one of the three ways to end."""
    said: bytes | list[bytes] = (
        ending.blocked(words) if way == 0 else ending.truncated() if way == 1 else ending.failed(words)
    )
    return said


@given(st.sampled_from((*APIS, REALTIME)), st.lists(_EVENT, max_size=8), st.integers(0, 2), st.text())
def test_an_end_comes_whatever_went_before(
    api: str, events: list[dict[str, Any]], way: int, words: str
) -> None:
    ending = opened(api)
    for place, event in enumerate(events):
        if place % 3:
            ending.passed("", event)
        else:
            ending.passed_text(json.dumps(event).encode(), 1)
    over = ending.over
    wire = ends(ending, way, words)
    if api == REALTIME:
        assert bool(wire) == (not over or way == 2)
    else:
        assert bool(wire) != over
        assert ends(ending, way, words) == b""
    assert ending.over
    for payload in payloads(wire):
        json.dumps(payload).encode()  # it is UTF-8


@given(st.data())
def test_an_end_comes_behind_events_with_something_wrong_in_them(data: st.DataObject) -> None:
    api = data.draw(st.sampled_from(APIS))
    events = [json.loads(payload) for _, payload in events_of(SAMPLES[api]) if payload != b"[DONE]"]
    ending = open_ending(api, CALL)
    for event in events[: data.draw(st.integers(1, len(events)))]:
        place = event
        while data.draw(st.booleans()) and (
            inner := [each for each in place.values() if isinstance(each, dict)]
        ):
            place = data.draw(st.sampled_from(inner))
        if place and data.draw(st.booleans()):
            place[data.draw(st.sampled_from(sorted(place)))] = data.draw(_ANY)
        ending.passed("", event)
    over = ending.over
    wire = ending.blocked("Not here.")
    assert bool(wire) != over
    assert payloads(wire) or over or wire == b"data: [DONE]\n\n"


def test_numbers_that_no_encoder_takes_are_not_repeated() -> None:
    ending = open_ending("openai-responses", CALL)
    ending.passed("", {"type": "response.created", "sequence_number": 2**70, "response": {"id": "r"}})
    ((_, last),) = said(ending.blocked())
    assert last["sequence_number"] == 1
    ending = open_ending("anthropic-messages", CALL)
    usage = {"input_tokens": 2**70, "output_tokens": 3}
    ending.passed("", {"type": "message_start", "message": {"usage": usage}})
    assert said(ending.blocked())[0][1]["usage"] == {"output_tokens": 3}


@given(st.binary(max_size=40))
def test_text_that_cannot_be_read_is_passed_over(payload: bytes) -> None:
    for api in (*APIS, REALTIME):
        ending = opened(api)
        ending.passed_text(payload, 1)
        assert payload == b"[DONE]" or ending.failed("x")


@pytest.mark.parametrize("api", APIS)
def test_done_is_the_end_of_any_stream(api: str) -> None:
    ending = open_ending(api)
    ending.passed_text(b"[DONE]", 1)
    ending.passed_text(b"keep-alive", 1)
    ending.passed("", {"candidates": [{"content": {}}]})
    assert ending.over
    assert ending.blocked() == ending.truncated() == ending.failed("x") == b""


@pytest.mark.parametrize("api", APIS)
def test_words_of_ours_are_cut_and_whole_characters(api: str) -> None:
    blocked = open_ending(api).blocked("y" * 499 + "\U0001f600 zzz")
    assert b"zz" not in blocked
    assert (b"y" * 499 in blocked) == (api != "openai-completions")
    assert b"y" * 500 in (failed := open_ending(api).failed("y" * 600))
    assert b"y" * 501 not in failed
    half = open_ending(api).failed("half \ud83d").decode()
    assert "half \ufffd" in half


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("openai-chat", {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "word "}}]}),
        (
            "anthropic-messages",
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}},
        ),
        ("gemini-generate", {"candidates": [{"content": {"parts": [{"text": "word "}]}, "index": 0}]}),
    ],
)
def test_a_long_stream_costs_no_memory(name: str, event: dict[str, Any]) -> None:
    ending = open_ending(name)
    payload = json.dumps(event).encode()
    ending.passed("", event)
    tracemalloc.start()
    for _ in range(2_000):
        ending.passed("", json.loads(payload))
        ending.passed_text(payload, 8)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 10_000


def test_every_api_of_a_dialect_has_its_ending() -> None:
    dialects = ("-chat", "-completions", "-responses", "-messages", "-generate")
    for name in decoders.API_NAMES:
        if name.endswith(dialects):
            assert open_ending(name).blocked()
            assert open_ending(name.replace("-", "_")).failed("x")


@pytest.mark.parametrize("name", ["bedrock-converse", "openai-realtime", "auto", ""])
def test_an_api_without_an_ending_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no ending for streams of"):
        open_ending(name)
