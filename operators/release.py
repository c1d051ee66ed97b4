"""Hold, mask, let go. The one stage that keeps text, and the last word on what leaves.

Strategy. Text waits in its lane's queue until the gate's watermark passes it; then it leaves, with a
label in place of each match the policy redacts. A verdict *block* ends the stream at once: of the lane
it speaks of, the text before the match that was decided when the match was found still leaves, then
nothing of the stream, ever. What was decided at the same character or before it is reported, what a
longer delta carried behind it is not, so that the cutting of the text cannot be seen in the result.

Fails closed: text that no watermark vets is never released, and a packet that a stage could not
process ends every stream in it with an error.

Every record that leaves the flow gets its number here: ``seq`` counts the records of the slot, in an
order that depends on the deltas alone. A replay after a crash gives the same records the same
numbers, so a consumer can drop what it has seen.

State: queue and masks of each open lane, a ledger for each open stream, the slot's counter. Emits:
releases, outcomes, and ``seq`` of findings and verdicts (-1: behind the end of its stream). Cost:
about 0.5 us a delta. Raises: :class:`RuntimeError` if the gate held back more than it promised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from operators.columns import Columns, framed, unframed
from operators.kernels import release as kernels
from operators.packet import (
    DELTA,
    OPENED,
    OUTCOME,
    RELEASE,
    Action,
    Finish,
    Kind,
    Packet,
    Reach,
    Table,
    column,
    empty,
    joined,
)  # fmt: skip

__all__ = ["Release"]

_MASK = np.dtype([("row", "<i4"), ("begin", "<i8"), ("stop", "<i8"), ("label", "<i4")])
_OPEN = np.iinfo(np.int64).max
_TEXT, _CLOSE = int(Kind.TEXT), int(Kind.CLOSE)
_START, _ERROR, _END = int(Kind.START), int(Kind.ERROR), int(Kind.END)
_BLOCK, _REDACT = int(Action.BLOCK), int(Action.REDACT)
_SPOKEN = np.isin(np.arange(256), (_START, _ERROR, _END))
_PHASE = np.zeros(256, np.int64)  # order of the records of one delta; findings and verdicts are 1
_PHASE[[_START, _ERROR, _END]] = 0, 3, 4
_JUDGED, _RELEASED = 1, 2


class Release:
    """The stage. ``labels[code]`` stands where a match of that code was; `hold` is the gate's promise
    of how many characters of a lane it leaves undecided.
    """

    def __init__(self, labels: Sequence[str], hold: int) -> None:
        encoded = [label.encode() for label in labels]
        self._labels = np.frombuffer(b"".join(encoded), np.uint8)
        self._label_at = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
        self._label_chars = np.array([*map(len, labels)], np.int32)
        self._lanes = Columns(
            1,
            reads=(self._labels, self._label_at),
            position=(np.int64, ()), masked=(np.int64, ()), ordinal=(np.int32, ()), length=(np.int32, ()),
            held=(np.uint8, (4 * hold,)), arrived=(np.int32, (hold,)),
        )  # fmt: skip
        self._streams = Columns(1, last=(np.int64, ()), ledger=(np.int64, (6,)))
        self._masks: Table = np.empty(0, _MASK)
        self._queued = 0
        self._seq = 0

    @property
    def state_bytes(self) -> int:
        """Bytes of state per open lane, its stream's ledger included."""
        return self._lanes.row_bytes + self._streams.row_bytes

    def warm(self) -> None:
        """Compile, on an empty packet."""
        self.update(Packet(0, 0, (), np.zeros(0, DELTA), b"", opened=np.zeros(0, OPENED)))

    def update(self, packet: Packet) -> Packet:
        """The packet with what may leave, and with numbers on everything that does."""
        deltas = packet.deltas
        streams = deltas["stream"][(deltas["kind"] == _START) & (deltas["stream"] >= 0)]
        self._lanes.open(packet.opened["row"])
        self._streams.open(streams)
        self._streams["last"][streams] = _OPEN
        if packet.failed:
            packet = self._fail(packet)
            self._queued = int(self._lanes["length"].sum())  # if release itself failed, half of it ran
        judged = joined(_judged(packet.findings, 0), _judged(packet.verdicts, 1))
        judged["stream"] = deltas["stream"][judged["delta"]]
        live = self._streams["last"][judged["stream"]] == _OPEN
        if not packet.failed:
            packet, blocks = self._release(packet)
            for delta, decided, _ in blocks:
                after = (judged["delta"] > delta) | (judged["decided"] > decided)
                live &= (judged["stream"] != deltas["stream"][delta]) | (judged["delta"] < delta) | ~after
        closing = deltas["stream"][deltas["kind"] == _END]
        self._streams.close(closing[closing >= 0])
        rows = packet.closed_rows()
        if len(rows):
            self._queued -= int(self._lanes["length"][rows].sum())
            self._lanes.close(rows)
            self._masks = self._masks[~np.isin(self._masks["row"], rows)]
        return self._number(packet, judged, live)

    def _release(self, packet: Packet) -> tuple[Packet, list[tuple[int, int, int]]]:
        """Let go what may, and say which streams that ended (as :meth:`_blocks`)."""
        deltas, lanes, streams = packet.deltas, self._lanes, self._streams
        blocks = self._blocks(packet)
        block_delta = np.array([delta for delta, _, _ in blocks], np.int64)
        block_upto = np.array([upto for _, _, upto in blocks], np.int64)
        self._masks = self._masks_with(packet)
        masks = self._masks
        label_bytes = int(np.diff(self._label_at)[masks["label"]].sum()) if len(masks) else 0
        out = np.empty(len(packet.text) + self._queued + label_bytes, np.uint8)
        let_go = np.empty((4, len(deltas)), np.int32)  # delta, row, start, end
        count, grown, overflow = kernels.release(
            column(deltas, "row"), column(deltas, "stream"), column(deltas, "kind"),
            column(deltas, "start"), column(deltas, "end"), column(deltas, "chars"),
            np.frombuffer(packet.text, np.uint8), _TEXT, _CLOSE,
            column(packet.vetted, "delta"), column(packet.vetted, "upto"), block_delta, block_upto,
            column(masks, "row"), column(masks, "begin"), column(masks, "stop"), column(masks, "label"),
            self._labels, self._label_at, self._label_chars,
            streams["last"], streams["ledger"],
            lanes["position"], lanes["masked"], lanes["ordinal"],
            lanes["length"], lanes["held"], lanes["arrived"],
            out, let_go[0], let_go[1], let_go[2], let_go[3],
        )  # fmt: skip
        self._queued += grown
        if overflow >= 0:
            hold = lanes["arrived"].shape[1]
            msg = f"a lane has more than {hold} undecided characters, the gate promised fewer"
            raise RuntimeError(msg)
        releases = np.zeros(count, RELEASE)
        for name, values in zip(("delta", "row", "start", "end"), let_go, strict=True):
            releases[name] = values[:count]
        if len(masks):
            self._masks = masks[masks["stop"] > lanes["position"][masks["row"]]]
        outcomes = self._outcomes(packet, block_delta)
        released = out[: releases["end"][-1]].tobytes() if count else b""
        return packet.having(releases=releases, released=released, outcomes=outcomes), blocks

    def _blocks(self, packet: Packet) -> list[tuple[int, int, int]]:
        """Where streams are ended by a verdict: delta, character of decision, characters that may
        leave. Marks the streams.

        A rule's match is exact to the character, and where several end a stream with one delta, none
        of their matches may leave. What an analysis or a threshold blocks is blocked from the end of
        the delta that decided it.
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
                    upto = min(upto, int(finding["begin"]), int(finding["upto"]))
            blocks.append((delta, decided, upto))
        return blocks

    def _masks_with(self, packet: Packet) -> Table:
        """The masks still ahead and those of this packet, by lane and begin."""
        verdicts = packet.verdicts
        if len(verdicts):
            verdicts = verdicts[(verdicts["action"] == _REDACT) & (verdicts["finding"] >= 0)]
        if not len(verdicts):
            return self._masks
        fresh = np.zeros(len(verdicts), _MASK)
        findings = packet.findings[verdicts["finding"]]
        fresh["row"], fresh["label"] = verdicts["row"], verdicts["code"]
        fresh["begin"], fresh["stop"] = findings["begin"], findings["stop"]
        masks = joined(self._masks, fresh)
        return masks[np.lexsort((masks["begin"], masks["row"]))]

    def _outcomes(self, packet: Packet, blocked: NDArray[np.int64]) -> Table:
        """Starts, errors and ends of the streams that are not over; and the ends that blocks make."""
        deltas, last = packet.deltas, self._streams["last"]
        (which,) = _SPOKEN[deltas["kind"]].nonzero()
        if not len(which) and not len(blocked):
            return empty(OUTCOME)
        streams = deltas["stream"][which]
        if len(last):
            which = which[(streams < 0) | (which <= last[streams])]
        outcomes = np.zeros(len(which) + len(blocked), OUTCOME)
        outcomes["delta"] = np.concatenate([which, blocked])
        said = outcomes[: len(which)]
        said["kind"], said["finish"] = deltas["kind"][which], deltas["finish"][which]
        outcomes["kind"][len(which) :], outcomes["finish"][len(which) :] = _END, Finish.BLOCKED
        outcomes["stream"] = deltas["stream"][outcomes["delta"]]
        return self._settled(outcomes)

    def _fail(self, packet: Packet) -> Packet:
        """Every stream of the packet ends here with an error; nothing of it is released."""
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
        if not len(judged):
            return packet
        findings, verdicts = packet.findings.copy(), packet.verdicts.copy()
        findings["seq"] = seq[: len(findings)]
        verdicts["seq"] = seq[len(findings) : len(judged)]
        return packet.having(findings=findings, verdicts=verdicts)

    def dump(self) -> bytes:
        """Queues, masks, ledgers and the counter."""
        head = orjson.dumps({"version": 1, "seq": self._seq})
        return framed(head, self._masks.tobytes(), self._lanes.dump(), self._streams.dump())

    def load(self, state: bytes) -> None:
        """Take over what :meth:`dump` gave.

        :raises ValueError: If it is of another version, or the gate's promise was another.
        """
        head, masks, lanes, streams = unframed(state)
        known = orjson.loads(head)
        if known["version"] != 1:
            msg = f"release state of version {known['version']}, this program reads version 1"
            raise ValueError(msg)
        self._seq = known["seq"]
        self._masks = np.frombuffer(masks, _MASK).copy()
        self._lanes.load(lanes)
        self._queued = int(self._lanes["length"].sum())
        self._streams.load(streams)


_JUDGEMENT = np.dtype([("delta", "<i8"), ("stream", "<i4"), ("decided", "<i8"), ("order", "<i8")])


def _judged(table: Table, order: int) -> Table:
    """What numbering needs of findings (order 0) and verdicts (order 1)."""
    judged = np.zeros(len(table), _JUDGEMENT)
    judged["delta"], judged["order"] = table["delta"], order
    judged["decided"] = np.minimum(table["decided"], (1 << 25) - 1)
    return judged
