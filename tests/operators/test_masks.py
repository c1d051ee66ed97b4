"""Masks that wait: they travel, and only as what they were."""

from __future__ import annotations

import numpy as np
import pytest

from operators.masks import Masks, Style
from operators.packet import FINDING
from tests.stages import of_version


def made() -> Masks:
    return Masks(["[A]", "[B]"], [Style.LABEL, Style.HASH], [0, 1], b"key")


def waiting() -> Masks:
    masks = made()
    findings = np.zeros(2, FINDING)
    findings["row"], findings["begin"], findings["stop"], findings["code"] = [3, 1], [5, 0], [9, 4], [0, 1]
    masks.add(findings, lambda row, begin, stop: f"{row} {begin} {stop}")
    return masks


def test_masks_go_on_behind_a_resume_as_they_were() -> None:
    masks, again = waiting(), made()
    again.load(masks.dump())
    assert again.dump() == masks.dump()
    for ours, theirs in zip(again.columns(), masks.columns(), strict=True):
        assert ours.tolist() == theirs.tolist()
    assert again.columns().masks[:, :3].tolist() == [[1, 0, 4], [3, 5, 9]]


def test_masks_of_another_version_or_cut_short_are_refused() -> None:
    dump = waiting().dump()
    with pytest.raises(ValueError, match="state of masks of version 9, this program reads version 1"):
        made().load(of_version(dump, 9))
    with pytest.raises(ValueError, match="cut or damaged"):
        made().load(dump[:-5])
