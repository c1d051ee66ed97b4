"""How much a caller may ask for, and how it is told so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._keys import Key, hashed, new_key
from connectors._rates import Rates
from operators.packet import Delta, Kind
from tests.connectors.door import NOON, Door


def text(said: str) -> Delta:
    return Delta(int(Kind.TEXT), said)


def usage(said: str) -> Delta:
    return Delta(int(Kind.USAGE), said)


def test_requests_are_limited_by_the_minute_and_refilled_evenly(tmp_path: Path) -> None:
    door = Door(tmp_path, "requests_per_minute = 3")
    for _ in range(3):
        door.admit()
    refused = door.refused()
    assert (refused.kind, str(refused)) == ("rate_limited", "too many requests a minute; try again in 20 s")
    assert refused.retry_after == pytest.approx(20)
    told = dict(refused.headers)
    assert told[b"retry-after"] == b"20"
    assert told[b"x-ratelimit-limit-requests"] == b"3"
    assert told[b"x-ratelimit-remaining-requests"] == b"0"
    assert told[b"x-ratelimit-reset-requests"] == b"1m0s"
    assert b"x-should-retry" not in told
    door.clock.now += 20
    door.admit()
    door.refused()
    door.clock.now += 3600
    assert dict(door.admit().headers())[b"x-ratelimit-remaining-requests"] == b"2"


def test_anthropics_clients_are_told_in_their_own_words(tmp_path: Path) -> None:
    told = dict(Door(tmp_path, "requests_per_minute = 60").admit(dialect="messages").headers())
    assert told == {
        b"anthropic-ratelimit-requests-limit": b"60",
        b"anthropic-ratelimit-requests-remaining": b"59",
        b"anthropic-ratelimit-requests-reset": b"2026-11-22T12:00:01Z",
    }


def test_a_refused_request_costs_nothing(tmp_path: Path) -> None:
    door = Door(tmp_path, 'requests_per_minute = 1\nscopes = ["chat"]')
    door.refused(dialect="messages")
    door.refused(new_key("ci"))
    door.admit()


def test_tokens_of_a_call_are_a_debt_that_the_next_waits_for(tmp_path: Path) -> None:
    door = Door(tmp_path, "tokens_per_minute = 60")
    caller = door.admit()
    caller.spent(90)
    refused = door.refused()
    assert refused.retry_after == pytest.approx(31)  # 30 in debt, and one to go on with
    assert dict(refused.headers)[b"x-ratelimit-remaining-tokens"] == b"0"
    assert dict(refused.headers)[b"x-ratelimit-reset-tokens"] == b"1m30s"
    door.clock.now += 31
    door.admit()


def test_a_days_tokens_end_with_the_day(tmp_path: Path) -> None:
    door = Door(tmp_path, "tokens_per_day = 100")
    door.admit().spent(99)
    door.admit().spent(1)
    refused = door.refused()
    assert refused.retry_after == pytest.approx(12 * 3600)
    assert dict(refused.headers)[b"x-should-retry"] == b"false", "nobody waits till midnight"
    door.clock.now += 12 * 3600
    door.admit()


def test_tokens_are_estimated_until_the_provider_counts_them(tmp_path: Path) -> None:
    door = Door(tmp_path, "tokens_per_minute = 1000")

    def left() -> int:
        return int(dict(door.admit().headers())[b"x-ratelimit-remaining-tokens"])

    caller = door.admit()
    caller.hear([text("a prompt of some words")])
    assert left() == 1000 - 6
    caller.hear([usage('{"input": 20, "output": 1}')])  # as Anthropic begins
    assert left() == 1000 - 21
    caller.hear([text("Hi"), text(" there,")])
    assert left() == 1000 - 24
    caller.hear([text("you"), usage('{"output": 400, "cached": 7}')])
    assert left() == 1000 - 420
    caller.hear([usage('{"input": 10, "output": 10}')])
    assert left() == 1000 - 20, "what was counted too much is given back"


@pytest.mark.parametrize(
    "said", ['{"input": -5, "output": -5}', '{"output": 1e300}', "{}", '{"output": 9999999999999}']
)
def test_counts_that_cannot_be_are_not_believed(tmp_path: Path, said: str) -> None:
    door = Door(tmp_path, "tokens_per_minute = 1000")
    caller = door.admit()
    caller.hear([text("abcdefgh"), usage(said)])
    assert dict(caller.headers())[b"x-ratelimit-remaining-tokens"] == b"998"


def test_without_limits_nothing_is_told(tmp_path: Path) -> None:
    caller = Door(tmp_path).admit()
    caller.hear([text("abc")])
    assert caller.headers() == []


@given(st.lists(st.tuples(st.floats(0, 200), st.integers(0, 3)), max_size=60), st.integers(1, 50))
def test_no_caller_ever_gets_more_than_a_minutes_worth_and_what_was_refilled(
    asked: list[tuple[float, int]], limit: int
) -> None:
    rates, key, now, taken = Rates(), Key(hashed("x"), requests_per_minute=limit), NOON, 0
    for pause, times in asked:
        now += pause
        taken += sum(rates.ask(key, now) is None for _ in range(times * limit))
        assert taken <= limit + (now - NOON) * limit / 60 + 1e-6


def test_a_clock_that_is_set_back_refills_nothing(tmp_path: Path) -> None:
    door = Door(tmp_path, "requests_per_minute = 1")
    door.admit()
    door.clock.now -= 3600
    door.refused()
    door.clock.now += 59
    door.refused()
    door.clock.now += 1
    door.admit()
