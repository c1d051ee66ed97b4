"""The output items of an OpenAI response: what Responses and Realtime have in common.

A response is a list of items (messages, reasoning, calls of tools), each with a type of its own and
``output_index`` as its place, which is the lane's item. The text of a part comes as ``response.X.delta``
events, then whole as ``response.X.done``, again in ``output_item.done``, again at the end.

Strategy. One table says of each X which channel it speaks on and which fields hold its text and its
part. Pieces go out, wholes are compared (:mod:`connectors._parts`). What the model writes for a tool is
tool text, whoever runs the tool; what a tool answers is not the model's text and passes by. Where an
event names an item that was announced, the place announced counts, and a place that is taken is not
given twice: xAI leaves the index out of some events and sends 0 in all others.

https://platform.openai.com/docs/api-reference/responses-streaming and .../realtime-server-events
"""

from __future__ import annotations

from typing import Any

import orjson

from connectors._decoder import Script
from connectors._parts import Parts
from operators.packet import Channel, Finish

__all__ = ["ResponseItems"]

_TEXT, _REASONING, _TOOL = int(Channel.TEXT), int(Channel.REASONING), int(Channel.TOOL)
_REFUSAL, _TRANSCRIPT = int(Channel.REFUSAL), int(Channel.TRANSCRIPT)

_VOICES: dict[str, tuple[int, str, str]] = {
    "output_text": (_TEXT, "text", "content_index"),
    "text": (_TEXT, "text", "content_index"),  # Realtime before its release
    "refusal": (_REFUSAL, "refusal", "content_index"),
    "reasoning_text": (_REASONING, "text", "content_index"),
    "reasoning_summary_text": (_REASONING, "text", "summary_index"),
    "function_call_arguments": (_TOOL, "arguments", ""),
    "mcp_call_arguments": (_TOOL, "arguments", ""),
    "custom_tool_call_input": (_TOOL, "input", ""),
    "code_interpreter_call_code": (_TOOL, "code", ""),
    "apply_patch_call_operation_diff": (_TOOL, "diff", ""),
    "shell_call_command": (_TOOL, "command", "command_index"),
    "output_audio_transcript": (_TRANSCRIPT, "transcript", "content_index"),
    "audio_transcript": (_TRANSCRIPT, "transcript", "content_index"),  # Realtime before its release
    "audio.transcript": (_TRANSCRIPT, "transcript", ""),
}
"""Name of an event's subject: its channel, the field of its whole text, the field that numbers its part."""

_DELTAS = {f"response.{name}.delta": (name, channel, part) for name, (channel, _, part) in _VOICES.items()}
_DONES = {f"response.{name}.done": (name, *voice) for name, voice in _VOICES.items()}

_PARTS = {
    "output_text": ("output_text", "text"),
    "text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "output_audio": ("output_audio_transcript", "transcript"),
    "audio": ("audio_transcript", "transcript"),
}
"""Type of a message's part: the name of its voice, the field of its text."""

_CALLS = {
    "function_call": ("function_call_arguments", "arguments"),
    "mcp_call": ("mcp_call_arguments", "arguments"),
    "mcp_approval_request": ("mcp_call_arguments", "arguments"),
    "custom_tool_call": ("custom_tool_call_input", "input"),
    "code_interpreter_call": ("code_interpreter_call_code", "code"),
    "tool_search_call": ("tool_search_call", "arguments"),
    "web_search_call": ("web_search_call", "action"),
    "computer_call": ("computer_call", "action"),
    "local_shell_call": ("local_shell_call", "action"),
    "file_search_call": ("file_search_call", "queries"),
}
"""Type of a call: the name of its voice, the field of what the model wrote for the tool."""

_FOR_CALLER = {
    "function_call",
    "custom_tool_call",
    "mcp_approval_request",
    "computer_call",
    "local_shell_call",
    "apply_patch_call",
    "tool_search_call",
}
"""Calls that wait for the caller: a response that ends with one ends with *tool*."""


