"""All decoders, by name and found out: every recording, every cutting, any damage."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import decoders
from connectors._decoder import MAX_EVENT
from connectors.decoders import API_NAMES, open_decoder
from operators.packet import Delta, Finish, Kind
from tests.connectors.cutting import CUTS, SIZES, cut, deltas, pieces, same
from tests.connectors.heard import SAMPLES, Heard, sort

MISNAMED = {"openai-chat-05.sse": "openai-images"}
"""Recordings whose index row names another API than they hold: this one is of an image."""


def recorded(data_dir: Path) -> Iterator[tuple[Path, str]]:
    """Every recording with the name of its API."""
    index = data_dir.joinpath("streams", "INDEX.jsonl").read_bytes().splitlines()
    for row in map(json.loads, index):
        yield data_dir / "streams" / row["file"], MISNAMED.get(row["file"], row["api"])
    for path in sorted(data_dir.joinpath("realtime").glob("*-realtime-*.jsonl")):
        yield path, path.name.rpartition("-")[0]


def dialect(api: str, wire: bytes) -> str:
    decoder = open_decoder(api)
    deltas(decoder, [wire])
    return type(decoder._dialect).__name__


def heard(api: str, wire: bytes) -> Heard:
    return sort(deltas(open_decoder(api), [wire]))


def provider(said: list[Delta]) -> str:
    return str(json.loads(said[0].text)["provider"])


def test_every_recording_is_decoded_by_its_name_without_a_fault_of_ours(data_dir: Path) -> None:
    ends: Counter[Finish] = Counter()
    for path, api in recorded(data_dir):
        said = sort(deltas(open_decoder(api), [path.read_bytes()]))
        assert not [reason for reason in said.errors if "event" in reason.split()], path.name
        assert said.finishes, path.name
        ends.update(said.finishes)
    assert sum(ends.values()) >= 390
    assert ends[Finish.TRUNCATED] + ends[Finish.ERROR] < 15


def test_every_recording_is_found_out(data_dir: Path) -> None:
    for path, api in recorded(data_dir):
        wire = path.read_bytes()
        assert dialect("auto", wire) == dialect(api, wire), path.name
        auto, named = deltas(open_decoder("auto"), [wire]), deltas(open_decoder(api), [wire])
        # START names the provider, which the bytes need not tell
        rest = [same(each for each in said if each.kind != Kind.START) for said in (auto, named)]
        assert rest[0] == rest[1], path.name


@pytest.mark.parametrize(
    "size", [pytest.param(size, marks=[pytest.mark.slow] if size < 3 else []) for size in SIZES]
)
def test_every_recording_says_the_same_in_pieces(data_dir: Path, size: int) -> None:
    for path, api in recorded(data_dir):
        wire = path.read_bytes()
        whole = deltas(open_decoder(api), [wire])
        assert same(deltas(open_decoder(api), pieces(wire, size))) == same(whole), path.name


@pytest.mark.parametrize("size", [1, 7])
def test_found_out_in_pieces_is_found_out_the_same(data_dir: Path, size: int) -> None:
    for path, _ in recorded(data_dir):
        wire = path.read_bytes()[:4000]
        assert same(deltas(open_decoder("auto"), pieces(wire, size))) == same(
            deltas(open_decoder("auto"), [wire])
        ), path.name


def test_vendor_of_the_name_is_the_provider() -> None:
    wire = SAMPLES.joinpath("openai-chat.sse").read_bytes()
    assert provider(deltas(open_decoder("zai-chat"), [wire])) == "zai"
    assert provider(deltas(open_decoder("openai_chat"), [wire])) == "openai"
    assert provider(deltas(open_decoder("auto"), [wire])) == "openai"


@pytest.mark.parametrize(
    ("sign", "vendor"),
    [
        ('"x_groq":{"id":"r"}', "groq"),
        ('"prompt_filter_results":[{}]', "azure"),
        ('"citations":["https://a.example"]', "perplexity"),
        ('"provider":"Novita"', "openrouter"),
        ('"citations":null', "openai"),
    ],
)
def test_provider_is_named_by_what_it_alone_sends(sign: str, vendor: str) -> None:
    wire = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}],%s}\n\n' % sign.encode()
    assert provider(deltas(open_decoder("auto"), [wire])) == vendor


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*-*.sse")))
def test_samples_are_found_out(sample: str) -> None:
    wire = SAMPLES.joinpath(sample).read_bytes()
    api = "-".join(sample.removesuffix(".sse").split("-")[:2])
    assert dialect("auto", wire) == dialect(api, wire)
    assert heard("auto", wire).errors == []


def test_names_with_underscores_and_of_chunk_files_are_the_same() -> None:
    for name in API_NAMES:
        assert type(open_decoder(name.replace("-", "_") + "-chunks")) is type(open_decoder(name))
    assert {"auto", "text", "openai-chat", "anthropic", "gemini-generate", "cohere-v2chat"} <= set(API_NAMES)


@pytest.mark.parametrize("name", ["", "chatgpt", "openai", "auto-auto", "OPENAI-CHAT"])
def test_wrong_name_is_refused_with_all_that_would_be_right(name: str) -> None:
    with pytest.raises(ValueError, match="no API is named") as caught:
        open_decoder(name)
    assert "groq-chat" in str(caught.value)


@pytest.mark.parametrize(
    "wire",
    [
        b'data: {"greeting": "hello"}\n\n',
        b'{"greeting": "hello"}\n' * 40,
        b"data: hello\n\n" * 20,
        b"[1, 2]",
        b'event: x\ndata: "y"\n\n',
    ],
)
def test_unknown_api_is_one_error_and_the_end(wire: bytes) -> None:
    said = deltas(open_decoder("auto"), [wire])
    assert [delta.kind for delta in said] == [Kind.START, Kind.ERROR, Kind.END]
    assert provider(said) == "unknown"
    assert said[1].text.startswith("unknown API")
    assert said[2].finish == Finish.ERROR


@pytest.mark.parametrize("wire", [b"Hello, world", b"<html>502</html>", b"\x89PNG\r\n"])
def test_bytes_of_no_structure_are_an_error_for_every_api_but_text(wire: bytes) -> None:
    for api in ("auto", "openai-chat", "anthropic-messages"):
        said = heard(api, wire)
        assert said.errors == ["the bytes are no SSE, no JSON and no event-stream frames"]
        assert said.finishes == [Finish.ERROR]
    assert heard("text", wire).finishes == [Finish.STOP]


@pytest.mark.parametrize("wire", [b"", b"\n", b": ping\n\n"])
def test_nothing_is_an_error_and_a_truncated_stream(wire: bytes) -> None:
    for api in ("auto", "openai-responses"):
        said = heard(api, wire)
        assert len(said.errors) == 1
        assert said.finishes in ([Finish.TRUNCATED], [Finish.ERROR])


def test_error_body_without_any_other_sign_is_reported() -> None:
    said = deltas(open_decoder("auto"), [b'{\n  "error": {"type": "server_error", "message": "secret"}\n}\n'])
    assert provider(said) == "unknown"
    assert sort(said).errors == ["provider error: server_error"]


def test_pings_before_the_first_telling_event_lose_nothing() -> None:
    wire = b'event: ping\ndata: {"type": "ping"}\n\n' * 10 + SAMPLES.joinpath("openai-chat.sse").read_bytes()
    assert heard("auto", wire).lanes == heard("openai-chat", wire).lanes


def test_limit_is_that_of_the_framing() -> None:
    wire = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"x" * 500)
    for api in ("auto", "openai-chat"):
        said = sort(deltas(open_decoder(api, limit=100), pieces(wire, 50)))
        assert said.errors == ["event longer than 100 bytes"]
        assert said.finishes == [Finish.ERROR]
    assert heard("auto", b"data: " + b"x" * (MAX_EVENT + 1)).finishes == [Finish.ERROR]


SEEDS = [path.read_bytes() for path in sorted(SAMPLES.glob("*-*.sse"))] + [
    b'{"error": {"code": 400, "status": "X"}}',
    b'[{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}\n]',
    b'{"model":"m","message":{"role":"assistant","content":"a"},"done":false}\n',
]
CLASSES = sorted({known for known, _ in decoders._APIS.values()}, key=lambda known: known.__name__)
FAMILIES = [next(name for name, (known, _) in decoders._APIS.items() if known is each) for each in CLASSES]


FIELDS = """
    type object choices delta content index error usage message text output item response event_id id
    model name tool_calls function arguments finish_reason logprobs part parts candidates
