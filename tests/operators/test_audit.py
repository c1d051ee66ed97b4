"""The chain of records: the same however packets are cut, and broken by whatever is done to it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.audit import GENESIS, Audit, Chains, verify
from operators.packet import Action, Delta, Packet, pack
from operators.slots import Stage
from tests.operators.scripted import guard
from tests.stages import CUTS, START, Make, run, say, whole, woven

KEY = b"sixteen bytes or more"
NAMES = ["key", "word", "", ""]
SECRETS = "K3Y", "W0RD"
Lines = list[tuple[str, bytes]]


def audited(key: bytes = b"") -> Make:
    make = guard(SECRETS, [Action.BLOCK, Action.REDACT])

    def stages() -> list[Stage]:
        return [*make(), Audit(NAMES, "0123456789abcdef", key)]

    return stages


def written(packets: list[Packet]) -> list[bytes]:
    return b"".join(packet.released for packet in packets).splitlines(keepends=True)


def placed(lines: list[bytes]) -> Lines:
    return [(f"line {number}", line) for number, line in enumerate(lines, 1)]


def some(key: bytes = b"") -> list[bytes]:
    said = woven(
        [whole("s", "a W0RD and W0RD"), whole("t", "W0RD, then K3Y and more"), whole("u", "clean")],
        [0, 1, 0, 2, 1, 0],
    )
    return written(run(audited(key), said, range(40)))


def records(lines: list[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in lines]


def test_every_verdict_and_every_end_is_on_record_and_nothing_that_was_said() -> None:
    lines = some()
    found = records(lines)
    told = [(r["stream"], r["action"], r["rule"], r["finish"]) for r in found]
    assert sorted(told) == sorted(
        [("s", "redact", "word", "")] * 2
        + [("s", "end", "", "stop"), ("t", "redact", "word", ""), ("t", "block", "key", "")]
        + [("t", "end", "", "blocked"), ("u", "end", "", "stop")]
    )
    block = next(r for r in found if r["action"] == "block")
    assert (block["lane"], block["start"], block["end"], block["slot"]) == ("text/0/0", 11, 14, 0)
    assert [r["seq"] for r in found] == sorted({r["seq"] for r in found})
    assert found[0]["previous"] == GENESIS
    assert all(r["policy"] == "0123456789abcdef" for r in found)
    for said in (*SECRETS, "clean", "then"):
        assert said.encode() not in b"".join(lines)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.text("K3YW0RD ", max_size=30), CUTS), max_size=3),
    st.lists(st.integers(0, 2)), CUTS, st.sets(st.integers(0, 9)),
)  # fmt: skip
def test_packets_and_restarts_do_not_change_a_line(
    texts: list[tuple[str, list[int]]], turns: list[int], cuts: list[int], reload: set[int]
) -> None:
    speeches = [whole("stu"[i], text, chunks) for i, (text, chunks) in enumerate(texts)]
    said = woven(speeches, turns)
    lines = written(run(audited(), said, cuts, reload))
    assert lines == written(run(audited(), said))
    assert not verify(placed(lines)).faults


def test_a_failed_packet_and_a_threshold_are_on_record_too() -> None:
    directory, gate, policy, last, audit = audited()()
    packet = directory.update(pack(0, whole("s", "K3Y"), now=0)).having(failed="gate: boom")
    assert [r["action"] for r in records(written([audit.update(last.update(packet))]))] == ["error", "end"]
    packet = policy.update(gate.update(directory.update(pack(0, whole("t", "K3Y"), now=0))))
    packet.verdicts["finding"] = -1
    block = records(written([audit.update(last.update(packet))]))[0]
    assert (block["action"], block["start"], block["end"]) == ("block", 3, 3)


@pytest.mark.parametrize("key", [b"", KEY])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_a_chain_is_seen_unless_it_is_cut_off_at_the_end(
    key: bytes, data: st.DataObject
) -> None:
    lines = some(key)
    assert not verify(placed(lines), key).faults
    at = data.draw(st.integers(0, len(lines) - 1))
    deed = data.draw(st.sampled_from(["change", "remove", "move", "cut", "forge", "another"]))
    if deed == "change":
        place = data.draw(st.integers(0, len(lines[at]) - 2))
        byte = data.draw(st.integers(32, 126).filter(lambda b: b != lines[at][place]))
        lines[at] = lines[at][:place] + bytes([byte]) + lines[at][place + 1 :]
    elif deed == "remove" and at < len(lines) - 1:
        del lines[at]
    elif deed == "move" and at < len(lines) - 1:
        to = data.draw(st.integers(0, len(lines) - 1).filter(lambda other: other != at))
        lines.insert(to, lines.pop(at))
    elif deed == "forge" and key:
        record = orjson.loads(lines[at])
        lines[at:] = [line for line in some() if orjson.loads(line)["seq"] >= record["seq"]]
    elif deed == "another":
        assert verify(placed(lines), key + b"x" * 16).faults
        return
    else:
        lines[at] = lines[at][:-1]
    assert verify(placed(lines), key).faults


def test_what_is_missing_at_the_end_is_seen_against_a_head() -> None:
    lines = some()
    head = verify(placed(lines)).heads[0]
    assert head == orjson.loads(lines[-1])["hash"]
    assert not verify(placed(lines), heads=[head]).faults
    assert not verify(placed(lines[:-1])).faults
    (fault,) = verify(placed(lines[:-1]), heads=[head]).faults
    assert fault == f"no line has the hash {head}: lines are missing at the end"


def test_repeats_forks_and_new_beginnings_are_no_faults() -> None:
    lines = some()
    assert verify(placed(lines[:5] + lines[2:])) == Chains(len(lines) + 3, heads=verify(placed(lines)).heads)
    other = written(run(audited(), [*whole("x", "W0RD")], ()))
    anew = verify(placed(lines + other))
    assert (anew.faults, anew.notes) == ([], [f"line {len(lines) + 1}: the chain of slot 0 begins anew"])
    stages = audited()()
    first = stage_through(stages, [("s", Delta(START, "{}")), *say("s", "W0RD ")])
    dump = [stage.dump() for stage in stages]
    lost = stage_through(stages, [*say("s", "a W0RD")])
    again = audited()()
    for stage, state in zip(again, dump, strict=True):
        stage.load(state)
    rest = stage_through(again, [*say("s", "something W0RD")])
    fork = verify(placed(written([first, lost, rest])))
    assert fork.faults == []
    assert fork.notes[-1].endswith("the chain of slot 0 goes on from a line before its last")


def stage_through(stages: list[Stage], said: list[Any]) -> Packet:
    packet = pack(0, said, now=0)
    for stage in stages:
        packet = stage.update(packet)
    return packet


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{}\n", b"[]\n", b'"x"\n', b"\xff\n", b'{"type":"audit"}\n', b"null\n"]
)
def test_what_is_no_record_is_named_with_its_place(line: bytes) -> None:
    (fault,) = verify([("file:7", line)]).faults
    assert fault == "file:7: no audit record: changed or cut short"


def test_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="audit state of version 9"):
        Audit([], "").load(b'{"version":9,"head":""}')