class ResponseItems:
    """The items of one response after the other. Says all to `out`."""

    def __init__(self, out: Script) -> None:
        self._out = out
        self._parts = Parts(out)
        self._seen: set[int] = set()
        self._places: dict[object, int] = {}  # by the item's id
        self._last = ""
        self._refused = False

    def clear(self) -> None:
        """The response is over."""
        self._parts.clear()
        self._seen.clear()
        self._places.clear()
        self._last = ""
        self._refused = False

    def receive(self, kind: str, event: dict[str, Any]) -> None:
        """One event of type `kind`. Types not known pass by."""
        if kind in _DELTAS:
            name, channel, part = _DELTAS[kind]
            item = self._place(event, event.get("item_id"))
            key = (name, item, event.get(part, 0))
            self._parts.piece(key, event["delta"], channel, item, event.get("logprobs"))
            self._seen.add(item)
            self._refused |= channel == _REFUSAL
        elif kind in _DONES:
            name, channel, field, part = _DONES[kind]
            item = self._place(event, event.get("item_id"))
            self._whole((name, item, event.get(part, 0)), event.get(field), channel, item)
        elif kind == "response.output_item.added":
            item = event["item"]
            place = self._place(event, item.get("id"))
            if place in self._seen and item.get("id") not in self._places:
                place = max(self._seen) + 1
            self._begin(item, place)
        elif kind == "response.output_item.done":
            item = event["item"]
            self.complete(item, self._place(event, item.get("id")))
        elif kind == "response.output_text.annotation.added":
            self._cite(event["annotation"], self._place(event, event.get("item_id")))

    def close(self, output: list[dict[str, Any]]) -> int:
        """All items of a response that is complete; how it ended. Items never heard of are said now."""
        for place, item in enumerate(output):
            if place not in self._seen and item.get("id") not in self._places:
                self.complete(item, place)
        if output:
            self._last = output[-1].get("type", "")
        if self._last in _FOR_CALLER:
            return Finish.TOOL
        return Finish.REFUSAL if self._refused else Finish.STOP

    def complete(self, item: dict[str, Any], place: int) -> None:
        """One item with all it holds."""
        if place not in self._seen:
            self._begin(item, place)
        kind = item.get("type")
        if kind == "message":
            for number, part in enumerate(item.get("content") or ()):
                if part.get("type") in _PARTS:
                    name, field = _PARTS[part["type"]]
                    channel = _VOICES[name][0]
                    self._refused |= channel == _REFUSAL
                    self._whole((name, place, number), part.get(field), channel, place)
        elif kind == "reasoning":
            for name, field in (("reasoning_summary_text", "summary"), ("reasoning_text", "content")):
                for number, part in enumerate(item.get(field) or ()):
                    self._whole((name, place, number), part.get("text"), _REASONING, place)
        elif kind == "shell_call":
            for number, command in enumerate(item["action"].get("commands") or ()):
                self._whole(("shell_call_command", place, number), command, _TOOL, place)
        elif kind == "apply_patch_call":
            diff = item["operation"].get("diff")
            self._whole(("apply_patch_call_operation_diff", place, 0), diff, _TOOL, place)
        elif kind in _CALLS:
            name, field = _CALLS[kind]
            self._whole((name, place, 0), item.get(field), _TOOL, place)

    def _place(self, event: dict[str, Any], item_id: object) -> int:
        place = self._places.get(item_id)
        if place is None:
            place = event.get("output_index", 0)
            if type(place) is not int:  # it is compared with others before Script could refuse it
                raise TypeError(type(place))
        return place

    def _begin(self, item: dict[str, Any], place: int) -> None:
        self._seen.add(place)
        if item.get("id"):
            self._places[item["id"]] = place
        kind = item.get("type", "")
        self._last = kind
        if kind in _CALLS or kind in ("shell_call", "apply_patch_call"):
            fact = {"name": item.get("name") or kind, "id": item.get("call_id") or item.get("id") or ""}
            self._out.note({"tool": fact}, _TOOL, 0, place)

    def _whole(self, key: tuple[str, int, int], value: Any, channel: int, place: int) -> None:
        if not value:
            return
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        self._parts.whole(key, text, channel, place)

    def _cite(self, annotation: dict[str, Any], place: int) -> None:
        names = ("type", "url", "title", "file_id", "filename", "start_index", "end_index")
        self._out.note({"citation": {n: annotation[n] for n in names if n in annotation}}, _TEXT, 0, place)
