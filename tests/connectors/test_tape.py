"""One order of a slot however it is played, resumed at every possible point, and its pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import _tape
from connectors._stop import STOP
from connectors._tape import Deck, Tape, TapeSource
from operators.packet import Delta, Kind, Packet

SECOND = 10**9
FOREVER = 1 << 62
Said = tuple[int, str, Delta]
SCRIPTS = st.lists(
    st.tuples(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 3), st.text(max_size=3)), max_size=8)),
    max_size=6,
)
"""For each tape when it begins, and gaps and texts of its deltas."""
Scripts = list[tuple[int, list[tuple[int, str]]]]


@pytest.fixture(autouse=True)
def _no_stop() -> Iterator[None]:
    STOP.clear()
    yield
    STOP.clear()


def _tapes(scripts: Scripts) -> list[Tape]:
    return [_tape_of(f"tape {place}", begins, said) for place, (begins, said) in enumerate(scripts)]


def _tape_of(name: str, begins: int, said: Sequence[tuple[int, str]]) -> Tape:
    def deltas() -> Iterator[tuple[int, Delta]]:
        at = begins
        for gap, text in said:
            at += gap
            yield at, Delta(Kind.TEXT, text)

    return Tape(name, begins, deltas)


def _rest(deck: Deck, most: int = 3) -> list[Said]:
    said: list[Said] = []
    while deck.due() is not None:
        said += deck.take(FOREVER, most)
    return said


@given(SCRIPTS, st.integers(1, 9))
def test_the_order_is_by_time_then_by_tape_whatever_the_size_of_a_batch(scripts: Scripts, most: int) -> None:
    tapes = _tapes(scripts)
    order = sorted(tapes, key=lambda tape: (tape.begins, tape.name))
    wanted = [
        (at, place, number, tape.name, delta)
        for place, tape in enumerate(order)
        for number, (at, delta) in enumerate(tape.deltas())
    ]
    wanted.sort(key=lambda each: each[:3])
    assert _rest(Deck(tapes), most) == [(at, name, delta) for at, _, _, name, delta in wanted]
    assert _rest(Deck(tapes[::-1]), most) == _rest(Deck(tapes), 1)


@given(SCRIPTS, st.lists(st.integers(0, 4), max_size=8))
def test_nothing_is_said_before_it_is_due_and_nothing_late(scripts: Scripts, steps: list[int]) -> None:
    deck, now = Deck(_tapes(scripts)), 0
    for step in steps:
        now += step
        assert all(at <= now for at, _, _ in deck.take(now, 1000))
        due = deck.due()
        assert due is None or due > now


@given(SCRIPTS, st.integers(1, 4))
def test_a_deck_resumes_at_every_point_with_exactly_the_rest(scripts: Scripts, most: int) -> None:
    tapes = _tapes(scripts)
    deck, before = Deck(tapes), list[Said]()
    whole = _rest(Deck(tapes))
    while True:
        position = deck.position()
        resumed = Deck(tapes, position)
        assert resumed.position() == position
        assert resumed.due() == deck.due()
        assert before + _rest(resumed) == whole
        if deck.due() is None:
            break
        before += deck.take(FOREVER, most)


def _stopped(tapes: list[Tape], count: int) -> bytes:
    deck = Deck(tapes)
    deck.take(FOREVER, count)
    return deck.position()


ORIGINAL: Scripts = [(0, [(0, "a"), (1, "b"), (1, "c")]), (1, [(0, "d"), (5, "e")])]


@pytest.mark.parametrize(
    "changed",
    [
        [(0, [(0, "a"), (1, "X"), (1, "c")]), (1, [(0, "d"), (5, "e")])],
        [(0, [(0, "a")]), (1, [(0, "d"), (5, "e")])],
        [(0, [(0, "ab"), (1, "c"), (1, "c")]), (1, [(0, "d"), (5, "e")])],
        [(0, [(0, "a"), (1, "b"), (1, "c")]), (1, [])],
    ],
    ids=["another text", "shorter", "cut elsewhere", "empty"],
)
def test_a_recording_that_changed_behind_the_stop_is_refused_by_name(changed: Scripts) -> None:
    position = _stopped(_tapes(ORIGINAL), 3)
    with pytest.raises(ValueError, match=r"recording 'tape [01]' is not what the last run read"):
        Deck(_tapes(changed), position)


def test_other_recordings_than_the_last_run_played_are_refused() -> None:
    tapes = _tapes(ORIGINAL)
    position = _stopped(tapes, 4)
    with pytest.raises(ValueError, match="the first 2 recordings are not those the last run played"):
        Deck(tapes[:1], position)
    renamed = [Tape("another", tapes[0].begins, tapes[0].deltas), tapes[1]]
    with pytest.raises(ValueError, match="are not those the last run played"):
        Deck(renamed, position)


def test_recordings_that_come_later_may_be_added_and_what_is_yet_to_come_may_change() -> None:
    position = _stopped(_tapes(ORIGINAL), 1)
    more = _tapes([ORIGINAL[0], (7, [(0, "new")])])
    assert [delta.text for _, _, delta in _rest(Deck(more, position))] == ["b", "c", "new"]


def test_the_second_stream_of_a_recording_has_a_number_after_a_resume_too() -> None:
    kinds = [Kind.START, Kind.TEXT, Kind.END, Kind.START, Kind.TEXT, Kind.END, Kind.START, Kind.END]
    tape = Tape("name", 0, lambda: iter([(0, Delta(kind)) for kind in kinds]))
    names = ["name"] * 3 + ["name#2"] * 3 + ["name#3"] * 2
    for count in range(len(kinds) + 1):
        rest = _rest(Deck([tape], _stopped([tape], count) if count else None))
        assert [name for _, name, _ in rest] == names[count:]


def test_only_tapes_that_are_playing_are_open() -> None:
    opened: list[str] = []

    def tape(name: str, begins: int) -> Tape:
        def deltas() -> Iterator[tuple[int, Delta]]:
            opened.append(name)
            yield begins, Delta(Kind.TEXT, name)

        return Tape(name, begins, deltas)

    deck = Deck([tape("early", 0), tape("late", 10)])
    assert opened == []
    deck.take(9, 100)
    assert opened == ["early"]


class _Player:
    """All partitions of a source on a clock of its own, as one worker would turn them."""

    def __init__(self, source: TapeSource, resume: dict[str, bytes] | None = None) -> None:
        self.parts = {
            key: source.build_part("source", key, (resume or {}).get(key)) for key in source.list_parts()
        }
        self.said: list[tuple[int, str]] = []
        self.over: set[str] = set()

    def turn(self) -> None:
        for key, part in self.parts.items():
            try:
                batch = part.next_batch() if key not in self.over else []
            except StopIteration:
                self.over.add(key)
                continue
            self.said += [text for key, packet in batch for text in _texts(packet)]

    def snapshot(self) -> dict[str, bytes]:
        return {key: part.snapshot() for key, part in self.parts.items()}


def _texts(packet: Packet) -> list[tuple[int, str]]:
    return [
        (at, packet.text[start:end].decode())
        for at, start, end in zip(
            packet.deltas["at"].tolist(), packet.deltas["start"], packet.deltas["end"], strict=True
        )
    ]


def _source(speed: float, batch: int = 256, ends: int = 40) -> TapeSource:
    """Slot 0 begins to speak 10 s after slot 1, as a few recordings in many slots do."""
    late = _tape_of("late", 10 * SECOND, [(SECOND, f"l{n}") for n in range(ends)])
    early = _tape_of("early", 0, [(SECOND, f"e{n}") for n in range(ends)])
    return TapeSource(
        [late, early], ["00", "01"], lambda name: 0 if name == "late" else 1, speed=speed, batch=batch
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time of day, in seconds, that sources see."""
    known = SimpleNamespace(now=0)
    monkeypatch.setattr(_tape, "time", SimpleNamespace(monotonic_ns=lambda: known.now))

    def at(seconds: float) -> None:
        known.now = int((1000 + seconds) * SECOND)

    at(0)
    return at


