"""Plain text: words that no cutting of the bytes can change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors._decoder import Decoder
from connectors.plain import PlainText, TextFraming
from operators.packet import Finish, Kind
from tests.connectors.cutting import CUTS, cut, deltas, pieces, same
from tests.connectors.heard import sort

WIRE = st.one_of(
    st.binary(max_size=200),
    st.text(" \n\tab🚲é\u3000", max_size=200).map(str.encode),
    st.lists(
        st.sampled_from([b"\xff", b"\xe2\x80", b"\xf0\x9f\x9a", "🚲".encode(), b" a", b"\n"]), max_size=40
    ).map(b"".join),
)


def decoder() -> Decoder:
    return Decoder(TextFraming(), PlainText())


def words(wire: bytes) -> list[str]:
    return [delta.text for delta in deltas(decoder(), [wire]) if delta.kind == Kind.TEXT]


@given(WIRE, CUTS)
def test_any_cutting_gives_the_same_deltas(wire: bytes, cuts: list[int]) -> None:
    whole = same(deltas(decoder(), [wire]))
    assert same(deltas(decoder(), cut(wire, cuts))) == whole
    assert same(deltas(decoder(), pieces(wire, 1))) == whole


@given(WIRE)
def test_words_joined_are_the_text_and_no_longer_than_they_may_be(wire: bytes) -> None:
    said = words(wire)
    assert "".join(said) == wire.decode("utf-8", "replace")
    assert all(0 < len(word) <= 64 for word in said)


def test_word_has_the_space_before_it() -> None:
    assert words(b"One  two\nthree. \n") == ["One", "  two", "\nthree.", " \n"]


def test_long_word_is_cut_at_64_characters() -> None:
    assert [len(word) for word in words(b"a" * 150 + b" b")] == [64, 64, 22, 2]


def test_word_is_given_when_the_next_one_begins() -> None:
    framing = TextFraming()
    assert framing.receive_data(b"Hel") == [("begin", b"")]
    assert framing.receive_data(b"lo") == []
    assert framing.receive_data(b" w") == [("word", b"Hello")]


@given(st.lists(st.sampled_from([b"ok ", b"\xff", b"\xc3", b"\xe2\x82 "]), max_size=20))
def test_each_invalid_sequence_is_reported_where_it_stands(parts: list[bytes]) -> None:
    wire = b"".join(parts)
    expected = []
    at = 0
    while at < len(wire):
        try:
            wire[at:].decode()
            break
        except UnicodeDecodeError as error:
            expected.append(f"no UTF-8 at byte {at + error.start}")
            at += error.end
    assert sort(deltas(decoder(), [wire])).errors == expected[:16]


def test_report_follows_the_word_it_is_about() -> None:
    said = [(Kind(delta.kind).name, delta.text) for delta in deltas(decoder(), [b"a b\xff c d"])]
    assert said[1:5] == [
        ("TEXT", "a"),
        ("TEXT", " b\ufffd"),
        ("ERROR", "no UTF-8 at byte 3"),
        ("TEXT", " c"),
    ]


def test_text_is_over_with_its_bytes() -> None:
    for wire in (b"", b"a"):
        heard = sort(deltas(decoder(), [wire]))
        assert (heard.finishes, heard.errors) == ([Finish.STOP], [])


def test_text_that_looks_like_json_is_text() -> None:
    assert words(b'{"a": 1} [DONE] 42 data: x') == ['{"a":', " 1}", " [DONE]", " 42", " data:", " x"]
