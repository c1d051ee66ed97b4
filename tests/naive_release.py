"""The slow, obvious twin of what is left of a text when its matches are covered."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

KEY = b"a key of the tests"


class Match(NamedTuple):
    """A match to cover: what it is called, how, and how severe it is."""

    begin: int
    stop: int
    code: int = 0
    style: str = "label"
    severity: int = 0
    more: bool = False

    @property
    def rank(self) -> tuple[int, int, int]:
        """The highest of overlapping matches names them."""
        return self.severity, self.stop - self.begin, -self.code

    def tells(self, at: int) -> bool:
        """Whether it lets the character `at` be seen, where stars stand."""
        size = self.stop - self.begin
        return self.style == "last4" and size >= 12 and not self.more and at >= self.stop - 4


def stretches(matches: Sequence[Match]) -> list[list[Match]]:
    """The matches that overlap, or go on where one said it would."""
    out: list[list[Match]] = []
    for match in sorted(matches, key=lambda m: (m.begin, -m.stop, m.code)):
        stop = max((m.stop for m in out[-1]), default=0) if out else -1
        goes_on = bool(out) and any(m.more and m.stop == stop for m in out[-1])
        if match.begin < stop or (match.begin == stop and goes_on):
            out[-1].append(match)
        else:
            out.append([match])
    return out


def covered(text: str, matches: Sequence[Match], upto: int | None = None) -> str:
    """`text` with each stretch as the most severe match names it that overlaps the first of it; as far as
    it leaves when so many characters are decided.
    """
    upto = len(text) if upto is None else upto
    out, at = [], 0
    for stretch in stretches([match for match in matches if match.begin < upto]):
        first = stretch[0]
        out.append(text[at : first.begin])
        if upto < first.stop:
            return "".join(out)
        name = max((m for m in stretch if m.begin < first.stop), key=lambda m: m.rank)
        at = max(m.stop for m in stretch)
        if name.style == "label":
            out.append(f"<{name.code}>")
        elif name.style == "hash":
            said = text[name.begin : name.stop].encode()
            out.append(f"<{name.code}:{hmac.new(KEY, said, hashlib.sha256).hexdigest()[:12]}>")
        else:
            for c in range(first.begin, min(at, upto)):
                over = [m for m in stretch if m.begin <= c < m.stop]
                out.append(text[c] if all(m.tells(c) for m in over) and name.style == "last4" else "*")
    return "".join(out) + text[at:upto]
