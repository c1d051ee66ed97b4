"""Logs: the same messages, because the same things happen."""

from __future__ import annotations

import random

from benches.benign.words import THINGS

__all__ = [
    "access",
    "dotted_tests",
    "install",
    "retries",
    "server",
    "test_run",
    "traceback",
]


def server(rng: random.Random) -> str:
    """A server's, with the same message for many requests."""
    second, lines = 0, []
    for _ in range(26):
        second += rng.randrange(1, 40)
        lines.append(
            f"2024-03-11 09:{second // 60:02}:{second % 60:02},{rng.randrange(1000):03} INFO  "
            f"[worker-{rng.randrange(4)}] "
            f"request done path=/api/v1/{rng.choice(THINGS)} status=200 ms={rng.randrange(3, 90)}"
        )
    return "\n".join(lines) + "\n"


def access(rng: random.Random) -> str:
    """Requests of a few addresses."""
    return "".join(
        f"10.1.{rng.randrange(3)}.{rng.randrange(250)} - - [11/Mar/2024:09:{k:02}:{rng.randrange(60):02} "
        f"+0000] "
        f'"GET /static/{rng.choice(THINGS)}.css HTTP/1.1" {rng.choice((200, 200, 200, 304))} '
        f"{rng.randrange(9000)}\n"
        for k in range(24)
    )


def test_run(rng: random.Random) -> str:
    """A run of tests that all pass."""
    return "".join(
        f"tests/test_{thing}.py::test_{verb} PASSED" + f"[{rng.randrange(100):>3}%]".rjust(20) + "\n"
        for thing in THINGS[:7]
        for verb in ("opens", "closes", "breaks")
    )


def dotted_tests(_: random.Random) -> str:
    """A run of tests in dots."""
    return "".join(
        f"tests/test_{each}.py {'.' * (7 + 3 * k % 11)} [{7 * k + 2:>3}%]\n" for k, each in enumerate(THINGS)
    )


def retries(rng: random.Random) -> str:
    """Three retries that fail alike, and what came of them."""
    line = "WARN connection to db-2 refused, trying again in {} s\n"
    tries = "".join(line.format(2**k) for k in range(3))
    return "".join(
        f"INFO backup of {thing} began\n{tries}INFO backup of {thing} done in {rng.randrange(90)} s\n"
        for thing in THINGS[:8]
    )


def install(rng: random.Random) -> str:
    """Packages that are fetched."""
    return "".join(
        f"Collecting {each}-tools\n"
        f"  Downloading {each}_tools-{rng.randrange(9)}.{rng.randrange(20)}-py3-none-any.whl "
        f"({rng.randrange(20, 900)} kB)\n"
        for each in THINGS
    )


def traceback(_: random.Random) -> str:
    """The trace of a recursion, cut short by Python."""
    frame = '  File "/app/tree.py", line 31, in walk\n    return self.walk(node.left)\n'
    head = 'Traceback (most recent call last):\n  File "/app/main.py", line 8, in <module>\n    run(root)\n'
    last = "  [Previous line repeated 992 more times]\nRecursionError: maximum recursion depth exceeded\n"
    return head + frame * 3 + last
