"""Libraries of patterns come from outside and are not trusted."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from connectors import library
from operators.patterns import LONGEST

read_all = partial(library.read, longest=LONGEST)


def written(folder: Path, **arrays: object) -> Path:
    path = folder / "shapes.npz"
    np.savez_compressed(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def zipped(folder: Path, *entries: tuple[str, bytes]) -> Path:
    path = folder / "shapes.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries:
            file.writestr(name, data)
    return path


def test_a_library_is_read_in_its_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        step=np.array([0, 0, 2, 2], np.int16),
        dip=np.array([4.5, 1.25], ">f4"),
        **{"a-long_one9": np.arange(4096.0)},
    )
    found = read_all(path)
    assert list(found) == ["step", "dip", "a-long_one9"]
    assert (found["step"], found["dip"]) == ((0.0, 0.0, 2.0, 2.0), (4.5, 1.25))
    assert found["a-long_one9"] == tuple(np.arange(4096.0).tolist())
    assert all(type(value) is float for values in found.values() for value in values)


def test_an_uncompressed_library_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "shapes.npz"
    np.savez(path, step=np.array([0.0, 1.0]))
    assert read_all(path) == {"step": (0.0, 1.0)}


@pytest.mark.parametrize(
    ("name", "array", "what"),
    [
        ("odd", np.zeros((2, 2)), "one series"),
        ("odd", np.float64(1.0), "one series"),
        ("odd", np.zeros(1), "2 to 4096"),
        ("odd", np.zeros(4097), "2 to 4096"),
        ("odd", np.array(["a", "b"]), "numbers"),
        ("odd", np.zeros(2, np.complex128), "numbers"),
        ("odd", np.zeros(2, np.bool_), "numbers"),
        ("odd", np.array([None, 1], object), "numbers"),
        ("odd", np.array([1.0, np.nan]), "finite"),
        ("odd", np.array([1.0, np.inf]), "finite"),
        ("Odd", np.zeros(2), "name"),
        ("-odd", np.zeros(2), "name"),
        ("o" * 65, np.zeros(2), "name"),
        ("o/../d", np.zeros(2), "name"),
    ],
)
def test_a_wrong_array_is_refused_by_name(tmp_path: Path, name: str, array: object, what: str) -> None:
    path = written(tmp_path, fine=np.zeros(2), **{name: array})
    with pytest.raises(ValueError, match=rf"shapes\.npz': array {name!r} must .*{what}"):
        read_all(path)


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.npz", tmp_path):
        with pytest.raises(ValueError, match="must be an NPZ file"):
            read_all(path)
    single = tmp_path / "single.npz"
    with single.open("wb") as file:
        np.save(file, np.zeros(2))
    with pytest.raises(ValueError, match=r"single\.npz' must be an NPZ file"):
        read_all(single)
    with pytest.raises(ValueError, match="at least one array"):
        read_all(zipped(tmp_path))


def test_what_is_no_npy_or_cut_short_is_refused(tmp_path: Path) -> None:
    heads = (
        b"{'descr': ',,,', 'fortran_order': False, 'shape': (3,)}\n",
        b"{'shape': " + b"(" * 3000 + b"\n",
    )
    evil = [b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head for head in heads]
    for data in (b"", b"text", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x09\x00" + bytes(99), *evil):
        with pytest.raises(ValueError, match="array 'odd' must be in NPY format"):
            read_all(zipped(tmp_path, ("odd.npy", data)))
    whole = io.BytesIO()
    npy.write_array(whole, np.zeros(3), version=(2, 0))
    assert read_all(zipped(tmp_path, ("fine.npy", whole.getvalue()))) == {"fine": (0.0, 0.0, 0.0)}
    for data in (whole.getvalue()[:-1], whole.getvalue() + b"x"):
        with pytest.raises(ValueError, match="array 'odd' must be whole: 3 numbers"):
            read_all(zipped(tmp_path, ("odd.npy", data)))


def test_damaged_packing_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, odd=np.random.default_rng(0).normal(size=4000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(ValueError, match="must be an NPZ file"):
        read_all(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_each_name_stands_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each name once"):
        read_all(zipped(tmp_path, ("a.npy", b""), ("a.npy", b"")))


def test_sizes_are_looked_at_before_anything_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_LARGEST", 1 << 20)
    bomb = zipped(tmp_path, ("a.npy", bytes(1 << 20)), ("b.npy", bytes(1)))
    assert bomb.stat().st_size < 4096
    with pytest.raises(ValueError, match="1 MiB at most when it is unpacked"):
        read_all(bomb)
    (tmp_path / "large.npz").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(ValueError, match=r"large\.npz' must have 1 MiB at most"):
        read_all(tmp_path / "large.npz")
