"""A caller's key: how it is made, what is kept of it, where it stands in a request."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._keys import Key, hashed, id_of, new_key, parse, right
from connectors._presented import presented, without_keys
from tests.connectors.door import HOST


def test_a_key_has_256_random_bits_and_its_id() -> None:
    keys = {new_key("ci") for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"ms-ci-[A-Za-z0-9_-]{43}", key) and id_of(key) == "ci" for key in keys)


def test_of_a_key_its_hash_is_kept_and_no_part_of_it() -> None:
    key = new_key("ci")
    kept = hashed(key)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", kept)
    assert key[6:14] not in kept
    assert right(key, Key(kept))
    assert not right(key[:-1] + ("a" if key[-1] != "a" else "b"), Key(kept))
    assert not right(key, None)


def test_an_unknown_id_is_compared_as_a_known_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("connectors._keys.hmac.compare_digest", compare)
    assert not right(new_key("nobody"), None)
    assert not right("", None)
    assert [len(other) for _, other in compared] == [71, 71], "a hash each time"


@given(st.text(max_size=80))
def test_what_no_key_looks_like_has_no_id(said: str) -> None:
    assert id_of(said) == ""
    assert id_of(new_key("a") + said) == ("a" if not said else "")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("[keys.ci", "no TOML"),
        ("limit = 3", "only tables named keys.ID"),
        ("keys = 3", "only tables named keys.ID"),
        ("[keys]\nci = 3", "key ci: Expected `object`"),
        ("[keys.ci]", "key ci: .*hash"),
        ('[keys.ci]\nhash = "abc"', "key ci: Expected `str` matching regex"),
        ('[keys."A B"]', "key number 1: its id has"),
        ('[keys.ci]\nhash = "H"\nscopes = ["chats"]', "no such scope: 'chats'; there are chat, "),
        ('[keys.ci]\nhash = "H"\nscope = ["chat"]', "key ci: .*`scope`"),
        ('[keys.ci]\nhash = "H"\ntokens_per_day = 0', "tokens_per_day"),
        ('[keys.ci]\nhash = "H"\nexpires = 2027-01-01', "expires"),
        ('[keys.ci]\nhash = "H"\nexpires = 2027-01-01T00:00:00', "expires"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(wrong: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(wrong.replace('"H"', f'"{hashed("x")}"'))


def test_a_key_taken_for_its_name_is_not_in_the_message() -> None:
    key = new_key("ci")
    with pytest.raises(ValueError, match="key number 1") as caught:
        parse(f'[keys."{key}"]\nhash = "{hashed(key)}"')
    assert key not in str(caught.value)


PLACES = [
    ([(b"Authorization", b"Bearer KEY")], []),
    ([(b"authorization", b"bearer  KEY ")], []),
    ([(b"x-api-key", b"KEY")], []),
    ([(b"X-Goog-Api-Key", b"KEY")], []),
    ([(b"api-key", b"KEY")], []),
    ([], [("key", "KEY")]),
    ([(b"sec-websocket-protocol", b"realtime, openai-insecure-api-key.KEY, openai-beta.realtime-v1")], []),
    ([(b"authorization", b"Bearer placeholder"), (b"x-api-key", b"KEY")], []),
]


@pytest.mark.parametrize(("headers", "query"), PLACES)
def test_a_key_is_found_wherever_an_sdk_puts_it_and_goes_on_from_nowhere(
    headers: Sequence[tuple[bytes, bytes]], query: Sequence[tuple[str, str]]
) -> None:
    key = new_key("ci")
    headers = [(name, value.replace(b"KEY", key.encode())) for name, value in headers]
    query = [(name, value.replace("KEY", key)) for name, value in query]
    assert presented(headers, query) == key
    kept = [(b"content-type", b"application/json")]
    rest, asked = without_keys([*headers, *kept], [*query, ("alt", "sse")])
    assert (rest[-1:], asked) == (kept, [("alt", "sse")])
    assert key.encode() not in b"".join(value for _, value in rest)
    assert b"placeholder" not in b"".join(value for _, value in rest)


def test_other_subprotocols_stay() -> None:
    said = [(b"sec-websocket-protocol", b"realtime, openai-insecure-api-key.abc,openai-beta.realtime-v1")]
    assert without_keys(said, [])[0] == [(b"sec-websocket-protocol", b"realtime, openai-beta.realtime-v1")]


def test_no_key_is_none() -> None:
    assert presented([(b"authorization", b"Basic abc"), *HOST], [("q", "1")]) == ""
