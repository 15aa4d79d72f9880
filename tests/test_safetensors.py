"""Trees in safetensors files, against the format's own functions for NumPy and Torch."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import (
    ArgumentError,
    BackendNotAvailableError,
    DTypeError,
    ParameterTreeError,
    ShapeError,
)
from portanet.io import safetensors as files

safetensors = pytest.importorskip("safetensors")
library = pytest.importorskip("safetensors.numpy")

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64"),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tree.safetensors"


def _endless():
    tree = {}
    tree["again"] = tree
    return tree


def _tree():
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(2, 3)).astype(name) for name in DTYPES}
    return {"kinds": arrays, "empty": np.ones((0, 2)), "scalar": np.asarray(3.0)}


def test_the_formats_own_library_reads_what_is_saved(path):
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
    files.save(path, {"w": np.asarray([0.1, 2.0], np.float32)})
    like = {"w": backend.asarray(np.zeros(2, np.float64))}
    wide = files.load(path, like)["w"]
    assert wide.dtype == backend.dtype("float64")
    np.testing.assert_array_equal(backend.to_numpy(wide), np.float32([0.1, 2.0]))
    assert files.load(path, device=backend.place)["w"].dtype == backend.dtype("float32")


NARROWER = [
    ("float64", "float32"),
    ("complex64", "float32"),
    ("float32", "int64"),
    ("int64", "float64"),  # 2**53 + 1
    ("int32", "float32"),
    ("int64", "int32"),
    ("int8", "uint8"),
    ("int8", "bool"),
]


@pytest.mark.parametrize(("given", "wanted"), NARROWER)
def test_what_like_cannot_hold_exactly_is_refused(backend, path, given, wanted):
    if given == "complex64" and not hasattr(safetensors, "TensorSpec"):
        pytest.skip("older versions of the library have no complex numbers")
    files.save(path, {"layer": {"w": np.ones(2, given)}, "b": np.ones(1)})
    like = {"layer": {"w": backend.asarray(np.zeros(2, wanted))}, "b": np.ones(1)}
    with pytest.raises(DTypeError) as caught:
        files.load(path, like=like)
    assert f"cannot hold the numbers exactly: 'layer.w' {given} in {wanted}: load" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("float32", "float64"),
        ("float16", "float32"),
        ("float32", "complex64"),
        ("int32", "float64"),
        ("int16", "float32"),
        ("uint8", "int16"),
        ("float32", ">f4"),
    ],
)
def test_what_like_can_hold_is_widened(path, given, wanted):
    x = np.asarray([0, 1, 77]).astype(given)
    files.save(path, {"w": x})
    again = files.load(path, like={"w": np.zeros(3, wanted)})["w"]
    assert again.dtype == np.dtype(wanted)
    np.testing.assert_array_equal(again, x)


@pytest.mark.parametrize(
    ("saved", "like"),
    [
        (float("nan"), 3),
        (1.0, 1),
        (2, True),
        (True, 1),
        (2**60 + 1, 0.5),
        (np.asarray([1.5, np.nan]), pn.random.key(0)),
        (np.asarray([255], np.uint8), "text"),
        (np.ones(3), "text"),
    ],
)
def test_numbers_keys_and_texts_are_of_their_kind(path, saved, like):
    files.save(path, {"n": saved})
    with pytest.raises(DTypeError, match=r"cannot hold the numbers exactly: 'n' "):
        files.load(path, like={"n": like})


def test_numbers_keys_and_texts_come_back(path):
    tree = {
        "count": 2**64 - 1, "least": -(2**63), "on": True, "rate": 0.1, "inf": float("inf"),
        "key": pn.random.key(3), "name": "Größe", "none": "", "half": "\ud800",
    }  # fmt: skip
    files.save(path, tree)
    like = {
        "count": 0, "least": 0, "on": False, "rate": 1.0, "inf": 0.0, "key": pn.random.key(0),
        "name": "a longer text than before", "none": "x", "half": "",
    }  # fmt: skip
    again = files.load(path, like=like)
    assert again == tree
    assert [type(x) for x in again.values()] == [type(x) for x in tree.values()]
    files.save(path, {"rate": 1})
    assert files.load(path, like={"rate": 0.5}) == {"rate": 1.0}


def test_memory_is_saved_as_it_reads(path):
    x = np.arange(24.0).reshape(4, 6)
    views = {
        "turned": x.T, "flipped": x[::-1, ::2], "swapped": x.astype(">f8"), "fortran":
        np.asfortranarray(x), "scalar": x[1, 2], "point": x[0, 0, ...], "repeated":
        np.broadcast_to(x[0], (3, 6)),
    }  # fmt: skip
    files.save(path, views)
    read = library.load_file(path)
    for name, view in views.items():
        assert read[name].shape == view.shape
        np.testing.assert_array_equal(read[name], view)


def test_a_model_is_read_with_floats_of_any_width_but_with_floats(path):
    model = pn.Dense(2, 1)
    ps, st = pn.setup(0, model)
    files.save_model(path, pn.astype(ps, "float64"), st)
    assert files.load_model(path, model)[0]["weight"].dtype == np.float64
    files.save_model(path, {name: x.astype(np.int32) for name, x in ps.items()}, st)
    with pytest.raises(DTypeError, match=r"'parameters\.bias' int32 in float32"):
        files.load_model(path, model)


def test_layers_without_parameters_are_kept(path):
    model = pn.Chain(pn.Dense(2, 3), pn.Dropout(0.1), pn.Chain(pn.Flatten()), pn.Dense(3, 1))
    ps, st = pn.setup(0, model)
    files.save(path, ps, {"who": "me"})
    assert files.metadata(path) == {"who": "me"}
    assert trees.flatten(files.load(path))[1] == trees.flatten(ps)[1]
    x = np.ones((3, 2), np.float32)
    st = pn.test_mode(st)
    np.testing.assert_array_equal(model(x, files.load(path), st)[0], model(x, ps, st)[0])


def test_bfloat16_is_kept_where_the_library_has_it(path):
    torch = pytest.importorskip("torch")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    own = pytest.importorskip("safetensors.torch")
    x = torch.asarray([1.0, -2.5, 3.1e-8, float("inf")], dtype=torch.bfloat16)
    files.save(path, {"x": x})
    assert torch.equal(own.load_file(path)["x"], x)
    host = files.load(path)["x"]
    assert host.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(host.astype(np.float32), x.to(torch.float32).numpy())
    for again in (files.load(path, device="torch")["x"], files.load(path, like={"x": x})["x"]):
        assert again.dtype == torch.bfloat16
        assert torch.equal(again, x)
    wide = files.load(path, like={"x": np.zeros(4, np.float32)})["x"]
    np.testing.assert_array_equal(wide, x.to(torch.float32).numpy())
    with pytest.raises(DTypeError, match="'x' bfloat16 in float16"):
        files.load(path, like={"x": np.zeros(4, np.float16)})
    files.save(path, {"x": host})
    assert torch.equal(own.load_file(path)["x"], x)
    with pytest.raises(DTypeError, match="array_api_strict has no dtype 'bfloat16'"):
        files.load(path, device="array_api_strict")


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_is_that_of_ml_dtypes(path, name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.asarray([1.0, -0.5, 12.0]).astype(getattr(ml_dtypes, name))
    files.save(path, {"x": x})
    again = files.load(path)["x"]
    assert again.dtype == x.dtype
    assert again.tobytes() == x.tobytes()
    np.testing.assert_array_equal(files.load(path, {"x": np.zeros(3)})["x"], [1.0, -0.5, 12.0])


@pytest.mark.parametrize("missing", ["safetensors", "ml_dtypes"])
def test_what_is_not_installed_is_named(path, monkeypatch, missing):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    tree = {"x": np.ones(2, ml_dtypes.bfloat16)}
    files.save(path, tree)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(BackendNotAvailableError, match="pip install"):
        files.load(path)


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
        ({"a": b"x"}, ArgumentError, "'a' is an array, a random key, a number or a text: got b'x'"),
        ({"a": 2**64}, ArgumentError, "'a': an integer fits 64 bits: got 18446744073709551616"),
        ({"__metadata__": np.ones(1)}, ArgumentError, "'__metadata__' is the format's own name"),
        ({"\ud800": np.ones(1)}, ArgumentError, "names and metadata are Unicode text"),
        (_endless(), ParameterTreeError, "the tree contains itself"),
        ({"a": np.ones(1, np.complex128)}, DTypeError, "'a': the format has no dtype complex128"),
        ({"a.b": np.ones(1), "a": {"b": np.ones(1)}}, ParameterTreeError, "two at 'a.b'"),
    ]:
        with pytest.raises(kind) as caught:
            files.save(path, tree)
        assert text in str(caught.value)
    with pytest.raises(ArgumentError, match="metadata is a dict of str to str"):
        files.save(path, {"a": np.ones(1)}, {"n": 3})
    with pytest.raises(ArgumentError, match="'portanet' is portanet's own"):
        files.save(path, {"a": np.ones(1)}, {"portanet": "x"})
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert files.load(path)["a"].shape == (2,)


def test_names_that_are_no_tree_need_like(path):
    tree = {"a": np.ones(1), "a.b": np.zeros(1)}
    files.save(path, tree)
    with pytest.raises(ParameterTreeError, match=r"^'a\.b' lies under an array, 'a': load with"):
        files.load(path)
    assert files.load(path, like=tree)["a.b"] == 0


def test_names_of_millions_of_levels_are_no_tree(path):
    library.save_file({"a." * 1_000_000: np.ones(1)}, path)
    with pytest.raises(ParameterTreeError, match="has 1000000 levels"):
        files.load(path)
