"""Packets as records of topics: the contract's own objects, each with slot and number, in its topic."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._deltas import decode, encode
from connectors._kafka_records import (
    AUDIT,
    DECISIONS,
    DELTAS,
    AuditRecords,
    Counters,
    Decisions,
    Deltas,
    Encoder,
    Out,
    oversized,
)
from connectors._records import Recorder
from connectors.ndjson import NdjsonEncoder
from operators.audit import Audit
from operators.directory import Directory
from operators.features import Features
from operators.packet import SAMPLE, Action, Dead, Delta, Kind, Packet, joined, pack
from operators.policy import Policy
from operators.release import Release
from operators.slots import Stage
from tests.operators.scripted import Words
from tests.stages import Said, whole, woven

SLOT, NOW = 5, 1_700_000_000_000_000_000
NAMES, REASONS = ["digits", "word", "undecided"], ["four of them", "it ends it all", "too much"]
SOURCE = "p.deltas"
TOPICS = {
    "start": "releases", "release": "releases", "error": "releases", "end": "releases",
    "finding": "findings", "verdict": "verdicts",
}  # fmt: skip
"""What of the contract belongs in which topic."""


def _stages() -> list[Stage]:
    gate = Words(["K019", "STOP!"])
    policy = Policy([Action.REDACT, Action.BLOCK, Action.BLOCK])
    return [Directory(), Features(), gate, policy, Release(["[DIGITS]", "", ""], 24)]


def _run(said: Sequence[Said], size: int, more: Iterable[Stage] = ()) -> list[Packet]:
    stages, packets = [*_stages(), *more], []
    for at in range(0, len(said), size):
        packet = pack(SLOT, said[at : at + size], now=NOW + at)
        for stage in stages:
            packet = stage.update(packet)
        packets.append(packet)
    return packets


def _decisions(*, samples: bool = False) -> Decisions:
    return Decisions(Recorder(NAMES, REASONS), SOURCE, samples=samples)


def _outs(encoder: Encoder, packets: Iterable[Packet]) -> list[Out]:
    return [out for packet in packets for out in encoder.encode(packet)]


def _of(outs: Iterable[Out], *topics: str) -> list[dict[str, Any]]:
    return [orjson.loads(value) for topic, _, _, value, _ in outs if topic in topics]


def _check(outs: Sequence[Out], counters: Counters) -> None:
    """What holds for every record: its key, slot and number; each topic has one counter, which ascends."""
    last: dict[str, int] = {}
    fed: dict[str, set[str]] = defaultdict(set)
    for topic, key, seq, value, kind in outs:
        record = orjson.loads(value)
        assert list(record).count("seq") == list(record).count("slot") == 1
        assert value.count(b"\n") == value.endswith(b"\n")
        assert (record["slot"], record["seq"], record["stream"].encode()) == (SLOT, seq, key)
        assert seq > last.get(kind, -1)
        last[kind] = seq
        fed[topic].add(kind)
    assert all(len(kinds) == 1 for kinds in fed.values())
    assert {kind: getattr(counters, kind) for kind in last} == last


WORDS = st.sampled_from(["K019", "STOP!", "K0", " and ", "é\n"]) | st.text('"\\\u2028😀\x00', max_size=3)
TEXTS = st.lists(WORDS, max_size=8)


def _timed(said: Iterable[Said]) -> list[Said]:
    return [(stream, msgspec.structs.replace(delta, at=NOW)) for stream, delta in said]


SAID = st.builds(
    lambda texts, turns: _timed(
        woven([whole(f"é{n}", "".join(each), range(0, 40, 3)) for n, each in enumerate(texts)], turns)
    ),
    st.lists(TEXTS, min_size=1, max_size=3),
    st.lists(st.integers(0, 2), max_size=30),
)


@settings(max_examples=60)
@given(SAID, st.integers(1, 30))
def test_decisions_are_the_contract_with_slot_and_number_each_in_its_topic(
    said: list[Said], size: int
) -> None:
    packets, encoder = _run(said, size), _decisions()
    outs = _outs(encoder, packets)
    _check(outs, encoder.counters)
    lines = NdjsonEncoder(NAMES, REASONS)
    wanted = [orjson.loads(line) for packet in packets for line in lines.encode(packet).splitlines()]
    assert wanted[0]["type"] == "start"
    for (topic, _, seq, value, kind), record in zip(outs, wanted, strict=True):
        found = orjson.loads(value)
        assert (topic, kind) == (TOPICS[record["type"]], "decided")
        assert found == record | {"slot": SLOT, "seq": seq}
        assert list(found)[: len(record)] == list(record)
    numbers = [seq for _, _, seq, _, _ in outs]
    assert numbers == list(range(len(numbers)))  # a gap tells a reader that something is missing
    assert {topic for topic, *_ in outs} <= set(DECISIONS)


@settings(max_examples=30)
@given(SAID)
def test_a_decision_has_the_same_number_however_its_packet_was_cut(said: list[Said]) -> None:
    assert _outs(_decisions(), _run(said, 1)) == _outs(_decisions(), _run(said, 1000))


def test_samples_go_where_they_are_wanted_and_only_there() -> None:
    packets = _run(whole("s", "some words are here", [5, 9]), 2)
    (wild,) = (np.zeros(1, SAMPLE)[:1],)
    wild["delta"], wild["value"] = 1, np.inf
    packets[0] = packets[0].having(samples=joined(packets[0].samples, wild))
    encoder = _decisions(samples=True)
    outs = _outs(encoder, packets)
    _check(outs, encoder.counters)
    recorder = Recorder(NAMES, REASONS)
    wanted = [msgspec.to_builtins(sample) for packet in packets for sample in recorder.samples(packet)]
    assert len(wanted) > 5
    found = _of(outs, "samples")
    assert [record["seq"] for record in found] == list(range(len(wanted)))
    assert [{k: v for k, v in record.items() if k not in ("slot", "seq")} for record in found] == wanted
    assert [record["value"] for record in found].count(None) == 1  # JSON has no infinity
    rest = [out for out in outs if out[0] != "samples"]
    assert _outs(_decisions(), packets) == rest


POISON = Dead(77, "s", "no record of a delta: not UTF-8", 9, b"\xff\x00 bytes")


def test_what_could_not_be_read_is_a_dead_letter_with_its_place_and_bytes() -> None:
    packet = _run(_timed(whole("s", "hi")), 9)[0]
    packet.dead = POISON, Dead(80, "", "a record of 99 bytes, limits.event_bytes is 5", 99, b"12345")
    for encoder in (_decisions(), Deltas(SOURCE, "r")):
        outs = list(encoder.encode(packet))
        _check(outs, encoder.counters)
        one, two = _of(outs, "dead")
        assert one == {
            "type": "dead", "stream": "s", "cause": POISON.cause, "topic": SOURCE, "offset": 77, "last": 77,
            "size": 9, "data": base64.b64encode(POISON.data).decode(), "seq": 0, "slot": SLOT,
        }  # fmt: skip
        assert (two["stream"], two["offset"], two["size"], two["seq"]) == ("", 80, 99, 1)


def _letters(packet: Packet) -> list[dict[str, Any]]:
    encoder = _decisions()
    outs = list(encoder.encode(packet))
    _check(outs, encoder.counters)
    return _of(outs, "dead")


def _content(delta: Delta) -> list[object]:
    """A delta as what can be compared: it has a probability that is unknown."""
    return [getattr(delta, name) for name in Delta.__struct_fields__ if name != "logprob"]


def _revived(letters: Iterable[dict[str, Any]]) -> dict[str, list[Delta]]:
    """The deltas that dead letters hold, by stream, read as the log's reader would."""
    revived: dict[str, list[Delta]] = defaultdict(list)
    for letter in letters:
        for line in base64.b64decode(letter["data"]).splitlines():
            stream, delta, _, _ = decode(line, letter["stream"].encode(), NOW + 1)
            revived[stream].append(delta)
    return dict(revived)


