"""Chat Completions: chunks, and whole bodies, of OpenAI and of everyone who speaks the same dialect.

Azure, Mistral, Groq, OpenRouter, DeepSeek, xAI, Alibaba, Moonshot, z.ai, Perplexity, Together, Snowflake,
Hugging Face, Writer, vLLM and many more send ``choices[].delta`` and differ in what else they put there.

Strategy. One dialect, not a class a vendor: a delta is walked key by key in the order it was sent, and a
table says which keys are voices (text, reasoning under its three names, refusal, tool calls, audio).
What one vendor calls by another name is one row; what nobody listens to passes by. The chunk that says
one thing, a piece of ``content``, takes a shortcut, for nearly all do.

A delta becomes one delta per token only where logprobs prove the tokens: their strings, joined, are
the text. ``finish_reason`` ends a choice, ``[DONE]`` or the last byte the stream, for usage comes between.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from connectors._chat_chunk import only_content
from connectors._decoder import Dialect, error_code
from connectors._untrusted import measured
from operators.packet import Channel, Finish

__all__ = ["OpenAIChat"]

_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)
_REFUSAL, _TRANSCRIPT = int(Channel.REFUSAL), int(Channel.TRANSCRIPT)

_FINISH = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,  # Together
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,  # a proxy in front of Anthropic
    "model_length": Finish.LENGTH,  # Mistral
    "tool_calls": Finish.TOOL,
    "function_call": Finish.TOOL,
    "content_filter": Finish.REFUSAL,  # the provider's own; *blocked* is what MidStream does
    "sensitive": Finish.REFUSAL,  # z.ai
    "error": Finish.ERROR,  # Mistral, OpenRouter
    "network_error": Finish.ERROR,  # z.ai
    "insufficient_system_resource": Finish.ERROR,  # DeepSeek
}
"""A reason that is not here ended the choice all the same: ``stop``."""


class OpenAIChat(Dialect):
    """``chat.completion.chunk`` and ``chat.completion`` objects, and bare error bodies."""

    provider = "openai"
    quick = staticmethod(only_content)

    def __init__(self) -> None:
        super().__init__()
        self._tools: dict[tuple[int, int], tuple[object, object]] = {}
        self._usage: object = None
        self._citations: object = None

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """Whether `event` is a chunk or a body of Chat Completions."""
        del name
        kind = event.get("object")
        if isinstance(kind, str) and kind.startswith("chat.completion"):
            return True
        choices = event.get("choices")
        if not isinstance(choices, list):
            return False
        if not choices:
            return "prompt_filter_results" in event
        return isinstance(choices[0], dict) and ("delta" in choices[0] or "message" in choices[0])

    def receive(self, name: str, event: dict[str, Any]) -> None:
        out = self.out
        choices = event.get("choices")
        if not out.open:
            self._begin(event, choices)
        if choices:
            for choice in choices:
                index = choice.get("index") or 0
                delta = choice.get("delta")
                if delta is None:
                    delta = choice.get("message") or {}
                logprobs = choice.get("logprobs")
                for key, value in delta.items():
                    if not value:
                        continue
                    if key == "content" and logprobs is None and value.__class__ is str:
                        out.text(value, _TEXT, index)
                    elif key in _VOICES:
                        _VOICES[key](self, value, index, delta, logprobs)
                reason = choice.get("finish_reason")
                if reason:
                    out.finish(_FINISH.get(reason, Finish.STOP), index)
                if "error" in choice:
                    self._error(choice["error"])
        usage = event.get("usage")
        if usage:
            self._count(usage)
        # the names of faults and facts that stand outside the choices
        if "error" in event:
            self._error(event["error"])
        elif "x_groq" in event:
            self._groq(event["x_groq"])
        elif "citations" in event:
            self._cite(event["citations"])
        elif choices is None and (event.get("object") == "error" or name == "error"):
            self._error(event)

    def receive_text(self, name: str, payload: bytes) -> bool:
        done = super().receive_text(name, payload)
        if done:
            self._forget()
        return done

    def receive_eof(self) -> None:
        super().receive_eof()
        self._forget()

    def _forget(self) -> None:
        self._tools.clear()
        self._usage = self._citations = None

    def _begin(self, event: dict[str, Any], choices: object) -> None:
        # Azure's first chunk has no model and no choice: the stream begins with the next one
        if choices or event.get("model"):
            self.out.start(event.get("model"))

    # what a delta may say, by its key

    def _content(self, value: Any, index: int, _delta: dict[str, Any], logprobs: Any) -> None:
        if isinstance(value, str):
            self._spoken(value, _TEXT, index, logprobs.get("content") if logprobs else None)
            return
        for part in value:  # Mistral: parts with a type
            kind = part.get("type")
            if kind == "text":
                self.out.text(part["text"], _TEXT, index)
            elif kind == "thinking":
                for thought in part["thinking"]:
                    self.out.text(thought.get("text", ""), _REASONING, index)
            elif kind == "reference":
                self.out.note({"citation": {"references": part.get("reference_ids")}}, _TEXT, index)

    def _refuse(self, value: Any, index: int, _delta: dict[str, Any], logprobs: Any) -> None:
        self._spoken(value, _REFUSAL, index, logprobs.get("refusal") if logprobs else None)

    def _reason(self, value: Any, index: int, _delta: dict[str, Any], _logprobs: Any) -> None:
        self.out.text(value, _REASONING, index)

    def _reason_again(self, value: Any, index: int, delta: dict[str, Any], _logprobs: Any) -> None:
        """``reasoning`` beside a filled ``reasoning_content`` repeats it."""
        if not delta.get("reasoning_content"):
            self.out.text(value, _REASONING, index)

    def _reason_in_detail(self, value: Any, index: int, delta: dict[str, Any], _logprobs: Any) -> None:
        """OpenRouter's details repeat ``reasoning``; Snowflake sends nothing else."""
        if not delta.get("reasoning_content") and not delta.get("reasoning"):
            for detail in value:
                self.out.text(detail.get("text") or detail.get("summary") or "", _REASONING, index)

    def _call_tools(self, value: Any, index: int, _delta: dict[str, Any], _logprobs: Any) -> None:
        for place, call in enumerate(value):
            item = call.get("index")
            function = call.get("function") or call.get("custom") or {}
            self._call(function, call.get("id"), index, place if item is None else item)

    def _call_function(self, value: Any, index: int, _delta: dict[str, Any], _logprobs: Any) -> None:
        self._call(value, None, index, 0)

    def _call(self, function: dict[str, Any], call_id: object, index: int, item: int) -> None:
        tool = (function.get("name"), call_id)
        if (tool[0] or tool[1]) and self._tools.get((index, item)) != tool:
            self._tools[index, item] = tool
            fact = {key: said for key, said in zip(("name", "id"), tool, strict=True) if said}
            self.out.note({"tool": fact}, _TOOL, index, item)
        arguments = function.get("arguments") or function.get("input")
        if arguments:
            if not isinstance(arguments, str):
                arguments = orjson.dumps(arguments).decode()
            self.out.text(arguments, _TOOL, index, item)

    def _sound(self, value: Any, index: int, _delta: dict[str, Any], _logprobs: Any) -> None:
        self.out.text(value.get("transcript") or "", _TRANSCRIPT, index)

    def _annotate(self, value: Any, index: int, _delta: dict[str, Any], _logprobs: Any) -> None:
        for annotation in value:
            cited = annotation.get("url_citation") or {}
            fact = {key: cited[key] for key in ("url", "title", "start_index", "end_index") if key in cited}
            self.out.note({"citation": fact or {"type": annotation.get("type")}}, _TEXT, index)

    def _spoken(self, text: str, channel: int, index: int, tokens: Any) -> None:
        if tokens and "".join([token["token"] for token in tokens]) == text:
            for token in tokens:
                self.out.text(token["token"], channel, index, 0, measured(token.get("logprob")))
        else:
            self.out.text(text, channel, index)

    # what a chunk may say outside its choices

    def _count(self, usage: dict[str, Any]) -> None:
        if usage == self._usage:
            return
        self._usage = usage
        given = usage.get("prompt_tokens_details") or {}
        made = usage.get("completion_tokens_details") or {}
        self.out.usage(
            input=usage.get("prompt_tokens"),
            output=usage.get("completion_tokens"),
            reasoning=made.get("reasoning_tokens"),
            cached=given.get("cached_tokens", usage.get("prompt_cache_hit_tokens")),
        )

    def _groq(self, facts: dict[str, Any]) -> None:
        if facts.get("usage"):
            self._count(facts["usage"])
        if facts.get("error"):
            self._error(facts["error"])

    def _cite(self, urls: list[str]) -> None:
        """Perplexity repeats the whole list in every chunk."""
        if urls and urls != self._citations:
            self._citations = urls
            for url in urls:
                self.out.note({"citation": {"url": url}})

    def _error(self, error: Any) -> None:
        if not error:
            return
        self.out.fail(f"provider error: {error_code(error)}")


_Voice = Callable[[OpenAIChat, Any, int, dict[str, Any], Any], None]
_VOICES: dict[str, _Voice] = {
    "content": OpenAIChat._content,
    "refusal": OpenAIChat._refuse,
    "reasoning_content": OpenAIChat._reason,
    "reasoning": OpenAIChat._reason_again,
    "reasoning_details": OpenAIChat._reason_in_detail,
    "tool_calls": OpenAIChat._call_tools,
    "function_call": OpenAIChat._call_function,
    "audio": OpenAIChat._sound,
    "annotations": OpenAIChat._annotate,
}
