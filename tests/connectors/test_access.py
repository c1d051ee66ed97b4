"""Who is let in: with a key, without keys, from a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors._access import Access, Refusal
from connectors._keys import new_key
from connectors._origins import Origins
from tests.connectors.door import HOST, Door

HERE = "127.0.0.1"


def test_a_right_key_lets_in_from_anywhere(tmp_path: Path) -> None:
    assert Door(tmp_path).admit().id == "ci"


def test_no_key_a_wrong_one_and_an_unknown_id_are_unauthorized(tmp_path: Path) -> None:
    door = Door(tmp_path)
    wrong = [door.refused(key) for key in (new_key("ci"), new_key("other"), "sk-1", door.key + "x")]
    assert {(each.kind, str(each)) for each in wrong} == {("unauthorized", "the key is not known")}
    assert door.refused("").kind == "unauthorized"
    assert (b"www-authenticate", b"Bearer") in wrong[0].headers


def test_who_calls_from_this_machine_needs_a_key_too_where_there_are_keys(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        Door(tmp_path).access.admit(HOST, [], HERE, "chat", "openai")
    assert caught.value.kind == "unauthorized"


def test_a_key_expires_to_the_second_and_can_be_disabled(tmp_path: Path) -> None:
    door = Door(tmp_path, "expires = 2026-11-22T12:00:01Z")
    door.admit()
    door.clock.now += 1
    assert str(door.refused()) == "the key is expired"
    assert str(Door(tmp_path, "disabled = true").refused()) == "the key is disabled"


def test_a_key_is_for_its_scopes_and_upstreams(tmp_path: Path) -> None:
    door = Door(tmp_path, 'scopes = ["chat", "models"]\nupstreams = ["openai"]')
    door.admit()
    door.admit(dialect="")  # a list of models
    for dialect, upstream in (("messages", "openai"), ("chat", "groq"), ("metrics", "")):
        assert door.refused(dialect=dialect, upstream=upstream).kind == "forbidden"


def test_a_key_is_for_all_apis_but_the_counters_if_nothing_is_said(tmp_path: Path) -> None:
    door = Door(tmp_path)
    for dialect in ("chat", "completions", "responses", "messages", "generate", "realtime", ""):
        door.admit(dialect=dialect)
    assert door.refused(dialect="metrics", upstream="").kind == "forbidden"
    assert Door(tmp_path, 'scopes = ["metrics"]').admit(dialect="metrics", upstream="").id == "ci"


def local(
    headers: Sequence[tuple[bytes, bytes]] = HOST,
    client: str = HERE,
    *,
    anybody: bool = False,
    **origins: Any,
) -> str:
    """The kind of the refusal, "" if there is none."""
    try:
        Access(None, Origins(**origins), anybody=anybody).admit(headers, [], client, "chat", "openai")
    except Refusal as refusal:
        return refusal.kind
    return ""


@pytest.mark.parametrize("client", [HERE, "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_keys_this_machine_needs_none(client: str) -> None:
    assert local(client=client) == ""


@pytest.mark.parametrize("client", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "", "testclient"])
def test_without_keys_other_machines_are_refused_unless_it_was_said(client: str) -> None:
    assert local(client=client) == "unauthorized"
    assert local(client=client, anybody=True) == ""


@pytest.mark.parametrize("name", [b"X-Forwarded-For", b"forwarded", b"x-real-ip"])
def test_without_keys_what_a_proxy_passes_on_is_refused(name: bytes) -> None:
    assert local([*HOST, (name, b"127.0.0.1")]) == "unauthorized"


@pytest.mark.parametrize(
    "host", [b"localhost", b"LOCALHOST:1", b"127.0.0.1", b"[::1]:8080", b"127.0.0.1:8080"]
)
def test_without_keys_this_machines_names_are_served(host: bytes) -> None:
    assert local([(b"Host", host)]) == ""


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"localhost.evil.example:8080", b"10.0.0.1", b"", b"127.0.0.1@evil.example", b"[::1"],
)
def test_without_keys_a_name_that_was_rebound_is_refused(host: bytes) -> None:
    assert local([(b"host", host)]) == "forbidden"
    assert local([(b"host", host)], anybody=True) == "forbidden"


def test_without_keys_names_that_were_set_are_served() -> None:
    assert local([(b"host", b"midstream:8080")], hosts=("midstream",)) == ""
    assert local([(b"host", b"10.0.0.1:8080")], "10.0.0.2", host="10.0.0.1", anybody=True) == ""
    assert local([(b"host", b"10.0.0.1:8080")], "10.0.0.2", host="0.0.0.0", anybody=True) == ""
    assert local([(b"host", b"evil.example")], "10.0.0.2", host="0.0.0.0", anybody=True) == "forbidden"
    assert local([]) == "forbidden"
    assert local([*HOST, *HOST]) == "bad_request"


def test_with_keys_any_name_is_served(tmp_path: Path) -> None:
    door = Door(tmp_path)
    headers = [(b"host", b"gateway.example"), (b"x-api-key", door.key.encode())]
    assert door.access.admit(headers, [], HERE, "messages", "anthropic").id == "ci"


PAGE = b"https://chat.example.com"


def test_a_page_is_refused_with_and_without_keys_unless_it_is_named(tmp_path: Path) -> None:
    for origin in (b"https://evil.example", b"null", b"http://127.0.0.1:8080", PAGE + b".evil.example", b""):
        assert local([*HOST, (b"Origin", origin)]) == "forbidden"
        assert local([*HOST, (b"origin", origin)], allowed=(PAGE.decode(),)) == "forbidden"
    assert local([*HOST, (b"origin", PAGE)], allowed=(PAGE.decode(),)) == ""
    door = Door(tmp_path)
    headers = [(b"x-api-key", door.key.encode()), (b"origin", PAGE)]
    with pytest.raises(Refusal) as caught:
        door.access.admit(headers, [], HERE, "chat", "openai")
    assert caught.value.kind == "forbidden"


def test_a_page_that_is_named_may_read_answers_and_errors() -> None:
    access = Access(None, Origins((PAGE.decode(),)))
    caller = access.admit([*HOST, (b"origin", PAGE)], [], HERE, "chat", "openai")
    assert (b"access-control-allow-origin", PAGE) in caller.headers()
    assert (b"vary", b"origin") in caller.headers()
    with pytest.raises(Refusal) as caught:
        access.admit([*HOST, (b"origin", PAGE)], [], "10.0.0.1", "chat", "openai")
    assert (b"access-control-allow-origin", PAGE) in caught.value.headers
    assert all(b"credentials" not in name for name, _ in caught.value.headers)


def test_a_browser_is_told_what_it_may_send() -> None:
    access = Access(None, Origins((PAGE.decode(),)))
    asked = [*HOST, (b"origin", PAGE), (b"access-control-request-method", b"POST")]
    wanted = b"authorization,content-type, x-stainless-os"
    told = dict(access.preflight("OPTIONS", [*asked, (b"access-control-request-headers", wanted)]) or ())
    assert told[b"access-control-allow-headers"] == wanted
    assert told[b"access-control-allow-origin"] == PAGE
    assert b"POST" in told[b"access-control-allow-methods"]
    assert access.preflight("POST", asked) is None
    assert access.preflight("OPTIONS", HOST) is None
    odd = dict(access.preflight("OPTIONS", [*asked, (b"access-control-request-headers", b"a: b")]) or ())
    assert b"access-control-allow-headers" not in odd
    with pytest.raises(Refusal):
        access.preflight("OPTIONS", [*asked[:1], (b"origin", b"https://evil.example"), *asked[2:]])
