"""A Realtime session on its WebSocket, with what was asked to go wrong with it.

Strategy. One task reads, for a cancel must be heard and a client's leaving seen while a response is under
way; one task speaks, one response at a time. Between two deltas the speaker waits for its gap or for the
cancel, whichever is first. Faults count deltas of text as they count chunks elsewhere.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from starlette.types import Receive, Send

from connectors._decoder import MISSHAPEN
from connectors._mock_answering import GARBAGE, SETTLE
from connectors._mock_asked import Asked, Refused
from connectors._mock_faults import Fault
from connectors._mock_line import Line
from connectors._mock_pace import Pace
from connectors._mock_seen import Request, Seen
from connectors._mock_session import Event, Session
from connectors._simulate_text import Speech

__all__ = ["Conversation"]

_NORMAL = 1000


class Conversation:
    """What is said in a session.

    :arg speech: What the model says to a request, and the characters of a delta.
    """

    def __init__(
        self, speech: Callable[[Asked], tuple[Speech, int]], fault: Fault, pace: Pace, rng: random.Random
    ) -> None:
        self._speech, self._fault, self._pace, self._rng = speech, fault, pace, rng
        self._cancel = asyncio.Event()
        self._deltas = 0
        self._ending = False  # it is us who end it

    async def run(
        self, session: Session, number: int, line: Line, seen: Seen, receive: Receive, send: Send
    ) -> None:
        """From the accepted handshake until one side goes."""
        self._session, self._line, self._seen, self._send = session, line, seen, send
        gone = 0

        def lost(at: int) -> None:
            nonlocal gone
            gone = at

        line.on_lost = lost
        seen.begins()
        speaking: asyncio.Task[None] | None = None
        try:
            if self._fault.name == "slow-headers":
                await asyncio.sleep(self._fault.number)
            await send({"type": "websocket.accept"})
            await self._say(session.opened())
            while (message := await receive())["type"] == "websocket.receive":
                event = self._event(message, number)
                kind = event.get("type")
                busy = speaking is not None and not speaking.done()
                if kind == "response.create" and not busy and self._begun(event):
                    self._cancel.clear()
                    speaking = asyncio.create_task(self._respond())
                elif kind == "response.cancel" and busy:
                    session.cancelled = True
                    self._cancel.set()
                else:
                    for answer in self._acknowledged(event, busy):
                        await self._say(answer)
            if speaking is not None and not speaking.done() and not self._ending:
                seen.departs(number, gone or time.monotonic_ns(), self._deltas)
        finally:
            line.on_lost = None
            seen.open -= 1
            if speaking is not None:
                speaking.cancel()
                with suppress(asyncio.CancelledError, OSError):  # OSError: it wrote when nobody was there
                    await speaking

    def _event(self, message: Any, number: int) -> Event:
        text = message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace")
        if self._seen.last is not None and self._seen.last.number == number:
            known = self._seen.last
            self._seen.last = Request(number, known.path, known.headers, text.encode("utf-8", "replace"))
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError:
            event = None
        return event if isinstance(event, dict) else {"type": None}

    def _begun(self, event: Event) -> bool:
        """Whether the response is asked for in a way that is understood."""
        try:
            self._session.begin(event.get("response") or {})
        except MISSHAPEN:
            return False
        return True

    def _acknowledged(self, event: Event, busy: bool) -> list[Event]:
        session, kind, of = self._session, event.get("type"), event.get("event_id")
        if kind is None:
            return [session.error("The message is no JSON object with a type.", "invalid_json", of)]
        if kind == "response.create" and busy:
            code = "conversation_already_has_active_response"
            return [session.error("A response is under way already.", code, of)]
        if kind == "response.cancel":
            return [session.error("There is no response to cancel.", "response_cancel_not_active", of)]
        with suppress(*MISSHAPEN):
            if kind != "response.create":
                return session.receive(event)
        return [session.error("The event does not have the shape of its type.", "invalid_value", of)]

    async def _respond(self) -> None:
        session, fault = self._session, self._fault
        try:
            speech, cut = self._speech(Asked("", session.prompt, True, session.tool))
        except Refused as refused:
            await self._say(session.error(str(refused), "invalid_value"))
            return
        due = asyncio.get_running_loop().time() + self._pace.ttft.draw(self._rng)
        deltas = 0
        fails = fault.name not in {"", "slow-headers"}
        after = 0 if fault.name == "oversize" else int(fault.number)
        for event, delta in session.respond(speech, cut):
            if delta or not deltas:
                await self._until(due)
            # A part that ends before so many deltas is where it goes wrong at the latest.
            if fails and ((delta and deltas == after) or event["type"].endswith(".done")):
                fails = False
                if await self._fails():
                    return
            if delta:
                due += self._pace.gap.draw(self._rng)
                deltas += 1
                self._deltas += 1
                self._seen.chunks += 1
            await self._say(event)
        self._seen.completed += 1

    async def _until(self, due: float) -> None:
        wait = due - asyncio.get_running_loop().time()
        if wait > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._cancel.wait(), wait)

    async def _fails(self) -> bool:
        """Let go wrong what was asked for; False if the response goes on."""
        name = self._fault.name
        if name == "stall":
            await self._cancel.wait()
            return False
        if name == "oversize":
            await self._say(self._session.oversized(int(self._fault.number) << 10))
            return False
        if name in {"reset", "hang-up"}:
            self._ending = True
            await asyncio.sleep(SETTLE)
            await self._line.end(reset=name == "reset")
        elif name == "truncate":
            await self._send({"type": "websocket.close", "code": _NORMAL})
        elif name == "200-error":
            await self._say(self._session.failed())
        elif name == "garbage":
            await self._send({"type": "websocket.send", "text": GARBAGE.decode("latin-1")})
        return True

    async def _say(self, event: Event) -> None:
        text = orjson.dumps(event).decode()
        self._seen.bytes += len(text)
        await self._send({"type": "websocket.send", "text": text})
