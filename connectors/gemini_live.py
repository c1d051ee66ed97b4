"""Gemini Live: server messages of a WebSocket session (``setupComplete``, ``serverContent``, ``toolCall``).

A message has no type: its kind is its key. A turn is a stream: it begins with the first thing the model
says or calls, and ends with ``turnComplete``. An interrupted turn is completed too; the call of a tool
does not end one, for the model goes on in the same turn when it has the answer.

What the caller said (``inputTranscription``) is not the model's text, and audio passes by.

https://ai.google.dev/api/live
"""

from __future__ import annotations

from typing import Any

import orjson

from connectors._decoder import Dialect
from operators.packet import Channel, Finish

__all__ = ["GeminiLive"]

_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)
_TRANSCRIPT = int(Channel.TRANSCRIPT)
_KINDS = {"setupComplete", "serverContent", "toolCall", "toolCallCancellation", "sessionResumptionUpdate"}


class GeminiLive(Dialect):
    """Server messages; a recorder's ``close`` row ends the session."""

    provider = "gemini"

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """A message of one of the kinds that only this API has."""
        del name
        return not _KINDS.isdisjoint(event)

    def receive(self, name: str, event: dict[str, Any]) -> None:
        if name == "close":
            self.receive_eof()
            return
        content = event.get("serverContent")
        if content:
            self._say(content)
        for call in (event.get("toolCall") or {}).get("functionCalls") or ():
            self._call(call)
        usage = event.get("usageMetadata")
        if usage and self.out.open:
            self.out.usage(
                input=usage.get("promptTokenCount"),
                output=usage.get("responseTokenCount", usage.get("candidatesTokenCount")),
                reasoning=usage.get("thoughtsTokenCount"),
                cached=usage.get("cachedContentTokenCount"),
            )
        if content and content.get("turnComplete"):
            self.out.end(Finish.STOP)
            self._calls = 0

    def receive_eof(self) -> None:
        super().receive_eof()
        self._calls = 0

    def _say(self, content: dict[str, Any]) -> None:
        for part in (content.get("modelTurn") or {}).get("parts") or ():
            self.out.text(part.get("text") or "", _REASONING if part.get("thought") else _TEXT)
            code = part.get("executableCode")
            if code:
                self._write({"name": "code_execution", "id": code.get("id") or ""}, code.get("code") or "")
        spoken = content.get("outputTranscription") or {}
        self.out.text(spoken.get("text") or "", _TRANSCRIPT)

    def _call(self, call: dict[str, Any]) -> None:
        arguments = orjson.dumps(call.get("args") or {}).decode()
        self._write({"name": call.get("name") or "", "id": call.get("id") or ""}, arguments)

    def _write(self, tool: dict[str, Any], text: str) -> None:
        """A call comes whole: each is an item of its own."""
        self.out.note({"tool": tool}, _TOOL, 0, self._calls)
        self.out.text(text, _TOOL, 0, self._calls)
        self._calls += 1
