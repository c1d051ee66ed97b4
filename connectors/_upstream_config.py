"""Where a provider is and how it is spoken to, checked before anything is called.

Strategy. An :class:`Upstream` is a value: it can be compared, printed and logged, for its key, its headers
and its proxy's password are in no repr. What could lead a call elsewhere is refused here (an address with a
user, a query, dot segments) or is no part of it: callers give paths, which :func:`sound` judges.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import httpcore2

from connectors._patience import Timeouts

__all__ = ["Auth", "Upstream", "own_headers", "sound", "trusted"]

Auth = Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "none"]
"""The header that carries the key: ``Authorization: Bearer``, Anthropic's, Google's, Azure's, no one."""

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_HEADER = re.compile(r"[A-Za-z0-9-]+: [\x20-\x7e]*")
_DOTS = re.compile(r"/(\.|%2e){1,2}(/|\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class Upstream:
    """Where a provider is and how it is spoken to.

    :raises ValueError: If something cannot be right; the key is never part of the message.
    """

    name: str
    api: str
    """A name of ``decoders.API_NAMES``."""
    base_url: str
    """Scheme, host and the path that all its paths begin with."""
    key: str = field(default="", repr=False)
    """Empty: what the caller sends passes."""
    auth: Auth = "bearer"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent with every call, in place of the caller's of the same name."""
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Added to every call's: Azure's ``api-version``."""
    proxy: str = field(default="", repr=False)
    """``http://`` or ``https://``, with user and password if it asks for them; empty: none."""
    http2: bool = False
    """Spoken if the server agrees, over TLS. A call has a connection for itself all the same: see
    :mod:`connectors._connections`."""
    ca_file: str = ""
    """PEM of the authorities that may vouch for the server; empty: the system's."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 0
    max_connections: int = 1000

    def __post_init__(self) -> None:
        place = f"upstream {self.name}"
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not _ported(parts):
            msg = f"{place}: base_url must be an http:// or https:// address with a host, in ASCII"
            raise ValueError(msg)
        if parts.username or parts.password or parts.query or parts.fragment:
            msg = f"{place}: base_url must have no user, password, query or fragment"
            raise ValueError(msg)
        if parts.path.rstrip("/") and not sound(parts.path.rstrip("/")):
            msg = f"{place}: base_url has a path that is not percent-encoded, or has dot segments"
            raise ValueError(msg)
        if self.key and not _VISIBLE.fullmatch(self.key):
            msg = f"{place}: the key has characters that no header can carry: blanks, a line end or non-ASCII"
            raise ValueError(msg)
        for name, value in self.headers:
            if not _HEADER.fullmatch(f"{name}: {value}"):
                msg = f"{place}: a header has a name of letters, digits and -, and a value of printable ASCII"
                raise ValueError(msg)
        proxy = urlsplit(self.proxy)
        if self.proxy and (proxy.scheme not in {"http", "https"} or not proxy.hostname or not _ported(proxy)):
            msg = f"{place}: proxy must be an http:// or https:// address with a host"
            raise ValueError(msg)


def own_headers(upstream: Upstream) -> list[tuple[str, str]]:
    """What every call carries: the headers that are set, in lower case, and the key."""
    own = [(name.lower(), value) for name, value in upstream.headers]
    if upstream.key and upstream.auth == "bearer":
        own.append(("authorization", f"Bearer {upstream.key}"))
    elif upstream.key and upstream.auth != "none":
        own.append((upstream.auth, upstream.key))
    return own


def trusted(upstream: Upstream) -> ssl.SSLContext:
    """Who may vouch for the server.

    :raises ValueError: If the file of authorities cannot be read as one.
    """
    if not upstream.ca_file:
        return httpcore2.default_ssl_context()
    try:
        return ssl.create_default_context(cafile=upstream.ca_file)
    except OSError as error:
        what = error.strerror or "no PEM certificate in it"
        msg = f"upstream {upstream.name}: ca_file {upstream.ca_file}: {what}"
        raise ValueError(msg) from None


def sound(path: str) -> bool:
    """Whether `path` begins with ``/``, is percent-encoded, and has no dot segments, encoded ones neither."""
    return bool(_PATH.fullmatch(path)) and not _DOTS.search(path)


def _ported(parts: SplitResult) -> bool:
    """Whether an address is ASCII, and its port, if it names one, a port."""
    try:
        return parts.netloc.isascii() and parts.port != 0
    except ValueError:
        return False
