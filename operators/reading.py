"""How a lane's text is read: the layers that decoders find in it, and what a stretch of one says.

Strategy. The kernels decode while text arrives and keep symbols and positions only. Who needs the text of
a match in a decoded layer, for a checksum, decodes its stretch of the original once more, here, with the
standard library: rare, short, and without state. A stretch does not say at which bit its first character
begins, so every alignment is tried and the one that gives most text is believed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from operators.kernels.decoding import SLOTS

__all__ = ["LAYERS", "NAMES", "READINGS", "STATE", "readings", "unveiled"]

_BASE64, _HEX, _ESCAPES = 1, 2, 3
_TREE = (
    (0, 0),
    (0, _BASE64),
    (0, _HEX),
    (0, _ESCAPES),
    (1, _BASE64),
    (1, _HEX),
    (1, _ESCAPES),
    (2, _BASE64),
    (3, _BASE64),
    (3, _ESCAPES),
)
"""Parent and decoder of every layer, parents first. `kernels.decoding` relies on 1, 2, 3 for the text's."""


def _layers() -> NDArray[np.int32]:
    rows, place = [(0, 0, 0, 0)], 0
    for parent, decoder in _TREE[1:]:
        ring = 16 if decoder != _ESCAPES else 64 if parent == 0 else 32
        rows.append((parent, decoder, place, SLOTS + ring))
        place += SLOTS + ring
    return np.array(rows, np.int32)


LAYERS = _layers()
"""int32[layers, 4]: parent, decoder, place and size of its state in a lane's row, as `kernels.decoding`
wants it."""

STATE = int(LAYERS[-1, 2] + LAYERS[-1, 3])
"""Numbers (int32) that the decoders keep per lane."""

READINGS = 2 * len(_TREE)
"""Reading ``2 * layer`` is a layer in the form plain, ``2 * layer + 1`` in the form letters."""

_DECODERS = ("text", "base64", "hex", "escapes")
NAMES = tuple(
    _DECODERS[decoder] + (f" in {_DECODERS[_TREE[parent][1]]}" if parent else "") for parent, decoder in _TREE
)
"""What people call the layers."""

_PAIR = re.compile(r"(?:\\x|0x|%|&#x)?([0-9a-f]{2})", re.IGNORECASE)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_BYTES = re.compile(r"(?:(?:\\x|%)[0-9a-f]{2})+", re.IGNORECASE)
_ESCAPE = re.compile(
    r"\\u(?P<pair>d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u(?P<unit>[0-9a-f]{4})|\\(?P<short>[nrtbf\"'\\/])"
    r"|&#x(?P<hex>[0-9a-f]{1,7});|&#(?P<decimal>[0-9]{1,8});|&(?P<name>amp|lt|gt|quot|apos);",
    re.IGNORECASE,
)


def unveiled(layer: int, text: str) -> str:
    r"""What a stretch of the original says in a layer.

    Best effort at the edges: bits of characters that are cut off, and bytes that are no UTF-8, are dropped.

    Parameters
    ----------
    layer : int
        A row of `LAYERS`; 0 is the text itself.
    text : str
        The stretch: of a match, its characters from begin to stop.

    Returns
    -------
    str
        The decoded text. "" if nothing in it is text.

    Notes
    -----
    Linear in the text, for at most sixteen alignments (base64 in base64). base64 has the alphabets of
    RFC 4648, sections 4 and 5, and may be broken into lines; ``%41`` is that of RFC 3986, section 2.1; ``\n``
    and ``\u0041`` those of RFC 8259, section 7; ``&#65;`` and ``&amp;`` those of HTML.

    Examples
    --------
    >>> unveiled(1, "aGlkZGVu"), unveiled(2, "68:69:64"), unveiled(3, r"a\u0062%63")
    ('hidden', 'hid', 'abc')
    """
    return max(readings(layer, text), key=_weight).replace("\ufffd", "")


def readings(layer: int, text: str) -> list[str]:
    """What a stretch of the original may say in a layer: at every alignment, U+FFFD where it is no text."""
    chain = []
    while layer:
        chain.append(_TREE[layer][1])
        layer = _TREE[layer][0]
    texts = [text]
    for decoder in reversed(chain):
        texts = [decoded for each in texts for decoded in _decoded(decoder, each)]
    return texts


def _decoded(decoder: int, text: str) -> Iterator[str]:
    """What `text` says at every alignment, the likeliest first; U+FFFD where it is no text."""
    if decoder == _BASE64:
        digits = re.sub(r"[^A-Za-z0-9+/]", "", text.replace("-", "+").replace("_", "/"))
        for missing in range(4):
            whole = "A" * missing + digits
            whole = whole[: len(whole) - (len(whole) % 4 == 1)]
            yield _text(base64.b64decode(whole + "=" * (-len(whole) % 4))[missing:])
    elif decoder == _HEX:
        for missing in range(2):
            yield _text(bytes(int(pair, 16) for pair in _PAIR.findall(text[missing:])))
    else:
        text = _ESCAPE.sub(_character, text)
        yield _BYTES.sub(lambda found: _text(bytes(int(p, 16) for p in _PAIR.findall(found[0]))), text)


def _text(data: bytes) -> str:
    """UTF-8, or UTF-16 of Latin letters; U+FFFD for control characters and what is neither."""
    text = re.sub(r"(?<=[\t\n\r -~])\x00", "", data.decode(errors="replace"))
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "\ufffd", text)


def _character(found: re.Match[str]) -> str:
    pair, unit, short, heks, decimal, name = found.groups()
    if pair:
        return bytes.fromhex(pair[:4] + pair[6:]).decode("utf-16-be")
    if short:
        return _SHORT.get(short, short)
    if name:
        return _NAMED.get(name, found[0])
    code = int(decimal) if decimal else int(unit or heks, 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else "\ufffd"


def _weight(text: str) -> int:
    """How much of a text is text: a character beyond ASCII was several bytes, and junk counts against it."""
    return sum(-4 if char == "\ufffd" else 2 if char.isascii() else 3 for char in text)
