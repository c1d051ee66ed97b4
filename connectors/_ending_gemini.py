"""The last response of a Gemini stream that we end.

Each event of the API is a whole response, and none is the last by its form: the stream ends with its bytes.
So one more response ends it, in which every candidate that is still open has its ``finishReason``: ``SAFETY``
if it was blocked, ``MAX_TOKENS`` if it was cut. It carries one empty part of text, as the API's own last
responses do, because clients read the parts of a candidate without asking. ``finishMessage`` is where the
API says a reason in words (its SDK shows it to users of Vertex AI only). A failure is the error object that
the API sends inside a stream.

Function calls come whole in this API, so none can be half sent; one that is streamed path by path (Vertex)
ends without the ``willContinue: false`` that would complete it.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Event
from connectors._last_frames import Call, Cut, SseEnding, kept, numbered, written

__all__ = ["GeminiEnding"]

_REASONS = {Cut.BLOCKED: "SAFETY", Cut.TRUNCATED: "MAX_TOKENS"}
_HEAD = ("usageMetadata", "modelVersion", "responseId")


class GeminiEnding(SseEnding):
    """Of the Gemini API and of Vertex AI, with ``alt=sse``."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._head: dict[str, Any] = {}
        self._finished: dict[int, bool] = {}

    def _hear(self, name: str, event: dict[str, Any]) -> None:
        del name
        self._head |= {key: event[key] for key in _HEAD if event.get(key)}
        for candidate in event.get("candidates") or ():
            # one that speaks on after its finish was not at its end
            self._finished[numbered(candidate.get("index"))] = bool(candidate.get("finishReason"))
        refused = event.get("error") or (event.get("promptFeedback") or {}).get("blockReason")
        self._over = bool(refused or (self._finished and all(self._finished.values())))

    def _cut(self, how: Cut, message: str) -> list[Event]:
        end: dict[str, Any] = {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": _REASONS[how],
        } | ({"finishMessage": message} if message else {})
        unfinished = [index for index, finished in sorted(self._finished.items()) if not finished]
        candidates = [end | {"index": index} for index in unfinished or [0]]
        unsaid = {"modelVersion": self._call.model, "responseId": self._call.name}
        return [written("", {"candidates": candidates} | unsaid | kept(self._head))]

    def _failed(self, reason: str) -> list[Event]:
        return [written("", {"error": {"code": 500, "message": reason, "status": "INTERNAL"}})]