def test_every_delta_comes_at_its_own_time_at_the_speed_that_was_asked_for(
    clock: Callable[[float], None],
) -> None:
    player = _Player(_source(speed=2.0))
    for half_seconds in range(120):
        clock(half_seconds / 2)
        player.turn()
        tape_time = half_seconds * SECOND
        assert len(player.said) == min(half_seconds, 40) + min(max(half_seconds - 10, 0), 40)
        assert all(at <= tape_time for at, _ in player.said)
    player.turn()
    assert player.over == {"00", "01"}


def test_the_clock_goes_on_where_it_was_stopped_for_the_slot_that_had_nothing_to_say_too(
    clock: Callable[[float], None],
) -> None:
    first = _Player(_source(speed=1.0))
    for seconds in range(8):
        clock(seconds)
        first.turn()
    second = _Player(_source(speed=1.0), first.snapshot())
    clock(5000)
    second.turn()
    assert second.said == []
    clock(5001)
    second.turn()
    assert second.said == [(8 * SECOND, "e7")]
    clock(5004)
    second.turn()
    assert sorted(second.said[1:]) == [
        (9 * SECOND, "e8"), (10 * SECOND, "e9"), (11 * SECOND, "e10"), (11 * SECOND, "l0"),
    ]  # fmt: skip


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_slot_of_which_nothing_is_due_learns_how_late_it_is(
    clock: Callable[[float], None], speed: float
) -> None:
    part = _source(speed=speed).build_part("source", "00", None)
    told = []
    for hundredths in range(200):
        clock(hundredths / 100)
        for _, packet in part.next_batch():
            assert not len(packet.deltas)
            assert packet.arrived == 0
            told.append(packet.now)
    seconds = np.array(told) / SECOND / speed
    assert seconds[0] == pytest.approx(0.25)
    assert np.diff(seconds) == pytest.approx(0.25)
    assert len(told) == 7


