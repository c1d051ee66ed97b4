"""``midstream dlq``: what a real source could not read, shown, and put back so that it is read; each once."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import groupby
from operator import itemgetter

import pytest
from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner, Result

from connectors._kafka_client import KafkaFault
from connectors._kafka_records import Decisions
from connectors._records import Recorder
from connectors.kafka_dead import DeadLetters, PutBack
from flows.dead import app
from operators.packet import Packet
from tests.clusters import Cluster
from tests.flows import jobs
from tests.kafka_log import Driven, Record, consume, said, source, until, view, write

pytest_plugins = ["tests.kafka_fixtures"]

SLOTS = 2
SHORT = 100  # bytes of a record that the source takes, in these tests
LONG = "a long text " * 20

Dlq = Callable[..., Result]


@pytest.fixture
def dlq(broker: Cluster, prefix: str) -> Dlq:
    """The command, on topics that are there."""
    broker.create_topics({f"{prefix}.deltas": SLOTS, f"{prefix}.dead": SLOTS})
    settings = {
        "MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "MIDSTREAM_KAFKA__PREFIX": prefix,
        "MIDSTREAM_KAFKA__OPTIONS": json.dumps(broker.without), "MIDSTREAM_SLOTS": str(SLOTS),
        "COLUMNS": "300",
    }  # fmt: skip
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments], env=settings)


def judge(broker: Cluster, prefix: str) -> None:
    """Have the log read by a source that takes short records; its dead letters are in their topic then."""
    bury(broker, prefix, Driven(source(broker, prefix, event_bytes=SHORT, to_end=True)).rest().packets)


def bury(broker: Cluster, prefix: str, packets: list[Packet], topic: str = "") -> None:
    """Write the dead letters of packets, as the sink does."""
    encoder = Decisions(Recorder([], []), topic or f"{prefix}.deltas")
    for packet in packets:
        letters = [out for out in encoder.encode(packet) if out[0] == "dead"]
        for key, same in groupby(letters, key=itemgetter(1)):
            write(broker, f"{prefix}.dead", [value for _, _, _, value, _ in same], packet.slot, key.decode())


def fill(broker: Cluster, prefix: str) -> None:
    """Records of two slots; three of them are dead."""
    log = f"{prefix}.deltas"
    write(broker, log, [said("a"), said("a", "one"), said("a", LONG, at=5), said("a", "two")], 0)
    write(broker, log, [{"type": "delta", "stream": "b", "text": 3}, said("b", LONG)], 1)


def again(broker: Cluster, prefix: str) -> list[Record]:
    """What was put back into the log."""
    return [
        record for record in consume(broker, f"{prefix}.deltas", SLOTS) if "replayed-from" in record.headers
    ]


def shown(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_letters_are_shown_without_what_they_hold(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    fill(broker, prefix)
    judge(broker, prefix)
    letters = shown(dlq("show", "--json"))
    assert [(each["slot"], each["letter"], each["offset"], each["stream"]) for each in letters] == [
        (0, 0, 2, "a"),
        (1, 0, 0, "b"),
        (1, 1, 1, "b"),
    ]
    assert {each["topic"] for each in letters} == {f"{prefix}.deltas"}
    assert not any(each["replayed"] or "data" in each for each in letters)
    table = dlq("show").stdout
    assert "3 dead letters" in table
    assert "limits.event_bytes" in table
    assert "a long text" not in table
    assert "a long text" in dlq("show", "--data").stdout
    [held] = {str(each["data"]) for each in shown(dlq("show", "--json", "--data", "--slot", 0))}
    assert base64.b64decode(held) == json.dumps(said("a", LONG, at=5)).encode()


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (["--stream", "a"], [(0, 0)]),
        (["--slot", 1], [(1, 0), (1, 1)]),
        (["--cause", "event_bytes"], [(0, 0), (1, 1)]),
        (["--cause", "event_bytes", "--stream", "b"], [(1, 1)]),
        (["--since", "2001-01-01"], [(0, 0), (1, 0), (1, 1)]),
        (["--since", "2901-01-01T00:00:00Z"], []),
    ],
)
def test_letters_are_chosen_and_only_those_are_put_back(
    broker: Cluster, prefix: str, dlq: Dlq, chosen: list[object], wanted: list[tuple[int, int]]
) -> None:
    fill(broker, prefix)
    judge(broker, prefix)
    assert [(each["slot"], each["letter"]) for each in shown(dlq("show", "--json", *chosen))] == wanted
    result = dlq("replay", *chosen)
    assert (result.exit_code, result.stdout) == (
        0,
        f"{len(wanted)} letters put back, 0 were before, 0 cannot be\n",
    )
    origins = [record.headers["replayed-from"] for record in again(broker, prefix)]
    assert origins == [f"{prefix}.dead/{slot}@{letter}" for slot, letter in wanted]
    marked = [(each["slot"], each["letter"]) for each in shown(dlq("show", "--json")) if each["replayed"]]
    assert marked == wanted


def test_what_is_put_back_is_what_was_there_and_is_read(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    """Later records of the same run were read already: numbers would make it a repeat."""
    numbered = [said("a", text, run="w", seq=seq) for seq, text in enumerate(["x", LONG, "y"])]
    write(broker, f"{prefix}.deltas", numbered)
    driven = Driven(source(broker, prefix, event_bytes=SHORT))
    until(lambda: driven.poll().texts() == ["x", "y"])
    bury(broker, prefix, driven.packets)
    assert dlq("replay").exit_code == 0
    [record] = again(broker, prefix)
    assert (record.partition, record.key, record.value) == (0, "a", said("a", LONG))
    driven.source.event_bytes = 1 << 20
    until(lambda: driven.poll().texts() == ["x", "y", LONG])
    driven.close()


def test_the_rest_of_a_record_is_put_back_byte_by_byte(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    odd = b'{"type": "delta" , "run":"w","n": 123456789012345678901234567890, "f": 1.50, "seq":3, "x": "%s"}'
    write(broker, f"{prefix}.deltas", [odd % b"\\u00e9" * 1, b"no JSON" * 20], 0, "a")
    judge(broker, prefix)
    assert dlq("replay").exit_code == 0
    with closing(DeadLetters(view(broker, prefix, SLOTS))) as dead:
        found = [dead.records(letter) for letter in dead.letters(range(SLOTS))]
    first = b'{"type":"delta","n":123456789012345678901234567890,"f":1.50,"x":"\\u00e9"}'
    assert found == [[(b"a", first)], [(b"a", b"no JSON" * 20)]]


def test_nothing_is_put_back_twice_unless_it_is_asked_for(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    fill(broker, prefix)
    judge(broker, prefix)
    assert dlq("replay", "--stream", "b").stdout == "2 letters put back, 0 were before, 0 cannot be\n"
    assert dlq("replay").stdout == "1 letters put back, 2 were before, 0 cannot be\n"
    result = dlq("replay")
    assert (result.exit_code, result.stdout) == (0, "0 letters put back, 3 were before, 0 cannot be\n")
    assert len(again(broker, prefix)) == 3
    assert dlq("replay", "--again", "--slot", 1).stdout == "2 letters put back, 0 were before, 0 cannot be\n"
    assert len(again(broker, prefix)) == 5


def test_a_dry_run_changes_nothing(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    fill(broker, prefix)
    judge(broker, prefix)
    result = dlq("replay", "--dry-run")
    assert (result.exit_code, result.stdout) == (
        0,
        "3 letters would be put back, 0 were before, 0 cannot be\n",
    )
    assert not again(broker, prefix)
    assert not any(each["replayed"] for each in shown(dlq("show", "--json")))


def test_a_packet_that_broke_a_stage_comes_back_delta_by_delta(
    broker: Cluster, prefix: str, dlq: Dlq
) -> None:
    write(
        broker, f"{prefix}.deltas", [said("a", "one", run="w", seq=4), said("b", "two"), said("a", "three")]
    )
    driven = Driven(source(broker, prefix, to_end=True)).rest()
    bury(
        broker, prefix, [packet.having(failed="gate: internal error (KeyError)") for packet in driven.packets]
    )
    assert [each["stream"] for each in shown(dlq("show", "--json"))] == ["a", "b"]
    assert dlq("replay", "--stream", "a").exit_code == 0
    back = again(broker, prefix)
    assert [(record.key, record.value["text"]) for record in back] == [("a", "one"), ("a", "three")]
    assert Driven(source(broker, prefix, to_end=True)).rest().texts()[-2:] == ["one", "three"]


def test_a_packet_whose_letter_is_cut_short_is_not_put_back_in_part(
    broker: Cluster, prefix: str, dlq: Dlq
) -> None:
    write(broker, f"{prefix}.deltas", [said("a", "x" * 300_000), said("b", "y")])
    [packet] = Driven(source(broker, prefix, to_end=True)).rest().packets
    bury(broker, prefix, [packet.having(failed="gate: internal error (KeyError)")])
    result = dlq("replay")
    assert (result.exit_code, result.stdout) == (1, "1 letters put back, 0 were before, 1 cannot be\n")
    assert "bytes out of offsets 0 to 1 of partition 0" in result.stderr
    assert [record.key for record in again(broker, prefix)] == ["b"]


def test_a_letter_that_holds_only_the_beginning_is_read_in_the_log(
    broker: Cluster, prefix: str, dlq: Dlq
) -> None:
    whole = said("a", "x" * 600_000)
    write(broker, f"{prefix}.deltas", [said("a"), whole, said("a", "more")])
    judge(broker, prefix)
    [letter] = shown(dlq("show", "--json", "--data"))
    assert len(base64.b64decode(str(letter["data"]))) < 600_000 < int(str(letter["size"]))
    assert dlq("replay").exit_code == 0
    assert [record.value for record in again(broker, prefix)] == [whole]


def test_a_key_that_is_no_text_is_read_in_the_log(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    write(broker, f"{prefix}.deltas", [{"type": "delta"}])  # without a key
    judge(broker, prefix)
    assert [each["stream"] for each in shown(dlq("show", "--json"))] == [""]
    assert dlq("replay").exit_code == 0
    assert [(record.key, record.value) for record in again(broker, prefix)] == [("", {"type": "delta"})]


@pytest.mark.parametrize(("offset", "size"), [(99, 300_000), (0, 300_000), (0, 200_000)])
def test_a_record_that_the_log_does_not_hold_any_more_is_told_of(
    broker: Cluster, prefix: str, dlq: Dlq, offset: int, size: int
) -> None:
    """It is gone, or another one stands in its place: the topic was made anew."""
    write(broker, f"{prefix}.deltas", [said("z", "y" * 199_000)])
    cut = {
        "type": "dead", "stream": "a", "cause": "c", "topic": f"{prefix}.deltas", "offset": offset,
        "last": offset, "size": size, "data": base64.b64encode(b"x" * 5).decode(), "seq": 0, "slot": 0,
    }  # fmt: skip
    write(broker, f"{prefix}.dead", [cut, cut | {"data": base64.b64encode(b"x" * size).decode()}])
    result = dlq("replay")
    assert result.exit_code == 1
    assert result.stdout == "1 letters put back, 0 were before, 1 cannot be\n"
    assert f"letter 0/0 cannot be put back: the letter holds 5 of its {size} bytes" in result.stderr
    assert f"does not hold offset {offset} any more" in result.stderr
    assert dlq("replay", "--dry-run").exit_code == 1


def test_a_letter_that_holds_nothing_is_told_of(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    letter = {
        "type": "dead", "stream": "", "cause": "offsets 3 to 7: damaged", "topic": f"{prefix}.deltas",
        "offset": 3, "last": 3, "size": 0, "data": "", "seq": 0, "slot": 0,
    }  # fmt: skip
    write(broker, f"{prefix}.dead", [letter])
    result = dlq("replay")
    assert result.exit_code == 1
    wanted = "letter 0/0 cannot be put back: nothing of it could be read: offsets 3 to 7: damaged"
    assert wanted in result.stderr


def test_what_never_was_in_the_log_is_not_put_there(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    write(broker, f"{prefix}.deltas", [b"nonsense"], key="a")
    judge(broker, prefix)
    broken = Driven(source(broker, prefix, to_end=True)).rest()
    bury(broker, prefix, broken.packets, "stdin")
    result = dlq("replay")
    assert result.exit_code == 1
    assert f"letter 0/1 cannot be put back: it came from stdin, not out of {prefix}.deltas" in result.stderr
    assert result.stdout == "1 letters put back, 0 were before, 1 cannot be\n"


def test_a_record_that_is_no_dead_letter_is_passed_by_and_told_of(
    broker: Cluster, prefix: str, dlq: Dlq, caplog: pytest.LogCaptureFixture
) -> None:
    fill(broker, prefix)
    write(broker, f"{prefix}.dead", [b"what?"], 0)
    judge(broker, prefix)
    assert dlq("show").exit_code == 1
    result = dlq("replay")
    assert (result.exit_code, result.stdout) == (1, "3 letters put back, 0 were before, 0 cannot be\n")
    assert f"{prefix}.dead/0@0: no dead letter" in caplog.text


def test_a_terminal_obeys_nothing_that_a_letter_says(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    write(broker, f"{prefix}.deltas", [b"\x1b[31m[red]\xff"], key="\x1b]0;x\x07[red]é")
    judge(broker, prefix)
    table = dlq("show", "--data").stdout
    assert r"\x1b]0;x\x07[red]é" in table
    assert r"\x1b[31m[red]\xff" in table.replace(r"\\", "\\")
    assert "\x1b" not in table


def test_more_than_a_transaction_holds_is_put_back(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    write(broker, f"{prefix}.deltas", [said("a", LONG, n=n) for n in range(250)])
    judge(broker, prefix)
    assert dlq("replay").stdout == "250 letters put back, 0 were before, 0 cannot be\n"
    assert [record.value["n"] for record in again(broker, prefix)] == list(range(250))


def test_what_was_not_committed_was_not_put_back(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    if not broker.real:
        pytest.skip("the mock delivers what was aborted")
    fill(broker, prefix)
    judge(broker, prefix)
    where = view(broker, prefix, SLOTS)
    with closing(DeadLetters(where)) as dead, closing(PutBack(where)) as back:
        for letter in dead.letters(range(SLOTS)):
            back.put(letter, dead.records(letter))
    assert not again(broker, prefix)
    assert dlq("replay").stdout == "3 letters put back, 0 were before, 0 cannot be\n"


def test_of_two_that_put_back_at_once_only_the_later_does(broker: Cluster, prefix: str, dlq: Dlq) -> None:
    if not broker.real:
        pytest.skip("the mock fences nobody")
    fill(broker, prefix)
    judge(broker, prefix)
    where = view(broker, prefix, SLOTS)
    with closing(DeadLetters(where)) as dead, closing(PutBack(where)) as back:
        for letter in dead.letters(range(SLOTS)):
            back.put(letter, dead.records(letter))
        assert dlq("replay").stdout == "3 letters put back, 0 were before, 0 cannot be\n"
        with pytest.raises(KafkaFault, match="another process"):
            back.commit()
        assert back.letters == 0
    assert len(again(broker, prefix)) == 3


@pytest.mark.process
def test_who_is_killed_while_putting_back_loses_and_doubles_nothing(
    broker: Cluster, prefix: str, dlq: Dlq
) -> None:
    if not broker.real:
        pytest.skip("the mock delivers what was aborted")
    write(broker, f"{prefix}.deltas", [said("a", LONG, n=n) for n in range(5000)])
    judge(broker, prefix)
    where = {"KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA__PREFIX": prefix, "SLOTS": str(SLOTS)}
    command = [sys.executable, "-c", "from flows.dead import app; app()", "replay"]
    with closing(
        Consumer(broker.client | {"group.id": prefix, "isolation.level": "read_uncommitted"})
    ) as log:
        for end in (5001, 6000):
            place = TopicPartition(f"{prefix}.deltas", 0)
            with subprocess.Popen(command, cwd=jobs.ROOT, env=jobs.environment(**where)) as killed:
                until(lambda: killed.poll() is not None or log.get_watermark_offsets(place)[1] >= end)  # noqa: B023
                killed.kill()
            assert killed.returncode == -signal.SIGKILL
    assert 0 < len(again(broker, prefix)) < 5000
    assert dlq("replay").exit_code == 0
    assert [record.value["n"] for record in again(broker, prefix)] == list(range(5000))


@pytest.mark.parametrize(
    ("arguments", "settings", "complaint"),
    [
        (["--slot", "2"], {}, "--slot 2: there are slots 0 to 1"),
        (["--since", "soon"], {}, "--since: "),
        ([], {"MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS": ""}, "kafka.bootstrap_servers"),
        ([], {"MIDSTREAM_SLOTS": "3"}, "has 2 partitions, but 3 are needed"),
        ([], {"MIDSTREAM_KAFKA__PREFIX": "nobody"}, "no topic nobody.dead, nobody.deltas"),
        ([], {"MIDSTREAM_KAFKA__CELL": "9"}, "cells are counted from 0"),
    ],
)
@pytest.mark.parametrize("command", ["show", "replay"])
def test_what_is_wrong_is_said_before_anything_is_done(
    broker: Cluster, prefix: str, dlq: Dlq, command: str, arguments: list[str], settings: dict[str, str],
    complaint: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    usual = {
        "MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "MIDSTREAM_KAFKA__PREFIX": prefix,
        "MIDSTREAM_SLOTS": str(SLOTS),
    }  # fmt: skip
    result = CliRunner().invoke(app, [command, *arguments], env=usual | settings)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not result.stdout
