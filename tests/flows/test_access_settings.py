"""What of ``[gateway]`` would leave it open to everybody is refused before it listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors._keys import hashed
from flows.access_settings import AccessSettings
from tests.kafka_security import certificates

pytest.importorskip("uvicorn")

from flows.access import access, connection_limits, tls  # needs uvicorn


def wrong(**said: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        AccessSettings(**said)
    return str(caught.value)


def test_nothing_set_serves_this_machine_only_and_no_page() -> None:
    said = AccessSettings()
    assert (said.host, said.keys, said.open, said.origins) == ("127.0.0.1", "", False, ())
    assert tls(said) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.example.com"])
def test_an_address_that_others_reach_needs_keys_or_a_word(host: str) -> None:
    assert "callers need keys: set keys" in wrong(host=host)
    assert AccessSettings(host=host, open=True).open
    assert AccessSettings(host=host, keys="keys.toml").keys


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert AccessSettings(host=host).host == host


def test_keys_and_an_open_door_exclude_each_other() -> None:
    assert "with keys every caller needs one" in wrong(keys="keys.toml", open=True)


@pytest.mark.parametrize(
    "origin", ["*", "null", "chat.example.com", "https://a.example/", "https://A.example"]
)
def test_an_origin_is_one_as_browsers_send_it(origin: str) -> None:
    assert "an origin as browsers send it" in wrong(origins=(origin,))
    assert AccessSettings(origins=("https://chat.example.com", "http://localhost:3000")).origins


def test_a_host_is_a_name_without_a_port() -> None:
    assert "without a port" in wrong(hosts=("gateway.example.com:80",))


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    assert "belong together" in wrong(tls_cert="cert.pem")
    assert "belong together" in wrong(tls_key="key.pem")
    _, own = certificates(tmp_path)
    assert tls(AccessSettings(tls_cert=str(own), tls_key=str(own))) is not None
    with pytest.raises(ValueError, match="No such file"):
        tls(AccessSettings(tls_cert="none.pem", tls_key="none.pem"))


def test_keys_that_cannot_be_read_are_refused_before_anything_listens(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    with pytest.raises(ValueError, match=rf"keys {path}: No such file"):
        access(AccessSettings(keys=str(path)), ["openai"])
    path.write_text(f'[keys.ci]\nhash = "{hashed("x")}"\nupstreams = ["groq"]', encoding="utf-8")
    with pytest.raises(ValueError, match="key ci: no such upstream: 'groq'; there are openai"):
        access(AccessSettings(keys=str(path)), ["openai"])
    assert access(AccessSettings(keys=str(path)), ["openai", "groq"])


def test_limits_are_those_that_were_set() -> None:
    said = AccessSettings(
        head_seconds=1, stalled_seconds=2, head_bytes=3000, headers=40, connections=5, connections_each=6
    )
    limits = connection_limits(said)
    assert (limits.head_seconds, limits.stalled_seconds, limits.head_bytes) == (1, 2, 3000)
    assert (limits.headers, limits.connections, limits.connections_each) == (40, 5, 6)
