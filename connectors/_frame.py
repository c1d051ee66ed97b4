"""Amazon event-stream frames: bytes of ``application/vnd.amazon.eventstream`` in, events out.

A message is: total length and headers length (4 bytes each, big endian), CRC32 of those 8 bytes,
headers, payload, CRC32 of all before it. A header is: length of its name (1), name, type (1), value.

Strategy. A frame is read when it is complete, and both sums are checked before anything of it is
believed. After a wrong one the next frame cannot be found, so reading stops there.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html and the Smithy
specification of ``aws.protocols#eventStream``.
"""

from __future__ import annotations

import struct
import zlib

import orjson

from connectors._decoder import MAX_EVENT, Event

__all__ = ["FrameFraming"]

_PRELUDE = struct.Struct(">III")
_SUM = struct.Struct(">I")
_SMALLEST = _PRELUDE.size + _SUM.size
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header value by its type: two booleans, four integers, timestamp, UUID."""
_BYTES, _STRING = 6, 7


class FrameFraming:
    """Payloads of the frames, named by ``:event-type``, or by ``:exception-type`` or ``:error-code`` where
    the frame says that something went wrong.

    :arg limit: Bytes one frame may have.

    5 us a frame of three headers.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self.failed = ""
        self._limit = limit
        self._rest = bytearray()

    def receive_data(self, data: bytes) -> list[Event]:
        """Events of the frames completed by `data`."""
        if self.failed:
            return []
        self._rest += data
        events: list[Event] = []
        with memoryview(self._rest) as view:
            at = self._read(view, events)
        del self._rest[:at]
        return events

    def receive_eof(self) -> list[Event]:
        """The bytes of a last frame that was cut short, unread: what they say cannot be checked."""
        rest = bytes(self._rest)
        self._rest.clear()
        return [("", rest)] if rest and not self.failed else []

    def _read(self, view: memoryview, events: list[Event]) -> int:
        """Add the complete frames of `view` to `events`; the bytes they took."""
        at = 0
        while len(view) - at >= _PRELUDE.size:
            total, headers, check = _PRELUDE.unpack_from(view, at)
            if zlib.crc32(view[at : at + 8]) != check:
                self.failed = "event-stream frame with a wrong prelude checksum"
                break
            if total < _SMALLEST + headers:
                self.failed = "event-stream frame whose headers do not fit into it"
                break
            if total > self._limit:
                self.failed = f"event-stream frame longer than {self._limit} bytes"
                break
            if len(view) - at < total:
                break
            body = at + total - _SUM.size
            if zlib.crc32(view[at:body]) != _SUM.unpack_from(view, body)[0]:
                self.failed = "event-stream frame with a wrong message checksum"
                break
            start = at + _PRELUDE.size
            try:
                said = _headers(bytes(view[start : start + headers]))
            except (IndexError, KeyError, struct.error):
                self.failed = "event-stream frame with headers that cannot be read"
                break
            events.append(_event(said, bytes(view[start + headers : body])))
            at += total
        return at


def _headers(block: bytes) -> dict[str, str]:
    """The string headers of a frame; the other types are passed over.

    :raises IndexError, KeyError, struct.error: If the block is cut short or has an unknown type.
    """
    said: dict[str, str] = {}
    at = 0
    while at < len(block):
        name = block[at + 1 : at + 1 + block[at]].decode("utf-8", "replace")
        at += 1 + block[at]
        kind = block[at]
        at += 1
        if kind in (_BYTES, _STRING):
            (size,) = struct.unpack_from(">H", block, at)
            at += 2
            if kind == _STRING:
                said[name] = block[at : at + size].decode("utf-8", "replace")
        else:
            size = _SIZES[kind]
        at += size
        if at > len(block):
            raise IndexError(at)
    return said


def _event(said: dict[str, str], payload: bytes) -> Event:
    if said.get(":message-type") == "error":
        # such a frame has its message in a header and no payload
        message = orjson.dumps({"message": said.get(":error-message", "")})
        return said.get(":error-code", "error"), payload or message
    return said.get(":event-type") or said.get(":exception-type", ""), payload
