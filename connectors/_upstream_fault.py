"""What can go wrong with a call to a provider, as one exception with a kind and a sentence.

Strategy. The exceptions of the libraries below are translated here and nowhere else, and their words are
left out: they may quote a header, the key in it, or an address with its query. What is kept is what a
person can act on: which provider, which phase, the reason of the operating system or of TLS.
"""

from __future__ import annotations

import os
import socket
import ssl
from typing import Literal

import httpcore2

from connectors._patience import Late, Timeouts

__all__ = ["FAILURES", "FaultKind", "UpstreamFault", "fault_of"]

FaultKind = Literal[
    "connect", "proxy", "tls", "pool",
    "timeout-connect", "timeout-write", "timeout-first-byte", "timeout-between", "timeout-total",
    "reset", "protocol", "request", "too-large",
]  # fmt: skip

_CUT = ("peer closed", "Server disconnected", "<StreamReset", "<ConnectionTerminated")

FAILURES = (
    Late,
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
)
"""What :func:`fault_of` translates."""


class UpstreamFault(Exception):
    """A call that could not be made, or an answer that could not be read to its end.

    :arg message: For a person; fit for a log and for a client.

    :arg kind: What sort of thing went wrong.

    """

    def __init__(self, message: str, kind: FaultKind) -> None:
        super().__init__(message)
        self.kind: FaultKind = kind


def fault_of(error: Exception, where: str, limits: Timeouts, *, begun: bool) -> UpstreamFault:
    """What one of :data:`FAILURES` means, in our words.

    :arg where: Whose name the message begins with.

    :arg limits: What the call was given.

    :arg begun: Whether an answer had begun.

    """
    match error:
        case Late():
            what = {
                "timeout-first-byte": "no answer began",
                "timeout-between": "the answer stalled: nothing came",
                "timeout-total": "the call was not over",
            }[error.phase]
            return UpstreamFault(f"{where}: {what} within {error.seconds:g} s", error.phase)
        case httpcore2.ConnectTimeout():
            return UpstreamFault(f"{where}: no connection within {limits.connect:g} s", "timeout-connect")
        case httpcore2.PoolTimeout():
            return UpstreamFault(f"{where}: every connection was busy for {limits.pool:g} s", "pool")
        case httpcore2.TimeoutException():
            return UpstreamFault(
                f"{where}: the request was not taken within {limits.write:g} s", "timeout-write"
            )
        case httpcore2.ProxyError():
            code = str(error)[:3]
            said = f"answered {code}" if code.isdigit() else "failed"
            return UpstreamFault(f"{where}: the proxy {said}", "proxy")
        case httpcore2.ConnectError():
            return _unconnected(where, error)
        case httpcore2.LocalProtocolError():
            return UpstreamFault(f"{where}: the method or a header cannot be sent: not valid HTTP", "request")
        case httpcore2.ProtocolError() if not str(error).startswith(_CUT):
            return UpstreamFault(f"{where}: the answer is not valid HTTP", "protocol")
    when = "before the answer was complete" if begun else "before an answer began"
    return UpstreamFault(f"{where}: the connection was closed {when}", "reset")


def _unconnected(where: str, error: BaseException) -> UpstreamFault:
    reason, cause = "", error
    for _ in range(8):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UpstreamFault(f"{where}: certificate not trusted: {cause.verify_message}", "tls")
        if isinstance(cause, ssl.SSLError):
            return UpstreamFault(f"{where}: no TLS: {cause.reason or 'the handshake failed'}", "tls")
        if isinstance(cause, socket.gaierror):
            reason = ": no such host is known"
        elif isinstance(cause, OSError) and cause.errno:
            reason = f": {os.strerror(cause.errno)}"
        following = cause.__cause__ or cause.__context__
        if following is None:
            break
        cause = following
    return UpstreamFault(f"{where}: no connection{reason}", "connect")
