"""What can be in a checkpoint comes back as it was."""

from __future__ import annotations

import math
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
from training.problems import check_same

import portanet as pn
from portanet.errors import ArgumentError, DTypeError, ShapeError
from portanet.io import Checkpointer

pytest.importorskip("safetensors")

KINDS = (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)


@pytest.fixture(params=["safetensors", "npz"])
def ckpt(request, tmp_path):
    return Checkpointer(tmp_path / "run", format=request.param)


def again(ckpt, tree, like=None):
    ckpt.save(tree, step=0)
    return ckpt.restore(like)


def test_numbers_texts_and_containers(ckpt):
    tree = {
        "z": [1, -(2**63), 2**64 - 1, True, None],
        "a": (0.1, -0.0, math.inf, "\ud800 é\0", ""),
        "empty": [{}, [], ()],
        "none": None,
    }
    found = again(ckpt, tree)
    assert found == tree
    assert list(found) == list(tree)
    assert math.copysign(1, found["a"][1]) == -1
    assert [type(x) for x in found["z"]] == [type(x) for x in tree["z"]]
    assert again(ckpt, tree, like=tree) == tree
    assert math.isnan(again(ckpt, {"x": math.nan})["x"])


def test_numbers_of_numpy_keep_their_dtype(ckpt):
    tree = [np.float32(0.1), np.int8(-3), np.bool_(True), np.float64(1e300), np.complex64(1 + 2j)]
    for found in (again(ckpt, tree), again(ckpt, tree, like=tree)):
        assert [x.dtype for x in found] == [x.dtype for x in tree]
        assert [x[()] for x in found] == tree


def test_a_lone_leaf_is_a_tree(ckpt):
    for x in (np.arange(3), 2, "text", None, {}):
        np.testing.assert_array_equal(again(ckpt, x), x)


def test_trees_of_other_containers_come_back_like_themselves(ckpt):
    pair = namedtuple("pair", "a b")

    @pn.register_tree
    @dataclass
    class Affine:
        weight: np.ndarray
        bias: float

    tree = {"p": pair(1, np.ones(2)), "o": OrderedDict(b=1, a=2), "q": deque([1, 2])}
    tree["affine"] = Affine(np.ones(3), 0.5)
    found = again(ckpt, tree)
    assert (found["o"], found["q"], found["affine"]["bias"]) == ({"b": 1, "a": 2}, [1, 2], 0.5)
    like = again(ckpt, tree, like=tree)
    assert type(like["p"]) is pair
    assert type(like["affine"]) is Affine
    assert (like["o"], like["q"]) == (tree["o"], tree["q"])


def test_keys_of_portanet(ckpt):
    key = pn.random.key(3)
    assert again(ckpt, {"k": key}) == {"k": key}
    assert again(ckpt, {"k": key}, like={"k": pn.random.key(4)}) == {"k": key}


def test_keys_of_jax(ckpt):
    jax = pytest.importorskip("jax")
    one, other = jax.random.key(3), jax.random.key(4, impl="rbg")
    keys = {"one": one, "other": other, "many": jax.random.split(jax.random.key(5), 3)}
    like = {
        "one": jax.random.key(6),
        "other": jax.random.split(other)[0],
        "many": keys["many"][::-1],
    }
    for found in (again(ckpt, keys), again(ckpt, keys, like=like)):
        for name, key in keys.items():
            assert found[name].dtype == key.dtype
            words, wanted = jax.random.key_data(found[name]), jax.random.key_data(key)
            np.testing.assert_array_equal(words, wanted)
        assert jax.random.uniform(found["one"]) == jax.random.uniform(one)
    old = jax.random.PRNGKey(6)  # an array as any other
    np.testing.assert_array_equal(again(ckpt, old, like=old), old)
    with pytest.raises(DTypeError, match="'one' jax key of threefry2x32 in jax key of rbg"):
        again(ckpt, {"one": one}, like={"one": other})
    with pytest.raises(ShapeError, match=r"'many' \(3,\) != \(\)"):
        again(ckpt, {"many": keys["many"]}, like={"many": one})


