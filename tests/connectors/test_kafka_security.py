"""The command against brokers that ask who it is: let in with the right word, turned away clearly with any
other, and no secret in anything that it says.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors._kafka_client import Cluster as Ours
from tests.broker import Broker
from tests.flows import jobs
from tests.kafka_log import consume
from tests.kafka_runtime import Runtime
from tests.kafka_security import Security, certificates, tokens

pytest_plugins = ["tests.kafka_fixtures"]
pytestmark = pytest.mark.process

LINE = b'{"type":"delta","stream":"a","text":"x"}\n'
HOOK = "tests.connectors.test_kafka_security"


def right(said: str) -> tuple[str, float]:
    """A hook that gives a token which the broker takes."""
    return tokens("midstream")(said)


def wrong(said: str) -> tuple[str, float]:
    """One that gives a token of another scope."""
    return tokens("another")(said)


def failing(said: str) -> tuple[str, float]:
    """One that fails, and says a secret while it does."""
    msg = "no token for the password hunter2"
    raise OSError(msg)


@pytest.fixture(scope="module", params=["tls", "scram", "oauth"])
def secured(
    request: pytest.FixtureRequest, real_kafka: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Security, Broker]]:
    folder = tmp_path_factory.mktemp(request.param)
    with Broker.start(folder, security=request.param) as broker:
        yield request.param, broker


def settings(kind: Security, broker: Broker, prefix: str, **more: object) -> dict[str, Any]:
    """The variables of a job that is let in."""
    client = broker.client
    given: dict[str, Any] = {
        "SLOTS": 2, "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA__PREFIX": prefix,
        "KAFKA__CA": client["ssl.ca.location"], "KAFKA__TIMEOUT": 10,
        "KAFKA__SECURITY": "ssl" if kind == "tls" else "sasl_ssl",
    }  # fmt: skip
    if kind == "scram":
        given |= {
            "KAFKA__USERNAME": client["sasl.username"],
            "KAFKA__PASSWORD": client["sasl.password"],
        }
    if kind == "oauth":
        given |= {"KAFKA__MECHANISM": "OAUTHBEARER", "KAFKA__TOKEN": f"{HOOK}:right"}
    return given | more


def ingest(variables: dict[str, Any]) -> subprocess.CompletedProcess[bytes]:
    """One line into the log, with all that librdkafka has to say about its security."""
    options = '{"debug": "security"}'
    process = jobs.start("flows", "run", "ingest", KAFKA__OPTIONS=options, **variables)
    out, err = process.communicate(LINE, timeout=120)
    return subprocess.CompletedProcess("ingest", process.returncode, out, err)


def refused(done: subprocess.CompletedProcess[bytes]) -> str:
    """What it said when it was not let in; there is nothing of Python in it."""
    err = done.stderr.decode()
    assert done.returncode == 2, err
    assert "Traceback" not in err
    return err


def test_who_proves_it_is_let_in_and_tells_nobody_how(secured: tuple[Security, Broker], prefix: str) -> None:
    kind, broker = secured
    given = settings(kind, broker, prefix)
    done = ingest(given)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    (record,) = consume(broker, f"{prefix}.deltas")
    assert record.value["text"] == "x"
    assert "KAFKA__PASSWORD" not in given or given["KAFKA__PASSWORD"] not in said
    assert "eyJ" not in said, "the beginning of a token"


def test_an_authority_that_is_not_known_is_not_believed(
    secured: tuple[Security, Broker], prefix: str, tmp_path: Path
) -> None:
    kind, broker = secured
    other, _ = certificates(tmp_path)
    for ca in (str(other), ""):
        err = refused(ingest(settings(kind, broker, prefix, KAFKA__CA=ca, KAFKA__TIMEOUT=3)))
        assert "kafka.ca" in err


def test_who_cannot_prove_it_is_turned_away(secured: tuple[Security, Broker], prefix: str) -> None:
    kind, broker = secured
    if kind == "tls":
        given = settings(kind, broker, prefix, KAFKA__SECURITY="plaintext", KAFKA__TIMEOUT=3, KAFKA__CA="")
        assert "no broker answers: see kafka.bootstrap_servers" in refused(ingest(given))
        return
    more = {"KAFKA__TOKEN": f"{HOOK}:wrong"} if kind == "oauth" else {"KAFKA__PASSWORD": "not-the-password"}
    err = refused(ingest(settings(kind, broker, prefix, KAFKA__TIMEOUT=3, **more)))
    assert "the broker refuses who we are" in err
    assert "not-the-password" not in err
    assert "eyJ" not in err


def test_a_hook_that_fails_is_told_of(secured: tuple[Security, Broker], prefix: str) -> None:
    kind, broker = secured
    if kind != "oauth":
        pytest.skip("only OAUTHBEARER has a hook")
    given = settings(kind, broker, prefix, KAFKA__TOKEN=f"{HOOK}:failing", KAFKA__TIMEOUT=3)
    err = refused(ingest(given))
    assert "kafka.token: the function that gives tokens raised OSError" in err
    assert "hunter2" not in err


def test_a_cluster_that_is_printed_shows_no_secret() -> None:
    shown = repr(Ours("b", options={"sasl.password": "hunter2-hunter2"}, token=right))
    assert "hunter2" not in shown
    assert "right" not in shown
