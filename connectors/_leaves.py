"""Where a JSON event holds words: every string in it but those that can only be names, codes and numbers.

Strategy. Providers add fields every month. Who looks only where text is known to stand lets pass what stands
elsewhere; so all strings are looked at but those under a closed list of keys whose values are ids, types,
codes or opaque (ciphertext, media). What a dialect has heard is found again among the leaves by its value.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

__all__ = ["ENTIRE", "Leaf", "leaves"]

_NAMED = frozenset(
    """
    id object type model role status created created_at completed_at finish_reason finishReason stop_reason
    stop_sequence index system_fingerprint service_tier item_id response_id previous_response_id event_id
    previous_item_id conversation_id call_id tool_call_id tool_use_id generation_id responseId modelVersion
    createTime phase effort format truncation tool_choice include native_finish_reason provider blockReason
    severity category probability threshold mimeType mime_type media_type voice speed container_id file_id
    filter_results reasoning_effort verbosity processing_status request_id modalities output_modalities
    max_output_tokens input_audio_format output_audio_format latency rid
    """.split()  # noqa: SIM905
)
"""Keys whose values are names, codes and times."""
_OPAQUE = frozenset(
    """
    encrypted_content signature thoughtSignature thought_signature obfuscation b64_json partial_image_b64
    encrypted_index encrypted_stdout file_data inlineData inline_data
    """.split()  # noqa: SIM905
)
"""Keys whose values nobody can read: ciphertext, signatures, padding, media."""
_PASSED = _NAMED | _OPAQUE
_LISTED = frozenset(("modalities", "output_modalities"))
"""Keys whose values are lists of codes."""
_MEDIA = frozenset(("data", "audio", "delta"))
"""Keys whose value is media if what stands beside it says so."""
_SOUNDS = frozenset(
    """
    input_audio output_audio audio input_audio_buffer.append response.output_audio.delta response.audio.delta
    """.split()  # noqa: SIM905
)
"""Types of what holds sound, base64 in ``audio`` or ``delta``; its transcript stands elsewhere."""
ENTIRE = frozenset(
    "name title url uri message code param reason filename label status_details".split()  # noqa: SIM905
)
"""Keys whose values no API sends in pieces: they can be decided at once, and what stands behind them in a
stream (the arguments of a tool, behind its name) need not wait for its end."""
_WHOLE = frozenset(("args", "arguments", "input", "action", "queries"))
"""Keys whose value may be a document that a dialect hears as JSON text."""


class Leaf(NamedTuple):
    """A string, or a document that is heard as one: ``holder[place]``."""

    holder: Any
    place: Any
    key: str
    """The nearest name on the way to it."""
    text: str
    document: bool = False


def leaves(event: Any) -> list[Leaf]:
    """All of `event` that may hold words, in the order it was written. O(size of `event`).

    A document stands before the strings in it.

    >>> [leaf.text for leaf in leaves({"id": "x", "choices": [{"delta": {"content": "Hi"}}]})]
    ['Hi']
    """
    found: list[Leaf] = []
    _walk(event, "", found)
    return found


def _walk(node: Any, name: str, found: list[Leaf]) -> None:
    named = node.__class__ is dict
    for place, value in node.items() if named else enumerate(node):
        key = str(place) if named else name
        if named and key in _PASSED and (value.__class__ is str or key in _OPAQUE):
            continue
        if named and key in _MEDIA and value.__class__ is str and _is_media(node, key):
            continue
        if not named and key in _LISTED and value.__class__ is str:
            continue
        if value.__class__ is str:
            if value and not _is_media_url(value):
                found.append(Leaf(node, place, key, value))
        elif value.__class__ is dict or value.__class__ is list:
            if key in _WHOLE and value:
                found.append(Leaf(node, place, key, orjson.dumps(value).decode(), document=True))
            _walk(value, key, found)


def _is_media(node: dict[str, Any], key: str) -> bool:
    """``{"media_type": "image/png", "data": ...}``: but text in that form is text."""
    if key != "data":
        return isinstance(node.get("type"), str) and node["type"] in _SOUNDS
    kind = node.get("mimeType") or node.get("mime_type") or node.get("media_type") or node.get("format") or ""
    return isinstance(kind, str) and bool(kind) and not kind.startswith(("text/", "application/json"))


def _is_media_url(value: str) -> bool:
    return value[:5] == "data:" and value[5:16].startswith(("image/", "audio/", "video/"))
