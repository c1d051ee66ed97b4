"""One question asked of a provider, on the pump's loop: its answer as deltas, as they come.

Strategy. Whatever happens there is one stream: START first, END last, and between them in words what went
wrong. A refusal is an ERROR with the provider's codes and nothing of its prose, which may quote the prompt.

A question is asked once. When its answer breaks off, it is over (*truncated*), unless the provider goes on by
itself: an answer of the Responses API *in the background* is read again from where it broke, as often as
something new comes of it. Closing the connection does not stop such a one; it is cancelled by name.

https://platform.openai.com/docs/guides/background
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import orjson

from connectors import _retry
from connectors._asking import Asked, Question, request
from connectors._decoder import MAX_EVENT, Event, short
from connectors._pump import Feed
from connectors._realtime import converse, openers
from connectors._refusal import Refused, refuse
from connectors._sse import SseFraming
from connectors._upstream import Provider, Upstream, UpstreamFault
from connectors.decoders import open_decoder
from operators.packet import Delta, Finish, Kind

__all__ = ["Heard", "Hearing"]

Heard = tuple[int, list[Delta]]
"""``time.monotonic_ns()`` when bytes came, and the deltas they made."""

_BODY = 1 << 16  # bytes of a refusal that are looked at
_BARREN = 3  # times that an answer in the background is read again although nothing new came
_CANCEL = 2.0  # seconds
_START, _ERROR, _END = int(Kind.START), int(Kind.ERROR), int(Kind.END)


class Hearing:
    """An answer under way. :meth:`receive` is for :meth:`connectors._pump.Pump.feed`.

    :arg response: Name of an answer in the background that was asked for before; it is read from its
        beginning.

    :arg event_bytes: Bytes of one event at most.

    :raises ValueError: If the question cannot be asked in the provider's API.

    """

    def __init__(
        self, upstream: Upstream, question: Question, *, response: str = "", event_bytes: int = MAX_EVENT
    ) -> None:
        self.upstream, self.question = upstream, question
        self.response = response
        """Name of the answer in the background, once it is known."""
        self.unwanted = False
        """Set before the pump is closed: what goes on in the background is cancelled."""
        self._spoken = upstream.api.endswith("-realtime")
        self._asked = Asked("", b"") if self._spoken else request(upstream.api, question)
        self._opening = openers(upstream, question) if self._spoken else []
        self._event_bytes = event_bytes
        self._decoder = open_decoder(upstream.api, limit=event_bytes)
        self._begun = self._open = False
        self._last = -1  # sequence number of the last event of an answer in the background

    async def receive(self, feed: Feed[Heard]) -> None:
        """Ask, and hand over what comes until the stream is over."""
        provider = Provider(self.upstream)
        try:
            listen = self._background if self.question.background else self._once
            if self._spoken:
                listen = self._session
            async with aclosing(listen(provider)) as answer:
                async for deltas in answer:
                    await feed.put((time.monotonic_ns(), self._followed(deltas)))
                    if self._begun and not self._open:
                        return
            await feed.put((time.monotonic_ns(), self._followed(self._eof())))
        except (UpstreamFault, Refused) as why:
            await feed.put((time.monotonic_ns(), self._broken(str(why))))
        except asyncio.CancelledError:
            if self.unwanted and self.response and (self._open or not self._begun):
                with suppress(UpstreamFault, TimeoutError):
                    await asyncio.wait_for(self._cancel(provider), _CANCEL)
            raise
        finally:
            await provider.aclose()

    async def _once(self, provider: Provider) -> AsyncGenerator[list[Delta]]:
        asked = self._asked
        async with provider.call(
            "POST", asked.path, headers=asked.headers, body=asked.body, query=asked.query
        ) as reply:
            await refuse(reply)
            async for data in reply.chunks():
                yield self._decoder.receive_data(data, now=time.time_ns())

    async def _session(self, provider: Provider) -> AsyncGenerator[list[Delta]]:
        upstream = provider.upstream
        talk = converse(upstream, self.question.model, self._opening, self._event_bytes)
        async with aclosing(talk) as events:
            async for event in events:
                yield self._decoder.receive_events([event], now=time.time_ns())

    async def _background(self, provider: Provider) -> AsyncGenerator[list[Delta]]:
        barren = 0
        while True:
            before = self._last
            try:
                async with aclosing(self._events(provider)) as pieces:
                    async for events in pieces:
                        yield self._decoder.receive_events(events, now=time.time_ns())
            except UpstreamFault:
                if not self.response or barren == _BARREN:
                    raise
            if barren == _BARREN or not self.response:
                return
            barren = 0 if self._last > before else barren + 1
            await asyncio.sleep(_retry.backoff(barren))

    async def _events(self, provider: Provider) -> AsyncGenerator[list[Event]]:
        """The events that are new, of the answer's beginning or of what followed the last one."""
        again = [("stream", "true")] + ([("starting_after", str(self._last))] if self._last >= 0 else [])
        method, asked = (
            ("GET", Asked(f"/responses/{self.response}", b"", tuple(again)))
            if self.response
            else ("POST", self._asked)
        )
        framing = SseFraming(self._event_bytes)
        async with provider.call(
            method, asked.path, headers=asked.headers, body=asked.body, query=asked.query
        ) as reply:
            await refuse(reply)
            async for data in reply.chunks():
                yield [event for event in framing.receive_data(data) if self._new(event)]
                if framing.failed:
                    raise Refused(framing.failed)

    def _new(self, event: Event) -> bool:
        """Whether `event` was not read before; takes down where in the answer it stands."""
        try:
            said = orjson.loads(event[1])
            number, response = said.get("sequence_number"), said.get("response") or {}
            name = response.get("id")
        except (orjson.JSONDecodeError, AttributeError):
            return True  # the decoder says what is wrong with it
        if isinstance(name, str) and name.isascii() and name.replace("_", "").replace("-", "").isalnum():
            self.response = self.response or name
        if not isinstance(number, int):
            return True
        new = number > self._last
        self._last = max(self._last, number)
        return new

    async def _cancel(self, provider: Provider) -> None:
        async with provider.call("POST", f"/responses/{self.response}/cancel") as reply:
            await reply.body(_BODY)

    def _followed(self, deltas: list[Delta]) -> list[Delta]:
        for delta in deltas:
            if delta.kind == _START:
                self._begun = self._open = True
            elif delta.kind == _END:
                self._open = False
        return deltas

    def _eof(self) -> list[Delta]:
        return self._decoder.receive_eof(now=time.time_ns())

    def _broken(self, reason: str) -> list[Delta]:
        """The end of the stream, with what went wrong."""
        now = time.time_ns()
        if self._begun:
            return self._followed([Delta(_ERROR, reason, at=now), *self._eof()]) if self._open else []
        vendor = self.upstream.api.partition("-")[0]
        head = orjson.dumps({"provider": vendor, "model": short(self.question.model, 100)}).decode()
        failed = Delta(_END, finish=int(Finish.ERROR), at=now)
        return self._followed([Delta(_START, head, at=now), Delta(_ERROR, reason, at=now), failed])
