"""Layers, losses and reductions on drawn shapes and dtypes, against formulas of NumPy."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from contract.probes import EPSILON, check_close, check_home, place

import portanet as pn
from portanet import trees

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

few = hypothesis.settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
sizes = st.integers(1, 5)
batches = st.lists(st.integers(0, 4), max_size=3).map(tuple)
seeds = st.integers(0, 2**16)
dtypes = st.sampled_from(["float32", "float64"])


@pytest.fixture
def library(backend):
    if backend.name == "jax":
        pytest.skip("JAX would compile every shape that is drawn")
    return backend


def _normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def _check(library, actual, expected, dtype):
    check_home(library, actual, dtype)
    check_close(actual, expected, rtol=256 * EPSILON[dtype], atol=256 * EPSILON[dtype])


def _check_layer(library, layer, x, formula, dtype, seed):
    """The layer gives what the formula makes of its parameters."""
    ps, states = pn.setup(seed, layer)
    rng = np.random.default_rng(seed)
    ps = trees.map_leaves(lambda p: rng.normal(size=p.shape), ps)
    expected = formula(x, ps)
    x, ps, states = place(library, (x, ps, states), dtype)
    _check(library, layer(x, ps, states)[0], expected, dtype)


def _dense(x, ps):
    return np.einsum("...i,oi->...o", x, ps["weight"]) + ps["bias"]


@few
@hypothesis.given(batch=batches, n=sizes, m=sizes, dtype=dtypes, seed=seeds)
def test_dense(library, batch, n, m, dtype, seed):
    _check_layer(library, pn.Dense(n, m), _normal(seed, *batch, n), _dense, dtype, seed)


@few
@hypothesis.given(batch=batches, n=sizes, m=sizes, k=sizes, dtype=dtypes, seed=seeds)
def test_bilinear(library, batch, n, m, k, dtype, seed):
    def formula(x, ps):
        return np.einsum("...i,oij,...j->...o", x[0], ps["weight"], x[1]) + ps["bias"]

    x = _normal(seed, *batch, n), _normal(seed + 1, *batch, m)
    _check_layer(library, pn.Bilinear((n, m), k), x, formula, dtype, seed)


@few
@hypothesis.given(batch=batches, shape=st.lists(sizes, min_size=1, max_size=2), dtype=dtypes)
def test_scale(library, batch, shape, dtype):
    def formula(x, ps):
        return x * ps["weight"] + ps["bias"]

    _check_layer(library, pn.Scale(shape), _normal(1, *batch, *shape), formula, dtype, 2)


@few
@hypothesis.given(
    batch=batches, n=sizes, m=sizes, dtype=dtypes, whole=st.sampled_from(["int32", "int64"])
)
def test_embedding(library, batch, n, m, dtype, whole):
    x = np.random.default_rng(0).integers(0, n, size=batch).astype(whole)
    _check_layer(library, pn.Embedding(n, m), x, lambda x, ps: ps["weight"][x], dtype, 3)


@few
@hypothesis.given(
    batch=batches, shape=st.lists(st.integers(2, 4), min_size=1, max_size=2), dtype=dtypes
)
def test_layer_norm(library, batch, shape, dtype):
    axes = tuple(range(-len(shape), 0))

    def formula(x, ps):
        deviation = np.sqrt(x.var(axis=axes, keepdims=True) + 0.1)
        return (x - x.mean(axis=axes, keepdims=True)) / deviation * ps["scale"] + ps["bias"]

    layer = pn.LayerNorm(tuple(shape), epsilon=0.1)
    _check_layer(library, layer, _normal(4, *batch, *shape), formula, dtype, 5)


@few
@hypothesis.given(n=st.integers(2, 6), inner=batches, m=sizes, dtype=dtypes)
def test_batch_norm(library, n, inner, m, dtype):
    inner = tuple(size or 1 for size in inner)
    x = _normal(6, n, *inner, m)
    axes = tuple(range(x.ndim - 1))

    def formula(x, ps):
        deviation = np.sqrt(x.var(axis=axes) + 0.1)
        return (x - x.mean(axis=axes)) / deviation * ps["scale"] + ps["bias"]

    layer = pn.BatchNorm(m, epsilon=0.1)
    _check_layer(library, layer, x, formula, dtype, 7)
    ps, states = place(library, pn.setup(0, layer), dtype)
    _, new = layer(place(library, x, dtype), ps, states)
    expected = 0.1 * x.mean(axis=axes), 0.9 + 0.1 * x.var(axis=axes, ddof=1)
    _check(library, (new["running_mean"], new["running_var"]), expected, dtype)


@few
@hypothesis.given(batch=batches, n=sizes, m=sizes, k=sizes, dtype=dtypes, seed=seeds)
def test_containers(library, batch, n, m, k, dtype, seed):
    model = pn.Chain(
        pn.Parallel(operator.mul, pn.Dense(n, m), pn.Dense(k, m)),
        pn.SkipConnection(
            pn.BranchLayer(pn.Dense(m, m), pn.tanh, fusion=operator.add), operator.sub
        ),
        head=pn.Maxout(pn.Dense(m, k), pn.Dense(m, k)),
    )

    def formula(x, ps):
        first, skip, head = ps.values()
        y = _dense(x[0], first["layer_1"]) * _dense(x[1], first["layer_2"])
        y = _dense(y, skip["layers"]["layer_1"]) + np.tanh(y) - y
        return np.maximum(_dense(y, head["layer_1"]), _dense(y, head["layer_2"]))

    x = _normal(seed, *batch, n), _normal(seed + 1, *batch, k)
    _check_layer(library, model, x, formula, dtype, seed)


FORMULAS = {
    "MSELoss": lambda p, t: (p - t) ** 2,
    "MAELoss": lambda p, t: np.abs(p - t),
    "HuberLoss": lambda p, t: np.where(np.abs(p - t) <= 1, (p - t) ** 2 / 2, np.abs(p - t) - 0.5),
}


@few
@hypothesis.given(
    name=st.sampled_from(sorted(FORMULAS)),
    shape=st.lists(st.integers(1, 4), max_size=3),
    reduction=st.sampled_from(["mean", "sum", "none"]),
    dtype=dtypes,
    seed=seeds,
)
def test_losses(library, name, shape, reduction, dtype, seed):
    pair = _normal(seed, *shape), _normal(seed + 1, *shape)
    values = FORMULAS[name](*pair)
    expected = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](values)
    loss = getattr(pn, name)(reduction=reduction)
    _check(library, loss(*place(library, pair, dtype)), expected, dtype)


@few
@hypothesis.given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), data=st.data(), dtype=dtypes
)
def test_reductions_along_an_axis(library, shape, data, dtype):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x, probabilities = _normal(8, *shape), _normal(9, *shape) ** 2
    e = np.exp(x)
    total = e.sum(axis=axis, keepdims=True)
    scores, target = place(library, (x, probabilities), dtype)
    functional = pn.functional
    loss = pn.CrossEntropyLoss(logits=True, axis=axis, reduction="none")
    actual = (
        functional.softmax(scores, axis=axis),
        functional.log_softmax(scores, axis=axis),
        functional.logsumexp(scores, axis=axis),
        functional.logsumexp(scores, axis=axis, keepdims=True),
        loss(scores, target),
    )
    expected = (
        e / total,
        x - np.log(total),
        np.log(total).squeeze(axis),
        np.log(total),
        -np.sum(probabilities * (x - np.log(total)), axis=axis),
    )
    _check(library, actual, expected, dtype)
