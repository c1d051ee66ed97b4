"""Text that a provider streams in pieces and then says once more as a whole.

Strategy. The pieces go out as they come and are remembered by part; the whole, when it comes, is only
compared. What it has beyond the pieces was never streamed and goes out then (some servers stream no
tool arguments at all), and a whole that contradicts its pieces is an ERROR: something was lost on the
way, or never sent.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from connectors._decoder import Script
from connectors._untrusted import measured

__all__ = ["Parts"]


class Parts:
    """The parts of one response; a key names a part among all of them. Says all to `out`."""

    def __init__(self, out: Script) -> None:
        self._out = out
        self._pieces: dict[Hashable, list[str]] = {}

    def clear(self) -> None:
        """The response is over."""
        self._pieces.clear()

    def piece(self, key: Hashable, text: str, channel: int, item: int, tokens: Any = None) -> None:
        """A piece of a part. `tokens` are believed, one delta each, if they make up the text."""
        if not text:
            return
        out = self._out
        if tokens and "".join([token["token"] for token in tokens]) == text:
            for token in tokens:
                out.text(token["token"], channel, 0, item, measured(token.get("logprob")))
        else:
            out.text(text, channel, 0, item)
        pieces = self._pieces.get(key)
        if pieces is None:
            self._pieces[key] = [text]
        else:
            pieces.append(text)

    def whole(self, key: Hashable, text: str, channel: int, item: int) -> None:
        """All of a part. May come several times (of the part, of its item, of the response)."""
        pieces = self._pieces.get(key) or []
        said = "".join(pieces)
        if said == text:
            return
        if not said.isascii():
            said = said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if text.startswith(said):
            self._out.text(text[len(said) :], channel, 0, item)
        else:
            self._out.error(f"the whole of item {item} differs from its {len(pieces)} pieces")
        self._pieces[key] = [text]
