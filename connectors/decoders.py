"""The table of decoders: the name of an API, and the dialect it is written in.

An API is named ``vendor-dialect``: ``groq-chat``, ``bedrock-converse``. The vendor becomes the provider that
START names; the dialect says what an event means. A dialect alone (``openai-chat`` for any Chat
Completions) and a vendor alone, where there is one obvious choice, are names too. ``-`` and ``_`` are equal.

Strategy. How bytes are framed is never taken from the name: :class:`~connectors._sniff.SniffedFraming`
sees it. With the name ``auto`` the dialect is found the same way: each is asked whether it knows the event,
in a fixed order, until one does; nothing is said before that. Dialects answer only for what no other API
sends, so the order decides nothing but speed; an error body, which all send, goes to Chat Completions
if nothing better has come when the bytes end.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from connectors._decoder import MAX_EVENT, MISSHAPEN, Decoder, Dialect, Event
from connectors._sniff import SniffedFraming
from connectors.anthropic import AnthropicComplete, AnthropicMessages
from connectors.bedrock import BedrockConverse, BedrockInvoke
from connectors.cohere import CohereChat
from connectors.gemini import GeminiGenerate, GeminiInteractions
from connectors.gemini_live import GeminiLive
from connectors.mcp import McpHttp
from connectors.ollama import Ollama
from connectors.openai_assistants import OpenAIAssistants
from connectors.openai_chat import OpenAIChat
from connectors.openai_completions import OpenAICompletions
from connectors.openai_images import OpenAIImages
from connectors.openai_realtime import OpenAIRealtime
from connectors.openai_responses import OpenAIResponses
from connectors.plain import PlainText, TextFraming
from connectors.replicate import Replicate
from connectors.watsonx import Watsonx
from connectors.writer import WriterCompletions
from operators.packet import Delta, Finish

__all__ = ["API_NAMES", "AutoDecoder", "open_decoder", "open_dialect"]

_DIALECTS: dict[str, tuple[type[Dialect], str]] = {
    "chat": (
        OpenAIChat,
        "openai alibaba azure cerebras crusoe deepseek fireworks groq huggingface lmstudio mistral moonshot "
        "nvidia openaicompat openrouter perplexity snowflake together vllm writer xai zai",
    ),
    "completions": (OpenAICompletions, "openai azure fireworks lmstudio openrouter together vllm"),
    "responses": (OpenAIResponses, "openai azure bedrock deepseek groq lmstudio openrouter vllm xai"),
    "assistants": (OpenAIAssistants, "openai azure"),
    "images": (OpenAIImages, "openai azure"),
    "realtime": (OpenAIRealtime, "openai azure azure-voice-live xai"),
    "messages": (AnthropicMessages, "anthropic bedrock vertex"),
    "complete": (AnthropicComplete, "anthropic"),
    "generate": (GeminiGenerate, "gemini vertex"),
    "interactions": (GeminiInteractions, "gemini"),
    "live": (GeminiLive, "gemini google vertex"),
    "v1chat": (CohereChat, "cohere"),
    "v2chat": (CohereChat, "cohere"),
    "converse": (BedrockConverse, "bedrock"),
    "invoke": (BedrockInvoke, "bedrock"),
    "stream": (Replicate, "replicate"),
    "http": (McpHttp, "mcp"),
}
"""Dialect: its class, and the vendors known to speak it."""

_APIS: dict[str, tuple[type[Dialect], str]] = {
    f"{vendor}-{dialect}": (known, vendor)
    for dialect, (known, vendors) in _DIALECTS.items()
    for vendor in vendors.split()
} | {
    "cohere-chat": (CohereChat, "cohere"),
    "google-realtime": (GeminiLive, "google"),
    "ollama-chat": (Ollama, "ollama"),
    "ollama-generate": (Ollama, "ollama"),
    "watsonx-generate": (Watsonx, "watsonx"),
    "writer-completions": (WriterCompletions, "writer"),
    "anthropic": (AnthropicMessages, "anthropic"),
    "bedrock": (BedrockConverse, "bedrock"),
    "cohere": (CohereChat, "cohere"),
    "gemini": (GeminiGenerate, "gemini"),
    "mcp": (McpHttp, "mcp"),
    "ollama": (Ollama, "ollama"),
    "replicate": (Replicate, "replicate"),
    "watsonx": (Watsonx, "watsonx"),
}

API_NAMES = ("auto", "text", *sorted(_APIS))
"""Every name that :func:`open_decoder` takes."""

_ASKED: tuple[type[Dialect], ...] = (
    OpenAIChat,
    AnthropicMessages,
    OpenAIResponses,
    GeminiGenerate,
    OpenAIRealtime,
    BedrockConverse,
    BedrockInvoke,
    CohereChat,
    Ollama,
    OpenAICompletions,
    GeminiInteractions,
    GeminiLive,
    OpenAIAssistants,
    OpenAIImages,
    AnthropicComplete,
    McpHttp,
    Watsonx,
    WriterCompletions,
    Replicate,
)
_SIGNS = (
    ("x_groq", "groq"),
    ("prompt_filter_results", "azure"),
    ("citations", "perplexity"),
    ("provider", "openrouter"),
)
"""Fields of a Chat Completions chunk that one vendor alone sends."""
_UNDECIDED = 16
"""Events that may pass before one tells its API: pings, and names we do not know."""


def open_decoder(api: str, *, limit: int = MAX_EVENT) -> Decoder:
    r"""A decoder for one stream (one connection) of `api`, one of :data:`API_NAMES`.

    :arg api: ``_`` and ``-`` are equal; ``-chunks`` at the end (a file of bare payloads) is passed over.
    :arg limit: Bytes one event may have.
    :raises ValueError: If there is no such name.

    >>> decoder = open_decoder("groq_chat")
    >>> said = decoder.receive_data(b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n', now=0)
    >>> [delta.text for delta in said]
    ['{"provider":"groq","model":""}', 'Hi']
    """
    name = api.replace("_", "-").removesuffix("-chunks")
    if name == "auto":
        return AutoDecoder(limit)
    if name == "text":
        return Decoder(TextFraming(), PlainText())
    if name not in _APIS:
        msg = f"no API is named {api!r}; there are: {', '.join(API_NAMES)}"
        raise ValueError(msg)
    known, vendor = _APIS[name]
    dialect = known()
    dialect.out.provider = vendor
    return Decoder(SniffedFraming(limit), dialect)


def open_dialect(dialect: str, vendor: str) -> Dialect:
    """A dialect alone, for who frames the bytes: ``chat responses messages generate`` ...

    :raises ValueError: If there is no such dialect.
    """
    if dialect not in _DIALECTS:
        msg = f"no dialect is named {dialect!r}; there are: {', '.join(_DIALECTS)}"
        raise ValueError(msg)
    made = _DIALECTS[dialect][0]()
    made.out.provider = vendor
    return made


class AutoDecoder(Decoder):
    """A decoder that finds the dialect in the events, and until then says nothing.

    :arg limit: Bytes one event may have.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        super().__init__(SniffedFraming(limit), _UnknownAPI())
        self._decided = False
        self._kept: list[Event] = []

    def receive_events(self, events: list[Event], *, now: int) -> list[Delta]:
        """Deltas of `events`, and of those kept back before."""
        if self._decided:
            return super().receive_events(events, now=now)
        for place, event in enumerate(events):
            self._kept.append(event)
            dialect = _dialect_of(event)
            if dialect or len(self._kept) == _UNDECIDED:
                return self._decide(dialect or _UnknownAPI(), events[place + 1 :], now)
        if self._framing.failed:
            return self._decide(_last_resort(self._kept), [], now)
        return []

    def receive_eof(self, *, now: int) -> list[Delta]:
        """Deltas that the end of the bytes completes."""
        deltas: list[Delta] = []
        if not self._decided:
            deltas += self.receive_events(self._framing.receive_eof(), now=now)
        if not self._decided:
            deltas += self._decide(_last_resort(self._kept), [], now)
        return deltas + super().receive_eof(now=now)

    def _decide(self, dialect: Dialect, events: list[Event], now: int) -> list[Delta]:
        self._decided = True
        self._dialect = dialect
        kept, self._kept = self._kept, []
        return super().receive_events(kept + events, now=now)


class _UnknownAPI(Dialect):
    """What no dialect knows: said once, and the stream is over."""

    provider = "unknown"

    def receive(self, name: str, event: dict[str, Any]) -> None:
        self.receive_text(name, b"")

    def receive_text(self, name: str, payload: bytes) -> bool:
        if not self.out.begun:
            self.out.error("unknown API: none of the known ones sends such events")
            self.out.end(Finish.ERROR)
        return True


def _dialect_of(event: Event) -> Dialect | None:
    name, payload = event
    fields = _fields(payload)
    for known in _ASKED:
        try:
            knows = known.knows(name, fields)
        except MISSHAPEN:
            continue
        if knows:
            dialect = known()
            if known is OpenAIChat:
                signs = [vendor for field, vendor in _SIGNS if fields.get(field)]
                dialect.out.provider = signs[0] if signs else dialect.provider
            return dialect
    return None


def _last_resort(kept: list[Event]) -> Dialect:
    """For events that told nothing until the end: an error body has the same shape nearly everywhere."""
    if any(_fields(payload).get("error") for _, payload in kept):
        dialect = OpenAIChat()
        dialect.out.provider = "unknown"
        return dialect
    return _UnknownAPI()


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:
            event = json.loads(payload)  # half a surrogate pair, which orjson refuses
        except (ValueError, RecursionError):
            return {}
    return event if type(event) is dict else {}
