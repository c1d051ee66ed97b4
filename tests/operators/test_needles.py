"""Needles never say that an expression is not found where Python finds it; and they do say something."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators.needles import needles

LETTERS = "aksiSKI"
FOLDING = "ſıİ\u212aßéﬁ"
"""Four are letters of ASCII where case is ignored, three are not."""

_ATOMS = st.one_of(
    st.text(LETTERS, min_size=1, max_size=4),
    st.text(LETTERS + FOLDING, min_size=1, max_size=3),
    st.sampled_from(
        ["[ak]", "[^s]", r"\w", r"\d", ".", r"\b", "^", "$", "[ſk]", r"\x61", "[a]", r"\u017f", "()"]
    ),
)
_OPENINGS = ("(?:", "(", "(?i:", "(?-i:", "(?s:", "(?x: ", "(?>", "(?=", "(?!", "(?a:")
_REPEATS = ("?", "*", "+", "{2}", "{0,2}", "{1,3}", "??", "+?", "?+", "++", "{0}")
EXPRESSIONS = st.recursive(
    _ATOMS,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map("".join),
        st.builds(
            lambda opening, some: f"{opening}{'|'.join(some)})",
            st.sampled_from(_OPENINGS),
            st.lists(st.one_of(parts, st.just("")), min_size=1, max_size=3),
        ),
        st.builds(lambda part, times: f"(?:{part}){times}", parts, st.sampled_from(_REPEATS)),
        st.builds(lambda part, more: f"(?:({part})?(?(1)ak|{more}))", parts, st.sampled_from(["s", "si"])),
    ),
    max_leaves=6,
)
TEXTS = st.lists(st.text(LETTERS + "1 ", max_size=12), min_size=1, max_size=12)


@settings(max_examples=600)
@given(st.sampled_from(["", "(?x)", "(?a)", "(?s)"]), EXPRESSIONS, TEXTS)
@example("", "(?>ak|si)s", ["aks", "SIS"])
@example("", "(?>)ak", ["ak"])
@example("", "(?>a)", ["A"])
def test_what_is_found_holds_a_needle(flags: str, expression: str, texts: list[str]) -> None:
    compiled = re.compile(flags + expression, re.IGNORECASE)
    known = needles(flags + expression)
    assert all(needle.isascii() and needle == needle.lower() for needle in known)
    for text in texts:
        if known and compiled.search(text):
            assert any(needle in text.lower() for needle in known)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("phone", {"phone"}), ("PHONE", {"phone"}), ("(?:phone|tel)$", {"phone", "tel"}),
        ("(?:phone|)", set()),
        ("phone?", {"phon"}), ("(?:phone)?", set()), ("(?:phone)+", {"phone"}), ("a[bc]phone", {"phone"}),
        ("пароль|senha", {"senha"}), ("пароль", set()), ("a|phone", set()), ("(?!phone)tel", {"tel"}),
        ("ta\u212aen", {"ta"}), ("(?>phone)", {"phone"}), ("(?x) ph one # x", {"phone"}), ("", set()),
    ],
)  # fmt: skip
def test_of_an_expression_the_part_that_says_most(expression: str, expected: set[str]) -> None:
    assert needles(expression) == expected


def test_every_letter_beyond_ascii_that_is_one_of_ascii_is_known() -> None:
    ascii_letters = "".join(map(chr, range(128)))
    for code in (*range(128, 0xD800), *range(0xE000, 0x20000)):
        if re.search(chr(code), ascii_letters, re.IGNORECASE):
            assert not needles("ab" + chr(code)) - {"ab"}
            assert not needles(chr(code) * 3)


def test_what_is_no_expression_raises() -> None:
    with pytest.raises(re.error):
        needles("(ab")


def test_shipped_announcements_have_needles() -> None:
    packs = [each for each in resources.files("operators.packs").iterdir() if each.name.endswith(".toml")]
    rules = [rule for each in packs for rule in tomllib.loads(each.read_text("utf-8")).get("rules", [])]
    near = [rule["near"] for rule in rules if "near" in rule]
    assert sum(map(bool, map(needles, near))) > len(near) / 2
