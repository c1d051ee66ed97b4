"""Google's Gemini: generateContent, of the Gemini API and of Vertex AI alike, and Interactions.

Speaks     ``POST {base_url}/v1beta/models/{model}:streamGenerateContent`` (Vertex: ``/v1/projects/...``)
           and ``POST {base_url}/v1beta/interactions`` with ``stream: true``
Framing    SSE with ``alt=sse``, else one JSON array that arrives piecewise; errors as a bare JSON object
Emits      :class:`~operators.packet.Delta`
Reference  https://ai.google.dev/api/generate-content and https://ai.google.dev/api/interactions-api

Decisions. Parts of a generateContent answer have no numbers and a client joins their texts, so all text
of a candidate is one lane and all its thoughts are another; each call gets the next item. Arguments of
a function call come whole, as an object, and are said as compact JSON in one piece; where Vertex streams
them path by path they are written as JSON text while they come. ``executableCode`` is a call as well: the
model wrote it and a machine will run it, so it goes to a TOOL lane. What a tool answered
(``codeExecutionResult``, ``toolResponse``) is not the model's text: a NOTE tells that it came and how it
went. Media (``inlineData``, ``fileData``) and thought signatures pass by.

An answer has no last event: its streams end with their bytes, *truncated* if no finish reason came.
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, listed, short
from connectors._json_path import PathWriter
from connectors._tool_calls import ToolCalls
from connectors._untrusted import compact, facts, measured
from operators.packet import Channel, Finish

__all__ = ["FINISH_REASONS", "STATUSES", "GeminiGenerate", "GeminiInteractions"]

FINISH_REASONS: dict[object, Finish] = {
    "STOP": Finish.STOP,
    "OTHER": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "CONTINUATION": Finish.LENGTH,
    "SAFETY": Finish.REFUSAL,
    "RECITATION": Finish.REFUSAL,
    "LANGUAGE": Finish.REFUSAL,
    "BLOCKLIST": Finish.REFUSAL,
    "PROHIBITED_CONTENT": Finish.REFUSAL,
    "SPII": Finish.REFUSAL,
    "MODEL_ARMOR": Finish.REFUSAL,
    "ESCALATION": Finish.REFUSAL,
    "PUP_LIMITED_DISABLED": Finish.REFUSAL,
    "IMAGE_SAFETY": Finish.REFUSAL,
    "IMAGE_PROHIBITED_CONTENT": Finish.REFUSAL,
    "IMAGE_RECITATION": Finish.REFUSAL,
    "IMAGE_OTHER": Finish.ERROR,
    "NO_IMAGE": Finish.ERROR,
    "MALFORMED_FUNCTION_CALL": Finish.ERROR,
    "MALFORMED_RESPONSE": Finish.ERROR,
    "UNEXPECTED_TOOL_CALL": Finish.ERROR,
    "TOO_MANY_TOOL_CALLS": Finish.ERROR,
    "MISSING_THOUGHT_SIGNATURE": Finish.ERROR,
    1: Finish.STOP,  # as numbers of the enumeration, which the two services share up to 4
    2: Finish.LENGTH,
    3: Finish.REFUSAL,
    4: Finish.REFUSAL,
}
"""What ``finishReason`` means. One that is not here ends as *stop*, with a NOTE that names it. A finish
that is the model's fault is an ERROR too. A call for a tool is no reason here: it is a STOP."""

STATUSES = {
    "completed": Finish.STOP,
    "requires_action": Finish.TOOL,
    "incomplete": Finish.LENGTH,
    "budget_exceeded": Finish.LENGTH,
    "requires_continuation": Finish.LENGTH,
    "cancelled": Finish.STOP,
    "failed": Finish.ERROR,
}
"""What the status of a completed interaction means. One that is not here ends as *stop*, with a NOTE."""

_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)
_VALUES = ("stringValue", "numberValue", "boolValue")
_NAN = float("nan")


