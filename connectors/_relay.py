"""One answer on its way: frames in, deltas to be judged out, and frames again, as the judgement lets them.

Strategy. A frame leaves when everything it says may leave, in the order in which frames came; one that no
mask touches leaves byte for byte. So what waits is a queue of frames, each with the places of its words in
the lanes; what comes back from the flow moves the watermarks of the lanes (:meth:`Relay.released`), and a
frame behind all of them is free. A mask rewrites the frames it touches and no other: the words that stand for
the match go where it began, the rest of it becomes empty.

Whatever a frame says is judged. A dialect tells lanes and their texts, which are found again among the
strings of the frame (``_leaves.py``). What it does not hear (a field of next month) is either said before in
this stream, then its place is there, or belongs to a lane of its own, named by its key. So text in the
summary that ends a stream is masked where the stream was, and a new field hides nothing.

Fails closed: an event that cannot be read, text behind the end of its item, a masked document that is no JSON
any more: the stream is over (:attr:`Relay.fault`), and what was not free by then never leaves. No I/O, no
clock.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import orjson
from msgspec.structs import replace

from connectors._decoder import MISSHAPEN, Dialect
from connectors._frames import Frame, Frames, rewritten
from connectors._last_frames import mended
from connectors._leaves import ENTIRE, Leaf, leaves
from connectors._plain_frames import Plain
from operators.packet import Channel, Delta, Finish, Kind

__all__ = ["LaneKey", "Nobody", "Relay", "Said", "Silent", "Witness"]

LaneKey = tuple[int, int, int]
"""Channel, choice and item."""
Said = tuple[int, Delta]
"""The number of an answer, from 1 (a connection may carry several), and what it says."""

_START, _TEXT, _CLOSE, _END = int(Kind.START), int(Kind.TEXT), int(Kind.CLOSE), int(Kind.END)
_TOOL = int(Channel.TOOL)
_EXTRA = 0x8000  # the first item of lanes that no dialect knows
_LONGEST = 16_000  # characters of a delta: 64 KiB of UTF-8 at most
_TELLING = 16  # characters that are not said again by chance
_REMEMBERED = 1024  # strings of a stream that no dialect hears
_LANES = 4096  # of a stream, those that have ended among them

Closing = Callable[[str, dict[str, Any]], list[tuple[int, int]]]
"""Tells which items an event ends: choice and item, -1 for all items of the choice."""


class Witness(Protocol):
    """Is told of what leaves, as it leaves."""

    def passed(self, name: str, event: dict[str, Any]) -> None:
        """An event: its name, and its content."""
        ...

    def passed_text(self, payload: bytes, count: int) -> None:
        """`count` events that are no JSON object, the last of them `payload`."""
        ...


class Nobody:
    """A witness of what needs none."""

    def passed(self, name: str, event: dict[str, Any]) -> None:
        """Forget it."""

    def passed_text(self, payload: bytes, count: int) -> None:
        """Forget it."""


class Silent(Dialect):
    """What is judged without a dialect: a request, an error, a list of models."""

    provider = "caller"

    def receive(self, name: str, event: dict[str, Any]) -> None:
        """Nothing: all of it is leaves."""
        self.out.start(event.get("model"))
        self.out.finish(Finish.STOP)


class _Lane:
    __slots__ = ("closed", "covered", "key", "said", "texts", "upto")

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.texts: list[str] = []
        self.said = 0
        """Characters that were said."""
        self.upto = 0
        """Characters that may leave, or in whose place something may."""
        self.covered: list[tuple[int, int, str]] = []
        """Runs of them that something stands for, ascending."""
        self.closed = False

    def whole(self) -> str:
        """All that was said."""
        if len(self.texts) > 1:
            self.texts = ["".join(self.texts)]
        return self.texts[0] if self.texts else ""

    def left(self, begin: int, stop: int) -> tuple[str, bool]:
        """What leaves in place of ``begin:stop``, and whether that is something else."""
        at, parts = begin, []
        for first, last, shown in self.covered:
            if first >= stop:
                break
            if last <= begin:
                continue
            parts.append(self.whole()[at : max(first, at)])
            if first >= begin:
                parts.append(shown)
            at = min(last, stop)
        if not parts:
            return "", False
        return "".join([*parts, self.whole()[at:stop]]), True


class _Piece:
    __slots__ = ("begin", "lane", "leaf", "stop")

    def __init__(self, lane: _Lane, begin: int, stop: int, leaf: Leaf | None) -> None:
        self.lane, self.begin, self.stop, self.leaf = lane, begin, stop, leaf


class _Waiting:
    __slots__ = ("at", "event", "frame", "path", "pieces")

    def __init__(self, frame: Frame, at: int = 0) -> None:
        self.frame, self.at = frame, at
        self.event: Any = None
        self.pieces: list[_Piece] = []
        self.path: tuple[str | int, ...] = ()
        """Where the text of a plain frame stands, which was not parsed."""


class Relay:
    """One stream.

    :arg frames: Cuts its bytes.

    :arg dialect: Knows what its events mean.

    :arg closing: Knows which items they end.

    :arg witness: Is told of each event that leaves.

    :arg plain: Tells the frames that say one piece of text and nothing else, where something does.
    """

    def __init__(
        self,
        frames: Frames,
        dialect: Dialect,
        closing: Closing,
        witness: Witness,
        plain: Callable[[bytes], Plain | None] | None = None,
    ) -> None:
        self._plain = plain
        self._frames, self._dialect, self._closing, self._witness = frames, dialect, closing, witness
        self._answer = 1
        self._lanes: dict[tuple[int, LaneKey], _Lane] = {}
        self._extras: dict[str, _Lane] = {}
        self._known: dict[str, _Piece] = {}
        """Where strings stand that no dialect heard: many are said in every frame."""
        self._waiting: deque[_Waiting] = deque()
        self._said: list[Said] = []
        self._now = 0
        self._end: list[Said] = []
        """What ends an answer, not said yet."""
        self._over = False
        self.fault = ""
        """Why the stream cannot go on: what it says is not understood."""
        self.size = 0
        """Bytes that wait."""
        self.came: list[int] = []
        """When those came (ns) that have left, for who wants to know; who reads it empties it."""

    # from the provider

    def receive_data(self, data: bytes, *, now: int) -> list[Said]:
        """What `data` says, to be judged; `now` (ns) is when it came. Never raises on any bytes."""
        return self._receive(self._frames.receive_data(data), now)

    def receive_eof(self, *, now: int) -> list[Said]:
        """What the end of the bytes says; the stream's END is the last of it."""
        deltas = self._receive(self._frames.receive_eof(), now)
        try:
            self._dialect.receive_eof()
        except MISSHAPEN as error:
            self._fail(f"what the provider sent does not have the shape of this API ({type(error).__name__})")
        out = self._dialect.out
        if not out.begun:
            out.start()
        out.end()
        self._hear(out.take(), [], _Waiting(Frame(b"", None)))
        self._finish()
        self._over = True
        return deltas + self._take()

    def _receive(self, frames: list[Frame], now: int) -> list[Said]:
        self._now = self._dialect.out.now = now
        for frame in frames:
            waiting = _Waiting(frame, now)
            if frame.event:
                self._read(waiting, *frame.event)
            if frame.aside.strip():
                self._read_aside(waiting)
            if self.fault:
                break
            self.size += len(frame.raw)
            self._waiting.append(waiting)
        if self._frames.failed:
            self._fail(self._frames.failed)
        return self._take()

    def _read(self, waiting: _Waiting, name: str, payload: bytes) -> None:
        """One event: what it says, and where."""
        dialect = self._dialect
        if self._plain and not self._end and dialect.out.open and (plain := self._plain(payload)):
            waiting.path = plain.path
            delta = Delta(_TEXT, plain.text, *plain.lane, at=self._now)
            self._piece(plain.lane, [delta], None, waiting)
            return
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            event = _parsed(payload)
        try:
            if event.__class__ is dict:
                dialect.receive(name, event)
            elif event is not None or not dialect.receive_text(name, payload):
                self._fail(f"an event of {len(payload)} bytes is no JSON object")
                return
        except MISSHAPEN as error:
            self._fail(f"an event does not have the shape of this API ({type(error).__name__})")
            return
        deltas = dialect.out.take()
        if event.__class__ is not dict:
            self._hear(deltas, [], waiting)
            return
        waiting.event = event
        try:
            self._hear(deltas, leaves(event), waiting)
            for choice, item in self._closing(name, event):
                self._close(choice, item)
        except MISSHAPEN as error:
            self._fail(f"an event cannot be read to its end ({type(error).__name__})")

    def _read_aside(self, waiting: _Waiting) -> None:
        """What stands beside the event: no client shows it, but whoever looks can read it."""
        try:
            text = waiting.frame.aside.decode()
        except UnicodeDecodeError:
            self._fail("bytes that are no UTF-8")
            return
        self._unheard(Leaf(None, None, ":", text), {}, waiting)

    def _hear(self, deltas: list[Delta], found: list[Leaf], waiting: _Waiting) -> None:
        """Say what a dialect heard in a frame, and what it did not; note the places of both."""
        end: list[Delta] = []
        told: dict[str, _Piece] = {}
        for lane, texts in _spoken(deltas):
            if lane is None:
                delta = texts[0]
                if delta.kind == _END:
                    end.append(delta)
                else:
                    if delta.kind == _START and self._end:
                        self._begin_again()
                    self._said.append((self._answer, delta))
                continue
            text = "".join([delta.text for delta in texts])
            leaf = next((leaf for leaf in found if leaf.text == text), None)
            if leaf is not None:
                found.remove(leaf)
                if leaf.document:
                    found[:] = [each for each in found if not _holds(leaf, each)]
            told[text] = self._piece(lane, texts, leaf, waiting)
        for leaf in found:
            if not leaf.document:
                self._unheard(leaf, told, waiting)
        if end:
            self._end += [(self._answer, delta) for delta in end]
            self._close(-1, -1)

    def _begin_again(self) -> None:
        """Another answer: its lanes are others."""
        self._finish()
        self._answer += 1
        self._known.clear()

    def _finish(self) -> None:
        """Say the END that was heard. Not at once, since a comment may follow it; what came before it is
        decided all the same, for its lanes are closed.
        """
        self._said += self._end
        self._end = []

    def _unheard(self, leaf: Leaf, told: dict[str, _Piece], waiting: _Waiting) -> None:
        """A string that no dialect heard: said again, or something else."""
        text = leaf.text
        same = told.get(text) or self._known.get(text) or self._said_before(text)
        if same is not None:
            waiting.pieces.append(_Piece(same.lane, same.begin, same.stop, leaf))
            return
        extra = self._extras.get(leaf.key)
        if extra is None:
            key = (int(Channel.TEXT), 0, _EXTRA + len(self._lanes))
            extra = self._extras[leaf.key] = self._lanes[self._answer, key] = _Lane(key)
        if waiting.pieces and any(piece.lane is extra for piece in waiting.pieces):
            self._say(extra, "\n")  # two strings of one event are not one text
        delta = Delta(_TEXT, mended(text, None), *extra.key, at=self._now)  # half a surrogate pair is no text
        piece = self._piece(extra.key, [delta], leaf, waiting)
        if leaf.key in ENTIRE:
            self._shut(extra)
            del self._extras[leaf.key]
        if len(text) >= _TELLING and len(self._known) < _REMEMBERED:
            self._known[text] = piece

    def _said_before(self, text: str) -> _Piece | None:
        """Where a text stands in the lanes; None if it does not, or twice: there the two may be judged in
        two ways.
        """
        for lane in self._lanes.values():
            if lane.said == len(text) or lane.said > len(text) >= _TELLING:
                at = lane.whole().find(text)
                if at >= 0 and lane.whole().find(text, at + 1) < 0:
                    return _Piece(lane, at, at + len(text), None)
        return None

    def _piece(self, key: LaneKey, deltas: list[Delta], leaf: Leaf | None, waiting: _Waiting) -> _Piece:
        lane = self._lanes.get((self._answer, key))
        if lane is None:
            lane = self._lanes[self._answer, key] = _Lane(key)
        if lane.closed:
            self._fail("text behind the end of its item")
        if len(self._lanes) > _LANES:
            self._fail(f"more than {_LANES} texts")
        begin = lane.said
        for delta in deltas:
            self._say(lane, delta.text, delta)
        piece = _Piece(lane, begin, lane.said, leaf)
        waiting.pieces.append(piece)
        return piece

    def _say(self, lane: _Lane, text: str, delta: Delta | None = None) -> None:
        delta = delta or Delta(_TEXT, text, *lane.key, at=self._now)
        lane.texts.append(text)
        lane.said += len(text)
        if len(text) <= _LONGEST:
            self._said.append((self._answer, delta))
            return
        for at in range(0, len(text), _LONGEST):
            self._said.append((self._answer, replace(delta, text=text[at : at + _LONGEST])))

    def _close(self, choice: int, item: int) -> None:
        """No more comes of an item: what it says can be decided to its end. Of choice -1: of the answer."""
        if choice < 0:
            self._extras.clear()
        for (answer, key), lane in self._lanes.items():
            if answer != self._answer or lane.closed:
                continue
            if choice < 0 or (key[1] == choice and item in (-1, key[2]) and key[2] < _EXTRA):
                self._shut(lane)

    def _shut(self, lane: _Lane) -> None:
        lane.closed = True
        self._said.append((self._answer, Delta(_CLOSE, "", *lane.key, at=self._now)))

    def _fail(self, why: str) -> None:
        self.fault = self.fault or why

    def _take(self) -> list[Said]:
        said, self._said = self._said, []
        return said

    def give_up(self, finish: int) -> list[Said]:
        """The END of an answer that nobody hears the rest of."""
        if self._over or not self._dialect.out.begun:
            return []
        self._over = True
        return [*self._end, (self._answer, Delta(_END, finish=finish, at=self._now))][:1]

    def ended(self, answer: int) -> bool:
        """Whether an answer was ended by the provider, or for him."""
        return answer < self._answer or self._over

    # from the flow

    def released(self, answer: int, key: LaneKey, stop: int) -> None:
        """The characters of a lane before `stop` may leave."""
        lane = self._lanes.get((answer, key))
        if lane is not None and stop > lane.upto:
            lane.upto = stop

    def covered(self, answer: int, key: LaneKey, begin: int, stop: int, shown: str) -> None:
        """Of these, ``begin:stop`` only as `shown`."""
        lane = self._lanes.get((answer, key))
        if lane is not None:
            lane.covered.append((begin, stop, shown))
            self.released(answer, key, stop)

    # to the client

    def take(self) -> bytes:
        """The frames that may leave now, each once."""
        free: list[bytes] = []
        while (frame := self.take_frame()) is not None:
            free.append(frame)
        return b"".join(free)

    def take_frame(self) -> bytes | None:
        """The next frame, if it may leave."""
        waiting = self._waiting
        if not waiting or any(piece.stop > piece.lane.upto for piece in waiting[0].pieces):
            return None
        first = waiting.popleft()
        self.size -= len(first.frame.raw)
        self.came.append(first.at)
        raw = self._leaving(first)
        if raw is None:
            waiting.clear()
        return raw

    def take_rest(self) -> bytes:
        """What may leave of a stream that was ended for what it said: the beginning of the next frame, if
        some of it may and it says nothing but text (one that also ends its choice, or calls a tool, would
        have a client take what was cut for whole). Nothing leaves behind that.
        """
        free = self.take()
        if self._waiting and not self.fault:
            first = self._waiting[0]
            if _says_only_text(first) and first.pieces[0].begin < first.pieces[0].lane.upto:
                piece = first.pieces[0]
                piece.lane.covered.append((piece.lane.upto, piece.stop, ""))
                free += self._leaving(first) or b""
        self._waiting.clear()
        self.size = 0
        return free

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not self._waiting

    def _leaving(self, waiting: _Waiting) -> bytes | None:
        """A frame as it may leave; None if it cannot."""
        frame, event = waiting.frame, waiting.event
        if waiting.path and waiting.pieces[0].lane.covered:
            event = waiting.event = orjson.loads(frame.event[1] if frame.event else b"")
            waiting.pieces[0].leaf = _leaf_at(event, waiting.path)
        touched = False
        for piece in waiting.pieces:
            if piece.lane.covered:
                shown, changed = piece.lane.left(piece.begin, piece.stop)
                if changed:
                    touched = True
                    if not _put(piece.leaf, shown):
                        self._fail("a mask does not fit where the match stands")
                        return None
        if frame.event is None:
            return frame.raw
        if event is None:
            self._witness.passed_text(frame.event[1], 1)
            return frame.raw
        if touched:
            _without_tokens(event)
        self._witness.passed(frame.event[0], event)
        if not touched:
            return frame.raw
        return rewritten(frame.raw, frame.event[1], _written(event))