@given(SAID)
def test_a_packet_that_broke_a_stage_can_be_had_again_from_its_dead_letters(said: list[Said]) -> None:
    packet = pack(SLOT, said, now=NOW).having(failed="gate: internal error (ValueError)")
    packet.origin, packet.dead = (40, 44), (POISON,)
    first, *letters = _letters(packet)
    assert first["cause"] == POISON.cause
    wanted: dict[str, list[Any]] = defaultdict(list)
    for stream, delta in said:
        wanted[stream].append(_content(delta))
    assert {stream: list(map(_content, each)) for stream, each in _revived(letters).items()} == wanted
    for letter in letters:
        assert (letter["cause"], letter["topic"]) == (packet.failed, SOURCE)
        assert (letter["offset"], letter["last"]) == (40, 44)
        assert letter["size"] == len(base64.b64decode(letter["data"]))


def test_a_failed_packet_releases_nothing_and_its_text_is_in_dead_letters_alone() -> None:
    said = _timed(whole("s", "the secret", [4]))
    packet = Directory().update(pack(SLOT, said, now=NOW)).having(failed="gate: internal error (KeyError)")
    packet.origin = 3, 6
    outs = list(_decisions().encode(Release([""], 4).update(packet)))
    told = [record["type"] for record in _of(outs, "releases")]
    assert told == ["start", "error", "end"]
    (letter,) = _of(outs, "dead")
    assert b"secret" not in b"".join(value for topic, _, _, value, _ in outs if topic != "dead")
    assert b"".join(base64.b64decode(letter["data"]).splitlines()).count(b'"type":"delta"') == 2


