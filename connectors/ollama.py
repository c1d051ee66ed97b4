"""Ollama: chat and generate.

Speaks     ``POST {base_url}/api/chat`` and ``/api/generate``
Framing    one JSON object a line, the last with ``"done": true``
Emits      :class:`~operators.packet.Delta`
Reference  https://github.com/ollama/ollama/blob/main/docs/api.md

Each line carries the next piece of text and of thinking. A tool call comes whole: its arguments are said
as compact JSON in one piece, each call its own item. A line ``{"error": ...}`` may come at any time.
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, short
from connectors._untrusted import compact, measured
from operators.packet import Channel, Finish

__all__ = ["DONE_REASONS", "Ollama"]

DONE_REASONS = {
    "stop": Finish.STOP,
    "load": Finish.STOP,
    "unload": Finish.STOP,
    "length": Finish.LENGTH,
}
"""What ``done_reason`` means (older servers send none). One that is not here ends as *stop*, with a NOTE."""

_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)
_NAN = float("nan")


class Ollama(Dialect):
    """Lines of either endpoint: chat has a ``message``, generate a ``response``."""

    provider = "ollama"

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """``done`` beside a message or a response."""
        del name
        return isinstance(event.get("done"), bool) and ("message" in event or "response" in event)

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One line."""
        if "error" in event:
            self.out.fail("provider error: no type given")  # all that Ollama sends is a sentence
            self.out.end()
            return
        if not self.knows(name, event):
            return
        self.out.start(event.get("model"))
        message = event.get("message") or event
        self.out.text(message.get("thinking") or "", _REASONING)
        text = message.get("content" if "message" in event else "response")
        self.out.text(text or "", _TEXT, logprob=_logprob(event))
        for call in message.get("tool_calls") or ():
            function = call["function"]
            identity = {"name": str(function.get("name", "")), "id": str(call.get("id", ""))}
            self.out.note({"tool": identity}, _TOOL, 0, self._calls)
            self.out.text(compact(function.get("arguments") or {}), _TOOL, 0, self._calls)
            self._calls += 1
        if event["done"]:
            self._end(event)

    def _end(self, event: dict[str, Any]) -> None:
        self.out.usage(input=event.get("prompt_eval_count"), output=event.get("eval_count"))
        reason = event.get("done_reason") or "stop"
        if reason not in DONE_REASONS:
            self.out.note({"finish": short(reason)})
        self.out.end(DONE_REASONS.get(reason, Finish.STOP))
        self._calls = 0


def _logprob(event: dict[str, Any]) -> float:
    """Of the line's text: the sum over its tokens, or NaN where they are not asked for."""
    tokens = event.get("logprobs")
    return sum(measured(token.get("logprob")) for token in tokens) if tokens else _NAN
