"""Parts of the mock provider alone: waiting times, sessions and bodies that nobody should send."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import _mock_faults as faults
from connectors._mock_asked import Asked, Refused, read
from connectors._mock_pace import Pace, Waits, paced
from connectors._mock_session import Session
from connectors._mock_speech import speech_of
from connectors._mock_wire import answered
from connectors._simulate_text import Part, Speech
from operators.packet import Channel

APIS = (
    "openai-chat", "openai-completions", "openai-responses", "anthropic-messages", "gemini-generate",
    "ollama-chat", "ollama-generate",
)  # fmt: skip
EVENTS = (
    "session.update", "conversation.item.create", "conversation.item.delete", "conversation.item.truncate",
    "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear", "other",
)  # fmt: skip
NAMES = (
    "model", "messages", "input", "prompt", "contents", "role", "user", "content", "parts", "text", "n",
    "stream", "stream_options", "tools", "function", "name", "session", "item", "item_id",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


async def _writes(chunks: list[bytes], pace: Pace) -> list[tuple[bytes, float]]:
    began = time.perf_counter()
    return [(data, time.perf_counter() - began) async for data, _ in paced(chunks, pace, random.Random(1))]


def test_waits_have_the_mean_and_spread_that_were_set() -> None:
    rng = random.Random(5)
    normal = [Waits(1.0, 0.1).draw(rng) for _ in range(4000)]
    assert statistics.mean(normal) == pytest.approx(1.0, abs=0.01)
    assert statistics.stdev(normal) == pytest.approx(0.1, abs=0.01)
    exponential = [Waits(0.5, exponential=True).draw(rng) for _ in range(4000)]
    assert statistics.mean(exponential) == pytest.approx(0.5, abs=0.05)
    assert statistics.stdev(exponential) == pytest.approx(0.5, abs=0.05)
    cut = [Waits(0.1, 1.0).draw(rng) for _ in range(1000)]
    assert min(cut) >= 0
    assert Waits().draw(rng) == Waits(0, exponential=True).draw(rng) == 0


def test_the_first_write_waits_for_its_time_and_the_others_for_their_gaps() -> None:
    said = asyncio.run(_writes([b"a", b"b", b"c"], Pace(Waits(0.1), Waits(0.05))))
    assert [data for data, _ in said] == [b"a", b"b", b"c"]
    at = [when for _, when in said]
    assert at[0] >= 0.1
    assert at[1] >= 0.15
    assert at[2] >= 0.2


def test_a_rate_holds_however_late_a_timer_fires() -> None:
    said = asyncio.run(_writes([b"x"] * 2000, Pace(gap=Waits(0.0002))))
    assert said[-1][1] >= 1999 * 0.0002
    assert said[-1][1] < 1.2, "a loop's timers fire every millisecond: one for each gap would take 2 s"


def test_chunks_go_together_and_none_is_lost() -> None:
    said = asyncio.run(_writes([b"%d" % n for n in range(7)], Pace(gap=Waits(0.01), together=3)))
    assert [data for data, _ in said] == [b"012", b"345", b"6"]
    assert said[-1][1] >= 0.04


@pytest.mark.parametrize("text", ["", "fast", "-1", "1,-1", "nan", "inf", "1,2,3", "4000", "1,nan"])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be MEAN, MEAN,STD or MEAN,exp in seconds"):
        Waits.parse(text)


def test_a_write_of_no_chunks_is_refused() -> None:
    with pytest.raises(ValueError, match="chunks in a write must be 1 to"):
        Pace(together=0)


@given(st.sampled_from(APIS), JSON)
def test_any_json_is_understood_or_refused(api: str, body: object) -> None:
    status = 0
    try:
        asked = read(api, json.dumps(body).encode())
        assert answered(api, *speech_of(asked.model, asked, 1, 1), asked).chunks
    except Refused as refused:
        status = refused.status
    assert status in {0, 400, 404}


@given(st.sampled_from(EVENTS), JSON)
def test_any_client_event_is_acknowledged_or_misshapen(kind: str, fields: object) -> None:
    session = Session("echo", 1, beta=False)
    event = fields | {"type": kind} if isinstance(fields, dict) else {"type": kind}
    try:
        answers = session.receive(event)
    except (AttributeError, LookupError, TypeError, ValueError):
        return
    assert all("event_id" in answer for answer in answers)
    list(session.respond(Speech((Part(int(Channel.TEXT), "still"),)), 0))


def test_an_answer_of_too_many_deltas_is_refused() -> None:
    asked = Asked("echo:1", "x" * 200_000, True)
    with pytest.raises(Refused, match=r"100,000 deltas"):
        answered("openai-chat", *speech_of("echo:1", asked, 1, 1), asked)


def test_every_fault_that_the_table_names_can_be_asked_for() -> None:
    assert faults.__doc__
    rows = faults.__doc__.split("=====\n")[2].splitlines()
    named = [row.split()[0] for row in rows if row[:1].strip() and not row.startswith(("=", "Chunks"))]
    assert len(named) == 12
    for name in named:
        assert faults.parse(name).name == name
