"""One answer of a mock provider on its way, with what was asked to go wrong with it.

Strategy. A fault is a change to the chunks and a way for them to end, made before the first is sent; only
the ending needs the connection. While an answer is under way it listens on its line: when the client goes,
its task is cancelled there and then, and the departure is noted with the time of the socket.
"""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import aclosing
from typing import NamedTuple

from starlette.types import Send

from connectors._mock_asked import Refused
from connectors._mock_errors import error_body
from connectors._mock_faults import STATUSES, Fault
from connectors._mock_line import Line
from connectors._mock_pace import Pace, Waits, paced
from connectors._mock_seen import Seen
from connectors._mock_wire import JSON, Answer, failed, oversized

__all__ = ["GARBAGE", "SETTLE", "Answering", "refuse"]

SETTLE = 0.02
"""Seconds for what was written before a reset to arrive: the reset would overtake it."""
GARBAGE = b"<!doctype html>\n<title>502</title>\n\n\x00\xff\xfe\x80 \xc3(\n\n{]"
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_APART = Waits(0.002)
"""Between two halves of a character, so that they are not read at once."""


class _Spoiled(NamedTuple):
    chunks: tuple[bytes, ...]
    ending: str = ""
    """``reset``, ``hang-up`` or ``stall``; else in good order."""
    length: int = 0
    """Of the body, as it is promised where it is not streamed."""


async def refuse(send: Send, api: str, status: int, message: str, retry_after: float = 0.0) -> None:
    """An error response with the body of `api`."""
    body = error_body(api, status, message)
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
    if retry_after:
        headers.append((b"retry-after", f"{retry_after:g}".encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class Answering:
    """An answer under way, from here until the last byte is written or the client is gone.

    :arg number: Of the request.
    :arg line: The connection it came over.
    """

    def __init__(self, api: str, number: int, line: Line, seen: Seen) -> None:
        self._api, self._number, self._line, self._seen = api, number, line, seen
        self._chunks = 0
        self._gone = False

    async def run(self, send: Send, answer: Answer, fault: Fault, pace: Pace, rng: random.Random) -> None:
        """Send `answer`, as `fault` has it.

        :raises Refused: If the fault cannot happen to this answer; nothing was sent.
        """
        spoiled = _spoil(self._api, answer, fault)
        if fault.name == "half-character":
            pace = Pace(pace.ttft, pace.gap if pace.gap.mean else _APART)
        task = asyncio.current_task()
        self._line.on_lost = lambda at: self._lost(at, task)
        self._seen.begins()
        try:
            if fault.name == "slow-headers":
                await asyncio.sleep(fault.number)
            await self._send(send, answer, spoiled, pace, rng)
        except asyncio.CancelledError:
            if not self._gone or task is None:
                raise
            task.uncancel()  # the client's leaving ends the answer, not the server's task
        finally:
            self._line.on_lost = None
            self._seen.open -= 1

    def _lost(self, at: int, task: asyncio.Task[None] | None) -> None:
        self._gone = True
        self._seen.departs(self._number, at, self._chunks)
        if task is not None:
            task.cancel()

    async def _send(
        self, send: Send, answer: Answer, spoiled: _Spoiled, pace: Pace, rng: random.Random
    ) -> None:
        headers = [(b"content-type", answer.media.encode()), (b"x-request-id", b"req_%d" % self._number)]
        if answer.whole:
            # The model has to say it all before there is a body to send.
            await asyncio.sleep(pace.ttft.draw(rng) + pace.gap.mean * answer.deltas)
            headers.append((b"content-length", b"%d" % spoiled.length))
            pace = Pace(gap=_APART if len(spoiled.chunks) > 1 else Waits())
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        seen = self._seen
        async with aclosing(paced(spoiled.chunks, pace, rng)) as writes:
            async for data, count in writes:
                await send({"type": "http.response.body", "body": data, "more_body": True})
                self._chunks += count
                seen.chunks += count
                seen.bytes += len(data)
        if spoiled.ending == "stall":
            await asyncio.Event().wait()  # until the client goes, which cancels
        elif spoiled.ending:
            await asyncio.sleep(SETTLE)
            await self._line.end(reset=spoiled.ending == "reset")
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            seen.completed += 1


def _spoil(api: str, answer: Answer, fault: Fault) -> _Spoiled:
    """What is left of an answer, and how it ends."""
    chunks, name = answer.chunks, fault.name
    length = sum(map(len, chunks))
    if answer.whole and name:
        (body,) = chunks
        chunks = body[: length // 2], body[length // 2 :]
    after = min(int(fault.number), max(len(chunks) - 1, 0))
    if name in {"reset", "hang-up", "stall"}:
        return _Spoiled(chunks[:after], name, length)
    if name == "200-error" and answer.whole:
        chunks = (error_body(api, 500, STATUSES["500"]),)
    elif name == "200-error":
        last = b"]" if answer.media == JSON else b""
        chunks = (*chunks[:after], _as_sent(failed(api), answer, after) + last)
    elif name == "truncate":
        chunks = chunks[:after]
    elif name == "garbage":
        chunks = (*([] if answer.whole else chunks[:after]), GARBAGE)
    elif name == "oversize" and not answer.whole:
        middle = len(chunks) // 2
        event = _as_sent(oversized(api, int(fault.number) << 10), answer, middle)
        chunks = (*chunks[:middle], event, *chunks[middle:])
    elif name in {"half-character", "cut-character"}:
        chunks = _torn(answer.chunks, ends=name == "cut-character")
    return _Spoiled(chunks, "", sum(map(len, chunks)))


def _as_sent(frame: bytes, answer: Answer, after: int) -> bytes:
    """An event of SSE, as an element where the answer is Gemini's array."""
    if answer.media != JSON:
        return frame
    return (b",\r\n" if after else b"[") + frame.removeprefix(b"data: ").rstrip()


def _torn(chunks: tuple[bytes, ...], *, ends: bool) -> tuple[bytes, ...]:
    torn: list[bytes] = []
    found = False
    for chunk in chunks:
        beyond = _BEYOND_ASCII.search(chunk)
        if beyond is None:
            torn.append(chunk)
            continue
        found = True
        torn.append(chunk[: beyond.end()])
        if ends:
            break
        torn.append(chunk[beyond.end() :])
    if not found:
        raise Refused(400, "That fault needs a character beyond ASCII in the answer (sim:multilingual).")
    return tuple(torn)
