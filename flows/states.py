"""``midstream state``: look into recovery directories, keep them small, and move state: to a file, to other
names of steps, to other cells.

Strategy. Nothing here changes state that it reads, but for ``vacuum``; ``move`` leaves word in its sources,
so that no run takes them any more. What is made is made under another name and takes its place when it is
complete. What cannot be told for certain is refused: a slot that two directories hold, or none; a job that
still runs; a directory whose slots were moved. A row is moved as it is, so the state of a slot is the same
bytes in another place; but the directory of a slot names the steps that it was made for, as they are called.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from flows import archives, stores
from flows.cells import refuse_moved, retire
from flows.stores import Address, State, StateError, plain
from flows.surveys import as_json, as_table, slot_number, surveyed
from flows.versions import refuse_unknown, renamed

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Recovery directories: inspect, export, migrate, vacuum, move.")

_WRONG = 2

Directory = Annotated[Path, typer.Argument(help="A recovery directory.")]
Source = Annotated[Path, typer.Argument(help="A recovery directory, or a file that 'export' wrote.")]


@app.command()
def inspect(
    directories: Annotated[list[Path], typer.Argument(help="Recovery directories.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each directory.")] = False,
) -> None:
    """Show what directories hold: steps, slots, open streams, and rows that no run will ask for."""
    with _told():
        for directory in directories:
            with stores.locked(directory):
                found = surveyed(str(directory), stores.read(directory))
            typer.echo(as_json(found) if json else as_table(found))


@app.command()
def export(
    directory: Directory,
    to: Annotated[Path, typer.Option("--to", help="The file to write.", metavar="FILE")],
    slot: Annotated[
        list[int] | None, typer.Option(help="Only this slot; may be given several times.")
    ] = None,
) -> None:
    """Write the newest state to one file, which 'move' and 'migrate' take in place of a directory."""
    with _told(), stores.locked(directory):
        refuse_moved(directory)
        state = stores.read(directory).state
        if slot:
            held = _held(state, str(directory))
            absent = sorted(set(slot) - held.keys())
            if absent:
                _wrong(f"{directory} has no state of slots {_listed(absent)}; it has {_listed(held)}")
            state = _part(state, held, slot)
        archives.save(state, to)
        typer.echo(f"{to}: {len(state.entries)} entries, {to.stat().st_size} bytes")


@app.command()
def migrate(
    source: Source,
    to: Annotated[Path, typer.Option("--to", help="The directory to make.", metavar="NEW")],
    rename: Annotated[
        list[str] | None,
        typer.Option(help="A step's new name; may be given several times.", metavar="OLD=NEW"),
    ] = None,
    flow: Annotated[str | None, typer.Option(help="The flow's new name.", metavar="NAME")] = None,
) -> None:
    """Make a directory with other names of steps or of the flow: they are part of the state's address.

    State of a version that this program cannot read is refused; it knows no way from one version to another.
    """
    with _told(), _loaded(source) as state:
        if "." in (flow or ""):
            _wrong(f"--flow {flow!r}: a flow's name has no dot")
        names = _renamed(state, rename or [])
        entries = {Address(names[step], key): entry for (step, key), entry in state.entries.items()}
        others = refuse_unknown(entries)
        if rename:
            known = ((address, entry) for address, entry in entries.items() if address.step == "directory")
            entries |= {address: pickle.dumps(renamed(plain(entry), names)) for address, entry in known}
        with stores.stand_in(to) as folder:
            stores.write(folder, replace(state, entries=entries, flow=flow or state.flow))
        typer.echo(f"{to}: {len(entries)} entries of {len(set(names.values()))} steps")
        if others:
            typer.echo(f"no stages of this program, taken as they are: {', '.join(others)}")


@app.command()
def vacuum(directory: Directory) -> None:
    """Drop rows that no run will ask for, and give their room back."""
    with _told(), stores.locked(directory):
        before = stores.read(directory)
        stores.vacuum(directory)
        after = stores.read(directory)
        dropped = before.superseded + before.unfinished + before.ended
        typer.echo(
            f"{directory}: {dropped} rows dropped, {len(after.state.entries)} kept; "
            f"{before.disk} -> {after.disk} bytes"
        )


@app.command()
def move(
    sources: Annotated[
        list[Path], typer.Argument(help="Recovery directories or exported files: all cells of a job.")
    ],
    to: Annotated[Path, typer.Option("--to", help="The folder to make.", metavar="DIR")],
    cells: Annotated[
        int | None, typer.Option(min=1, help="Cell k of N gets the slots k, k+N, k+2N ...", metavar="N")
    ] = None,
    slots: Annotated[
        list[str] | None,
        typer.Option(help="Slots of the next cell, in place of --cells; given for each.", metavar="K,..."),
    ] = None,
) -> None:
    """Deal the slots of all cells out to new ones: DIR/cell-0, DIR/cell-1, ...

    Every slot of the deployment must be in one of the sources, and in one only. Their state stays; 'run'
    refuses them from then on (file "moved").
    """
    with _told(), ExitStack() as stack:
        if len({each.resolve() for each in sources}) < len(sources):
            _wrong("a source is named twice")
        states = {str(each): stack.enter_context(_loaded(each)) for each in sources}
        merged, held = _merged(states)
        if (cells is None) == (slots is None):
            _wrong("say either --cells or --slots")
        if slots:
            dealt = [_numbers(each) for each in slots]
        else:
            count = cells or 1
            dealt = [[slot for slot in held if slot % count == cell] for cell in range(count)]
        if sorted(slot for cell in dealt for slot in cell) != sorted(held) or not all(dealt):
            _wrong(f"each of the slots {_listed(held)} must go to one cell, and each cell must get one")
        with stores.stand_in(to) as folder:
            for cell, numbers in enumerate(dealt):
                place = folder / f"cell-{cell}"
                place.mkdir()
                stores.write(place, _part(merged, held, numbers))
            retire(filter(Path.is_dir, sources), to)
        for cell, numbers in enumerate(dealt):
            typer.echo(f"{to / f'cell-{cell}'}: slots {_listed(numbers)}")


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong is said in a line, with status 2."""
    try:
        yield
    except StateError as error:
        _wrong(str(error))
    except OSError as error:
        _wrong(f"{error.filename}: {error.strerror}" if error.filename else str(error))


