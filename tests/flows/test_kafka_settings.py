"""``[kafka]``: what is wrong is refused before anything runs, with its key and what would be right; what is
secret is shown nowhere.
"""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import durable
from flows.kafka_settings import KafkaSettings
from flows.settings import Settings, load

SECRET = "hunter2-Zq7"
RESERVED = [
    "bootstrap.servers", "metadata.broker.list", "group.id", "enable.auto.commit", "enable.auto.offset.store",
    "auto.offset.reset", "isolation.level", "enable.partition.eof", "enable.idempotence", "acks",
    "request.required.acks", "transactional.id", "transaction.timeout.ms", "delivery.timeout.ms",
    "message.timeout.ms", "retries", "message.send.max.retries", "max.in.flight",
    "max.in.flight.requests.per.connection", "delivery.report.only.error", "security.protocol",
    "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password", "ssl.ca.location",
    "ssl.certificate.location", "ssl.key.location", "ssl.key.password", "auto.commit.enable",
    "allow.auto.create.topics", "queuing.strategy", "batch.size", "message.max.bytes", "logger", "oauth_cb",
    "enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm", "ssl.cipher.suites",
    "ssl.ca.pem", "ssl.ca.certificate.stores", "ssl.providers", "ssl.engine.location", "ssl.engine.id",
    "plugin.library.paths", "enable.sasl.oauthbearer.unsecure.jwt", "sasl.oauthbearer.method",
    "sasl.oauthbearer.token.endpoint.url", "sasl.kerberos.kinit.cmd", "https.ca.location",
    "test.mock.num.brokers", "topic.acks", "topic.message.timeout.ms", "default.topic.config", " acks",
    "Enable.SSL.Certificate.Verification ",
]  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, and no variable of ours."""
    for name in [name for name in os.environ if name.upper().startswith("MIDSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _refused(flags: dict[str, Any] | None = None) -> str:
    with pytest.raises(ValueError, match=r"^settings: ") as caught:
        load({"kafka": flags} if flags else None)
    assert SECRET not in "".join(traceback.format_exception(caught.value)), "a log would show it"
    return str(caught.value)


def test_nothing_set_is_no_kafka_and_the_lane_that_waits_for_nothing() -> None:
    kafka = load().kafka
    assert kafka == KafkaSettings()
    assert (kafka.bootstrap_servers, kafka.prefix, kafka.lane) == ("", "midstream", "fast")
    assert (kafka.cell, kafka.cells, kafka.start, kafka.until) == (0, 1, "earliest", "forever")
    with pytest.raises(
        ValueError, match=r"kafka\.bootstrap_servers .*: this job needs Kafka: set MIDSTREAM_K"
    ):
        durable.cluster(load())


WRONG: list[tuple[str, str, str]] = [
    ("prefix", SECRET + "/", "String should match pattern '^[A-Za-z0-9._-]{1,200}$'"),
    ("prefix", "x" * 201, "String should match pattern"),
    ("prefix", "a\n", "String should match pattern"),
    ("lane", SECRET, "Input should be 'fast' or 'exact'"),
    ("cell", "-1", "Input should be greater than or equal to 0"),
    ("cell", "64", "Input should be less than or equal to 63"),
    ("cell", SECRET, "Input should be a valid integer"),
    ("cells", "0", "Input should be greater than or equal to 1"),
    ("cells", "65", "Input should be less than or equal to 64"),
    ("start", SECRET, "earliest, latest, committed, a time (ISO 8601) or an offset"),
    ("start", "-1", "earliest, latest, committed, a time (ISO 8601) or an offset"),
    ("start", "2026-13-01", "earliest, latest, committed, a time (ISO 8601) or an offset"),
    ("start", "9223372036854775808", "earliest, latest, committed, a time (ISO 8601) or an offset"),
    ("start", "9" * 5000, "earliest, latest, committed, a time (ISO 8601) or an offset"),
    ("until", SECRET, "Input should be 'forever' or 'end'"),
    ("skew", "-1", "Input should be greater than or equal to 0"),
    ("skew", "nan", "Input should be"),
    ("skew", "inf", "Input should be"),
    ("samples", SECRET, "Input should be a valid boolean"),
    ("create", SECRET, "Input should be a valid boolean"),
    ("replication", "-2", "Input should be greater than or equal to -1"),
    ("replication", "0", "-1 (the broker's default) or from 1"),
    ("metrics", "-1", "Input should be greater than or equal to 0"),
    ("metrics", "nan", "Input should be"),
    ("timeout", "0", "Input should be greater than 0"),
    ("timeout", "nan", "Input should be"),
    ("delivery_timeout", "0.5", "Input should be greater than or equal to 1"),
    ("delivery_timeout", "inf", "Input should be"),
    ("transaction_timeout", "901", "Input should be less than or equal to 900"),
    ("security", SECRET, "Input should be 'plaintext', 'ssl', 'sasl_plaintext' or 'sasl_ssl'"),
    ("mechanism", SECRET, "Input should be 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512' or 'OAUTHBEARER'"),
    ("token", SECRET, "String should match pattern"),
    ("token", "module:", "String should match pattern"),
    ("run", "prod", "not for setting: a numbering is named by the folder of run -r, or at random"),
    ("options", SECRET, 'in a variable a JSON object of texts, as in {"client.rack": "a"}'),
    ("options", "[" * 100_000, "in a variable a JSON object of texts"),
    ("options", f'["{SECRET}"]', "Input should be a valid dictionary"),
    ("options", "5", "Input should be a valid dictionary"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "wanted"), WRONG)
def test_a_wrong_value_is_named_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, wanted: str
) -> None:
    name = f"MIDSTREAM_KAFKA__{key.upper()}"
    monkeypatch.setenv(name, value)
    message = _refused()
    assert message.startswith(f"settings: kafka.{key} (from {name}): ")
    assert wanted in message


def test_a_wrong_file_is_named_too(place: Path) -> None:
    file = place / "midstream.toml"
    for text, wanted in [
        ("[kafka]\ncell = 9.5", "settings: kafka.cell (from midstream.toml): Input should be a valid int"),
        (f"[kafka]\npasswrod = '{SECRET}'",
         "settings: kafka.passwrod (from midstream.toml): no such key; there are bootstrap_servers, prefix,"),
        (f"kafka = '{SECRET}'", "settings: kafka (from midstream.toml): Input should be a valid dictionary"),
        ('[kafka.options]\n"socket.timeout.ms" = 5',
         "settings: kafka.options.socket.timeout.ms (from midstream.toml): Input should be a valid string"),
        ("[kafka]\ncell = 2", "settings: kafka (from midstream.toml): Value error, cell 2 of 1: cells are "),
    ]:  # fmt: skip
        file.write_text(text, encoding="utf-8")
        assert _refused().startswith(wanted)


@pytest.mark.parametrize("option", RESERVED)
def test_an_option_that_a_guarantee_rests_on_is_not_for_setting(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv("MIDSTREAM_KAFKA__OPTIONS", json.dumps({option: SECRET, "client.rack": "a"}))
    assert _refused() == (
        f"settings: kafka.options (from MIDSTREAM_KAFKA__OPTIONS): Value error, {option} is not for setting "
        "here: it has a key of its own, or a guarantee rests on it"
    )


def test_an_option_that_weakens_nothing_is_the_clients() -> None:
    options = {
        "ssl.keystore.location": "k", "ssl.crl.location": "c", "sasl.oauthbearer.config": "s",
        "topic.metadata.refresh.interval.ms": "200", "client.dns.lookup": "use_all_dns_ips", "linger.ms": "7",
        "debug": "security",
    }  # fmt: skip
    known = load({"kafka": {"bootstrap_servers": "127.0.0.1:1", "options": options}})
    assert options.items() <= durable.cluster(known).options.items()


def test_options_in_a_variable_are_a_json_object_and_in_a_file_a_table(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def options() -> dict[str, str]:
        return {name: said.get_secret_value() for name, said in load().kafka.options.items()}

    (place / "midstream.toml").write_text('[kafka.options]\n"client.rack" = "a"', encoding="utf-8")
    assert options() == {"client.rack": "a"}
    monkeypatch.setenv("MIDSTREAM_KAFKA__OPTIONS", '{"linger.ms": "7"}')
    assert options()["linger.ms"] == "7"
    monkeypatch.setenv("MIDSTREAM_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert durable.cluster(load()).options["linger.ms"] == "7"


@given(st.integers(0, 63), st.integers(1, 64))
def test_a_cell_is_one_of_the_cells(cell: int, cells: int) -> None:
    flags = {"cell": cell, "cells": cells}
    if cell < cells:
        assert load({"kafka": flags}).kafka.cell == cell
    else:
        assert _refused(flags) == (
            "settings: kafka (from the command line): Value error, "
            f"cell {cell} of {cells}: cells are counted from 0"
        )


def test_a_fault_of_several_variables_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDSTREAM_KAFKA__CELL", "3")
    monkeypatch.setenv("MIDSTREAM_KAFKA__CELLS", "2")
    assert _refused().startswith("settings: kafka (from MIDSTREAM_KAFKA__CELL, MIDSTREAM_KAFKA__CELLS): ")


LOGIN = {"username": "u", "password": SECRET}


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"security": "sasl_ssl"}, "SCRAM-SHA-512 needs username and password"),
        ({"security": "sasl_ssl", "username": "u"}, "SCRAM-SHA-512 needs username and password"),
        ({"security": "sasl_ssl", "username": "u", "password": ""}, "SCRAM-SHA-512 needs username and pass"),
        (
            {"security": "sasl_plaintext", "mechanism": "PLAIN", "password": SECRET},
            "PLAIN needs username and",
        ),
        ({"security": "sasl_ssl", "mechanism": "OAUTHBEARER", **LOGIN}, "OAUTHBEARER needs token, the func"),
        (LOGIN, "security = plaintext tells nobody who we are: username, password, token need sasl"),
        ({"security": "ssl", **LOGIN}, "security = ssl tells nobody who we are"),
        ({"mechanism": "OAUTHBEARER", "token": "a:b"}, "security = plaintext tells nobody who we are"),
        ({"ca": "ca.pem"}, "security = plaintext is without TLS: ca, certificate and private_key need ssl"),
        ({"security": "sasl_plaintext", "ca": "ca.pem", **LOGIN}, "security = sasl_plaintext is without TLS"),
        ({"private_key_password": SECRET}, "security = plaintext is without TLS"),
    ],
)
def test_what_would_be_sent_in_the_clear_or_not_at_all_is_refused(flags: dict[str, str], wanted: str) -> None:
    assert _refused(flags).startswith(f"settings: kafka (from the command line): Value error, {wanted}")


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ({}, {"security.protocol": "PLAINTEXT"}),
        ({"security": "ssl", "ca": "c"}, {"security.protocol": "SSL", "ssl.ca.location": "c"}),
        (
            {"security": "ssl", "certificate": "c", "private_key": "k", "private_key_password": SECRET},
            {"security.protocol": "SSL", "ssl.certificate.location": "c", "ssl.key.location": "k",
             "ssl.key.password": SECRET},
        ),
        (
            {"security": "sasl_ssl", **LOGIN},
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "u",
             "sasl.password": SECRET},
        ),
        (
            {"security": "sasl_plaintext", "mechanism": "OAUTHBEARER", "token": "json:loads"},
            {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER"},
        ),
    ],
)  # fmt: skip
def test_what_is_set_is_what_the_client_is_told(flags: dict[str, str], options: dict[str, str]) -> None:
    where = durable.cluster(load({"kafka": {"bootstrap_servers": "127.0.0.1:1", **flags}}))
    assert where.options == options
    assert where.token is (json.loads if "token" in flags else None)
    assert SECRET not in repr(where)


@pytest.mark.parametrize("hook", ["no_such_module:f", "json:no_such_function"])
def test_a_hook_that_is_not_there_is_refused(hook: str) -> None:
    flags = {"bootstrap_servers": "127.0.0.1:1", "security": "sasl_ssl", "mechanism": "OAUTHBEARER"}
    with pytest.raises(ValueError, match=rf"^settings: kafka\.token: no function '{hook}': "):
        durable.cluster(load({"kafka": flags | {"token": hook}}))


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SECURITY": "sasl_ssl", "USERNAME": "u", "PASSWORD": SECRET, "PRIVATE_KEY_PASSWORD": SECRET,
        "OPTIONS": json.dumps({"ssl.keystore.password": SECRET, "ssl.key.pem": SECRET}),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"MIDSTREAM_KAFKA__{name}", value)
    known = load()
    kafka = known.kafka
    assert kafka.password is not None
    assert kafka.password.get_secret_value() == SECRET
    for shown in (known, kafka):
        assert SECRET not in f"{shown} {shown!r} {shown.model_dump()} {shown.model_dump_json()}"
    monkeypatch.setenv("MIDSTREAM_KAFKA__CELL", "99")
    assert _refused().startswith("settings: kafka.cell (from MIDSTREAM_KAFKA__CELL): ")


@pytest.mark.parametrize("key", ["PASSWORD", "PRIVATE_KEY_PASSWORD", "OPTIONS"])
def test_a_secret_beside_a_fault_of_the_section_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    value = json.dumps({"ssl.keystore.password": SECRET}) if key == "OPTIONS" else SECRET
    monkeypatch.setenv(f"MIDSTREAM_KAFKA__{key}", value)
    monkeypatch.setenv("MIDSTREAM_KAFKA__CELL", "9")
    assert "cell 9 of 1" in _refused()


@pytest.mark.parametrize(
    "start",
    ["earliest", "latest", "committed", "0", "999999999999999999", "2026-11-21", "2026-11-21T20:00:00+02:00",
     "2026-11-21T20:00:00Z", "1901-01-01"],
)  # fmt: skip
def test_where_to_start_can_be_said_in_many_ways(start: str) -> None:
    known = load({"kafka": {"start": start}}).kafka.start
    assert known == start
    durable._start(known)  # what the settings let pass can be started with


def test_a_time_without_a_zone_is_utc_and_a_zone_counts() -> None:
    assert durable._start("2026-11-21T20:00:00") == durable._start("2026-11-21T22:00:00+02:00")
    assert durable._start("1970-01-01T00:00:01").time == 1000


def test_more_cells_than_slots_is_refused() -> None:
    known = Settings(slots=4, kafka=KafkaSettings(cells=5))
    with pytest.raises(ValueError, match=r"^settings: kafka\.cells is 5, but there are 4 slots to share"):
        durable.own(known)


@given(st.integers(1, 64), st.integers(1, 64))
def test_every_slot_is_in_one_cell(slots: int, cells: int) -> None:
    if cells > slots:
        return
    own = [durable.own(Settings(slots=slots, kafka=KafkaSettings(cell=k, cells=cells))) for k in range(cells)]
    assert sorted(slot for each in own for slot in each) == list(range(slots))
    assert all(own)
