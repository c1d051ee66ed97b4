"""A Realtime session, sans I/O: client events in, server events out, under their present or first names.

Strategy. The session knows what it was told (tools, modalities, the user's last words) and acknowledges
it; a response is a generator of the events that say a speech, which looks between two deltas whether it
was cancelled. Who asks for the next event decides when it happens. Audio is silence, its transcript is
the speech.

https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from connectors._mock_asked import function_name, text_of
from connectors._mock_errors import error_object
from connectors._simulate_text import Part, Speech, pieces
from operators.packet import Channel

__all__ = ["Session"]

Event = dict[str, Any]

_REASONING, _TOOL = int(Channel.REASONING), int(Channel.TOOL)
_SILENCE = base64.b64encode(bytes(480)).decode()  # 10 ms of 24 kHz PCM16
_FIRST_NAMES = {
    "output_text": "text",
    "output_audio": "audio",
    "output_audio_transcript": "audio_transcript",
}
"""What the beta called the subjects of events and the types of parts."""


class _Settings(NamedTuple):
    tools: Sequence[Any] = ()
    tool: str = ""
    audio: bool = True


def _told(given: Event, before: _Settings) -> _Settings:
    """`before`, with what a client sets."""
    tools = before.tools if given.get("tools") is None else given["tools"]
    modalities = given.get("output_modalities") or given.get("modalities")
    return _Settings(tools, function_name(tools), "audio" in modalities if modalities else before.audio)


class Session:
    """One connection.

    :arg beta: The client asked for the names of the beta.
    """

    def __init__(self, model: str, number: int, *, beta: bool) -> None:
        self._beta = beta
        self._tag = f"{number:06}"
        self._events = self._items = self._responses = 0
        self._lasting = self._now = _Settings()
        self._model = model
        self.prompt = ""
        """The user's last words."""
        self.cancelled = False
        """The response under way is to end now."""

    @property
    def tool(self) -> str:
        """The first function that the response under way may call, "" if there is none."""
        return self._now.tool

    def opened(self) -> Event:
        """What a session begins with."""
        return self._event("session.created", session=self._described())

    def error(self, message: str, code: str, of: object = None) -> Event:
        """Something that the client did wrong; the session goes on.

        :arg of: The ``event_id`` of what it sent.
        """
        told = error_object(400, message) | {"code": code, "event_id": of if isinstance(of, str) else None}
        return self._event("error", error=told)

    def receive(self, event: Event) -> list[Event]:
        """Answers to a client event that is neither ``response.create`` nor ``response.cancel``.

        :raises AttributeError, LookupError, TypeError: If it has not the shape of its type.
        """
        kind = event["type"]
        if kind == "session.update":
            self._lasting = _told(event["session"], self._lasting)
            return [self._event("session.updated", session=self._described())]
        if kind == "conversation.item.create":
            return self._heard(event["item"])
        if kind == "conversation.item.delete":
            return [self._event("conversation.item.deleted", item_id=event["item_id"])]
        if kind == "conversation.item.truncate":
            place = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
            return [self._event("conversation.item.truncated", **place)]
        if kind == "input_audio_buffer.append":
            return []
        if kind == "input_audio_buffer.clear":
            return [self._event("input_audio_buffer.cleared")]
        if kind == "input_audio_buffer.commit":
            said = {"type": "message", "role": "user", "content": [{"type": "input_audio"}]}
            item = self._item_id()
            committed = self._event("input_audio_buffer.committed", item_id=item, previous_item_id=None)
            return [committed, *self._heard(said | {"id": item})]
        return [self.error("Unknown event type.", "invalid_value", event.get("event_id"))]

    def begin(self, given: Event) -> None:
        """A response is asked for; what `given` sets is for this one only.

        :raises AttributeError, LookupError, TypeError: If it has not the shape of ``response.create``.
        """
        self._now = _told(given, self._lasting)
        for item in given.get("input") or ():
            self._listen(item)
        self.cancelled = False

    def respond(self, speech: Speech, cut: int) -> Iterator[tuple[Event, bool]]:
        """Events of one response, and whether each is a delta of text.

        :arg cut: Characters of a delta; 0 as a tokenizer might.
        """
        self._responses += 1
        response = f"resp_{self._tag}_{self._responses}"
        yield self._event("response.created", response=self._response(response, "in_progress", [])), False
        output: list[Event] = []
        deltas = 0
        for place, part in enumerate(part for part in speech.parts if part.channel != _REASONING):
            if self.cancelled:
                break
            for event, delta, item in self._item(response, place, part, cut):
                deltas += delta
                yield event, delta
                if item is not None:
                    output.append(item)
        status = "cancelled" if self.cancelled else "completed"
        last = self._response(response, status, output)
        if self.cancelled:
            last["status_details"] = {"type": "cancelled", "reason": "client_cancelled"}
        asked = len(pieces(self.prompt))
        last["usage"] = {
            "total_tokens": asked + deltas, "input_tokens": asked, "output_tokens": deltas,
            "input_token_details": {"text_tokens": asked, "audio_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": deltas, "audio_tokens": 0},
        }  # fmt: skip
        yield self._event("response.done", response=last), False

    def failed(self) -> Event:
        """The response under way is given up by the provider."""
        response = self._response(f"resp_{self._tag}_{self._responses}", "failed", [])
        response["status_details"] = {
            "type": "failed",
            "error": error_object(500, "The server had an error."),
        }
        return self._event("response.done", response=response)

    def oversized(self, size: int) -> Event:
        """A delta of so many characters."""
        where = {"item_id": "item_big", "output_index": 0, "content_index": 0}
        response = f"resp_{self._tag}_{self._responses}"
        return self._event(self._named("output_text.delta"), response_id=response, delta="x" * size, **where)

    def _item(
        self, response: str, place: int, part: Part, cut: int
    ) -> Iterator[tuple[Event, bool, Event | None]]:
        """Events of one item; with the last of them the item as it is then."""
        item = self._item_id()
        at = {"response_id": response, "item_id": item, "output_index": place}
        spot = at if part.channel == _TOOL else at | {"content_index": 0}
        opened = self._described_item(item, part, "", "in_progress")
        added = {"response_id": response, "output_index": place, "item": opened}
        yield self._event("response.output_item.added", **added), False, None
        yield self._event(self._name_of_added(), item=opened, previous_item_id=None), False, None
        if part.channel != _TOOL:
            yield self._event("response.content_part.added", **spot, part=self._part("")), False, None
        subject, field = self._voice(part)
        told = ""
        tokens = [part.text[n : n + cut] for n in range(0, len(part.text), cut)] if cut else pieces(part.text)
        for token in tokens:
            if self.cancelled:
                break
            told += token
            yield self._event(self._named(f"{subject}.delta"), **spot, delta=token), True, None
            if subject == "output_audio_transcript":
                audio = self._event(self._named("output_audio.delta"), **spot, delta=_SILENCE)
                yield audio, False, None
        called = {"call_id": opened["call_id"], "name": part.tool} if part.channel == _TOOL else {}
        yield self._event(self._named(f"{subject}.done"), **spot, **called, **{field: told}), False, None
        if part.channel != _TOOL:
            if self._now.audio:
                yield self._event(self._named("output_audio.done"), **spot), False, None
            yield self._event("response.content_part.done", **spot, part=self._part(told)), False, None
        whole = self._described_item(item, part, told, "incomplete" if self.cancelled else "completed")
        if not self._beta:
            yield self._event("conversation.item.done", item=whole, previous_item_id=None), False, None
        done = {"response_id": response, "output_index": place, "item": whole}
        yield self._event("response.output_item.done", **done), False, whole

    def _voice(self, part: Part) -> tuple[str, str]:
        if part.channel == _TOOL:
            return "function_call_arguments", "arguments"
        return ("output_audio_transcript", "transcript") if self._now.audio else ("output_text", "text")

    def _named(self, event: str) -> str:
        subject, _, verb = event.rpartition(".")
        return f"response.{_FIRST_NAMES.get(subject, subject) if self._beta else subject}.{verb}"

    def _name_of_added(self) -> str:
        return "conversation.item.created" if self._beta else "conversation.item.added"

    def _part(self, text: str) -> Event:
        return {"type": "audio", "transcript": text} if self._now.audio else {"type": "text", "text": text}

    def _described_item(self, item: str, part: Part, text: str, status: str) -> Event:
        head: Event = {"id": item, "object": "realtime.item", "status": status}
        if part.channel == _TOOL:
            call = {"call_id": f"call_{item}", "name": part.tool, "arguments": text}
            return head | {"type": "function_call"} | call
        kind = "output_audio" if self._now.audio else "output_text"
        said = self._part(text) | {"type": _FIRST_NAMES[kind] if self._beta else kind}
        return head | {"type": "message", "role": "assistant", "content": [said] if text else []}

    def _response(self, response: str, status: str, output: list[Event]) -> Event:
        return {
            "object": "realtime.response", "id": response, "status": status, "status_details": None,
            "output": list(output), "conversation_id": f"conv_{self._tag}", "usage": None,
            **self._modalities(self._now),
        }  # fmt: skip

    def _described(self) -> Event:
        kind = {} if self._beta else {"type": "realtime"}
        return {
            **kind, "object": "realtime.session", "id": f"sess_{self._tag}", "model": self._model,
            **self._modalities(self._lasting), "instructions": "", "tools": self._lasting.tools,
            "tool_choice": "auto",
        }  # fmt: skip

    def _modalities(self, settings: _Settings) -> Event:
        if self._beta:
            return {"modalities": ["text", "audio"] if settings.audio else ["text"]}
        return {"output_modalities": ["audio"] if settings.audio else ["text"]}

    def _heard(self, item: Event) -> list[Event]:
        self._listen(item)
        kept = {"id": self._item_id(), "object": "realtime.item", "status": "completed"} | item
        names = [self._name_of_added()] + ([] if self._beta else ["conversation.item.done"])
        return [self._event(name, item=kept, previous_item_id=None) for name in names]

    def _listen(self, item: Event) -> None:
        if item.get("role") == "user":
            self.prompt = text_of(item.get("content")) or self.prompt

    def _item_id(self) -> str:
        self._items += 1
        return f"item_{self._tag}_{self._items}"

    def _event(self, kind: str, **fields: Any) -> Event:
        self._events += 1
        return {"type": kind, "event_id": f"event_{self._tag}_{self._events}", **fields}
