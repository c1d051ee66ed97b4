"""Legacy Completions."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.openai_completions import OpenAICompletions
from operators.packet import Finish, Kind
from tests.connectors.heard import TEXT, Heard, hear, lines


def chunk(text: str, reason: str | None = None, *, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "text": text, "finish_reason": reason, "logprobs": None} | more
    return {"object": "text_completion", "model": "m", "choices": [choice]}


def completions(*events: object) -> Heard:
    return hear(OpenAICompletions(), lines(*events))


def test_choices_are_lanes() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    heard = completions(
        chunk("a"), chunk("x", index=1), chunk("b", "length"), chunk("", "stop", index=1), usage
    )
    assert heard.lanes == {(TEXT, 0, 0): "ab", (TEXT, 1, 0): "x"}
    assert (heard.finishes, heard.models) == ([Finish.LENGTH], ["m"])
    assert heard.usage == {"input": 3, "output": 2}


@pytest.mark.parametrize(("text", "proven"), [("ab", [("a", -0.5), ("b", -1.0)]), ("aß", [("aß", None)])])
def test_delta_is_split_into_tokens_where_logprobs_prove_them(text: str, proven: list[Any]) -> None:
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [-0.5, -1], "text_offset": [0, 1]}
    said = [each for each in completions(chunk(text, logprobs=logprobs)).deltas if each.kind == Kind.TEXT]
    assert [(each.text, None if each.logprob != each.logprob else each.logprob) for each in said] == proven


def test_first_token_of_an_echo_has_no_logprob() -> None:
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [None, -1.0]}
    said = [each for each in completions(chunk("ab", logprobs=logprobs)).deltas if each.kind == Kind.TEXT]
    assert [str(each.logprob) for each in said] == ["nan", "-1.0"]


def test_error_is_reported_by_its_codes_and_never_its_words() -> None:
    heard = completions(chunk("a"), {"error": {"message": "secret", "type": "server_error"}})
    assert (heard.errors, heard.finishes) == (["provider error: server_error"], [Finish.ERROR])


def test_bytes_that_stop_before_a_finish_reason_are_truncated() -> None:
    assert completions(chunk("a")).finishes == [Finish.TRUNCATED]
