"""The record contract, exact: keys, their order, types; lines that no other worker cuts."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._stop import STOP
from connectors._tally import Tally
from connectors.ndjson import NdjsonEncoder, NdjsonSink
from operators.directory import Directory
from operators.packet import FINDING, Action, Channel, Delta, Finish, Kind, Packet, Reach, joined, pack
from operators.policy import Policy
from operators.release import Release
from tests.operators.scripted import Words

NUMBER = (int, float)
HEAD = '{"provider":"p","model":"m"}'
CONTRACT: dict[str, dict[str, Any]] = {
    "start": {"type": str, "stream": str, "provider": str, "model": str},
    "release": {
        "type": str, "stream": str, "lane": str, "choice": int, "item": int, "seq": int, "text": str,
    },
    "finding": {
        "type": str, "stream": str, "lane": str, "seq": int, "kind": str, "name": str,
        "value": NUMBER, "start": int, "end": int,
    },
    "verdict": {"type": str, "stream": str, "seq": int, "action": str, "reason": str, "rule": str},
    "error": {"type": str, "stream": str, "seq": int, "reason": str},
    "end": {
        "type": str, "stream": str, "finish": str, "deltas": int, "chars": int, "released": int,
        "held_mean": NUMBER, "held_max": int,
    },
    "ledger": {
        "type": str, "stream": str, "rule": str, "held": int, "held_max": int, "waited": int,
        "masked": int, "matches": int, "leaked": int, "first_ms": NUMBER,
    },
    "summary": {
        "type": str, "streams": int, "deltas": int, "tokens_per_s": NUMBER, "findings": dict,
        "verdicts": dict, "latency_ms": dict,
    },
}  # fmt: skip
"""Design, section 10: keys in their order, and the types of their values."""
FOR_SOME = {"confidence": float, "period": float, "copies": int, "wasted": int}
"""What findings of some kinds say besides, where it is known."""

NAMES, REASONS = ["digits", "stop-word", "undecided"], ["three digits", "a word that ends it all", "too much"]
LANES = [(channel, choice, item) for channel in (0, 1, 2) for choice in (0, 1) for item in (0, 7)]
TEXTS = st.text(alphabet='K019STOP! é\n"\\\u2028😀\x00', min_size=1, max_size=6)
STREAMS = st.lists(st.lists(st.tuples(st.sampled_from(LANES), TEXTS), max_size=12), min_size=1, max_size=4)
Said = list[tuple[tuple[int, int, int], str]]


def check(record: dict[str, Any]) -> None:
    """The record holds to the contract: keys, their order, types."""
    told = [key for key in FOR_SOME if key in record]
    shape = CONTRACT[record["type"]] | {key: FOR_SOME[key] for key in told}
    assert not told or record["kind"] in {"loop", "regime", "drift"}
    assert list(record) == list(shape)
    for key, kind in shape.items():
        assert isinstance(record[key], kind), (key, record)
        assert not isinstance(record[key], bool)


class _Chain:
    """The stages that make records, without an engine."""

    def __init__(self) -> None:
        gate = Words(["K019", "STOP!"])
        policy = Policy([Action.REDACT, Action.BLOCK, Action.BLOCK])
        self._stages = (Directory(), gate, policy, Release(["[DIGITS]", "", ""], 24))

    def run(self, said: list[tuple[str, Delta]], size: int) -> list[Packet]:
        packets = []
        for at in range(0, len(said), size):
            packet = pack(3, said[at : at + size], now=at)
            for stage in self._stages:
                packet = stage.update(packet)
            packets.append(packet)
        return packets


def _script(streams: list[Said]) -> list[tuple[str, Delta]]:
    said = []
    for number, texts in enumerate(streams):
        stream = f"é{number}"
        said.append((stream, Delta(Kind.START, HEAD)))
        said += [(stream, Delta(Kind.TEXT, text, *lane)) for lane, text in texts]
        said.append((stream, Delta(Kind.ERROR, "something")))
        said.append((stream, Delta(Kind.END, finish=Finish.STOP)))
    return said


@settings(deadline=None)
@given(STREAMS, st.integers(1, 60))
def test_records_are_exactly_the_contract_and_their_text_exactly_what_may_leave(
    streams: list[Said], size: int
) -> None:
    encoder = NdjsonEncoder(NAMES, REASONS)
    lines = b"".join(encoder.encode(packet) for packet in _Chain().run(_script(streams), size))
    assert lines.endswith(b"\n")
    records = [orjson.loads(line) for line in lines.splitlines()]
    for record in records:
        check(record)
    numbered = [record["seq"] for record in records if "seq" in record]
    assert numbered == sorted(set(numbered))
    released: dict[tuple[str, str, int, int], str] = defaultdict(str)
    for record in records:
        if record["type"] == "release":
            released[record["stream"], record["lane"], record["choice"], record["item"]] += record["text"]
    for number, texts in enumerate(streams):
        mine = [record for record in records if record["stream"] == f"é{number}"]
        assert mine[0] == {"type": "start", "stream": f"é{number}", "provider": "p", "model": "m"}
        assert mine[-1]["type"] == "end"
        blocked = mine[-1]["finish"] == "blocked"
        sums = 0
        for lane in LANES:
            text = "".join(text for where, text in texts if where == lane)
            name = (f"é{number}", Channel(lane[0]).name.lower(), *lane[1:])
            left = text.replace("K019", "[DIGITS]")
            assert "STOP!" not in released[name]
            if blocked:
                assert left.startswith(released[name]) or "[DIGITS]" in released[name]
            else:
                assert "STOP!" not in left
                assert released[name] == left
            sums += len(released[name])
        assert blocked or mine[-1]["chars"] == sum(len(text) for _, text in texts)
        assert mine[-1]["released"] == sums
        assert mine[-1]["finish"] in {"stop", "blocked"}


@settings(deadline=None)
@given(STREAMS)
def test_the_lines_do_not_depend_on_the_packets(streams: list[Said]) -> None:
    whole, one = NdjsonEncoder(NAMES, REASONS), NdjsonEncoder(NAMES, REASONS)
    script = _script(streams)
    lines = [
        b"".join(encoder.encode(packet) for packet in _Chain().run(script, size))
        for encoder, size in ((whole, 1000), (one, 1))
    ]
    assert lines[0] == lines[1]


@settings(deadline=None)
@given(STREAMS, st.integers(1, 60))
def test_a_ledger_stands_before_the_end_of_its_stream_for_each_rule_that_did_something(
    streams: list[Said], size: int
) -> None:
    packets, tally = _Chain().run(_script(streams), size), Tally()
    encoder = NdjsonEncoder(NAMES, REASONS, ledger=True)
    records = [orjson.loads(line) for p in packets for line in encoder.encode(p).splitlines()]
    plain = NdjsonEncoder(NAMES, REASONS)
    rest = [record for record in records if record["type"] != "ledger"]
    assert rest == [orjson.loads(line) for p in packets for line in plain.encode(p).splitlines()]
    for packet in packets:
        tally.add(packet)
    ledgers = [record for record in records if record["type"] == "ledger"]
    for number in range(len(streams)):
        mine = [record for record in records if record["stream"] == f"é{number}"]
        kinds = [record["type"] for record in mine]
        own = [record for record in mine if record["type"] == "ledger"]
        assert kinds[len(kinds) - len(own) - 1 :] == ["ledger"] * len(own) + ["end"]
        found = [record["name"] for record in mine if record["type"] == "finding"]
        for record in own:
            check(record)
            assert record["matches"] == found.count(record["rule"])
            assert record["leaked"] == 0
            assert record["held_max"] <= record["held"] <= record["held_max"] * record["waited"]
    for code, name in enumerate(NAMES):
        for key in ("held", "waited", "masked", "matches", "leaked"):
            assert getattr(tally, key)[code] == sum(r[key] for r in ledgers if r["rule"] == name)


@pytest.mark.parametrize("reach", Reach)
def test_every_kind_of_finding_has_a_record(reach: Reach) -> None:
    packet = _Chain().run([("s", Delta(Kind.START, HEAD)), ("s", Delta(Kind.TEXT, "hello"))], 9)[0]
    finding = np.zeros(1, FINDING)
    finding["delta"], finding["kind"], finding["value"], finding["stop"], finding["seq"] = (
        1,
        reach,
        1 / 3,
        5,
        9,
    )
    (record,) = (
        each
        for each in map(
            orjson.loads,
            NdjsonEncoder(NAMES, REASONS)
            .encode(packet.having(findings=joined(packet.findings, finding)))
            .splitlines(),
        )
        if each["type"] == "finding"
    )
    check(record)
    assert record == {
        "type": "finding", "stream": "s", "lane": "text", "seq": 9, "kind": reach.name.lower(),
        "name": "digits", "value": 0.333333, "start": 0, "end": 5,
    }  # fmt: skip


def test_a_packet_that_a_stage_could_not_process_says_so_and_releases_nothing() -> None:
    said = [("s", Delta(Kind.START, HEAD)), ("s", Delta(Kind.TEXT, "the secret")), ("s", Delta(Kind.END))]
    packet = Directory().update(pack(0, said, now=0)).having(failed="gate: internal error (ValueError)")
    packet = Release([""], 4).update(packet)
    records = [orjson.loads(line) for line in NdjsonEncoder(NAMES, REASONS).encode(packet).splitlines()]
    assert [record["type"] for record in records] == ["start", "error", "end"]
    assert records[1]["reason"] == "gate: internal error (ValueError)"
    assert b"secret" not in orjson.dumps(records)


@pytest.fixture(autouse=True)
def _no_stop() -> Iterator[None]:
    STOP.clear()
    yield
    STOP.clear()


def test_lines_of_two_workers_never_mix_and_the_last_one_writes_the_summary() -> None:
    written = bytearray()

    def slowly(lines: bytes) -> None:
        for at in range(0, len(lines), 7):
            written.extend(lines[at : at + 7])
            time.sleep(0)

    sink = NdjsonSink(NAMES, REASONS, Tally(), slowly)
    packets = _Chain().run(_script([[(lane, "some text") for lane in LANES]] * 4), 4)
    parts = [sink.build("sink", worker, 2) for worker in range(2)]

    def work(part: Any) -> None:
        for packet in packets:
            part.write_batch([("00", packet)])
        part.close()

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = [orjson.loads(line) for line in bytes(written).splitlines()]
    for record in records:
        check(record)
    assert [record["type"] for record in records].count("summary") == 1
    assert records[-1]["type"] == "summary"
    assert records[-1]["streams"] == 8


def test_a_reader_that_goes_away_stops_the_sources_and_is_never_written_to_again() -> None:
    calls = []

    def gone(lines: bytes) -> None:
        calls.append(lines)
        raise BrokenPipeError

    sink = NdjsonSink(NAMES, REASONS, Tally(), gone)
    part = sink.build("sink", 0, 1)
    packet = _Chain().run(_script([[(LANES[0], "text")]]), 9)[0]
    part.write_batch([("00", packet)])
    assert STOP.is_set()
    part.write_batch([("00", packet)])
    part.close()
    assert len(calls) == 1


def test_a_full_disk_is_an_error_in_the_flow_but_not_in_its_end(caplog: pytest.LogCaptureFixture) -> None:
    def full(lines: bytes) -> None:
        raise OSError(28, "No space left on device")

    part = NdjsonSink(NAMES, REASONS, Tally(), full).build("sink", 0, 1)
    with pytest.raises(OSError, match="No space left"):
        part.write_batch([("00", _Chain().run(_script([[]]), 9)[0])])
    with caplog.at_level(logging.ERROR):
        part.close()  # an exception here would abort the process
    assert "the summary could not be written" in caplog.text
