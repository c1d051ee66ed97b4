"""Who may call the gateway, for what, and how much of it.

Strategy. With a file of keys every caller needs one of them, from wherever it calls. Without, who calls from
this machine is let in and nobody else; so that this cannot be got around, a page in a browser is refused
(``_origins.py``), and so is what a proxy passes on, behind which anybody may be. Who wants it otherwise says
so (`anybody`).

A key that is right but not for this use is *forbidden*; anything else that is wrong with it is
*unauthorized*, and the words are the same for an unknown id and a wrong secret. Nothing here waits, and
everything is called on one loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

import orjson

from connectors._key_file import KeyFile
from connectors._keys import Key, id_of, right
from connectors._origins import Origins, is_loopback
from connectors._presented import Pairs, Query, presented, without_keys
from connectors._rate_headers import refused_headers, tell_left
from connectors._rates import Rates
from connectors._refused_call import Refusal
from operators.packet import Delta, Kind

__all__ = ["Access", "Caller", "Refusal"]

_TEXT, _USAGE = int(Kind.TEXT), int(Kind.USAGE)
_CHARACTERS = 4  # of a token, about
_MOST = 10**9  # tokens that a provider is believed
_PASSED_ON = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})
_CHALLENGE = ((b"www-authenticate", b"Bearer"),)


class Caller:
    """Who makes one call: its tokens are counted here as they pass.

    Four characters are a token, and a delta is one at least, until the provider says how many there were so
    far; then those count, in place of all that was estimated.
    """

    def __init__(
        self, name: str, dialect: str, rates: Rates | None, clock: Callable[[], float],
        granted: list[tuple[bytes, bytes]],
    ) -> None:  # fmt: skip
        self.id = name
        """Of the key, "" where none is needed."""
        self._dialect, self._rates, self._clock, self._granted = dialect, rates, clock, granted
        self._spent = 0
        self._counts: dict[str, int] = {}

    def spent(self, tokens: int) -> None:
        """Count tokens of this call."""
        if self._rates is not None and tokens:
            self._spent += tokens
            self._rates.spend(tokens, self._clock())

    def hear(self, deltas: Iterable[Delta]) -> None:
        """Count what deltas say, of the request or of the answer."""
        if self._rates is None:
            return
        tokens = 0
        for delta in deltas:
            if delta.kind == _TEXT:
                tokens += -(-len(delta.text) // _CHARACTERS)
            elif delta.kind == _USAGE:
                tokens = self._told(delta.text, tokens)
        self.spent(tokens)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the answer must carry: what is left of the limits, and for a browser that its page may read
        it.
        """
        if self._rates is None:
            return list(self._granted)
        now = self._clock()
        return [*self._granted, *tell_left(self._rates.left(now), self._dialect, now)]

    def _told(self, usage: str, tokens: int) -> int:
        """What is to be counted when the provider has told its own counts so far, ``{"input": 12, "output":
        34}``, either of which may come later, instead of `tokens` more.
        """
        counts: dict[str, object] = orjson.loads(usage)
        for name in ("input", "output"):
            count = counts.get(name)
            if isinstance(count, int) and 0 <= count <= _MOST:
                self._counts[name] = count
        return sum(self._counts.values()) - self._spent if "output" in self._counts else tokens


class Access:
    """The door of one gateway.

    :arg keys: What keys there are; None: none is needed.

    :arg origins: Which pages may call.

    :arg anybody: Whether, without keys, callers on other machines are served too.

    :arg clock: Unix time in seconds.

    A call costs one SHA-256 and no I/O.
    """

    def __init__(
        self, keys: KeyFile | None, origins: Origins, *, anybody: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._keys, self._origins, self._anybody, self._clock = keys, origins, anybody, clock
        self._rates: dict[str, Rates] = {}

    async def follow(self) -> None:
        """Keep up with the file of keys, until cancelled; over at once where there is none."""
        if self._keys is not None:
            await self._keys.follow()

    def preflight(self, method: str, headers: Pairs) -> list[tuple[bytes, bytes]] | None:
        """The headers of the answer (status 204) to a browser that asks what it may send; None for any other
        request.

        :raises Refusal: If its page may not call.
        """
        return self._origins.preflight(method, headers)

    def admit(self, headers: Pairs, query: Query, client_host: str, dialect: str, upstream: str) -> Caller:
        """Who calls.

        :arg client_host: The address that the connection comes from, "" if it has none.

        :arg dialect: The last part of the API's name, "" for lists and counts, ``metrics``.

        :arg upstream: The provider that is asked, "" if none is.

        :raises Refusal: If the call is not to be served: ``bad_request``, ``unauthorized``, ``forbidden`` or
            ``rate_limited``.

        """
        granted = self._origins.check(headers, own_name=self._keys is None)
        try:
            if self._keys is None:
                self._local(headers, client_host)
                return Caller("", dialect, None, self._clock, granted)
            name, key = self._known(self._keys, presented(headers, query))
            _allow(key, dialect, upstream)
            return Caller(name, dialect, self._ask(name, key, dialect), self._clock, granted)
        except Refusal as refusal:
            refusal.headers += granted
            raise

    def forwarded(self, headers: Pairs, query: Query) -> tuple[Pairs, Query]:
        """What may go on to a provider: where we have keys, nothing that could be one; elsewhere all, for the
        key in it is meant for the provider.
        """
        return (headers, query) if self._keys is None else without_keys(headers, query)

    def _local(self, headers: Pairs, client_host: str) -> None:
        if self._anybody:
            return
        if not is_loopback(client_host):
            raise Refusal(
                kind="unauthorized",
                message="without keys only this machine is served; gateway.keys names a file",
            )
        if any(name.lower() in _PASSED_ON for name, _ in headers):
            raise Refusal(
                kind="unauthorized",
                message="behind a proxy the gateway needs keys; gateway.keys names a file",
            )

    def _known(self, keys: KeyFile, key: str) -> tuple[str, Key]:
        name = id_of(key)
        known = keys.find(name)
        if not right(key, known) or known is None:
            wrong = (
                "the key is not known" if key else "a key is needed, for instance as Authorization: Bearer"
            )
            raise Refusal(kind="unauthorized", message=wrong, headers=_CHALLENGE)
        if (state := known.state(self._clock())) != "valid":
            raise Refusal(kind="unauthorized", message=f"the key is {state}", headers=_CHALLENGE)
        return name, known

    def _ask(self, name: str, key: Key, dialect: str) -> Rates:
        now = self._clock()
        rates = self._rates.setdefault(name, Rates())
        if exceeded := rates.ask(key, now):
            seconds = math.ceil(exceeded.seconds)
            raise Refusal(kind="rate_limited", message=f"too many {exceeded.what}; try again in {seconds} s",
                retry_after=exceeded.seconds,
                headers=[*refused_headers(exceeded), *tell_left(rates.left(now), dialect, now)],
            )  # fmt: skip
        return rates


def _allow(key: Key, dialect: str, upstream: str) -> None:
    scope = dialect or "models"
    if scope not in key.scopes:
        raise Refusal(kind="forbidden", message=f"this key is not for {scope}")
    if upstream and key.upstreams is not None and upstream not in key.upstreams:
        raise Refusal(kind="forbidden", message=f"this key is not for the upstream {upstream}")
