"""Cycles of tool calls in a stream: the same calls with the same arguments, over and over.

Strategy. A call is a number: a hash of the tool's name and of its arguments without their blanks, built while
they are written. Of an object it is the sum of the hashes of its members, so that their order does not count.
Calls are compared with the one, two, ... ``CYCLE`` calls before them, so a stream keeps a few numbers and no
text. Nothing says that arguments are complete but what follows them; yet JSON that is complete begins no
other JSON, so arguments that are those of the call which a cycle asks for are known at their last character.
Arguments that change are another call, and no loop: that is how pages are read.

Limit: calls whose arguments are written at once, a piece of each in turn, are not followed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels._jit import inner, kernel

__all__ = ["AGENT", "CALL", "CYCLE", "REPEAT", "follow_calls"]

CYCLE = 8
"""Calls of the longest cycle."""

_QUOTE, _COMMA, _ESCAPE, _OBJECT, _BRACE = b'",\\{}'
_OPENING, _CLOSING = (91, 123), (93, 125)  # [ { and ] }
_PLAIN, _STRING, _ESCAPED = range(3)  # where in JSON a character stands
_DEEP = 0xFFFF
_MIX, _SPREAD, _SEED, _ALL = 0x5BD1E995, 0x2C1B3C6D, 0x1E3779B9, 0xFFFFFFFF

_TEXT, _NOTE, _CLOSE = 1, 2, 3  # operators.packet.Kind

_Int = int | np.signedinteger[Any]

CALL = np.dtype(
    [
        ("stop", "i8"),  # characters of the lane that were read
        ("name", "u4"),  # hash of the tool's name; 0: this lane is no call
        ("low", "u4"),  # hash of the member of the arguments that is being read, in two halves
        ("high", "u4"),
        ("chars", "u4"),  # of the arguments, without blanks
        ("whole", "u4", (2,)),  # sum of the hashes of the members before
        ("depth", "u2"),  # brackets that are open
        ("is_object", "u1"),  # the outermost of them is a brace
        ("place", "u1"),  # in a string, behind its backslash, or neither
    ],
    align=True,
)
"""What is kept of a lane, 40 bytes. A new one is zero."""

AGENT = np.dtype(
    [
        ("calls", "u8", (CYCLE,)),  # the last ones, in turn
        ("chars", "i8", (CYCLE,)),  # of each: its arguments
        ("runs", "i8", (CYCLE,)),  # calls in a row that are the one so many before them
        ("spent", "i8", (CYCLE,)),  # characters of those calls
        ("seen", "i8"),  # calls so far
        ("row", "i4"),  # of the call that is being written, and one more; 0: none
        ("done", "i4"),  # 1: that call is counted
    ],
    align=True,
)
"""What is kept of a stream that calls tools, 272 bytes. A new one is zero."""

REPEAT = np.dtype(
    [
        ("delta", "<i8"),
        ("row", "<i8"),
        ("stop", "<i8"),  # characters of the lane that were read
        ("begin", "<i8"),  # calls of the stream before what has been repeated since then, by any cycle
        ("calls", "<i8"),  # of the stream so far
        ("copies", "<i8"),
        ("cycle", "<i8"),  # calls
        ("chars", "<i8"),  # of their arguments, without blanks
        ("spent", "<i8"),  # of the calls since the first copy
    ]
)
"""A copy of a cycle that is complete, the second or a later one."""


@kernel
def follow_calls(
    deltas: NDArray[np.void],
    text: NDArray[np.uint8],
    names: NDArray[np.uint32],
    lanes: NDArray[np.void],
    agents: NDArray[np.void],
    repeats: NDArray[np.void],
) -> _Int:
    """Advance the calls by the deltas of a packet.

    Parameters
    ----------
    deltas : DELTA[n]
        In order of arrival, read-only.
    text : uint8[m]
        ``Packet.text``, read-only; each delta holds whole characters.
    names : uint32[n]
        Of a NOTE that begins a call: a hash of the tool's name, not 0. Else 0.
    lanes, agents : CALL[rows], AGENT[streams]
        Modified. Of streams beyond the table there are no calls.
    repeats : REPEAT[at least n + the closing braces of the text]
        Modified: as many rows as copies of cycles are complete.

    Returns
    -------
    int
        How many these are.
    """
    n: _Int = np.int64(0)
    for i in range(len(deltas)):
        row, kind = np.int64(deltas[i]["row"]), deltas[i]["kind"]
        if row < 0:
            continue
        lane = lanes[row]
        stream = np.int64(deltas[i]["stream"])
        if not 0 <= stream < len(agents):
            continue
        agent = agents[stream]
        if kind == _NOTE and names[i] and not lane["name"]:
            if agent["row"] and not agent["done"]:
                n = _add(i, np.int64(agent["row"]) - 1, lanes[np.int64(agent["row"]) - 1], agent, repeats, n)
            lane["name"] = names[i]
            lane["low"], lane["high"] = 0, _SEED
            lane["whole"][:] = 0
            agent["row"], agent["done"] = row + 1, 0
        elif lane["name"] and kind == _TEXT:
            start, end, at = deltas[i]["start"], deltas[i]["end"], deltas[i]["begin"]
            n = _read(text[start:end], at, i, row, lane, agent, repeats, n)
        elif lane["name"] and kind == _CLOSE and agent["row"] == row + 1:
            if not agent["done"]:
                n = _add(i, row, lane, agent, repeats, n)
            agent["row"] = 0
    return n


@inner
def _read(
    text: NDArray[np.uint8],
    at: _Int,
    delta: _Int,
    row: _Int,
    lane: np.void,
    agent: np.void,
    repeats: NDArray[np.void],
    n: _Int,
) -> _Int:
    """More arguments, which stand at character `at` of their lane."""
    is_open = agent["row"] == row + 1
    for k in range(len(text)):
        byte = np.int64(text[k])
        if byte & 0xC0 != 0x80:
            at += 1
        if byte == 32 or 9 <= byte <= 13:
            continue
        _take(lane, byte)
        lane["chars"] += 1
        if not is_open:
            if lane["chars"] == 1:  # written after another call had begun: what was counted was not it
                agent["runs"][:] = 0
            continue
        if agent["done"]:  # it was not complete: another call than it seemed
            agent["done"] = 0
            agent["seen"] -= 1
            agent["runs"][:] = 0
        lane["stop"] = at
        if byte == _BRACE and _is_expected(lane, agent):
            n = _add(delta, row, lane, agent, repeats, n)
    return n


@inner
def _take(lane: np.void, byte: _Int) -> None:
    """One more byte of arguments: into the hash of the member it belongs to, which it may end."""
    place, depth = lane["place"], np.int64(lane["depth"])
    if place == _ESCAPED:
        lane["place"] = _STRING
    elif byte == _QUOTE:
        lane["place"] = _PLAIN if place == _STRING else _STRING
    elif place == _STRING:
        if byte == _ESCAPE:
            lane["place"] = _ESCAPED
    elif byte in _OPENING:
        lane["depth"] = depth + 1 if depth < _DEEP else depth
        if depth == 0:
            lane["is_object"] = byte == _OBJECT
            _mix(lane, byte)
            _end_member(lane)
            return
    elif byte in _CLOSING:
        lane["depth"] = depth - 1 if depth > 0 else depth
        if depth == 1:
            _end_member(lane)
    elif byte == _COMMA and depth == 1 and lane["is_object"]:
        _end_member(lane)
        return  # there is one behind every member but the last, whichever that is
    _mix(lane, byte)


@inner
def _mix(lane: np.void, byte: _Int) -> None:
    low = (np.int64(lane["low"]) ^ byte) * _MIX & _ALL
    lane["low"] = low
    lane["high"] = (np.int64(lane["high"]) ^ low >> 11) * _MIX & _ALL


@inner
def _end_member(lane: np.void) -> None:
    low, high = _whole(lane)
    lane["whole"][0], lane["whole"][1] = low, high
    lane["low"], lane["high"] = 0, _SEED


@inner
def _whole(lane: np.void) -> tuple[_Int, _Int]:
    """Hash of the members up to the one that is being read, in two halves."""
    low, high = np.int64(lane["low"]), np.int64(lane["high"])
    mixed = (low ^ high >> 15) * _MIX & _ALL  # or sums of members that differ in their last bytes were equal
    again = (high ^ mixed >> 13) * _SPREAD & _ALL
    return (np.int64(lane["whole"][0]) + mixed) & _ALL, (np.int64(lane["whole"][1]) + again) & _ALL


@inner
def _called(lane: np.void) -> np.uint64:
    low, high = _whole(lane)
    return np.uint64(high) << np.uint64(32) | np.uint64((low ^ np.int64(lane["name"])) & _ALL)


@inner
def _is_expected(lane: np.void, agent: np.void) -> bool:
    """Whether a call is one of the last ones."""
    call, seen = _called(lane), np.int64(agent["seen"])
    found = False
    for q in range(1, CYCLE + 1):
        found |= bool(seen >= q and agent["calls"][(seen - q) % CYCLE] == call)
    return found


@inner
def _add(delta: _Int, row: _Int, lane: np.void, agent: np.void, repeats: NDArray[np.void], n: _Int) -> _Int:
    """A call that is complete, and the shortest cycle that has a copy complete with it."""
    call, seen, chars = _called(lane), np.int64(agent["seen"]), np.int64(lane["chars"])
    cycle = 0
    begin = seen
    for q in range(1, CYCLE + 1):
        if seen >= q and agent["calls"][(seen - q) % CYCLE] == call:
            agent["runs"][q - 1] += 1
            agent["spent"][q - 1] += chars
        else:
            agent["runs"][q - 1] = 0
            agent["spent"][q - 1] = 0
        run = np.int64(agent["runs"][q - 1])
        if run:
            begin = min(begin, seen + 1 - run - q)
        if cycle == 0 and run >= q:
            cycle = q
    agent["calls"][seen % CYCLE] = call
    agent["chars"][seen % CYCLE] = chars
    agent["seen"] = seen + 1
    agent["done"] = 1
    if cycle == 0 or agent["runs"][cycle - 1] % cycle:
        return n
    size = np.int64(0)
    for q in range(cycle):
        size += agent["chars"][(seen - q) % CYCLE]
    one = repeats[n]
    one["delta"], one["row"], one["stop"] = delta, row, lane["stop"]
    one["begin"], one["calls"] = begin, seen + 1
    one["copies"], one["cycle"] = agent["runs"][cycle - 1] // cycle + 1, cycle
    one["chars"], one["spent"] = size, agent["spent"][cycle - 1]
    return n + 1
