"""What a character is read as: normalised for expressions, and folded to letters for phrases.

Strategy. Everything is decided per character, never by what stands beside it, so that text may be cut
anywhere and every normalised character has one original. That rules out composition (``e`` and a combining
acute stay ``e``: marks are not seen), and it makes a reading a table of code points. A letter of a phrase
is compared by *shape*: a character without its accents stands for every letter that looks like it, in the
case in which it looks so (Greek ``Ν`` is an n, ``ν`` is a v), and every letter for both of its cases.
Look-alikes are so no equivalence: ``Ν`` and ``v`` both match the Greek letter nu, but n never matches v.

Decisions that could have been others:

* A character whose NFKC is longer than four characters (``ﷺ``) stays as it is.
* The replacement character and the object placeholder are not seen: broken bytes inside a word must not
  hide it. Tatweel, blank braille and the Hangul fillers are not seen either. Next line, line and paragraph
  separator are line feeds.
* Spacing marks (Mc: the vowel signs of Indic scripts) are letters; non-spacing ones are not seen, in the
  text and in a phrase alike. Modifier letters of the block U+02B0 (``ʼ``) separate words as an apostrophe
  does.
* Accents are folded in all scripts, ``й`` to ``и`` and ``が`` to ``か`` too: the decomposed form of the same
  letter has a mark, and marks are not seen.
* ``@`` and ``$`` are letters in a phrase (a, s), but of no word: ``@ignore`` begins a word at its i.
* Scripts that put no spaces between words have letters, but no words: a phrase may begin at any of them.

Sources: UAX #15 (NFKC), UAX #44 (categories), UTS #39 (which letters are confusable), UAX #29 (scripts
without spaces).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from functools import cache, lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CODES", "SPELT", "UNSEEN", "Chars", "cases", "code_points", "disguises", "inverted", "is_letter",
    "is_word", "letters", "merged", "normal", "spelt_out", "text", "unspaced", "words",
]  # fmt: skip

Chars = tuple[tuple[int, int], ...]
"""A set of code points: inclusive ranges, sorted, none touching the next."""

CODES = 0x110000
UNSEEN = -1
SPELT = -2

_LONGEST_SPELLING = 4
_UNSEEN_CATEGORIES = frozenset({"Cf", "Mn", "Me", "Cc"})
_UNSEEN_CHARACTERS = frozenset("\u0640\u115f\u1160\u2065\u2800\u3164\uffa0\ufffc\ufffd")
_UNSEEN_RANGES = range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000)
_KEPT = {"\t": "\t", "\n": "\n", "\r": "\r", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}

_CHANGING = (
    range(0x3400), range(0xA000, 0xAC00), range(0xD7A4, 0xD800), range(0xF900, 0x17000),
    range(0x1AFF0, 0x20000), range(0x2F800, 0x2FA20), range(0xE0000, 0xE1000),
)  # fmt: skip
"""Where normal() may change a character, or case and accents exist: all but Han, Hangul and private use."""

_UNSPACED = (
    (0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19FF), (0x1A20, 0x1AAF),
    (0x1B00, 0x1B7F), (0x2E80, 0x312F), (0x31A0, 0x9FFF), (0xA000, 0xA4CF), (0xA980, 0xA9FF),
    (0xAA60, 0xAADF), (0xF900, 0xFAFF), (0x16FE0, 0x1B2FF), (0x20000, 0x3FFFF),
)  # fmt: skip
"""Thai, Lao, Tibetan, Myanmar, Khmer, Tai, Javanese, Balinese, Yi, kana, Bopomofo, Han."""

_BESIDE = str.maketrans(
    "øđħłŧıɨƀɓƈɖɗɠɦɩƙɱɲŋƥɾʂƭʉƴƶȷқҝҟңҥҳҷҹґғҙҫҭәөҗӄӈ\u0671\u06cc\u0649\u06a9\u06be\u06c1\u0629ךםןףץ",
    "odhltiibbcddghikmnnprstuyzjкккннхччггзстеожкн\u0627\u064a\u064a\u0643\u0647\u0647\u0647כמנפצ",
)
"""Letters with a stroke, hook or tail, which Unicode does not decompose; letters of Arabic and Hebrew that
differ by place in the word or by country."""

_ALIKE = (
    "aаɑαᴀ𝼀", "bƅЬᏏᖯ", "bʙв", "cсϲᴄꮯ", "dԁᴅᏧᑯ", "dժ", "eеҽᴇꬲ℮", "eєεɛ", "fꜰƒẝ", "fք", "gɡɢƍ", "gց",
    "hһᏂʜ", "hհ", "hнʜ", "iіɩɪᎥꭵ", "iι", "iӏ", "jјϳᴊ", "jյ", "kκкᴋ", "lIІΙӀӏǀʟⵏⲒꓲ", "mмᴍ", "nոɴ", "nռ",
    "nпղ", "oоοօᴏᴑ〇ჿഠⲟ", "oσ", "pрρᴘⲣ", "qԛգ", "qզ", "rгʀᴦꭇⲅ", "sѕꜱꮪƽ", "tтτᴛ", "uυսʋᴜꭎ", "uμ", "vνѵᴠꮩ",
    "wԝѡաɯᴡ", "wω", "wш", "xхχ×ᕁᚷ", "yуγүʏყɣ", "zᴢꮓ",
    "AАΑᎪᗅꓮ", "BВΒᏴꓐᗷ", "CСϹᏟꓚⲤ", "DᎠᗞꓓ", "EЕΕᎬꓰⴹ", "FϜᖴꓝ", "GԌᏀꓖ", "HНΗᎻꓧⲎ", "IІΙӀⲒꓲⵏ", "JЈᎫꓙͿ", "KКΚᏦꓗⲔ",
    "LᏞᒪꓡⳐ", "MМΜϺᎷꓟⲘ", "NΝꓠⲚ", "OОΟՕꓳⲞⵔ", "PРΡᏢꓑⲢ", "QԚⵕ", "RᎡꓣ", "RᏒ", "SЅՏᏚꓢ", "TТΤᎢꓔⲦ", "UՍꓴᑌ",
    "VѴᏙꓦⴸ", "WԜᎳꓪ", "XХΧꓫⲬⵝ", "YУΥҮᎩꓬⲨ", "ZΖᏃꓜ",
    "へヘ", "力カ", "二ニ", "口ロ", "一ー", "工エ", "夕タ", "卜ト", "八ハ",
)  # fmt: skip
"""Letters of one shape, in the case in which they have it: facts of UTS #39, chosen by hand. Two letters of
one alphabet stand in one group only where they look alike themselves (і and Ӏ)."""

_LEET = {
    "0": "o",
    "1": "il",
    "3": "eз",
    "4": "aч",
    "5": "s",
    "6": "б",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
}
_FRAMED = (0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26)
"""First of the circled, squared and regional-indicator letters A to Z that have no NFKC."""


@lru_cache(maxsize=1 << 16)
def normal(char: str) -> str:
    r"""What one character is read as in expressions.

    "" if it is not seen: control, format and non-spacing or enclosing mark characters (but ``\t \n \r``),
    and those named at the top. A decimal digit of any script is the ASCII digit, a space of any width " ";
    anything else is its NFKC without marks, where that takes at most four characters, else itself.

    >>> [normal(c) for c in ("Ａ", "ﬁ", "\u200b", "٣", "é", "\u00a0")]
    ['A', 'fi', '', '3', 'é', ' ']
    """
    if char in _KEPT:
        return _KEPT[char]
    category = unicodedata.category(char)
    if category in _UNSEEN_CATEGORIES or char in _UNSEEN_CHARACTERS:
        return ""
    if any(ord(char) in hidden for hidden in _UNSEEN_RANGES):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Zs":
        return " "
    form = unicodedata.normalize("NFKC", char)
    if form == char:
        return char
    seen = "".join(normal(part) for part in form)
    return seen if len(seen) <= _LONGEST_SPELLING else char


def text(string: str) -> tuple[str, list[int]]:
    """The whole `string` normalised, and for each character of that the index of its original.

    >>> text("a\u200bﬁ")
    ('afi', [0, 2, 2])
    """
    said = [(part, place) for place, char in enumerate(string) for part in normal(char)]
    return "".join(part for part, _ in said), [place for _, place in said]


def disguises(letter: str) -> frozenset[str]:
    """All characters that `letter` of a phrase matches: both cases, with any accent, look-alikes of
    other scripts, leet. Normalised characters only, for the text is normalised before.

    >>> sorted(disguises("S") & set("sS$5ѕşz"))
    ['$', '5', 'S', 's', 'ş', 'ѕ']
    """
    base = _base(letter)
    return _readers().get(base, frozenset()) | {base}


def spelt_out(letter: str) -> str:
    """How `letter` of a phrase is written with several others, "" if it never is: decomposed Hangul (its
    parts are letters, no marks), and ss for ß.
    """
    if "가" <= letter <= "힣":
        return unicodedata.normalize("NFD", letter)
    return "ss" if letter in "ßẞ" else ""


def is_letter(char: str) -> bool:
    """Whether a normalised character is a letter or digit of phrases; all others stand between words."""
    return _inside(char, letters())


def is_word(char: str) -> bool:
    """Whether a normalised character belongs to a word in phrases: a letter or digit of a script that
    puts spaces between words.
    """
    return _inside(char, words())


def cases(char: str) -> frozenset[str]:
    """`char` and the single characters that are the same letter in another case."""
    forms = {char, char.lower(), char.upper(), char.title(), char.casefold()}
    return frozenset(form for form in forms if len(form) == 1)


@cache
def code_points() -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """:func:`normal` of all code points.

    :returns: int32[0x110000], the code point each is read as, UNSEEN or SPELT; int32[k], sorted, those
        that are read as several; int32[k, 4], these, padded with -1.
    """
    single = np.arange(CODES, dtype=np.int32)
    spelt: dict[int, list[int]] = {}
    for code, seen in _changed().items():
        single[code] = ord(seen) if len(seen) == 1 else SPELT if seen else UNSEEN
        if len(seen) > 1:
            spelt[code] = [*map(ord, seen), -1, -1][:_LONGEST_SPELLING]
    spellings = np.array(list(spelt.values()), np.int32).reshape(-1, _LONGEST_SPELLING)
    return single, np.array(list(spelt), np.int32), spellings


@cache
def letters() -> Chars:
    """The letters and digits of phrases."""
    everything = np.arange(CODES, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    alphanumeric = [(run.start(), run.end() - 1) for run in re.finditer(r"[^\W_]+", everything)]
    signs = [(ord(char), ord(char)) for char in chain(_symbols(), "@$")]
    marks = [(code, code) for span in _CHANGING for code in span if unicodedata.category(chr(code)) == "Mc"]
    return _without(merged([*alphanumeric, *signs, *marks]), ((0x02B0, 0x02FF),))


@cache
def unspaced() -> Chars:
    """The letters of scripts that put no spaces between words."""
    return _without(letters(), inverted(_UNSPACED))


@cache
def words() -> Chars:
    """The letters and digits of scripts that put spaces between words."""
    signs = merged([(ord(char), ord(char)) for char in chain(_symbols(), "@$")])
    return _without(_without(letters(), _UNSPACED), signs)


def merged(ranges: list[tuple[int, int]]) -> Chars:
    """The union of ranges of code points."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = out[-1][0], max(high, out[-1][1])
        else:
            out.append((low, high))
    return tuple(out)


