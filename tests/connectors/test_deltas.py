"""Records of deltas: what is written is read again; what is no record is refused, in words that repeat none
of its own.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connectors._deltas import LATEST, MAX_NAME, REPORTED, Told, decode, encode
from operators.packet import Channel, Delta, Finish, Kind, pack

NOW = 1_700_000_000_000_000_000
SECRET = "Zq7-hunter2"

TEXT = st.text(max_size=12)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMED = st.text("aZ09_.:/@ +()-", max_size=100)
INDEX = st.integers(0, 65_535)
TIMES = st.integers(1, NOW)
LANES = {"channel": st.sampled_from(list(map(int, Channel))), "choice": INDEX, "item": INDEX}
FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
LOGPROBS = st.just(math.nan) | st.just(-math.inf) | st.floats(-1e6, 1e6)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


DELTAS = st.one_of(
    st.builds(Delta, st.just(int(Kind.TEXT)), WORDS, logprob=LOGPROBS, at=TIMES, **LANES),
    st.builds(
        Delta,
        st.just(int(Kind.START)),
        st.builds(
            lambda provider, model: _compact({"provider": provider, "model": model}),
            NAMED,
            NAMED,
        ),
        at=TIMES,
    ),
    st.builds(
        Delta,
        st.just(int(Kind.NOTE)),
        st.dictionaries(WORDS, FACTS, max_size=4).map(_compact),
        at=TIMES,
        **LANES,
    ),
    st.builds(
        Delta,
        st.just(int(Kind.USAGE)),
        st.dictionaries(st.sampled_from(["input", "output", "cached"]), st.integers(0, 10**300)).map(
            _compact
        ),
        at=TIMES,
    ),
    st.builds(Delta, st.just(int(Kind.ERROR)), st.just(REPORTED), at=TIMES),
    st.builds(Delta, st.just(int(Kind.END)), finish=st.sampled_from(list(map(int, Finish))), at=TIMES),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_NAME)


def _content(delta: Delta) -> tuple[Any, ...]:
    """What a delta says; JSON as what it means, and a probability so that NaN equals NaN."""
    text: object = delta.text
    if delta.kind in (Kind.NOTE, Kind.USAGE, Kind.START):
        text = json.loads(delta.text)
    known = "unknown" if math.isnan(delta.logprob) else delta.logprob
    return (delta.kind, text, delta.channel, delta.choice, delta.item, known, delta.finish, delta.at)


def _written(stream: str, delta: Delta) -> list[bytes]:
    return [msgspec.json.encode(record) for _, record in encode(pack(0, [(stream, delta)], now=NOW))]


def _delta(value: bytes) -> Delta:
    return decode(value, b"", NOW)[1]


@given(st.lists(st.tuples(NAMES, DELTAS), max_size=8))
def test_what_is_written_is_read_again_as_the_same_delta(said: list[tuple[str, Delta]]) -> None:
    records = encode(pack(3, said, now=NOW))
    assert [stream for stream, _ in records] == [stream for stream, _ in said]
    for (stream, delta), (_, record) in zip(said, records, strict=True):
        value = msgspec.json.encode(record)
        assert b"\n" not in value  # a line of its own, in files and in dead letters
        named, again, run, seq = decode(value, stream.encode(), NOW)
        assert (named, run, seq) == (stream, "", -1)
        assert _content(again) == _content(delta)


@given(st.sampled_from([Kind.CLOSE, Kind.WAIT]))
def test_what_the_directory_puts_in_is_not_written(kind: Kind) -> None:
    assert _written("s", Delta(kind, "{}")) == []


@pytest.mark.parametrize(
    ("written", "read"),
    [(-1e6, -1e6), (-1e6 - 1, -math.inf), (-1e300, -math.inf), (1e300, -math.inf), (math.inf, None)],
)
def test_a_probability_that_is_no_measurement_is_read_as_a_decoder_would_say_it(
    written: float, read: float | None
) -> None:
    (value,) = _written("s", Delta(Kind.TEXT, "x", logprob=written))
    known = _delta(value).logprob
    assert math.isnan(known) if read is None else known == read


@given(WORDS, st.sampled_from(list(Channel)), INDEX, INDEX, st.integers(0, 2**63 - 1))
def test_what_another_job_let_go_is_a_delta(
    text: str, lane: Channel, choice: int, item: int, seq: int
) -> None:
    record = {
        "type": "release", "stream": "s", "lane": lane.name.lower(), "choice": choice, "item": item,
        "seq": seq, "text": text, "slot": 3,
    }  # fmt: skip
    assert _content(_delta(_compact(record).encode())) == _content(
        Delta(Kind.TEXT, text, int(lane), choice, item, at=NOW)
    )


def test_least_is_enough() -> None:
    for value, delta in [
        ({"type": "start"}, Delta(Kind.START, '{"provider":"","model":""}', at=NOW)),
        ({"type": "delta", "text": "hi"}, Delta(Kind.TEXT, "hi", at=NOW)),
        ({"type": "note", "fact": {}}, Delta(Kind.NOTE, "{}", at=NOW)),
        ({"type": "usage", "counts": {}}, Delta(Kind.USAGE, "{}", at=NOW)),
        ({"type": "error", "reason": "why"}, Delta(Kind.ERROR, REPORTED, at=NOW)),
        ({"type": "end"}, Delta(Kind.END, finish=Finish.STOP, at=NOW)),
    ]:
        stream, told, _, _ = decode(_compact(value).encode(), "ké".encode(), NOW)
        assert stream == "ké"
        assert _content(told) == _content(delta)


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert _delta(b'{"type":"end","stream":"s","colour":{"deep":[1]}}').kind == Kind.END


def test_a_model_is_called_by_its_first_hundred_characters() -> None:
    value = _compact({"type": "start", "stream": "s", "provider": "p" * 101, "model": "m" * 500})
    head = json.loads(_delta(value.encode()).text)
    assert head == {"provider": "p" * 100, "model": "m" * 100}


def test_what_no_stage_looks_at_passes_on_none_of_its_writers_words() -> None:
    for wrong in (SECRET, "4111 1111 1111 1111", "<script>"):
        value = _compact({"type": "error", "stream": "s", "reason": wrong}).encode()
        assert _delta(value).text == REPORTED
        assert json.loads(_written("s", _delta(value))[0])["reason"] == REPORTED
    named = {"provider": "open\u202eai\n", "model": "gpt <b>4</b> 'x'; \\é😀"}
    value = _compact({"type": "start", "stream": "s"} | named).encode()
    assert json.loads(_delta(value).text) == {"provider": "openai", "model": "gpt b4/b x "}


def _refused(value: bytes, key: bytes = b"", skew: int = 0) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller looks at what it says
        decode(value, key, NOW, skew)
    return str(caught.value)


DEEP = b'{"type":"note","stream":"s","fact":{"a":' + b"[" * 100_000


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"", "Input data was truncated"),
        (b"hello", "JSON is malformed"),
        (b"null", "Expected `object`, got `null`"),
        (b"[1]", "Expected `object`, got `array`"),
        (b'{"stream":"s"}', "missing required field `type`"),
        (b'{"type":"summary","stream":"s"}', "Invalid value '...' - at `$.type`"),
        (b'{"type":"delta","stream":"s"}', "missing required field `text`"),
        (b'{"type":"note","stream":"s"}', "missing required field `fact`"),
        (b'{"type":"note","stream":"s","fact":[]}', "Expected `object`, got `array` - at `$.fact`"),
        (b'{"type":"usage","stream":"s","counts":{"a":1.5}}', "Expected `int`, got `float`"),
        (b'{"type":"usage","stream":"s","counts":{"a":%b}}' % (b"9" * 5000), "out of range"),
        (b'{"type":"delta","stream":"s","text":5}', "Expected `str`, got `int` - at `$.text`"),
        (b'{"type":"delta","stream":"s","text":null}', "Expected `str`, got `null` - at `$.text`"),
        (b'{"type":"delta","stream":"s","text":"a","choice":true}', "Expected `int`, got `bool`"),
        (b'{"type":"delta","stream":"s","text":"a","choice":-1}', "choice, item: from 0 to 65535"),
        (b'{"type":"delta","stream":"s","text":"a","item":65536}', "choice, item: from 0 to 65535"),
        (b'{"type":"delta","stream":"s","text":"a","logprob":1e999}', "out of range - at `$.logprob`"),
        (b'{"type":"delta","stream":"s","text":"a","logprob":NaN}', "JSON is malformed"),
        (b'{"type":"delta","stream":"s","text":"a","lane":"voice"}', "lane: one of text, reasoning, tool"),
        (b'{"type":"end","stream":"s","finish":"done"}', "finish: one of none, stop, length, tool, refusal"),
        (b'{"type":"delta","stream":"s","text":"\\ud83d"}', "no record of a delta"),
        (b'{"type":"delta","stream":"s","text":"\xff"}', "not UTF-8"),
        (b'{"type":"end"}', f"stream: names of 1 to {MAX_NAME} characters"),
        (b'{"type":"end","stream":"%b"}' % (b"x" * (MAX_NAME + 1)), f"names of 1 to {MAX_NAME}"),
        (b'{"type":"end","stream":"s","run":"%b"}' % (b"x" * (MAX_NAME + 1)), "length <= 512 - at `$.run`"),
        (b'{"type":"end","stream":"s","run":"r","seq":%d}' % 2**63, "Expected `int` <= 9223372036854775807"),
        (b'{"type":"end","stream":"s","run":"r","seq":-2}', "Expected `int` >= -1 - at `$.seq`"),
        (b'{"type":"end","stream":"s","run":"r"}', "seq: is missing"),
        (b'{"type":"end","stream":"s"} {"type":"end","stream":"s"}', "trailing characters"),
        (DEEP, "nested too deep"),
    ],
)  # fmt: skip
def test_a_wrong_record_is_refused_with_what_is_wrong(value: bytes, wanted: str) -> None:
    assert wanted in _refused(value)


def test_a_record_about_another_stream_than_its_key_is_refused() -> None:
    assert _refused(b'{"type":"end","stream":"s"}', b"t") == "stream: is not the key of the record"
    assert _refused(b'{"type":"end"}', b"k" * (MAX_NAME + 1)).startswith("stream: names of 1 to")
    assert _refused(b'{"type":"end"}', b"\xff") == "key: not UTF-8"
    assert _refused(b'{"type":"end","stream":"s"}', b"\xff") == "key: not UTF-8"


def test_a_name_is_as_long_as_its_characters() -> None:
    name = "é" * MAX_NAME
    for value, key in ((_compact({"type": "end", "stream": name}), ""), ('{"type":"end"}', name)):
        assert decode(value.encode(), key.encode(), NOW)[0] == name


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**12))
@example(NOW + 10**9, 10**9)
@example(NOW + 10**9 + 1, 10**9)
@example(NOW - 1, 0)
@example(0, 0)
@example(-1, 2**62)
@example(LATEST - 1, 2**63)
@example(LATEST, 2**63)
def test_a_clock_may_be_late_but_not_early(at: int, skew: int) -> None:
    value = _compact({"type": "end", "stream": "s", "at": at}).encode()
    if not 0 <= at < LATEST:
        assert _refused(value, skew=skew) == "at: a time before 1970, or after 2199"
    elif at > NOW + skew:
        assert "its writer's clock is wrong" in _refused(value, skew=skew)
    else:  # what is said to be from later came when the log took it in, and so what says nothing of use
        assert decode(value, b"", NOW, skew)[1].at == (at if 0 < at < NOW else NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["type", "stream", "run", "seq", "at", "slot", "text", "lane", "choice", "item", "logprob", "fact",
          "counts", "reason", "finish", "provider", "model"]  # fmt: skip
TYPES = st.sampled_from(["start", "delta", "release", "note", "usage", "error", "end"])
NEARLY = st.builds(
    lambda kind, rest: {"type": kind, "stream": "s"} | rest,
    TYPES,
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8),
)


def _read_or_refused(value: bytes, key: bytes = b"") -> Told | None:
    """Nothing but a ValueError may come of it; what is read can be packed, kept and written again."""
    try:
        told: Told = decode(value, key, NOW)
    except ValueError:
        return None
    stream, delta, run, seq = told
    assert 0 < len(stream) <= MAX_NAME
    assert -1 <= seq < 2**63
    assert seq >= 0 or not run
    assert len(run) <= MAX_NAME
    (again,) = _written(stream, delta)
    assert _content(_delta(again)) == _content(delta)
    return told


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_any_bytes_are_read_or_refused(value: bytes, key: bytes) -> None:
    _read_or_refused(value, key)


@given(NEARLY | JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    _read_or_refused(json.dumps(value).encode())  # NaN and lone surrogates are in it as they come


@given(st.tuples(NAMES, DELTAS), st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_a_record_with_a_byte_changed_or_cut_off_is_read_or_refused(
    said: tuple[str, Delta], place: int, byte: int, cut: bool
) -> None:
    (value,) = _written(*said)
    assume(place < len(value))
    _read_or_refused(value[:place] if cut else value[:place] + bytes([byte]) + value[place + 1 :])


@pytest.mark.parametrize("depth", [10, 500, *range(900, 1010)])
def test_however_deep_a_note_is_it_is_written_again_or_never_read(depth: int) -> None:
    value = b'{"type":"note","stream":"s","fact":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
    try:
        stream, delta, _, _ = decode(value, b"", NOW)
    except ValueError:
        assert depth >= 900
        assert "nested too deep" in _refused(value)
        return

    def below(calls: int) -> list[bytes]:
        return below(calls - 1) if calls else _written(stream, delta)

    (again,) = below(20)  # written where less of the stack is left
    assert delta.text.encode() in again


@st.composite
def planted(draw: st.DrawFn) -> bytes:
    """A record with a secret in some text or key of it, that need not be valid."""
    record = draw(NEARLY)
    spoken = draw(st.sampled_from([SECRET, f"'{SECRET}", f"{SECRET}'", f"\n{SECRET}`", f"it's '{SECRET}' é"]))
    where = draw(st.sampled_from([*FIELDS, "key", "fact", "counts"]))
    value: object = draw(
        st.sampled_from([spoken, {spoken: 1.5}, {"a": {spoken: "b"}}, [spoken], spoken * 60])
    )
    record[spoken if where == "key" else where] = value
    whole = json.dumps(record, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    broken = draw(st.sampled_from([b"", b"}", b"\xff", SECRET.encode()]))
    return whole[: len(whole) - draw(st.integers(0, 3))] + broken


@given(planted(), st.sampled_from([b"", b"s", SECRET.encode(), b"\xff" + SECRET.encode()]))
def test_no_cause_repeats_what_a_record_says(value: bytes, key: bytes) -> None:
    try:
        decode(value, key, NOW)
    except ValueError as error:
        told = f"{error}{error.__cause__}"
        assert SECRET not in told
        assert "hunter2" not in told
        assert "\n" not in told
