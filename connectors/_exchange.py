"""One call through the gateway: its request judged, the provider asked, its answer judged while it comes.

Strategy. Both directions are passages (``_passage.py``): a request is one that is judged whole before a byte
of it leaves, an answer is judged frame by frame if it is a stream, else whole. Three tasks live as long as an
answer: one reads the provider, one writes to the caller, one waits for the caller to go away, which ends the
other two and with them the call upstream. Nothing is read ahead of what the caller and the judgement take.

What we say ourselves, we say as the API would: errors by ``_api_errors.py``, last frames by ``_ending.py``. A
provider's own error passes as it came, judged like any answer. What cannot be judged (an unknown content
type, a compressed body, events that do not have the API's shape) is an error, never passed on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Message, Receive, Send

from connectors._access import Caller
from connectors._api_errors import api_error
from connectors._blocked_body import blocked_body
from connectors._decoder import Dialect
from connectors._ending import SseEnding, open_ending
from connectors._frames import Frames, SseFrames, WholeBody
from connectors._hub import Hub, Judged
from connectors._item_ends import ends_of
from connectors._last_frames import Call
from connectors._metrics import Metrics, Outcome
from connectors._passage import Passage, State
from connectors._plain_frames import plain_of
from connectors._refused_call import Refusal
from connectors._relay import Nobody, Relay, Silent
from connectors._routes import Route, below
from connectors._upstream import Pairs, Provider, Reply, UpstreamFault
from connectors.decoders import open_dialect

__all__ = ["Bounds", "Exchange"]

_log = logging.getLogger(__name__)

_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade "
    b"content-length content-encoding date server alt-svc strict-transport-security set-cookie".split()
)
"""Headers of an answer that belong to one connection, or to the provider's own site."""


_GRAVITY = ("allow", "would_redact", "would_block", "warn", "steer", "redact", "block")


_OUTCOMES: dict[State, Outcome] = {
    State.OPEN: "gone",
    State.DONE: "done",
    State.BLOCKED: "blocked",
    State.FAILED: "failed",
}


@dataclass(frozen=True)
class Bounds:
    """What a caller may take."""

    body: int = 32 << 20
    """Bytes of a request, and of an answer that is no stream."""
    event: int = 1 << 20
    """Bytes of one event of a stream."""
    arriving: float = 30.0
    """Seconds in which a request's body must be there."""
    judging: float = 30.0
    """Seconds in which something that waits must be judged."""


class _Gone(Exception):
    """The caller has gone away."""


