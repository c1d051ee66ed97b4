"""Known shapes in the signals of a stream: each sample is matched against every pattern.

Strategy. A pattern is looked for as it stands, at any speed, by SPRING (``operators.kernels.spring``), or,
where it is marked ``normalised``, by its form alone in windows of its length (``operators.kernels.windows``).
Either way a match is reported when nothing that overlaps it can still be nearer, at the latest when its lane
closes, so the same shape is never reported twice.

Patterns of the policy are fixed. Those that come with packets (:class:`operators.packet.Shape`) are looked
for from that packet on, in open lanes too: the tables are built anew, and what lanes hold of the patterns
that stay is carried over. They travel in the dump.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import orjson
from numpy.typing import NDArray
from typing_extensions import override

from operators.columns import Columns, framed, unframed
from operators.kernels import spring, windows
from operators.packet import (
    DELTA,
    FINDING,
    OPENED,
    SAMPLE,
    Called,
    Kind,
    Packet,
    Reach,
    Shape,
    Table,
    empty,
    frozen,
    joined,
)
from operators.patterns import Pattern, pattern_of

__all__ = ["Dtw", "Pattern"]

_VERSION = 2
_MOST = 1024  # patterns that came with packets
_CLOSE = int(Kind.CLOSE)
_log = logging.getLogger(__name__)


class Dtw:
    """A stage: packets with samples in, the same packets with findings of kind ``dtw`` out.

    State, per lane: a byte, for each pattern 32 bytes and 12 a value (3.3 KiB for 8 patterns of 32); for
    each normalised one 32 bytes, and 12 a value of the longest of each signal. Emits: with the sample that
    decided it, or with the lane's CLOSE; ``value`` is the distance as in :attr:`Pattern.within`. The first
    sample of a lane that is not finite gives a finding of kind ``error``; such samples are passed over.
    Cost (``benches.bench_spring``): 4.5 us a packet of one sample; per sample and value of the patterns of
    its signal 0.6 to 0.7 ns in large libraries and 1.5 ns where patterns are few; per sample and normalised
    pattern of 128 0.5 us of a walk and 1 us of noise, and more with the radius where no window is ruled out.
    A shape that comes builds the tables anew and moves the state of open lanes. Raises: nothing on any
    packet; a shape that cannot be looked for is logged.

    :param patterns: What to look for from the start.
    :param error: The code of a sample that is not finite; below 0 nothing is said about it.
    :param live: The code of the first pattern that comes with a packet. Each gets the next one, also in the
        place of another of the same name; one that is looked for already changes nothing.
    """

    def __init__(self, patterns: Sequence[Pattern], error: int = -1, live: int = 1 << 20) -> None:
        self._fixed = tuple(patterns)
        self._error = error
        self._next = live
        self._added: dict[int, tuple[Shape, Pattern]] = {}
        self._lanes = Columns(_VERSION, odd=(np.uint8, ()))
        self._matchers = self._built()

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane."""
        return sum(state.row_bytes for state in self._states)

    @property
    def _states(self) -> list[Columns]:
        return [self._lanes, *(matcher.state for matcher in self._matchers)]

    def update(self, packet: Packet) -> Packet:
        """`packet` with the findings that its samples and its closing lanes decide."""
        if packet.shapes:
            self._add(packet.shapes)
        matchers = [matcher for matcher in self._matchers if matcher.patterns]
        rows = packet.opened["row"]
        if len(rows):
            self._lanes.open(rows)
            for matcher in self._matchers:
                matcher.open(rows)
        found = []
        if len(packet.samples):
            found = [matcher.decided(packet.samples) for matcher in matchers]
            if self._error >= 0 and not np.isfinite(packet.samples["value"]).all():
                found.append(self._odd(packet.samples))
        rows = packet.closed_rows()
        if len(rows):
            closing = np.flatnonzero(packet.deltas["kind"] == _CLOSE)
            found += [matcher.left(packet.deltas, closing) for matcher in matchers]
            for state in self._states:
                state.close(rows)
        if not any(map(len, found)):
            return packet
        called = [*packet.called, *self._called(joined(*found)["code"])]
        findings = joined(packet.findings, *found)
        findings = findings[np.lexsort((findings["decided"], findings["delta"]))]
        return packet.having(findings=findings, called=tuple(called))

    def dump(self) -> bytes:
        """State of the open lanes and the patterns that came with packets, for :meth:`load`."""
        added = [[code, *shape] for code, (shape, _) in self._added.items()]
        head = orjson.dumps({"version": _VERSION, "next": self._next, "added": added})
        return framed(head, *(state.dump() for state in self._states))

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If `state` is of another version, or was made with other patterns in the policy.
        """
        first, *states = unframed(state)
        head = orjson.loads(first)
        if head["version"] != _VERSION:
            msg = f"dtw: state of version {head['version']}, this program reads version {_VERSION}"
            raise ValueError(msg)
        self._next = head["next"]
        shapes = {code: Shape(name, at, tuple(v), *rest) for code, name, at, v, *rest in head["added"]}
        self._added = {code: (shape, pattern_of(shape, code)) for code, shape in shapes.items()}
        self._matchers = self._built()
        if self._added:
            self.warm_for_shapes()
        for ours, theirs in zip(self._states, states, strict=True):
            ours.load(theirs)

    def warm(self) -> None:
        """Compile the kernels that the patterns of the policy need, so that no sample pays for it. Changes no
        state. Where patterns may come with packets, :meth:`warm_for_shapes` is to be called instead.
        """
        _warm({pattern.normalised for pattern in self._fixed})

    def warm_for_shapes(self) -> None:
        """As :meth:`warm`, for a job that patterns may be added to: these may be of either kind."""
        _warm({False, True})

    def _built(self) -> tuple[_Matcher, ...]:
        known = [*self._fixed, *(pattern for _, pattern in self._added.values())]
        return (
            _Springs(pattern for pattern in known if not pattern.normalised),
            _Windows(pattern for pattern in known if pattern.normalised),
        )

    def _add(self, shapes: Iterable[Shape]) -> None:
        """Look for `shapes` too, from here on."""
        before = self._next
        codes = {shape.name: code for code, (shape, _) in self._added.items()}
        refused: list[str] = []
        for shape in shapes:
            if self._added.get(codes.get(shape.name, -1), (None, None))[0] == shape:
                continue
            try:
                pattern = self._judged(shape, len(codes.keys() - {shape.name}))
            except ValueError as error:
                refused.append(str(error))
                continue
            self._added.pop(codes.get(shape.name, -1), None)
            self._added[self._next] = shape, pattern
            codes[shape.name] = self._next
            self._next += 1
        if refused:
            _log.error("dtw: %d that came in are not looked for; the first: %s", len(refused), refused[0])
        if self._next > before:
            matchers = self._built()
            for matcher, old in zip(matchers, self._matchers, strict=True):
                matcher.carry(old)
            self._matchers = matchers

    def _judged(self, shape: Shape, others: int) -> Pattern:
        """The pattern that a shape makes beside `others`.

        :raises ValueError: If it cannot be looked for.
        """
        pattern = pattern_of(shape, self._next)
        wrong = ""
        if any(pattern.name == fixed.name for fixed in self._fixed):
            wrong = "a name that no pattern of the policy has"
        elif others >= _MOST:
            wrong = f"fewer than {_MOST} others beside it"
        if wrong:
            msg = f"pattern {pattern.name!r} must have {wrong}"
            raise ValueError(msg)
        return pattern

    def _called(self, codes: NDArray[np.int32]) -> list[Called]:
        """What those among `codes` mean that the policy does not know."""
        shapes = {code: self._added[code][0] for code in np.unique(codes).tolist() if code in self._added}
        return [Called(code, each.name, each.reason, each.action) for code, each in shapes.items()]

    def _odd(self, samples: Table) -> Table:
        """The first sample of each lane that is not finite, as a finding."""
        which = np.flatnonzero(~np.isfinite(samples["value"]))
        rows, firsts = np.unique(samples["row"][which], return_index=True)
        odd = self._lanes["odd"]
        which = np.sort(which[firsts[odd[rows] == 0]])
        odd[rows] = 1
        found = np.zeros(len(which), FINDING)
        found["kind"], found["code"] = Reach.ERROR, self._error
        for name in ("delta", "row", "begin", "stop", "decided"):
            found[name] = samples[name][which]
        return found


class _Matcher(ABC):
    """Patterns that are looked for in one way, and what lanes hold of them."""

    cellular: ClassVar[tuple[str, str]]
    """The columns with cells of patterns."""

    def __init__(self, patterns: Sequence[Pattern], state: Columns) -> None:
        self.patterns, self.state = patterns, state
        self._codes = np.array([pattern.code for pattern in patterns], np.int32)
        self._lengths = np.array([len(pattern.values) for pattern in patterns], np.int64)
        signals = [pattern.signal for pattern in patterns]
        self._most = max(map(signals.count, set(signals)), default=0)

    @abstractmethod
    def open(self, rows: NDArray[Any]) -> None:
        """Hold nothing of `rows`."""

    @abstractmethod
    def advance(self, samples: Table, matches: Table) -> int:
        """Call the kernel, which writes `matches`: how many there are."""

    @abstractmethod
    def cells(self, place: int) -> NDArray[np.int64]:
        """Where a lane has its cells of a pattern."""

    def carry(self, old: _Matcher) -> None:
        """Begin with what lanes held of the patterns that are still there."""
        rows = old.state.live()
        self.open(rows)
        places = {id(pattern): place for place, pattern in enumerate(old.patterns)}
        ours = [place for place, pattern in enumerate(self.patterns) if id(pattern) in places]
        theirs = [places[id(self.patterns[place])] for place in ours]
        if len(rows) and ours:
            into = np.ix_(rows, np.concatenate([self.cells(place) for place in ours]))
            out = np.ix_(rows, np.concatenate([old.cells(place) for place in theirs]))
            for name in self.cellular:
                self.state[name][into] = old.state[name][out]
            self.state["held"][rows[:, None], ours] = old.state["held"][rows[:, None], theirs]

    def decided(self, samples: Table) -> Table:
        """The findings that `samples` decide."""
        matches = np.empty(len(samples) * self._most, spring.MATCH)
        count = self.advance(frozen(samples), matches)
        if not count:
            return empty(FINDING)
        matches = matches[:count]
        matches = matches[np.lexsort((matches["pattern"], matches["sample"]))]
        found = self._findings(matches["pattern"], matches)
        found["value"] = matches["value"]
        for name in ("delta", "row", "decided"):
            found[name] = samples[name][matches["sample"]]
        return found

    def left(self, deltas: Table, closing: NDArray[np.int64]) -> Table:
        """The findings that lanes still hold that end with `closing`: nothing nearer comes any more."""
        held = self.state["held"][deltas["row"][closing]]
        places, patterns = np.nonzero(held["distance"] < np.inf)
        held = held[places, patterns]
        found = self._findings(patterns, held)
        found["value"] = held["distance"] / self._lengths[patterns]
        found["delta"] = closing[places]
        found["row"] = deltas["row"][closing[places]]
        found["decided"] = deltas["begin"][closing[places]]
        return found

    def _findings(self, patterns: NDArray[np.int64], where: Table) -> Table:
        found = np.zeros(len(patterns), FINDING)
        found["kind"], found["code"] = Reach.DTW, self._codes[patterns]
        found["begin"], found["stop"] = where["begin"], where["stop"]
        return found


class _Springs(_Matcher):
    """Patterns as they stand, at any speed."""

    cellular = "distance", "start"

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        known = sorted(patterns, key=lambda pattern: (pattern.signal, -len(pattern.values)))
        self._library = spring.arranged(
            [pattern.values for pattern in known],
            [pattern.signal for pattern in known],
            [pattern.within for pattern in known],
        )
        self._edge = np.empty((2, spring.WIDTH)), np.empty((2, spring.WIDTH), np.int32)
        cells = (len(self._library.values),)
        state = Columns(
            _VERSION,
            reads=self._library,
            distance=(np.float64, cells),
            start=(np.int32, cells),
            held=(spring.HELD, (len(known),)),
        )
        super().__init__(known, state)

    @override
    def open(self, rows: NDArray[Any]) -> None:
        self.state.open(rows)
        self.state["distance"][rows] = np.inf
        self.state["held"]["distance"][rows] = np.inf

    @override
    def advance(self, samples: Table, matches: Table) -> int:
        columns = self.state["distance"], self.state["start"], self.state["held"]
        return spring.spring_update(samples, *self._library, *columns, *self._edge, matches)

    @override
    def cells(self, place: int) -> NDArray[np.int64]:
        return self._library.cells(place)


class _Windows(_Matcher):
    """Patterns by their form, in windows of their length."""

    cellular = "recent", "recent_begin"

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        known = sorted(patterns, key=lambda pattern: (pattern.signal, len(pattern.values)))
        self._library = windows.prepared(
            [pattern.values for pattern in known],
            [pattern.signal for pattern in known],
            [p.radius if p.radius >= 0 else -(-len(p.values) // 10) for p in known],
            [pattern.within for pattern in known],
        )
        longest = max((len(pattern.values) for pattern in known), default=0)
        self._room, self._tally = np.empty((4, longest + 1)), np.zeros(4, np.int64)
        kept = (int(self._library.series["low"][-1]),)
        state = Columns(
            _VERSION,
            reads=self._library,
            recent=(np.float64, kept),
            recent_begin=(np.int32, kept),
            held=(windows.HELD, (len(known),)),
        )
        super().__init__(known, state)

    @override
    def open(self, rows: NDArray[Any]) -> None:
        self.state.open(rows)
        self.state["held"]["distance"][rows] = np.inf
        self.state["held"]["wait"][rows] = self._lengths

    @override
    def advance(self, samples: Table, matches: Table) -> int:
        columns = self.state["recent"], self.state["recent_begin"], self.state["held"]
        return windows.windows_update(samples, *self._library, *columns, self._room, self._tally, matches)

    @override
    def cells(self, place: int) -> NDArray[np.int64]:
        # The last samples of its signal: every pattern's window ends where those end that are kept.
        series = self._library.series
        stop = int(series["low"][np.searchsorted(series["pattern"], place, "right")])
        return np.arange(stop - self._lengths[place], stop)


def _warm(kinds: Iterable[bool]) -> None:
    """Use the kernels of patterns that are normalised, or are not."""
    deltas = np.zeros(1, DELTA)
    deltas["kind"] = Kind.CLOSE
    packet = Packet(0, 0, (), deltas, b"", opened=np.zeros(1, OPENED), samples=np.zeros(1, SAMPLE))
    Dtw([Pattern("", 0, (0.0, 1.0), 0.0, 0, normalised) for normalised in kinds]).update(packet)
