"""The items of an OpenAI response that have begun, and how those that are open are closed.

What Responses and Realtime have in common. Both say a text in pieces and then whole, again with its part,
again with its item, and once more with the response; so whoever ends a response must repeat what has left.

Strategy. Text is gathered by part as it leaves. Closing says, for each part that is open, its text and the
part, then the item with status *incomplete*, in the order in which the API does it. An item that was done
before is repeated as it left.

Only what a reader reads is closed, messages and reasoning. A call of a tool that is not done is never said
to be: clients run a call when its ``done`` event comes, whatever its status, and when it stands in the output
of the response. It gets no event and is left out of the output.

What is gathered is bounded. Beyond that the response ends without repeating anything, which is less, and
true; so it does if text has left that it was not told.

https://platform.openai.com/docs/api-reference/responses-streaming and .../realtime-server-events
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, NamedTuple

import orjson

from connectors._last_frames import kept, mended, numbered

__all__ = ["LIMIT", "OpenItems", "Voice", "Words"]

LIMIT = 4 << 20
"""Bytes of items and characters of text that are gathered for one response, far more than a model's longest
answer has."""

_ENTRY = 256  # what an item or a part costs in memory beside its text
_READ = {"message": "content", "reasoning": "summary"}
"""Types of items to read, and the list that each must have."""


class Voice(NamedTuple):
    """The text of a part, as the events call it."""

    list: str
    """Where the item lists such parts."""
    number: str
    """Field of an event that numbers the part in it."""
    part: str
    """The part's type."""
    text: str
    """Field of its text."""
    added: str = "content_part"
    """What the events of the part itself are called."""


class Words(NamedTuple):
    """How one API says it."""

    voices: Mapping[str, Voice]
    """By the subject of an event, ``output_text`` of ``response.output_text.delta``."""
    extra: Mapping[str, dict[str, Any]]
    """What else the ``done`` event of a voice must have."""
    parts: Mapping[str, dict[str, Any]]
    """What a part of a type has beside its text, if it was never said to begin."""
    listed: Mapping[str, str]
    """The type of a part inside its item, where it has another name there."""


@dataclass
class _Part:
    subject: str
    number: int
    head: dict[str, Any]
    text: StringIO = field(default_factory=StringIO)
    said: bool = False
    done: bool = False


@dataclass
class _Item:
    index: int
    kind: str = ""
    name: str = ""
    head: dict[str, Any] = field(default_factory=dict)
    parts: dict[tuple[str, int], _Part] = field(default_factory=dict)
    done: dict[str, orjson.Fragment] | None = None


