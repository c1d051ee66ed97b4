"""The door of a gateway, as it is set: its keys, its certificate, its limits."""

from __future__ import annotations

import ssl
from collections.abc import Collection

from connectors._access import Access
from connectors._bounded_http import ConnectionLimits
from connectors._key_file import KeyFile
from connectors._origins import Origins
from connectors._tls import server_tls
from flows.access_settings import AccessSettings

__all__ = ["access", "connection_limits", "tls"]


def access(said: AccessSettings, upstreams: Collection[str]) -> Access:
    """The door.

    :arg upstreams: The names there are, to which keys may be limited.

    :raises ValueError: If the file of keys cannot be read, or is wrong.

    """
    keys = KeyFile(said.keys, upstreams) if said.keys else None
    return Access(keys, Origins(said.origins, said.host, said.hosts), anybody=said.open)


def connection_limits(said: AccessSettings) -> ConnectionLimits:
    """What one client may take."""
    return ConnectionLimits(
        head_seconds=said.head_seconds,
        stalled_seconds=said.stalled_seconds,
        head_bytes=said.head_bytes,
        headers=said.headers,
        connections=said.connections,
        connections_each=said.connections_each,
    )


def tls(said: AccessSettings) -> ssl.SSLContext | None:
    """The certificate to show; None: plain HTTP.

    :raises ValueError: If it cannot be used.
    """
    return server_tls(said.tls_cert, said.tls_key) if said.tls_cert else None
