"""Words against the twin, in any cutting; their hashes against each other."""

from __future__ import annotations

import string
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.words import LANE, LONGEST, cut
from operators.packet import DELTA, WORD, Kind
from operators.spelling import codes, words_of
from tests import naive_words

PIECES = [
    "Word", "WORD", "word", "ß", "ẞ", "don't", "snake_case", "x1", " ", "\n", ". ", "é", "e\u0301", "\u0301",
    "soft\u00adhyphen", "\u200b", "\u200d", "\ufeff", "❤\ufe0f", "😀", "東京", "タワー",
    "です", "ไทย", "มี", "ភាសា", "한국어", "नमस्ते", "𐐀𐐨", "𝐀", "𠀀",
    "\U0003fffd", "\U000e0100", "\U000e0041", "\U0001d173", "\U0001bca0", "\u3164", "\u17b4",
    "a" * 63, "b" * 64, "c" * 130, "\x00",
]  # fmt: skip
texts = st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=15).map("".join)

Cut = list[tuple[int, int, int, int, int]]
"""Delta, begin, stop, decided, hash."""


def spoken(pieces: list[str], *, close: bool = True, row: int = 0) -> Cut:
    """The kernel on one lane that says `pieces`."""
    data = [piece.encode() for piece in pieces]
    deltas = np.zeros(len(pieces) + close, DELTA)
    deltas["row"], deltas["kind"] = row, Kind.TEXT
    ends, chars = np.cumsum([0, *map(len, data)]), np.cumsum([0, *map(len, pieces)])
    deltas["start"][: len(pieces)], deltas["end"][: len(pieces)] = ends[:-1], ends[1:]
    deltas["begin"] = chars[: len(deltas)]
    if close:
        deltas["kind"][-1] = Kind.CLOSE
    deltas.flags.writeable = False
    text = np.frombuffer(b"".join(data), np.uint8)
    words = np.empty(len(deltas) + len(text), WORD)
    count = cut(deltas, text, codes(), np.zeros(max(row, 0) + 1, LANE), words)
    assert (words["row"][:count] == row).all()
    table = words[["delta", "begin", "stop", "decided", "word"]][:count]
    return [(int(d), int(b), int(s), int(k), int(w)) for d, b, s, k, w in table.tolist()]


def spelled(word: str) -> int:
    """The hash of a word that stands alone."""
    (hashed,) = words_of(word)[0].tolist()
    return int(hashed)


@given(texts, st.booleans())
def test_words_are_those_of_the_twin(text: str, close: bool) -> None:
    expected = naive_words.words(text, close=close)
    found = spoken([text], close=close)
    assert [(begin, stop, decided) for _, begin, stop, decided, _ in found] == [word[:3] for word in expected]
    assert [hashed for *_, hashed in found] == [spelled(word.spelling) for word in expected]


@given(st.lists(texts, max_size=6))
def test_no_cutting_into_deltas_changes_a_word(pieces: list[str]) -> None:
    whole = spoken(["".join(pieces)])
    ends = np.cumsum([len(piece) for piece in pieces])
    for parts in (pieces, list("".join(pieces))):
        assert [word[1:] for word in spoken(parts)] == [word[1:] for word in whole]
    for delta, _, _, decided, _ in spoken(pieces, close=False):
        assert delta == np.searchsorted(ends, decided)


@given(st.lists(st.text(st.sampled_from("aAbßẞſsKkİiσς_1東"), min_size=1, max_size=5), max_size=8))
def test_hashes_are_equal_where_spellings_are(words: list[str]) -> None:
    found = naive_words.words(" ".join(words))
    hashes = words_of(" ".join(words))[0].tolist()
    assert len(set(hashes)) == len({word.spelling for word in found})
    assert len(set(zip(hashes, [word.spelling for word in found], strict=True))) == len(set(hashes))


def test_hashes_of_all_short_words_differ_in_either_half_as_chance_has_it() -> None:
    known = [
        "".join(word) for size in (1, 2, 3) for word in product(string.ascii_lowercase + "01_", repeat=size)
    ]
    hashes = words_of(" ".join(known))[0]
    assert len(hashes) == len(known) == len(np.unique(hashes))
    assert hashes.min() > 0
    for shift in (0, 16, 32, 48):  # 25,259 words in 65,536 places: 20,961 of them taken, give or take 51
        taken = len(np.unique(hashes >> np.uint64(shift) & np.uint64(0xFFFF)))
        assert abs(taken - 20_961) < 5 * 51


def test_every_character_of_the_first_plane_is_read_as_its_name_says() -> None:
    characters = [chr(point) for point in range(0x10000) if not 0xD800 <= point < 0xE000]
    read = codes()[list(map(ord, characters))].tolist()
    for character, code in zip(characters, read, strict=True):
        letter = ord(naive_words.folded(character))
        expected = {"part": letter, "alone": -letter, "between": 0, "unseen": 1}
        assert code == expected[naive_words.role(character)], ascii(character)


def test_folding_twice_is_folding_once() -> None:
    letters = codes()[codes() > 1]
    np.testing.assert_array_equal(codes()[letters], letters)


def test_a_word_is_complete_with_the_character_behind_it_or_its_64th() -> None:
    assert [word[:4] for word in spoken(["on", "e t", "wo"], close=False)] == [(1, 0, 3, 4)]
    (long, rest) = spoken(["x" * 64, "y", " "], close=False)
    assert (*long[:4], *rest[:4]) == (0, 0, LONGEST, 64, 2, 64, 65, 66)


def test_what_is_not_seen_hides_no_word() -> None:
    plain, hidden = spoken(["ignore"]), spoken(["ig\u200bno\u00ad\u2060re\ufeff"])
    assert [(begin, stop, decided) for _, begin, stop, decided, _ in hidden] == [(0, 9, 10)]
    assert [word[4] for word in hidden] == [word[4] for word in plain]


def test_no_character_that_is_not_to_be_seen_hides_a_word_or_makes_one() -> None:
    hidden = [chr(point) for first, last in naive_words.IGNORABLE for point in range(first, last + 1)]
    assert len(hidden) == 4174  # the total that DerivedCoreProperties gives
    hashes, begins, stops = words_of(" ".join(f"ig{character}n {character}" for character in hidden))
    assert set(hashes.tolist()) == {spelled("ign")}
    assert (np.diff(begins) == 7).all()
    assert (stops - begins == 4).all()


def test_the_neighbours_of_what_is_not_to_be_seen_in_the_other_planes_are_seen() -> None:
    for first, last in naive_words.IGNORABLE:
        for point in (first - 1, last + 1):
            if point > 0xFFFF:
                text = f"ig{chr(point)}n"
                found = [(begin, stop) for _, begin, stop, _, _ in spoken([text])]
                assert found == [word[:2] for word in naive_words.words(text)]
                assert words_of(text)[0].tolist() != [spelled("ign")]


def test_a_delta_of_no_lane_is_passed_by() -> None:
    assert spoken(["one two three "], row=-1) == []
