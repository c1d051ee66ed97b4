"""Gates that know beforehand what they will find and when, so that what stands behind them can be tested with
matches that overlap, wait and go on in every way, whatever the rules of a real one could do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from hypothesis import strategies as st

from operators.directory import Directory
from operators.masks import Style
from operators.packet import FINDING, VETTED, Action, Lane, Packet, Reach, joined
from operators.policy import Policy
from operators.release import Release
from operators.slots import Stage
from tests.naive_release import KEY, Match
from tests.stages import CLOSE, TEXT, Make

ACTIONS = [Action.REDACT] * 5 + [Action.WARN, Action.BLOCK, Action.WOULD_REDACT, Action.WOULD_BLOCK]
STYLES = ["label", "stars", "last4", "hash", "label", "label", "label", "label", "label"]
SEVERITIES = [0, 1, 2, 1, 3, 3, 2, 3, 3]
WARN, BLOCK = 5, 6
HOLD = 24
HELD = {0, 3, 6}
"""The codes that a hasty gate waits for."""


class Planned(NamedTuple):
    """A match, and how many characters had been read when it was decided."""

    match: Match
    decided: int


Plan = Sequence[Planned]


def planned(begin: int, size: int, code: int, delay: int, more: bool) -> Planned:
    match = Match(begin, begin + size, code, STYLES[code], SEVERITIES[code], more)
    return Planned(match, match.stop + (0 if more else delay))


PLANS = st.lists(
    st.builds(
        planned, st.integers(0, 30), st.integers(1, 16), st.integers(0, 8), st.integers(0, 6), st.booleans()
    ),
    max_size=6,
)


def possible(text: str, plan: Plan) -> Plan:
    """What of a plan a text has room for; a rule's matches do not overlap, nor do two have one end."""
    known: list[Planned] = []
    for each in sorted(plan):
        match = each.match
        if match.stop <= len(text) and not any(
            match.code == other.match.code and match.begin < other.match.stop for other in known
        ):
            known.append(each)
    return known


def mark(plan: Plan, read: int) -> int:
    """Characters that are decided when so many have been read."""
    return min([read, *(m.begin for m, decided in plan if m.begin < read < decided)])


class Script:
    """A gate that follows a plan for each stream and item."""

    holder = 9
    """The code that text is held for."""

    def __init__(self, plans: Mapping[tuple[str, int], Plan]) -> None:
        self._plans = plans
        self._read: dict[int, int] = {}

    def plan(self, lane: Lane, row: int) -> Plan:
        """What will be found in a lane."""
        return self._plans.get((lane.stream, lane.item), ())

    def mark(self, plan: Plan, read: int) -> int:
        """Its watermark when so many characters have been read."""
        return mark(plan, read)

    def update(self, packet: Packet) -> Packet:
        findings, vetted = [], []
        for row in packet.opened["row"]:
            self._read[int(row)] = 0
        for i, delta in enumerate(packet.deltas):
            if delta["row"] < 0 or delta["kind"] not in {TEXT, CLOSE}:
                continue
            row = int(delta["row"])
            plan = self.plan(packet.lanes[delta["lane"]], row)
            was, now = self._read[row], self._read[row] + int(delta["chars"])
            over = delta["kind"] == CLOSE
            self._read[row] = now
            vetted.append((i, row, now if over else self.mark(plan, now), -1 if over else self.holder))
            done = [p for p in plan if (was < p.decided <= now) or (over and p.decided > now)]
            done = [each for each in done if each.match.code >= 0]
            for match, decided in sorted(done, key=lambda p: (min(p.decided, now + over), p.match.code)):
                known = min(decided, now + over)
                upto = now if known > now else self.mark(plan, known)
                upto = max(self.mark(plan, known - 1), min(upto, match.begin))
                place = match.begin, match.stop, known, upto
                findings.append((i, row, Reach.RULE, match.code, 1.0, *place, match.more, 0, 0.0, 0.0, 0, 0))
        return packet.having(
            findings=joined(packet.findings, np.array(findings, FINDING)), vetted=np.array(vetted, VETTED)
        )

    def dump(self) -> bytes:
        return orjson.dumps([[*pair] for pair in self._read.items()])

    def load(self, state: bytes) -> None:
        self._read = dict(orjson.loads(state))


def script(plans: Mapping[tuple[str, int], Plan], gate: type[Script] = Script, **how: Any) -> Make:
    """Directory, a gate that follows the plans, policy, release."""

    def make() -> list[Stage]:
        return [
            Directory(), gate(plans), Policy(ACTIONS),
            Release(
                [f"<{code}>" for code in range(9)] + [""], HOLD,
                styles=[Style[style.upper()] for style in STYLES] + [Style.LABEL],
                severities=[*SEVERITIES, 0], key=KEY, **how,
            ),
        ]  # fmt: skip

    return make


def held(plan: Plan) -> Plan:
    """What a hasty gate waits for."""
    return [each for each in plan if each.match.code in HELD]


class Hasty(Script):
    """A gate that holds nothing back for most of what it will find."""

    def mark(self, plan: Plan, read: int) -> int:
        return mark(held(plan), read)


class Words(Script):
    """A gate that looks for words, the first of them code 0, as they stand."""

    holder = 0

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__({})
        self._words = words
        self._said: dict[int, str] = {}

    def update(self, packet: Packet) -> Packet:
        for row in packet.opened["row"]:
            self._said[int(row)] = ""
        for delta in packet.deltas[packet.deltas["kind"] == TEXT]:
            self._said[int(delta["row"])] += packet.text[delta["start"] : delta["end"]].decode()
        return super().update(packet)

    def plan(self, lane: Lane, row: int) -> Plan:
        return [*self._plan(self._said[row])]

    def _plan(self, text: str) -> Iterator[Planned]:
        for code, word in enumerate(self._words):
            over = 0
            for begin in range(len(text)):
                size = next(k for k in range(len(word), -1, -1) if text.startswith(word[:k], begin))
                if size == len(word) and begin >= over:
                    over = begin + size
                    yield Planned(Match(begin, over, code), over)
                elif size and begin + size < len(text):  # might have become one
                    yield Planned(Match(begin, begin + size, -1), begin + size + 1)
                elif size:
                    yield Planned(Match(begin, begin + size, -1), len(text) + 1)

    def dump(self) -> bytes:
        return orjson.dumps([super().dump().decode(), [[*pair] for pair in self._said.items()]])

    def load(self, state: bytes) -> None:
        read, said = orjson.loads(state)
        super().load(read)
        self._said = dict(said)


def guard(words: Sequence[str], actions: Sequence[int], hold: int = HOLD, **how: Any) -> Make:
    """Directory, a gate that looks for words, policy, release: a word is labelled with its code."""

    def make() -> list[Stage]:
        labels = [f"<{code}>" for code in range(len(words))]
        return [Directory(), Words(words), Policy(actions), Release([*labels, ""], hold, **how)]

    return make
