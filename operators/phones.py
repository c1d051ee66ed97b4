"""Telephone numbers of all countries, told from other digits by the countries' number plans.

Strategy. The plans are those of phonenumbers; its parser is not used, because it tries one country at a
time and takes fifty times as long. Each country code's plan becomes one expression, made when it is first
asked for. A number without country code must in addition be grouped as its country groups it: an index
from the lengths of the groups to the plans leaves a few plans to try, whatever the text holds.

A number comes as it is written, separators and extension included. Cost: 2 to 10 us a number; the first
international number takes some 10 ms, the first national one 100 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product

__all__ = ["announced", "international", "known", "national"]

_REGIONS = """
US CA MX BR AR CL CO PE VE UY EC PY BO CR DO GT GB IE FR BE NL LU DE AT CH IT ES PT DK SE NO FI IS PL CZ SK
HU RO BG GR HR SI RS BA LT LV EE UA RU BY KZ GE TR IL AE SA EG MA TN ZA NG KE GH IN PK BD LK NP CN HK TW JP
KR SG MY TH ID PH VN AU NZ
""".split()  # noqa: SIM905 - eighty quoted codes on as many lines are no list to read
"""Countries whose numbers are known without their country code."""

_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager",
    "uan", "voicemail",
)  # fmt: skip
_EXTENSION = re.compile(r"(?i)[ ,;]*(?:x|ext\.?|extension|#)[ .:]*\d+$")
_DATE = re.compile(r"\d{4}([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./ ])\d{1,2}\2\d{4}")


def known(text: str) -> bool:
    """A number as :func:`international` or :func:`national` know it."""
    return international(text) or national(text)


def international(text: str) -> bool:
    """A number with its country code, after ``+`` or ``00``, that the country's plan knows.

    A trunk 0 may stand between the two.
    """
    if "+" not in text[:2] and not text.startswith("00"):
        return False
    number = _EXTENSION.sub("", text).replace("(0)", "")
    digits = "".join(re.findall(r"\d", number))
    if "+" not in number:
        digits = digits.removeprefix("00")
    plans = ((_plan(int(digits[:code])), digits[code:]) for code in range(1, min(4, len(digits))))
    return any(plan.fullmatch(rest) or plan.fullmatch(rest.removeprefix("0")) for plan, rest in plans if plan)


def national(text: str) -> bool:
    """A number without country code, of a country of ``_REGIONS``, grouped as that country writes it.

    It begins with a trunk prefix of 0 or a bracket: digits alone are too common. Groups of four and no
    others are a piece of a UUID, except in Indonesia's mobile numbers; 3-2-4 is a social security number.
    """
    if not text.startswith(("0", "(")):
        return False
    number = _EXTENSION.sub("", text)
    groups = re.findall(r"\d+", number)
    digits = "".join(groups)
    if len(groups) < 2 or len(digits) < 8 or _DATE.fullmatch(number):
        return False
    widths = tuple(map(len, groups))
    if widths == (3, 2, 4) or (set(widths) == {4} and not (len(widths) == 3 and digits.startswith("08"))):
        return False
    return any(plan.fullmatch(digits) for plan in _groupings().get(widths, ()))


def announced(text: str) -> bool:
    """Seven to fifteen digits (E.164) that are no date, behind the words that say what they are."""
    number = re.sub(r"^[^\d+(]*", "", _EXTENSION.sub("", text))
    return 7 <= len(re.findall(r"\d", number)) <= 15 and not _DATE.fullmatch(number)


@cache
def _plan(code: int) -> re.Pattern[str] | None:
    """All numbers of a country code; None if no country has it."""
    import phonenumbers  # noqa: PLC0415 - only texts with numbers pay for it

    known = [
        phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    ]
    return re.compile("|".join(_numbers(metadata) for metadata in known)) if known else None


@cache
def _groupings() -> dict[tuple[int, ...], tuple[re.Pattern[str], ...]]:
    """For each way to group digits, the numbers (trunk prefix included) that some country groups so."""
    from phonenumbers import PhoneMetadata  # noqa: PLC0415 - only texts with numbers pay for it

    found: dict[tuple[int, ...], dict[re.Pattern[str], None]] = {}
    for region in _REGIONS:
        metadata = PhoneMetadata.metadata_for_region(region)
        trunk = getattr(metadata, "national_prefix", None) or ""
        plan = re.compile(f"(?:{trunk})?(?:{_numbers(metadata)})")
        for form in getattr(metadata, "number_format", ()):
            for head, *rest in _widths(form.pattern, form.format):
                ways = {(head, *rest), (len(trunk) + head, *rest), (len(trunk), head, *rest)}
                for way in ways if trunk else {(head, *rest)}:
                    found.setdefault(way, {})[plan] = None
    return {way: tuple(plans) for way, plans in found.items()}


def _numbers(metadata: object) -> str:
    """Every number of a country, without trunk prefix, as an expression."""
    kinds = (getattr(metadata, kind, None) for kind in _KINDS)
    patterns = {kind.national_number_pattern for kind in kinds if kind and kind.national_number_pattern}
    return "|".join(sorted(patterns)) or r"(?!)"


def _widths(pattern: str, form: str) -> Iterator[tuple[int, ...]]:
    r"""Lengths of the groups that a form writes: ``(\d{2})(\d{3,4})`` as ``\1 \2`` gives (2, 3) and (2, 4).

    Groups that are written with nothing between them are one.
    """
    ranges = []
    for group in re.findall(r"\(([^()]*)\)", pattern):
        least = most = 0
        for low, comma, high in re.findall(r"(?:\\d|\[[^]]*\]|\d)(?:\{(\d)(,?)(\d?)\})?", group):
            least += int(low or 1)
            most += int((high if comma else low) or 1)
        ranges.append(range(least, most + 1))
    for lengths in product(*ranges):
        widths: list[int] = []
        for between, place in re.findall(r"([^\\]*)\\(\d)", form):
            if int(place) > len(lengths):
                continue
            if between or not widths:
                widths.append(0)
            widths[-1] += lengths[int(place) - 1]
        if widths:
            yield tuple(widths)
