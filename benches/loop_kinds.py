"""The kinds of loops that models fall into, as endless copies: see ``benches.loops``.

Each kind is a function of the number of its prefix, which says what is repeated, and of a seeded generator,
which says what changes from copy to copy. It gives the text that leads from the prefix into the loop (a code
fence that opens, a table's head), and the copies.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

__all__ = ["KINDS", "PROSE"]

Copies = Iterator[str]
Kind = Callable[[int, random.Random], tuple[str, Copies]]


def _same(lead: str, units: Sequence[str]) -> Kind:
    return lambda number, _: (lead, itertools.repeat(units[number % len(units)]))


def _counter(number: int, rng: random.Random) -> tuple[str, Copies]:
    first, step = rng.randrange(1, 120), rng.choice((1, 1, 1, 1, 2, 5, 10, -1))
    first += 200 * (step < 0)
    unit = _COUNTERS[number % len(_COUNTERS)]
    return "\n\n", (unit.format(n=first + k * step) for k in itertools.count())


def _dates(number: int, rng: random.Random) -> tuple[str, Copies]:
    first, days = date(2023, 1, 1) + timedelta(rng.randrange(700)), rng.choice((1, 1, 1, 7))
    unit = _DATES[number % len(_DATES)]
    return "\n\n", (unit.format(d=first + timedelta(k * days)) for k in itertools.count())


def _edited(edit: str) -> Kind:
    """Each copy is the sentence with one word replaced, one more or one less, at any place."""

    def copies(unit: str, rng: random.Random) -> Copies:
        while True:
            words = unit.split()
            at = rng.randrange(len(words))
            if edit == "left out":
                del words[at]
            elif edit == "inserted":
                words.insert(at, rng.choice(_OTHERS))
            else:
                words[at] = rng.choice(_OTHERS)
            yield " " + " ".join(words)

    return lambda number, rng: ("", copies(_SENTENCES[number % len(_SENTENCES)], rng))


def _drifting(number: int, rng: random.Random) -> tuple[str, Copies]:
    """Each copy is the one before it with one word replaced: no two far apart are alike."""

    def copies(words: list[str]) -> Copies:
        while True:
            yield " " + " ".join(words)
            at = rng.randrange(len(words))
            words[at] = rng.choice([other for other in _OTHERS if other != words[at]])

    return "", copies(_SENTENCES[number % len(_SENTENCES)].split())


def _shuffled(number: int, rng: random.Random) -> tuple[str, Copies]:
    """Three short sentences in any order, then again: no period holds."""
    parts = _SHORT[number % len(_SHORT)].split("|")
    return "", (" " + " ".join(rng.sample(parts, len(parts))) for _ in itertools.count())


def _block(_: int, rng: random.Random) -> tuple[str, Copies]:
    """92 lines of code, as in the report to llama.cpp (#26039)."""
    lines = []
    for _method in range(13):
        verb, noun, other = rng.choice(_VERBS), rng.choice(_NOUNS), rng.choice(_NOUNS)
        lines += [
            f"    def {verb}_{noun}_{rng.randrange(90)}(self, limit={rng.randrange(2, 500)}):",
            f'        """{verb.capitalize()} each {noun}."""',
            f"        found = self.{noun}s[{rng.randrange(90)}]",
            f"        if len(found) > {rng.choice(('limit', 'MOST'))}:",
            f"            return self.{rng.choice(_VERBS)}(found)",
            f"        return sorted(found, key={other})",
            "",
        ]
    return "\n\n```python\n", itertools.repeat("\n".join(["class Store:", *lines]) + "\n")


def _calls(number: int, rng: random.Random) -> tuple[str, Copies]:
    tool, path = rng.choice(_VERBS), f"{rng.choice(_NOUNS)}/{rng.choice(_NOUNS)}.py"
    arguments = ({"path": path}, {"query": rng.choice(_NOUNS), "limit": 20}, {"file": path, "line": 42})
    call = {"tool": f"{tool}_file", "arguments": arguments[number % 3]}
    return "\n\n", itertools.repeat(json.dumps(call) + "\n")


_SENTENCES = (
    "I apologize for the confusion, but I am not able to open that file for you.",
    "The committee agreed that the plan should be reviewed again before it is signed.",
    "It is important to note that these results may not apply to every patient.",
    "She looked out of the window and wondered whether the rain would ever stop.",
    "We need to check that the value is not null before we pass it to the parser.",
    "This means that the user can choose the colour of the button and the text.",
    "Wait, let me look at the problem again, because that answer does not seem right.",
)

_SHORT = (
    "I do not know.|I really do not know.|I cannot say.",
    "Let me check.|Wait.|That is not right.",
    "Thank you for asking.|Please let me know.|I hope this helps.",
)

_PARAGRAPHS = (
    "The second point is that no test covers the case where the queue is empty. The worker then waits for a "
    "message that never comes, and the service looks as if it had stopped. We should add a timeout, log a "
    "warning, and try again later.\n\n",
    "Let me think about this step by step. The train leaves at nine and covers sixty kilometres in an "
    "hour. Then it slows down, because the line climbs to the pass. So the answer must be larger than two "
    "hours, but smaller than three.\n\n",
    "To make the sauce, melt the butter in a small pan and stir in the flour until it smells of nuts. Pour "
    "in the milk, whisking all the time, and let it simmer for five minutes. Season with salt and mace.\n\n",
    "He had known for years that the letter would come, and still it surprised him. The paper was thin, "
    "the hand was hers, and the stamp showed the harbour in summer. He read it and went out to the dogs.\n\n",
)

_COUNTERS = (
    "Step {n}: processing item {n} of the queue and writing the result to the log.\n",
    "Checking page {n} of the report for errors. No errors were found on page {n}.\n",
    "{n}. The customer is not satisfied with the quality of the service.\n",
    "Attempt {n} failed, trying again with the same parameters.\n",
    "Now I will verify that test {n} passes with the new code.\n",
    "- Item {n}: a short description of the item\n",
    " On day {n} the crew repaired the sails and waited for the wind to turn.",
    "Question {n}: What is the capital of the country? Answer {n}: It is the largest city.\n",
)

_DATES = (
    "On {d:%Y-%m-%d} the water level at the north gate was normal and nothing was reported.\n",
    "{d:%A}, {d:%d} {d:%B} {d:%Y}: the patient slept well and took the medicine as prescribed.\n",
    "The meeting of {d:%B} {d.day}, {d:%Y} was opened by the chair and closed without a decision.\n",
    "- {d:%d/%m/%Y}: reviewed the backlog and moved the open tickets to the next sprint\n",
    " By {d:%d.%m.%Y} the second payment had not arrived, so a reminder was sent to the office.",
)

_OTHERS = (
    "again", "maybe", "certainly", "small", "green", "today", "still", "often", "quietly", "perhaps", "very",
    "other", "whole", "simply", "north", "first", "later", "little", "really", "there", "already", "almost",
)  # fmt: skip

_VERBS = (
    "read",
    "load",
    "merge",
    "collect",
    "update",
    "filter",
    "parse",
    "remove",
    "count",
    "resolve",
    "list",
)
_NOUNS = (
    "order",
    "token",
    "event",
    "record",
    "branch",
    "packet",
    "user",
    "invoice",
    "layer",
    "window",
    "queue",
)

PROSE = (
    "To solve this, we first have to look at what the function returns. "
    "It returns a list of pairs, and each pair holds a name and a number. "
    "That is a useful shape, because it can be turned into a dictionary with a single call. "
    "Here are a few things to keep in mind when you plan a trip to the mountains. "
    "The weather changes quickly, so bring a warm jacket even in July. "
    "Most huts accept cards now, but some of the smaller ones do not. "
    "I think the best way to learn a language is to use it every day, even badly. "
    "Talk to your neighbours, read the labels in the shop, and write down what you could not say. "
    "The first version of the engine was loud, heavy and surprisingly reliable. "
    "Its successor weighed half as much and broke twice as often, which the sales brochure did not mention. "
    "Yes, you can freeze the dough. "
    "Let it rise once, shape it, wrap it well, and it will keep for about a month."
)
"""What an assistant might say before a loop begins."""

KINDS: dict[str, Kind] = {
    "word": _same("", (" very", " the", " no", " and", " yes", " so")),
    "phrase": _same(
        "", (" I can do this.", " over and over", " and so on,", " It was a dream.", " no, no, yes,")
    ),
    "sentence": _same("", [" " + sentence for sentence in _SENTENCES]),
    "paragraph": _same("\n\n", _PARAGRAPHS),
    "list item": _same(
        "\n\n",
        (
            "- Check that the cable is plugged in\n",
            "* A warm coat, a hat and good boots\n",
            "- The ability to work well in a team\n",
            "* **Security:** update the software\n",
        ),
    ),
    "code line": _same(
        "\n\n```python\n",
        (
            "    result.append(transform(items[index], options))\n",
            "    if value is None: raise ValueError(name)\n",
            "        self.assertEqual(response.status_code, 200)\n",
            "    print(f'{name}: {total / count:.2f}')\n",
        ),
    ),
    "counter": _counter,
    "date": _dates,
    "replaced": _edited("replaced"),
    "inserted": _edited("inserted"),
    "left out": _edited("left out"),
    "drifting": _drifting,
    "shuffled": _shuffled,
    "nested": _same(
        "", (" No, no, no, I said, it is not here.", " It was very, very, very late, and we left.")
    ),
    "tool call": _calls,
    "character": _same("", ("!", "0", "…", "a", "�", "?")),
    "emoji": _same(" ", ("😂", "🎉", "👍", "🙏🏽", "❤️")),
    "fragment": _same(" ", ("ATCG", "pose, op", "b`_J^F", "lol", "\\n", "xyz-")),
    "table row": _same(
        "\n\n| Name | Value | Note |\n|---|---|---|\n",
        ("| Total | 0 | not available |\n", "| - | n/a | - |\n"),
    ),
    "block": _block,
    "CJK": _same(
        "\n\n",
        (
            "我很抱歉，我无法回答这个问题。",
            "这个城市的历史可以追溯到很久以前，",
            "これはとても大切なことだと思います。",
            "죄송합니다. 다시 한번 말씀해 주시겠어요? ",
        ),
    ),
    "other script": _same(
        "\n\n",
        (
            "Мы должны проверить, что данные были сохранены правильно. ",
            "يجب علينا التحقق من البيانات مرة أخرى قبل المتابعة. ",
            "Πρέπει να ελέγξουμε ξανά τα αποτελέσματα της μελέτης. ",
            "हमें इस समस्या को फिर से देखना चाहिए और उत्तर देना चाहिए। ",
        ),
    ),
}
"""The kinds of loops by name; each makes the text between prefix and loop, and the copies without an end."""
