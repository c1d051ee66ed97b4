"""What loop detectors are measured with: the texts are what they are said to be, and the detectors of the
field do what is published of them.
"""

from __future__ import annotations

import doctest
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benches import loops
from benches.loop_peers import PEERS, Call, doom_loop, gemini_calls, gemini_cli, periodic_tail, vllm_mlx

CHANGING = {"counter", "date", "replaced", "inserted", "left out", "drifting", "shuffled"}
NEARLY, SHUFFLED = 0.7, 0.4
"""What two copies beside each other have in common at least (difflib's ratio)."""


@given(st.text())
@example("a\r\n\tb 1234567 ----- 我们😂")
def test_pseudo_tokens_are_the_text_in_short_pieces(text: str) -> None:
    tokens = loops.pseudo_tokens(text)
    assert "".join(tokens) == text
    assert all(1 <= len(token) <= 5 for token in tokens)


@given(st.text(st.sampled_from("ab 1."), min_size=1, max_size=12), st.integers(2, 6))
def test_copies_are_cut_alike(unit: str, copies: int) -> None:
    line = f"a{unit}\n"
    assert loops.pseudo_tokens(line * copies) == loops.pseudo_tokens(line) * copies


def test_delay_counts_what_was_read_behind_the_start() -> None:
    tokens = ["abc", "de", " fgh", "i"]
    assert [loops.delay(tokens, 5, decided) for decided in (0, 3, 5, 6, 9, 10)] == [0, 0, 0, 1, 1, 2]
    assert loops.delay(tokens, 4, 5) == 1  # a token across the start counts
    assert loops.delay(tokens, -1, 10) == 4


