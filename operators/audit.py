"""A record of every decision that cannot be changed afterwards without being seen.

Strategy. Behind release, each verdict, error and end of a stream becomes one line, and each line contains the
hash of the line before it in its slot: a line that is changed, removed or moved breaks the chain there. The
hash is SHA-256 (FIPS 180-4) of the line's canonical form: JSON, keys sorted, no white space, without the hash
itself. With a key it is HMAC-SHA256 (RFC 2104): then nobody without the key can make a chain that holds.
Lines that are missing at the end leave a chain that holds; only a head kept elsewhere tells.

The lines say which rule decided what about which characters. Nothing a stream said is in them.

State: the head of the slot's chain, so that a replay after a crash makes the same lines again. Emits: packets
with nothing but the lines, in ``released``. Cost: 6 us a line, 2 us a packet without one. Raises: nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from operators.packet import DELTA, Action, Channel, Finish, Kind, Packet, empty

__all__ = ["GENESIS", "Audit", "Chains", "verify"]

GENESIS = "0" * 64
"""What the first line of a chain follows."""

_START, _END = int(Kind.START), int(Kind.END)
_CHANNEL = [channel.name.lower() for channel in Channel]
_ACTION = [action.name.lower() for action in Action]
_FINISH = [finish.name.lower() for finish in Finish]
_KEYS = frozenset(
    "type slot seq at stream lane action rule start end finish policy previous hash".split()  # noqa: SIM905
)


class Audit:
    """The stage.

    :arg names: What each code of the policy is called.

    :arg policy: Fingerprint of the policy that decides.

    :arg key: Of the hashes; without it they are plain SHA-256.

    """

    def __init__(self, names: Sequence[str], policy: str, key: bytes = b"") -> None:
        self._names, self._policy, self._key = list(names), policy, key
        self._head = GENESIS

    def update(self, packet: Packet) -> Packet:
        """The lines about a packet, in order of ``seq``."""
        decided = [*self._verdicts(packet), *self._outcomes(packet)]
        decided.sort(key=lambda record: record["seq"])
        lines = [self._line(record) for record in decided]
        return Packet(packet.slot, packet.now, (), empty(DELTA), b"", released=b"".join(lines))

    def _line(self, record: dict[str, Any]) -> bytes:
        record["previous"] = self._head
        self._head = record["hash"] = _hash(record, self._key)
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)

    def _verdicts(self, packet: Packet) -> Iterator[dict[str, Any]]:
        for verdict in packet.verdicts[packet.verdicts["seq"] >= 0]:
            begin = stop = int(verdict["decided"])  # of a threshold: where it was crossed
            if verdict["finding"] >= 0:
                finding = packet.findings[verdict["finding"]]
                begin, stop = int(finding["begin"]), int(finding["stop"])
            lane = packet.lanes[packet.deltas["lane"][verdict["delta"]]]
            name, _ = packet.meaning(int(verdict["code"]), self._names, self._names)
            yield self._record(
                packet, verdict, f"{_CHANNEL[lane.channel]}/{lane.choice}/{lane.item}",
                _ACTION[verdict["action"]], name, begin, stop,
            )  # fmt: skip

    def _outcomes(self, packet: Packet) -> Iterator[dict[str, Any]]:
        for outcome in packet.outcomes[packet.outcomes["kind"] != _START]:
            if outcome["kind"] == _END:
                yield self._record(packet, outcome, "", "end", finish=_FINISH[outcome["finish"]])
            else:
                yield self._record(packet, outcome, "", "error")

    def _record(
        self, packet: Packet, row: Any, lane: str, action: str, rule: str = "", begin: int = 0, stop: int = 0,
        finish: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        delta = packet.deltas[row["delta"]]
        return {
            "type": "audit", "slot": packet.slot, "seq": int(row["seq"]), "at": int(delta["at"]),
            "stream": packet.lanes[delta["lane"]].stream, "lane": lane, "action": action, "rule": rule,
            "start": begin, "end": stop, "finish": finish, "policy": self._policy,
        }  # fmt: skip

    def dump(self) -> bytes:
        """The head."""
        return orjson.dumps({"version": 1, "head": self._head})

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If it is of another version.
        """
        known = orjson.loads(state)
        if known["version"] != 1:
            msg = f"audit state of version {known['version']}, this program reads version 1"
            raise ValueError(msg)
        self._head = known["head"]


def _hash(record: Mapping[str, Any], key: bytes) -> str:
    said = {name: value for name, value in record.items() if name != "hash"}
    form = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return hmac.digest(key, form, "sha256").hex() if key else hashlib.sha256(form).hexdigest()


@dataclass
class Chains:
    """What :func:`verify` found."""

    lines: int = 0
    """Lines that hold, repeats after a crash among them."""
    faults: list[str] = field(default_factory=list)
    """What is wrong, each with its place."""
    notes: list[str] = field(default_factory=list)
    """What is not wrong, but should be known, each with its place."""
    heads: dict[int, str] = field(default_factory=dict)
    """The hash of the last line of each slot."""


def verify(lines: Iterable[tuple[str, bytes]], key: bytes = b"", heads: Iterable[str] = ()) -> Chains:
    """Follow the chains in `lines`, pairs of place and line, in the order they were written.

    :arg lines: Of one file or several, oldest first.

    :arg key: The one they were made with.

    :arg heads: Hashes that were heads once: they must be there, else lines are missing at an end.

    :returns: What holds and what does not. A line that is there twice, as after a crash and a replay, is
        no fault. Where a chain goes on from a line before its last (a crash without a replay) or
        begins anew (a run without recovery), a note says so. O(lines).

    """
    chains, seen = Chains(), dict[int, set[str]]()
    for place, line in lines:
        record = _parsed(line)
        if record is None:
            chains.faults.append(f"{place}: no audit record: changed or cut short")
            continue
        slot, previous, told = record["slot"], record["previous"], record["hash"]
        if not hmac.compare_digest(_hash(record, key), told):
            chains.faults.append(
                f"{place}: changed, or made with another key: its hash is not that of its text"
            )
            continue
        known = seen.setdefault(slot, set())
        if told in known:
            chains.lines += 1
            continue
        if previous == GENESIS:
            if known:
                chains.notes.append(f"{place}: the chain of slot {slot} begins anew")
        elif previous not in known:
            chains.faults.append(
                f"{place}: what came before it in slot {slot} is missing or moved (seq {record['seq']})"
            )
        elif previous != chains.heads[slot]:
            chains.notes.append(f"{place}: the chain of slot {slot} goes on from a line before its last")
        known.add(told)
        chains.heads[slot] = told
        chains.lines += 1
    there = set[str]().union(*seen.values())
    chains.faults += [f"no line has the hash {head}: lines are missing at the end" for head in heads
                      if head not in there]  # fmt: skip
    return chains


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not line.endswith(b"\n") or not isinstance(record, dict) or record.keys() != _KEYS:
        return None
    whole = isinstance(record["slot"], int) and isinstance(record["seq"], int)
    return record if whole and isinstance(record["hash"], str) and record["hash"].isascii() else None
