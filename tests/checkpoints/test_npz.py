"""Trees in NumPy's own files, against NumPy."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import ArgumentError, DTypeError, ShapeError
from portanet.io import npz

DTYPES = ("bool", "int8", "uint16", "int64", "uint64", "float16", "float64", "complex128")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


def test_numpy_reads_what_is_saved(path):
    tree = {name: np.asarray([[0, 1], [2, 3]]).astype(name) for name in DTYPES}
    tree["scalar"], tree["empty"], tree["turned"] = np.asarray(3.0), np.ones((0, 2)), np.eye(3, 4).T
    npz.save(path, {"a": tree}, {"who": "me"})
    with np.load(path, allow_pickle=False) as read:
        for name, x in tree.items():
            np.testing.assert_array_equal(read[f"a.{name}"], x)
            assert read[f"a.{name}"].dtype == x.dtype
    assert npz.metadata(path) == {"who": "me"}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saved_is_read(path, save):
    arrays = {f"a.{name}": np.asarray([0, 1, 2]).astype(name) for name in DTYPES}
    save(path, **arrays, swapped=np.arange(3, dtype=">i4"))
    read = npz.load(path)
    assert read["swapped"].tolist() == [0, 1, 2]
    for name in DTYPES:
        np.testing.assert_array_equal(read["a"][name], arrays[f"a.{name}"])
        assert read["a"][name].dtype == name
        assert read["a"][name].flags.writeable
    assert npz.metadata(path) == {}


def test_a_tree_comes_back_on_its_library(backend, path):
    model = pn.Chain(pn.Dense(3, 4), pn.BatchNorm(4), pn.relu, pn.Dropout(0.5))
    ps, st = pn.setup(0, model, device=backend.place)
    npz.save(path, {"ps": ps, "st": st})
    found = npz.load(path, like={"ps": ps, "st": st})
    for old, new in zip(trees.leaves((ps, st)), trees.leaves(tuple(found.values())), strict=True):
        assert type(old) is type(new)
        if hasattr(old, "shape"):
            np.testing.assert_array_equal(backend.to_numpy(old), backend.to_numpy(new))
    assert npz.load(path)["ps"].keys() == ps.keys()  # layers without parameters too
    part = npz.load(path, like={"ps": pn.setup(1, model)[0]}, only="ps.layer_1", device="numpy")
    np.testing.assert_array_equal(
        part["ps"]["layer_1"]["weight"], backend.to_numpy(ps["layer_1"]["weight"])
    )


def test_narrow_floats_come_back(path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    tree = {
        name: np.asarray([1.5, -2.0]).astype(getattr(ml_dtypes, name))
        for name in ("bfloat16", "float8_e4m3fn")
    }
    npz.save(path, tree)
    for found in (npz.load(path), npz.load(path, like=tree)):
        for name, x in tree.items():
            assert found[name].dtype == x.dtype
            np.testing.assert_array_equal(found[name].astype(float), x.astype(float))
    with np.load(path) as read:
        assert read["bfloat16"].dtype == np.uint16


def test_names_of_every_kind(path):
    tree = {"file": np.ones(1), "a/b": np.ones(2), "é\n": np.ones(3), "x.npy": np.ones(4), "": 5}
    npz.save(path, tree)
    found = npz.load(path, like=tree)
    assert [np.size(x) for x in found.values()] == [1, 2, 3, 4, 1]
    for name in ("__metadata__", "a\0b"):
        with pytest.raises(ArgumentError, match="an entry cannot be called"):
            npz.save(path, {name: np.ones(1)})
    for name in ("\ud800", "x" * 70_000):
        with pytest.raises(ArgumentError, match="names are Unicode text, shorter than 65536 bytes"):
            npz.save(path, {name: np.ones(1)})
    assert os.listdir(path.parent) == ["a.npz"]


def test_keys_that_are_no_texts_are_those_of_like(path):
    tree = {"layers": {0: np.ones(1), 10: {}, 2: None}}
    npz.save(path, tree)
    assert npz.load(path)["layers"].keys() == {"0", "10"}
    found = npz.load(path, like={"layers": {0: np.zeros(1), 10: {}, 2: None}})
    assert found == tree
    assert list(found["layers"]) == [0, 10, 2]


def test_objects_and_texts_are_refused(path):
    np.savez(path, x=np.asarray([None, 1], dtype=object))
    with pytest.raises(ArgumentError, match=r"is no npz file, or not all of one: .*allow_pickle"):
        npz.load(path)
    for x in (np.asarray(["a"]), np.zeros(2, "m8[s]"), np.zeros(2, "f4,i4"), np.zeros(2, "V3")):
        np.savez(path, x=x)
        with pytest.raises(DTypeError, match="'x': the format has no dtype"):
            npz.load(path)


def zipped(**entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy(x):
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


def headed(shape):
    """Return an array of eight bytes that says it has another shape."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(8)


def notes(text):
    return zipped(**{"__metadata__.npy": npy(np.frombuffer(text.encode(), np.uint8))})


BAD = {
    "nothing": b"",
    "no zip": b"PK" * 100,
    "a text": zipped(a=b"text"),
    "no npy": zipped(**{"a.npy": b"text"}),
    "half an array": zipped(**{"a.npy": npy(np.ones(9))[:-8]}),
    "more than an array": zipped(**{"a.npy": npy(np.ones(9)) + b"x"}),
    "a shape that is no number": zipped(**{"a.npy": headed("(9**9,)")}),
    "a large shape": zipped(**{"a.npy": headed("(99999999999999,)")}),
    "a shape beyond all": zipped(**{"a.npy": headed("(2, 9223372036854775807)")}),
    "a negative shape": zipped(**{"a.npy": headed("(-1,)")}),
    "a shape that nests": zipped(**{"a.npy": headed("(" * 900)}),
    "no notes": notes("[]"),
    "half the notes": notes('{"metadata": {}}'),
    "numbers for texts": notes('{"metadata": {"a": 1}, "narrow": {}}'),
    "notes without end": notes("[" * 100_000),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_file_of_the_format_is_refused(path, name):
    path.write_bytes(BAD[name])
    with pytest.raises(ArgumentError, match="is no npz file, or not all of one: "):
        npz.load(path)


def test_a_name_that_stands_twice_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(np.ones(1)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", npy(np.ones(1)))
    with pytest.raises(ArgumentError, match="a name stands twice"):
        npz.load(path)


def test_narrow_floats_are_forged(path):
    text = '{"metadata": {}, "narrow": {"a": "%s"}}'
    for dtype, x in (("bfloat16", np.ones(2)), ("float", np.ones(2, "u2"))):
        note = npy(np.frombuffer((text % dtype).encode(), np.uint8))
        path.write_bytes(zipped(**{"__metadata__.npy": note, "a.npy": npy(x)}))
        with pytest.raises(DTypeError, match=r"'a'|'float'"):
            npz.load(path)


def test_paths_are_names_of_files(path, tmp_path):
    for wrong in (None, 3, "", "a\0b", tmp_path):
        for call in (npz.load, npz.metadata, lambda p: npz.save(p, {"a": np.ones(1)})):
            with pytest.raises(ArgumentError):
                call(wrong)
    for call in (npz.load, npz.metadata):
        with pytest.raises(FileNotFoundError):
            call(path)
    npz.save(path, {"a": np.ones(2)})
    with pytest.raises(ShapeError, match=r"'a' \(2,\) != \(3,\)"):
        npz.load(path, like={"a": np.ones(3)})
