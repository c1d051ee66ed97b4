"""What clients of Kafka complain of, and how often."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import KafkaError

from connectors._kafka_client import Cluster

_AWAY = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)


def test_each_client_says_now_and_then_that_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    where = Cluster("127.0.0.1:1")
    complaints = [where._with({})["error_cb"] for _ in range(2)]
    with caplog.at_level(logging.WARNING, "midstream.kafka"):
        for complain in complaints:
            for _ in range(50):
                for code in _AWAY:
                    complain(KafkaError(code))
        assert len(caplog.messages) == 2
        complaints[0](KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
        complaints[0](KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert ["no broker answers" in message for message in caplog.messages] == [True, True, False, False]
    assert "not allowed to use this topic" in caplog.messages[-1]
