"""What a request to a mock provider asks for: the few facts that decide its answer, from each API's shape.

Strategy. Read leniently, as a provider's validation is not what is mocked: what is not looked at may hold
anything. But a body that is no JSON, or has no place where the user's words could stand, is refused as
the provider would refuse it, and so is a model name that asks for what there is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

from connectors._decoder import MISSHAPEN

__all__ = ["Asked", "Refused", "function_name", "read", "text_of"]

_CHOICES = 128


class Refused(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Asked(NamedTuple):
    """One request, understood."""

    model: str
    prompt: str
    """The last text of the user's; "" if there is none."""
    stream: bool
    tool: str = ""
    """Name of the first function that may be called."""
    choices: int = 1
    usage: bool = False
    """Token counts were asked for in the stream."""
    array: bool = False
    """Gemini without ``alt=sse``: one JSON array."""


def read(api: str, body: bytes, *, model: str = "", stream: bool | None = None, array: bool = False) -> Asked:
    """What `body` asks of `api`.

    :arg model: Where the path names it.
    :arg stream: Where the path decides it.
    :raises Refused: If it is not such a request.
    """
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(400, "The body is not valid JSON.") from None
    try:
        prompt = _PROMPTS[api](asked)
        named = model or asked["model"]
        if not isinstance(named, str):
            raise Refused(400, "'model' must be a string.")
        if stream is None:
            stream = bool(asked.get("stream", api.startswith("ollama")))
        choices = asked.get("n") or 1
        if not isinstance(choices, int) or not 1 <= choices <= _CHOICES:
            raise Refused(400, f"'n' must be 1 to {_CHOICES}.")
        usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        return Asked(named, prompt, stream, function_name(asked.get("tools")), choices, usage, array)
    except MISSHAPEN:
        raise Refused(400, "The body does not have the shape of this API.") from None


def text_of(content: object) -> str:
    """The text of a message: a string, or parts of which some have a ``text``."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def function_name(tools: Any) -> str:
    """The first function among the tools of any of the APIs, "" if there is none."""
    for tool in tools or ():
        nested = tool.get("functionDeclarations") or tool.get("function_declarations") or [tool]
        found = nested[0].get("function", nested[0]).get("name")
        if isinstance(found, str):
            return found
    return ""


def _last(messages: Iterable[Any], field: str = "content") -> str:
    said = ""
    for message in messages:
        if message.get("role", "user") == "user":
            said = text_of(message.get(field)) or said
    return said


def _completion_prompt(asked: dict[str, Any]) -> str:
    prompt = asked["prompt"]
    return prompt if isinstance(prompt, str) else str(prompt[0])


def _response_input(asked: dict[str, Any]) -> str:
    given = asked["input"]
    return given if isinstance(given, str) else _last(given)


_PROMPTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "openai-chat": lambda asked: _last(asked["messages"]),
    "openai-completions": _completion_prompt,
    "openai-responses": _response_input,
    "anthropic-messages": lambda asked: _last(asked["messages"]),
    "gemini-generate": lambda asked: _last(asked["contents"], "parts"),
    "ollama-chat": lambda asked: _last(asked["messages"]),
    "ollama-generate": lambda asked: str(asked["prompt"]),
}
"""Where each API has the user's words."""