"""
NAMES = st.sampled_from(FIELDS.split())


@given(st.sampled_from(SEEDS), st.data(), st.sampled_from(["auto", *FAMILIES]), CUTS)
@settings(max_examples=400, deadline=None)
def test_damaged_streams_keep_the_laws_for_every_api(
    wire: bytes, data: st.DataObject, api: str, cuts: list[int]
) -> None:
    damaged = bytearray(wire)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(damaged)))
        size = data.draw(st.integers(0, 20))
        damaged[place : place + size] = data.draw(
            st.binary(max_size=6)
            | st.sampled_from([b"null", b"[]", b"{}", b'"', b"-1", b"1e999", b"\n", b"\\ud800"])
        )
    wire = bytes(damaged)
    whole = deltas(open_decoder(api), [wire])
    assert sort(whole).finishes
    assert all(delta.text.encode() is not None for delta in whole)
    assert same(deltas(open_decoder(api), cut(wire, cuts))) == same(whole)


@given(st.binary(max_size=300), st.sampled_from(["auto", "text", *FAMILIES]), CUTS)
@settings(max_examples=200, deadline=None)
def test_random_bytes_keep_the_laws_for_every_api(wire: bytes, api: str, cuts: list[int]) -> None:
    whole = deltas(open_decoder(api), [wire])
    assert sort(whole).finishes
    assert same(deltas(open_decoder(api), cut(wire, cuts))) == same(whole)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4) | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
        max_leaves=20,
    ),
    st.sampled_from(["auto", *FAMILIES]),
)
@settings(max_examples=300, deadline=None)
def test_json_of_any_shape_keeps_the_laws_for_every_api(value: object, api: str) -> None:
    wire = b"data: " + json.dumps(value).encode() + b"\n\n"
    assert sort(deltas(open_decoder(api), [wire * 2])).finishes
