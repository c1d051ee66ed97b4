"""Which web pages may call the gateway: none, unless they are named.

Strategy. A page that a person only looks at can reach what listens on that person's machine. The browser says
in ``Origin`` whose page it is, so a request with an origin that is not named is refused before anything is
done, whether or not the page could have read the answer. One way around is DNS rebinding: a name of the
page's own that suddenly leads to this machine, for which a browser sends no ``Origin`` with a GET. There the
``Host`` is that name; where no key protects the gateway, only its own names and addresses are answered.

An answer to a page that is named carries the headers of CORS; cookies and other credentials of the browser
are never allowed. https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from connectors._presented import Pairs
from connectors._refused_call import Refusal

__all__ = ["Origins", "is_loopback"]

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_NAMES = re.compile(rb"[A-Za-z0-9-]+(?: *, *[A-Za-z0-9-]+)*")
_METHODS = b"GET, POST, DELETE"
_LONGEST = 4096  # bytes of a list of header names
_KEPT = b"600"  # seconds that a browser remembers a preflight


class Origins:
    """Pages and names.

    :arg allowed: Origins as browsers send them: ``https://chat.example.com``.

    :arg host: The address that is listened on.

    :arg hosts: Other names that the gateway is called by.

    """

    def __init__(
        self, allowed: Collection[str] = (), host: str = "127.0.0.1", hosts: Collection[str] = ()
    ) -> None:
        self._allowed = frozenset(origin.encode("ascii") for origin in allowed)
        self._hosts = frozenset(name.lower() for name in (host, *hosts))
        self._everywhere = host in {"0.0.0.0", "::"}

    def check(self, headers: Pairs, *, own_name: bool) -> list[tuple[bytes, bytes]]:
        """The headers that the answer must carry.

        :arg own_name: Whether the request must be for a name of ours.

        :raises Refusal: If the request comes from a page that is not named, or is not for us.

        """
        hosts = [value for name, value in headers if name.lower() == b"host"]
        if len(hosts) > 1:
            raise Refusal(kind="bad_request", message="a request has one Host")
        if own_name and not self._ours(hosts[0].decode("latin-1") if hosts else ""):
            raise Refusal(
                kind="forbidden", message="this Host is not served; gateway.hosts names those that are"
            )
        origins = [value for name, value in headers if name.lower() == b"origin"]
        if not origins:
            return []
        if len(origins) > 1 or origins[0] not in self._allowed:
            raise Refusal(
                kind="forbidden",
                message="pages of this origin may not call; gateway.origins names those that may",
            )
        return _granted(origins[0])

    def preflight(self, method: str, headers: Pairs) -> list[tuple[bytes, bytes]] | None:
        """The headers of the answer (status 204) to a browser that asks what it may send; None if that is not
        what is asked.

        :raises Refusal: If pages of that origin may not call.
        """
        said = {name.lower(): value for name, value in headers}
        if method != "OPTIONS" or b"origin" not in said or b"access-control-request-method" not in said:
            return None
        granted = self.check(headers, own_name=False)
        wanted = said.get(b"access-control-request-headers", b"")
        if len(wanted) <= _LONGEST and _NAMES.fullmatch(wanted):
            granted.append((b"access-control-allow-headers", wanted))
        return [
            *granted,
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-max-age", _KEPT),
        ]

    def _ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if not found:
            return False
        name = found["name"].strip("[]").lower()
        if name in self._hosts or name == "localhost" or is_loopback(name):
            return True
        return self._everywhere and _is_address(name)  # an address is nobody's to rebind


def is_loopback(host: str) -> bool:
    """Whether an address is one of this machine's loopback; a name is none.

    >>> is_loopback("127.0.0.2"), is_loopback("::ffff:127.0.0.1"), is_loopback("localhost")
    (True, True, False)
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _granted(origin: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    ]
