"""Hold, mask, let go. The one stage that keeps text, and the last word on what leaves.

Strategy. Text waits in its lane's queue until the gate's watermark passes it; then it leaves, with a
mask in place of each match the policy redacts (``operators.masks``). A verdict *block* ends the stream at
once: of the lane it speaks of, the text before the match that was decided when the match was found still
leaves, then nothing of the stream, ever. What was decided at the same character or before it is reported,
what a longer delta carried behind it is not, so that the cutting of the text cannot be seen in the result.
Nor can it where a match reaches back into what had been decided before it was found: that may have left, so
it leaves, whether it came in the same packet or not, and is counted as leaked (a finding's ``upto``).

Matches that overlap are covered as one stretch, named by the most severe of those that overlap its first
match. That is known when the watermark has passed the end of the first match, so the mask waits for
it, and the queue has room for twice what the gate holds back.

Fails closed: text that no watermark vets is never released, and a packet that a stage could not
process ends every stream in it with an error. Fails open only where that is asked for: then the text of such
a packet leaves unvetted, with an error for each of its streams, and where the gate itself did not read the
text, so that its watermarks are wrong from there on, so does the rest of the stream. What no lane was
given to, and what this stage itself could not process, fails closed all the same.

Every record that leaves the flow gets its number here: ``seq`` counts the records of the slot, in an
order that depends on the deltas alone. A replay after a crash gives the same records the same
numbers, so a consumer can drop what it has seen.

State: queue and masks of each open lane, a ledger for each open stream, the slot's counter. Emits:
releases, outcomes, ledgers, and ``seq`` of findings and verdicts (-1: behind the end of its stream). Cost:
about 0.2 us a delta. Raises: :class:`RuntimeError` if the gate held back more than it promised.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from operators.columns import Columns, framed, unframed
from operators.kernels import release as kernels
from operators.ledger import Entry, Ledger
from operators.masks import Masks, Style
from operators.packet import (
    COVERED,
    DELTA,
    LEDGER,
    OPENED,
    OUTCOME,
    RELEASE,
    VETTED,
    Action,
    Finish,
    Kind,
    Packet,
    Reach,
    Table,
    copied,
    empty,
    frozen,
)  # fmt: skip

__all__ = ["Release"]

_log = logging.getLogger(__name__)
_VERSION = 2
_OPEN = np.iinfo(np.int64).max
_TEXT, _CLOSE = int(Kind.TEXT), int(Kind.CLOSE)
_START, _ERROR, _END = int(Kind.START), int(Kind.ERROR), int(Kind.END)
_BLOCK, _REDACT = int(Action.BLOCK), int(Action.REDACT)
_TOLD = _START, _ERROR, _END
_SPOKEN = np.isin(np.arange(256), _TOLD)
_PHASE = np.zeros(256, np.int64)  # order of the records of one delta; findings and verdicts are 1
_PHASE[[*_TOLD]] = 0, 3, 4
_JUDGED, _RELEASED = 1, 2


class Release:
    """The stage.

    :arg labels: What stands in place of a match of each code.

    :arg hold: The gate's promise of how many characters of a lane it leaves undecided.

    :arg styles: :class:`~operators.masks.Style` of each code; labels if left out.

    :arg severities: How severe a match of each code is, higher is worse; all alike if left out.

    :arg key: Of hashes, where a style needs one.

    :arg fail_open: Let the text of packets that could not be processed leave unvetted.

    """

    def __init__(
        self,
        labels: Sequence[str],
        hold: int,
        *,
        styles: Sequence[int] = (),
        severities: Sequence[int] = (),
        key: bytes = b"",
        fail_open: bool = False,
    ) -> None:
        self._masks = Masks(
            labels, styles or [Style.LABEL] * len(labels), severities or [0] * len(labels), key
        )
        self._starred = self._masks.starred
        self._fail_open = fail_open
        room = 2 * hold
        self._lanes = Columns(
            2,
            reads=self._masks.reads,
            position=(np.int64, ()), masked=(np.int64, ()), going=(np.uint8, ()), cover=(np.int32, ()),
            ordinal=(np.int32, ()), length=(np.int32, ()),
            held=(np.uint8, (4 * room,)), arrived=(np.uint16, (room,)),
        )  # fmt: skip
        self._streams = Columns(
            2, last=(np.int64, ()), ledger=(np.int64, (8,)), head=(np.int32, ()), unvetted=(np.uint8, ())
        )
        self._ledger = Ledger()
        self._queued = 0
        self._seq = 0
        self._torn = False

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane, its stream's ledger included."""
        return self._lanes.row_bytes + self._streams.row_bytes

    def warm(self) -> None:
        """Compile, on an empty packet."""
        self.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=np.zeros(0, OPENED)))
        self._count(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64))

    def update(self, packet: Packet) -> Packet:
        """The packet with what may leave, and with numbers on everything that does."""
        deltas = packet.deltas
        self._lanes.open(packet.opened["row"])
        self._lanes.wake(deltas["row"])
        if _START in packet.kinds():
            streams = deltas["stream"][(deltas["kind"] == _START) & (deltas["stream"] >= 0)]
            self._streams.open(streams)
            self._streams["last"][streams] = _OPEN
        shut = bool(packet.failed) and (not self._fail_open or self._torn or not _placed(deltas))
        if shut:
            packet = self._fail(packet)
        elif self._fail_open:
            packet = self._ajar(packet)
        judged = _judged(packet)
        live = self._live(judged)
        if not shut:
            packet, blocks, before = self._release(packet)
            if blocks:
                live &= ~_behind(blocks, judged, deltas["stream"])
            self._enter(packet, live, before)
        packet = self._settle(packet)
        return self._number(packet, judged, live)

    def ledger(self, stream: int) -> list[Entry]:
        """What each rule did so far in an open stream, by code; of the stream in this row."""
        return sorted(self._ledger.entries(int(self._streams["head"][stream])))

    def _live(self, judged: Table) -> NDArray[np.bool_]:
        """Which of `judged` are of streams that are not over, and whose text was vetted."""
        if not len(judged):
            return np.zeros(0, np.bool_)
        live: NDArray[np.bool_] = self._streams["last"][judged["stream"]] == _OPEN
        if self._fail_open:
            live &= self._streams["unvetted"][judged["stream"]] == 0
        return live

    def _settle(self, packet: Packet) -> Packet:
        """The packet with the ledgers of the streams that end in it; what belongs to these, and to the lanes
        that end, is free.
        """
        rows: list[tuple[int, ...]] = []
        if len(packet.outcomes):
            over = packet.outcomes[(packet.outcomes["kind"] == _END) & (packet.outcomes["stream"] >= 0)]
            head = self._streams["head"]
            for delta, stream in zip(over["delta"].tolist(), over["stream"].tolist(), strict=True):
                sums = self._streams["ledger"][stream].tolist()
                times = sums[6] if sums[0] else 0, sums[7] if sums[2] else 0
                rows += [(delta, *entry, *times) for entry in self.ledger(stream)]
                self._ledger.release(int(head[stream]))
                head[stream] = 0
        if _END in packet.kinds():
            closing = packet.deltas["stream"][packet.deltas["kind"] == _END]
            self._streams.close(closing[closing >= 0])
        closed = packet.closed_rows()
        if len(closed):
            self._queued -= int(self._lanes["length"][closed].sum())
            self._lanes.close(closed)
            self._masks.close(closed)
        return packet.having(ledger=np.array(rows, LEDGER)) if rows else packet

    def _release(self, packet: Packet) -> tuple[Packet, list[tuple[int, int, int]], NDArray[np.int64]]:
        """Let go what may; say which streams that ended (as :meth:`_blocks`), and where each delta's lane
        was when it came.
        """
        deltas, lanes, streams, ledger = packet.deltas, self._lanes, self._streams, self._ledger
        blocks = self._blocks(packet)
        ends = np.array(blocks, np.int64).reshape(-1, 3)
        self._cover(packet)
        masks = self._masks.columns()
        label_bytes = int(np.diff(masks.label_at)[masks.masks[:, -1]].sum()) if len(self._masks) else 0
        out = np.empty(len(packet.text) + self._queued + label_bytes, np.uint8)
        releases = np.zeros(len(deltas), RELEASE)
        covered = np.zeros(len(deltas) + 2 * len(self._masks), COVERED)
        before = np.zeros(len(deltas), np.int64)
        ledger.make_room(len(deltas) + len(self._masks))
        vetted = self._watermarks(packet)
        self._torn = True
        count, runs, grown, overflow = kernels.release(
            frozen(deltas), np.frombuffer(packet.text, np.uint8), _TEXT, _CLOSE, frozen(vetted), ends,
            masks.masks, masks.labels, masks.label_at, masks.label_chars, self._starred,
            streams["last"], streams["ledger"],
            streams["head"], ledger.pool, ledger.free,
            lanes["position"], lanes["masked"], lanes["going"], lanes["cover"], lanes["ordinal"],
            lanes["length"], lanes["held"], lanes["arrived"],
            out, before, releases, covered,
        )  # fmt: skip
        self._queued += grown
        if overflow >= 0:
            room = lanes["arrived"].shape[1]
            msg = f"a lane has more than {room} waiting characters, the gate promised at most half undecided"
            raise RuntimeError(msg)
        self._torn = False
        releases = releases[:count]
        self._masks.passed(lanes["position"])
        outcomes = self._outcomes(packet, ends[:, 0])
        released = out[: releases["end"][-1]].tobytes() if count else b""
        tables = {"releases": releases, "covered": covered[:runs], "released": released}
        return packet.having(**tables, outcomes=outcomes), blocks, before

    def _watermarks(self, packet: Packet) -> Table:
        """The packet's watermarks; where the stage fails open, a text that nobody can vet is vetted whole."""
        vetted, deltas = packet.vetted, packet.deltas
        if not self._fail_open:
            return vetted
        loose = (deltas["kind"] == _TEXT) | (deltas["kind"] == _CLOSE)
        if not packet.failed:
            loose &= self._streams["unvetted"][deltas["stream"]] > 0
        if not loose.any():
            return vetted
        marks = np.zeros(len(deltas), VETTED)
        marks["delta"], marks["upto"], marks["code"] = np.arange(len(deltas)), -1, -1
        marks[vetted["delta"]] = vetted
        marks["upto"][loose] = _OPEN
        return marks[marks["upto"] >= 0]

    def _ajar(self, packet: Packet) -> Packet:
        """A packet of which some must leave unvetted: nothing that was found in that is acted on. Marks the
        streams whose text the gate has not read.
        """
        deltas, unvetted = packet.deltas, self._streams["unvetted"]
        if not packet.failed:
            verdicts = packet.verdicts
            return packet.having(verdicts=verdicts[unvetted[deltas["stream"][verdicts["delta"]]] == 0])
        _log.warning(
            "release: slot %d, %d deltas leave unvetted (fail_open): %s",
            packet.slot, len(deltas), packet.failed,
        )  # fmt: skip
        unread = np.flatnonzero((deltas["kind"] == _TEXT) & (deltas["row"] >= 0))
        unread = unread[~np.isin(unread, packet.vetted["delta"])]
        unvetted[deltas["stream"][unread]] = 1
        return packet.having(
            failed=f"{packet.failed}; fail_open: the text left unvetted",
            findings=packet.findings[:0], verdicts=packet.verdicts[:0],
        )  # fmt: skip

    def _blocks(self, packet: Packet) -> list[tuple[int, int, int]]:
        """Where streams are ended by a verdict: delta, character of decision, characters that may
        leave. Marks the streams.

        A rule's match is exact to the character, and where several end a stream with one delta, none
        of their matches may leave, but for what had been decided before. What an analysis or a threshold
        blocks is blocked from the end of the delta that decided it.
        """
        verdicts, last = packet.verdicts, self._streams["last"]
        if not len(verdicts):
            return []
        which = np.flatnonzero(verdicts["action"] == _BLOCK)
        which = which[np.lexsort((verdicts["decided"][which], verdicts["delta"][which]))]
        blocks: list[tuple[int, int, int]] = []
        for verdict in verdicts[which]:
            delta, decided = int(verdict["delta"]), int(verdict["decided"])
            stream = packet.deltas["stream"][delta]
            upto = _OPEN
            if blocks and blocks[-1][0] == delta:
                _, decided, upto = blocks.pop()
            elif last[stream] != _OPEN:
                continue
            last[stream] = delta
            if verdict["finding"] >= 0:
                finding = packet.findings[verdict["finding"]]
                if finding["kind"] == Reach.RULE:
                    upto = min(upto, int(finding["upto"]))
            blocks.append((delta, decided, upto))
        return blocks

    def _cover(self, packet: Packet) -> None:
        """Make masks of what is redacted, from what may have left on."""
        verdicts, lanes = packet.verdicts, self._lanes
        if not len(verdicts):
            return
        verdicts = verdicts[(verdicts["action"] == _REDACT) & (verdicts["finding"] >= 0)]
        texts: dict[int, str] = {}

        def said(row: int, begin: int, stop: int) -> str:
            if row not in texts:
                deltas = packet.deltas[(packet.deltas["row"] == row) & (packet.deltas["kind"] == _TEXT)]
                queue = lanes["held"][row, : lanes["length"][row]].tobytes()
                pieces = [
                    packet.text[start:end] for start, end in zip(deltas["start"], deltas["end"], strict=True)
                ]
                texts[row] = b"".join([queue, *pieces]).decode()
            at = int(lanes["position"][row])
            return texts[row][max(begin - at, 0) : max(stop - at, 0)]

        redacted = packet.findings[verdicts["finding"]]
        redacted["begin"] = np.maximum(redacted["begin"], redacted["upto"])
        self._masks.add(redacted[redacted["begin"] < redacted["stop"]], said)

    def _enter(self, packet: Packet, live: NDArray[np.bool_], before: NDArray[np.int64]) -> None:
        """Enter the matches of rules into the ledger, with what of them had left when they were decided."""
        findings, verdicts = packet.findings, packet.verdicts
        if not len(findings):
            return
        leaked = np.zeros(len(findings), np.int64)
        acted = verdicts[np.isin(verdicts["action"], (_REDACT, _BLOCK)) & (verdicts["finding"] >= 0)]
        for verdict in acted[acted["row"] >= 0]:  # a stream may be silent before it has a lane
            finding, row = findings[verdict["finding"]], verdict["row"]
            past = max(before[verdict["delta"]], finding["upto"])
            if verdict["action"] == _BLOCK:
                past = self._lanes["position"][row]
            leaked[verdict["finding"]] = max(min(past, finding["stop"]) - finding["begin"], 0)
        which = np.flatnonzero(live[: len(findings)] & (findings["kind"] == Reach.RULE))
        self._ledger.make_room(len(which))
        streams = packet.deltas["stream"][findings["delta"][which]]
        self._count(streams, findings["code"][which], leaked[which])

    def _count(self, streams: NDArray[np.int32], codes: NDArray[np.int32], leaked: NDArray[np.int64]) -> None:
        ledger = self._ledger
        kernels.count(
            streams, codes, leaked,
            self._streams["head"], ledger.pool, ledger.free,
        )  # fmt: skip

    def _outcomes(self, packet: Packet, blocked: NDArray[np.int64]) -> Table:
        """Starts, errors and ends of the streams that are not over; and the ends that blocks make."""
        deltas, last, kinds = packet.deltas, self._streams["last"], packet.kinds()
        if not len(blocked) and not packet.failed and not any(kind in kinds for kind in _TOLD):
            return empty(OUTCOME)
        (which,) = _SPOKEN[deltas["kind"]].nonzero()
        loose = self._loose(packet)
        streams = deltas["stream"][which]
        if len(last):
            which = which[(streams < 0) | (which <= last[streams])]
        outcomes = np.zeros(len(which) + len(blocked) + len(loose), OUTCOME)
        outcomes["delta"] = np.concatenate([which, blocked, loose])
        said = outcomes[: len(which)]
        said["kind"], said["finish"] = deltas["kind"][which], deltas["finish"][which]
        ends = outcomes[len(which) : len(which) + len(blocked)]
        ends["kind"], ends["finish"] = _END, Finish.BLOCKED
        outcomes["kind"][len(which) + len(blocked) :] = _ERROR
        outcomes["stream"] = deltas["stream"][outcomes["delta"]]
        return self._settled(outcomes)

    def _loose(self, packet: Packet) -> NDArray[np.int64]:
        """The first delta of each stream that is not over in a packet that leaves unvetted."""
        if not packet.failed:
            return np.zeros(0, np.int64)
        streams = packet.deltas["stream"]
        names, first = np.unique(streams, return_index=True)
        loose: NDArray[np.int64] = first[(names >= 0) & (self._streams["last"][names] == _OPEN)]
        return loose

    def _fail(self, packet: Packet) -> Packet:
        """Every stream of the packet ends here with an error; nothing of it is released. If this stage
        itself failed, half of it ran.
        """
        self._torn = False
        self._queued = int(self._lanes["length"].sum())
        deltas, last = packet.deltas, self._streams["last"]
        names = [
            (packet.lanes[lane].stream, stream)
            for lane, stream in zip(deltas["lane"].tolist(), deltas["stream"].tolist(), strict=True)
        ]
        ends = {name: i for i, name in enumerate(names)}
        said = []
        for i, name in enumerate(names):
            stream = name[1]
            over = stream >= 0 and last[stream] < 0
            if deltas["kind"][i] == _START and not over:
                said.append((i, stream, _START, 0))
            if ends[name] == i and not over:
                said.append((i, stream, _ERROR, 0))
                if stream >= 0:
                    said.append((i, stream, _END, int(Finish.ERROR)))
        outcomes = np.zeros(len(said), OUTCOME)
        for place, record in enumerate(said):
            for field, value in zip(("delta", "stream", "kind", "finish"), record, strict=True):
                outcomes[field][place] = value
        return packet.having(
            findings=packet.findings[:0], verdicts=packet.verdicts[:0], outcomes=self._settled(outcomes)
        )

    def _settled(self, outcomes: Table) -> Table:
        """Outcomes with the ledgers of the streams that end; those streams are over from here on."""
        over = np.flatnonzero((outcomes["kind"] == _END) & (outcomes["stream"] >= 0))
        if len(over):
            streams = outcomes["stream"][over]
            ledger = self._streams["ledger"][streams]
            for field, values in zip(("deltas", "chars", "released"), ledger.T, strict=False):
                outcomes[field][over] = values
            outcomes["held_mean"][over] = ledger[:, 4] / np.maximum(ledger[:, 3], 1)
            outcomes["held_max"][over] = ledger[:, 5]
            self._streams["last"][streams] = -1
        return outcomes

    def _number(self, packet: Packet, judged: Table, live: NDArray[np.bool_]) -> Packet:
        """Give every record its ``seq``; -1 to what was decided behind the end of its stream."""
        releases, outcomes = packet.releases, packet.outcomes
        if not len(judged) and not len(outcomes):  # nearly always: they are in order
            releases["seq"] = np.arange(self._seq, self._seq + len(releases))
            self._seq += len(releases)
            return packet
        keys = np.concatenate(
            [
                (judged["delta"] << 36) + (_JUDGED << 33) + (judged["decided"] << 8) + judged["order"],
                (releases["delta"].astype(np.int64) << 36) + (_RELEASED << 33),
                (outcomes["delta"].astype(np.int64) << 36) + (_PHASE[outcomes["kind"]] << 33),
            ]
        )
        keys[: len(judged)][~live] = -1
        order = np.argsort(keys, kind="stable")
        dead = len(judged) - int(live.sum())
        seq = np.full(len(keys), -1, np.int64)
        seq[order[dead:]] = np.arange(self._seq, self._seq + len(keys) - dead)
        self._seq += len(keys) - dead
        releases["seq"] = seq[len(judged) : len(judged) + len(releases)]
        outcomes["seq"] = seq[len(judged) + len(releases) :]
        findings, verdicts = copied(packet.findings), copied(packet.verdicts)
        findings["seq"] = seq[: len(findings)]
        verdicts["seq"] = seq[len(findings) : len(judged)]
        return packet.having(findings=findings, verdicts=verdicts)

    def dump(self) -> bytes:
        """Queues, masks, ledgers and the counter."""
        head = orjson.dumps({"version": _VERSION, "seq": self._seq})
        return framed(head, self._masks.dump(), self._lanes.dump(), self._streams.dump(), self._ledger.dump())

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If it is of another version, or the gate's promise was another.
        """
        head, *parts = unframed(state)
        known = orjson.loads(head)
        if known["version"] != _VERSION:
            msg = f"release state of version {known['version']}, this program reads version {_VERSION}"
            raise ValueError(msg)
        masks, lanes, streams, ledger = parts
        self._seq = known["seq"]
        self._masks.load(masks)
        self._lanes.load_asleep(lanes)
        self._queued = int(self._lanes["length"].sum())
        self._streams.load(streams)
        self._ledger.load(ledger)


_JUDGEMENT = np.dtype([("delta", "<i8"), ("stream", "<i4"), ("decided", "<i8"), ("order", "<i8")])


def _behind(
    blocks: Sequence[tuple[int, int, int]], judged: Table, streams: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Which of `judged` were decided behind the block of their stream; a packet may end thousands."""
    ended = {int(streams[delta]): (delta, decided) for delta, decided, _ in blocks}
    rows = [ended.get(stream, (_OPEN, _OPEN)) for stream in judged["stream"].tolist()] if ended else []
    delta, decided = np.array(rows, np.int64).reshape(-1, 2).T if rows else np.full((2, len(judged)), _OPEN)
    late: NDArray[np.bool_] = judged["delta"] > delta
    late |= (judged["delta"] == delta) & (judged["decided"] > decided)
    return late


def _judged(packet: Packet) -> Table:
    """What numbering needs of findings (order 0) and verdicts (order 1)."""
    findings, verdicts = packet.findings, packet.verdicts
    if not len(findings) and not len(verdicts):
        return empty(_JUDGEMENT)
    judged = np.zeros(len(findings) + len(verdicts), _JUDGEMENT)
    judged["order"][len(findings) :] = 1
    for table, ours in ((findings, judged[: len(findings)]), (verdicts, judged[len(findings) :])):
        ours["delta"], ours["decided"] = table["delta"], np.minimum(table["decided"], (1 << 25) - 1)
    judged["stream"] = packet.deltas["stream"][judged["delta"]]
    return judged


def _placed(deltas: Table) -> bool:
    """Whether the directory has given the streams of a packet their rows."""
    return bool((deltas["stream"] >= 0).any()) or not len(deltas)
