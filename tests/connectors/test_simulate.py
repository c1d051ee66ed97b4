"""The simulator: what it says decodes to what it meant, and what it planted is there."""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections import Counter
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._simulate_text import SPEAKERS, pieces
from connectors._simulate_wire import WRITERS
from connectors.decoders import open_decoder
from connectors.simulate import Performance, SimulateConfig, script
from operators.packet import Channel, Finish, Kind
from tests.connectors.heard import Heard, sort

CUT_SHORT = ("truncated", "error")
LOOPS = [kind for kind in SPEAKERS if kind.startswith("loop")]


def one(kind: str, api: str = "openai-chat", *, seed: int = 1, **rest: Any) -> Performance:
    """A stream of this kind over this API."""
    return script(SimulateConfig(seed=seed, kinds={kind: 1}, apis={api: 1}, **rest), 0)


def heard(performance: Performance, api: str = "") -> Heard:
    decoder = open_decoder(api or performance.api)
    deltas = []
    for at, data in performance.chunks():
        deltas += decoder.receive_data(data, now=round(at * 1e9))
    return sort(deltas + decoder.receive_eof(now=0))


@pytest.mark.parametrize("api", WRITERS)
@pytest.mark.parametrize("kind", SPEAKERS)
def test_stream_decodes_to_what_was_meant(kind: str, api: str) -> None:
    performance = one(kind, api)
    found = heard(performance)
    assert found.lanes == performance.lanes
    assert found.finishes == [performance.finish]
    assert bool(found.errors) == (kind in CUT_SHORT)
    for planted in performance.truth:
        assert any(lane[0] == planted.channel and planted.text in text for lane, text in found.lanes.items())
    if kind not in CUT_SHORT:
        assert found.usage["input"] > 0
        assert found.usage["output"] >= len(found.deltas) - 10


@pytest.mark.parametrize("api", WRITERS)
def test_api_is_found_out_from_the_bytes(api: str) -> None:
    performance = one("reasoning", api)
    assert heard(performance, "auto").lanes == performance.lanes


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_any_stream_of_any_seed_decodes_to_what_was_meant(seed: int, number: int) -> None:
    performance = script(SimulateConfig(seed=seed), number)
    found = heard(performance)
    assert found.lanes == performance.lanes
    assert found.finishes == [performance.finish]


def test_stream_depends_on_seed_and_number_alone() -> None:
    config = SimulateConfig(seed=5)
    again = script(SimulateConfig(seed=5, streams=9), 7)
    assert again.stream == script(config, 7).stream
    assert list(again.chunks()) == list(script(config, 7).chunks())
    others = [script(SimulateConfig(seed=6), 7), script(config, 8)]
    assert all(list(other.chunks()) != list(script(config, 7).chunks()) for other in others)


def test_rounds_hold_every_kind_as_often_as_its_weight() -> None:
    config = SimulateConfig(kinds={"prose": 3, "code": 1, "stall": 0})
    for first in range(0, 20, 4):
        kinds = Counter(script(config, number).kind for number in range(first, first + 4))
        assert kinds == {"prose": 3, "code": 1}
    whole = SimulateConfig()
    assert {script(whole, n).kind for n in range(whole.streams)} == set(SPEAKERS)


def test_streams_are_named_by_number_and_kind_and_begin_at_the_rate() -> None:
    config = SimulateConfig(rate=2.0)
    cast = [script(config, number) for number in range(200)]
    assert cast[3].stream == f"sim-003-{cast[3].kind}"
    assert len({performance.stream for performance in cast}) == 200
    assert all(n / 2 <= performance.begins < (n + 1) / 2 for n, performance in enumerate(cast))


@pytest.mark.parametrize(
    "wrong",
    [{"kinds": {"sonnet": 1}}, {"apis": {"morse": 1}}, {"kinds": {"prose": 0}}, {"rate": 0}, {"tempo": 1}],
)
def test_wrong_config_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SimulateConfig(**wrong)


# times


def test_chunks_come_in_order_after_the_request() -> None:
    performance = script(SimulateConfig(), 11)
    times = [at for at, _ in performance.chunks()]
    assert performance.begins < times[0]
    assert all(before <= after for before, after in pairwise(times))


