"""Characters are read as symbols of both forms as the slow twin reads them, however they come."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.reading import BARE, BREAK, EDGE, SPELT, UNSEEN, read
from tests import naive_reading as naive
from tests.stages import CUTS, cut

PLAIN = {
    ord("a"): 4,
    ord("b"): 5,
    ord(" "): 6,
    ord("."): 7,
    ord("\n"): 8,
    0x200B: 0,
    ord("fi"[0]): 9,
    ord("i"): 10,
}
LETTERS = {ord("a"): 4, ord("b"): 5, ord("f"): 6, ord("i"): 7, 0x200B: 0}
LIGATURE = 0xFB01
FORMS = naive.Forms(PLAIN, LETTERS, {LIGATURE: [ord("f"), ord("i")]})
ALPHABET = "aab ..!\n\u200b\ufb01。漢"


def tables() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    plain, letters = np.full(0x110000, 3, np.uint16), np.full(0x110000, EDGE, np.uint16)
    for table, known in ((plain, PLAIN), (letters, LETTERS)):
        for code, symbol in known.items():
            table[code] = symbol
        table[LIGATURE] = SPELT
    return plain, letters, np.array([LIGATURE], np.int32), np.array([[ord("f"), ord("i"), -1, -1]], np.int32)


TABLES = tables()


def heard(parts: list[list[naive.Char]], layer: int = 1) -> list[list[naive.Char]]:
    """What the kernel reads in one layer, a delta for each part."""
    state, both = np.zeros((1, 3), np.int32), [[], []]
    for part in parts:
        chars = np.array(part, np.int32).reshape(-1, 4)
        spans = np.array([[0, layer, 0, len(part)]], np.int32)
        first, last = np.zeros((2, 1, 6), np.int32)
        symbols = np.zeros((8 * len(part) + 8, 4), np.int32)
        read(np.zeros(1, np.int32), chars, spans, TABLES, state, first, last, symbols)
        for form in (0, 1):
            reading = 2 * layer + form
            both[form] += map(tuple, symbols[first[0, reading] : last[0, reading]].tolist())
    read(
        np.zeros(1, np.int32), chars, np.array([[0, -1, 0, 0]], np.int32), TABLES, state, first, last, symbols
    )  # fmt: skip
    assert not state.any()
    return both


def told(text: str) -> list[naive.Char]:
    """A text as characters; ``|`` is where nothing goes on."""
    return [(-1 if char == "|" else ord(char), at, at + 1, at) for at, char in enumerate(text)]


@settings(deadline=None)
@given(st.text(ALPHABET + "|", max_size=60), CUTS)
def test_however_they_come_characters_are_read_as_the_twin_reads_them(text: str, cuts: list[int]) -> None:
    chars = told(text)
    assert heard(cut(chars, cuts) or [[]]) == list(naive.read(chars, FORMS))


def test_endless_runs_of_what_is_not_seen_or_no_letter_break() -> None:
    plain, letters = heard([told("a" + "\u200b" * UNSEEN + "b")])
    assert [symbol for symbol, *_ in plain] == [4, BREAK, 5]
    assert [symbol for symbol, *_ in letters] == [4, BREAK, 5]
    _, letters = heard([told("a" + "." * (BARE + 1))])
    assert [symbol for symbol, *_ in letters] == [4, EDGE, BREAK]


def test_a_ligature_is_two_letters_of_one_character() -> None:
    plain, letters = heard([told("\ufb01")])
    assert plain == [(9, 0, 1, 0), (10, 0, 1, 0)]
    assert letters == [(6, 0, 1, 0), (7, 0, 1, 0)]


def test_a_sentence_ends_with_white_space_behind_a_word() -> None:
    said = [
        [symbol for symbol, *_ in heard([told(text)])[1]]
        for text in ("ab. a", "a. a", "ab.a", "a\n\na", "a。a")
    ]
    assert said == [[4, 5, EDGE, BREAK, 4], [4, EDGE, 4], [4, 5, EDGE, 4], [4, EDGE, BREAK, 4], [4, BREAK, 4]]