def test_without_a_speed_everything_is_due_and_packets_are_as_large_as_the_batch() -> None:
    source = _source(speed=0, batch=16)
    part = source.build_part("source", "01", None)
    sizes = [len(packet.deltas) for _ in range(3) for _, packet in part.next_batch()]
    assert sizes == [16, 16, 8]
    with pytest.raises(StopIteration):
        part.next_batch()


def test_a_stop_ends_every_slot_and_the_next_run_says_exactly_the_rest() -> None:
    whole = _Player(_source(speed=0, batch=3))
    while len(whole.over) < 2:
        whole.turn()
    for turns in range(0, 30, 3):
        first = _Player(_source(speed=0, batch=3))
        for _ in range(turns):
            first.turn()
        STOP.set()
        first.turn()
        assert first.over == {"00", "01"}
        STOP.clear()
        second = _Player(_source(speed=0, batch=3), first.snapshot())
        while len(second.over) < 2:
            second.turn()
        assert sorted(first.said + second.said) == sorted(whole.said)


def test_a_waiting_slot_sleeps_until_it_is_due_but_looks_up_in_between(
    clock: Callable[[float], None],
) -> None:
    source = _source(speed=1.0)
    part = source.build_part("source", "01", None)
    assert part.next_batch() == []
    clock(0.9)
    for wanted in (0.1, 0.2):
        awake = part.next_awake()
        assert awake is not None
        assert awake - datetime.now(UTC) == pytest.approx(
            timedelta(seconds=wanted), abs=timedelta(seconds=0.03)
        )
        clock(0)


def test_what_cannot_be_resumed_is_logged_with_its_slot(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="are not those the last run played"):
        _source(0).build_part("source", "01", _stopped(_tapes(ORIGINAL), 2))
    assert "source: cannot open the recordings of slot 1" in caplog.text
