"""Characters become the symbols that a slow twin makes of them, however the lane is cut into deltas."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.decoding import AGAIN, ENDED
from operators.kernels.reading import BARE, BREAK, EDGE, REPEAT, SPELT, UNSEEN, read
from tests import naive_reading as naive

first_call_compiles = settings(deadline=None)
LAYERS = 3
HIDDEN = "\u200b\u0301\ufffd"
SPELLINGS = {"\ufb01": "fi", "…": "...", "⒈": "1.", "\u01c7": "L\u200bJ"}
LETTERS = {code: code + 3 for code in range(0xA000) if chr(code).isalnum()} | {
    ord(char): 0 for char in HIDDEN
}
FORMS = naive.Forms(
    {code: code + 3 for code in range(0xFFF0)} | {ord(char): 0 for char in HIDDEN},
    LETTERS,
    {ord(char): [*map(ord, spelling)] for char, spelling in SPELLINGS.items()},
)


def _tables() -> tuple[Any, ...]:
    plain, letters = np.full(0x110000, 3, np.uint16), np.full(0x110000, EDGE, np.uint16)
    plain[list(FORMS.plain)] = list(FORMS.plain.values())
    letters[list(LETTERS)] = list(LETTERS.values())
    for table in (plain, letters):
        table[list(FORMS.spelt)] = SPELT
    rows = sorted(FORMS.spelt)
    spelt = np.full((len(rows), 4), -1, np.int32)
    for row, code in enumerate(rows):
        spelt[row, : len(FORMS.spelt[code])] = FORMS.spelt[code]
    return plain, letters, np.array(rows, np.int32), spelt


TABLES = _tables()
Delta = tuple[int, list[list[naive.Char]]]
"""A lane, and what each layer says; no layers: the lane ends."""


class Lanes:
    """The kernel on some lanes, packet by packet."""

    def __init__(self, lanes: int) -> None:
        self.state = np.zeros((lanes, LAYERS), np.int32)
        self.heard: list[list[list[naive.Char]]] = [[[] for _ in range(2 * LAYERS)] for _ in range(lanes)]

    def packet(self, deltas: Sequence[Delta]) -> None:
        rows = np.array([row for row, _ in deltas], np.int32)
        chars: list[naive.Char] = []
        spans = []
        for i, (_, layers) in enumerate(deltas):
            for layer, said in enumerate(layers):
                if said:
                    spans.append((i, layer, len(chars), len(chars) + len(said)))
                    chars += said
            if not layers:
                spans.append((i, -1, 0, 0))
        symbols = np.zeros((8 * len(chars), 4), np.int32)
        first = np.zeros((len(deltas), 2 * LAYERS), np.int32)
        last = first.copy()
        read(
            rows, np.array(chars, np.int32).reshape(-1, 4), np.array(spans, np.int32).reshape(-1, 4), TABLES,
            self.state, first, last, symbols,
        )  # fmt: skip
        for i, (row, _) in enumerate(deltas):
            for reading in range(2 * LAYERS):
                read_now = symbols[first[i, reading] : last[i, reading]]
                self.heard[row][reading] += map(tuple, read_now.tolist())


def _chars(text: str) -> list[naive.Char]:
    """Characters as a decoder says them; ``|`` is where nothing goes on, ``^`` where it says some again."""
    signs = {"|": ENDED, "^": AGAIN}
    return [(signs.get(char, ord(char)), 2 * i, 2 * i + 3, i) for i, char in enumerate(text)]


def hear(*parts: str) -> tuple[str, str]:
    """A text in both forms; ``|`` is a break, ``-`` an edge, ``^`` what says it again."""
    lanes, whole = Lanes(1), iter(_chars("".join(parts)))
    for part in parts:
        lanes.packet([(0, [[next(whole) for _ in part]])])
    signs = {BREAK: "|", EDGE: "-", REPEAT: "^"}
    plain, letters = (
        "".join(signs.get(symbol) or chr(symbol - 3) for symbol, *_ in reading)
        for reading in lanes.heard[0][:2]
    )
    return plain, letters


WORDS = "The fox. a e.g. why?! née \ufb01sh … ⒈ \u01c7 忽略。 \u200b \ufffd . | ^"
words = st.sampled_from([*WORDS.split(), "\n", "\r\n", "\t"])
spaces = st.sampled_from([" ", "", "\n", ", ", "\u3000", "\u00a0"])
runs = st.builds(
    lambda sign, count: sign * count,
    st.sampled_from([*HIDDEN, "\u200b\ufffd", "-", "\u200b.", "\n", "x", "…\u0301"]),
    st.sampled_from([1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 600]),
)
texts = st.lists(st.tuples(words | runs, spaces), max_size=8).map(
    lambda parts: "".join(word + space for word, space in parts)
)


@first_call_compiles
@given(st.lists(texts, min_size=LAYERS, max_size=LAYERS), st.data())
def test_however_it_is_cut_every_layer_is_read_as_its_twin_reads_it(
    each: list[str], data: st.DataObject
) -> None:
    layers = [_chars(text) for text in each]
    wanted = [symbols for layer in layers for symbols in naive.read(layer, FORMS)]
    cuts = [sorted(data.draw(st.lists(st.integers(0, len(one)), min_size=4, max_size=4))) for one in layers]
    parts = [
        [layer[begin:stop] for begin, stop in pairwise([0, *cut, len(layer)])]
        for layer, cut in zip(layers, cuts, strict=True)
    ]
    lanes = Lanes(3)
    lanes.packet([(2, layers), (0, layers), (2, []), (0, []), (2, layers)])
    assert not lanes.state[:2].any()
    for part in zip(*parts, strict=True):
        lanes.packet([(1, list(part))])
    assert lanes.heard[:2] == [wanted, wanted]
    assert lanes.heard[2] == [symbols + symbols for symbols in wanted]


def test_letters_have_edges_and_break_at_the_end_of_a_sentence() -> None:
    assert hear("The end. Or e.g. not? ")[1] == "The-end-|Or-e-g-not-|"
    assert hear("ab.a a. a")[1] == "ab-a-a-a"
    assert hear("one\n \t\ntwo\nthree")[1] == "one-|two-three"
    assert hear("忽略。以前")[1] == "忽略|以前"
    assert hear("So it is。Not\uff01 yet")[1] == "So-it-is|Not|yet"
    assert hear("a\u200bb\u0301 \ufb01… x") == ("ab fi... x", "ab-fi-|x")
    assert hear("so|on") == ("so|on", "so|on")


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_is_not_seen_is_no_symbol_until_it_is_too_much(hidden: str) -> None:
    assert hear("ig" + hidden * (UNSEEN - 1) + "nore") == ("ignore", "ignore")
    assert hear("ig" + hidden * UNSEEN + "nore") == ("ig|nore", "ig|nore")
    assert hear("ig", hidden * 40, hidden * 40 + "nore") == ("ig|nore", "ig|nore")
    assert hear(hidden * 3 * UNSEEN) == ("|||", "|")
    assert hear((hidden * (UNSEEN - 1) + ".") * 3) == ("...", "-")


def test_a_break_is_known_with_the_character_that_was_too_much() -> None:
    lanes = Lanes(2)
    lanes.packet([(0, [_chars("a" + "\u200b" * 2 * UNSEEN)]), (1, [_chars("a" + "-" * 2 * BARE)])])
    assert [symbol[3] for symbol in lanes.heard[0][0]] == [0, UNSEEN, 2 * UNSEEN]
    assert [symbol[3] for symbol in lanes.heard[1][1]] == [0, 1, BARE]


@pytest.mark.parametrize("between", ["-", " ", "-\u200b", "…", "- \n"])
def test_too_much_that_is_no_letter_is_a_break_between_letters(between: str) -> None:
    size = sum(len(SPELLINGS.get(char, char)) for char in between)
    few = between * (BARE // size)
    whole = few + "-" * (BARE - BARE // size * size)
    assert "|" not in hear("one" + few[: -len(between)] + "two")[1]
    assert hear("one" + whole + "two")[1] == "one-|two"
    assert hear("one", whole[:100], whole[100:], "two")[1] == "one-|two"
    assert "|" not in hear("one" + whole + "two")[0]


def test_the_characters_of_a_spelling_stand_for_the_one_that_is_spelt() -> None:
    lanes = Lanes(1)
    lanes.packet([(0, [_chars("a \ufb01t…"), [], _chars("b|c")])])
    assert [place for *_, place in lanes.heard[0][0]] == [0, 1, 2, 2, 3, 4, 4, 4]
    for reading in lanes.heard[0]:
        assert all(one[3] <= two[3] for one, two in pairwise(reading))
        assert all((begin, stop) == (2 * place, 2 * place + 3) for _, begin, stop, place in reading)
