"""Which paths a gateway serves, what API is spoken there, and whose upstream answers.

Strategy. A closed table: a path that is not in it is not forwarded, for nobody would know how to judge what
comes back. Paths are the providers' own. ``/NAME`` before one chooses the upstream of that name, so that a
base URL is all that a client changes: ``http://127.0.0.1:8080/groq/v1``. Callers never name a host.

The version that a path begins with (``/v1``) may also be the end of an upstream's base URL, as vendors print
them; it is then not said twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

__all__ = ["Route", "below", "route"]


class Route(NamedTuple):
    """How a call is judged, and where it goes."""

    upstream: str
    dialect: str
    """Of the answer: the last part of an API's name (``connectors.decoders``)."""
    path: str
    model: str = ""
    """Where the path names it."""


_CALLS = (
    ("POST", r"/v1/chat/completions", "openai", "chat"),
    ("POST", r"/v1/completions", "openai", "completions"),
    ("POST", r"/v1/responses", "openai", "responses"),
    ("GET|DELETE", r"/v1/responses/[^/]+", "openai", "responses"),
    ("POST", r"/v1/responses/[^/]+/cancel", "openai", "responses"),
    ("WEBSOCKET", r"/v1/realtime", "openai", "realtime"),
    ("POST", r"/v1/messages", "anthropic", "messages"),
    ("POST", r"/v1/messages/count_tokens", "anthropic", ""),
    ("POST", r"/v1(?:beta)?/models/(?P<model>[^/]+):(?:stream)?[gG]enerateContent", "gemini", "generate"),
    ("POST", r"/v1(?:beta)?/models/(?P<model>[^/]+):countTokens", "gemini", ""),
    ("GET", r"/v1beta/models(?:/[^/:]+)?", "gemini", ""),
    ("GET", r"/v1/models(?:/[^/:]+)*", "openai", ""),
)
"""Method, path, the upstream that is asked if none is named, the dialect of what it answers."""

_TABLE = [
    (frozenset(methods.split("|")), re.compile(path), name, dialect)
    for methods, path, name, dialect in _CALLS
]


def route(method: str, path: str, upstreams: Collection[str], *, anthropic: bool = False) -> Route | None:
    """Where a call goes; None if nowhere.

    :arg path: As it was sent, percent-encoded, without its query.
    :arg upstreams: The names there are.
    :arg anthropic: Whether the caller speaks Anthropic's API: its models have the path that OpenAI's have.

    >>> route("POST", "/groq/v1/chat/completions", {"groq"})
    Route(upstream='groq', dialect='chat', path='/v1/chat/completions', model='')
    """
    named, _, rest = path.removeprefix("/").partition("/")
    own = named if named in upstreams else ""
    if own:
        path = "/" + rest
    for methods, pattern, upstream, dialect in _TABLE:
        found = pattern.fullmatch(path)
        if found and method in methods:
            if anthropic and upstream == "openai" and path.startswith("/v1/models"):
                upstream = "anthropic"  # noqa: PLW2901
            return Route(own or upstream, dialect, path, found.groupdict().get("model") or "")
    return None


def below(base: str, path: str) -> str:
    """What is asked of an upstream, below the path of its base URL.

    >>> below("/openai/v1", "/v1/chat/completions"), below("", "/v1/messages")
    ('/chat/completions', '/v1/messages')
    """
    version, _, _ = path.removeprefix("/").partition("/")
    return path.removeprefix(f"/{version}") if base.rstrip("/").endswith(f"/{version}") else path
