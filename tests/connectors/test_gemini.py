"""Google's dialects: parts without numbers become lanes, arguments in three forms become JSON text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._json_path import PathWriter
from connectors.gemini import FINISH_REASONS, GeminiGenerate, GeminiInteractions
from operators.packet import Finish, Kind
from tests.connectors.heard import REASONING, SAMPLES, TEXT, TOOL, Heard, hear, lines, recordings

SAMPLE = SAMPLES.joinpath("gemini-generate.sse").read_bytes()


def chunk(*parts: dict[str, Any], index: int = 0, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "index": index, **more}]}


def call(**fields: Any) -> dict[str, Any]:
    return chunk({"functionCall": fields})


def piece(path: str, value: str, *, more: bool) -> dict[str, Any]:
    return {"jsonPath": path, "stringValue": value, "willContinue": more}


def generate(*events: object) -> Heard:
    return hear(GeminiGenerate(), lines(*events))


def interact(*events: object) -> Heard:
    return hear(GeminiInteractions(), lines(*events))


def test_text_thoughts_and_calls_of_a_candidate_are_lanes() -> None:
    heard = hear(GeminiGenerate(), SAMPLE)
    assert heard.lanes == {
        (REASONING, 0, 0): "Look up the weather.",
        (TEXT, 0, 0): "Zürich: rain 🌧 and wind.",
        (TOOL, 0, 0): "print(6 * 7)",
        (TOOL, 0, 1): '{"open":true,"size":2.5,"where":"Zürich"}',
    }
    assert heard.notes == [
        {"tool": {"name": "code_execution", "id": ""}},
        {"result": {"outcome": "OUTCOME_OK"}},
        {"tool": {"name": "umbrella", "id": "call_1"}},
        {"citation": {"uri": "https://weather.example", "startIndex": 0, "endIndex": 8}},
    ]
    assert heard.usage == {"input": 9, "output": 21, "reasoning": 5}
    assert (heard.finishes, heard.models, heard.errors) == ([Finish.STOP], ["gemini-sample"], [])


@given(st.lists(st.integers(0, len(SAMPLE)), max_size=12))
def test_cutting_of_the_bytes_does_not_matter(cuts: list[int]) -> None:
    assert hear(GeminiGenerate(), SAMPLE, cuts) == hear(GeminiGenerate(), SAMPLE)


def test_json_array_says_what_the_sse_says() -> None:
    events = [orjson.loads(line[6:]) for line in SAMPLE.split(b"\r\n") if line]
    array = json.dumps(events, indent=1).encode()
    assert hear(GeminiGenerate(), array) == hear(GeminiGenerate(), SAMPLE)


def test_candidates_are_choices_and_the_first_names_the_finish() -> None:
    heard = generate(
        chunk({"text": "b"}, index=1, finishReason="MAX_TOKENS"),
        chunk({"text": "a"}, finishReason="STOP"),
        chunk({"functionCall": {"name": "f", "args": {}}}, index=1),
    )
    assert heard.lanes == {(TEXT, 1, 0): "b", (TEXT, 0, 0): "a", (TOOL, 1, 0): "{}"}
    assert heard.finishes == [Finish.STOP]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", Finish.STOP),
        ("MAX_TOKENS", Finish.LENGTH),
        ("SAFETY", Finish.REFUSAL),
        ("RECITATION", Finish.REFUSAL),
        ("PROHIBITED_CONTENT", Finish.REFUSAL),
        ("SPII", Finish.REFUSAL),
        (3, Finish.REFUSAL),
    ],
)
def test_finish_reason_names_the_finish(reason: object, finish: Finish) -> None:
    heard = generate(chunk({"text": "a"}, finishReason=reason))
    assert (heard.finishes, heard.errors) == ([finish], [])


def test_every_finish_reason_of_the_sdk_is_in_the_table() -> None:
    types = pytest.importorskip("google.genai.types")
    known = {reason.value for reason in types.FinishReason} - {"FINISH_REASON_UNSPECIFIED"}
    assert known <= set(FINISH_REASONS)


def test_unknown_finish_reason_is_a_stop_that_a_note_names() -> None:
    heard = generate(chunk({"text": "a"}, finishReason="FAKE_ENUM"))
    assert (heard.finishes, heard.notes) == ([Finish.STOP], [{"finish": "FAKE_ENUM"}])


def test_finish_that_is_the_models_fault_is_an_error() -> None:
    heard = generate(chunk(finishReason="MALFORMED_FUNCTION_CALL", finishMessage="rm -rf /"))
    assert (heard.finishes, heard.errors) == ([Finish.ERROR], ["finish reason MALFORMED_FUNCTION_CALL"])


def test_blocked_prompt_is_a_refusal() -> None:
    feedback = {"blockReason": "SAFETY", "blockReasonMessage": "words of the prompt"}
    heard = generate({"promptFeedback": feedback})
    assert (heard.finishes, heard.notes) == ([Finish.REFUSAL], [{"refusal": {"prompt": "SAFETY"}}])


def test_error_body_ends_the_stream_without_repeating_its_message() -> None:
    error = {"error": {"code": 429, "message": "words of the prompt", "status": "RESOURCE_EXHAUSTED"}}
    for events in ([error], [chunk({"text": "a"}), error]):
        heard = hear(GeminiGenerate(), json.dumps(events, indent=2).encode())
        assert heard.errors == ["provider error: RESOURCE_EXHAUSTED"]
        assert heard.finishes == [Finish.ERROR]


def test_answer_without_a_reason_is_truncated() -> None:
    assert generate(chunk({"text": "a"})).finishes == [Finish.TRUNCATED]


def test_logprobs_of_a_chunk_are_summed_over_its_tokens() -> None:
    chosen = [{"token": "a", "logProbability": -0.5}, {"token": "b", "logProbability": -0.25}]
    heard = generate(chunk({"text": "ab"}, logprobsResult={"chosenCandidates": chosen}))
    assert [delta.logprob for delta in heard.deltas if delta.kind == Kind.TEXT] == [-0.75]


def test_streamed_arguments_are_written_while_they_come() -> None:
    heard = generate(
        call(name="cook", willContinue=True),
        call(partialArgs=[piece("$.dish", "Piz", more=True)], willContinue=True),
        call(partialArgs=[piece("$.dish", 'za "R"', more=False)], willContinue=True),
        call(partialArgs=[{"jsonPath": "$.for[0].age", "numberValue": 7}], willContinue=True),
        call(partialArgs=[{"jsonPath": "$.for[0].vegan", "boolValue": True}], willContinue=True),
        call(partialArgs=[{"jsonPath": "$.for[1].age", "nullValue": "NULL_VALUE"}], willContinue=True),
        call(),
        call(name="eat", args={"n": 1}),
    )
    said = [delta.text for delta in heard.deltas if delta.kind == Kind.TEXT]
    assert said[:2] == ['{"dish":"Piz', 'za \\"R\\""']
    assert json.loads(heard.lanes[TOOL, 0, 0]) == {
        "dish": 'Pizza "R"',
        "for": [{"age": 7, "vegan": True}, {"age": None}],
    }
    assert heard.lanes[TOOL, 0, 1] == '{"n":1}'
    assert heard.errors == []


def test_arguments_that_jump_back_are_an_error() -> None:
    heard = generate(
        call(name="f", willContinue=True),
        call(partialArgs=[piece("$.a.b", "1", more=False)], willContinue=True),
        call(partialArgs=[piece("$.c", "2", more=False)], willContinue=True),
        call(partialArgs=[piece("$.a.d", "secret", more=False)], willContinue=True),
    )
    assert len(heard.errors) == 1
    assert "secret" not in heard.errors[0]


def test_call_that_begins_inside_another_is_an_error_and_both_are_heard() -> None:
    heard = generate(
        call(name="f", willContinue=True),
        call(partialArgs=[piece("$.a", "1", more=True)], willContinue=True),
        call(name="g", args={"b": 2}),
    )
    assert heard.lanes == {(TOOL, 0, 0): '{"a":"1', (TOOL, 0, 1): '{"b":2}'}
    assert heard.errors == ["a function call begins before the last one ended"]


keys = st.text(st.characters(exclude_characters="'\\", exclude_categories=["Cs"]), min_size=1, max_size=4)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(keys, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def leaves(tree: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(tree, dict):
        return [leaf for key, value in tree.items() for leaf in leaves(value, f"{path}['{key}']")]
    if isinstance(tree, list):
        return [leaf for at, value in enumerate(tree) for leaf in leaves(value, f"{path}[{at}]")]
    return [(path, tree)]


@given(st.dictionaries(keys, trees, min_size=1, max_size=3), st.integers(1, 3))
def test_leaves_in_order_are_written_as_the_tree_they_came_from(tree: dict[str, Any], step: int) -> None:
    writer = PathWriter()
    said = ""
    for path, value in leaves(tree, "$"):
        if isinstance(value, str) and value:
            for at in range(0, len(value), step):
                said += writer.write(path, value[at : at + step], more=at + step < len(value))
        else:
            said += writer.write(path, value)
    said += writer.close()
    assert json.loads(said) == tree
    assert said == json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("path", ["", "$", "a.b", "$.", "$..a", "$[x]", "$.a[", "$.a]b"])
def test_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a JSONPath"):
        PathWriter().write(path, 1)


def test_interaction_goes_to_lanes_numbered_by_its_steps() -> None:
    heard = interact(
        {"event_type": "interaction.created", "interaction": {"model": "m", "status": "in_progress"}},
        {"event_type": "step.start", "index": 0, "step": {"type": "thought"}},
        {
            "event_type": "step.delta",
            "index": 0,
            "delta": {"type": "thought_summary", "content": {"type": "text", "text": "Hm."}},
        },
        {"event_type": "step.delta", "index": 0, "delta": {"type": "thought_signature", "signature": "eA=="}},
        {"event_type": "step.stop", "index": 0},
        {"event_type": "step.start", "index": 1, "step": {"type": "model_output"}},
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "Looking "}},
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "it up."}},
        {"event_type": "step.stop", "index": 1},
        {"event_type": "step.start", "index": 2, "step": {"type": "function_call", "name": "f", "id": "c"}},
        {"event_type": "step.delta", "index": 2, "delta": {"type": "arguments_delta", "arguments": '{"a":'}},
        {"event_type": "step.delta", "index": 2, "delta": {"type": "arguments_delta", "arguments": "1}"}},
        {"event_type": "step.stop", "index": 2},
        {
            "event_type": "interaction.completed",
            "interaction": {
                "status": "requires_action",
                "usage": {"total_input_tokens": 3, "total_output_tokens": 9, "total_thought_tokens": 2},
            },
        },
    )
    assert heard.lanes == {(REASONING, 0, 0): "Hm.", (TEXT, 0, 1): "Looking it up.", (TOOL, 0, 2): '{"a":1}'}
    assert heard.notes == [{"tool": {"name": "f", "id": "c"}}]
    assert heard.usage == {"input": 3, "output": 9, "reasoning": 2}
    assert (heard.finishes, heard.errors) == ([Finish.TOOL], [])


def test_interaction_error_ends_it_and_an_early_end_is_truncated() -> None:
    created = {"event_type": "interaction.created", "interaction": {"model": "m"}}
    error = {"event_type": "error", "error": {"code": "quota_exceeded", "message": "words"}}
    heard = interact(created, error)
    assert (heard.errors, heard.finishes) == (["provider error: quota_exceeded"], [Finish.ERROR])
    assert interact(created).finishes == [Finish.TRUNCATED]


def test_recorded_streamed_arguments_are_the_tree_their_paths_draw(data_dir: Path) -> None:
    (path,) = recordings(data_dir, "gemini-generate-chunks-04")
    tree: dict[str, Any] = {}
    for line in path.read_bytes().splitlines():
        for candidate in json.loads(line)["candidates"]:
            for part in candidate.get("content", {}).get("parts", ()):
                for each in part.get("functionCall", {}).get("partialArgs", ()):
                    put(tree, each["jsonPath"], each["stringValue"])
    heard = hear(GeminiGenerate(), path.read_bytes())
    assert json.loads(heard.lanes[TOOL, 0, 0]) == lists(tree)
    assert (heard.errors, heard.finishes) == ([], [Finish.STOP])


def put(tree: dict[str, Any], path: str, piece: str) -> None:
    """The slow way: walk to the leaf and append."""
    *way, last = re.findall(r"[^.$\[\]]+", path)
    for step in way:
        tree = tree.setdefault(step, {})
    tree[last] = tree.get(last, "") + piece


def lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    inner = {key: lists(value) for key, value in tree.items()}
    return list(inner.values()) if all(key.isdigit() for key in inner) else inner


def test_every_recording_is_heard_and_only_failures_are_errors(data_dir: Path) -> None:
    failures = {"gemini-generate-12.sse": "INVALID_ARGUMENT", "vertex-generate-03.sse": "FAILED_PRECONDITION"}
    for path in recordings(data_dir, "gemini-generate", "vertex-generate"):
        heard = hear(GeminiGenerate(), path.read_bytes())
        code = failures.get(path.name)
        assert heard.errors == ([f"provider error: {code}"] if code else []), path.name
        assert len(heard.finishes) == 1, path.name
    for path in recordings(data_dir, "gemini-interactions"):
        heard = hear(GeminiInteractions(), path.read_bytes())
        assert heard.errors == [], path.name
        assert heard.finishes[0] in (Finish.STOP, Finish.LENGTH), path.name
        assert any(lane[0] == TEXT for lane in heard.lanes), path.name
