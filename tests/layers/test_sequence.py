"""ReverseSequence, PeriodicEmbedding and AlternatePrecision: values, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import DTypeError, HyperparameterError, ShapeError

hypothesis = pytest.importorskip("hypothesis")
drawn = hypothesis.strategies
few = hypothesis.settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def library(backend):
    if backend.name == "jax":
        pytest.skip("JAX would compile every shape that is drawn")
    return backend


def called(layer, x):
    return layer(x, *pn.setup(0, layer))[0]


@few
@hypothesis.given(
    shape=drawn.lists(drawn.integers(1, 4), min_size=1, max_size=4), data=drawn.data()
)
def test_sequences_are_turned_around(library, shape, data):
    x = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    axis = data.draw(drawn.integers(-len(shape), len(shape) - 1))
    y = called(pn.ReverseSequence(axis), library.asarray(x))
    assert np.array_equal(library.to_numpy(y), np.flip(x, axis))
    y = called(pn.ReverseSequence(), library.asarray(x))
    assert np.array_equal(library.to_numpy(y), np.flip(x, min(1, len(shape) - 1)))


@few
@hypothesis.given(
    n=drawn.integers(0, 3),
    steps=drawn.integers(1, 4),
    inner=drawn.integers(1, 2),
    data=drawn.data(),
)
def test_each_is_turned_around_within_its_length(library, n, steps, inner, data):
    lengths = data.draw(drawn.lists(drawn.integers(0, steps), min_size=n, max_size=n))
    last = data.draw(drawn.booleans())
    x = np.random.default_rng(0).normal(size=(n, inner, steps) if last else (n, steps, inner))
    wanted = x.copy()
    for i, length in enumerate(lengths):
        rows, target = (x[i].T, wanted[i].T) if last else (x[i], wanted[i])
        for t in range(length):
            target[t] = rows[length - 1 - t]
    pair = library.asarray(x), library.asarray(np.asarray(lengths, np.int32))
    y = called(pn.ReverseSequence(2 if last else None), pair)
    assert np.array_equal(library.to_numpy(y), wanted)


@pytest.mark.parametrize(
    ("axis", "x", "kind", "text"),
    [
        (2, np.ones((2, 3)), ShapeError, "-x.ndim <= axis < x.ndim: axis 2, x.ndim 2"),
        (None, np.ones(()), ShapeError, "-x.ndim <= axis < x.ndim: axis -1, x.ndim 0"),
        (0, (np.ones((2, 3)), np.ones(2, int)), ShapeError, "axis >= 1 where there are lengths: 0"),
        (1, (np.ones((2, 3)), np.ones(3, int)), ShapeError, "lengths.shape == (x.shape[0],): (3,)"),
        (1, (np.ones((2, 3)), np.ones(2)), DTypeError, "lengths.dtype is an integer: float64"),
    ],
)
def test_what_cannot_be_turned_around_is_refused(axis, x, kind, text):
    with pytest.raises(kind) as caught:
        called(pn.ReverseSequence(axis), x)
    assert str(caught.value).startswith(text)


@few
@hypothesis.given(
    features=drawn.integers(1, 4),
    dtype=drawn.sampled_from(["float32", "float64"]),
    data=drawn.data(),
)
def test_periodic_coordinates_become_sines_and_cosines(library, features, dtype, data):
    indices = data.draw(drawn.lists(drawn.integers(0, features - 1), min_size=1, unique=True))
    periods = [1.0 + i for i in range(len(indices))]
    x = np.random.default_rng(1).normal(size=(2, 3, features)).astype(dtype)
    y = library.to_numpy(called(pn.PeriodicEmbedding(indices, periods), library.asarray(x)))
    assert y.dtype == dtype
    for place in np.ndindex(2, 3):
        angles = [
            2 * math.pi * float(x[place][i]) / p for i, p in zip(indices, periods, strict=True)
        ]
        others = [float(x[place][i]) for i in range(features) if i not in indices]
        wanted = [*others, *map(math.sin, angles), *map(math.cos, angles)]
        np.testing.assert_allclose(y[place], wanted, atol=1e-5 if dtype == "float32" else 1e-13)
    shifted = x.copy()
    shifted[..., indices[0]] += 7 * periods[0]
    again = called(pn.PeriodicEmbedding(indices, periods), library.asarray(shifted))
    np.testing.assert_allclose(library.to_numpy(again), y, atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((-1, 1.0), "PeriodicEmbedding: indices[0] >= 0: got -1"),
        (((0, 0), (1.0, 2.0)), "PeriodicEmbedding: indices differ: got (0, 0)"),
        (((0, 1), 1.0), "PeriodicEmbedding: len(periods) == len(indices) == 2: got 1.0"),
        ((0, 0.0), "PeriodicEmbedding: periods > 0: got 0.0"),
        ((0, math.nan), "PeriodicEmbedding: periods > 0: got nan"),
        ((0, "1"), "PeriodicEmbedding: periods > 0: got '1'"),
    ],
)
def test_coordinates_that_cannot_be_periodic_are_refused(arguments, text):
    with pytest.raises(HyperparameterError) as caught:
        pn.PeriodicEmbedding(*arguments)
    assert str(caught.value) == text


def test_a_coordinate_that_is_not_there_is_refused():
    with pytest.raises(ShapeError, match=r"^max\(indices\) < x\.shape\[-1\]: 2 >= 2$"):
        called(pn.PeriodicEmbedding(2, 1.0), np.ones((1, 2)))
    assert pn.output_shape(pn.PeriodicEmbedding((0, 1), (1.0, 2.0)), (5, 3)) == (5, 5)


def test_a_layer_runs_in_the_other_precision_and_its_parameters_keep_theirs(backend):
    seen = []

    def look(x):
        seen.append(backend.adapter.dtype_name(x.dtype))
        return x

    inner = pn.Chain(pn.Dense(3, 4, pn.tanh), look, pn.BatchNorm(4))
    model = pn.Chain(pn.AlternatePrecision(inner, "float64"), pn.Dense(4, 1))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    ps, st = pn.setup(0, model)
    wanted, new = inner(
        x.astype(np.float64),
        *pn.astype((ps["layer_1"]["layer"], st["layer_1"]["layer"]), "float64"),
    )
    x, ps, st = pn.device(backend.place)((x, ps, st))
    y, after = model.layer_1(x, ps["layer_1"], st["layer_1"])
    assert set(seen) == {"float64"}
    assert backend.adapter.dtype_name(y.dtype) == "float32"
    np.testing.assert_array_equal(backend.to_numpy(y), wanted.astype(np.float32))
    mean = after["layer"]["layer_3"]["running_mean"]
    assert mean.dtype == x.dtype
    np.testing.assert_allclose(backend.to_numpy(mean), new["layer_3"]["running_mean"], rtol=1e-6)
    gradient = pn.grad(lambda ps: pn.array_namespace(x).sum(model(x, ps, st)[0]))(ps)
    assert all(g.dtype == x.dtype for g in trees.leaves(gradient))


def test_a_precision_that_does_not_fit_is_refused():
    with pytest.raises(
        HyperparameterError, match=r"^AlternatePrecision: dtype is one of 'float16'"
    ):
        pn.AlternatePrecision(pn.NoOp(), "int8")
    with pytest.raises(DTypeError, match=r"^x has a floating array"):
        called(pn.AlternatePrecision(pn.NoOp(), "float16"), np.ones(3, int))


def test_statistics_keep_their_precision_in_another(backend):
    if backend.name == "array_api_strict":
        pytest.skip("it has no float16")
    model = pn.AlternatePrecision(pn.BatchNorm(2), "float16")
    ps, st = pn.setup(0, model, device=backend.place)
    mean, variance = (np.asarray(x, np.float32) for x in ([1234.567, 0.0], [1e5, 1e-9]))
    own = {"running_mean": backend.asarray(mean), "running_var": backend.asarray(variance)}
    st = {"layer": {**st["layer"], **own}}
    x = np.asarray([[1300.0, 1e-3], [1200.0, 3e-3]], np.float32)
    _, after = model(backend.asarray(x), ps, pn.test_mode(st))
    assert after["layer"]["running_mean"] is own["running_mean"]
    assert after["layer"]["running_var"] is own["running_var"]
    y, after = model(backend.asarray(x), ps, st)
    assert y.dtype == own["running_mean"].dtype
    wide = x.astype(np.float16).astype(float)
    for name, before, new in (
        ("running_mean", mean, wide.mean(0)),
        ("running_var", variance, wide.var(0, ddof=1)),
    ):
        got = backend.to_numpy(after["layer"][name])
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, 0.9 * before + 0.1 * new, rtol=1e-5)
