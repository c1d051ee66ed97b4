"""JSON values that arrive piecewise, against the parser that wants them whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._json_array import JsonArrayFraming
from tests.connectors.cutting import CUTS, cut, frames, pieces

VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\[]{},é\n', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('k"}]', max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
ELEMENTS = st.lists(st.dictionaries(st.text('k"}', max_size=3), VALUE, max_size=3), max_size=4)


def parsed(wire: bytes, cuts: list[int]) -> list[Any]:
    events, failed = frames(JsonArrayFraming(), cut(wire, cuts))
    assert failed == ""
    return [json.loads(payload) for _, payload in events]


@given(ELEMENTS, CUTS, st.sampled_from([None, 0, 2]), st.booleans())
def test_array_gives_its_elements(
    values: list[Any], cuts: list[int], indent: int | None, ascii_only: bool
) -> None:
    wire = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    assert parsed(wire, cuts) == values


@given(ELEMENTS, CUTS, st.sampled_from([None, 2]))
def test_objects_one_after_the_other_are_elements_too(
    values: list[Any], cuts: list[int], indent: int | None
) -> None:
    wire = b"\n".join(json.dumps(value, indent=indent).encode() for value in values)
    assert parsed(wire, cuts) == values


@given(st.lists(st.sampled_from(list('[]{},"\\ ab\n')), max_size=40), CUTS, st.integers(0, 12))
def test_any_bytes_are_cut_alike_in_any_pieces(marks: list[str], cuts: list[int], limit: int) -> None:
    wire = "".join(marks).encode()
    whole = frames(JsonArrayFraming(limit), [wire])
    assert frames(JsonArrayFraming(limit), cut(wire, cuts)) == whole
    assert frames(JsonArrayFraming(limit), pieces(wire, 1)) == whole


def test_element_is_given_with_its_last_byte() -> None:
    framing = JsonArrayFraming()
    assert framing.receive_data(b'[{"a": 1') == []
    assert framing.receive_data(b"}") == []
    assert framing.receive_data(b",") == [("", b'{"a": 1}')]
    assert framing.receive_data(b'\n{"b": 2}\n]') == [("", b'{"b": 2}')]


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b'{"a":1} then {"b":2}', "bytes before a JSON value that are none"),
        (b'[{"a":1}]]', "JSON bracket closed that was never opened"),
        (b'[{"a":"123456789"}]', "JSON value longer than 12 bytes"),
    ],
)
def test_fault_ends_the_reading_with_a_reason(wire: bytes, reason: str) -> None:
    _, failed = frames(JsonArrayFraming(12), [wire])
    assert failed == reason


def test_value_cut_short_is_given_as_it_is() -> None:
    assert frames(JsonArrayFraming(), [b'[{"a":1}, {"b": "x']) == ([("", b'{"a":1}'), ("", b'{"b": "x')], "")


def test_byte_order_mark_is_passed_over() -> None:
    assert frames(JsonArrayFraming(), pieces(b"\xef\xbb\xbf[{}]", 1)) == ([("", b"{}")], "")
