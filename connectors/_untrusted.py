"""Objects out of a provider's JSON, made fit to be notes and text.

A dialect is written for the documented shape and lets ``Decoder`` catch what an unexpected one raises.
Two kinds of value would pass and make trouble later: a nested object where one fact was expected, which
lets text that nobody looked at into a note, and arguments that no encoder can write. And one must not take
the text beside it along: a token's probability that is no number. All three go through here.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

__all__ = ["compact", "facts", "measured"]

_MOST = 1e6
"""Nats: no model gives a token less than e to the minus millionth, and sums of what is larger overflow."""


def facts(source: object, *names: str) -> dict[str, Any]:
    """Those of `names` that `source` gives as a string, number or truth value; nested ones are left out."""
    if not isinstance(source, dict):
        return {}
    return {name: source[name] for name in names if isinstance(source.get(name), str | int | float)}


def measured(value: object) -> float:
    """The number that was sent, NaN if none was, and minus infinity for what is none or no measurement: that
    is reported, while the text beside it is heard.
    """
    if value is None:
        return float("nan")
    return float(value) if isinstance(value, int | float) and -_MOST <= value <= _MOST else float("-inf")


def compact(value: object) -> str:
    """`value` as JSON without white space, in the order of its keys.

    :raises ValueError: If it is nested too deep to be written.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a lone surrogate (Script joins it), a number beyond 64 bits, or 254 levels
        pass
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as error:
        msg = "nested too deep"
        raise ValueError(msg) from error
