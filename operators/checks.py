"""What stands behind a match: the checksums, dates and number plans that tell a number from mere digits.

Strategy. A rule's expression is generous about the shape and its check decides, so a check is asked at
every place where a match might end: it is quick, and it never raises. Most numbers go through
python-stdnum, a module each, imported when it is first asked; those that it lacks are here, by the
formula that the issuing office published; telephones are in ``operators.phones``. A check that fails in
an unforeseen way says yes: the match is masked.

What a check is given is the match as it is read (form ``plain``: digits in ASCII, nothing invisible).
Cost: 0.5 to 30 us a call; the first call of each imports what it needs, `warm` does that beforehand.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from hashlib import sha256
from importlib import import_module
from types import ModuleType

from operators import phones

__all__ = ["CHECKS", "warm"]

_MODULES = """
ar.cbu ar.cuit at.vnr au.abn au.tfn be.nn bg.egn bitcoin br.cnpj br.cpf ca.sin ch.ssn cl.rut co.nit cz.rc
de.idnr de.stnr dk.cpr do.cedula ec.ci ee.ik es.cif es.dni es.nie eu.vat fi.hetu fr.nif fr.nir fr.siret
gb.nhs gb.utr gr.amka gr.vat hr.oib iban id.nik ie.pps il.idnr imei in_.aadhaar in_.gstin in_.pan
is_.kennitala it.codicefiscale it.iva kr.rrn luhn lv.pvn mx.curp mx.rfc my.nric nl.bsn no.fodselsnummer
nz.ird pe.ruc pk.cnic pl.nip pl.pesel pt.cc pt.nif ro.cnp ru.inn se.personnummer si.emso th.pin tr.tckimlik
ua.rntrc us.itin us.rtn uy.rut ve.rif za.idnr
"""
"""Modules of python-stdnum that are checks as they are; ``in_.pan`` is the check ``in_pan``."""

_ISSUERS = tuple(
    (re.compile(rf"(?:{lead})\d*"), lengths)
    for lead, lengths in (
        ("4", (13, 16, 19)),  # Visa
        (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
        ("3[47]", (15,)),  # American Express
        ("30[0-5]|3095|36|38|39", range(14, 20)),  # Diners Club
        ("6011|64[4-9]|65", range(16, 20)),  # Discover
        (r"35(?:2[89]|[3-8]\d)", range(16, 20)),  # JCB
        ("62|81", range(16, 20)),  # UnionPay
        ("220[0-4]", range(16, 20)),  # Mir
        ("60|82|508|353|356", (16,)),  # RuPay
        (r"5018|50[23]\d|5[6-8]|6304|6759|676[1-3]|639", (16, 18, 19)),  # Maestro
        ("9792", (16,)),  # Troy
    )
)
"""Leading digits and lengths of the networks' numbers (ISO/IEC 7812 and what the networks publish)."""


def _card(text: str) -> bool:
    """A payment card: a network's range and length, groups of four or more, and Luhn's sum."""
    *groups, _ = re.findall(r"\d+", text)
    digits = _digits(text)
    known = any(len(digits) in lengths and lead.fullmatch(digits) for lead, lengths in _ISSUERS)
    return known and min(map(len, groups), default=4) > 3 and len(set(digits)) > 1 and _luhn(digits)


def _luhn(digits: str) -> bool:
    doubled = [int(d) * 2 for d in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(d // 10 + d % 10 for d in doubled)) % 10 == 0


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


_LETTERS = {c: v for v, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}
_VIN = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "012345678912345678123457923456789"), strict=True)
)
_PROVINCES = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ULA_AND_LINK = tuple(map(ipaddress.ip_network, ("fc00::/7", "fe80::/10", "2000::/3")))


def _us_ssn(text: str) -> bool:
    """Area, group and serial that the Social Security Administration can issue since 2011."""
    area, group, serial = _digits(text)[:3], _digits(text)[3:5], _digits(text)[5:]
    return "000" < area < "900" and area != "666" and group != "00" and serial != "0000"


def _ipv4(text: str) -> bool:
    """An address of one host: not this host, no mask, no multicast.

    Four single digits are none: they are a version, or a public resolver.
    """
    parts = [int(part) for part in text.split(".")]
    return 9 < max(parts) < 256 and parts[0] not in (0, 127) and parts[0] < 224


def _ipv6(text: str) -> bool:
    """An address of one host: all eight groups (and not pairs only, which is a fingerprint), or shortened and
    global, unique local or link-local (RFC 4291, RFC 4193).
    """
    groups = text.split(":")
    if len(groups) == 8 and "" not in groups:
        return max(map(len, groups)) > 2
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return any(address in network for network in _ULA_AND_LINK)


def _mac(text: str) -> bool:
    """A hardware address: neither zero nor broadcast."""
    return len({c for c in text.lower() if c.isalnum()}) > 2


def _vin(text: str) -> bool:
    """A vehicle's number with its check digit (49 CFR 565.15; in use beyond North America too)."""
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(_VIN[c] * w for c, w in zip(text, weights, strict=True))
    return text[8] == "0123456789X"[total % 11] and any(c.isalpha() for c in text) and len(set(text)) > 4