class GeminiGenerate(Dialect):
    """Responses of ``streamGenerateContent``; each carries the next parts of every candidate."""

    provider = "gemini"

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[int, int] = {}  # calls of a candidate so far
        self._writers: dict[int, PathWriter] = {}  # its call whose arguments are still coming

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """Candidates, a judged prompt, counts of a named model (Live sends bare ones), or an error with a
        status word, which is Google's.
        """
        del name
        error = event.get("error")
        if isinstance(error, dict):
            return isinstance(error.get("status"), str) and isinstance(error.get("code"), int)
        return (
            isinstance(event.get("candidates"), list)
            or isinstance(event.get("promptFeedback"), dict)
            or ("usageMetadata" in event and "modelVersion" in event)
        )

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One response of the stream."""
        if "error" in event:
            _fail(self, event["error"])
            return
        if not any(key in event for key in ("candidates", "promptFeedback", "usageMetadata")):
            return
        self.out.start(event.get("modelVersion"))
        blocked = (event.get("promptFeedback") or {}).get("blockReason")
        if blocked:
            self.out.note({"refusal": {"prompt": short(blocked)}})
            self.out.finish(Finish.REFUSAL)
        for candidate in event.get("candidates") or ():
            self._candidate(candidate.get("index", 0), candidate)
        if usage := event.get("usageMetadata"):
            self.out.usage(
                input=usage.get("promptTokenCount"),
                output=usage.get("candidatesTokenCount"),
                reasoning=usage.get("thoughtsTokenCount"),
                cached=usage.get("cachedContentTokenCount"),
            )

    def _candidate(self, choice: int, candidate: dict[str, Any]) -> None:
        parts = (candidate.get("content") or {}).get("parts") or ()
        logprob = _logprob(candidate) if len(parts) == 1 else _NAN
        for part in parts:
            if text := part.get("text"):
                self.out.text(text, _REASONING if part.get("thought") else _TEXT, choice, 0, logprob)
            if (call := part.get("functionCall")) is not None:
                self._call(choice, call)
            elif call := part.get("toolCall"):
                item = self._open(choice, call.get("toolType"), call.get("id"))
                self.out.text(compact(call.get("args") or {}), _TOOL, choice, item)
            elif code := part.get("executableCode"):
                item = self._open(choice, "code_execution", code.get("id"))
                self.out.text(code.get("code") or "", _TOOL, choice, item)
            elif result := part.get("codeExecutionResult") or part.get("toolResponse"):
                said = facts(result, "outcome", "toolType", "id")
                self.out.note({"result": said}, _TOOL, choice, max(self._calls.get(choice, 0) - 1, 0))
        if "citationMetadata" in candidate or "groundingMetadata" in candidate:
            self._cite(choice, candidate)
        reason = candidate.get("finishReason")
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            finish = FINISH_REASONS.get(reason)
            if finish is None:
                self.out.note({"finish": short(reason)}, _TEXT, choice)
            if finish == Finish.ERROR:
                self.out.error(f"finish reason {listed(reason)}")
            self.out.finish(Finish.STOP if finish is None else finish, choice)

    def _open(self, choice: int, name: object, call_id: object) -> int:
        item = self._calls.get(choice, 0)
        self._calls[choice] = item + 1
        known = {"name": name, "id": call_id}
        self.out.note(
            {"tool": {key: v if isinstance(v, str) else "" for key, v in known.items()}}, _TOOL, choice, item
        )
        return item

    def _call(self, choice: int, call: dict[str, Any]) -> None:
        going_on = bool(call.get("willContinue"))
        if call.get("name"):
            if self._writers.pop(choice, None):
                self.out.error("a function call begins before the last one ended")
            self._open(choice, call["name"], call.get("id"))
            if going_on or call.get("partialArgs"):
                self._writers[choice] = PathWriter()
            else:
                self._say(choice, compact(call.get("args") or {}))
                return
        writer = self._writers.get(choice)
        if writer is None:
            if call.get("partialArgs"):
                self.out.error("arguments for no open function call")
            return
        try:
            for part in call.get("partialArgs") or ():
                value = next((part[key] for key in _VALUES if key in part), None)
                more = bool(part.get("willContinue"))
                self._say(choice, writer.write(part["jsonPath"], value, more=more))
        except ValueError as error:
            del self._writers[choice]
            self.out.error(f"arguments of a function call cannot be put together: {error}")
            return
        if not going_on:
            del self._writers[choice]
            self._say(choice, writer.close())

    def _say(self, choice: int, text: str) -> None:
        self.out.text(text, _TOOL, choice, self._calls[choice] - 1)

    def _cite(self, choice: int, candidate: dict[str, Any]) -> None:
        metadata = candidate.get("citationMetadata") or {}
        for citation in metadata.get("citationSources") or metadata.get("citations") or ():
            known = facts(citation, "uri", "title", "license", "startIndex", "endIndex")
            self.out.note({"citation": known}, _TEXT, choice)
        for chunk in (candidate.get("groundingMetadata") or {}).get("groundingChunks") or ():
            for kind, source in chunk.items():
                known = facts(source, "uri", "title", "fileSearchStore")
                self.out.note({"citation": {"type": short(kind), **known}}, _TEXT, choice)

    def receive_eof(self) -> None:
        """The bytes are over, and with them every candidate."""
        self._calls.clear()
        self._writers.clear()
        self.out.end()


class GeminiInteractions(Dialect):
    """Events of an interaction: numbered steps (thought, output, call, result), each in deltas."""

    provider = "gemini"

    def __init__(self) -> None:
        super().__init__()
        self._calls = ToolCalls(self.out)

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """An ``event_type`` of interactions or steps."""
        del name
        kind = event.get("event_type")
        return isinstance(kind, str) and kind.startswith(("interaction.", "step."))

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event."""
        kind = event.get("event_type", name)
        if kind == "step.delta":
            self._delta(event["index"], event["delta"])
        elif kind == "step.start":
            self._step(event["index"], event["step"])
        elif kind == "step.stop":
            self._calls.close(event["index"])
        elif kind == "interaction.created":
            if self.out.open:
                self.out.error("second interaction.created before interaction.completed")
            self.out.start(event["interaction"].get("model"))
            self._calls.clear()
        elif kind == "interaction.completed":
            self._complete(event["interaction"])
        elif kind == "error":
            _fail(self, event.get("error"))

    def _step(self, index: int, step: dict[str, Any]) -> None:
        kind = step["type"]
        if kind in ("model_output", "thought"):
            for content in step.get("content") or step.get("summary") or ():
                self.out.text(content.get("text") or "", _channel(kind), 0, index)
        elif kind.endswith("_call"):
            self._calls.open(index, step.get("name") or kind, step.get("id"), step.get("arguments"))
        elif kind.endswith("_result"):
            self.out.note({"result": facts(step, "type", "call_id", "is_error")}, _TOOL, 0, index)

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        kind = delta["type"]
        if kind == "text":
            self.out.text(delta["text"], _TEXT, 0, index)
        elif kind == "thought_summary":
            self.out.text((delta.get("content") or {}).get("text") or "", _REASONING, 0, index)
        elif kind == "arguments_delta":
            self._calls.add(index, delta.get("arguments") or "")
        elif kind == "text_annotation_delta":
            for citation in delta.get("annotations") or ():
                known = facts(
                    citation, "type", "url", "title", "start_index", "end_index", "file_name", "name"
                )
                self.out.note({"citation": known}, _TEXT, 0, index)
        elif kind.endswith("_call") and delta.get("arguments"):
            self._calls.add(index, compact(delta["arguments"]))
        elif kind.endswith("_result") and delta.get("is_error"):
            self.out.note({"result": facts(delta, "type", "is_error")}, _TOOL, 0, index)

    def _complete(self, interaction: dict[str, Any]) -> None:
        usage = interaction.get("usage") or {}
        self.out.usage(
            input=usage.get("total_input_tokens"),
            output=usage.get("total_output_tokens"),
            reasoning=usage.get("total_thought_tokens"),
            cached=usage.get("total_cached_tokens"),
        )
        status = str(interaction.get("status", ""))
        if status not in STATUSES:
            self.out.note({"finish": short(status)})
        finish = STATUSES.get(status, Finish.STOP)
        self._calls.settle(finish)
        if finish == Finish.ERROR:
            self.out.error("the interaction failed")
        self.out.end(finish)

    def receive_eof(self) -> None:
        """The bytes are over."""
        self._calls.settle(Finish.TRUNCATED)
        self.out.end()


def _channel(kind: str) -> int:
    return _REASONING if kind == "thought" else _TEXT


def _logprob(candidate: dict[str, Any]) -> float:
    """Of a candidate's only part: the sum over its tokens, or NaN where they are not sent."""
    chosen = (candidate.get("logprobsResult") or {}).get("chosenCandidates")
    return sum(measured(token.get("logProbability")) for token in chosen) if chosen else _NAN


def _fail(dialect: Dialect, error: Any) -> None:
    code = listed(error.get("status") or error.get("code") or "") if isinstance(error, dict) else ""
    dialect.out.fail(f"provider error: {code or 'no code given'}")
    dialect.out.end()
