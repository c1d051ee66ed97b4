"""A server over TLS: who trusts it, what it refuses to speak, and certificates that cannot be used."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from tests.kafka_security import certificates

pytest.importorskip("uvicorn")
httpx2 = pytest.importorskip("httpx2")

from connectors._tls import server_tls  # noqa: E402  # needs what was just looked for
from tests.connectors.bounded import GET, running  # noqa: E402

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate authority, and what it signed for 127.0.0.1."""
    return certificates(tmp_path_factory.mktemp("keys"))


def test_a_client_that_trusts_the_authority_is_served_over_tls(keys: tuple[Path, Path]) -> None:
    authority, own = keys
    with running(tls=server_tls(str(own), str(own))) as server:
        trusting = ssl.create_default_context(cafile=str(authority))
        with httpx2.Client(verify=trusting, trust_env=False) as client:
            assert client.get(f"https://127.0.0.1:{server.port}/small").text == "said"
        with httpx2.Client(trust_env=False) as client, pytest.raises(httpx2.ConnectError):
            client.get(f"https://127.0.0.1:{server.port}/small")


def test_limits_hold_over_tls(keys: tuple[Path, Path]) -> None:
    authority, own = keys
    trusting = ssl.create_default_context(cafile=str(authority))
    with (
        running(tls=server_tls(str(own), str(own))) as server,
        trusting.wrap_socket(server.open(), server_hostname="127.0.0.1") as client,
    ):
        client.sendall(GET[:10])
        assert client.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_tls_before_1_2_is_refused(keys: tuple[Path, Path]) -> None:
    _, own = keys
    assert server_tls(str(own), str(own)).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_certificate_that_cannot_be_used_is_refused_with_both_names(
    keys: tuple[Path, Path], tmp_path: Path
) -> None:
    authority, own = keys
    none = tmp_path / "none.pem"
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", str(own), "-aes256", "-passout", "pass:secret", "-out", str(locked)],
        check=True,
    )
    for cert, key, why in (
        (own, none, "No such file"),
        (empty, own, "not in PEM"),
        (own, locked, "bad decrypt|passphrase"),
        (authority, own, "mismatch"),
    ):
        with pytest.raises(ValueError, match=rf"TLS: certificate {cert}, key {key}: .*({why})"):
            server_tls(str(cert), str(key))
