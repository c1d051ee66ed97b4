"""One answer as text: nothing but what was released, a line for each decision, no control of the terminal."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from connectors._records import Recorder
from connectors._stop import STOP
from connectors.answer import Answer, AnswerSink
from flows.judgement import Judgement
from flows.policies import read
from operators.directory import Limits
from operators.features import Features
from operators.packet import Channel, Delta, Finish, Kind, Packet, pack


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    return read("default", b"")


@dataclass
class _Reader:
    """What a person sees, on both outputs, in order."""

    judgement: Judgement
    terminal: bool = True
    seen: list[tuple[str, str]] = field(default_factory=list)
    unwanted: threading.Event = field(default_factory=threading.Event)

    def hear(self, *said: Delta) -> Answer:
        judgement = self.judgement
        stages = [
            judgement.directory(Limits()), judgement.gate(), Features(),
            *(analysis() for _, analysis in judgement.analyses), judgement.policy(), judgement.release(),
        ]  # fmt: skip
        answer = Answer(self.unwanted)
        sink = AnswerSink(
            Recorder(judgement.names, judgement.reasons),
            answer,
            lambda text: self.seen.append(("out", text)),
            lambda line: self.seen.append(("err", line)),
            terminal=self.terminal,
        )
        part = sink.build("sink", 0, 1)
        for at, delta in enumerate(said):
            packet: Packet = pack(0, [("answer", delta)], now=at)
            for stage in stages:
                packet = stage.update(packet)
            part.write_batch([("00", packet)])
        return answer

    def out(self) -> str:
        return "".join(text for where, text in self.seen if where == "out")

    def err(self) -> list[str]:
        return [line for where, line in self.seen if where == "err"]


START = Delta(Kind.START, '{"provider":"openai","model":"m"}')
END = Delta(Kind.END, finish=Finish.STOP)


def test_only_released_text_is_on_the_output_and_decisions_have_lines_of_their_own(
    judgement: Judgement,
) -> None:
    reader = _Reader(judgement)
    text = Delta(Kind.TEXT, "Write to jane.doe@example.com today.")
    answer = reader.hear(START, text, Delta(Kind.TEXT, " Bye."), END)
    assert "jane.doe" not in reader.out()
    assert reader.out().replace("\n", "") == "Write to [EMAIL] today. Bye."
    assert reader.out().endswith("\n")
    (line,) = reader.err()
    assert line.startswith("redact: email: ")
    before = "".join(text for where, text in reader.seen[: reader.seen.index(("err", line))])
    assert not before or before.endswith("\n"), "the line does not begin in the middle of another"
    assert answer.finishes["stop"] == 1


@pytest.mark.parametrize("channel", [Channel.TEXT, Channel.REFUSAL, Channel.TRANSCRIPT])
def test_what_is_spoken_is_the_answer_and_thoughts_and_calls_of_tools_are_not(
    judgement: Judgement, channel: Channel
) -> None:
    reader = _Reader(judgement)
    reader.hear(
        START,
        Delta(Kind.TEXT, "hm", channel=Channel.REASONING),
        Delta(Kind.TEXT, '{"a":1}', channel=Channel.TOOL),
        Delta(Kind.TEXT, "I cannot", channel=channel),
        END,
    )
    assert reader.out() == "I cannot\n"


def test_a_terminal_is_not_controlled_by_a_model_and_a_pipe_gets_what_was_said(judgement: Judgement) -> None:
    said = "a\x1b[2Jb\r\x07c\u202ed\te\n"
    shown, piped = _Reader(judgement), _Reader(judgement, terminal=False)
    for reader in (shown, piped):
        reader.hear(START, Delta(Kind.TEXT, said), END)
    assert shown.out() == "a\ufffd[2Jb\ufffd\ufffdc\ufffdd\te\n"
    assert piped.out() == said


def test_an_error_is_a_line_and_the_token_counts_are_the_last_that_were_told(judgement: Judgement) -> None:
    reader = _Reader(judgement, terminal=False)
    answer = reader.hear(
        START, Delta(Kind.USAGE, '{"input":7,"output":1}'), Delta(Kind.TEXT, "x"),
        Delta(Kind.ERROR, "it\nbroke"), Delta(Kind.USAGE, '{"output":9}'),
        Delta(Kind.END, finish=Finish.TRUNCATED),
    )  # fmt: skip
    assert reader.out() == "x"
    assert reader.err() == ["error: it\nbroke"]
    assert answer.usage == {"input": 7, "output": 9}
    assert answer.finishes["truncated"] == 1


def test_what_is_blocked_is_not_wanted_any_more_at_that_very_packet(judgement: Judgement) -> None:
    reader = _Reader(judgement)
    body = "MIIEpAIBAAKCAQEA" * 8
    answer = reader.hear(START, Delta(Kind.TEXT, f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n"))
    assert reader.unwanted.is_set()
    assert answer.finishes["blocked"] == 1
    assert "MIIE" not in reader.out()


def test_a_reader_that_goes_away_ends_the_flow(judgement: Judgement) -> None:
    def gone(text: str) -> None:
        raise BrokenPipeError(text)

    answer = Answer(threading.Event())
    sink = AnswerSink(Recorder(judgement.names, judgement.reasons), answer, gone, lambda line: None)
    reader = _Reader(judgement)
    stages = [judgement.directory(Limits()), judgement.gate(), Features(), judgement.policy()]
    packet = pack(0, [("answer", START), ("answer", Delta(Kind.TEXT, "text ")), ("answer", END)], now=1)
    for stage in [*stages, judgement.release()]:
        packet = stage.update(packet)
    try:
        sink.show(packet)
        assert STOP.is_set()
        sink.show(packet)
    finally:
        STOP.clear()
    assert reader.seen == []