@pytest.mark.parametrize("kind", loops.KINDS)
def test_a_loop_begins_where_it_says(kind: str) -> None:
    for number in (0, 1, 2, 3, 4, 5, 29):
        loop = loops.looping(kind, number)
        assert loop.text.startswith(loops.prefix(number))
        body = loop.text[loop.start :]
        assert len(body) >= 1000
        assert len(loops.pseudo_tokens(body)) >= 3000 or len(body) >= 30 * loop.period
        first, second = body[: loop.period], body[loop.period : 2 * loop.period]
        exact = body == (first * (1 + len(body) // loop.period))[: len(body)]
        assert exact == (kind not in CHANGING)
        assert SequenceMatcher(None, first, second).ratio() > (SHUFFLED if kind == "shuffled" else NEARLY)


def test_loops_are_the_same_in_every_run_and_differ_between_prefixes() -> None:
    assert loops.looping("block", 7) == loops.looping("block", 7)
    assert len({loops.looping("block", number).text for number in range(loops.PREFIXES)}) == loops.PREFIXES
    assert len({loops.prefix(number) for number in range(loops.PREFIXES)}) == loops.PREFIXES
    assert len(list(loops.made(numbers=range(2)))) == 2 * len(loops.KINDS)


def test_benign_texts_have_names_sizes_and_are_the_same_in_every_run() -> None:
    texts = loops.benign()
    assert texts == loops.benign()
    assert len({text.name for text in texts}) == len({text.text for text in texts}) == len(texts) >= 60
    assert {text.name for text in texts if not 290 <= len(text.text) <= 3000} == set()


def test_no_benign_text_but_an_array_of_zeros_is_the_same_for_long() -> None:
    """24 pseudo-tokens are about 80 characters; rulers and runs of zeros are shorter than five times that."""
    long = {text.name for text in loops.benign() if periodic_tail(loops.pseudo_tokens(text.text), 24, 200, 5)}
    assert long == {"zeros"}


def test_files_are_the_same_wherever_they_lie(tmp_path: Path) -> None:
    for place in ("here", "there"):
        for number in range(12):
            path = tmp_path / place / f"package{number}" / f"{number}.py"
            path.parent.mkdir(parents=True)
            path.write_text(f"x = {number}\n" * 400, encoding="utf-8")
        (tmp_path / place / "short.py").write_text("x = 1\n", encoding="utf-8")
        (tmp_path / place / "text.md").write_text("word " * 900, encoding="utf-8")
        (tmp_path / place / "binary.py").write_bytes(b"\xff" * 4000)
    (tmp_path / "there" / "twice.py").write_text("x = 3\n" * 400, encoding="utf-8")
    here, there = ([tmp_path / place] for place in ("here", "there"))
    assert len(loops.files(here, "python", 99)) == 12
    assert {text.text for text in loops.files(there, "python", 99)} == {
        text.text for text in loops.files(here, "python", 99)
    }
    assert loops.files(here, "python", 5) == loops.files(here, "python", 12)[:5]
    assert [len(text.text) for text in loops.files(here, "markdown", 9)] == [len("word " * 900)]
    assert len(loops.files(here, "python", 1, chars=1200)[0].text) == 1200


def test_one_package_gives_an_eighth_of_the_files_at_most(tmp_path: Path) -> None:
    for number in range(40):
        path = tmp_path / "site-packages" / "one" / f"{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[{number}]\n" * 400, encoding="utf-8")
    assert len(loops.files([tmp_path], "data", 16)) == 2


def test_halves_are_two_and_of_one_mind() -> None:
    texts = [text.text for text in loops.benign()]
    sides = [loops.half(text) for text in texts]
    assert sides == [loops.half(text) for text in texts]
    assert 20 < sum(sides) < len(texts) - 20


def test_outputs_loop_from_where_it_is_said(data_dir: Path) -> None:
    found = loops.outputs(data_dir / "outputs")
    looped = [each for each in found if each.label == "loop"]
    assert len(looped) == 140
    for each in looped:
        body = each.text.rstrip()[each.start :]
        assert all(a == b for a, b in zip(body, body[each.period :], strict=False)), each.name
    assert all(each.start == -1 for each in found if each.label != "loop")


# The detectors of the field


def slow_tail(tokens: Sequence[str], shortest: int, longest: int, copies: int) -> int:
    """As published: after every token each pattern length is tried on the end of what there is."""
    for read in range(1, len(tokens) + 1):
        for period in range(shortest, longest + 1):
            tail = list(tokens[max(0, read - copies * period) : read])
            if len(tail) == copies * period and tail == tail[:period] * copies:
                return read
    return 0


few = st.lists(st.sampled_from("ab"), max_size=60) | st.lists(st.sampled_from("abc"), max_size=20).map(
    lambda x: x * 4
)


@given(few, st.integers(1, 4), st.integers(0, 6), st.integers(2, 4))
def test_periodic_tail_is_the_published_search(
    tokens: list[str], shortest: int, more: int, copies: int
) -> None:
    arguments = shortest, shortest + more, copies
    assert periodic_tail(tokens, *arguments) == slow_tail(tokens, *arguments)


@pytest.mark.parametrize(
    ("name", "period", "expected"),
    [
        ("vLLM, 1..64 x 4", 1, 4),
        ("vLLM, 1..64 x 4", 64, 256),
        ("vLLM, 1..64 x 4", 65, 0),
        ("vLLM reasoning, 4..128 x 4", 1, 16),  # four tokens that are one word four times
        ("vLLM reasoning, 4..128 x 4", 21, 84),
        ("llama.cpp, 16..1024 x 4", 21, 84),
        ("llama.cpp, 16..1024 x 4", 8, 64),
        ("llama.cpp, 16..1024 x 4", 1024, 4096),
        ("llama.cpp, 16..1024 x 4", 1025, 0),
    ],
)
def test_engines_need_so_many_tokens_of_an_exact_period(name: str, period: int, expected: int) -> None:
    assert PEERS[name]([str(k) for k in range(period)] * max(5, 80 // period)) == expected


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.integers(0, 30), st.integers(0, 40))
def test_vllm_mlx_is_three_copies_of_48_tokens_at_every_16th(
    unit: list[str], copies: int, before: int
) -> None:
    whole = [*map(str, range(before)), *unit * copies, *unit]

    def loops_at(read: int) -> bool:
        seen = whole[max(0, read - 512) : read]
        for period in range(1, 129):
            copies = 1
            while (copies + 1) * period <= len(seen) and seen[len(seen) - (copies + 1) * period :][
                :period
            ] == seen[len(seen) - period :]:
                copies += 1
            if copies >= 3 and copies * period >= 48:
                return True
        return False

    expected = next((read for read in range(64, len(whole) + 1, 16) if loops_at(read)), 0)
    assert vllm_mlx(whole) == expected


def slow_windows(text: str) -> int:
    """As published, for short text without elements: characters read at the stop."""
    for read in range(50, len(text) + 1):
        window = text[read - 50 : read]
        places = [at for at in range(read - 49) if text.startswith(window, at)][-10:]
        if len(places) == 10 and places[-1] - places[0] <= 2250:
            between = {text[a:b] for a, b in pairwise(places)}
            if len(between) <= 5:
                return read
    return 0


@given(
    st.text(st.sampled_from("ab "), min_size=3, max_size=30), st.text("xy", max_size=2), st.integers(4, 16)
)
def test_gemini_cli_counts_windows(unit: str, odd: str, copies: int) -> None:
    text = "begin " + unit * copies + odd + unit * 8
    assert gemini_cli(list(text), 1) == slow_windows(text)


SENTENCE = "This is a sentence that says nothing and goes on for a while. "


def chunks(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def test_gemini_cli_needs_ten_windows() -> None:
    assert gemini_cli(chunks(SENTENCE * 10, 4), 1) > 0
    assert gemini_cli(chunks(SENTENCE * 9 + SENTENCE[:40], 4), 1) == 0


@pytest.mark.parametrize(
    "between", ["\n```\n", "\n| a | b |\n", "\n* item\n", "\n12. item\n", "\n# head\n", "\n> said\n"]
)
def test_gemini_cli_forgets_at_another_kind_of_content(between: str) -> None:
    tokens = [*chunks(SENTENCE * 9, 40), between, *chunks(SENTENCE * 9, 40)]
    assert gemini_cli(tokens, 1) == 0
    assert gemini_cli([token for token in tokens if token != between], 1) > 0


def test_gemini_cli_is_blind_in_a_fence_and_sees_behind_it() -> None:
    inside = ["```python\n", *chunks(SENTENCE * 30, 40)]
    assert gemini_cli(inside, 1) == 0
    assert gemini_cli([*inside, "\n```\n", *chunks(SENTENCE * 12, 40)], 1) > len(inside)


def test_gemini_cli_takes_a_lone_full_stop_for_a_ruler() -> None:
    tokens = loops.pseudo_tokens(SENTENCE * 30)
    assert "." in tokens
    assert gemini_cli(tokens, 1) == 0
    assert gemini_cli(tokens, 25) > 0


def test_calls_are_counted_in_a_row() -> None:
    a, b = Call("read", '{"path":"a"}'), Call("read", '{"path":"b"}')
    assert doom_loop([b, a, a, a]) == 4
    assert doom_loop([a, b] * 20) == 0
    assert doom_loop([a, Call("read", '{ "path": "a" }'), a]) == 3
    assert doom_loop([a, Call("write", a.arguments), a]) == 0
    assert gemini_calls([a] * 4 + [b]) == 0
    assert gemini_calls([b] + [a] * 5) == 6


def test_examples_in_the_docstrings() -> None:
    result = doctest.testmod(loops)
    assert result.attempted
    assert not result.failed
