"""Where a damaged piece of a log ends; and on a real broker, that a batch which its disk garbled costs what
was in it and nothing else.
"""

from __future__ import annotations

import json
import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._kafka_damage import Search, Unreadable
from connectors.kafka import Start
from tests.broker import Broker
from tests.flows import kafka_jobs
from tests.kafka_log import Driven, consume, said, source, until, write

pytest_plugins = ["tests.kafka_fixtures"]

_HEADER = 61  # bytes of a batch before its records


@given(
    batches=st.lists(st.tuples(st.integers(1, 400), st.booleans()), min_size=1, max_size=12),
    ahead=st.integers(0, 5000),
)
def test_the_end_of_a_damaged_batch_is_found_wherever_reading_began(
    batches: list[tuple[int, bool]], ahead: int
) -> None:
    log, end = list[tuple[int, int, bool]](), 0
    for size, broken in batches:
        log.append((end, end + size, broken))
        end += size
    ahead %= end
    base, behind, broken = next(batch for batch in log if batch[0] <= ahead < batch[1])
    if not broken:
        return
    search, asked = Search(base, ahead, end, "why"), 0
    while not (piece := search.found):
        there = next(batch for batch in log if batch[0] <= search.place < batch[1])
        search.hear(there[0] if there[2] else None)
        asked += 1
    assert piece == (ahead, behind, "why")
    assert search.place == behind
    assert asked <= 2 * (behind - base).bit_length() + 1


def test_a_batch_that_was_passed_already_costs_nothing() -> None:
    search = Search(5, 9, 20, "why")  # librdkafka went back to 5; 9 is behind the batch
    assert search.place == 9
    search.hear(None)
    assert search.found == Unreadable(9, 9, "why")


def garble(broker: Broker, topic: str, *, batch: int, compressed: bool = False) -> None:
    """Stop the broker, overwrite some records of a batch of partition 0 on its disk, start it again."""
    broker.stop()
    (log,) = Path(broker.log.parent, "data", f"{topic}-0").glob("*.log")
    data, at = bytearray(log.read_bytes()), 0
    for _ in range(batch):
        at += 12 + struct.unpack(">i", data[at + 8 : at + 12])[0]
    where = at + _HEADER + (10 if compressed else 40)
    data[where : where + 20] = bytes(byte ^ 0xFF for byte in data[where : where + 20])
    log.write_bytes(data)
    broker.restart()


def fill(broker: Broker, topic: str, codec: str, *, behind: int) -> None:
    """A record, a batch of forty, and as many single records behind it."""
    broker.create_topics({topic: 2})
    together: dict[str, Any] = {"linger.ms": 200, "compression.type": codec}
    write(broker, topic, [said("a", "before")])
    write(broker, topic, [said("a", f"{n} " * 30) for n in range(40)], **together)
    write(broker, topic, [said("b", "other slot")], 1)
    for n in range(behind):
        write(broker, topic, [said("a", f"behind {n}")])


@pytest.mark.parametrize(
    ("codec", "behind"), [("none", 3), ("lz4", 3), ("zstd", 0)], ids=["plain", "compressed", "at the end"]
)
def test_what_a_disk_garbled_is_a_dead_letter_and_all_else_is_read(
    real_broker: Broker, prefix: str, codec: str, behind: int, caplog: pytest.LogCaptureFixture
) -> None:
    deltas = f"{prefix}.deltas"
    fill(real_broker, deltas, codec, behind=behind)
    garble(real_broker, deltas, batch=1, compressed=codec != "none")
    driven = Driven(source(real_broker, prefix, to_end=True)).rest()
    assert sorted(driven.texts()) == ["before", *(f"behind {n}" for n in range(behind)), "other slot"]
    (letter,) = driven.dead()
    assert (letter.offset, letter.stream, letter.size, letter.data) == (1, "", 0, b"")
    assert letter.cause.startswith("offsets 1 to 40: damaged in the broker's log: MessageSet at offset 1 (")
    assert f"{deltas}/0@1: offsets 1 to 40: damaged" in caplog.text
    (packet,) = [packet for packet in driven.packets if packet.dead]
    assert packet.origin == (1, 40)


def heard(driven: Driven, count: int) -> bool:
    """Whether slot 0 said so many packets."""
    return len(driven.packets) >= count or len(driven.poll(driven.parts[0]).packets) >= count


def test_a_run_that_resumes_at_a_damaged_batch_or_behind_it_says_the_same(
    real_broker: Broker, prefix: str
) -> None:
    deltas = f"{prefix}.deltas"
    fill(real_broker, deltas, "none", behind=2)
    garble(real_broker, deltas, batch=1)
    causes = set[str]()
    states: dict[int, dict[int, bytes]] = {}
    driven = Driven(source(real_broker, prefix, batch=1))
    part = driven.parts[0]
    for count in range(5):
        until(partial(heard, driven, count))
        state = part.snapshot()
        states[json.loads(state)["offset"]] = {0: state}
    driven.close()
    assert sorted(states) == [0, 1, 41, 42, 43]
    for place, saved in states.items():
        again = Driven(source(real_broker, prefix, to_end=True), saved).rest()
        causes |= {letter.cause for letter in again.dead()}
        assert len(again.dead()) == (place <= 1)
        wanted = ["before"] * (place == 0) + ["behind 0"] * (place <= 41) + ["behind 1"] * (place <= 42)
        assert [text for text in again.texts() if text != "other slot"] == wanted
    assert len(causes) == 1
    within = Driven(source(real_broker, prefix, to_end=True, start=Start("offset", offset=1), own=[0])).rest()
    assert [letter.cause for letter in within.dead()] == [*causes]


def test_two_damaged_batches_in_a_row_are_two_letters_and_a_position_within_one_is_its_beginning(
    real_broker: Broker, prefix: str
) -> None:
    deltas = f"{prefix}.deltas"
    fill(real_broker, deltas, "none", behind=3)
    for batch in (1, 2):
        garble(real_broker, deltas, batch=batch)
    where = Start("offset", offset=17)
    driven = Driven(source(real_broker, prefix, to_end=True, start=where, own=[0])).rest()
    assert driven.texts() == ["behind 1", "behind 2"]
    assert [letter.cause.split(":")[0] for letter in driven.dead()] == [
        "offsets 17 to 40",
        "offsets 41 to 41",
    ]


@pytest.mark.process
def test_a_job_goes_on_behind_it_and_its_letter_says_where_it_was(real_broker: Broker, prefix: str) -> None:
    kafka_jobs.topics(real_broker, prefix)
    deltas = f"{prefix}.deltas"
    together: dict[str, Any] = {"linger.ms": 200}
    write(real_broker, deltas, [said("a"), said("a", "before ")], **together)
    write(real_broker, deltas, [said("a", f"{n} " * 30) for n in range(40)], **together)
    write(real_broker, deltas, [said("a", "behind"), {"type": "end", "stream": "a"}])
    garble(real_broker, deltas, batch=1)
    process = kafka_jobs.start(real_broker, prefix, "analyze")
    process.communicate(timeout=60)
    assert process.returncode == 0
    (letter,) = consume(real_broker, f"{prefix}.dead", kafka_jobs.SLOTS)
    assert (letter.value["topic"], letter.value["offset"], letter.value["stream"]) == (deltas, 2, "")
    assert letter.value["cause"].startswith("offsets 2 to 41: damaged in the broker's log")
    left = consume(real_broker, f"{prefix}.releases", kafka_jobs.SLOTS)
    texts = [record.value["text"] for record in left if record.value["type"] == "release"]
    assert "".join(texts) == "before behind"
