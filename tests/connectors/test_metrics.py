"""What a gateway counts, read as Prometheus reads it."""

from __future__ import annotations

import time

import pytest

prometheus = pytest.importorskip("prometheus_client.parser")
pytest.importorskip("uvicorn")

from connectors._bounded_http import Connected  # noqa: E402  # needs uvicorn
from connectors._metrics import CONTENT_TYPE, Metrics  # noqa: E402

Labels = dict[str, str]


def counted(connected: Connected | None = None) -> Metrics:
    return Metrics(("openai", "groq"), lambda: 7, connected or Connected())


def read(metrics: Metrics) -> dict[str, list[tuple[Labels, float]]]:
    """By name of the sample."""
    samples: dict[str, list[tuple[Labels, float]]] = {}
    for family in prometheus.text_string_to_metric_families(metrics.exposed().decode()):
        assert family.documentation
        for sample in family.samples:
            assert sample.name.startswith("midstream_gateway_")
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = [number for known, number in read(metrics)[f"midstream_gateway_{name}"] if known == labels]
    assert len(found) == 1
    return found[0]


def test_calls_are_counted_by_dialect_upstream_and_class_of_status() -> None:
    metrics = counted()
    for status in (200, 204, 429, 503):
        metrics.request("chat", "openai", status)
    metrics.request("", "groq", 200)
    assert value(metrics, "requests_total", dialect="chat", upstream="openai", status="2xx") == 2
    assert value(metrics, "requests_total", dialect="chat", upstream="openai", status="4xx") == 1
    assert value(metrics, "requests_total", dialect="models", upstream="groq", status="2xx") == 1


def test_what_callers_say_never_becomes_a_label() -> None:
    metrics = counted()
    for number in range(1000):
        metrics.request(f"dialect-{number}", f"upstream-{number}", 200 + number % 100)
        metrics.answer(f"dialect-{number}", "done")
    assert read(metrics)["midstream_gateway_requests_total"] == [
        ({"dialect": "other", "upstream": "other", "status": "2xx"}, 1000)
    ]
    assert value(metrics, "answers_total", dialect="other", outcome="done") == 1000


def test_the_number_of_series_does_not_depend_on_what_happens() -> None:
    before = counted()
    after = counted()
    for dialect in ("chat", "messages", "generate", "responses", "", "x"):
        for outcome in ("done", "blocked", "failed", "gone"):
            after.answer(dialect, outcome)
    after.frame(0.001)
    after.first_byte(1)
    after.first_sent(1)
    assert sum(map(len, read(before).values())) == sum(map(len, read(after).values()))


def test_a_blocked_answer_is_counted_as_one() -> None:
    metrics = counted()
    metrics.answer("chat", "blocked")
    metrics.answer("chat", "gone")
    assert value(metrics, "answers_total", dialect="chat", outcome="blocked") == 1
    assert value(metrics, "answers_total", dialect="chat", outcome="gone") == 1
    assert value(metrics, "answers_total", dialect="chat", outcome="done") == 0


def test_what_a_frame_waited_is_a_histogram() -> None:
    metrics = counted()
    for waited, times in ((0.00005, 1), (0.001, 2), (0.0011, 1), (99.0, 1)):
        metrics.frame(waited, times)
    buckets = [(labels["le"], n) for labels, n in read(metrics)["midstream_gateway_added_seconds_bucket"]]
    assert dict(buckets)["0.0001"] == 1
    assert dict(buckets)["0.001"] == 3, "a bound belongs to its bucket"
    assert dict(buckets)["0.0025"] == 4
    assert dict(buckets)["30.0"] == 4
    assert dict(buckets)["+Inf"] == 5
    assert [n for _, n in buckets] == sorted(n for _, n in buckets)
    assert value(metrics, "added_seconds_count") == 5
    assert value(metrics, "added_seconds_sum") == pytest.approx(99.00315)


def test_the_first_byte_is_timed_on_both_sides() -> None:
    metrics = counted()
    metrics.first_byte(0.2)
    metrics.first_sent(0.3)
    metrics.first_sent(0.3)
    assert value(metrics, "first_byte_seconds_count", side="upstream") == 1
    assert value(metrics, "first_byte_seconds_sum", side="upstream") == pytest.approx(0.2)
    assert value(metrics, "first_byte_seconds_count", side="caller") == 2
    assert value(metrics, "first_byte_seconds_bucket", side="caller", le="0.5") == 2


def test_what_is_open_now_and_what_passed_are_told() -> None:
    connected = Connected()
    metrics = counted(connected)
    metrics.received(100)
    metrics.sent(90)
    metrics.refused("rate_limited")
    connected.total = 3
    connected.refused[408] += 2
    assert value(metrics, "streams") == 7
    assert value(metrics, "connections") == 3
    assert value(metrics, "bytes_total", way="received") == 100
    assert value(metrics, "bytes_total", way="sent") == 90
    assert value(metrics, "refused_total", kind="rate_limited") == 1
    assert value(metrics, "connections_refused_total", status="408") == 2
    assert b"version=0.0.4" in CONTENT_TYPE


def test_a_frame_costs_less_than_the_librarys_own_histogram() -> None:
    library = pytest.importorskip("prometheus_client")
    metrics = counted()
    theirs = library.Histogram("waited", "waited", registry=None)

    def spent(observe: object) -> float:
        def run() -> float:
            begun = time.perf_counter()
            for _ in range(20_000):
                observe(0.0007)  # type: ignore[operator]
            return time.perf_counter() - begun

        return min(run() for _ in range(5)) / 20_000

    ours = spent(metrics.frame)
    print(f"{ours * 1e6:.2f} us a frame; prometheus_client's own {spent(theirs.observe) * 1e6:.2f} us")
    assert ours < spent(theirs.observe)
