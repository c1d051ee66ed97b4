"""The two old APIs that the simulator does not play: OpenAI's Completions and Ollama's generate.

https://platform.openai.com/docs/api-reference/completions and
https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-completion
"""

from __future__ import annotations

from typing import Any, ClassVar

import orjson

from connectors._simulate_text import Part
from connectors._simulate_wire import WRITERS
from connectors._simulate_writer import CREATED, Writer, sse
from operators.packet import Finish

__all__ = ["ALL_WRITERS"]

_STOP, _LENGTH = int(Finish.STOP), int(Finish.LENGTH)


class CompletionsWriter(Writer):
    """Completions: text and nothing else."""

    finishes: ClassVar[dict[int, int]] = {int(Finish.TOOL): _STOP, int(Finish.REFUSAL): _STOP}

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        return self._chunk(text)

    def tail(self, finish: int, tokens: int) -> bytes:
        usage = {
            "prompt_tokens": self.prompt, "completion_tokens": tokens, "total_tokens": self.prompt + tokens,
        }  # fmt: skip
        counted = sse(self._frame() | {"choices": [], "usage": usage})
        return self._chunk("", "length" if finish == _LENGTH else "stop") + counted + b"data: [DONE]\n\n"

    def fault(self) -> bytes:
        error = {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}
        return sse({"error": error})

    def _frame(self) -> dict[str, Any]:
        return {
            "id": f"cmpl-{self._tag}", "object": "text_completion", "created": CREATED,
            "model": "gpt-3.5-turbo-instruct",
        }  # fmt: skip

    def _chunk(self, text: str, finish: str | None = None) -> bytes:
        choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
        return sse(self._frame() | {"choices": [choice]})


class GenerateWriter(Writer):
    """Ollama generate: one JSON object a line, its text in ``response``."""

    finishes: ClassVar[dict[int, int]] = {int(Finish.TOOL): _STOP, int(Finish.REFUSAL): _STOP}

    def piece(self, place: int, part: Part, text: str, logprobs: list[tuple[str, float]]) -> bytes:
        return self._line(text, {"done": False})

    def tail(self, finish: int, tokens: int) -> bytes:
        reason = "length" if finish == _LENGTH else "stop"
        counts = {"prompt_eval_count": self.prompt, "eval_count": tokens}
        return self._line("", {"done": True, "done_reason": reason, "context": [1], **counts})

    def fault(self) -> bytes:
        return orjson.dumps({"error": "an error was encountered while running the model"}) + b"\n"

    def _line(self, text: str, ended: dict[str, Any]) -> bytes:
        head = {"model": "llama3.2", "created_at": "2026-01-05T09:00:00Z", "response": text}
        return orjson.dumps(head | ended) + b"\n"


ALL_WRITERS: dict[str, type[Writer]] = WRITERS | {
    "openai-completions": CompletionsWriter,
    "ollama-generate": GenerateWriter,
}
"""By the name of the API."""
