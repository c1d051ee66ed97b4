"""Code and markup in which one piece looks like the next."""

from __future__ import annotations

import itertools
import random

from benches.benign.words import CITIES, NAMES, THINGS

__all__ = [
    "assembly",
    "asserts",
    "braces",
    "cases_of_switch",
    "getters",
    "imports",
    "inserts",
    "matrices",
    "minified",
    "patch",
    "styles",
    "tests_of_one_form",
]


def asserts(rng: random.Random) -> str:
    """Unit tests with nearly equal lines."""
    lines = [
        f"    assert area({a}, {b}) == {a * b}"
        for a, b in ((rng.randrange(1, 40), rng.randrange(1, 40)) for _ in range(24))
    ]
    return "```python\ndef test_area():\n" + "\n".join(lines) + "\n```\n"


def tests_of_one_form(_: random.Random) -> str:
    """One test a word."""
    return "import pytest\n\n" + "\n\n".join(
        f"def test_{each}_is_found(shop):\n    found = shop.find('{each}')\n    assert found is not None\n"
        f"    assert found.name == '{each}'\n"
        for each in THINGS
    )


def cases_of_switch(_: random.Random) -> str:
    """A switch with a case for each key."""
    cases = "".join(f'        case "{each}":\n            return Kind.{each.upper()};\n' for each in THINGS)
    last = "        default:\n            return null;\n"
    return f"Kind parse(String text) {{\n    switch (text) {{\n{cases}{last}    }}\n}}\n"


def getters(_: random.Random) -> str:
    """Getters and setters."""
    return (
        "public class House {\n"
        + "\n".join(
            f"    public Item get{each.title()}() {{\n        return {each};\n    }}\n\n"
            f"    public void set{each.title()}(Item {each}) {{\n        this.{each} = {each};\n    }}\n"
            for each in THINGS[:9]
        )
        + "}\n"
    )


def minified(rng: random.Random) -> str:
    """Minified JavaScript."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    parts = [
        f"function {a}(e,t){{return e.{rng.choice(THINGS)}&&t?{b}(e,t):null}}var {a}{b}={rng.randrange(999)};"
        for a, b in itertools.pairwise(letters)
    ]
    return '!function(){"use strict";' + "".join(parts) + "}();"


def inserts(rng: random.Random) -> str:
    """SQL that fills a table."""
    return (
        "BEGIN;\n"
        + "".join(
            f"INSERT INTO users (id, name, city, active) VALUES ({k}, '{name}', '{rng.choice(CITIES)}', "
            f"TRUE);\n"
            for k, name in enumerate(NAMES, 1)
        )
        + "COMMIT;\n"
    )


def assembly(rng: random.Random) -> str:
    """Assembly with runs of push, pop and nop."""
    registers = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11")
    pushes = "".join(f"    push {each}\n" for each in registers)
    moves = "".join(f"    mov {rng.choice(registers)}, [rsp+{8 * k}]\n" for k in range(16))
    pops = "".join(f"    pop {each}\n" for each in reversed(registers))
    return f"save:\n{pushes}{moves}    nop\n    nop\n    nop\n{pops}    ret\n"


def braces(_: random.Random) -> str:
    """Calls nested deeply, and closed again."""
    opened = "".join(f"{'  ' * k}wrap_{each}(() => {{\n" for k, each in enumerate(THINGS))
    closed = "".join(f"{'  ' * k}}});\n" for k in reversed(range(len(THINGS))))
    return f"{opened}{'  ' * len(THINGS)}start();\n{closed}"


def styles(rng: random.Random) -> str:
    """CSS of many classes."""
    return "\n".join(
        f".{each} {{\n  display: flex;\n  margin: 0;\n  padding: {rng.randrange(30)}px;\n"
        f"  color: #{rng.randrange(4096):03x};\n}}\n"
        for each in THINGS
    )


def imports(_: random.Random) -> str:
    """Imports from one package."""
    return (
        "".join(f"from shop.items.{each} import {each.title()}, {each.title()}Error\n" for each in THINGS)
        + "\n__all__ = [\n"
        + "".join(f'    "{each.title()}",\n    "{each.title()}Error",\n' for each in THINGS)
        + "]\n"
    )


def matrices(rng: random.Random) -> str:
    """Matrices in LaTeX."""

    def matrix(n: int) -> str:
        rows = [" & ".join(str(rng.choice((0, 0, 0, 1, -1, 2))) for _ in range(n)) for _ in range(n)]
        return "\\begin{pmatrix}\n" + " \\\\\n".join(rows) + "\n\\end{pmatrix}"

    identity = " \\\\\n".join(" & ".join("1" if a == b else "0" for a in range(9)) for b in range(9))
    last = f"\\begin{{pmatrix}}\n{identity}\n\\end{{pmatrix}}"
    return f"$$\nA = {matrix(6)}, \\quad B = {matrix(6)}, \\quad I = {last}\n$$\n"


def patch(_: random.Random) -> str:
    """A patch that renames one function."""
    return "".join(
        f"--- a/{each}.py\n+++ b/{each}.py\n@@ -{k + 3},3 +{k + 3},3 @@\n def {each}():\n"
        f"-    return fetch_item('{each}')\n+    return load_item('{each}')\n"
        for k, each in enumerate(THINGS)
    )