def inverted(chars: Chars) -> Chars:
    """All other code points."""
    edges = [-1, *chain.from_iterable(chars), CODES]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple((low + 1, high - 1) for low, high in pairs if low + 1 <= high - 1)


def _without(chars: Chars, others: Chars) -> Chars:
    return inverted(merged([*inverted(chars), *others]))


def _inside(char: str, chars: Chars) -> bool:
    code = ord(char)
    low, high = 0, len(chars)
    while low < high:
        middle = (low + high) // 2
        if chars[middle][1] < code:
            low = middle + 1
        else:
            high = middle
    return low < len(chars) and chars[low][0] <= code


@cache
def _changed() -> dict[int, str]:
    """The code points that are not read as themselves, ascending."""
    codes = chain.from_iterable(_CHANGING)
    return {code: seen for code in codes if (seen := normal.__wrapped__(chr(code))) != chr(code)}


def _shape(char: str) -> str:
    """`char` without accents, strokes and tails, in its own case."""
    for kept in unicodedata.normalize("NFKD", char):
        if unicodedata.category(kept) not in _UNSEEN_CATEGORIES:
            break
    else:
        return char
    if "가" <= char <= "힣":
        return char
    lower = kept.lower()
    plain = lower.translate(_BESIDE) if len(lower) == 1 else lower
    if plain == lower:
        return kept
    return plain if kept == lower else plain.upper()