@pytest.mark.parametrize("piece", ["plain text " * 900, "\x01" * 10_000, "😀" * 3_000])
def test_dead_letters_of_a_large_packet_fit_their_topic_and_lose_nothing(piece: str) -> None:
    said = [(f"s{n % 3}", Delta(Kind.TEXT, f"{n} {piece}", at=NOW)) for n in range(300)]
    packet = pack(SLOT, said, now=NOW).having(failed="why")
    letters = _letters(packet)
    assert len(letters) > 3
    assert all(len(base64.b64decode(letter["data"])) <= 256 * 1024 for letter in letters)
    assert max(len(orjson.dumps(letter)) for letter in letters) < 512 * 1024
    revived = _revived(letters)
    for stream in ("s0", "s1", "s2"):
        assert [delta.text for delta in revived[stream]] == [d.text for name, d in said if name == stream]


@given(SAID, st.integers(1, 30), st.from_regex(r"[A-Za-z0-9._-]{0,64}", fullmatch=True))
def test_deltas_are_written_as_they_were_said_with_run_slot_and_number(
    said: list[Said], size: int, run: str
) -> None:
    packets = [pack(SLOT, said[at : at + size], now=NOW) for at in range(0, len(said), size)]
    encoder = Deltas("stdin", run)
    outs = _outs(encoder, packets)
    _check(outs, encoder.counters)
    assert {topic for topic, *_ in outs} <= set(DELTAS)
    assert [seq for _, _, seq, _, _ in outs] == list(range(len(said)))
    for (topic, key, seq, value, kind), (stream, delta) in zip(outs, said, strict=True):
        assert (topic, key, kind) == ("deltas", stream.encode(), "deltas")
        told, again, numbering, number = decode(value, key, NOW)
        assert (told, numbering, number) == (stream, run, seq)
        assert _content(again) == _content(delta)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9))
def test_lines_of_the_audit_go_as_they_stand(name: str) -> None:
    said = _timed([*whole(name, "K019 is masked"), *whole(f"{name}\r\u2028\x85", "and STOP! ends it")])
    audit = Audit(NAMES, "0123456789abcdef", b"sixteen bytes or more")
    packets = _run(said, 3, [audit])
    encoder = AuditRecords()
    outs = _outs(encoder, packets)
    _check(outs, encoder.counters)
    assert {(topic, kind) for topic, _, _, _, kind in outs} == {(*AUDIT, "decided")}
    assert b"".join(value + b"\n" for _, _, _, value, _ in outs) == b"".join(
        packet.released for packet in packets
    )
    assert [record["action"] for record in _of(outs, "audit")] == ["redact", "end", "block", "end"]


def _poisoned(packets: list[Packet]) -> list[Packet]:
    """Every second packet with a record that could not be read, every third failed."""
    return [
        packet.having(
            dead=(POISON,) if number % 2 else (), failed="" if number % 3 else packet.failed or "why"
        )
        for number, packet in enumerate(packets)
    ]


@settings(max_examples=40)
@given(SAID, st.integers(1, 9), st.integers(0, 20))
def test_numbers_go_on_where_the_state_of_a_part_left_them(said: list[Said], size: int, cut: int) -> None:
    decided = _poisoned(_run(said, size))
    plain = _poisoned([pack(SLOT, said[at : at + size], now=NOW) for at in range(0, len(said), size)])
    lines = _run(said, size, [Audit(NAMES, "0123456789abcdef")])

    def again(make: Any, packets: list[Packet]) -> None:
        whole_run = _outs(make(), packets)
        before, behind = make(), make()
        outs = _outs(before, packets[:cut])
        behind.counters = msgspec.json.decode(msgspec.json.encode(before.counters), type=Counters)
        assert outs + _outs(behind, packets[cut:]) == whole_run

    again(lambda: _decisions(samples=True), decided)
    again(lambda: Deltas("stdin", "r"), plain)
    again(AuditRecords, lines)


def test_a_new_part_has_numbered_nothing() -> None:
    assert Counters() == Counters(decided=-1, samples=-1, dead=-1, deltas=-1)


@given(st.binary(max_size=20), st.sampled_from(["findings", "deltas", "audit"]))
def test_a_record_that_its_topic_does_not_take_is_a_dead_letter_with_its_size(
    data: bytes, topic: str
) -> None:
    counters = Counters(dead=6, decided=3)
    value = data * 50_000
    out = (topic, "strém".encode(), 3, value, "decided")
    name, key, seq, said, kind = oversized(out, counters, SLOT)
    assert (name, key, seq, kind) == ("dead", "strém".encode(), 7, "dead")
    assert counters == Counters(dead=7, decided=3)
    letter = json.loads(said)
    assert (letter["stream"], letter["topic"], letter["size"]) == ("strém", topic, len(value))
    assert (letter["offset"], letter["last"], letter["slot"], letter["seq"]) == (-1, -1, SLOT, 7)
    assert letter["cause"] == f"a record of {len(value)} bytes: {topic} does not take it"
    assert base64.b64decode(letter["data"]) == value[: 256 * 1024]
    assert len(said) < 512 * 1024


def test_an_empty_packet_is_no_record() -> None:
    packet = pack(SLOT, [], now=NOW)
    assert not encode(packet)
    for encoder in (_decisions(samples=True), Deltas("stdin", "r"), AuditRecords()):
        assert not list(encoder.encode(packet))
        assert encoder.counters == Counters()
