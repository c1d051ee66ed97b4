"""What leaves a relay: byte for byte what came, but where a rule matches; and never a match, wherever."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import decoders
from connectors._frames import WholeBody
from flows.judgement import Judgement
from operators.packet import Finish
from tests.connectors.answers import chat, content, message, policy, said, sse
from tests.judging import Judged

EMAIL = "jane.doe@example.com"


@cache
def nothing() -> Judgement:
    return Judgement()


def recordings(data_dir: Path) -> list[tuple[str, str, bytes]]:
    found = []
    for path in sorted(data_dir.joinpath("streams").glob("*.sse")):
        name = path.name.rsplit("-", 1)[0].replace("_", "-")
        dialect = name.rpartition("-")[2]
        if name in decoders.API_NAMES and dialect in ("chat", "responses", "messages", "generate"):
            found.append((path.name, dialect, path.read_bytes()))
    assert len(found) > 200
    return found


@pytest.mark.parametrize("size", [1 << 20, 97])
def test_every_recording_leaves_byte_for_byte_where_no_rule_fires(data_dir: Path, size: int) -> None:
    for name, dialect, data in recordings(data_dir):
        answer = Judged(nothing(), dialect)
        assert answer.whole(data, range(0, len(data), size)) == data, name
        assert not answer.relay.fault, name
        assert answer.relay.empty, name
        assert Finish.ERROR not in answer.finishes or b'"error"' in data, name


TEXTS = st.lists(
    st.sampled_from(
        ["a", " ", "jane", ".doe", "@", "example", ".co", "m", "é", "😀", "x@y.com", "\n", '"', "\\"]
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 4000), max_size=6), st.integers(1, 9))
def test_a_client_reads_what_the_records_release_however_it_is_cut(
    pieces: list[str], places: list[int], most: int
) -> None:
    frames = chat(*pieces)
    data = b"".join(frames)
    left = Judged(policy(), "chat", most=most).whole(data, places)
    whole = Judged(policy(), "chat").whole(b"".join(chat("".join(pieces))))
    assert content(left) == content(whole)
    assert "@" not in content(left) or "@" in content(data)
    changed = [frame for frame in frames if frame not in left]
    assert bool(changed) == (content(left) != content(data))
    assert left.count(b"\n\n") == len(frames)


def test_a_mask_rewrites_the_frames_it_touches_and_no_other() -> None:
    frames = chat("write ", "to jane", ".doe@exam", "ple.com", " now")
    left = Judged(policy(), "chat").whole(b"".join(frames)).split(b"\n\n")
    sent = b"".join(frames).split(b"\n\n")
    assert [a == b for a, b in zip(sent, left, strict=True)] == [
        True, True, False, False, False, True, True, True, True,
    ]  # fmt: skip
    assert [content(frame) for frame in left[2:5]] == ["to [MAIL]", "", ""]


def test_clean_words_wait_for_one_piece_at_most() -> None:
    words = ["one ", "two ", "three ", "four ", "five ", "six "]
    answer, said = Judged(policy(), "chat"), ""
    for number, frame in enumerate(chat(*words)[: len(words) + 1]):
        said += content(answer.receive(frame))
        assert said.startswith("".join(words[: max(number - 1, 0)]))


def test_what_is_blocked_leaves_up_to_the_match_and_not_a_byte_further() -> None:
    answer = Judged(policy(), "chat")
    left = answer.whole(b"".join(chat("all is well. ", "then stop", "-word and more", " and more")))
    assert content(left) == "all is well. then "
    assert answer.finishes == [Finish.BLOCKED]
    assert b"[DONE]" not in left


def test_a_frame_that_also_ends_its_choice_does_not_leave_cut() -> None:
    answer = Judged(policy(), "chat")
    left = answer.whole(said({"content": "all is well. stop-word and more"}, finish="stop"))
    assert left == b""
    assert answer.finishes == [Finish.BLOCKED]
    part = {"text": "all is well. stop-word and more"}
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    assert Judged(policy(), "generate").whole(sse({"candidates": [candidate]})) == b""


def test_a_field_that_nobody_knows_hides_nothing_even_in_pieces() -> None:
    def chunk(text: str) -> bytes:
        return sse({"id": "c", "choices": [{"index": 0, "delta": {"thoughts_of_2027": text}}]})

    frames = [chunk("mail jane"), chunk("@exam"), chunk("ple.com, "), chunk("and so on")]
    left = Judged(policy(), "chat").whole(b"".join([*frames, *chat("hi")]))
    assert b"jane" not in left
    assert left.count(b"[MAIL]") == 1
    assert frames[3] in left


def test_what_is_said_again_at_the_end_is_masked_as_it_was() -> None:
    def event(kind: str, **fields: Any) -> bytes:
        return sse({"type": kind, **fields}, kind)

    part = {"type": "output_text", "text": f"I am {EMAIL}, hello", "annotations": []}
    item = {"id": "m1", "type": "message", "role": "assistant", "content": [part]}
    place = {"item_id": "m1", "output_index": 0, "content_index": 0}
    events = [
        event("response.created", response={"id": "r", "model": "m", "output": []}),
        event("response.output_item.added", output_index=0, item={**item, "content": []}),
        *[
            event("response.output_text.delta", delta=d, logprobs=[], **place)
            for d in ("I am jane", ".doe@example.com", ", hello")
        ],
        event("response.output_text.done", text=part["text"], **place),
        event("response.content_part.done", part=part, **place),
        event("response.output_item.done", output_index=0, item=item),
        event(
            "response.completed", response={"id": "r", "model": "m", "status": "completed", "output": [item]}
        ),
    ]
    left = Judged(policy(), "responses").whole(b"".join(events))
    assert b"jane" not in left
    assert left.count(b"I am [MAIL], hello") == 4
    assert events[0] in left


def test_arguments_that_come_as_a_document_are_masked_inside_it() -> None:
    call = {"functionCall": {"name": "send", "args": {"to": EMAIL, "n": 1}}}
    candidate = {"content": {"parts": [call], "role": "model"}, "finishReason": "STOP", "index": 0}
    left = Judged(policy(), "generate").whole(sse({"candidates": [candidate], "modelVersion": "g"}))
    said = orjson.loads(left[6:])["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert said["args"] == {"to": "[MAIL]", "n": 1}


def test_tokens_are_not_told_again_by_their_probabilities() -> None:
    tokens = [
        {"token": t, "logprob": -0.1, "bytes": list(t.encode()), "top_logprobs": []}
        for t in ("jane@x", ".com ")
    ]
    choice = {
        "index": 0,
        "delta": {"content": "jane@x.com "},
        "logprobs": {"content": tokens, "refusal": None},
    }
    left = Judged(policy(), "chat").whole(b"".join([sse({"id": "c", "choices": [choice]}), *chat("bye")]))
    assert b"jane" not in left
    assert content(left) == "[MAIL] bye"
    assert orjson.loads(left.split(b"\n\n")[0][6:])["choices"][0]["logprobs"] is None


def test_lines_that_are_not_data_stay_where_they_were() -> None:
    said = json.dumps({"choices": [{"index": 0, "delta": {"content": f"{EMAIL} "}}]}).encode()
    data = b": hello\r\nid: 7\r\nevent: x\r\ndata: " + said + b"\r\nretry: 5\r\n\r\n"
    left = Judged(policy(), "chat").whole(data)
    assert left.startswith(b": hello\r\nid: 7\r\nevent: x\r\ndata: {")
    assert left.endswith(b"}\r\nretry: 5\r\n\r\n")
    assert content(left.replace(b"\r", b"")) == "[MAIL] "


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"data: {nonsense\n\n", "no JSON object"),
        (b"data: [1]\n\n", "no JSON object"),
        (b'data: {"choices": 7}\n\n', "does not have the shape"),
        (b"data: " + b"x" * (1 << 21), "event longer than"),
    ],
)
def test_what_is_not_understood_ends_the_stream_and_does_not_leave(data: bytes, why: str) -> None:
    answer = Judged(policy(), "chat")
    left = answer.whole(chat("fine ")[1] + data)
    assert why in answer.relay.fault
    assert data[-40:] not in left


def test_several_choices_stay_apart() -> None:
    def chunk(index: int, text: str) -> bytes:
        return sse({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": None}]})

    data = (
        chunk(0, "jane@exam")
        + chunk(1, "ple.com is free ")
        + chunk(0, "ple")
        + chunk(0, ".com ")
        + chunk(1, "ok")
    )
    left = Judged(policy(), "chat").whole(data + b"data: [DONE]\n\n")
    texts = {0: "", 1: ""}
    for line in left.split(b"\n"):
        if line.startswith(b"data: {"):
            for choice in orjson.loads(line[6:])["choices"]:
                texts[choice["index"]] += choice["delta"]["content"]
    assert texts == {0: "[MAIL] ", 1: "ple.com is free ok"}


def test_a_second_answer_on_the_same_connection_is_judged_anew() -> None:
    answer = Judged(policy(), "messages")
    left = answer.whole(b"".join(message("jane@exam") + message("ple.com and jane@example.com")))
    assert left.count(b"[MAIL]") == 1
    assert b"jane@exam" in left
    assert answer.finishes == [Finish.STOP, Finish.STOP]


def test_a_body_that_is_no_stream_is_judged_whole() -> None:
    body = orjson.dumps({"id": "c", "object": "chat.completion", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": f"I am {EMAIL}."}, "finish_reason": "stop"}
    ]})  # fmt: skip
    left = Judged(policy(), "chat", frames=WholeBody(1 << 20)).whole(body, range(0, len(body), 7))
    assert orjson.loads(left)["choices"][0]["message"]["content"] == "I am [MAIL]."
    clean = body.replace(EMAIL.encode(), b"well")
    assert Judged(policy(), "chat", frames=WholeBody(1 << 20)).whole(clean) == clean
