"""What a decoder owes for every input, whatever its dialect."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest

from connectors._decoder import MAX_INDEX, Decoder, Dialect, Script, short
from connectors._lines import LineFraming
from connectors.decoders import open_decoder
from operators.packet import Delta, Finish, Kind
from tests.connectors.heard import TEXT, TOOL, hear, sort


class Echo(Dialect):
    """Says what it is told: ``{"method": [arguments]}``."""

    provider = "echo"

    def receive(self, name: str, event: dict[str, Any]) -> None:
        for method, arguments in event.items():
            getattr(self.out, method)(*arguments)


def said(*lines: str) -> list[Delta]:
    decoder = Decoder(LineFraming(), Echo())
    wire = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
    return decoder.receive_data(wire, now=3) + decoder.receive_eof(now=4)


def shape(deltas: list[Delta]) -> list[tuple[str, str]]:
    return [(Kind(delta.kind).name, delta.text) for delta in deltas]


def test_stream_that_nobody_began_begins_with_its_first_text() -> None:
    assert shape(said('{"text":["a"]}'))[:2] == [("START", '{"provider":"echo","model":""}'), ("TEXT", "a")]


def test_deltas_carry_the_time_of_their_bytes() -> None:
    assert [delta.at for delta in said('{"text":["a"]}')] == [3, 3, 4]


def test_second_stream_has_a_start_of_its_own() -> None:
    heard = sort(said('{"start":["m"],"end":[1]}', '{"start":["n"],"end":[2]}'))
    assert (heard.models, heard.finishes) == (["m", "n"], [Finish.STOP, Finish.LENGTH])


def test_lowest_choice_names_the_finish_and_a_fault_overrules_it() -> None:
    assert sort(said('{"finish":[2,1]}', '{"finish":[3,0]}')).finishes == [Finish.TOOL]
    assert sort(said('{"fail":["x"]}', '{"finish":[1,0]}')).finishes == [Finish.ERROR]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "event of 1 bytes is not valid JSON"),
        ("[" * 100_000, "event of 100000 bytes is not valid JSON"),
        ("[1]", "event is a JSON list, expected an object"),
        ("null", "event is a JSON NoneType, expected an object"),
        ('{"nothing":[]}', "event does not have the shape of this API (AttributeError)"),
        ('{"text":[1]}', "event does not have the shape of this API (AttributeError)"),
        ('{"text":["a",0,-1]}', "event does not have the shape of this API (ValueError)"),
        ('{"text":["a",0,0.5]}', "event does not have the shape of this API (TypeError)"),
        (
            '{"text":["a",0,0,99999999999999999999999]}',
            "event does not have the shape of this API (TypeError)",
        ),
        ('{"note":[{},0,"a"]}', "event does not have the shape of this API (TypeError)"),
        ('{"finish":[1,"a"]}', "event does not have the shape of this API (TypeError)"),
        ('{"finish":[1,70000]}', "event does not have the shape of this API (ValueError)"),
        ('{"note":[{"a":NaN}]}', "event does not have the shape of this API (ValueError)"),
    ],
)
def test_what_cannot_be_understood_is_an_error_with_a_reason(line: str, reason: str) -> None:
    heard = sort(said(line, '{"text":["after"]}'))
    assert heard.errors == [reason]
    assert heard.lanes == {(TEXT, 0, 0): "after"}


def test_highest_index_is_a_lane() -> None:
    assert sort(said(json.dumps({"text": ["a", 2, 0, MAX_INDEX]}))).lanes == {(TOOL, 0, MAX_INDEX): "a"}


@pytest.mark.parametrize("count", ["Infinity", "-Infinity", "NaN", "1e400"])
def test_counts_that_are_no_numbers_are_an_error(count: str) -> None:
    class Usage(Echo):
        def receive(self, name: str, event: dict[str, Any]) -> None:
            self.out.usage(input=event["n"], output=None)

    heard = hear(Usage(), f'{{"n":{count}}}\n'.encode())
    assert heard.usage == {}
    assert heard.errors[0].startswith("event")


def test_surrogates_are_joined_within_their_lane_only() -> None:
    high, low = r'{"text":["a\ud83d",%d]}', r'{"text":["\udeb2b",%d]}'
    assert sort(said(high % 0, low % 0)).lanes == {(0, 0, 0): "a🚲b"}
    heard = sort(said(high % 0, low % 1))
    assert heard.lanes == {(0, 0, 0): "a\ufffd", (1, 0, 0): "\ufffdb"}
    assert heard.errors == ["half a UTF-16 surrogate pair at the end of a lane"]


def test_every_text_is_utf8_even_the_names() -> None:
    for delta in said(r'{"start":["\ud83d"],"note":[{"\ud83d":"\udeb2"}],"text":["\udeb2"]}'):
        assert delta.text.encode() is not None


def test_framing_fault_ends_the_stream_and_the_reading() -> None:
    decoder = Decoder(LineFraming(20), Echo())
    deltas = decoder.receive_data(b'{"text":["a"]}\n' + b"x" * 30 + b'\n{"text":["b"]}\n', now=0)
    assert shape(deltas)[1:3] == [("TEXT", "a"), ("ERROR", "line longer than 20 bytes")]
    assert sort(deltas).finishes == [Finish.ERROR]
    assert decoder.receive_data(b'{"text":["c"]}\n', now=0) == []
    assert decoder.receive_eof(now=0) == []


@pytest.mark.parametrize("lines", [[], ["", " "], ["[DONE]"], ["{}"]])
def test_bytes_without_a_stream_are_not_silent(lines: list[str]) -> None:
    heard = sort(said(*lines))
    assert heard.errors == ["the bytes ended before a stream began"]
    assert heard.finishes == [Finish.TRUNCATED]


def test_end_of_the_bytes_is_heard_once() -> None:
    decoder = Decoder(LineFraming(), Echo())
    assert len(decoder.receive_data(b'{"text":["a"]}\n', now=0)) == 2
    assert [delta.kind for delta in decoder.receive_eof(now=0)] == [Kind.END]
    assert decoder.receive_eof(now=0) == []


def test_missing_logprob_is_nan() -> None:
    out = Script("x")
    out.text("a")
    out.text("b", 0, 0, 0, -0.5)
    start, bare, proven = out.take()
    assert math.isnan(start.logprob)
    assert math.isnan(bare.logprob)
    assert proven.logprob == -0.5


def test_code_in_a_reason_is_short_and_harmless() -> None:
    assert short("rate_limit\n<script>\x1b[0m") == "rate_limitscript0m"
    assert len(short("x" * 1000)) == 64


def _hear(body: bytes, api: str = "auto") -> list[Delta]:
    decoder = open_decoder(api)
    return [*decoder.receive_data(body, now=0), *decoder.receive_eof(now=0)]


@pytest.mark.parametrize("key", ["object", "type", "event_type"])
def test_deep_nesting_where_a_name_should_be_is_an_error_not_an_exception(key: str) -> None:
    deep = b"[" * 1000 + b"]" * 1000
    said = _hear(b'data: {"%s":%b}\n\n' % (key.encode(), deep))
    assert [delta.kind for delta in said] == [Kind.START, Kind.ERROR, Kind.END]


def test_a_model_name_is_no_way_out_for_text() -> None:
    chunk = b'{"model":"\\ud800m<x@y.z>\\u001b[2J","choices":[{"delta":{"content":"a"}}]}'
    said = _hear(b"data: " + chunk + b"\n\n", "openai-chat")
    assert orjson.loads(said[0].text)["model"] == "mx@y.z2J"


@pytest.mark.parametrize(
    "error", ["jane 4111 1111 1111 1111", {"type": "AKIAIOSFODNN7EXAMPLE", "code": "4111111111111111"}]
)
@pytest.mark.parametrize("api", ["anthropic-messages", "openai-chat", "gemini-generate"])
def test_a_reason_repeats_no_text_of_the_provider(api: str, error: object) -> None:
    said = _hear(orjson.dumps({"type": "error", "error": error}) + b"\n", api)
    reasons = [delta.text for delta in said if delta.kind == Kind.ERROR]
    assert reasons
    assert not any("4111" in reason or "AKIA" in reason or "jane" in reason for reason in reasons)
