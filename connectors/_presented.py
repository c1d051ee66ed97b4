"""Where a caller's key stands in a request, and the request without it.

Strategy. Each SDK has its own place for a key, and all of them are read, so that only a base URL and a key
change. Where several keys stand, the first that has the form of ours counts: some clients send a placeholder
as well. What goes on to a provider has a key in none of these places.

OpenAI and most others: ``Authorization: Bearer``; Anthropic: ``x-api-key``; Google: ``x-goog-api-key`` or
``?key=``; Azure: ``api-key``; OpenAI Realtime from a browser, which cannot set headers: the WebSocket
subprotocol ``openai-insecure-api-key.KEY``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors._keys import id_of

__all__ = ["Pairs", "Query", "presented", "without_keys"]

Pairs = Sequence[tuple[bytes, bytes]]
"""Headers as on the wire."""
Query = Sequence[tuple[str, str]]

_HEADERS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
_PROTOCOLS = b"sec-websocket-protocol"
_PROTOCOL = b"openai-insecure-api-key."


def presented(headers: Pairs, query: Query) -> str:
    """The key that a request carries: one of ours if there is any, else the first, "" if there is none.

    >>> presented([(b"Authorization", b"bearer sk-1")], [])
    'sk-1'
    """
    keys = list(_keys(headers, query))
    return next((key for key in keys if id_of(key)), keys[0] if keys else "")


def without_keys(headers: Pairs, query: Query) -> tuple[list[tuple[bytes, bytes]], list[tuple[str, str]]]:
    """The headers and the query of a request without any key."""
    rest = []
    for name, value in headers:
        lower = name.lower()
        if lower in _HEADERS:
            continue
        if lower == _PROTOCOLS:
            value = b", ".join(each for each in _listed(value) if not each.startswith(_PROTOCOL))  # noqa: PLW2901
            if not value:
                continue
        rest.append((name, value))
    return rest, [(name, value) for name, value in query if name != "key"]


def _keys(headers: Pairs, query: Query) -> Iterator[str]:
    for name, value in headers:
        match name.lower():
            case b"authorization":
                scheme, _, key = value.strip().partition(b" ")
                if scheme.lower() == b"bearer":
                    yield key.strip().decode("latin-1")
            case b"x-api-key" | b"x-goog-api-key" | b"api-key":
                yield value.strip().decode("latin-1")
            case b"sec-websocket-protocol":
                for each in _listed(value):
                    if each.startswith(_PROTOCOL):
                        yield each.removeprefix(_PROTOCOL).decode("latin-1")
    yield from (value for name, value in query if name == "key")


def _listed(value: bytes) -> list[bytes]:
    return [each.strip() for each in value.split(b",") if each.strip()]
