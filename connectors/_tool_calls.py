"""The arguments of a stream's tool calls, as fragments of JSON text that must be JSON once they end.

Anthropic, Bedrock, Cohere and Google's Interactions send a call the same way: it opens with a name and
an id, its arguments follow in pieces, it closes. The pieces go straight to the call's TOOL lane; a copy
is kept until the call closes, because arguments that do not parse are a fault worth an ERROR - unless
the token limit cut the answer, when half a JSON object is what one must expect. The reason for the end
comes after the close, so a fault waits for :meth:`ToolCalls.settle`.

Empty arguments are none and mean ``{}``. Some calls open with their arguments whole; they are said at
the close, if no piece came that replaces them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from connectors._decoder import MAX_EVENT, Script, listed
from connectors._untrusted import compact
from operators.packet import Channel, Finish

__all__ = ["ToolCalls"]

_TOOL = int(Channel.TOOL)


@dataclass(slots=True)
class _Call:
    whole: object
    parts: list[str] = field(default_factory=list)
    size: int = 0


class ToolCalls:
    """The open calls of one stream, by item. Says notes, text and errors to `out`."""

    def __init__(self, out: Script) -> None:
        self._out = out
        self._open: dict[int, _Call] = {}
        self._faults: list[str] = []

    def open(self, item: int, name: object, call_id: object, whole: object = None) -> None:
        """A call begins; `whole` are arguments that came with its beginning, ``{}`` for none."""
        known = {"name": name, "id": call_id}
        self._out.note(
            {"tool": {key: v if isinstance(v, str) else "" for key, v in known.items()}}, _TOOL, 0, item
        )
        self._open[item] = _Call(whole)

    def add(self, item: int, text: str) -> None:
        """A piece of the arguments."""
        self._out.text(text, _TOOL, 0, item)
        call = self._open.get(item)
        if call is not None and text:
            call.size += len(text)
            call.parts.append(text)
            if call.size > MAX_EVENT:
                del self._open[item]
                self._faults.append(
                    f"tool arguments of item {item} exceed {MAX_EVENT} characters, not checked"
                )

    def close(self, item: int) -> None:
        """The arguments are complete. Nothing happens if no such call is open."""
        call = self._open.pop(item, None)
        if call is None:
            return
        if not call.parts:
            if call.whole:
                self._out.text(compact(call.whole), _TOOL, 0, item)
            return
        try:
            json.loads("".join(call.parts))
        except (ValueError, RecursionError) as error:
            self._faults.append(
                f"tool arguments of item {item} are not valid JSON ({listed(type(error).__name__)})"
            )

    def settle(self, finish: int) -> None:
        """The reason for the end is known: the faults so far are told, or forgiven to a cut answer."""
        faults, self._faults = self._faults, []
        if finish != Finish.LENGTH:
            for fault in faults:
                self._out.error(fault)

    def clear(self) -> None:
        """Another message begins: its items count from zero again."""
        self._open.clear()
        self._faults.clear()