@dataclass
class Exchange:
    """One call."""

    hub: Hub
    provider: Provider
    route: Route
    name: str
    """Of the stream that its answer is."""
    bounds: Bounds
    send: Send = field(repr=False)
    receive: Receive = field(repr=False)
    metrics: Metrics = field(repr=False)
    caller: Caller = field(repr=False)
    begun: bool = False
    """Whether the caller has been told a status."""
    asked: str = "allow"
    """The gravest that was decided about its request."""
    began: float = 0.0
    """When it was asked of the provider (monotonic, seconds)."""
    heard: bool = False
    """Whether the provider has begun to answer."""

    @property
    def api(self) -> str:
        """The name of the API, as ``connectors.decoders`` and the endings have it."""
        return f"{self.provider.upstream.name}-{self.route.dialect}"

    async def run(self, method: str, headers: Pairs, query: Sequence[tuple[str, str]], body: bytes) -> None:
        """Serve it to its end.

        :raises Refusal: If the caller has been told nothing yet.
        """
        if body or (method == "POST" and not self.route.path.endswith("/cancel")):
            body = await self._judged_request(body)
        path = below(self.provider.upstream.base_url, self.route.path)
        self.began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(self._watch())
                async with self.provider.call(method, path, headers=headers, body=body, query=query) as reply:
                    await self._answer(reply, tasks)
                watch.cancel()
        except* _Gone:
            self.metrics.answer(self.route.dialect, "gone")
            _log.info("%s: the caller has gone away", self.name)
        except* UpstreamFault as faults:
            raise _refusal(faults) from None
        except* Refusal as refusals:
            raise refusals.exceptions[0] from None

    async def _judged_request(self, body: bytes) -> bytes:
        relay = Relay(WholeBody(self.bounds.body), Silent(), ends_of(""), Nobody())
        passage = Passage(self.hub, f"{self.name}/request", relay, self.bounds.judging, self.caller.hear)
        try:
            judged = await passage.whole(body)
        finally:
            passage.close()
        self.asked = _gravest(passage.verdicts)
        if passage.state is State.BLOCKED:
            raise Refusal(kind="blocked", message="the request was blocked by policy")
        if passage.state is State.FAILED:
            raise Refusal(kind="bad_request", message=f"the request cannot be judged: {passage.reason}")
        return judged

    async def _answer(self, reply: Reply, tasks: asyncio.TaskGroup) -> None:
        kind = _header(reply.headers, b"content-type").partition(b";")[0].strip().lower()
        if kind == b"text/event-stream":
            await self._stream(reply, tasks)
        elif kind in (b"application/json", b"") or kind.endswith(b"+json"):
            await self._body(reply)
        elif reply.status >= 400:  # a proxy's page, say: its words stay here, its status does not
            later = [each for each in reply.headers if each[0].lower() == b"retry-after"]
            message = f"the provider answered {reply.status}"
            raise Refusal(kind="upstream_failed", message=message, status=reply.status, headers=later)
        else:
            said = kind.decode("latin-1")[:64]
            raise Refusal(
                kind="upstream_failed", message=f"the provider's answer is {said!r}, which cannot be judged"
            )

    async def _body(self, reply: Reply) -> None:
        """An answer that is no stream."""
        body = await reply.body(self.bounds.body)
        self._received(body)
        error = reply.status >= 400 or not self.route.dialect
        dialect: Dialect = Silent() if error else self._dialect()
        relay = Relay(WholeBody(self.bounds.body), dialect, ends_of(""), Nobody())
        passage = Passage(self.hub, self.name, relay, self.bounds.judging, self.caller.hear)
        try:
            judged = await passage.whole(body) if body else b""
        finally:
            passage.close()
        self.metrics.answer(self.route.dialect, _OUTCOMES[passage.state])
        if passage.state is State.FAILED:
            raise _refused(passage)
        if passage.state is State.BLOCKED:
            if error:
                raise Refusal(kind="upstream_failed", message="the provider's answer was blocked by policy")
            judged = blocked_body(self.route.dialect, body)
        size, action = b"%d" % len(judged), _gravest(passage.verdicts).encode()
        await self._head(reply, [(b"content-length", size), (b"x-midstream-answer", action)])
        await self._more(judged, more=False)

    async def _stream(self, reply: Reply, tasks: asyncio.TaskGroup) -> None:
        ending = open_ending(self.api, Call(self.name, self.route.model or "unknown", int(time.time())))
        frames: Frames = SseFrames(self.bounds.event)
        spoken = self.route.dialect
        relay = Relay(frames, self._dialect(), ends_of(spoken), ending, plain_of(spoken))
        passage = Passage(self.hub, self.name, relay, self.bounds.judging, self.caller.hear)
        try:
            reading = tasks.create_task(self._read(reply, passage))
            while passage.state is State.OPEN:
                await passage.news()
                if data := passage.take():
                    for seconds in passage.waits():
                        self.metrics.frame(seconds)
                    await self._head(reply, [])
                    await self._more(data)
            reading.cancel()
            last = self._last(passage, ending)
            self.metrics.answer(self.route.dialect, _OUTCOMES[passage.state])
            await self._head(reply, [])
            await self._more(last, more=False)
        finally:
            passage.close()

    async def _read(self, reply: Reply, passage: Passage) -> None:
        """Everything that the provider sends."""
        try:
            async for data in reply.chunks():
                self._received(data)
                await passage.receive(data)
                if passage.state is not State.OPEN:
                    return
            await passage.receive_eof()
        except UpstreamFault as fault:
            passage.fail(str(fault))

    def _received(self, data: bytes) -> None:
        if not self.heard:
            self.heard = True
            self.metrics.first_byte(time.monotonic() - self.began)
        self.metrics.received(len(data))

    def _last(self, passage: Passage, ending: SseEnding) -> bytes:
        rest = passage.take()
        if passage.state is State.BLOCKED:
            return rest + ending.blocked()
        if passage.state is State.FAILED:
            if not (self.begun or rest):  # so that a client may ask again
                raise _refused(passage)
            _log.warning("%s: the answer was ended: %s", self.name, passage.reason)
            return rest + ending.failed(passage.reason)
        return rest

    def _dialect(self) -> Dialect:
        return open_dialect(self.route.dialect, self.provider.upstream.name)

    async def _watch(self) -> None:
        message: Message = {}
        while message.get("type") != "http.disconnect":
            message = await self.receive()
        raise _Gone

    async def _head(self, reply: Reply, more: list[tuple[bytes, bytes]]) -> None:
        if self.begun:
            return
        own = self.caller.headers()
        ours = {name for name, _ in own}
        headers = [each for each in reply.headers if each[0].lower() not in _HOP | ours]
        headers += own
        self.metrics.request(self.route.dialect, self.route.upstream, reply.status)
        headers += [(b"x-midstream-stream", self.name.encode()), *more]
        headers.append((b"x-midstream-request", self.asked.encode()))
        self.begun = True
        await self.send({"type": "http.response.start", "status": reply.status, "headers": headers})

    async def _more(self, data: bytes, *, more: bool = True) -> None:
        self.metrics.sent(len(data))
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def refuse(self, refused: Refusal) -> None:
        """Tell the caller why not."""
        status, body = api_error(self.api, refused.status, refused.kind, refused.message)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += [(b"x-midstream-stream", self.name.encode()), *refused.headers]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self._more(body, more=False)


def _refusal(faults: BaseExceptionGroup[UpstreamFault]) -> Refusal:
    fault: BaseException = faults
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    late = isinstance(fault, UpstreamFault) and fault.kind.startswith("timeout")
    return Refusal(kind="upstream_timeout" if late else "upstream_failed", message=str(fault))


def _refused(passage: Passage) -> Refusal:
    """Of an answer of which nothing has left."""
    return Refusal(kind="upstream_failed", message=f"the provider's answer failed: {passage.reason}")


def _gravest(verdicts: Sequence[Judged]) -> str:
    return max((each.action for each in verdicts), key=_GRAVITY.index, default="allow")


def _header(headers: Pairs, name: bytes) -> bytes:
    return next((value for known, value in headers if known.lower() == name), b"")
