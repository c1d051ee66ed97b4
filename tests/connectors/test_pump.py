"""The pump: a full feed stops its connection, a failure reaches the taker, no wake-up is lost."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

import pytest

from connectors._pump import Feed, Pump


@pytest.fixture
def pump() -> Iterator[Pump]:
    made = Pump()
    yield made
    made.close()


def _until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds that another thread brings about."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.001)


def _drain(feed: Feed[int], most: int = 7) -> list[int]:
    taken: list[int] = []

    def over() -> bool:
        taken.extend(feed.take(most))
        return feed.over()

    _until(over, 20)
    return taken


def test_a_feed_gives_all_items_in_order_and_is_over_then(pump: Pump) -> None:
    async def receive(feed: Feed[int]) -> None:
        for number in range(100):
            await feed.put(number)

    feed = pump.feed("hundred", receive, room=8)
    assert _drain(feed) == list(range(100))
    assert feed.take(5) == []


def test_a_full_feed_stops_its_coroutine_until_something_is_taken(pump: Pump) -> None:
    handed: list[int] = []

    async def receive(feed: Feed[int]) -> None:
        for number in range(10):
            await feed.put(number)
            handed.append(number)

    feed = pump.feed("slow taker", receive, room=3)
    _until(lambda: len(handed) == 3)
    time.sleep(0.05)
    assert len(handed) == 3
    assert feed.take(2) == [0, 1]
    _until(lambda: len(handed) == 5)
    time.sleep(0.05)
    assert len(handed) == 5
    assert not feed.over()


def test_an_error_is_raised_once_and_behind_the_last_item(
    pump: Pump, caplog: pytest.LogCaptureFixture
) -> None:
    async def receive(feed: Feed[int]) -> None:
        await feed.put(1)
        await feed.put(2)
        raise ConnectionResetError

    with caplog.at_level(logging.ERROR):
        feed = pump.feed("peer", receive)
        _until(lambda: "peer: connection failed" in caplog.text)
    assert not feed.over()
    assert feed.take(10) == [1, 2]
    assert not feed.over()
    with pytest.raises(ConnectionResetError):
        feed.take(10)
    assert feed.over()
    assert feed.take(10) == []


def test_closing_cancels_what_runs_and_what_was_handed_over_can_still_be_taken() -> None:
    cancelled = threading.Event()

    async def receive(feed: Feed[int]) -> None:
        try:
            for number in range(100):
                await feed.put(number)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    pump = Pump()
    feed = pump.feed("cancelled", receive, room=2)
    _until(lambda: len(feed._items) == 2)
    pump.close()
    assert cancelled.is_set()
    assert feed.take(10) == [0, 1]
    assert feed.over()
    pump.close()  # again does nothing


@pytest.fixture
def _switching() -> Iterator[None]:
    """Threads take turns a hundred times as often as they do, so that they meet in every place."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_switching")
@pytest.mark.parametrize("room", [1, 2, 5])
def test_no_wake_up_is_lost_between_a_taker_and_a_full_feed(pump: Pump, room: int) -> None:
    count = 3_000

    async def receive(feed: Feed[int]) -> None:
        for number in range(count):
            await feed.put(number)

    feed = pump.feed("stress", receive, room=room)
    taken: list[int] = []
    deadline = time.monotonic() + 60
    while not feed.over():
        taken += feed.take(1)
        assert time.monotonic() < deadline, f"stuck after {len(taken)} items"
    assert taken == list(range(count))


def test_an_item_taken_just_before_the_coroutine_begins_to_wait_wakes_it(pump: Pump) -> None:
    taken: list[int] = []

    async def receive(feed: Feed[int]) -> None:
        class Hasty(deque[int]):
            """The worker takes while the coroutine looks at how full it is, and is not yet waited for."""

            def __len__(self) -> int:
                length = super().__len__()
                if length and not taken:
                    taken.append(0)
                    taken.extend(feed.take(1))
                return length

        feed._drained.set()  # as it is once something was taken
        feed._items = Hasty()
        await feed.put(1)
        await asyncio.wait_for(feed.put(2), 5)

    feed = pump.feed("race", receive, room=1)
    assert _drain(feed) == [2]
    assert taken == [0, 1]


def test_many_feeds_share_the_loop_and_keep_their_own_items(pump: Pump) -> None:
    def receiving(start: int) -> Callable[[Feed[int]], Awaitable[None]]:
        async def receive(feed: Feed[int]) -> None:
            for number in range(start, start + 200):
                await feed.put(number)
                if number % 50 == 0:
                    await asyncio.sleep(0)

        return receive

    starts = [1000 * place for place in range(50)]
    feeds = [pump.feed(f"feed {start}", receiving(start), room=4) for start in starts]
    taken: list[list[int]] = [[] for _ in feeds]
    deadline = time.monotonic() + 20
    while not all(feed.over() for feed in feeds):
        for feed, mine in zip(feeds, taken, strict=True):
            mine.extend(feed.take(3))
        assert time.monotonic() < deadline
    assert taken == [list(range(start, start + 200)) for start in starts]


def test_one_failed_feed_leaves_the_others_running(pump: Pump, caplog: pytest.LogCaptureFixture) -> None:
    async def failing(feed: Feed[int]) -> None:
        raise OSError

    async def receive(feed: Feed[int]) -> None:
        await asyncio.sleep(0.01)
        await feed.put(1)

    with caplog.at_level(logging.CRITICAL):
        broken, fine = pump.feed("broken", failing), pump.feed("fine", receive)
        assert _drain(fine) == [1]
    with pytest.raises(OSError, match=r"^$"):
        broken.take(1)
