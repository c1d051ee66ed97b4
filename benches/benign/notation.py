"""Notation of its own: games, music, patterns, sums worked out step by step."""

from __future__ import annotations

import random

__all__ = [
    "bisection",
    "chess",
    "guitar",
    "knitting",
    "long_sum",
    "tune",
]


def chess(rng: random.Random) -> str:
    """Moves of a game of chess, the last of them repeated for a draw."""
    squares = [f"{a}{b}" for a in "abcdefgh" for b in range(1, 9)]
    moves = [
        f"{k}. {rng.choice(('', 'N', 'B', 'R', 'Q'))}{rng.choice(squares)} "
        f"{rng.choice(('', 'N', 'B', 'K'))}{rng.choice(squares)}"
        for k in range(1, 52)
    ]
    return f"{' '.join(moves)} 52. Kg2 Kg7 53. Kf2 Kf7 54. Kg2 Kg7 55. Kf2 Kf7 56. Kg2 1/2-1/2\n"


def guitar(rng: random.Random) -> str:
    """Guitar tabs."""

    def bar() -> list[str]:
        rows = ["-" * 16] * 6
        for at in range(0, 16, 2):
            string = rng.randrange(6)
            rows[string] = rows[string][:at] + str(rng.choice((0, 2, 3))) + rows[string][at + 1 :]
        return rows

    systems = []
    for _ in range(4):
        bars = [bar() for _ in range(3)]
        systems.append(
            "\n".join(f"{name}|{'|'.join(each[k] for each in bars)}|" for k, name in enumerate("eBGDAE"))
        )
    return "\n\n".join(systems) + "\n"


def tune(rng: random.Random) -> str:
    """A tune in ABC, each part played twice."""
    bars = [
        " ".join(rng.choice(("GAB", "BcA", "d2B", "e2d", "gfe", "ABc")) for _ in range(2)) for _ in range(8)
    ]
    part, other = " | ".join(bars[:4]), " | ".join(bars[4:])
    parts = "\n".join(f"|: {a} | {b} :|" for a, b in ((part, part), (other, other), (part, other)))
    return f"X:1\nT:The Borrowed Ladder\nR:jig\nM:6/8\nL:1/8\nK:G\n{parts}\n"


def knitting(_: random.Random) -> str:
    """Rows of a knitting pattern."""
    return "Cast on 24 stitches.\n" + "".join(
        f"Row {k}: {'k1' if k % 2 else 'p1'}, *{'k2, p2' if k % 4 < 2 else 'p2, k2'}; repeat from * to the "
        f"last {k % 5 + 1} stitches.\n"
        for k in range(1, 25)
    )


def long_sum(rng: random.Random) -> str:
    """A sum worked out line by line."""
    left, lines = 3, []
    for k in range(1, 26):
        add = rng.randrange(2, 90)
        lines.append(f"${left} + {add} = {left + add}$" + (", " if k % 5 else ".\n"))
        left += add
    return "We add the numbers one by one: " + "".join(lines)


def bisection(rng: random.Random) -> str:
    """A search by halves, told step by step."""
    low, high, lines = 0.0, 10.0, []
    for k in range(1, 16):
        middle = (low + high) / 2
        side = "left" if rng.random() < 0.5 else "right"
        lines.append(
            f"Step {k}: the interval is [{low:.4f}, {high:.4f}], its middle {middle:.4f}, so we go {side}."
        )
        low, high = (low, middle) if side == "left" else (middle, high)
    return "\n".join(lines) + "\n"
