"""Keys of a gateway's callers: how one is made, what is kept of it, and what its holder may do.

Strategy. A key is ``ms-ID-SECRET``: the id finds what is known about it, the secret is 32 bytes from the
system's source of randomness. What is kept is the SHA-256 of the whole key, so a file of keys that gets lost
lets nobody in. A slow hash, as passwords need one, would add nothing: it makes guessing dear where there is
something to guess, and 2^256 secrets cannot be tried at any speed; but it would cost each call a noticeable
time, and let anybody spend our processor with wrong keys.

An id that is not known is compared all the same, with the hash of nothing that anybody has: the time that an
answer takes tells neither whether an id exists nor how much of a key was right.

File format: TOML 1.0, a table for each key (``parse``); written by ``midstream keys new``.
"""

from __future__ import annotations

import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

__all__ = ["SCOPES", "Key", "hashed", "id_of", "new_key", "parse", "right"]

SCOPES = (
    "chat", "completions", "responses", "messages", "generate", "realtime", "models", "metrics",
)  # fmt: skip
"""What a key may be used for: the APIs by the last part of their name, lists of models (and counts of a
request's tokens), and the gateway's own counters.
"""

_USUAL = tuple(scope for scope in SCOPES if scope != "metrics")
_ID = re.compile(r"[a-z0-9_]{1,32}")
_KEY = re.compile(r"ms-([a-z0-9_]{1,32})-[A-Za-z0-9_-]{43}")
_NOBODYS = "sha256:" + secrets.token_hex(32)
_MOST = 10_000  # keys in a file

_Count = Annotated[int, Meta(ge=1, le=10**12)]


class Key(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known about one key; the key itself is not."""

    hash: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
    scopes: tuple[str, ...] = _USUAL
    """Of :data:`SCOPES`; counters only if they are named."""
    upstreams: tuple[Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")], ...] | None = None
    """Names of providers; None: all."""
    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None
    tokens_per_day: _Count | None = None
    """From midnight to midnight, UTC."""
    expires: Annotated[datetime, Meta(tz=True)] | None = None
    disabled: bool = False

    def state(self, now: float) -> str:
        """``valid``, ``expired`` or ``disabled`` at `now` (Unix time in seconds)."""
        if self.disabled:
            return "disabled"
        if self.expires is not None and datetime.fromtimestamp(now, UTC) >= self.expires:
            return "expired"
        return "valid"


def new_key(name: str) -> str:
    """A key that nobody has yet.

    :arg name: Its id.

    :raises ValueError: If that cannot be one.

    """
    if not _valid(name):
        msg = "the id of a key has 1 to 32 of a-z, 0-9 and _"
        raise ValueError(msg)
    return f"ms-{name}-{secrets.token_urlsafe(32)}"


def _valid(name: str) -> bool:
    """Whether a key may be called so."""
    return _ID.fullmatch(name) is not None


def id_of(key: str) -> str:
    """The id in a key; "" if it is none of ours.

    >>> id_of("ms-ci-" + 43 * "x"), id_of("sk-proj-1234")
    ('ci', '')
    """
    found = _KEY.fullmatch(key)
    return found[1] if found else ""


def hashed(key: str) -> str:
    """What is kept of a key."""
    return f"sha256:{sha256(key.encode()).hexdigest()}"


def right(key: str, known: Key | None) -> bool:
    """Whether `key` is the one that is known; takes as long if none is."""
    same = hmac.compare_digest(hashed(key), known.hash if known else _NOBODYS)
    return same and known is not None


def parse(text: str) -> dict[str, Key]:
    """The keys of a file, by id.

    Such a file has tables like this one::

        [keys.ci]
        hash = "sha256:..."
        scopes = ["chat", "models"]         # absent: all but metrics
        upstreams = ["openai"]              # absent: all
        requests_per_minute = 60            # these three: absent is no limit
        tokens_per_minute = 100_000
        tokens_per_day = 2_000_000
        expires = 2027-01-01T00:00:00Z      # absent: never
        disabled = false

    :raises ValueError: If anything is wrong. Nothing of what stands in the file is in the message but ids,
        and the names of scopes that there are not.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"no TOML: {error}"
        raise ValueError(msg) from None
    tables = document.pop("keys", {})
    if document or not isinstance(tables, Mapping):
        msg = "there are only tables named keys.ID"
        raise ValueError(msg)
    if len(tables) > _MOST:
        msg = f"more than {_MOST} keys"
        raise ValueError(msg)
    keys = {}
    for number, (name, table) in enumerate(tables.items(), 1):
        if not _valid(name):  # who takes the key itself for its name must not find it in a log
            msg = f"key number {number}: its id has 1 to 32 of a-z, 0-9 and _"
            raise ValueError(msg)
        keys[name] = _key(name, table)
    return keys


def _key(name: str, table: object) -> Key:
    try:
        key = msgspec.convert(table, Key)
    except msgspec.ValidationError as error:
        msg = f"key {name}: {error}"
        raise ValueError(msg) from None
    for scope in key.scopes:
        if scope not in SCOPES:
            msg = f"key {name}: no such scope: {scope[:64]!r}; there are {', '.join(SCOPES)}"
            raise ValueError(msg)
    return key