def _mrz(text: str) -> bool:
    """A passport's second line or an identity card's first: check digits 7-3-1 (ICAO 9303)."""
    fields = ((0, 9), (13, 19), (21, 27)) if len(text) > 30 else ((5, 14),)
    return all(_icao(text[a:b]) == _LETTERS[text[b]] for a, b in fields)


def _icao(field: str) -> int:
    return sum(_LETTERS[c] * (7, 3, 1)[k % 3] for k, c in enumerate(field)) % 10


def _base58check(text: str) -> bool:
    """An address with Base58Check's sum: Bitcoin, Litecoin, Dogecoin, Dash, TRON and others."""
    number = 0
    for c in text:
        number = number * 58 + _BASE58.index(c)
    whole = number.to_bytes(max(25, (number.bit_length() + 7) // 8), "big")
    return len(whole) == 25 and sha256(sha256(whole[:-4]).digest()).digest()[:4] == whole[-4:]


def _sg_nric(text: str) -> bool:
    """Singapore's NRIC and FIN: weighted sum, a letter by its remainder."""
    total = sum(int(d) * w for d, w in zip(text[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    total += {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "KLJNPQRTUWX"}.get(text[0], "XWUTRQPNMLK")
    place = 10 - total % 11 if text[0] == "M" else total % 11
    return letters[place] == text[8]


def _cn_ric(text: str) -> bool:
    """China's resident number: a province, ISO 7064 MOD 11-2. The list of counties in stdnum has gaps."""
    total = sum((10 if c in "Xx" else int(c)) * (1 << (17 - k)) for k, c in enumerate(text))
    return bool(_PROVINCES.match(text)) and total % 11 == 1


def _hk_id(text: str) -> bool:
    """Hong Kong's identity card: letters as 10 to 35, a space as 36, the weighted sum a multiple of 11."""
    plain = [c for c in text if c.isalnum()]
    values = ([36] if len(plain) == 8 else []) + [_LETTERS[c] for c in plain]
    return sum(v * w for v, w in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


def _tw_id(text: str) -> bool:
    """Taiwan's identity card: the letter as two digits by the order of registration offices, then a sum."""
    area = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    values = [area // 10, area % 10, *map(int, text[1:])]
    return sum(v * w for v, w in zip(values, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0


def _jp_mynumber(text: str) -> bool:
    """Japan's individual number: weights 2 to 7 and 2 to 6 from the right, modulo 11."""
    digits = [int(d) for d in _digits(text)]
    total = sum(d * w for d, w in zip(digits[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6), strict=True))
    return digits[11] == (0 if total % 11 < 2 else 11 - total % 11)


def _ru_snils(text: str) -> bool:
    """Russia's insurance number: weights 9 to 1, modulo 101."""
    digits = [int(d) for d in _digits(text)]
    total = sum(d * w for d, w in zip(digits[:9], range(9, 0, -1), strict=True))
    return total % 101 % 100 == digits[9] * 10 + digits[10]


def _au_medicare(text: str) -> bool:
    """Australia's Medicare card: weights 1 3 7 9 over eight digits, the ninth checks."""
    digits = [int(d) for d in _digits(text)]
    return sum(d * w for d, w in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9), strict=False)) % 10 == digits[8]


def _de_id(text: str) -> bool:
    """Germany's identity card or passport: nine characters and an ICAO check digit."""
    return _icao(text[:9]) == int(text[9])


@cache
def _module(name: str) -> ModuleType:
    return import_module(f"stdnum.{name}")


def _stdnum(name: str, text: str) -> bool:
    return bool(_module(name).is_valid(text))


def _closed(check: Callable[[str], bool], text: str) -> bool:
    """`check`, and yes where it fails: an error here must not let a match pass."""
    try:
        return check(text)
    except Exception:  # whatever a library does, the text stays covered
        return True


_OWN: Mapping[str, Callable[[str], bool]] = {
    "card": _card, "phone": phones.known, "phone_announced": phones.announced, "us_ssn": _us_ssn,
    "ipv4": _ipv4, "ipv6": _ipv6, "mac": _mac, "vin": _vin, "mrz": _mrz, "base58check": _base58check,
    "sg_nric": _sg_nric, "cn_ric": _cn_ric, "hk_id": _hk_id, "tw_id": _tw_id, "jp_mynumber": _jp_mynumber,
    "ru_snils": _ru_snils, "au_medicare": _au_medicare, "de_id": _de_id,
}  # fmt: skip
_STDNUM: Mapping[str, Callable[[str], bool]] = {
    name.replace("_.", ".").replace(".", "_"): partial(_stdnum, name) for name in _MODULES.split()
}

CHECKS: Mapping[str, Callable[[str], bool]] = {
    name: partial(_closed, check) for name, check in {**_STDNUM, **_OWN}.items()
}
"""Checks by name, as a rule's ``check`` names them. They never raise."""


def warm() -> None:
    """Import what all checks need (0.3 s the first time), so that no stream waits for it."""
    for name in _MODULES.split():
        _module(name)
    phones.international("+1")
    phones.national("012 345678")
