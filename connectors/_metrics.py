"""What a gateway counts, for Prometheus: ``midstream_gateway_*``.

Strategy. The client library's own counters take a lock and some microseconds, which is too much for each
frame of each stream. Everything here happens on one loop, so a sum is a plain number and a histogram a list
of them; the library only writes them out when somebody asks. Labels are from closed sets: what a caller says
(a model, a path, a key) never becomes one, else each caller could make series without end.

Time to first byte is told twice: when the provider's first byte came, and when the caller got one. The
difference is ours, also where an answer is judged whole.

https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors._bounded_http import Connected

__all__ = ["CONTENT_TYPE", "Metrics", "Outcome"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
"""Of what :meth:`Metrics.exposed` gives."""

Outcome = Literal["done", "blocked", "failed", "gone"]
"""How an answer ended: whole; by policy; by an error; because the caller went away."""

_OTHER = "other"
_OUTCOMES: tuple[Outcome, ...] = ("done", "blocked", "failed", "gone")
_DIALECTS = ("chat", "completions", "responses", "messages", "generate", "realtime", "models", _OTHER)
_ADDED = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
)  # fmt: skip
_FIRST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class _Histogram:
    """Counts of what was not above each bound."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self._bounds, value)] += times
        self.total += value * times

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """As Prometheus has it: sums up to each bound."""
        buckets, so_far = [], 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            buckets.append((bound, float(so_far)))
        return buckets, self.total


class Metrics(Collector):
    """The sums of one gateway. Called on its loop only.

    :arg upstreams: The names there are.

    :arg streams: Tells how many streams are open.

    :arg connected: Its connections.

    A frame costs one search among the bounds of a histogram and two additions.
    """

    def __init__(self, upstreams: Collection[str], streams: Callable[[], int], connected: Connected) -> None:
        self._upstreams, self._streams, self._connected = frozenset(upstreams), streams, connected
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._refused: Counter[str] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._bytes = {"received": 0, "sent": 0}
        self._added = _Histogram(_ADDED)
        self._first = {"upstream": _Histogram(_FIRST), "caller": _Histogram(_FIRST)}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def request(self, dialect: str, upstream: str, status: int) -> None:
        """A call was answered with a status, by whomever."""
        self._requests[_dialect(dialect), self._upstream(upstream), f"{status // 100}xx"] += 1

    def refused(self, kind: str) -> None:
        """A call was not served.

        :arg kind: One of ``_api_errors.KINDS``: our word, not the caller's.
        """
        self._refused[kind] += 1

    def answer(self, dialect: str, outcome: Outcome) -> None:
        """An answer has ended."""
        self._answers[_dialect(dialect), outcome] += 1

    def frame(self, waited: float, times: int = 1) -> None:
        """Frames left, so many seconds after they came."""
        self._added.add(waited, times)

    def first_byte(self, seconds: float) -> None:
        """The provider's first byte of an answer came, so long after the request was there."""
        self._first["upstream"].add(seconds)

    def first_sent(self, seconds: float) -> None:
        """The caller was sent the first byte of an answer, so long after the request was there."""
        self._first["caller"].add(seconds)

    def received(self, size: int) -> None:
        """Bytes of an answer came."""
        self._bytes["received"] += size

    def sent(self, size: int) -> None:
        """Bytes of an answer left."""
        self._bytes["sent"] += size

    def exposed(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """All of it, for a registry of ``prometheus_client``."""
        yield _counter(
            "requests", "Calls answered.", ("dialect", "upstream", "status"), self._requests.items()
        )
        refused = (((kind,), count) for kind, count in self._refused.items())
        yield _counter("refused", "Calls not served, by reason.", ("kind",), refused)
        ended = (
            ((dialect, outcome), self._answers[dialect, outcome])
            for dialect in _DIALECTS
            for outcome in _OUTCOMES
        )
        yield _counter("answers", "Answers that ended.", ("dialect", "outcome"), ended)
        sums = (((way,), count) for way, count in self._bytes.items())
        yield _counter("bytes", "Bytes of answers, from providers and to callers.", ("way",), sums)
        closed = (((str(status),), count) for status, count in self._connected.refused.items())
        text = "Connections closed for what they took, by the status that says why."
        yield _counter("connections_refused", text, ("status",), closed)
        yield _gauge("streams", "Streams that are open.", self._streams())
        yield _gauge("connections", "Connections that are open.", self._connected.total)
        added = HistogramMetricFamily(
            "midstream_gateway_added_seconds", "Time from a frame's coming to its leaving."
        )
        added.add_metric([], *self._added.told())
        yield added
        first = HistogramMetricFamily(
            "midstream_gateway_first_byte_seconds",
            "Time from a request to the first byte of its answer: from the provider, and to the caller.",
            labels=("side",),
        )
        for side, histogram in self._first.items():
            first.add_metric([side], *histogram.told())
        yield first

    def _upstream(self, name: str) -> str:
        return name if name in self._upstreams else _OTHER


def _dialect(name: str) -> str:
    name = name or "models"  # lists, and counts of a request's tokens
    return name if name in _DIALECTS else _OTHER


def _counter(
    name: str, text: str, labels: Sequence[str], counts: Iterable[tuple[tuple[str, ...], int]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"midstream_gateway_{name}", text, labels=labels)
    for values, count in sorted(counts):
        family.add_metric(values, count)
    return family


def _gauge(name: str, text: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"midstream_gateway_{name}", text, value=value)
