"""The sums of a process in their topic: while it goes on, and the last ones when it ends."""

from __future__ import annotations

import threading

from connectors._kafka_skipped import SKIPPED
from connectors._tally import Tally
from connectors.kafka_metrics import Metrics
from operators.packet import Feedback, pack
from tests.clusters import Cluster
from tests.kafka_log import consume, view

pytest_plugins = ["tests.kafka_fixtures"]

HOUR = 3600.0


def test_the_last_sums_are_told_at_the_end_and_every_worker_is_in_them(broker: Cluster, prefix: str) -> None:
    broker.create_topics({f"{prefix}.metrics": 1})
    metrics = Metrics(view(broker, prefix), "analyze", 1, HOUR, Tally())

    def work() -> None:
        for _ in range(2000):
            metrics.add(pack(0, [], now=0).having(feedback=(Feedback("a", 3, "email", "wrong"),)))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    SKIPPED.add(2, 3)
    assert not consume(broker, f"{prefix}.metrics", 1), "an hour has not passed"
    metrics.close()
    (record,) = consume(broker, f"{prefix}.metrics", 1)
    assert record.key == "analyze-1"
    assert record.value["feedback"] == [{"rule": "email", "label": "wrong", "times": 8000}]
    assert (record.value["tombstones"], record.value["repeats"]) == (SKIPPED.tombstones, SKIPPED.repeats)
    assert SKIPPED.tombstones >= 2
    assert SKIPPED.repeats >= 3
    metrics.close()
    assert len(consume(broker, f"{prefix}.metrics", 1)) == 1, "once is enough"
