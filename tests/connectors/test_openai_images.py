"""Image streams: no text, all the same a beginning, tokens and an end."""

from __future__ import annotations

from connectors.openai_images import OpenAIImages
from operators.packet import Finish
from tests.connectors.heard import hear, sse


def test_image_is_a_stream_without_text() -> None:
    heard = hear(
        OpenAIImages(),
        sse(
            {"type": "image_generation.partial_image", "b64_json": "AAAA"},
            {
                "type": "image_generation.completed",
                "b64_json": "AAAA",
                "usage": {"input_tokens": 3, "output_tokens": 90},
            },
            named=True,
        ),
    )
    assert (heard.lanes, heard.finishes, heard.errors) == ({}, [Finish.STOP], [])
    assert heard.usage == {"input": 3, "output": 90}


def test_image_that_is_never_completed_is_truncated() -> None:
    heard = hear(OpenAIImages(), sse({"type": "image_edit.partial_image", "b64_json": "AAAA"}))
    assert heard.finishes == [Finish.TRUNCATED]


def test_error_is_reported_by_its_code() -> None:
    heard = hear(
        OpenAIImages(), sse({"type": "error", "error": {"code": "moderation_blocked", "message": "secret"}})
    )
    assert (heard.errors, heard.finishes) == (["provider error: moderation_blocked"], [Finish.ERROR])
