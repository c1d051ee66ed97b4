"""The gateway's certificate, made ready before it listens.

Strategy. TLS 1.2 and 1.3 with the ciphers that OpenSSL's defaults allow, HTTP/1.1 only. A certificate that
cannot be used is refused when the process starts, not when the first caller comes.
"""

from __future__ import annotations

import ssl

__all__ = ["server_tls"]


def server_tls(cert: str, key: str) -> ssl.SSLContext:
    """What a server shows.

    :arg cert: Path of a PEM file: the certificate, then those between it and an authority.

    :arg key: Path of a PEM file: its private key, without a passphrase.

    :raises ValueError: If they cannot be read, or do not belong together; the message names both.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Nobody is asked for a passphrase: a server has no terminal.
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        why = (error.reason or "").replace("_", " ").lower() or "not in PEM, or with a passphrase"
        msg = f"TLS: certificate {cert}, key {key}: {why}"
        raise ValueError(msg) from None
    except OSError as error:
        msg = f"TLS: certificate {cert}, key {key}: {error.strerror}"
        raise ValueError(msg) from None
    return context