@pytest.mark.parametrize("kind", KINDS)
def test_generators_go_on(ckpt, kind):
    rng = np.random.Generator(kind(np.random.SeedSequence([1, 2**80], spawn_key=(3,))))
    rng.normal(size=3)
    rng.random(dtype=np.float32)  # half of a word of 64 bits is kept
    rng.spawn(2)
    other = np.random.Generator(kind(0))
    for found in (again(ckpt, {"r": rng}), again(ckpt, {"r": rng}, like={"r": other})):
        copy = pn.random.replicate(rng)
        assert found["r"].random(dtype=np.float32) == copy.random(dtype=np.float32)
        np.testing.assert_array_equal(found["r"].normal(size=9), copy.normal(size=9))
        assert found["r"].spawn(1)[0].random() == copy.spawn(1)[0].random()
    assert other.random() == np.random.Generator(kind(0)).random()


def test_another_kind_of_generator_is_refused(ckpt):
    with pytest.raises(DTypeError, match="'r' Generator of PCG64 in Generator of SFC64"):
        again(
            ckpt,
            {"r": np.random.default_rng(0)},
            like={"r": np.random.Generator(np.random.SFC64(0))},
        )
    with pytest.raises(DTypeError, match="'r' Generator of PCG64 in float64"):
        again(ckpt, {"r": np.random.default_rng(0)}, like={"r": np.ones(2)})


def test_a_generator_without_a_seed_is_refused(ckpt):
    with pytest.raises(ArgumentError, match=r"'r': a generator is one of .*, made of a seed"):
        again(ckpt, {"r": np.random.Generator(np.random.Philox(key=1))})


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_arrays_keep_the_order_of_their_memory(ckpt, axes):
    """Sums of floats depend on it: a run that is taken up has to add as the one before did."""
    x = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32).transpose(axes)
    for found in (again(ckpt, x), again(ckpt, x, like=np.ones_like(x, order="C"))):
        assert found.strides == x.strides
        np.testing.assert_array_equal(found, x)
        assert np.sum(found) == np.sum(x)
    part = x[::2, :, ::3]
    np.testing.assert_array_equal(again(ckpt, part), part)


def test_every_dtype_comes_back(backend, ckpt):
    names = ["bool", "int8", "uint8", "int32", "int64", "float32", "float64", "complex64"]
    names += ["float16", "bfloat16"] if backend.name in ("torch", "jax") else []
    numbers = np.asarray([0.0, 1.0, 3.0])
    tree = {
        name: backend.xp.astype(backend.asarray(numbers), backend.dtype(name)) for name in names
    }
    tree["empty"] = backend.asarray(np.ones((0, 2)))
    found = again(ckpt, tree, like=tree)
    for name, x in tree.items():
        assert found[name].dtype == x.dtype
        assert tuple(found[name].shape) == tuple(x.shape)
    for either in (tree, found):  # NumPy has none
        if "bfloat16" in either:
            either["bfloat16"] = pn.astype(either["bfloat16"], "float32")
    check_same(found, tree)


def test_complex_numbers_of_128_bits_need_npz(tmp_path):
    x = {"x": np.asarray([1 + 2j])}
    ckpt = Checkpointer(tmp_path, format="npz")
    check_same(again(ckpt, x), x)
    with pytest.raises(DTypeError, match="has no dtype complex128"):
        Checkpointer(tmp_path).save(x, step=0)


def test_what_is_restored_may_be_written(ckpt):
    tree = {"x": np.ones(3), "y": np.ones((2, 3)).T}
    for found in (again(ckpt, tree), again(ckpt, tree, like=tree)):
        assert all(x.flags.writeable for x in found.values())
    assert (tree["x"] == 1).all()