def _base(char: str) -> str:
    """The letter that `char` is, whatever its case and accents."""
    folded = _shape(char).casefold()
    return folded if len(folded) == 1 else _shape(char).lower()


def _symbols() -> dict[str, str]:
    """Characters that are no letters for Unicode, but are read as one."""
    framed = {chr(first + k): chr(0x41 + k) for first, count in _FRAMED for k in range(count)}
    return framed | {"×": "x", "℮": "e"}


@cache
def _readers() -> dict[str, frozenset[str]]:
    """For each letter that more than one character is read as: these characters."""
    alike: dict[str, set[str]] = defaultdict(set)
    for group in _ALIKE:
        for char in group:
            alike[char].update(group)
    readers: dict[str, set[str]] = defaultdict(set)
    signs = _symbols()
    known = _changed()
    for code in chain(chain.from_iterable(_CHANGING), map(ord, "力二口一工夕卜八")):
        char = chr(code)
        if code in known or not (char.isalnum() or char in signs or char in _LEET):
            continue
        shape = signs.get(char) or _shape(char)
        shapes = {shape, *alike.get(shape, ()), *_LEET.get(char, "")}
        for letter in _LEET.get(char, ""):
            shapes |= alike.get(letter, set())
        bases = {_base(one) for one in shapes}
        if bases != {char}:
            for base in bases:
                readers[base].add(char)
    return {base: frozenset(chars | {base}) for base, chars in readers.items()}
