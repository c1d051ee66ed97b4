"""Plain frames hold a text and nothing else: the dialect and the leaves agree on that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors._leaves import leaves
from connectors._plain_frames import plain_of
from connectors._sse import SseFraming
from connectors.decoders import open_dialect
from operators.packet import Kind
from tests.connectors.answers import chat, message, policy, said
from tests.judging import Judged


@pytest.mark.parametrize(
    ("dialect", "pattern"), [("chat", "*-chat-*.sse"), ("messages", "anthropic-messages-*.sse")]
)
def test_what_is_plain_says_just_that_to_the_dialect_and_to_the_leaves(
    data_dir: Path, dialect: str, pattern: str
) -> None:
    plain_frames = 0
    tell = plain_of(dialect)
    assert tell is not None
    for path in data_dir.joinpath("streams").glob(pattern):
        if path.name.startswith(("cohere", "ollama")):
            continue
        data = path.read_bytes()
        framing, heard = SseFraming(), open_dialect(dialect, "test")
        for name, payload in [*framing.receive_data(data), *framing.receive_eof()]:
            try:
                event: Any = orjson.loads(payload)
            except orjson.JSONDecodeError:
                continue
            heard.receive(name, event)
            deltas = [each for each in heard.out.take() if each.kind != Kind.START]
            plain = tell(payload)
            if plain is None:
                continue
            plain_frames += 1
            (delta,) = deltas
            assert (delta.text, (delta.channel, delta.choice, delta.item)) == (plain.text, plain.lane)
            (leaf,) = leaves(event)
            assert leaf.text == plain.text
            place = event
            for step in plain.path:
                place = place[step]
            assert place == plain.text
    assert plain_frames > 100


@pytest.mark.parametrize(
    "payload",
    [
        b'{"choices":[{"delta":{"content":"a","new":"b"}}]}',
        b'{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}',
        b'{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}',
        b'{"choices":[{"delta":{"content":"a"}}],"x_note":"b"}',
        b'{"choices":[{"delta":{"content":""}}]}',
        b'{"choices":[{"delta":{"content":"a"},"index":-1}]}',
        b'{"choices":[]}', b"[DONE]", b"\xff", b"",
    ],
)  # fmt: skip
def test_whatever_says_more_is_not_plain(payload: bytes) -> None:
    tell = plain_of("chat")
    assert tell is not None
    assert tell(payload) is None


def test_it_decides_nothing_but_speed() -> None:
    data = b"".join([*chat("to jane", ".doe@ex", "ample.com ", "and on"), said({"content": "x"})])
    both = [Judged(policy(), "chat", plain=plain).whole(data) for plain in (True, False)]
    assert both[0] == both[1]
    data = b"".join(message("to jane", ".doe@ex", "ample.com ", "and on"))
    both = [Judged(policy(), "messages", plain=plain).whole(data) for plain in (True, False)]
    assert both[0] == both[1]
