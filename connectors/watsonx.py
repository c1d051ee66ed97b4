"""IBM watsonx.ai: text generation. Its chat endpoint speaks Chat Completions.

Speaks     ``POST {base_url}/ml/v1/text/generation_stream``
Framing    SSE, one JSON object an event
Emits      :class:`~operators.packet.Delta`
Reference  https://cloud.ibm.com/apidocs/watsonx-ai#text-generation-stream

Each event has ``results``, one for each choice, with the next piece of text and a ``stop_reason`` that is
``not_finished`` until the last. The prompt's tokens are counted in the first event only, the answer's
in each, in all so far. No event says that the stream is over: it ends with its bytes.
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, listed, short
from operators.packet import Channel, Finish

__all__ = ["STOP_REASONS", "Watsonx"]

STOP_REASONS = {
    "eos_token": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "cancelled": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "token_limit": Finish.LENGTH,
    "time_limit": Finish.LENGTH,
    "error": Finish.ERROR,
}
"""What ``stop_reason`` means. One that is not here ends as *stop*, with a NOTE that names it."""

_TEXT = int(Channel.TEXT)


class Watsonx(Dialect):
    """Events of one generation."""

    provider = "watsonx"

    def __init__(self) -> None:
        super().__init__()
        self._prompt = 0

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """Results of a named model."""
        del name
        return isinstance(event.get("results"), list) and "model_id" in event

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """One event."""
        if "errors" in event or name == "error":
            errors = event.get("errors") or [{}]
            self.out.fail(f"provider error: {listed(errors[0].get('code', 'no code given'))}")
            self.out.end()
            return
        if not self.knows(name, event):
            return
        self.out.start(event["model_id"])
        for choice, result in enumerate(event["results"]):
            self.out.text(result.get("generated_text") or "", _TEXT, choice)
            self._prompt = max(self._prompt, result.get("input_token_count") or 0)
            reason = result.get("stop_reason") or "not_finished"
            if reason != "not_finished":
                self._stop(choice, reason)
                self.out.usage(input=self._prompt, output=result.get("generated_token_count"))

    def _stop(self, choice: int, reason: str) -> None:
        finish = STOP_REASONS.get(reason)
        if finish is None:
            self.out.note({"finish": short(reason)}, _TEXT, choice)
        if finish == Finish.ERROR:
            self.out.error("stop reason error")
        self.out.finish(Finish.STOP if finish is None else finish, choice)
