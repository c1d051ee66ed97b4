"""Image generation and editing: events ``image_generation.*`` and ``image_edit.*``.

An image holds no text, so such a stream is its beginning, its tokens and its end. It has a dialect all
the same: a stream that passes through is accounted for, not reported as unknown.

https://platform.openai.com/docs/api-reference/images-streaming
"""

from __future__ import annotations

from typing import Any

from connectors._decoder import Dialect, error_code
from operators.packet import Finish

__all__ = ["OpenAIImages"]

_KINDS = ("image_generation.", "image_edit.")


class OpenAIImages(Dialect):
    """``partial_image`` and ``completed`` events."""

    provider = "openai"

    @classmethod
    def knows(cls, name: str, event: dict[str, Any]) -> bool:
        """An event of one of the two kinds."""
        kind = event.get("type", name)
        return isinstance(kind, str) and kind.startswith(_KINDS)

    def receive(self, name: str, event: dict[str, Any]) -> None:
        kind = str(event.get("type", name))
        if kind == "error":
            self.out.fail(f"provider error: {error_code(event.get('error'))}")
        elif kind.startswith(_KINDS):
            self.out.start()
            if kind.endswith(".completed"):
                usage = event.get("usage") or {}
                self.out.usage(input=usage.get("input_tokens"), output=usage.get("output_tokens"))
                self.out.end(Finish.STOP)