@contextmanager
def _loaded(source: Path) -> Iterator[State]:
    """The state of a directory, which is held meanwhile, or of a file; not of one whose slots were moved."""
    if source.is_file():
        yield archives.load(source)
        return
    with stores.locked(source):
        refuse_moved(source)
        yield stores.read(source).state


def _held(state: State, name: str) -> dict[int, list[Address]]:
    """What there is of each slot."""
    held: dict[int, list[Address]] = {}
    for address in state.entries:
        slot = slot_number(address.key)
        if slot is None or slot >= state.slots:
            _wrong(
                f"{name}: step {address.step!r} has state of {address.key!r}, which is none of the "
                f"{state.slots} slots (its file 'slots' says how many, 'midstream run' writes it)"
            )
        held.setdefault(slot, []).append(address)
    return dict(sorted(held.items()))


def _part(state: State, held: Mapping[int, list[Address]], slots: list[int]) -> State:
    """The state of some slots."""
    return replace(
        state, entries={address: state.entries[address] for slot in sorted(slots) for address in held[slot]}
    )


def _merged(states: Mapping[str, State]) -> tuple[State, dict[int, list[Address]]]:
    """The state of all cells as one; and what there is of each slot."""
    first, *others = states.items()
    for name, state in others:
        for what in ("flow", "slots"):
            ours, theirs = getattr(first[1], what), getattr(state, what)
            if ours != theirs:
                _wrong(f"{first[0]} and {name} differ: {what} is {ours!r} in one and {theirs!r} in the other")
    held: dict[int, list[Address]] = {}
    owners: dict[int, str] = {}
    for name, state in states.items():
        for slot, addresses in _held(state, name).items():
            if slot in held:
                _wrong(f"slot {slot} is in {owners[slot]} and in {name}: which is newer is not known")
            held[slot], owners[slot] = addresses, name
    absent = sorted(set(range(first[1].slots)) - held.keys())
    if absent or not held:
        _wrong(f"slots {_listed(absent)} are in none of {', '.join(states)}: they would begin anew")
    runs: tuple[str, ...] = ()
    if any(state.runs for state in states.values()):
        new = stores.new_run()
        runs = tuple(
            states[owners[slot]].runs[slot] if states[owners[slot]].runs else new for slot in sorted(held)
        )
    entries = {address: entry for state in states.values() for address, entry in state.entries.items()}
    parts = max(state.parts for state in states.values())
    return State(first[1].flow, first[1].slots, parts, runs, entries), dict(sorted(held.items()))


def _renamed(state: State, renames: list[str]) -> dict[str, str]:
    """Every step's new name."""
    names = {address.step: address.step for address in state.entries}
    for rename in renames:
        old, equals, new = rename.partition("=")
        if not (old and equals and new):
            _wrong(f"--rename {rename!r} must be OLD=NEW")
        if names.get(old) != old:
            _wrong(f"--rename {rename!r}: there is no step {old!r}; there are {', '.join(sorted(names))}")
        names[old] = new
    taken = sorted(names.values())
    twice = {name for name in taken if taken.count(name) > 1}
    if twice:
        _wrong(f"two steps would be called {', '.join(sorted(twice))}")
    return names


def _numbers(text: str) -> list[int]:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        _wrong(f"--slots {text!r} must be numbers of slots with commas between")


def _listed(slots: Mapping[int, object] | list[int]) -> str:
    return ", ".join(map(str, sorted(slots))) or "none"


def _wrong(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_WRONG)
