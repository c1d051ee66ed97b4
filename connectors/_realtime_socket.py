"""A WebSocket to a provider: opened as it is set, its failures said in our words.

Strategy. The transport below ``_upstream.py`` has no WebSockets; this is their place, for live sessions and
for those that a gateway relays. What holds for calls holds here: the key goes nowhere but where it was set to
go (no redirects), the proxy is that of the settings whatever the environment says, and neither a header nor
a word of the provider's is in a fault.

https://www.rfc-editor.org/rfc/rfc6455
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from typing_extensions import override
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, PayloadTooBig, ProxyError, WebSocketException
from websockets.typing import Subprotocol

from connectors._patience import Late
from connectors._upstream import Upstream, UpstreamFault, own_headers, trusted

__all__ = ["FAILURES", "dialled", "socket_fault"]

FAILURES = (Late, OSError, TimeoutError, WebSocketException)
"""What :func:`socket_fault` knows."""

_CLOSE = 0.5  # seconds that a server has to say goodbye
_log = logging.getLogger(f"{__name__}.wire")
_log.setLevel(logging.WARNING)  # at DEBUG it writes out every header and message


class _Direct(connect):
    """A connection that goes nowhere but where it was sent: a redirect would carry the key along."""

    @override
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def dialled(
    upstream: Upstream, path: str, query: Sequence[tuple[str, str]], message_bytes: int,
    *, headers: Sequence[tuple[str, str]] = (), subprotocols: Sequence[str] = (),
) -> connect:  # fmt: skip
    """A connection to be entered, and left, which closes it.

    :arg path: Below the base URL's.

    :arg query: Names and values, not encoded yet; the upstream's own are added.

    :arg message_bytes: Bytes of a message at most.

    :arg headers: Sent beside the upstream's own.

    :raises ValueError: If the file of authorities cannot be read as one.

    """
    parts = urlsplit(upstream.base_url)
    secure = parts.scheme == "https"
    address = f"{'wss' if secure else 'ws'}://{parts.netloc}{parts.path.rstrip('/')}{path}"
    return _Direct(
        f"{address}?{urlencode([*query, *upstream.query])}",
        additional_headers=[*own_headers(upstream), *headers],
        user_agent_header=None,
        subprotocols=[Subprotocol(each) for each in subprotocols] or None,
        compression=None,  # audio does not shrink, and for a piece of text it only takes time
        ssl=trusted(upstream) if secure else None,
        proxy=upstream.proxy or None,
        open_timeout=upstream.timeouts.connect,
        close_timeout=_CLOSE,
        max_size=message_bytes,
        logger=_log,
    )


def socket_fault(where: str, error: Exception) -> UpstreamFault:
    """What failed, one of :data:`FAILURES`, at the upstream of the name `where`."""
    match error:
        case Late(phase=phase, seconds=seconds):
            return UpstreamFault(f"{where}: the session said nothing within {seconds:g} s", phase)
        case TimeoutError():
            return UpstreamFault(f"{where}: no session was opened in time", "timeout-connect")
        case ssl.SSLCertVerificationError():
            return UpstreamFault(f"{where}: certificate not trusted: {error.verify_message}", "tls")
        case ssl.SSLError():
            return UpstreamFault(f"{where}: no TLS: {error.reason or 'the handshake failed'}", "tls")
        case ProxyError():
            return UpstreamFault(f"{where}: the proxy failed", "proxy")
        case OSError():
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "no such host"
            return UpstreamFault(f"{where}: no connection: {reason}", "connect")
        case ConnectionClosed() if not isinstance(error.__cause__, PayloadTooBig):
            return UpstreamFault(f"{where}: the session was closed before the answer was complete", "reset")
        case _:
            return UpstreamFault(
                f"{where}: the session is not valid WebSocket, or a message too large", "protocol"
            )
