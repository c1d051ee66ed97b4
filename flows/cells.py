"""Which recovery directory belongs to which cell: one that is not a cell's own is refused before it runs.

Strategy. A cell that runs on another's state would stop in the midst of its work or, where a slot has no
state, begin it anew without a word; and two cells with one slot would both speak for it. The positions of the
source say what a directory holds: they are saved for every slot, in every epoch. A few rows are read, however
much state there is. That slots went elsewhere nothing in a directory can tell, so whoever moves them says it
in a file, before they are there: killed in between, he leaves slots that nobody runs, not slots that two run.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from flows import stores
from flows.parts import StateError, changing, part_files
from operators.slots import slot_key

__all__ = ["refuse_foreign", "refuse_moved", "retire"]

_MOVED = "moved"


def retire(directories: Iterable[Path], to: Path) -> None:
    """Say in directories that their slots went to `to`: no run takes them from then on. Their state stays.
    The caller has them locked, and makes `to` the moment after. Said in all of them, or in none if it fails.
    """
    files = [directory / _MOVED for directory in directories]
    try:
        for file in files:
            stores.put(file, str(to.resolve()))
    except BaseException:
        for file in files:
            file.unlink(missing_ok=True)
        raise


def refuse_moved(directory: Path) -> None:
    """Pass a directory whose slots did not go elsewhere.

    :raises StateError: If they did, or whoever moved them was cut short.
    """
    file = directory / _MOVED
    if not file.exists():
        return
    to = file.read_text()
    if Path(to).exists():
        what = f"run that. To go back to the state of then, stop the cells there, and delete {file}"
    else:
        what = f"there is no such folder now. If the move was cut short, delete {file} and move them again"
    msg = f"{directory}: its slots were moved to {to}: {what}"
    raise StateError(msg)


def refuse_foreign(directory: Path, job: str, cell: str, own: Set[int], slots: int) -> None:
    """Pass a directory that is new, or holds the slots of a cell: neither more nor fewer. The caller has it
    locked, and settled.

    :arg job: Name of the flow.

    :arg cell: As it is shown.

    :arg own: The slots of the cell.

    :arg slots: Of the deployment.

    :raises StateError: If it holds others; if it is in use, incomplete or damaged.
    """
    held = _positions(directory, f"{job}.source")
    if held is None or held == {slot_key(slot) for slot in own}:
        return
    there = [slot for slot in range(slots) if slot_key(slot) in held]
    msg = (
        f"{directory} has state of {job} in slots {_listed(there)}, and {cell} owns {_listed(sorted(own))}: "
        f"run it as the cell that it is of, or deal the slots out anew with 'midstream state move'"
    )
    raise StateError(msg)


def _positions(directory: Path, step_id: str) -> set[str] | None:
    """The keys that a source has a position of; None if there is no state at all."""
    found, new = set[str](), True
    for file in part_files(directory):
        with changing(file) as part:
            newest = part.execute(
                "SELECT state_key, ser_change IS NULL, MAX(snap_epoch) FROM snaps WHERE step_id = ?"
                " GROUP BY state_key",
                (step_id,),
            )
            found.update(key for key, ended, _ in newest if not ended)
            new = new and part.execute("SELECT 1 FROM snaps LIMIT 1").fetchone() is None
    return None if new else found


def _listed(slots: list[int]) -> str:
    return ", ".join(map(str, slots)) or "none"
