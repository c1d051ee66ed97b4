"""What other gateways got wrong, each by the name of its report, and that it does not happen here.

The reports are those of BerriAI/litellm, api7/aisix, agentgateway/agentgateway, NVIDIA-NeMo/Guardrails,
guardrails-ai/guardrails, mastra-ai/mastra, protectai/llm-guard and others, as their trackers had them in the
autumn of 2026.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors._ending import open_ending
from connectors._frames import WholeBody
from operators.packet import Finish
from tests.connectors.answers import chat, chunks, content, message, policy, said, sse
from tests.judging import Judged

EMAIL = "jane.doe@example.com"


def left_of(dialect: str, frames: list[bytes]) -> bytes:
    return Judged(policy(), dialect).whole(b"".join(frames))


@pytest.mark.parametrize("cut", range(1, len(EMAIL)))
def test_litellm_41611_and_mastra_23783_a_value_in_two_chunks_does_not_pass_nor_its_head(cut: int) -> None:
    left = left_of("chat", chat("to ", EMAIL[:cut], EMAIL[cut:], " now"))
    assert content(left) == "to [MAIL] now"


def test_litellm_25780_the_model_name_is_not_masked() -> None:
    frame = sse({"id": EMAIL, "model": "a.b@c.com", "choices": [{"index": 0, "delta": {"content": "hi "}}]})
    assert left_of("chat", [frame, *chat("x")]).startswith(frame)


def test_litellm_35257_streams_of_messages_are_judged() -> None:
    left = left_of("messages", message("mail jane.doe@ex", "ample.com now"))
    assert b"jane" not in left
    assert b"[MAIL]" in left


def test_litellm_20027_no_chunk_loses_its_text() -> None:
    words = [f"word{chr(97 + k % 26)} " for k in range(60)]
    assert content(left_of("chat", chat(*words))) == "".join(words)


def test_litellm_37873_a_stray_chunk_does_not_destroy_the_stream() -> None:
    stray = [sse({"hello": "world"}), b": comment\n\n", sse({"choices": []}), b"data: {}\n\n"]
    frames = [frame for pair in zip(chat("a ", "b "), [*stray, b""], strict=True) for frame in pair]
    answer = Judged(policy(), "chat")
    assert answer.whole(b"".join(frames)) == b"".join(frames)
    assert answer.finishes == [Finish.STOP]


def test_litellm_15674_what_is_remembered_of_a_stream_is_bounded() -> None:
    answer = Judged(policy(), "chat")
    for number in range(3000):
        answer.receive(said({"content": "la ", "unknown": f"a string of its own, number {number}"}))
    assert len(answer.relay._known) == 1024
    many = said({"content": "x", "calls": [{"name": f"n{number}"} for number in range(9000)]})
    assert many not in answer.receive(many)
    assert answer.relay.fault == "more than 4096 texts"


@pytest.mark.parametrize(
    "event", [b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"]
)
def test_litellm_38788_what_is_nested_beyond_reason_ends_the_stream_and_no_more(event: bytes) -> None:
    answer = Judged(policy(), "chat")
    left = answer.whole(chat("hi ")[1] + b"data: " + event + b"\n\n")
    assert content(left) in ("", "hi ")
    assert answer.relay.empty or answer.relay.fault


def test_litellm_31389_a_blocked_message_has_one_start_and_one_stop() -> None:
    ending = open_ending("anthropic-messages")
    answer = Judged(policy(), "messages", witness=ending)
    left = answer.whole(b"".join(message("well ", "stop-word", " more"))) + ending.blocked()
    kinds = [event["type"] for event in chunks(left)]
    assert kinds.count("message_start") == kinds.count("message_stop") == 1
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_litellm_40784_and_aisix_558_arguments_of_tools_are_judged_while_they_stream() -> None:
    def call(arguments: str) -> bytes:
        return said({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]})

    head = said({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]})
    answer = Judged(policy(), "chat")
    left = answer.whole(b"".join([head, call('{"q": "stop'), call('-word"}'), said({}, finish="tool_calls")]))
    assert answer.finishes == [Finish.BLOCKED]
    assert b"word" not in left
    assert left == head


def test_litellm_31503_and_pollinations_11016_the_first_words_do_not_wait_for_the_last() -> None:
    answer = Judged(policy(), "chat")
    frames = chat(*[f"word{chr(97 + k % 26)} " for k in range(40)])
    answer.receive(frames[0])
    early = b"".join(answer.receive(frame) for frame in frames[1:6])
    assert len(content(early)) >= 4 * len("worda ")


def test_aisix_204_streams_are_judged_as_bodies_are() -> None:
    body = orjson.dumps(
        {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": f"I am {EMAIL} "}}]}
    )
    whole = Judged(policy(), "chat", frames=WholeBody(1 << 20)).whole(body)
    assert orjson.loads(whole)["choices"][0]["message"]["content"] == "I am [MAIL] "
    assert content(left_of("chat", chat("I am ", EMAIL, " "))) == "I am [MAIL] "


@pytest.mark.parametrize("api", ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"])
def test_aisix_153_the_last_frames_do_not_echo_the_match(api: str) -> None:
    ending = open_ending(api)
    dialect = api.partition("-")[2]
    frames = {"messages": message("stop-word"), "chat": chat("stop-word")}.get(dialect)
    if frames:
        Judged(policy(), dialect, witness=ending).whole(b"".join(frames))
    assert b"stop-word" not in ending.blocked()


def test_aisix_683_text_that_no_stage_has_vetted_does_not_leave() -> None:
    answer = Judged(policy(), "chat")
    answer.relay.receive_data(b"".join(chat("hello ", "world ")), now=1)
    assert content(answer.relay.take()) == ""


def test_aisix_1065_a_blocked_stream_ends_as_blocked_on_record() -> None:
    answer = Judged(policy(), "chat")
    answer.whole(b"".join(chat("a stop-word here")))
    assert answer.finishes == [Finish.BLOCKED]


def test_agentgateway_2956_masks_reach_streams() -> None:
    assert content(left_of("chat", chat(f"{EMAIL} "))) == "[MAIL] "


def test_agentgateway_3603_streams_are_not_dropped_where_there_are_rules() -> None:
    frames = chat("all ", "is ", "well")
    assert left_of("chat", frames) == b"".join(frames)


def test_agentgateway_text_in_a_second_candidate_does_not_hide() -> None:
    def candidate(index: int, text: str) -> dict[str, Any]:
        return {"index": index, "content": {"role": "model", "parts": [{"text": text}]}}

    frames = [sse({"candidates": [candidate(0, "fine "), candidate(1, "jane.doe@exam")]}),
              sse({"candidates": [candidate(0, "too "), candidate(1, "ple.com ")]})]  # fmt: skip
    left = left_of("generate", frames)
    assert b"jane" not in left
    assert b"[MAIL]" in left


def test_agentgateway_thoughts_are_judged_too() -> None:
    thought = {"text": f"the user is {EMAIL} ", "thought": True}
    frames = [sse({"candidates": [{"index": 0, "content": {"parts": [thought]}}]})]
    assert b"jane" not in left_of("generate", frames)
    assert b"jane" not in left_of(
        "chat", [said({"reasoning_content": EMAIL}), said({"reasoning": EMAIL}), *chat("x")]
    )


def test_nemo_stream_first_nothing_leaves_before_it_is_judged() -> None:
    answer = Judged(policy(), "chat")
    sent = b""
    for frame in chat("my ", "stop", "-", "word", " is"):
        sent += answer.receive(frame)
    assert "stop" not in content(sent)


def test_guardrails_1617_reads_are_no_borders_of_records() -> None:
    data = b"".join(chat("héllo ", "😀 ", f"{EMAIL} "))
    whole = Judged(policy(), "chat").whole(data)
    for size in (1, 2, 3, 7, 64):
        assert Judged(policy(), "chat").whole(data, range(0, len(data), size)) == whole


def test_guardrails_1118_two_cuttings_agree() -> None:
    text = f"one {EMAIL} two x@y.com three"
    texts = {content(left_of("chat", chat(*cut))) for cut in ([text], list(text), [text[:9], text[9:]])}
    assert texts == {"one [MAIL] two [MAIL] three"}


def test_openai_agents_959_no_refusal_is_said_behind_what_must_not_be_said() -> None:
    left = left_of("chat", chat("sure: ", "stop-word"))
    assert content(left) == "sure: "


def test_llm_guard_229_every_occurrence_is_masked() -> None:
    assert content(left_of("chat", chat("a@b.com ", "c@d.com ", "a@b.com ", "."))) == "[MAIL] [MAIL] [MAIL] ."


def test_portkey_what_comes_behind_done_is_judged_too() -> None:
    answer = Judged(policy(), "chat")
    left = answer.whole(b"".join([*chat("hi"), sse({"verdict": f"from {EMAIL} "})]))
    assert b"jane" not in left


def test_omarchy_omapilot_2_a_short_answer_is_not_kept_to_its_end() -> None:
    answer = Judged(policy(), "chat")
    frames = chat("Yes, ", "of course ", "it is. ")
    assert content(b"".join(answer.receive(frame) for frame in frames[:4])) != ""
