"""What is remembered of how threads step changes nothing: the gate with `lazy.stride` and without, compared
in findings, watermarks and all that is alive in each lane, packet by packet. Without it, `match.advance` is
run by Python, where a call can be replaced.
"""

from __future__ import annotations

import base64
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import zip_longest
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import quote
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import gate as gates
from operators.automaton import Automaton, Rule, compiled
from operators.directory import Directory
from operators.gate import Gate
from operators.kernels import lazy, match
from operators.packet import Packet, pack
from tests.stages import CUTS, Said, cut, say, whole, woven

RULES = (
    Rule("mail", r"[\w.+\-]+@[\w\-]+\.[a-z]{2,}", longest=24), Rule("slides", "[ab]+[^ab ][ab]+", longest=6),
    Rule("token", r"(?i:token|secret)\s?[=:]\s?(\w{8,})", longest=32, near="my $"),
    Rule("pem", "-----BEGIN (?:RSA )?PRIVATE KEY-----[^-]{8,}-----END", longest=80),
    Rule("quoted", "[\"'][^\"'\n]{5,}[\"']", longest=20), Rule("number", "[0-9]{3}-[0-9]{4}", bounded=True),
    Rule("card", "[0-9](?:[ -]?[0-9]){12,15}", check="card"), Rule("foreign", "密码[:：]? ?[0-9a-z]{4,12}"),
    Rule("eager", "sk-[a-z0-9]{4,}", longest=9, eager=True), Rule("word", r"пароль \w{2,9}\b"),
    Rule("near", "[a-z]{6}", near="name is ", detect=True), Rule("digits", "[0-9a]{4,}", detect=True),
    Rule("any", "a.{0,9}b", detect=True), Rule("phrase", "ignore (?:all )?previous", folded=True),
    Rule("said", "give.{0,3}it", folded=True), Rule("list", "all .{1,4} previous", folded=True, detect=True),
)  # fmt: skip
SHORT = (Rule("mail", "[ab]+[^ab ][ab]+", longest=6), Rule("key", "b b[ab]{2,}", longest=5))
FRAGMENTS = (
    "me@mail.org", "token: abcdefgh1", "my SECRET=0123456789abc", "4111 1111 1111 1111", "555-1234",
    "-----BEGIN RSA PRIVATE KEY-----\n", "MIIabcdefghij", "-----END", "sk-ab12cd", "ign0re  prev1ous",
    "g i v e it", "密码: abc123", "的一是在不了", "пароль ab12 ", "'quoted thing'", "\"never ends",
    "name is ", "ignore all previous",
    "\u200b", "e\u0301\u0302", "ﬁ½㎏", "é", " ", "\n\n", ". ", "aab", "ba-ab", "a", "b", "1", "x", "-", "!",
)  # fmt: skip
ENCODINGS = (
    lambda text: base64.b64encode(text.encode()).decode(), lambda text: text.encode().hex(),
    lambda text: quote(text, safe=""), lambda text: "".join(f"&#{ord(char)};" for char in text),
    "\u200b".join, lambda text: text,
)  # fmt: skip
RUNS = st.builds(lambda char, count: char * count, st.sampled_from("ab1 -\u200b的"), st.integers(2, 90))
PLAIN = st.lists(st.one_of(st.sampled_from(FRAGMENTS), RUNS), max_size=6).map("".join)
TEXTS = st.lists(
    st.builds(lambda hide, text: hide(text), st.sampled_from(ENCODINGS), PLAIN), min_size=1, max_size=2
).map(lambda parts: "".join(parts)[:300])
ROOMS = ((64, 24, 10), (9, 4, 3))
"""Threads of a walker over the text, over what is decoded, and of one that only detects."""
EXAMPLES = 15 if isinstance(match.advance, FunctionType) else 80  # without the JIT all is in Python


def _uncompiled(function: Any) -> Any:
    return getattr(function, "py_func", function)


@cache
def by_each() -> SimpleNamespace:
    """The matcher in Python, all of whose threads step one by one."""
    names = dict(vars(match))
    for name, value in vars(match).items():
        function = _uncompiled(value)
        if isinstance(function, FunctionType) and function.__module__ == match.__name__:
            names[name] = FunctionType(function.__code__, names, name, function.__defaults__)
    asked = list(inspect.signature(_uncompiled(lazy.stride)).parameters)
    places = [asked.index(name) for name in ("k", "count", "before", "loosely", "last_stop", "j")]
    names["stride"] = lambda *given: tuple(given[place] for place in places)
    return SimpleNamespace(advance=names["advance"])


@cache
def tables(rules: tuple[Rule, ...]) -> Automaton:
    return compiled(rules)


@cache
def remembered() -> tuple[Any, ...]:
    """A memory that goes on from text to text; a set is the same set in any gate with these rules."""
    return lazy.memory()


def gate_of(room: tuple[int, int, int], rules: tuple[Rule, ...] = RULES) -> Gate:
    with mock.patch.multiple(gates, _THREADS=room[0], _SOME=room[1], _FEW=room[2]):
        return Gate(tables(rules), rules, range(len(rules) + 1))


