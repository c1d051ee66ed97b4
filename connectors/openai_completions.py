"""Legacy Completions: ``choices[].text``, of OpenAI, Azure, vLLM and other servers of open models.

Strategy. As Chat Completions without roles, tools and reasoning. Logprobs are parallel lists; tokens
are believed only where, joined, they are the text.

https://platform.openai.com/docs/api-reference/completions
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, error_code
from connectors._untrusted import measured
from operators.packet import Finish

__all__ = ["OpenAICompletions"]

_FINISH = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,
    "length": Finish.LENGTH,
    "content_filter": Finish.REFUSAL,
    "error": Finish.ERROR,
}


class OpenAICompletions(Dialect):
    """``text_completion`` objects, streamed or whole, and bare error bodies."""

    provider = "openai"

    def __init__(self) -> None:
        super().__init__()
        self._usage: object = None

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """Whether `event` is a chunk or a body of Completions."""
        del name
        if event.get("object") == "text_completion":
            return True
        choices = event.get("choices")
        return isinstance(choices, list) and any(
            isinstance(choice, dict) and "text" in choice and "delta" not in choice for choice in choices
        )

    def receive(self, name: str, event: dict[str, Any]) -> None:
        if event.get("error") or name == "error" or event.get("object") == "error":
            self.out.fail(f"provider error: {error_code(event.get('error') or event)}")
            return
        out = self.out
        if event.get("model"):
            out.start(event["model"])
        for choice in event.get("choices") or ():
            index = choice.get("index") or 0
            self._spoken(choice.get("text") or "", index, choice.get("logprobs") or {})
            reason = choice.get("finish_reason")
            if reason:
                out.finish(_FINISH.get(reason, Finish.STOP), index)
        usage = event.get("usage")
        if usage and usage != self._usage:
            self._usage = usage
            out.usage(input=usage.get("prompt_tokens"), output=usage.get("completion_tokens"))

    def _spoken(self, text: str, index: int, logprobs: dict[str, Any]) -> None:
        tokens = logprobs.get("tokens")
        values = logprobs.get("token_logprobs")
        if tokens and values and len(tokens) == len(values) and "".join(tokens) == text:
            for token, value in zip(tokens, values, strict=True):
                # the first token of an echoed prompt has none
                self.out.text(token, 0, index, 0, measured(value))
        else:
            self.out.text(text, 0, index)
