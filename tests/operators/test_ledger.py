"""The pool of entries: chains that never mix, room that is used again, state that travels."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.release import count
from operators.ledger import Entry, Ledger
from tests.stages import of_version

STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans(), st.booleans()), max_size=60)


@given(STEPS)
def test_chains_never_mix_and_entries_are_used_again(steps: list[tuple[int, int, bool, bool]]) -> None:
    ledger, head = Ledger(), np.zeros(4, np.int32)
    known: dict[int, dict[int, int]] = defaultdict(dict)
    for stream, code, over, reload in steps:
        ledger.make_room(1)
        one = np.array([stream], np.int32), np.array([code], np.int32), np.array([2], np.int64)
        count(*one, head, ledger.pool, ledger.free)
        known[stream][code] = known[stream].get(code, 0) + 1
        if over:
            ledger.release(int(head[stream]))
            head[stream] = 0
            del known[stream]
        if reload:
            state, ledger = ledger.dump(), Ledger()
            ledger.load(state)
        for each in range(4):
            wanted = {Entry(c, 0, 0, 0, 0, n, 2 * n) for c, n in known.get(each, {}).items()}
            assert set(ledger.entries(int(head[each]))) == wanted
    used = sum(map(len, known.values()))
    assert ledger.free[-1] == len(ledger.pool) - used
    assert len(ledger.pool) <= max(64, 2 * 24)


def test_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="ledger state of version 9"):
        Ledger().load(of_version(Ledger().dump(), 9))
