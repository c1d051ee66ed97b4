"""What a person sees: the verdicts, never a secret, never a control character of a stream."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from connectors import terminal
from connectors._tally import Tally
from connectors.terminal import TerminalSink
from operators.directory import Directory
from operators.packet import FINDING, Action, Delta, Finish, Kind, Packet, Reach, joined, pack
from operators.policy import Policy
from operators.release import Release
from tests.operators.scripted import Words

SECRET = "K019"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
NAMES, REASONS = ["digits", "stop-word", "undecided"], ["three digits", "a word that ends it all", "too much"]


class _View:
    """A sink that draws on a terminal made of a string, fed by the stages that make records."""

    def __init__(self, screen: io.StringIO, total: int = 0) -> None:
        self.screen = screen
        self.sink = TerminalSink(NAMES, REASONS, Tally(), total)
        self.part = self.sink.build("sink", 0, 1)
        gate = Words(["K019", "STOP!"])
        policy = Policy([Action.REDACT, Action.BLOCK, Action.BLOCK])
        self._stages = (Directory(), gate, policy, Release(["[DIGITS]", "", ""], 24))

    def packet(self, *said: tuple[str, Delta]) -> Packet:
        packet = pack(0, said, now=0)
        for stage in self._stages:
            packet = stage.update(packet)
        return packet

    def say(self, *said: tuple[str, Delta]) -> str:
        """What is drawn, after these deltas came, with its controls."""
        self.part.write_batch([("00", self.packet(*said))])
        self.sink.screen._live.refresh()
        return self.screen.getvalue()

    def close(self) -> str:
        self.part.close()
        return self.screen.getvalue()


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> Callable[..., _View]:
    def make(total: int = 0) -> _View:
        screen = io.StringIO()

        def console(highlight: bool) -> Console:
            return Console(file=screen, force_terminal=True, width=120, height=40, highlight=highlight)

        monkeypatch.setattr(terminal, "Console", console)
        return _View(screen, total)

    return make


def _start(stream: str, provider: str = "acme") -> tuple[str, Delta]:
    return stream, Delta(Kind.START, f'{{"provider":"{provider}","model":"m"}}')


def _text(stream: str, text: str) -> tuple[str, Delta]:
    return stream, Delta(Kind.TEXT, text)


def _end(stream: str) -> tuple[str, Delta]:
    return stream, Delta(Kind.END, finish=Finish.STOP)


def _plain(screen: str) -> str:
    return ESCAPE.sub("", screen)


def test_a_stream_is_shown_while_it_speaks_with_the_sums(view: Callable[..., _View]) -> None:
    live = view(total=7)
    screen = _plain(live.say(_start("one.sse"), _text("one.sse", "Hello "), _text("one.sse", "there")))
    assert re.search(r"one\.sse\s+acme\s+2 Hello there", screen)
    assert "streams 0/7   deltas 2   findings 0" in screen
    screen = _plain(live.say(_end("one.sse")))
    assert re.search(r"one\.sse\s+stop\s+2 Hello there", screen)
    live.close()


def test_a_verdict_scrolls_by_with_the_stream_the_rule_and_the_place(view: Callable[..., _View]) -> None:
    live = view()
    screen = _plain(live.say(_start("s"), _text("s", f"code {SECRET}, and STOP!"), _end("s")))
    assert re.search(r" redact s +digits \(text 5:9\) three digits", screen)
    assert re.search(r"  block s +stop-word \(text 15:20\) a word that ends it all", screen)
    live.close()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_secret_is_never_on_the_screen_not_even_its_first_character(
    view: Callable[..., _View], size: int
) -> None:
    live, text = view(), f"~{SECRET}~STOP!"
    live.say(_start("s"))
    for at in range(0, len(text), size):
        live.say(_text("s", text[at : at + size]))
    screen = _plain(live.say(_end("s")) + live.close())
    assert "~[DIGITS]~" in screen
    for shown in ("K1", "~K", "K\n", SECRET, "~S", "STOP!"):
        assert shown not in screen


def test_an_error_is_shown_with_its_reason(view: Callable[..., _View]) -> None:
    live = view()
    screen = _plain(live.say(_start("s"), ("s", Delta(Kind.ERROR, "the peer went away")), _end("s")))
    assert re.search(r"  error s +the peer went away", screen)
    live.close()


def test_a_finding_is_shown_once_by_its_verdict_or_where_it_has_none_by_itself(
    view: Callable[..., _View],
) -> None:
    live = view()
    packet = live.packet(_start("s"), _text("s", f"{SECRET}."))
    finding = np.zeros(1, FINDING)
    finding["delta"], finding["kind"], finding["value"], finding["stop"] = 1, Reach.DTW, 0.25, 4
    live.part.write_batch([("00", packet.having(findings=joined(packet.findings, finding)))])
    screen = _plain(live.close())
    assert len(re.findall(r"    dtw s +digits \(text 0:4\) 0\.250", screen)) == 1
    assert len(re.findall(r" redact s +digits \(text 0:4\)", screen)) == 1
    assert "   rule s" not in screen


def test_the_summary_counts_what_happened(view: Callable[..., _View]) -> None:
    live = view()
    live.say(_start("a"), _text("a", f"{SECRET} {SECRET}"), _end("a"), _start("b"), _text("b", "STOP!"))
    summary = _plain(live.close()).split("summary")[-1]
    for line in (r"streams +2 +1 stop, 1 blocked", r"deltas +2 ", r"findings +3 +3 rule",
                 r"verdicts +3 +2 redact, 1 block"):  # fmt: skip
        assert re.search(line, summary), summary


def test_what_a_stream_says_cannot_move_the_cursor_or_name_the_window(view: Callable[..., _View]) -> None:
    live, attack = view(), "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil"
    screen = live.say(
        _start(f"s{attack}", provider="\\u001b]0;owned\\u0007"),
        _text(f"s{attack}", f"x{attack}"),
        (f"s{attack}", Delta(Kind.ERROR, attack)),
        _text(f"s{attack}", f"{SECRET}"),
    )
    screen += live.say(_end(f"s{attack}")) + live.close()
    assert "evil" in screen
    for control in ("\x1b]", "\x1b[2J\x9b", "\x07", "\x9b", "\u202e"):
        assert control not in screen


def test_the_streams_that_spoke_last_are_shown_and_no_more_than_fit(view: Callable[..., _View]) -> None:
    live = view()
    for number in range(60):
        live.say(_start(f"stream-{number:02d}"), _text(f"stream-{number:02d}", "x"))
    last = _plain(live.screen.getvalue()).rsplit("─" * 120, 1)[1]
    assert re.findall(r"stream-\d\d", last) == [f"stream-{number}" for number in range(48, 60)]
    assert len(live.sink.screen._rows) <= 48
    live.close()


@pytest.mark.parametrize("said", ["नदी का पानी इस साल ", "🌫️👩‍🔬", "渡船晚了", "e\u0301", "plain "])
def test_no_line_is_wider_than_the_widest_a_terminal_may_take_it_for(
    view: Callable[..., _View], said: str
) -> None:
    live = view()
    last = _plain(live.say(_start("one"), _text("one", said * 60))).rsplit("─" * 120, 1)[1]
    lines = [line.rstrip() for line in last.splitlines()]
    assert any(said[:2] in line for line in lines)
    assert max(sum(1 if char.isascii() else 2 for char in line) for line in lines) <= 120
    live.close()


@pytest.mark.parametrize("width", [1, 20, 50, 51])
def test_a_narrow_terminal_is_drawn_on_too(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        terminal,
        "Console",
        lambda highlight: Console(file=screen, force_terminal=True, width=width, height=9),
    )
    live = _View(screen)
    assert "streams" in _plain(live.say(_start("one"), _text("one", "नदी का पानी"))) or width == 1
    live.close()


def test_two_workers_share_one_screen_which_the_last_one_gives_back(view: Callable[..., _View]) -> None:
    live = view()
    second = live.sink.build("sink", 1, 2)
    packets = [live.packet(_start(f"s{n}"), _text(f"s{n}", f"t {SECRET}"), _end(f"s{n}")) for n in range(50)]

    def work(part: terminal._Partition) -> None:
        for packet in packets:
            part.write_batch([("00", packet)])
        part.close()

    threads = [threading.Thread(target=work, args=(part,)) for part in (live.part, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    screen = _plain(live.screen.getvalue())
    assert screen.count("summary") == 1
    assert re.search(r"streams +100 +100 stop", screen)


def test_what_is_only_monitored_is_said_as_such(view: Callable[..., _View]) -> None:
    live = view()
    packet = live.packet(_start("s"), _text("s", f"code {SECRET}."))
    monitored = packet.verdicts.copy()
    monitored["action"] = Action.WOULD_BLOCK
    live.part.write_batch([("00", packet.having(verdicts=monitored))])
    assert re.search(r"would block s +digits \(text 5:9\)", _plain(live.close()))