class OpenItems:
    """The items of one response."""

    def __init__(self, words: Words) -> None:
        self._by_name: dict[str, _Item] = {}
        self._by_index: dict[int, _Item] = {}
        self._items: list[_Item] = []
        self._size = 0
        self.speak(words)

    def speak(self, words: Words) -> None:
        """From here on, say it in these words. Where two voices have one type of part, the last counts."""
        self._words = words
        self._subjects = {voice.part: subject for subject, voice in words.voices.items()}

    def lose(self) -> None:
        """Forget all and gather no more: something has left that is not known here."""
        self._size = LIMIT + 1
        self._by_name.clear()
        self._by_index.clear()
        self._items.clear()

    def hear(self, kind: str, event: dict[str, Any]) -> None:
        """An event of type `kind` has left. Types not known pass by.

        :raises MISSHAPEN: What reading an unexpected shape raises.
        """
        if self._size > LIMIT:
            return
        subject, _, step = kind.removeprefix("response.").rpartition(".")
        if subject in self._words.voices:
            if step == "delta":
                self._piece(self._part(event, subject), event["delta"])
            elif step == "done":
                part = self._part(event, subject)
                part.said = True
                self._whole(part, event[self._words.voices[subject].text])
        elif kind == "response.output_item.added":
            self._add(event["item"], numbered(event.get("output_index")))
        elif kind == "response.output_item.done":
            item = self._item(event["item"].get("id"), numbered(event.get("output_index")))
            item.done = kept(event["item"])
            item.parts.clear()
            self._count(len(orjson.dumps(item.done)))
        elif subject in ("content_part", "reasoning_summary_part") and step in ("added", "done"):
            self._place(event, done=step == "done")
        elif kind == "response.output_text.annotation.added":
            self._note(self._part(event, "output_text"), [event["annotation"]])

    def output(self) -> list[Any]:
        """What the response holds as it ends: items that were done, and what has left of those to read."""
        return [item.done or self._cut(item) for item in self._items if item.done or item.kind in _READ]

    def close(self) -> list[dict[str, Any]]:
        """The events, in order, that close what is open."""
        return [
            event
            for item in self._items
            if item.done is None and item.kind in _READ
            for event in self._closing(item)
        ]

    def refuse(self, message: str, name: str) -> list[dict[str, Any]]:
        """Events that say `message` as the model's refusal: in the message that is open, or in a new one that
        is called `name`. They have left when :meth:`close` is asked.
        """
        if self._size > LIMIT:
            return []
        item = next((item for item in self._items if item.kind == "message" and item.done is None), None)
        events: list[dict[str, Any]] = []
        if item is None:
            head = {
                "id": name,
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            index = max(self._by_index, default=-1) + 1
            events.append({"type": "response.output_item.added", "output_index": index, "item": head})
            where = {"item_id": name, "output_index": index, "content_index": 0}
        else:
            number = max((number for _, number in item.parts), default=-1) + 1
            where = {"item_id": item.name, "output_index": item.index, "content_index": number}
        part = {"type": "refusal", "refusal": ""}
        events.append({"type": "response.content_part.added", **where, "part": part})
        events.append({"type": "response.refusal.delta", **where, "delta": message})
        for event in events:
            self.hear(event["type"], event)
        return events

    def _add(self, item: dict[str, Any], index: int) -> None:
        name = item.get("id")
        begun = _Item(index, str(item["type"]), name if isinstance(name, str) else "", kept(item))
        self._items.append(begun)
        self._by_index[index] = begun
        if begun.name:
            self._by_name[begun.name] = begun
        self._count(_ENTRY + len(orjson.dumps(begun.head)))

    def _item(self, name: object, index: int) -> _Item:
        # the name decides: xAI leaves the index out, or sends 0 for every item
        item = self._by_name.get(name) if isinstance(name, str) else None
        item = item or self._by_index.get(index)
        if item is None:
            item = _Item(index)
            self._items.append(item)
            self._by_index[index] = item
            self._count(_ENTRY)
        return item

    def _part(self, event: dict[str, Any], subject: str) -> _Part:
        item = self._item(event.get("item_id"), numbered(event.get("output_index")))
        voice = self._words.voices[subject]
        key = voice.list, numbered(event.get(voice.number))
        part = item.parts.get(key)
        if part is None:
            head = {"type": voice.part} | self._words.parts.get(voice.part, {})
            part = item.parts[key] = _Part(subject, key[1], head)
            self._count(_ENTRY)
        part.subject = subject
        return part

    def _place(self, event: dict[str, Any], *, done: bool) -> None:
        said = event["part"]
        subject = self._subjects.get(said["type"])
        if subject is None:
            return
        part = self._part(event, subject)
        voice = self._words.voices[subject]
        part.head |= kept(said)
        part.done |= done
        self._whole(part, said.get(voice.text))
        if "annotations" in said:
            part.head["annotations"] = []
            self._note(part, said["annotations"])

    def _note(self, part: _Part, annotations: list[Any]) -> None:
        notes = [orjson.dumps(annotation) for annotation in annotations]
        part.head["annotations"] = [*part.head.get("annotations", ()), *map(orjson.Fragment, notes)]
        self._count(sum(map(len, notes)))

    def _piece(self, part: _Part, text: object) -> None:
        if not isinstance(text, str):
            raise TypeError(type(text))
        part.text.write(text)
        self._count(len(text))

    def _whole(self, part: _Part, text: object) -> None:
        if text:  # Azure Voice Live says some parts whole without their text
            part.text.seek(0)
            part.text.truncate()
            self._piece(part, text)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > LIMIT:
            self.lose()

    def _closing(self, item: _Item) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for part in item.parts.values():
            voice = self._words.voices[part.subject]
            where = {"item_id": item.name, "output_index": item.index, voice.number: part.number}
            whole = self._closed(part)
            if not part.said and not part.done:
                said = where | {voice.text: whole[voice.text]} | self._words.extra.get(part.subject, {})
                events.append({"type": f"response.{part.subject}.done", **said})
            if not part.done:
                events.append({"type": f"response.{voice.added}.done", **where, "part": whole})
        done = {"output_index": item.index, "item": self._cut(item)}
        return [*events, {"type": "response.output_item.done", **done}]

    def _closed(self, part: _Part) -> dict[str, Any]:
        return part.head | {self._words.voices[part.subject].text: mended(part.text.getvalue(), None)}

    def _cut(self, item: _Item) -> dict[str, Any]:
        lists: dict[str, list[dict[str, Any]]] = {}
        for (name, _), part in sorted(item.parts.items()):
            kind = self._words.voices[part.subject].part
            named = {"type": self._words.listed[kind]} if kind in self._words.listed else {}
            lists.setdefault(name, []).append(self._closed(part) | named)
        return {_READ[item.kind]: []} | item.head | lists | {"status": "incomplete"}
