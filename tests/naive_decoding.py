"""The layers of a text, character by character with lists and ``bytes.decode``: the twin of the kernel.

Every layer is an object that hands its characters to its children at once; nothing is packed, nothing is
skipped, and there are no deltas.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

_ENDED, _AGAIN = -1, -2
_BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_GAP = " :-,\\%&#;xX"
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"} | {char: char for char in "\"'/\\"}
_NAMES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}

Spoken = tuple[int, int, int, int]
"""Code point, begin, stop, place."""


@dataclass
class Char:
    code: int
    begin: int
    stop: int


class Layer:
    """What all layers share: characters, children, and bytes that become characters."""

    def __init__(self) -> None:
        self.children: list[Layer] = []
        self.chars: list[Spoken] = []
        self.place = 0
        self.hold: int | None = None
        self.half: list[Char] = []  # bytes of one character, or a high surrogate
        self.spoken = self.ascii = False

    def take(self, char: Char) -> None:
        self.say(char)

    def say(self, char: Char) -> None:
        if char.code >= 0:
            self.spoken = True
        self.chars.append((char.code, char.begin, char.stop, self.place))
        for child in self.children:
            child.place = self.place
            child.take(char)

    def junk(self, begin: int) -> None:
        self.half = []
        if self.spoken:
            self.say(Char(_ENDED, begin, begin))
        self.spoken = self.ascii = False

    def byte(self, byte: Char) -> bool:
        """Read a byte; whether it was text."""
        if self.half and self.half[0].code < 256 and 0x80 <= byte.code < 0xC0:
            self.half.append(byte)
            lead = self.half[0].code
            if len(self.half) < (2 if lead < 0xE0 else 3 if lead < 0xF0 else 4):
                return True
            first = self.half[0]
            try:
                code = ord(bytes(each.code for each in self.half).decode())
            except UnicodeDecodeError:
                code = 0x80
            if 0x80 <= code < 0xA0:
                self.junk(first.begin)
                return False
            self.half, self.ascii = [], False
            self.say(Char(code, first.begin, byte.stop))
            return True
        if self.half:
            self.junk(byte.begin)
        if 0xC2 <= byte.code < 0xF5:
            self.half = [byte]
        elif byte.code == 0 and self.ascii:
            self.ascii = False
        elif byte.code < 0x7F and chr(byte.code) in string.printable.replace("\x0b\x0c", ""):
            self.say(byte)
            self.ascii = True
        else:
            self.junk(byte.begin)
            return False
        return True


@dataclass
class Digit:
    value: int
    begin: int
    stop: int
    gap: str = ""


@dataclass
class Byte(Char):
    first: int
    """Number of its first digit in the run."""
    gap: str = ""
    """What stands before it."""


class Run(Layer):
    """A run of digits, read at every alignment until one of them is believed."""

    group: int
    digits: list[Digit]

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        self.digits: list[Digit] = []
        self.gap = ""
        self.lane = -1
        self.style: str | None = None
        self.hold = None

    def stop_run(self, begin: int) -> None:
        self.junk(begin)
        self.clear()

    def join(self, turn: int, lane: int) -> Byte | None:
        raise NotImplementedError

    def start(self, lane: int) -> tuple[int, str | None]:
        """First digit of the text that an alignment ends with, and what stands between its bytes."""
        start = 1 if lane == 1 else 0
        before, style = "", None
        text: list[Byte] = []
        for turn in range(1, len(self.digits)):
            if (turn - lane) % self.group == 0:
                continue
            byte = self.join(turn, lane)
            shared = self.group == 4 and (turn - lane) % 4 < 3
            if byte is None:
                text, before = [], ""
                start = turn + 1
                continue
            if len(text) == 1:
                style = byte.gap
            elif len(text) > 1 and byte.gap != style:
                text, before = [], ""
            kind = _kind(byte.code)
            fits = {"": "al", "a": "aln", "l": "c", "c": "alc", "n": "al"}[before]
            if kind in fits:
                if not text:
                    start = byte.first
                text.append(byte)
                before = kind
            elif kind in "al":
                text, before, start = [byte], kind, byte.first
            else:
                text, before, start = [], "", turn if shared else turn + 1
        return start, style

    def digit(self, char: Char, value: int) -> None:
        self.digits.append(Digit(value, char.begin, char.stop, self.gap))
        self.gap = ""
        if self.lane >= 0:
            byte = None
            if (len(self.digits) - 1 - self.lane) % self.group:
                byte = self.join(len(self.digits) - 1, self.lane)
                torn = byte is None or (self.group == 2 and byte.gap != self.style)
                if torn:
                    self.junk(char.begin)
                if byte is None or torn or not self.byte(byte):
                    last = self.digits[-1]
                    self.stop_run(char.begin)
                    self.digits = [Digit(last.value, last.begin, last.stop)]
                    self.hold = last.begin
                    return
        elif len(self.digits) >= 16:
            self.believe(0)
        else:
            self.hold = self.digits[0].begin
        self.settle()

    def believe(self, padding: int) -> None:
        count = len(self.digits)
        starts = [self.start(lane) for lane in range(self.group)]
        for lane, (start, style) in enumerate(starts):
            place = (count - 1 - lane) % self.group
            wanted = 16 - (3 - place if padding and place in (1, 2) else 0)
            if self.lane < 0 and count - start >= wanted:
                self.lane, self.style = lane, style
                for turn in range(start + 1, count):
                    if (turn - lane) % self.group:
                        byte = self.join(turn, lane)
                        assert byte is not None
                        self.byte(byte)
        self.hold = self.digits[min(count - 1, *(start for start, _ in starts))].begin

    def settle(self) -> None:
        if self.lane >= 0:
            open_group = (len(self.digits) - 1 - self.lane) % self.group != self.group - 1
            self.hold = self.half[0].begin if self.half else self.digits[-1].begin if open_group else None


def _kind(byte: int) -> str:
    if byte in b"\t\n\r" or 32 <= byte < 127:
        return "a"
    return "l" if 0xC2 <= byte < 0xF5 else "c" if 0x80 <= byte < 0xC0 else "n" if byte == 0 else "?"


class Base64(Run):
    group = 4

    def take(self, char: Char) -> None:
        letter = chr(char.code) if char.code >= 0 else ""
        value = _BASE64.find(letter.translate({ord("-"): "+", ord("_"): "/"})) if letter else -1
        if value >= 0:
            self.gap = ""
            self.digit(char, value)
        elif self.lane >= 0 and ((letter == "\n" and self.gap != "\n") or (letter == "\r" and not self.gap)):
            self.gap = letter
        elif self.digits:
            if letter == "=" and self.lane < 0 and len(self.digits) >= 14:
                self.believe(1)
            self.stop_run(char.begin)

    def join(self, turn: int, lane: int) -> Byte:
        one, two = self.digits[turn - 1], self.digits[turn]
        bits = f"{one.value:06b}{two.value:06b}"
        place = 2 * ((turn - lane) % 4) - 2
        return Byte(int(bits[place : place + 8], 2), one.begin, two.stop, turn - 1)


class Hex(Run):
    group = 2
    signs = 0
    """Of `gap`, with 0x for one."""

    def take(self, char: Char) -> None:
        letter = chr(char.code) if char.code >= 0 else ""
        if letter and letter in string.hexdigits:
            self.digit(char, int(letter, 16))
            return
        if not self.digits:
            return
        last = self.digits[-1]
        if letter in ("x", "X") and not self.gap and last.value == 0:
            del self.digits[-1]
            self.gap, self.signs = last.gap + "0x", 1
            if not self.digits:
                self.stop_run(char.begin)
            return
        self.signs = self.signs + 1 if self.gap else 1
        lonely = not self.gap and (last.gap or len(self.digits) == 1)
        if not letter or letter not in _GAP or lonely or self.signs > 5:
            self.stop_run(char.begin)
            return
        self.gap += letter.lower()

    def join(self, turn: int, lane: int) -> Byte | None:
        one, two = self.digits[turn - 1], self.digits[turn]
        if two.gap:
            return None
        return Byte(one.value << 4 | two.value, one.begin, two.stop, turn - 1, one.gap)


class Escapes(Layer):
    """Text as it is, but for what its escapes stand for."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self.kept = kept
        self.ring: list[Char] = []
        self.open: list[Char] = []
        self.left = 0

    def character(self, char: Char) -> None:
        if self.half:
            self.junk(char.begin)
        self.ascii = False
        self.say(char)

    def unit(self, char: Char) -> None:
        if self.half and self.half[0].code >= 256 and 0xDC00 <= char.code < 0xE000:
            first = self.half.pop()
            pair = first.code.to_bytes(2, "big") + char.code.to_bytes(2, "big")
            self.ascii = False
            self.say(Char(ord(pair.decode("utf-16-be")), first.begin, char.stop))
            return
        if self.half:
            self.junk(char.begin)
        if 0xD800 <= char.code < 0xDC00:
            self.half = [char]
        elif char.code > 0x10FFFF or 0xDC00 <= char.code < 0xE000 or not _text(char.code):
            self.junk(char.begin)
        else:
            self.character(char)

    def take(self, char: Char) -> None:
        letter = chr(char.code) if char.code >= 0 else "\uffff"
        if self.open:
            text = "".join(chr(each.code) for each in self.open) + letter
            meant = _meant(text)
            if meant is not None:
                kind, code = meant
                begin = self.open[0].begin
                if self.ring and not self.left:
                    self.say(Char(_AGAIN, self.ring[0].begin, self.ring[-1].stop))
                for each in self.ring:
                    self.character(each)
                self.ring, self.open = [], []
                whole = Char(code, begin, char.stop)
                if kind == "byte":
                    if self.half and self.half[0].code >= 256:
                        self.junk(begin)
                    self.byte(whole)
                else:
                    self.unit(whole)
                self.left = 256
                self.settle()
                return
            if _opens(text) and len(text) <= 10:
                self.open.append(char)
                self.settle()
                return
            failed, self.open = self.open, []
            for each in failed:
                if self.left:
                    self.character(each)
                else:
                    self.ring.append(each)
        if char.code < 0:
            self.junk(char.begin)
            self.ring, self.left = [], 0
        elif letter in "\\%&":
            self.open = [char]
        elif not self.left:
            self.ring.append(char)
        else:
            self.character(char)
            if self.left > 1:
                self.left -= 1
            elif char.code <= 32:
                self.junk(char.stop)
                self.left = 0
        self.settle()

    def settle(self) -> None:
        room = self.kept - (0 if self.left else len(self.open))
        self.ring = self.ring[-room:] if not self.left else self.ring
        if self.half:
            self.hold = self.half[0].begin
        elif self.open:
            self.hold = self.open[0].begin if self.left or not self.ring else self.ring[0].begin
        else:
            self.hold = None


