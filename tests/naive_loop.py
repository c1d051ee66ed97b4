"""Slow, obvious twins of ``operators.kernels.loop_symbols`` and of the alignment in
``operators.kernels.loop``."""

from __future__ import annotations

from collections.abc import Sequence

SHIFT, GAIN, LOSS, NUMBER_LOSS, TOP = 3, 2, 2, 1, 250
MARKS = "!\"'(),-.:;?"


def pieces(text: str) -> list[str]:
    """The symbols of an ASCII text, each as it is spelled; blanks belong to none."""
    found: list[str] = []
    word, blanks, lines, k = "", 0, 0, 0
    while k < len(text):
        character = text[k]
        kind = sort(character)
        if word and (kind != sort(word[0]) or kind not in {"letter", "digit"}):
            found.append(word)
            word = ""
        blanks = blanks + 1 if kind == "blank" else 0
        if kind not in {"line", "blank"}:
            lines = 0
        if kind == "letter" and same(text, k) > 3:
            found += [word] if word else []
            word = ""
            found.append(character)
        elif kind in {"letter", "digit"}:
            word += character
            if len(word) == (24 if kind == "letter" else 12):
                found.append(word)
                word = ""
        elif kind == "line":
            lines += 1
            found += ["\n"] if lines != 2 else []
        elif kind == "blank":
            if blanks == 16:
                found.append(" ")
                blanks = 0
        else:
            found.append(character)
        k += 1
    return [*found, word] if word else found


def sort(character: str) -> str:
    if character.isdigit():
        return "digit"
    if character.isalpha():
        return "letter"
    return "blank" if character in " \t" else "line" if character in "\n\r" else "sign"


def same(text: str, k: int) -> int:
    """How often the letter at `k` came in a row, case undone."""
    run = 1
    while k - run >= 0 and text[k - run].lower() == text[k].lower():
        run += 1
    return run


def scores(codes: Sequence[int], periods: int) -> list[list[int]]:
    """Of each symbol: the scores of periods 1 to `periods`. Codes below 64 are numbers; 0 is nothing."""
    rows: list[list[int]] = []
    old = [0] * periods
    for i, code in enumerate(codes):
        new = []
        for p in range(1, periods + 1):
            past = codes[i - p] if i >= p else 0
            beside = [old[q - 1] - SHIFT for q in (p - 1, p + 1) if 1 <= q <= periods]
            best = max(0, old[p - 1], *beside)
            loss = NUMBER_LOSS if code < 64 and past < 64 else LOSS
            new.append(best + GAIN if past == code else max(best - loss, 0))
        if max(new) >= TOP:
            rows.append(new)
            new = [score // 2 for score in new]
        else:
            rows.append(new)
        old = new
    return rows
