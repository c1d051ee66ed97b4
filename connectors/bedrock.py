"""Amazon Bedrock: ConverseStream, and InvokeModelWithResponseStream with each vendor's own events inside.

Speaks     ``POST {base_url}/model/{model}/converse-stream`` and ``.../invoke-with-response-stream``
Framing    ``application/vnd.amazon.eventstream``; the frame's ``:event-type`` names the event
Emits      :class:`~operators.packet.Delta`
Reference  https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
           https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html

Converse events come as a frame's payload, or (in recordings of an SDK) wrapped under their name; both are
read. An exception, before or in the middle of an answer, is an event whose name ends in ``Exception``.

Invoke frames hold ``{"bytes": base64}`` of one event of the model's vendor: Anthropic's Messages events,
Nova's (Converse events, wrapped), and for Titan, Llama, Mistral and Cohere one small shape each. Nova
gives *every* delta a content block of its own there, so its text would fall apart into lanes of one word
each and no rule could match across them: all text of one Nova answer is item 0.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from connectors._anthropic_events import EVENTS, MessageEvents
from connectors._decoder import Dialect, Script, listed, short
from connectors._tool_calls import ToolCalls
from connectors._untrusted import facts
from operators.packet import Channel, Finish

__all__ = ["COMPLETIONS", "CONVERSE_STOPS", "BedrockConverse", "BedrockInvoke"]

CONVERSE_STOPS = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL,
    "guardrail_intervened": Finish.REFUSAL,
    "content_filtered": Finish.REFUSAL,
    "malformed_model_output": Finish.ERROR,
    "malformed_tool_use": Finish.ERROR,
}
"""What ``stopReason`` means. One that is not here ends as *stop*, with a NOTE that names it."""

COMPLETIONS = {
    "finish": Finish.STOP,
    "finished": Finish.STOP,
    "stop": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "stop_criteria_met": Finish.STOP,
    "complete": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "tool_calls": Finish.TOOL,
    "content_filtered": Finish.REFUSAL,
    "error_toxic": Finish.REFUSAL,
    "rag_query_when_rag_disabled": Finish.ERROR,
    "error": Finish.ERROR,
}
"""The same for Titan's ``completionReason``, Llama's and Mistral's ``stop_reason``, Cohere's
``finish_reason``, in lower case."""

_CONVERSE = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)
_PIECES = ("outputText", "generation", "text")
_REASONS = ("completionReason", "stop_reason", "finish_reason")
_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)


class _ConverseEvents:
    """Reads Converse events into `out`; with `joined` all text blocks are one lane."""

    def __init__(self, out: Script, *, joined: bool = False) -> None:
        self._out = out
        self._joined = joined
        self._calls = ToolCalls(out)
        self._finish = Finish.NONE

    def receive(self, kind: str, body: dict[str, Any]) -> None:
        if kind == "messageStart":
            if self._out.open and not self._finish:
                self._out.error("second messageStart before messageStop")
            elif self._out.open:
                self._out.end()
            self._finish = Finish.NONE
            self._calls.clear()
            self._out.start()
            return
        if not self._out.open:
            self._out.error(f"{kind} before messageStart")
            self._out.start()
        if kind == "contentBlockDelta":
            self._delta(body["contentBlockIndex"], body["delta"])
        elif kind == "contentBlockStart":
            self._block(body["contentBlockIndex"], body.get("start") or {})
        elif kind == "contentBlockStop":
            self._calls.close(body["contentBlockIndex"])
        elif kind == "messageStop":
            self._stop(body.get("stopReason"))
        else:
            usage = body.get("usage") or {}
            self._out.usage(
                input=usage.get("inputTokens"),
                output=usage.get("outputTokens"),
                cached=usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount")),
            )
            if self._finish:  # nothing follows the metadata
                self._out.end()

    def _block(self, index: int, start: dict[str, Any]) -> None:
        if call := start.get("toolUse"):
            self._calls.open(index, call.get("name"), call.get("toolUseId"))
        elif result := start.get("toolResult"):
            self._out.note({"result": facts(result, "type", "toolUseId", "status")}, _TOOL, 0, index)

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        if "text" in delta:
            self._out.text(delta["text"], _TEXT, 0, 0 if self._joined else index)
        elif "toolUse" in delta:
            self._calls.add(index, delta["toolUse"].get("input") or "")
        elif "reasoningContent" in delta:
            self._out.text(delta["reasoningContent"].get("text") or "", _REASONING, 0, index)
        elif "citation" in delta:
            known = facts(delta["citation"], "title", "source")
            self._out.note({"citation": known}, _TEXT, 0, 0 if self._joined else index)

    def _stop(self, reason: Any) -> None:
        self._finish = CONVERSE_STOPS.get(reason, Finish.STOP)
        if reason not in CONVERSE_STOPS:
            self._out.note({"finish": short(reason)})
        if self._finish == Finish.ERROR:
            self._out.error(f"stop reason {listed(reason)}")
        self._calls.settle(self._finish)
        self._out.finish(self._finish)

    def receive_eof(self) -> None:
        self._calls.settle(Finish.TRUNCATED)
        self._out.end()


class BedrockConverse(Dialect):
    """ConverseStream events, bare or wrapped."""

    provider = "bedrock"

    def __init__(self) -> None:
        super().__init__()
        self._events = _ConverseEvents(self.out)

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """A frame so named, or one object wrapped under such a name."""
        if name in _CONVERSE:
            return True
        return any(key in _CONVERSE and isinstance(event[key], dict) for key in event if key != "metadata")

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event, or one object of wrapped ones."""
        if name in _CONVERSE:
            self._events.receive(name, event)
        elif not _fail(self.out, name, event):
            for kind, body in event.items():
                if kind in _CONVERSE:
                    self._events.receive(kind, body)

    def receive_eof(self) -> None:
        """The bytes are over."""
        self._events.receive_eof()


