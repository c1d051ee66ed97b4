"""Assistants: events ``thread.*`` of a streamed run.

A run writes messages and calls tools in steps. Each message is an item of the text channel, in the order
they are created; each call is an item of the tool channel, in the order they are first heard of.

Strategy. Message text comes in pieces and once more whole (:mod:`connectors._parts`). The run's own
events say how it goes; ``[DONE]`` ends the stream.

https://platform.openai.com/docs/api-reference/assistants-streaming
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, listed, short
from connectors._parts import Parts
from operators.packet import Channel, Finish

__all__ = ["OpenAIAssistants"]

_TEXT, _TOOL, _REFUSAL = int(Channel.TEXT), int(Channel.TOOL), int(Channel.REFUSAL)
_RUN = "thread.run."
_FINISH = {
    "completed": Finish.STOP,
    "cancelled": Finish.STOP,
    "requires_action": Finish.TOOL,
    "incomplete": Finish.LENGTH,
}
_FAILED = {"failed", "expired"}


class OpenAIAssistants(Dialect):
    """Events of a run, each named; the payload's ``object`` is the class of the thing, not the event."""

    provider = "openai"

    def __init__(self) -> None:
        super().__init__()
        self._parts = Parts(self.out)
        self._messages: dict[str, int] = {}
        self._calls: dict[tuple[str, int], int] = {}

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """An event named after a thread, or a thing of one."""
        kind = event.get("object")
        return name.startswith("thread.") or (isinstance(kind, str) and kind.startswith("thread."))

    def receive(self, name: str, event: dict[str, Any]) -> None:
        kind = name or event.get("object", "")
        if kind == "thread.message.delta":
            item = self._messages.setdefault(event["id"], len(self._messages))
            for part in event["delta"].get("content") or ():
                self._piece(part, item)
        elif kind == "thread.message.completed":
            item = self._messages.setdefault(event["id"], len(self._messages))
            for number, part in enumerate(event.get("content") or ()):
                if part.get("type") == "text":
                    self._parts.whole((_TEXT, item, number), part["text"]["value"], _TEXT, item)
        elif kind == "thread.run.step.delta":
            for call in event["delta"]["step_details"].get("tool_calls") or ():
                self._call(event["id"], call)
        elif kind.startswith(_RUN) and not kind.startswith("thread.run.step."):
            self._run(kind.removeprefix(_RUN), event)
        elif kind == "error":
            self.out.fail(f"provider error: {listed(event.get('code') or 'no code given')}")

    def receive_text(self, name: str, payload: bytes) -> bool:
        done = super().receive_text(name, payload)
        if done:
            self._forget()
        return done

    def receive_eof(self) -> None:
        super().receive_eof()
        self._forget()

    def _forget(self) -> None:
        self._parts.clear()
        self._messages.clear()
        self._calls.clear()

    def _piece(self, part: dict[str, Any], item: int) -> None:
        number = part.get("index", 0)
        if part.get("type") == "text":
            text = part["text"]
            self._parts.piece((_TEXT, item, number), text.get("value") or "", _TEXT, item)
            for annotation in text.get("annotations") or ():
                self.out.note({"citation": {"type": short(annotation.get("type"))}}, _TEXT, 0, item)
        elif part.get("type") == "refusal":
            self.out.text(part["refusal"], _REFUSAL, 0, item)

    def _call(self, step: str, call: dict[str, Any]) -> None:
        item = self._calls.setdefault((step, call["index"]), len(self._calls))
        kind = call.get("type", "function")
        body = call.get(kind) or {}
        if call.get("id") or body.get("name"):
            tool = {"name": body.get("name") or kind, "id": call.get("id") or ""}
            self.out.note({"tool": tool}, _TOOL, 0, item)
        self.out.text(body.get("arguments") or body.get("input") or "", _TOOL, 0, item)

    def _run(self, status: str, run: dict[str, Any]) -> None:
        out = self.out
        out.start(run.get("model"))
        usage = run.get("usage") or {}
        out.usage(input=usage.get("prompt_tokens"), output=usage.get("completion_tokens"))
        if status in _FINISH:
            out.finish(_FINISH[status])
        elif status in _FAILED:
            code = (run.get("last_error") or {}).get("code") or status
            out.fail(f"provider error: {listed(code)}")
