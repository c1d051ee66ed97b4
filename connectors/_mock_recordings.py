"""Recorded response bodies, served again byte for byte by a mock provider.

=================== =====================================================================
``.sse``            ``text/event-stream``, an event a chunk
``.ndjson``         a line a chunk
``.json``           Gemini's array, an element a chunk where each begins on its own line
``.eventstream``    Amazon's binary frames, a frame a chunk
``.jsonl``          bare payloads: each gets the SSE framing that it was recorded without
=================== =====================================================================

Strategy. A model name picks a recording, and a model name comes from outside: names are looked up in the
list that was made when the server began, never joined to a path. For a request that does not stream, what
the recording says is decoded and said again as one body, as the provider would have done.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import orjson

from connectors import decoders
from connectors._mock_asked import Refused
from connectors._mock_wire import JSON, NDJSON, SSE, Answer
from connectors._simulate_text import Part, Speech
from operators.packet import Channel, Kind

__all__ = ["Recordings"]

_MEDIA = {
    ".sse": SSE,
    ".ndjson": NDJSON,
    ".json": JSON,
    ".eventstream": "application/vnd.amazon.eventstream",
    ".jsonl": SSE,
}
_PREFIX = "replay:"
_MOST_FILES, _MOST_BYTES = 10_000, 1 << 26
_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)")
_ELEMENT = re.compile(rb"(?=^,\r?$)", re.MULTILINE)


class Recordings:
    """Those of one folder, or one file.

    :arg path: A folder (the files in it) or a file, which then answers every model that names nothing
        else; None for none.
    :arg table: File names by model name.
    :raises ValueError: If there is nothing to serve there, or the table names what is not there.
    :raises OSError: If it cannot be read.
    """

    def __init__(self, path: Path | None, table: Mapping[str, str]) -> None:
        found = [path] if path and path.is_file() else sorted(path.iterdir()) if path else []
        self._files = {each.name: each for each in found if each.suffix in _MEDIA and each.is_file()}
        if path and not self._files:
            msg = f"{path}: no recording there; they end in {', '.join(_MEDIA)}"
            raise ValueError(msg)
        if len(self._files) > _MOST_FILES:
            msg = f"{path}: {len(self._files):,} recordings, at most {_MOST_FILES:,}"
            raise ValueError(msg)
        if absent := sorted(set(table.values()) - set(self._files)):
            msg = f"no recording is named {', '.join(absent)}"
            raise ValueError(msg)
        self._table = dict(table)
        self._answers: dict[str, Answer] = {}
        self._only = found[0].name if path and path.is_file() else ""

    def models(self) -> tuple[str, ...]:
        """Names to ask for."""
        return (*self._table, *(_PREFIX + name for name in self._files))

    def name_of(self, model: str, others: Collection[str]) -> str:
        """The recording that `model` picks, "" if none.

        :arg others: Names of models that say something of their own.
        :raises Refused: If it asks for one that is not there.
        """
        if model.startswith(_PREFIX):
            name = model.removeprefix(_PREFIX)
            if name not in self._files:
                raise Refused(404, f"There is no recording of that name; there are {len(self._files)}.")
            return name
        own = model.partition(":")[0] in others
        return self._table.get(model) or ("" if own else self._only)

    def streamed(self, name: str) -> Answer:
        """The recording as it is; read once.

        :raises Refused: If it is too large, or is said to hold JSON lines and does not.
        """
        if name not in self._answers:
            path = self._files[name]
            chunks = tuple(chunk for chunk in _chunks(path.suffix, _bytes(path)) if chunk)
            self._answers[name] = Answer(chunks, _MEDIA[path.suffix], False, len(chunks))
        return self._answers[name]

    def speech(self, name: str) -> Speech:
        """What the first choice of a recording says."""
        return _speech(_bytes(self._files[name]))


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > _MOST_BYTES:
        raise Refused(500, f"The recording is larger than {_MOST_BYTES >> 20} MiB.")
    return path.read_bytes()


def _chunks(suffix: str, data: bytes) -> Iterator[bytes]:
    if suffix == ".sse":
        yield from _EVENT_END.split(data)
    elif suffix == ".json":
        yield from _ELEMENT.split(data)
    elif suffix == ".eventstream":
        at = 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big") or len(data)
            yield data[at : at + size]
            at += size
    elif suffix == ".jsonl":
        yield from _framed(data)
    else:
        yield from data.splitlines(keepends=True)


def _framed(lines: bytes) -> Iterator[bytes]:
    """Payloads as events: named by their ``type``, and with ``[DONE]`` where choices are what they hold."""
    done = b""
    for line in lines.splitlines():
        try:
            payload = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise Refused(500, "A line of the recording is not valid JSON.") from None
        named = payload.get("type") if isinstance(payload, dict) else None
        head = b"event: " + named.encode() + b"\n" if isinstance(named, str) else b""
        if isinstance(payload, dict) and "choices" in payload:
            done = b"data: [DONE]\n\n"
        yield head + b"data: " + line + b"\n\n"
    yield done


def _speech(data: bytes) -> Speech:
    decoder = decoders.open_decoder("auto")
    said: dict[tuple[int, int], str] = {}
    tools: dict[tuple[int, int], str] = {}
    finish = 0
    for delta in (*decoder.receive_data(data, now=0), *decoder.receive_eof(now=0)):
        if delta.choice:
            continue
        lane = delta.channel, delta.item
        if delta.kind == Kind.TEXT:
            said[lane] = said.get(lane, "") + delta.text
        elif delta.kind == Kind.NOTE and delta.channel == Channel.TOOL:
            tools[lane] = orjson.loads(delta.text).get("tool", {}).get("name") or tools.get(lane, "")
            said.setdefault(lane, "")
        elif delta.kind == Kind.END:
            finish = delta.finish
    parts = tuple(Part(lane[0], text, tools.get(lane, "")) for lane, text in said.items())
    return Speech(parts, finish=finish)