def test_first_token_and_gaps_are_as_configured() -> None:
    config = SimulateConfig(
        kinds={"prose": 1},
        apis={"ollama-chat": 1},
        ttft_mean=0.3,
        ttft_sd=0.1,
        gap_median=0.05,
        gap_sigma=0.4,
    )
    cast = [script(config, number) for number in range(60)]
    first = [next(performance._events()).at - performance.begins for performance in cast]
    assert statistics.mean(first) == pytest.approx(0.35, abs=0.06)  # and the first token's own gap
    at = [event.at for event in cast[0]._events()]
    gaps = [math.log(after - before) for before, after in pairwise(at) if after > before]
    assert statistics.median(gaps) == pytest.approx(math.log(0.05), abs=0.1)
    assert statistics.stdev(gaps) == pytest.approx(0.4, abs=0.08)


def gaps(performance: Performance) -> list[float]:
    return [after - before for (before, _), (after, _) in pairwise(performance.chunks())]


def test_stall_is_one_long_silence_and_nothing_is_lost_in_it() -> None:
    assert sorted(gap > 5 for gap in gaps(one("stall")))[-2:] == [False, True]
    assert max(gaps(one("prose"))) < 1


def test_burst_is_ten_times_faster_from_the_middle_on() -> None:
    said = gaps(one("burst"))
    third = len(said) // 3
    assert 5 < statistics.mean(said[:third]) / statistics.mean(said[-third:]) < 20


def test_reads_end_between_events_inside_them_and_inside_characters() -> None:
    counts: Counter[str] = Counter()
    for seed in range(20):
        for _, data in one("multilingual", seed=seed).chunks():
            counts["torn"] += not data.endswith(b"\n\n")
            counts["several"] += data.count(b"\n\n") > 1
            counts["one"] += data.count(b"\n\n") == 1
            try:
                data.decode()
            except UnicodeDecodeError:
                counts["character"] += 1
    assert counts["one"] > counts["several"] > counts["torn"] > counts["character"] > 0


# what is said


@pytest.mark.parametrize("kind", SPEAKERS)
def test_pieces_are_the_whole_text_and_some_four_characters_long(kind: str) -> None:
    text = "".join(one(kind).lanes.values())
    assert "".join(pieces(text)) == text
    assert kind == "multilingual" or 2.4 < len(text) / len(pieces(text)) < 5


@pytest.mark.parametrize("kind", LOOPS)
def test_loop_says_its_unit_to_the_end(kind: str) -> None:
    performance = one(kind)
    (planted,) = performance.truth
    (text,) = performance.lanes.values()
    assert performance.finish == Finish.LENGTH
    unit = re.escape(planted.text)
    if kind == "loop_counter":
        unit = re.sub(r"\d+", r"\\d+", unit)
    assert re.search(rf"({unit}\s*){{10,}}\Z", text)


def test_prose_does_not_repeat_itself() -> None:
    for seed in range(5):
        (text,) = one("prose", seed=seed).lanes.values()
        sentences = re.split(r"(?<=[.]) ", text)
        assert len(set(sentences)) == len(sentences)


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def test_personal_data_is_valid_and_nobodys() -> None:
    found = Counter[str]()
    for seed in range(60):
        for planted in one("personal_data", seed=seed).truth:
            text = planted.text.replace(" ", "")
            if "@" in text:
                found["email"] += 1
                assert re.fullmatch(r"[\w.]+@(mail\.)?example\.(com|org|net)", text)
            elif text.startswith("+"):
                found["phone"] += 1
                assert re.fullmatch(r"\+1\d{3}-555-01\d\d|\+442079460\d{3}", text)
            elif text.startswith("DE"):
                found["iban"] += 1
                moved = text[4:] + text[:4]
                assert int("".join(str(int(c, 36)) for c in moved)) % 97 == 1
            else:
                found["card"] += 1
                assert len(text) == 16
                assert luhn(text)
                assert not luhn(text[:-1] + str((int(text[-1]) + 1) % 10))
    assert min(found[name] for name in ("email", "phone", "iban", "card")) > 10


