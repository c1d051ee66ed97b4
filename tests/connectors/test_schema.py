"""The schema of records says what the code says, the same records, fields, words; what is written fits it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from enum import IntEnum
from importlib import resources
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator

from connectors import _deltas, _kafka_markers, kafka_beside
from connectors._kafka_records import Decisions, oversized
from connectors._records import Record, Recorder
from connectors._tally import Tally
from connectors.kafka_dead import Replayed
from connectors.kafka_metrics import Metrics
from flows.entries import PatternEntry, SeriesName
from operators import audit
from operators.packet import Action, Channel, Dead, Delta, Feedback, Finish, Kind, Reach, Signal, pack
from operators.slots import slot_of
from tests.clusters import Cluster
from tests.flows import jobs
from tests.kafka_log import consume, until, view, write

pytest_plugins = ["tests.kafka_fixtures"]

SCHEMA: dict[str, Any] = json.loads(
    resources.files("connectors").joinpath("records.schema.json").read_bytes()
)
DEFINED: dict[str, Any] = SCHEMA["$defs"]
SLOTS = 4
TOPICS = ("deltas", "findings", "verdicts", "releases", "samples", "audit", "dead", "metrics", "markers")

_SAID = [kind for kind in _deltas._DELTAS if kind is not _deltas.Start]
STRUCTS: dict[str, type[msgspec.Struct]] = {
    **{kind.__name__: kind for kind in Record.__subclasses__()},
    "SaidStart": _deltas.Start,
    **{f"Said{kind.__name__.removeprefix('_')}": kind for kind in _SAID},
    "Replayed": Replayed,
    "Marker": _kafka_markers.Marker,
    "Feedback": kafka_beside._Said,
}
NUMBERED = {"slot", "seq"}  # what a sink adds to a record of the contract


def fits(place: str) -> Draft202012Validator:
    """What validates the records of one topic, or of standard output."""
    return Draft202012Validator(SCHEMA | {"anyOf": [{"$ref": f"#/$defs/{place}"}]})


def seen(said: dict[str, Any]) -> dict[str, Any]:
    """A property as it is defined."""
    return DEFINED[said["$ref"].rpartition("/")[2]] if "$ref" in said else said


def test_it_is_a_schema_with_a_version() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    major, _ = SCHEMA["x-version"].split(".")
    assert SCHEMA["$id"].endswith(f":{major}")


def test_every_definition_and_every_property_is_described() -> None:
    def properties(said: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(said, dict):
            yield from said.get("properties", {}).items()
            for inner in said.values():
                yield from properties(inner)

    assert all(said["description"] for said in DEFINED.values())
    assert not [name for name, said in properties(DEFINED) if not seen(said).get("description")]


def test_every_definition_is_used() -> None:
    text = json.dumps(SCHEMA)
    assert not [name for name in DEFINED if f'"#/$defs/{name}"' not in text]


def test_the_structs_are_all_there_are() -> None:
    assert {"Start", "Release", "Dead", "Replayed", "Summary", "SaidNote"} <= STRUCTS.keys()
    others = {"Audit", "Metrics", "Order"}  # dictionaries and a settings model; each has a test of its own
    assert {name for name in DEFINED if name[0].isupper()} == STRUCTS.keys() | others


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_a_record_has_the_fields_of_its_struct_of_the_same_types(name: str) -> None:
    struct, said = STRUCTS[name], DEFINED[name]
    [wanted] = (
        known
        for known in msgspec.json.schema_components([struct])[1].values()
        if "type" in known["properties"]
    )
    fields = {field.encode_name for field in msgspec.structs.fields(struct)}
    assert set(said["properties"]) - NUMBERED == {"type"} | fields - NUMBERED
    assert fields <= set(said["properties"])
    assert set(said["required"]) - NUMBERED == set(wanted["required"]) - NUMBERED
    assert said["properties"]["type"]["const"] == wanted["properties"]["type"]["enum"][0]
    for field in fields:
        assert types(seen(said["properties"][field])) == types(wanted["properties"][field]), field


def types(said: dict[str, Any]) -> set[str]:
    """The JSON types that a schema lets a value have."""
    if "$ref" in said:
        return {"object"}
    if not said:  # msgspec.Raw: as another field of the union says
        return set()
    if "anyOf" in said:
        return set().union(*(types(each) for each in said["anyOf"]))
    if "enum" in said:
        return {"string"}
    return {said["type"]} if isinstance(said["type"], str) else set(said["type"])


def test_a_marker_has_the_counters_of_its_struct() -> None:
    counters = DEFINED["Marker"]["properties"]["counters"]
    fields = {field.name for field in msgspec.structs.fields(_kafka_markers.Counters)}
    assert set(counters["properties"]) == set(counters["required"]) == fields


def test_an_audit_record_and_an_order_have_their_fields() -> None:
    assert set(DEFINED["Audit"]["properties"]) == set(DEFINED["Audit"]["required"]) == audit._KEYS
    order = PatternEntry.model_fields
    assert set(DEFINED["Order"]["properties"]) == order.keys()
    required = {name for name, field in order.items() if field.is_required()}
    assert set(DEFINED["Order"]["required"]) == required | {"values"}  # the other way, a file, is a policy's


@pytest.mark.parametrize(
    ("words", "enum"),
    [
        (DEFINED["lane"], Channel),
        (DEFINED["finish"], Finish),
        (DEFINED["Sample"]["properties"]["signal"], Signal),
        (DEFINED["Finding"]["properties"]["kind"], Reach),
        (DEFINED["Verdict"]["properties"]["action"], Action),
    ],
)
def test_words_are_those_of_the_code(words: dict[str, Any], enum: type[IntEnum]) -> None:
    assert words["enum"] == [member.name.lower() for member in enum]


def test_signals_of_an_order_are_those_of_a_policy() -> None:
    known = [name for group in get_args(SeriesName) for name in get_args(group) or [group]]
    assert DEFINED["Order"]["properties"]["signal"]["enum"] == known


def test_a_new_field_is_taken_and_a_wrong_one_is_not() -> None:
    told = {
        "type": "verdict",
        "stream": "a",
        "seq": 3,
        "action": "warn",
        "reason": "r",
        "rule": "x",
        "slot": 1,
    }
    check = fits("verdicts")
    assert check.is_valid(told | {"new": [1]})
    wrong = [
        {"type": "finding"},
        {"action": "shout"},
        {"seq": -1},
        {"seq": 1.5},
        {"stream": None},
        {"slot": 64},
    ]
    assert not [each for each in wrong if check.is_valid(told | each)]
    assert not [name for name in told if check.is_valid({key: told[key] for key in told.keys() - {name}})]


def test_every_kind_of_dead_letter_fits_and_that_it_was_put_back() -> None:
    packet = pack(0, [("a", Delta(int(Kind.TEXT), "hé"))], now=5).having(
        failed="gate: internal error (KeyError)"
    )
    packet.origin, packet.dead = (4, 9), (Dead(7, "", "not UTF-8", 2, b"\xff\xfe"),)
    encoder = Decisions(Recorder([], []), "m.deltas")
    letters = [out for out in encoder.encode(packet) if out[0] == "dead"]
    assert len(letters) == 2
    too_large = ("verdicts", b"a", 3, b"x" * 100, "decided")
    for letter in [*letters, oversized(too_large, encoder.counters, 0)]:
        fits("dead").validate(json.loads(letter[3]))
    fits("dead").validate(json.loads(msgspec.json.encode(Replayed("a", 0, 3, 5))))


def test_sums_with_feedback_fit(broker: Cluster, prefix: str) -> None:
    broker.create_topics({f"{prefix}.metrics": 1})
    with closing(Metrics(view(broker, prefix), "analyze", 1, 1e-9, Tally())) as metrics:
        metrics.add(pack(0, [], now=0).having(feedback=(Feedback("a", 3, "email", "wrong"),)))
        until(lambda: consume(broker, f"{prefix}.metrics", 1))
        [record] = consume(broker, f"{prefix}.metrics", 1)
    assert record.value["feedback"]
    fits("metrics").validate(record.value)


POLICY = """
packs = ["personal", "secrets", "injection", "exfiltration", "tool", "markup"]
[[loops]]
name = "loop"
action = "steer"
description = "the same again"
[[changes]]
name = "change"
signal = "length"
false_alarm = 1e-3
reference = 8
action = "warn"
description = "other than it was"
[[thresholds]]
name = "some-length"
signal = "length"
above = 3.0
action = "warn"
description = "a fragment of more than three characters"
[[patterns]]
name = "flat"
signal = "length"
values = [3.0, 3.0, 3.0]
within = 1.0
description = "fragments of three characters"
action = "warn"
[[phrases]]
name = "manner"
texts = ["the quick brown fox jumps"]
errors = 2
action = "warn"
description = "a phrase"
[[references]]
name = "reference"
text = "the quick brown fox jumps over the lazy dog and runs away"
similarity = 0.7
action = "warn"
description = "a text"
[motifs]
words = 8
times = 3
window = 256
action = "warn"
[regimes]
signal = "length"
window = 128
every = 64
actions = { limit_cycle = "warn" }
"""

SAYS = [
    {"type": "start", "stream": "said", "provider": "p", "model": "m"},
    {"type": "delta", "stream": "said", "text": "the quick brown fax jumps over the lazy dog and runs off. "},
    {"type": "delta", "stream": "said", "text": "write to jane.doe@example.com", "logprob": -0.25},
    {"type": "release", "stream": "said", "lane": "reasoning", "item": 2, "text": "hm", "seq": 7},
    {"type": "note", "stream": "said", "fact": {"name": "tool"}, "lane": "tool"},
    {"type": "usage", "stream": "said", "counts": {"output_tokens": 9}},
    {"type": "error", "stream": "said", "reason": "overloaded"},
    {"type": "end", "stream": "said", "finish": "length"},
    {"type": "end", "stream": "never begun"},
    {"type": "start", "stream": "key"},
    {"type": "delta", "stream": "key", "text": "-----BEGIN RSA PRIVATE KEY-----\nMIIE"},
    {"type": "start", "stream": "loop"},
    *({"type": "delta", "stream": "loop", "text": word} for word in ["I ", "will ", "try ", "again. "] * 60),
    *({"type": "delta", "stream": "grows", "text": "x" * n} for n in [*(1, 3, 2) * 20, *(31, 33, 32) * 20]),
    {"type": "end", "stream": "loop"},
]  # fmt: skip

JUNK = {"type": "delta", "stream": "junk", "text": 3}


@pytest.fixture(scope="module")
def written(
    broker: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """What the jobs wrote, by topic, after they were given everything that a record can be about; what they
    printed, as ``stdout``.
    """
    folder, prefix = tmp_path_factory.mktemp("schema"), f"schema-{uuid.uuid4().hex[:8]}"
    policy = folder / "policy.toml"
    policy.write_text(POLICY)
    one = {f"{prefix}.{name}": 1 for name in ("metrics", "control")}
    broker.create_topics({f"{prefix}.{name}": SLOTS for name in (*TOPICS, "feedback")} | one)
    about = {"type": "feedback", "stream": "said", "label": "wrong", "rule": "email", "seq": 3}
    order = {"name": "new", "signal": "gap", "values": [1.0], "within": 1e9, "description": "d"}
    fits("feedback").validate(about)
    fits("control").validate(order)
    write(broker, f"{prefix}.feedback", [about], slot_of("said", SLOTS))
    write(broker, f"{prefix}.control", [order])
    common = {
        "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA__PREFIX": prefix, "KAFKA__TIMEOUT": 2,
        "KAFKA__UNTIL": "end", "KAFKA__SAMPLES": "true", "KAFKA__METRICS": 0.001,
        "SLOTS": SLOTS, "POLICY": policy,
    }  # fmt: skip
    for said in SAYS:
        fits("stdin").validate(said)
    lines = b"".join(json.dumps(said).encode() + b"\n" for said in SAYS) + b'{"type": "delta"}\n'
    jobs.start("flows", "run", "ingest", **common).communicate(lines, timeout=60)
    simulated = {"SIMULATE__STREAMS": 8, "SIMULATE__RATE": 1000, "SIMULATE__SPEED": 0}
    printed = jobs.finish(jobs.start("flows", "run", "ingest", "--source", "simulate", **common, **simulated))
    write(broker, f"{prefix}.deltas", [JUNK], 1)
    analyze = jobs.start(
        "flows", "run", "analyze", "-r", folder / "state", "-s", "0.2", **common, KAFKA__LANE="exact"
    )
    out, err = analyze.communicate(timeout=120)
    assert analyze.returncode == 0, err.decode()
    inflight = jobs.start("flows", "run", "--source", "ndjson", OUTPUT__LEDGER="true", POLICY=policy)
    printed += jobs.records(out) + jobs.records(inflight.communicate(lines, timeout=60)[0])
    held = {name: consume(broker, f"{prefix}.{name}", 1 if name == "metrics" else SLOTS) for name in TOPICS}
    return {name: [record.value for record in records] for name, records in held.items()} | {
        "stdout": printed
    }


@pytest.mark.process
@pytest.mark.parametrize("place", [*TOPICS, "stdout"])
def test_what_the_flows_write_fits(written: dict[str, list[dict[str, Any]]], place: str) -> None:
    check = fits(place)
    assert written[place]
    assert [record for record in written[place] if not check.is_valid(record)] in ([], [JUNK])


@pytest.mark.process
def test_the_flows_wrote_every_kind_of_record(written: dict[str, list[dict[str, Any]]]) -> None:
    kinds = {place: {record["type"] for record in records} for place, records in written.items()}
    assert kinds["deltas"] == {"start", "delta", "note", "usage", "error", "end"}
    assert kinds["releases"] == {"start", "release", "error", "end"}
    assert kinds["dead"] == {"dead"}
    assert kinds["stdout"] >= {"start", "release", "finding", "verdict", "error", "ledger", "end", "summary"}
    assert {record["kind"] for record in written["findings"]} >= {
        "rule",
        "loop",
        "drift",
        "edit",
        "lcs",
        "dtw",
    }
    assert {record["action"] for record in written["verdicts"]} >= {"warn", "redact", "steer", "block"}
    assert any("copies" in record for record in written["findings"])
    assert {record["action"] for record in written["audit"]} >= {"steer", "end", "error"}