class BedrockInvoke(Dialect):
    """InvokeModelWithResponseStream: the vendor's event inside each chunk decides how it is read."""

    provider = "bedrock"

    def __init__(self) -> None:
        super().__init__()
        self._anthropic = MessageEvents(self.out)
        self._nova = _ConverseEvents(self.out, joined=True)
        self._guarded = False
        self._puzzled = False

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """``{"bytes": base64}`` in a frame named ``chunk``, or in none."""
        return name in ("chunk", "") and isinstance(event.get("bytes"), str)

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One frame, or one wrapped ``{"chunk": {"bytes": ...}}``."""
        event = event.get("chunk", event)
        if "bytes" not in event:
            _fail(self.out, name, event)
            return
        inner = orjson.loads(base64.b64decode(event["bytes"], validate=True))
        if event_type := inner.get("type"):
            if event_type in EVENTS or event_type == "error":
                self._anthropic.receive("", inner)
        elif wrapped := [key for key in inner if key in _CONVERSE]:
            for kind in wrapped:
                self._nova.receive(kind, inner[kind])
        else:
            self._completion(inner)
        self._guardrail(inner)

    def receive_eof(self) -> None:
        """The bytes are over. Only one of the readers can have something open."""
        self._anthropic.receive_eof()
        self._nova.receive_eof()

    def _completion(self, inner: dict[str, Any]) -> None:
        """Titan, Llama, Cohere and Mistral: a piece of text, and a reason in the last one."""
        for choice, piece in enumerate(inner.get("outputs") or [inner]):
            text = next((piece[key] for key in _PIECES if key in piece), None)
            reason = next((piece[key] for key in _REASONS if piece.get(key)), None)
            if text is None and reason is None and not self.out.open and not self._puzzled:
                self._puzzled = True
                self.out.error("events of this model are not known")
            self.out.text(text or "", _TEXT, choice)
            if reason is None:
                continue
            finish = COMPLETIONS.get(str(reason).lower())
            if finish is None:
                self.out.note({"finish": short(reason)}, _TEXT, choice)
            if finish == Finish.ERROR:
                self.out.error(f"finish reason {listed(reason)}")
            self.out.finish(Finish.STOP if finish is None else finish, choice)
        metrics = inner.get("amazon-bedrock-invocationMetrics") or {}
        self.out.usage(input=metrics.get("inputTokenCount"), output=metrics.get("outputTokenCount"))

    def _guardrail(self, inner: dict[str, Any]) -> None:
        action = inner.get("amazon-bedrock-guardrailAction")
        if action == "INTERVENED" and not self._guarded and self.out.open:
            self._guarded = True
            self.out.note({"guardrail": {"action": action}})


def _fail(out: Script, name: str, event: dict[str, Any]) -> bool:
    """Whether `event` tells of a fault: a frame or a wrapped object so named, or a bare error body."""
    names = [name, *event]
    fault = next((listed(each) for each in names if each.lower().endswith(("exception", "error"))), "")
    if not fault and "message" not in event and "Message" not in event:
        return False
    out.fail(f"provider error: {fault or 'no type given'}")
    out.end()
    return True
