"""Trees in safetensors files, against the format's own library."""

from __future__ import annotations

import json

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import ArgumentError, DTypeError, ParameterTreeError, ShapeError
from portanet.io import safetensors as files

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64"),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tree.safetensors"


def _tree():
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(2, 3)).astype(name) for name in DTYPES}
    return {"kinds": arrays, "empty": np.ones((0, 2)), "scalar": np.asarray(3.0)}


def test_the_formats_own_library_reads_what_is_saved(path):
    library = pytest.importorskip("safetensors.numpy")
    tree = _tree()
    del tree["kinds"]["complex64"]  # younger than the oldest version of the library
    files.save(path, tree, {"who": "me"})
    read = library.load_file(path)
    expected = dict(trees.flatten_with_paths(tree))
    assert read.keys() == expected.keys()
    for name, x in expected.items():
        assert read[name].dtype == x.dtype
        np.testing.assert_array_equal(read[name], x)
    assert files.metadata(path) == {"who": "me"}


def test_what_the_formats_own_library_saved_is_read(path):
    library = pytest.importorskip("safetensors.numpy")
    tree = _tree()["kinds"]
    del tree["complex64"]
    library.save_file({f"a.{name}": x for name, x in tree.items()}, path, {"k": "v"})
    read = files.load(path)["a"]
    for name, x in tree.items():
        assert read[name].dtype == x.dtype
        np.testing.assert_array_equal(read[name], x)
        assert read[name].flags.writeable


def test_a_tree_comes_back_on_its_library(backend, path):
    model = pn.Chain(pn.Dense(3, 4), pn.BatchNorm(4), pn.Dropout(0.5))
    ps, st = pn.setup(0, model, device=backend.place)
    files.save_model(path, ps, st)
    other, states = pn.setup(1, model, device=backend.place)
    again = files.load(path, like={"parameters": other, "states": states})
    for old, new in zip(trees.leaves((ps, st)), trees.leaves(tuple(again.values())), strict=True):
        assert type(old) is type(new)
        if hasattr(old, "shape"):
            assert new.dtype == old.dtype
            assert backend.adapter.device_of(new) == backend.device
            np.testing.assert_array_equal(backend.to_numpy(new), backend.to_numpy(old))
        else:
            assert old == new
    moved, kept = files.load_model(path, model, device=backend.place)
    assert trees.flatten((moved, kept))[1] == trees.flatten((ps, st))[1]
    assert kept["layer_3"] == st["layer_3"]
    assert backend.adapter.device_of(moved["layer_1"]["weight"]) == backend.device


def test_dtypes_are_those_of_like_or_of_the_file(backend, path):
    files.save(path, {"w": np.asarray([0.1, 2.0])})
    like = {"w": backend.asarray(np.zeros(2, np.float32))}
    assert files.load(path, like)["w"].dtype == backend.dtype("float32")
    assert files.load(path, device=backend.place)["w"].dtype == backend.dtype("float64")


def test_bfloat16_is_kept_where_the_library_has_it(path):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    x = torch.asarray([1.0, -2.5, 3.1e-8, float("inf")], dtype=torch.bfloat16)
    files.save(path, {"x": x})
    assert torch.equal(library.load_file(path)["x"], x)
    host = files.load(path)["x"]
    assert host.dtype == np.float32
    np.testing.assert_array_equal(host, x.to(torch.float32).numpy())
    again = files.load(path, device="torch")["x"]
    assert again.dtype == torch.bfloat16
    assert torch.equal(again, x)


def test_differences_are_named(path):
    files.save(path, {"a": {"w": np.ones(2), "old": np.ones(1)}})
    with pytest.raises(ParameterTreeError) as caught:
        files.load(path, like={"a": {"w": np.ones(2), "new": np.ones(1)}})
    assert str(caught.value) == (
        f"{str(path)!r}: the entries differ: missing ['a.new'], unexpected ['a.old']"
    )
    with pytest.raises(ShapeError) as caught:
        files.load(path, like={"a": {"w": np.ones(3), "old": np.ones(1)}})
    assert str(caught.value) == f"{str(path)!r}: the shapes differ: 'a.w' (2,) != (3,)"


def test_lists_come_back_like_lists(path):
    tree = {"scales": (np.ones(1), [np.zeros(2)]), "count": 3, "on": True, "rate": 0.5}
    files.save(path, tree)
    again = files.load(path, like=tree)
    assert trees.flatten(again)[1] == trees.flatten(tree)[1]
    assert [again[name] for name in ("count", "on", "rate")] == [3, True, 0.5]
    assert type(again["on"]) is bool
    assert list(files.load(path)["scales"]) == ["0", "1"]


def test_what_cannot_be_saved_leaves_nothing_behind(path):
    files.save(path, {"a": np.ones(2)})
    for tree, kind, text in [
        ({"a": "text"}, ArgumentError, "'a' is an array, a random key or a number: got 'text'"),
        ({"a": np.ones(1, np.complex128)}, DTypeError, "'a': the format has no dtype complex128"),
        ({"a.b": np.ones(1), "a": {"b": np.ones(1)}}, ParameterTreeError, "two at 'a.b'"),
    ]:
        with pytest.raises(kind) as caught:
            files.save(path, tree)
        assert text in str(caught.value)
    with pytest.raises(ArgumentError, match="metadata is a dict of str to str"):
        files.save(path, {"a": np.ones(1)}, {"n": 3})
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert files.load(path)["a"].shape == (2,)


def test_broken_files_are_refused(path):
    files.save(path, {"a": np.ones(100)})
    whole = path.read_bytes()
    header = json.dumps({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}).encode()
    for content, text in [
        (b"", "is no safetensors file, or only the first part"),
        (whole[:40], "is no safetensors file, or only the first part"),
        (whole[:-8], "is no safetensors file: 'a' has"),
        (b"PK" * 100, "is no safetensors file, or only the first part"),
        (len(header).to_bytes(8, "little") + header + bytes(8), "safetensors file: 'a' has"),
        ((2).to_bytes(8, "little") + b"[]", "is no safetensors file: "),
    ]:
        path.write_bytes(content)
        with pytest.raises(ArgumentError) as caught:
            files.load(path)
        assert text in str(caught.value)


def test_names_that_are_no_tree_need_like(path):
    tree = {"a": np.ones(1), "a.b": np.zeros(1)}
    files.save(path, tree)
    with pytest.raises(ParameterTreeError, match=r"^'a\.b' lies under an array, 'a': load with"):
        files.load(path)
    assert files.load(path, like=tree)["a.b"] == 0
