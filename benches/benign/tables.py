"""Tables, rulers, forms and pictures made of signs: the same signs again and again, on purpose."""

from __future__ import annotations

import random

from benches.benign.words import CITIES, NAMES, THINGS

__all__ = [
    "ascii_art",
    "bars",
    "bordered_grid",
    "contents",
    "crosses",
    "form",
    "markdown_table",
    "multiplication",
    "progress",
    "rulers",
    "square",
    "yes_and_no",
]


def markdown_table(rng: random.Random) -> str:
    """Markdown with numbers."""
    rows = [f"| {city} | {rng.randrange(900)} | {rng.random():.2f} | yes |" for city in CITIES]
    return "\n".join(["| City | Visits | Share | Open |", "|------|-------:|------:|------|", *rows]) + "\n"


def yes_and_no(rng: random.Random) -> str:
    """Markdown whose columns are nearly all the same."""
    rows = [
        f"| `--{thing}` | {rng.choice(('yes', 'yes', 'yes', 'no'))} | no | yes | no |" for thing in THINGS
    ]
    head = ["| Option | Linux | Windows | macOS | BSD |", "| --- | --- | --- | --- | --- |"]
    return "These options exist on the platforms below.\n\n" + "\n".join(head + rows) + "\n\nThat is all.\n"


def rulers(_: random.Random) -> str:
    """Headings between rulers."""
    rule, double = "-" * 78, "=" * 78
    parts = [f"{double}\n{thing.upper()}\n{double}\n\nOne {thing} a day.\n\n{rule}\n" for thing in THINGS[:7]]
    return "\n".join(parts)


def bordered_grid(rng: random.Random) -> str:
    """A terminal's grid with borders between the rows."""
    line = "+" + "-" * 14 + "+" + "-" * 10 + "+"
    rows = [f"| {name:<12} | {rng.randrange(10_000):>8} |\n{line}" for name in NAMES]
    return f"{line}\n| user         |    bytes |\n{line}\n" + "\n".join(rows) + "\n"


def crosses(rng: random.Random) -> str:
    """A matrix of dots and crosses."""
    return "\n".join(" ".join(rng.choice("x...") for _ in range(24)) for _ in range(24)) + "\n"


def form(_: random.Random) -> str:
    """A form with blank lines and lines to fill in."""
    fields = ("Name", "Street", "Town", "Telephone", "Date of birth", "Signature")
    return "\n\n\n".join(f"{each + ':':<16}{'_' * 48}" for each in fields) + "\n\n\n\n\n\nThank you.\n" * 2


def multiplication(_: random.Random) -> str:
    """Multiplication up to ten."""
    return "\n".join("\n".join(f"{a} x {b} = {a * b}" for b in range(1, 11)) + "\n" for a in range(2, 11))


def square(_: random.Random) -> str:
    """Multiplication as a square."""
    return "\n".join("".join(f"{a * b:>5}" for b in range(1, 13)) for a in range(1, 13)) + "\n"


def contents(_: random.Random) -> str:
    """Contents with leaders of dots."""
    return "\n".join(
        f"{k}. {thing.capitalize() + ' ':.<60} {3 + 7 * k + k * k % 5}" for k, thing in enumerate(THINGS, 1)
    )


def ascii_art(_: random.Random) -> str:
    """A house and trees in ASCII."""
    house = r"""
          /\                 /\
         /  \      ____     /  \
        /    \    |    |   /    \
       /______\___|____|__/______\
      |  __    __    __    __   |
      | |__|  |__|  |__|  |__|  |
      | |__|  |__|  |__|  |__|  |
      |  __    __    __    __   |
      | |__|  |__|  |__|  |__|  |
      |_________________________|
    ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
      *       *        *        *
     ***     ***      ***      ***
    *****   *****    *****    *****
      |       |        |        |
"""
    return f"Here is the house that you asked for:\n\n```{house}```\n\nThe trees stand in front of it.\n"


def bars(rng: random.Random) -> str:
    """A chart of bars."""
    return "".join(f"{city:<8}|{'#' * rng.randrange(3, 50)}\n" for city in CITIES)


def progress(_: random.Random) -> str:
    """A bar of progress, line after line."""
    return "".join(f"[{'=' * (k // 4):<25}] {k:>3}% {k * 83 // 7} kB\n" for k in range(0, 101, 5))
