"""Keys and the draws from them."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import HyperparameterError
from portanet.interface import host_random
from portanet.random import Key


def test_a_key_is_an_immutable_value():
    key = pn.random.key(7)
    same = pn.random.key(7)
    assert key == same
    assert hash(key) == hash(same)
    assert key != pn.random.key(8)
    assert copy.deepcopy(key) == key
    assert pickle.loads(pickle.dumps(key)) == key
    assert eval(repr(key)) == key
    with pytest.raises(dataclasses.FrozenInstanceError):
        key.words = (0, 0)


def test_a_key_is_one_leaf_of_a_tree():
    key = pn.random.key(0)
    assert trees.leaves({"layer": {"key": key, "training": True}}) == [key, True]


def test_split_has_no_collisions_and_uniform_bits():
    n = 100_000
    words = np.asarray([key.words for key in pn.random.key(0).split(n)], dtype=np.uint64)
    assert len(np.unique(words, axis=0)) == n
    bits = np.unpackbits(words.view(np.uint8), axis=1)
    five_sigma = 5 * 0.5 / np.sqrt(n)
    assert np.max(np.abs(np.mean(bits, axis=0) - 0.5)) < five_sigma


def test_split_and_fold_in_are_pure_and_differ():
    root = pn.random.key(3)
    first, second, third = root.split(3)
    assert root.split(2) == (first, second)
    folded = [root.fold_in(data) for data in (0, 1, 2, -1, 2**80)]
    assert len({root, first, second, third, *folded}) == 9
    assert root.fold_in(np.int64(1)) == root.fold_in(1)


def test_from_generator_moves_the_generator():
    rng = np.random.default_rng(0)
    assert Key.from_generator(rng) != Key.from_generator(rng)
    assert Key.from_generator(np.random.default_rng(0)) == Key.from_generator(
        np.random.default_rng(0)
    )


@pytest.mark.parametrize(
    ("draw", "distribution"), [(pn.random.uniform, "uniform"), (pn.random.normal, "norm")]
)
def test_draws_follow_their_distribution(draw, distribution):
    stats = pytest.importorskip("scipy.stats")
    for dtype in ("float32", "float64"):
        x = draw(pn.random.key(1), (20_000,), like=np.zeros(1, dtype))
        assert x.dtype == dtype
        assert stats.kstest(x, distribution).pvalue > 1e-3


@pytest.mark.parametrize("draw", [pn.random.uniform, pn.random.normal])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_library_draws_the_numbers_of_the_host(backend, draw, dtype):
    like = backend.asarray(np.zeros(2, dtype))
    key = pn.random.key(5)
    x = draw(key, (3, 4), like=like)
    assert type(x) is type(like)
    assert x.dtype == like.dtype
    assert x.shape == (3, 4)
    if not backend.adapter.own_draws:
        expected = draw(key, (3, 4), like=np.zeros(2, dtype))
        np.testing.assert_array_equal(backend.to_numpy(x), expected)


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 11), ("bfloat16", 8)])
def test_narrow_uniform_draws_stay_below_one(dtype, digits):
    x = host_random.uniform((1, 2), (100_000,), dtype)
    assert x.max() == 1 - 2.0**-digits
    assert x.min() == 0
    assert np.all(x * 2.0**digits == np.round(x * 2.0**digits))


def test_long_double_keeps_its_dtype():
    assert host_random.normal((1, 2), (3,), np.longdouble).dtype == np.longdouble
    assert host_random.uniform((1, 2), (3,), np.longdouble).dtype == np.longdouble


def test_bernoulli_frequency_and_ends(backend):
    like, n = backend.asarray(np.zeros(1, np.float32)), 40_000
    heads = backend.to_numpy(pn.random.bernoulli(pn.random.key(2), 0.3, (n,), like=like))
    assert heads.dtype == np.bool_
    assert abs(heads.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / n)
    assert not np.any(backend.to_numpy(pn.random.bernoulli(pn.random.key(2), 0, (n,), like=like)))
    assert np.all(backend.to_numpy(pn.random.bernoulli(pn.random.key(2), 1.0, (n,), like=like)))
    one = np.float64(1.0)
    assert np.all(backend.to_numpy(pn.random.bernoulli(pn.random.key(2), one, (n,), like=like)))


def test_bernoulli_does_not_depend_on_the_dtype():
    key = pn.random.key(9)
    draws = [
        pn.random.bernoulli(key, 0.5, (1000,), like=np.zeros(1, dtype))
        for dtype in ("float16", "float32", "float64", "int32")
    ]
    assert all(np.array_equal(draws[0], other) for other in draws[1:])


def test_replicate_leaves_the_original():
    rng = np.random.default_rng(0)
    twin = pn.random.replicate(rng)
    expected = np.random.default_rng(0).random(3)
    np.testing.assert_array_equal(twin.random(3), expected)
    np.testing.assert_array_equal(rng.random(3), expected)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: pn.random.key(1.5), "key: seed is an integer: got 1.5"),
        (lambda: pn.random.key(True), "key: seed is an integer: got True"),
        (lambda: pn.random.key(0).split(0), "Key.split: n is an integer, at least 1: got 0"),
        (lambda: pn.random.key(0).fold_in("a"), "Key.fold_in: data is an integer: got 'a'"),
        (
            lambda: pn.random.bernoulli(pn.random.key(0), 1.5, (2,), like=np.zeros(1)),
            "bernoulli: 0 <= probability <= 1: got 1.5",
        ),
        (
            lambda: pn.random.replicate(3),
            "replicate: rng is a numpy.random.Generator: got 3: make one with "
            "np.random.default_rng(seed)",
        ),
    ],
)
def test_bad_input_is_refused(call, text):
    with pytest.raises(HyperparameterError) as caught:
        call()
    assert str(caught.value) == text