def _says_only_text(waiting: _Waiting) -> bool:
    """Whether a frame is a piece of text and nothing else."""
    if len(waiting.pieces) != 1 or waiting.pieces[0].lane.key[0] == _TOOL:
        return False
    return bool(waiting.path) or str((waiting.event or {}).get("type", "")).endswith(".delta")


def _leaf_at(event: Any, path: tuple[str | int, ...]) -> Leaf:
    holder = event
    for step in path[:-1]:
        holder = holder[step]
    return Leaf(holder, path[-1], str(path[-1]), holder[path[-1]])


def _spoken(deltas: list[Delta]) -> Iterator[tuple[LaneKey | None, list[Delta]]]:
    """Runs of text of one lane (a token each, where the provider tells them); all else one by one."""
    run: list[Delta] = []
    for delta in deltas:
        lane = (delta.channel, delta.choice, delta.item)
        if run and (delta.kind != _TEXT or lane != (run[0].channel, run[0].choice, run[0].item)):
            yield (run[0].channel, run[0].choice, run[0].item), run
            run = []
        if delta.kind == _TEXT:
            run.append(delta)
        else:
            yield None, [delta]
    if run:
        yield (run[0].channel, run[0].choice, run[0].item), run


def _holds(document: Leaf, leaf: Leaf) -> bool:
    """Whether a leaf stands inside a document."""
    inside = [document.holder[document.place]]
    while inside:
        node = inside.pop()
        if node is leaf.holder:
            return True
        values = node.values() if node.__class__ is dict else node
        inside += [value for value in values if value.__class__ in (dict, list)]
    return False


def _put(leaf: Leaf | None, shown: str) -> bool:
    """Write what leaves where the text stood."""
    if leaf is None or leaf.holder is None:
        return False
    if not leaf.document:
        leaf.holder[leaf.place] = shown
        return True
    try:
        leaf.holder[leaf.place] = orjson.loads(shown)
    except orjson.JSONDecodeError:
        return False
    return True


def _without_tokens(node: Any) -> None:
    """Drop log probabilities: they tell the text once more, token by token."""
    if node.__class__ is dict:
        for key, value in node.items():
            if key in ("logprobs", "logprobsResult"):
                node[key] = [] if value.__class__ is list else None
            else:
                _without_tokens(value)
    elif node.__class__ is list:
        for value in node:
            _without_tokens(value)


def _written(event: Any) -> bytes:
    try:
        return orjson.dumps(event)
    except orjson.JSONEncodeError:
        return json.dumps(event).encode()  # half a surrogate pair, which orjson does not write either


def _parsed(payload: bytes) -> Any:
    """What orjson refused: half a surrogate pair in JSON, which Script joins."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
