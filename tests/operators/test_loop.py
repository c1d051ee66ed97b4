"""Loops of all sorts are told where they are, however they are cut; what is no loop is not."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.directory import Directory
from operators.kernels.loop import follow_copies
from operators.kernels.loop_calls import follow_calls
from operators.kernels.loop_judge import describe_copies
from operators.kernels.loop_symbols import cut_symbols
from operators.kernels.loop_tell import tell_copies
from operators.loop import _PIECE, Loop, Watch
from operators.packet import Channel, Delta, Finish, Kind, Packet, Reach, pack
from operators.slots import Stage
from tests import stages
from tests.stages import Said

COMPILED = hasattr(follow_copies, "signatures")
"""Without the JIT a symbol takes a millisecond."""
ENTRIES = [Watch("loop", 7), Watch("later", 8, 0.5, 6, 20)]
PROSE = "The plan was agreed on in May. Nobody had asked who would pay for it, and so it was begun. "
LOOPS = {
    "word": " very" * 30,
    "sentence": "I am not able to open that file for you. " * 8,
    "paragraph": "Let me think about it. The train leaves at nine and slows down.\nSo it is late.\n\n" * 6,
    "list": "- Check that the cable is plugged in\n" * 9,
    "code": "```python\n" + "    result.append(transform(items[index], options))\n" * 8,
    "counter": "".join(f"Step {k}: processing item {k} of the queue.\n" for k in range(17, 27)),
    "date": "".join(f"On 2024-03-{k} the water level at the gate was normal.\n" for k in range(10, 22)),
    "edited": "".join(f"She looked out of the {w} and wondered if rain fell. " for w in "abcdefghij"),
    "emoji": "😂" * 60,
    "CJK": "我很抱歉，我无法回答这个问题。" * 8,
    "right to left": "يجب علينا التحقق من البيانات مرة أخرى. " * 8,
    "replaced": "\ufffd" * 400,
    "fragment": "ATCG" * 100,
}  # fmt: skip
Row = tuple[Any, ...]


def make() -> list[Stage]:
    return [Directory(), Loop(ENTRIES)]


def rows(packets: list[Packet]) -> dict[tuple[str, int], list[Row]]:
    """The findings of each lane, without what is about the cutting."""
    found: dict[tuple[str, int], list[Row]] = {}
    names = ["code", "value", "begin", "stop", "decided", "confidence", "period", "copies", "wasted"]
    for packet in packets:
        for row in packet.findings:
            assert row["kind"] == Reach.LOOP
            lane = stages.lane_of(packet, row["delta"])
            assert row["row"] == packet.deltas["row"][row["delta"]] or lane.channel == Channel.TOOL
            found.setdefault((lane.stream, 0), []).append(row[names].item())
    return found


def told(text: str) -> list[Row]:
    return rows(stages.run(make, stages.whole("a", text))).get(("a", 0), [])


@pytest.mark.parametrize("kind", LOOPS)
def test_every_kind_of_loop_is_told_once_to_each_entry(kind: str) -> None:
    found = told(PROSE + LOOPS[kind])
    assert [row[0] for row in found] == [7, 8][: len(found)]
    code, value, begin, stop, decided, confidence, period, copies, wasted = found[0]
    assert code == 7
    assert value == confidence >= 0.8
    assert copies >= 3
    assert abs(begin - len(PROSE)) <= period + 12
    assert begin < stop == decided <= len(PROSE) + len(LOOPS[kind])
    assert copies - 0.5 <= (decided - begin) / period <= copies + 1.5
    assert 0 < wasted <= decided - begin


@pytest.mark.parametrize(
    ("kind", "periods"),
    [("sentence", 3), ("paragraph", 3), ("list", 3), ("code", 4), ("counter", 6), ("date", 5)],
)
def test_it_is_told_with_the_third_copy_or_some_later(kind: str, periods: int) -> None:
    (*_, decided, _, period, _, _), *_ = told(PROSE + LOOPS[kind])
    assert decided <= len(PROSE) + 12 + periods * period


def test_a_loop_of_one_word_is_told_with_its_fourth_copy() -> None:
    found = told(PROSE.strip() + " very" * 4)
    assert found
    assert found[0][4] == len(PROSE.strip()) + 20


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "-" * 80,
        "| Name | Value |\n|------|-------|\n| one | 1 |\n| two | 2 |\n| three | 3 |\n",
        "".join(f"{k * k % 97},{k * 7 % 31},{k * k * k % 53}\n" for k in range(60)),
        ", ".join(map(str, range(100))),
        "[0, 0, 0, 0, 0, 0, 0, 0]",
        "very very very good",
        "\n\n\n",
        PROSE,
        "".join(f"    {name} = {k}\n" for k, name in enumerate(("red", "green", "blue", "cyan"))),
        PROSE + "Noooooooooooooo! Aaaaaaargh!",
        PROSE + "Ha ha ha.",
        "16 03 01 00 a5 " + "00 " * 20 + "2b 7e 15 16 28 ae d2 a6",
        PROSE + "password: " + "x" * 24,
    ],
)
def test_what_is_no_loop_is_not_told(text: str) -> None:
    assert [row for row in told(text) if row[0] == 7] == []


def test_a_second_loop_is_told_again() -> None:
    text = PROSE + LOOPS["sentence"] + PROSE + LOOPS["list"]
    assert [row[0] for row in told(text)] == [7, 8, 7, 8]


def sentences(count: int) -> list[str]:
    rng = np.random.default_rng(4)
    words = rng.integers(97, 123, (count, 12, 6)).astype(np.uint8)
    return [" ".join(bytes(word).decode() for word in one) + ". " for one in words]


def test_loops_close_behind_each_other_are_told_each_and_waste_together() -> None:
    spoken = sentences(6)
    found = [row for row in told(PROSE + "".join(7 * one for one in spoken)) if row[0] == 7]
    begins = [len(PROSE) + sum(7 * len(one) for one in spoken[:k]) for k in range(6)]
    assert [row[2] for row in found] == pytest.approx(begins, abs=40)
    assert all(row[7] <= 9 for row in found)
    wasted = [row[8] for row in found]
    assert all(later >= before + 5 * 12 for before, later in pairwise(wasted))
    apart = [row for row in told(PROSE.join(7 * one for one in spoken) + 4 * PROSE) if row[0] == 7]
    assert apart[1][8] < wasted[1]


def test_a_sentence_with_slips_in_between_is_one_loop() -> None:
    one = sentences(1)[0]
    text = PROSE + "".join(one if k % 4 else "other" + one[6:] for k in range(40))
    assert [row[0] for row in told(text)] == [7, 8]


HIDDEN = ["\u200b", "\u00ad", "\ufe0f", "\U000e0041", "\u0301", "\u202e"]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_is_not_seen_hides_no_loop(hidden: str) -> None:
    rng = np.random.default_rng(6)
    sentence = LOOPS["sentence"]
    text = "".join(letter + hidden * (rng.random() < 0.3) for letter in sentence)
    found, plain = told(text), told(sentence)
    seen = [row[4] - text[: row[4]].count(hidden) for row in found]
    assert seen == [row[4] for row in plain]
    assert [row[7] for row in found] == [row[7] for row in plain]


def test_a_lane_that_says_nothing_but_what_is_not_seen_is_told() -> None:
    assert told(PROSE + "\u200b" * 6000)


@pytest.mark.skipif(not COMPILED, reason="many characters")
def test_deltas_longer_than_a_piece_change_nothing() -> None:
    text = LOOPS["counter"] + "é" * _PIECE + PROSE + LOOPS["CJK"] * 60 + "a" * 5000
    one = told(text)
    assert rows(stages.run(make, stages.whole("a", text, range(0, len(text), 50)))).get(("a", 0)) == one
    assert one


speeches = st.lists(
    st.tuples(st.sampled_from(sorted(LOOPS)), st.integers(0, 40), stages.CUTS), min_size=1, max_size=3
)


@settings(max_examples=20 if COMPILED else 2)
@given(speeches, st.data())
def test_no_cutting_weaving_or_restart_changes_what_is_told(
    chosen: list[tuple[str, int, list[int]]], data: st.DataObject
) -> None:
    parts = [(PROSE[: 2 * lead] + LOOPS[kind][:300], chunks) for kind, lead, chunks in chosen]
    said = [stages.whole(str(k), text, [7 * c for c in chunks]) for k, (text, chunks) in enumerate(parts)]
    woven = stages.woven(said, data.draw(st.lists(st.integers(0, 5), max_size=30)))
    cuts = data.draw(stages.CUTS)
    found = rows(stages.run(make, woven, cuts))
    assert rows(stages.run(make, woven, cuts, reload=range(9))) == found
    for k, (text, _) in enumerate(parts):
        assert found.get((str(k), 0), []) == told(text)


@pytest.mark.parametrize("kind", ["word", "counter", "CJK"])
def test_character_by_character_it_is_the_same(kind: str) -> None:
    text = PROSE[:30] + LOOPS[kind][:160]
    said = stages.whole("a", text, range(len(text)))
    assert rows(stages.run(make, said, range(0, len(said), 3))).get(("a", 0), []) == told(text)


@pytest.mark.parametrize(
    "text", ["\0" * 99, "e\u0301" * 99, "\u202e" * 99, "\ud7ff\ue000" * 99, "1" * 500, "\t" * 999]
)
def test_strange_text_breaks_nothing(text: str) -> None:
    for code, value, begin, stop, decided, confidence, period, copies, _ in told(text):
        assert code in {7, 8}
        assert 0.0 <= value == confidence <= 1.0
        assert 0 <= begin < stop == decided <= len(text)
        assert period > 0 < copies


def call(item: int, name: str, arguments: str, chunks: tuple[int, ...] = ()) -> list[Said]:
    note = json.dumps({"tool": {"name": name, "id": f"call-{item}"}})
    head = ("a", Delta(Kind.NOTE, note, channel=Channel.TOOL, item=item))
    return [head, *stages.say("a", arguments, chunks, channel=int(Channel.TOOL), item=item)]


def calls(*made: tuple[str, str], cuts: tuple[int, ...] = (), chunks: tuple[int, ...] = ()) -> list[Row]:
    said = [
        part for item, (name, arguments) in enumerate(made) for part in call(item, name, arguments, chunks)
    ]
    said.append(("a", Delta(Kind.END, finish=Finish.TOOL)))
    head = ("a", Delta(Kind.START, '{"provider":"","model":""}'))
    found = rows(stages.run(make, [head, *said], cuts)).get(("a", 0), [])
    assert rows(stages.run(make, [head, *said], cuts, reload=range(20))).get(("a", 0), []) == found
    return found


READ, LIST, TEST = ("read", '{"path": "a.py"}'), ("list", '{"path": "."}'), ("test", "{}")


@pytest.mark.parametrize("cycle", [[READ], [READ, LIST], [READ, LIST, TEST], [LIST, READ, READ, TEST]])
def test_a_cycle_of_calls_is_told_with_its_third_copy(cycle: list[tuple[str, str]]) -> None:
    assert calls(*cycle, *cycle) == []
    (row,) = calls(*cycle * 3)
    assert row[0] == 7
    assert row[7] == 3
    assert row[6] == sum(len(arguments.replace(" ", "")) for _, arguments in cycle)
    assert row[4] == len(cycle[-1][1])
    assert calls(*cycle * 3, cuts=(2, 3, 5), chunks=(1, 4)) == [row]


def test_a_loop_of_calls_with_a_smaller_one_in_it_is_told_once() -> None:
    assert [row[0] for row in calls(*[READ, READ, LIST] * 7)] == [7, 8]
    assert [row[0] for row in calls(*[READ, READ, READ, LIST, TEST] * 7)] == [7, 8]
    other = ("write", '{"path": "b.py"}')
    assert [row[0] for row in calls(*[READ] * 4, TEST, LIST, *[other] * 4)] == [7, 7]


def test_the_order_of_members_does_not_count_and_that_of_items_does() -> None:
    swapped = ('{"a": 1, "b": "x, {y"}', '{"b": "x, {y", "a": 1}')
    assert len(calls(*[("f", swapped[k % 2]) for k in range(4)])) == 1
    assert len(calls(*[("f", swapped[k in (1, 2)]) for k in range(3)], chunks=(1, 2, 9))) == 1
    items = ["[1, 2, 3, 4]", "[2, 1, 3, 4]", "[1, 2, 4, 3]", '{"a": 1, "b": 2}', '{"a": 2, "b": 1}']
    assert calls(*[("f", one) for one in items], *[("f", one[::-1]) for one in items]) == []
    nested = '{"x": {"a": 1, "b": 2}}', '{"x": {"b": 2, "a": 1}}', '{"x": {"a": 1}, "b": 2}'
    assert calls(*[("f", one) for one in nested]) == []


def test_calls_of_a_stream_that_never_ended_are_not_those_of_the_next_on_its_row() -> None:
    directory, stage = Directory(), Loop(ENTRIES)
    packets = stages.run(lambda: [directory], [("a", Delta(Kind.START, "{}")), *call(0, "f", "{}")])
    for _ in range(5):  # each time a new stream, as far as the packet says
        assert len(stage.update(packets[0]).findings) == 0


def test_deltas_of_streams_without_calls_are_passed_by() -> None:
    stage = Loop(ENTRIES)
    said = [*call(0, "f", "{}")] + [part for k in range(60) for part in stages.say(f"s{k}", PROSE[:9])]
    (packet,) = stages.run(lambda: [Directory()], said)
    deltas = packet.deltas.copy()
    deltas["stream"][-60:] += 10**6
    assert len(stage.update(packet.having(deltas=deltas)).findings) == 0


def test_blanks_in_arguments_do_not_count_and_pages_are_no_loop() -> None:
    assert calls(("f", '{"a": 1}'), ("f", '{"a":1}'), ("f", '{ "a" : 1 }'))
    assert calls(*[("f", f'{{"page": {k}}}') for k in range(30)]) == []
    assert calls(*[(f"f{k % 9}", "{}") for k in range(40)]) == []  # longer than the longest cycle
    assert calls(("f", ""), ("f", ""), ("f", ""), ("f", ""))  # no arguments at all


def test_calls_of_other_streams_and_text_between_do_not_count() -> None:
    said: list[Said] = []
    for turn in range(3):
        for stream in "ab":
            note = json.dumps({"tool": {"name": f"{stream}{turn if stream == 'b' else ''}"}})
            said += [(stream, Delta(Kind.NOTE, note, channel=Channel.TOOL, item=turn))]
            said += stages.say(stream, "{}", channel=int(Channel.TOOL), item=turn)
            said += stages.say(stream, PROSE[turn : turn + 20], item=99)
    found = rows(stages.run(make, said, [3, 8]))
    assert list(found) == [("a", 0)]


def test_calls_whose_arguments_come_after_the_next_has_begun_are_no_loop() -> None:
    heads = [call(item, "f", "")[0] for item in range(3)]
    tails = [part for item in range(3) for part in call(item, "f", f'{{"a": {item}}}')[1:]]
    assert rows(stages.run(make, [*heads, *tails])) == {}


def test_a_note_that_is_no_call_is_passed_by() -> None:
    for note in ('{"tool": 3}', "[]", "{", '{"citation": {}}', '{"tool": {"name": 3}}'):
        said = [("a", Delta(Kind.NOTE, note, channel=Channel.TOOL, item=k)) for k in range(6)]
        assert rows(stages.run(make, said)) == {}


@pytest.mark.skipif(not COMPILED, reason="two million characters")
def test_every_loop_of_real_models_is_told(data_dir: Path) -> None:
    stage = Loop([Watch("loop", 0)])
    missed, wrong, normal = [], 0, 0
    for path in sorted((data_dir / "outputs").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n")[
            : None if hasattr(follow_copies, "signatures") else 9
        ]:
            row = json.loads(line) if line else {"label": ""}
            if row["label"] not in {"loop", "normal"}:
                continue
            packet = pack(0, [("a", Delta(Kind.TEXT, row["text"][:20000])), ("a", Delta(Kind.CLOSE))], now=0)
            packet.deltas["row"], packet.deltas["begin"][1] = 0, len(row["text"][:20000])
            found = stage.update(packet.having(opened=np.array([(0, 0, 0)], packet.opened.dtype))).findings
            if row["label"] == "loop":
                missed += [] if len(found) else [row["id"]]
            else:
                normal += 1
                wrong += len(found) > 0
    assert missed == []
    assert wrong <= normal / 100


def test_a_packet_from_another_process_and_one_of_nothing_compile_nothing_new() -> None:
    if not hasattr(cut_symbols, "signatures"):
        pytest.skip("nothing is compiled without the JIT")
    stage = Loop(ENTRIES)
    stage.warm()
    kernels: tuple[Any, ...] = (cut_symbols, follow_copies, describe_copies, tell_copies, follow_calls)
    known = [len(kernel.signatures) for kernel in kernels]
    said = [*stages.whole("a", LOOPS["sentence"]), *call(1, "f", "{}"), *call(2, "f", "{}")]
    for packet in stages.run(lambda: [Directory()], said, [1, 2, 5]):
        stage.update(Packet.from_bytes(packet.to_bytes()))
    stage.update(pack(0, [], now=0))
    assert [len(kernel.signatures) for kernel in kernels] == known == [1, 1, 1, 1, 1]


def test_warming_up_changes_no_state() -> None:
    stage = Loop(ENTRIES)
    before = stage.dump()
    stage.warm()
    assert stage.dump() == before


def test_a_lane_keeps_less_than_3_kib() -> None:
    assert Loop([Watch("loop", 0)]).state_bytes <= 2816


def test_nothing_is_left_of_lanes_and_streams_that_ended() -> None:
    stage = Loop(ENTRIES)
    said = [("a", Delta(Kind.START, "{}")), *call(0, "f", "{}"), ("a", Delta(Kind.END))]
    stages.run(lambda: [Directory(), stage], said, [2])
    assert stage.dump() == Loop(ENTRIES).dump()


@pytest.mark.parametrize("entry", [Watch("x", 0, 1.5), Watch("x", 0, 0.5, 2), Watch("x", 0, 0.5, 3, -1)])
def test_an_entry_out_of_range_is_refused(entry: Watch) -> None:
    with pytest.raises(ValueError, match="'x'"):
        Loop([entry])


def test_state_of_other_entries_is_refused() -> None:
    with pytest.raises(ValueError, match="another policy"):
        Loop([Watch("x", 0, 0.5)]).load(Loop([Watch("x", 0)]).dump())