def _text(code: int) -> bool:
    return code in (9, 10, 13) or 32 <= code < 127 or code >= 160


def _meant(text: str) -> tuple[str, int] | None:
    """What a complete escape stands for: a byte, or a code point."""
    if text[:1] == "\\" and len(text) == 2 and text[1] in _SHORT:
        return "unit", ord(_SHORT[text[1]])
    if found := re.fullmatch(r"(?:\\x|%)([0-9a-fA-F]{2})", text):
        return "byte", int(found[1], 16)
    if found := re.fullmatch(r"\\u([0-9a-fA-F]{4})|&#[xX]([0-9a-fA-F]+);", text):
        return "unit", int(found[1] or found[2], 16)
    if found := re.fullmatch(r"&#([0-9]+);", text):
        return "unit", int(found[1])
    if found := re.fullmatch(r"&([a-z]+);", text):
        return ("unit", ord(_NAMES[found[1]])) if found[1] in _NAMES else None
    return None


def _opens(text: str) -> bool:
    """Whether an escape may begin so."""
    if any(f"&{name};".startswith(text) for name in _NAMES):
        return True
    escape = r"\\(x[0-9a-fA-F]?|u[0-9a-fA-F]{0,3})|%[0-9a-fA-F]?|&(#[0-9]*|#[xX][0-9a-fA-F]*)"
    return bool(re.fullmatch(escape, text))


def decode(text: str) -> tuple[list[list[Spoken]], list[int]]:
    """The characters of every layer, and the mark after every character and at the end."""
    tree = [Layer()]
    for parent, kind in ((0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 3)):
        layer: Layer = Escapes(32 if parent else 64)
        if kind < 3:
            layer = Base64() if kind == 1 else Hex()
        tree[parent].children.append(layer)
        tree.append(layer)
    marks = []
    for place, char in enumerate(text):
        tree[0].place = place
        tree[0].take(Char(ord(char), place, place + 1))
        marks.append(min([place + 1, *(layer.hold for layer in tree if layer.hold is not None)]))
    for layer in tree[0].children:
        layer.place = len(text)
        layer.take(Char(_ENDED, len(text), len(text)))
    marks.append(len(text))
    return [layer.chars for layer in tree], marks