def lanes(gate: Gate) -> Iterator[tuple[Any, ...]]:
    """All that is alive in a gate, lane by lane and walker by walker."""
    state = gate._state
    for row in state.live().tolist():
        yield row, *(int(state[name][row]) for name in ("stuck", "vetted", "written", "tolds"))
        for w, (*_, own, beyond, first, last) in enumerate(gate._walkers.tolist()):
            live, entered = int(state["live"][row, w]), int(state["entered"][row, w])
            assert live <= beyond - own
            assert entered <= last - first
            yield (
                row, w, *(int(state[name][row, w]) for name in ("previous", "ended", "loose")),
                state["state"][row, own : own + live].tolist(),
                state["start"][row, own : own + live].tolist(),
                state["entry"][row, first : first + entered].tolist(),
            )  # fmt: skip


@contextmanager
def one_by_one() -> Iterator[None]:
    with mock.patch.object(gates, "match", by_each()):
        yield


def packets(said: Sequence[Said], cuts: Sequence[int]) -> Iterator[Packet]:
    directory = Directory()
    for piece in cut(said, cuts):
        yield directory.update(pack(0, piece, now=0))


def compare(
    said: Sequence[Said],
    cuts: Sequence[int] = (),
    *,
    room: tuple[int, int, int] = ROOMS[0],
    rules: tuple[Rule, ...] = RULES,
    memory: tuple[Any, ...] | None = None,
    left: Sequence[tuple[int, int]] = (),
) -> None:
    """:param left: Before each packet, sets and ways that there is still room for."""
    fast, slow = gate_of(room, rules), gate_of(room, rules)
    if memory is not None:
        fast._memories.arrays = memory
    sets, _, _, far, *_, used = fast._memories.arrays
    for packet, rest in zip_longest(packets(said, cuts), left):
        if packet is None:
            break
        if rest is not None:
            used[0] = max(used[0], len(sets) - 4 - rest[0])
            used[1] = max(used[1], len(far) // 2 - rest[1])
        remembering = fast.update(packet)
        with one_by_one():
            stepping = slow.update(packet)
        assert remembering.findings.tolist() == stepping.findings.tolist()
        assert remembering.vetted.tolist() == stepping.vetted.tolist()
        assert list(lanes(fast)) == list(lanes(slow))


@settings(max_examples=EXAMPLES)
@given(
    st.tuples(TEXTS, TEXTS), st.tuples(CUTS, CUTS), st.lists(st.integers(0, 2), max_size=20), CUTS,
    st.sampled_from(ROOMS),
)  # fmt: skip
def test_what_is_remembered_changes_nothing(
    texts: tuple[str, str], chunks: tuple[list[int], list[int]], turns: list[int], cuts: list[int],
    room: tuple[int, int, int],
) -> None:  # fmt: skip
    speeches = [whole("s", texts[0], chunks[0]), say("t", texts[1], chunks[1])]
    compare(woven(speeches, turns), cuts, room=room, memory=remembered())


@settings(max_examples=EXAMPLES // 2)
@given(TEXTS, CUTS, CUTS, st.lists(st.tuples(st.integers(-1, 30), st.integers(-1, 12)), max_size=8))
def test_a_memory_that_is_full_is_forgotten_and_changes_nothing(
    text: str, chunks: list[int], cuts: list[int], left: list[tuple[int, int]]
) -> None:
    compare(whole("s", text, chunks), cuts, memory=remembered(), left=left)


def in_pieces(text: str, room: tuple[int, int, int], rules: tuple[Rule, ...]) -> None:
    for size in (1, 7, len(text)):
        compare(whole("s", text, range(0, len(text), size)), range(0, 400, 3), room=room, rules=rules)


@pytest.mark.parametrize("text", ["a" * 40, "aaaaaaaaaa-aaa", "ab" * 10 + "é" + "ab" * 10, "b b" + "ab" * 20])
def test_a_thread_slides_that_holds_less_than_is_asked_soon(text: str) -> None:
    in_pieces(text, ROOMS[0], SHORT)


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "text",
    [
        "&#49;" * 12,
        "111 " * 9,
        "".join(f"&#{ord(char)};" for char in "a1" * 9 + "b@b.co"),
        base64.b64encode(b"abcdefgh" * 6 + b"1" * 20).decode(),
        "\u200b" * 70 + "a\u200b" * 30,
        "ignore " * 12 + "previous",
    ],
)
def test_threads_that_find_no_room(text: str, room: tuple[int, int, int]) -> None:
    in_pieces(text, room, RULES)


def test_as_much_is_remembered_as_there_is_to_remember() -> None:
    gate, other = gate_of(ROOMS[0]), gate_of(ROOMS[0])
    other._memories.arrays = lazy.memory()
    for packet in packets(whole("s", "the same words again " * 20), ()):
        gate.update(packet)
    sets, _, ways, *_, used = other._memories.arrays
    assert 20 < used[0] < 400 < len(sets)
    assert (ways > 0).sum() > 20


def test_the_matcher_knows_which_stepping_it_is_built_on() -> None:
    source = Path(lazy.__file__).read_bytes()
    assert crc32(source) == match._BUILT_ON, f"lazy.py has changed: set it to {crc32(source):#x} in match.py"
