"""All strings of an event are leaves, but those that can only be names, codes, or what nobody can read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors._leaves import leaves

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


def strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node] if node else []
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return [text for each in inside for text in strings(each)]


@given(st.dictionaries(st.sampled_from("abcd"), JSON))
def test_every_string_under_an_unknown_key_is_a_leaf_and_can_be_written(event: dict[str, Any]) -> None:
    found = leaves(event)
    assert [leaf.text for leaf in found] == strings(event)
    for leaf in found:
        leaf.holder[leaf.place] = "*"
    assert set(strings(event)) <= {"*"}


def test_names_codes_and_media_are_no_leaves() -> None:
    event = {
        "id": "x", "object": "o", "encrypted_content": "e", "signature": "s",
        "source": {"media_type": "image/png", "data": "iVBOR"}, "image_url": "data:image/png;base64,iVBOR",
    }  # fmt: skip
    assert leaves(event) == []


def test_text_in_the_form_of_media_is_text() -> None:
    event = {"source": {"media_type": "text/plain", "data": "words"}, "url": "data:text/plain,words"}
    assert [leaf.text for leaf in leaves(event)] == ["words", "data:text/plain,words"]


def test_what_stands_below_a_name_is_looked_at() -> None:
    assert [leaf.text for leaf in leaves({"format": {"description": "words"}, "id": {"x": "more"}})] == [
        "words", "more",
    ]  # fmt: skip


def test_a_document_stands_before_what_is_in_it() -> None:
    found = leaves({"functionCall": {"args": {"to": "me"}}})
    assert [(leaf.text, leaf.document) for leaf in found] == [('{"to":"me"}', True), ("me", False)]