SHAPES = {
    r"sk-proj-[A-Za-z0-9]{48}", r"sk-ant-api03-[\w-]{95}", r"AKIA[A-Z2-7]{16}", r"ghp_[A-Za-z0-9]{36}",
    r"xoxb-\d{12}-\d{12}-[A-Za-z0-9]{24}", r"AIza[\w-]{35}", r"sk_test_[A-Za-z0-9]{24}",
    r"-----BEGIN (PRIVATE) KEY-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END \1 KEY-----",
}  # fmt: skip


def test_secrets_have_the_shapes_that_providers_document() -> None:
    seen = set()
    for seed in range(60):
        for planted in one("secret", seed=seed).truth:
            shapes = {shape for shape in SHAPES if re.fullmatch(shape, planted.text)}
            assert len(shapes) == 1, planted.text
            seen |= shapes
            assert "FAKE" in planted.text or "BEGIN" in planted.text
    assert seen == SHAPES


def test_arguments_of_a_tool_are_json() -> None:
    for seed in range(10):
        performance = one("tool_call", "anthropic-messages", seed=seed)
        (arguments,) = (text for lane, text in performance.lanes.items() if lane[0] == Channel.TOOL)
        assert json.loads(arguments)
        assert performance.finish == Finish.TOOL


def test_refusal_has_its_own_lane_where_the_api_has_one() -> None:
    assert [lane[0] for lane in heard(one("refusal", "openai-chat")).lanes] == [Channel.REFUSAL]
    assert [lane[0] for lane in heard(one("refusal", "anthropic-messages")).lanes] == [Channel.TEXT]


def test_logprobs_come_with_the_share_of_streams_that_asked() -> None:
    def probable(performance: Performance) -> bool:
        texts = [delta for delta in heard(performance).deltas if delta.kind == Kind.TEXT]
        known = [not math.isnan(delta.logprob) for delta in texts]
        assert all(known) or not any(known)
        return known[0]

    assert probable(one("prose", logprobs=1.0))
    assert not probable(one("prose", logprobs=0.0))
    config = SimulateConfig(logprobs=0.5, kinds={"refusal": 1}, apis={"openai-chat": 1})
    assert 5 < sum(probable(script(config, number)) for number in range(30)) < 25


def test_events_are_those_of_the_official_types() -> None:
    chat = pytest.importorskip("openai.types.chat").ChatCompletionChunk
    union = pytest.importorskip("openai.types.responses.response_stream_event").ResponseStreamEvent
    responses = {
        get_args(each.model_fields["type"].annotation)[0]: each for each in get_args(get_args(union)[0])
    }
    messages = pytest.importorskip("anthropic.types.raw_message_stream_event").RawMessageStreamEvent
    blocks = {
        get_args(each.model_fields["type"].annotation)[0]: each for each in get_args(get_args(messages)[0])
    }
    gemini = pytest.importorskip("google.genai.types").GenerateContentResponse
    for kind in SPEAKERS:
        if kind in CUT_SHORT:
            continue
        for event in events(one(kind, "openai-chat", logprobs=1.0)):
            chat.model_validate(event)
        for event in events(one(kind, "openai-responses")):
            responses[event["type"]].model_validate(event)
        for event in events(one(kind, "anthropic-messages")):
            if event["type"] != "ping":
                blocks[event["type"]].model_validate(event)
        for event in events(one(kind, "gemini-generate")):
            gemini.model_validate(event)


def events(performance: Performance) -> list[dict[str, Any]]:
    data = b"".join(data for _, data in performance.chunks()).decode()
    return [json.loads(said) for said in re.findall(r"^data: (\{.*)$", data, re.MULTILINE)]


def test_deltas_are_made_faster_than_a_flow_takes_them() -> None:
    performance = one("loop_word")
    deltas = len(heard(performance).deltas)
    spent = []
    for _ in range(5):
        began = time.process_time()
        chunks = list(one("loop_word").chunks())
        spent.append(time.process_time() - began)
    assert len(chunks) > deltas / 2
    assert deltas / min(spent) > 20_000  # 130,000 alone; other programs run beside tests
