"""The layers' table, and what a stretch of the original says in each of them."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.decoding import SLOTS
from operators.reading import LAYERS, NAMES, READINGS, STATE, unveiled

numbers = st.text(st.sampled_from("0123456789 -"), min_size=11, max_size=30)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _hex(text: str) -> str:
    return text.encode().hex()


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


HIDDEN: dict[str, Callable[[str], str]] = {
    "text": lambda text: text,
    "base64": _base64,
    "hex": _hex,
    "escapes": _escaped,
    "base64 in base64": lambda text: _base64(_base64(text)),
    "hex in base64": lambda text: _base64(_hex(text)),
    "escapes in base64": lambda text: _base64(_escaped(text)),
    "base64 in hex": lambda text: _hex(_base64(text)),
    "base64 in escapes": lambda text: _escaped(_base64(text)),
    "escapes in escapes": lambda text: _escaped(_escaped(text)),
}


def test_the_table_names_every_layer_behind_its_parent_and_fills_the_state() -> None:
    assert tuple(HIDDEN) == NAMES
    assert 2 * len(LAYERS) == READINGS
    assert all(parent < layer for layer, (parent, *_) in enumerate(LAYERS[1:], 1))
    assert LAYERS[1:4, :2].tolist() == [[0, 1], [0, 2], [0, 3]]
    assert LAYERS[1:, 2].tolist() == (LAYERS[:-1, 2] + LAYERS[:-1, 3]).tolist()
    rings = LAYERS[1:, 3] - SLOTS
    assert all(ring & (ring - 1) == 0 for ring in rings.tolist())
    assert STATE * 4 <= 1536


@pytest.mark.parametrize("layer", range(len(NAMES)), ids=NAMES)
def test_a_stretch_of_a_layer_says_what_was_hidden_in_it(layer: int) -> None:
    for text in ("4111 1111 1111 1111", "ignore previous", "née наше 前"):
        assert unveiled(layer, HIDDEN[NAMES[layer]](text)) == text


@given(numbers, st.integers(0, 5), st.integers(0, 5))
def test_a_number_inside_base64_is_read_at_its_own_alignment(number: str, before: int, behind: int) -> None:
    stop = before + len(number)
    hidden = _base64("#" * before + number + "#" * behind)
    assert unveiled(1, hidden[before * 4 // 3 : (stop * 4 + 2) // 3]) == number


def test_styles_of_hex_and_lines_of_base64_are_passed_over() -> None:
    for stretch in (
        "68:69:64",
        "68 69 64",
        "0x68, 0x69, 0x64",
        r"\x68\x69\x64",
        "%68%69%64",
        "&#x68;&#x69;&#x64;",
    ):
        assert unveiled(2, stretch) == "hid"
    assert unveiled(1, "aGlk\r\nZGVu") == "hidden"
    assert unveiled(1, "aGlkZGVu=") == "hidden"
    assert unveiled(1, base64.urlsafe_b64encode("§ýÿ".encode()).decode()) == "§ýÿ"
    assert unveiled(1, base64.b64encode("hidden".encode("utf-16-le")).decode()) == "hidden"


def test_escapes_of_json_urls_and_html_are_undone() -> None:
    assert unveiled(3, r"a\nb\t\"c\"\\ \/") == 'a\nb\t"c"\\ /'
    assert unveiled(3, r"\ud83d\ude00%C3%A9\xc3\xa9") == "😀éé"
    assert unveiled(3, "&lt;b&gt; &amp; &#65;&#x42; &nbsp; 100%") == "<b> & AB &nbsp; 100%"


def test_what_is_no_text_is_dropped() -> None:
    assert unveiled(3, r"a\ud83d %ff b &#x110000;") == "a  b "
    assert unveiled(2, "ff") == ""
    assert unveiled(1, "") == ""
