"""The last response of a Gemini stream, as the official SDK takes it behind what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors._decoder import Event
from connectors._ending import open_ending
from connectors._last_frames import sse
from tests.connectors.heard import SAMPLES, recordings
from tests.connectors.left import CALL, END_WAYS, cuts, events_of, said, told

httpx2 = pytest.importorskip("httpx2")
genai = pytest.importorskip("google.genai")


REASON = {"blocked": "SAFETY", "told why": "SAFETY", "truncated": "MAX_TOKENS"}


class Server:
    """The SDK's client, and what the next call is answered with."""

    def __init__(self) -> None:
        self.body = b""
        self.http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        self.client = genai.Client(
            api_key="none", http_options=genai.types.HttpOptions(httpx_client=self.http)
        )

    def _answer(self, request: Any) -> Any:
        del request
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self.body)

    def responses(self, body: bytes) -> list[Any]:
        self.body = body
        return list(self.client.models.generate_content_stream(model="m", contents="hi"))


@pytest.fixture(scope="module")
def server() -> Any:
    made = Server()
    yield made
    made.client.close()
    made.http.close()


def finishes(responses: list[Any]) -> dict[int, str]:
    return {
        candidate.index or 0: candidate.finish_reason.value
        for response in responses
        for candidate in response.candidates or ()
        if candidate.finish_reason
    }


def texts(responses: list[Any]) -> dict[int, str]:
    spoken: dict[int, str] = {}
    for response in responses:
        for candidate in response.candidates or ():
            parts = (candidate.content and candidate.content.parts) or ()
            text = "".join(part.text or "" for part in parts)
            spoken[candidate.index or 0] = spoken.get(candidate.index or 0, "") + text
    return spoken


@pytest.mark.filterwarnings("ignore:.* is not a valid ")
def test_every_recording_cut_anywhere_ends_as_the_sdk_reads_an_end(server: Server, data_dir: Path) -> None:
    ended, refused = 0, set()
    for path in recordings(data_dir, "gemini-generate", "vertex-generate"):
        events = events_of(path)
        try:
            whole = server.responses(sse(events))
        except (genai.errors.APIError, AttributeError, ValueError):
            refused.add(path.name)  # as in test_sdk_google
            continue
        for left in cuts(events):
            way, end = list(END_WAYS.items())[len(left) % len(END_WAYS)]
            ending = told("gemini-generate", left)
            over = ending.over
            last = end(ending)
            assert (last == b"") == over
            if over:
                continue
            responses = server.responses(sse(left) + last)
            before = whole[: len(left)]
            assert len(responses) == len(before) + 1
            assert {i: text for i, text in texts(responses).items() if text} == {
                i: text for i, text in texts(before).items() if text
            }
            choices = set(texts(before)) or {0}
            assert finishes(responses) == {i: finishes(before).get(i, REASON[way]) for i in choices}, (
                path.name
            )
            for model in {response.model_version for response in before if response.model_version}:
                assert responses[-1].model_version == model
            ended += 1
    assert ended > 100
    assert refused == {"gemini-generate-12.sse", "vertex-generate-01.json", "vertex-generate-03.sse"}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_frames_of_either_newline_are_followed(server: Server, newline: bytes) -> None:
    left = events_of(SAMPLES / "gemini-generate.sse")[:1]
    body = sse(left).replace(b"\n", newline) + told("gemini-generate", left).blocked()
    assert finishes(server.responses(body)) == {0: "SAFETY"}


def test_a_failure_raises_what_the_api_raises(server: Server) -> None:
    for left in cuts(events_of(SAMPLES / "gemini-generate.sse")):
        ending = told("gemini-generate", left)
        if ending.over:
            assert ending.failed("no") == b""
            continue
        with pytest.raises(genai.errors.ServerError) as raised:
            server.responses(sse(left) + ending.failed("a stage failed"))
        assert (raised.value.code, raised.value.status) == (500, "INTERNAL")
        assert raised.value.message == "a stage failed"


def frame(*candidates: dict[str, Any], **more: Any) -> Event:
    return "", json.dumps({"candidates": candidates, **more}).encode()


def speaks(index: int, text: str, **more: Any) -> dict[str, Any]:
    return {"index": index, "content": {"role": "model", "parts": [{"text": text}]}, **more}


def test_only_candidates_that_are_open_are_ended(server: Server) -> None:
    left = [frame(speaks(0, "a"), speaks(1, "b"), speaks(2, "c")), frame(speaks(1, "d", finishReason="STOP"))]
    last = told("gemini-generate", left).blocked("Not here.")
    assert finishes(server.responses(sse(left) + last)) == {0: "SAFETY", 1: "STOP", 2: "SAFETY"}
    ((_, response),) = said(last)  # the SDK reads the message for Vertex AI only
    assert [candidate["finishMessage"] for candidate in response["candidates"]] == ["Not here."] * 2


def test_nothing_left_is_one_whole_response(server: Server) -> None:
    (response,) = server.responses(open_ending("gemini-generate", CALL).truncated())
    assert finishes([response]) == {0: "MAX_TOKENS"}
    assert (response.model_version, response.response_id) == ("asked-model", "test")
    assert response.text == ""


def test_the_usage_and_ids_that_were_said_last_are_said_again() -> None:
    counts = {"promptTokenCount": 4, "candidatesTokenCount": 9}
    first = frame(speaks(0, "a"), responseId="r", modelVersion="v", usageMetadata={"promptTokenCount": 4})
    ending = told("gemini-generate", [first])
    ending.passed_text(frame(speaks(0, "b"), usageMetadata=counts)[1], 5)
    ((_, last),) = said(ending.blocked())
    assert (last["responseId"], last["modelVersion"], last["usageMetadata"]) == ("r", "v", counts)


def test_a_candidate_that_speaks_on_after_its_finish_was_not_at_its_end() -> None:
    ending = told("gemini-generate", [frame(speaks(0, "a", finishReason="STOP"))])
    assert ending.over
    ending.passed("", json.loads(frame(speaks(0, "b"))[1]))
    assert not ending.over
    assert b"SAFETY" in ending.blocked()


def test_a_prompt_that_the_provider_blocked_is_over() -> None:
    ending = told("gemini-generate", [("", b'{"promptFeedback": {"blockReason": "SAFETY"}}')])
    assert ending.over
    assert ending.blocked() == b""
