"""How the clients of a test broker prove who they are: TLS, SCRAM over TLS, OAUTHBEARER over TLS.

Every broker gets an authority of its own, made with the ``openssl`` command (Kafka reads PEM, so no key
store tool is needed), a password of its own, or asks for tokens with the scope "midstream". Tokens are
unsecured JWS, which Kafka accepts for development: the broker checks form, times and scope, no signature.
"""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Security = Literal["plaintext", "tls", "scram", "oauth"]

USER = "cell"
SCOPE = "midstream"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
_MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Access:
    """The two ends of a listener: `server` properties without their listener's prefix, `client` options, and
    what `format` of the storage tool must be told.
    """

    protocol: str
    server: dict[str, str] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    format: tuple[str, ...] = ()


def access(security: Security, folder: Path) -> Access:
    """The access named `security`, with new keys in `folder`. Takes 30 ms for the certificates."""
    if security == "plaintext":
        return Access("PLAINTEXT")
    authority, keys = certificates(folder)
    server = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(keys)}
    client: dict[str, Any] = {"ssl.ca.location": str(authority)}
    match security:
        case "tls":
            return Access("SSL", server, client | {"security.protocol": "SSL"})
        case "scram":
            password = secrets.token_urlsafe(16)
            return Access(
                "SASL_SSL",
                server
                | {
                    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                    "scram-sha-512.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;",
                },
                client
                | {
                    "security.protocol": "SASL_SSL",
                    "sasl.mechanism": "SCRAM-SHA-512",
                    "sasl.username": USER,
                    "sasl.password": password,
                },
                ("--add-scram", f"SCRAM-SHA-512=[name={USER},password={password}]"),
            )
        case "oauth":
            return Access(
                "SASL_SSL",
                server
                | {
                    "sasl.enabled.mechanisms": "OAUTHBEARER",
                    "oauthbearer.sasl.jaas.config": (
                        f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required "
                        f'unsecuredLoginStringClaim_sub="broker" unsecuredValidatorRequiredScope="{SCOPE}";'
                    ),
                },
                client
                | {
                    "security.protocol": "SASL_SSL",
                    "sasl.mechanism": "OAUTHBEARER",
                    "oauth_cb": tokens(SCOPE),
                },
            )


def tokens(scope: str, life_s: float = 3600) -> Callable[[str], tuple[str, float]]:
    """A client's hook that gives tokens for `scope` which end in `life_s` seconds: (token, end in Unix s)."""

    def give(_: str) -> tuple[str, float]:
        now = time.time()
        claims = {"sub": USER, "scope": [scope], "iat": now, "exp": now + life_s}
        parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
        token = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        return token.decode() + ".", now + life_s

    return give


def certificates(folder: Path) -> tuple[Path, Path]:
    """A new authority's certificate, and a file with a key and the certificate it signed for loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, secret = folder / "authority.pem", folder / "authority.key"
    signed, key, both = folder / "server.pem", folder / "server.key", folder / "server.keys.pem"
    _openssl(
        *_KEY, "-x509", "-subj", "/CN=midstream tests", "-keyout", str(secret), "-out", str(authority),
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    _openssl(
        *_KEY, "-x509", "-CA", str(authority), "-CAkey", str(secret), "-subj", "/CN=127.0.0.1",
        "-keyout", str(key), "-out", str(signed), "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-addext", "basicConstraints=critical,CA:FALSE",
    )  # fmt: skip
    both.touch(mode=0o600)
    both.write_bytes(key.read_bytes() + signed.read_bytes())
    return authority, both


def _openssl(*arguments: str) -> None:
    # The default configuration would add its own extensions to ours.
    command = ["openssl", "req", "-config", "/dev/null", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stderr}"
