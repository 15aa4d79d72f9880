"""Arrays of the other order of bytes, as files have them, count as any others: in every mode."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import trees

DTYPES = ["float16", "float32", "float64"]


def _turned(tree):
    """Return a tree with the same numbers in the other order of bytes."""
    return trees.map_leaves(
        lambda x: x.astype(x.dtype.newbyteorder()) if isinstance(x, np.ndarray) else x, tree
    )


def _close(actual, expected):
    for a, e in zip(trees.leaves(actual), trees.leaves(expected), strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert a.dtype.newbyteorder("=") == e.dtype
        tolerance = 4 * np.finfo(e.dtype).eps
        np.testing.assert_allclose(
            a.astype(np.float64), e.astype(np.float64), rtol=tolerance, atol=tolerance
        )


def _square(x):
    return pn.array_namespace(x).sum(x * x)


def _scanned(x):
    return pn.scan(lambda carry, row: (carry + row, carry * row), x[0, :], x)


FUNCTIONS = {
    "tanh": pn.tanh,
    "gelu": pn.gelu,
    "softmax": pn.softmax,
    "layer_norm": pn.functional.layer_norm,
    "sums": lambda x: (pn.array_namespace(x).sum(x, axis=0), pn.array_namespace(x).mean(x)),
    "views": lambda x: (x.T, x[1:, :], x * 2 + 1),
    "grad": pn.grad(_square),
    "hvp": lambda x: pn.hvp(_square, x, x),
    "vjp": lambda x: pn.vjp(pn.tanh, x)[1](x),
    "jvp": lambda x: pn.jvp(pn.tanh, (x,), (x,)),
    "vmap": pn.vmap(pn.softmax),
    "scan": _scanned,
    "cond": lambda x: pn.cond(True, pn.tanh, pn.relu, x),
    "mean_squared_error": lambda x: pn.functional.mean_squared_error(x, pn.tanh(x)),
    "ravel": lambda x: pn.ravel({"a": x, "b": pn.tanh(x)})[0],
    "at": lambda x: pn.functional.at(x, 0).set(pn.tanh(x)[0, :]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", [lambda f: f, pn.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions(function, mode, dtype):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    called = mode(function)
    expected = called(x)
    for _ in range(2):
        _close(called(_turned(x)), expected)


@pytest.mark.parametrize("turned", ["data", "parameters", "both"])
@pytest.mark.parametrize("jit", [False, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_training(dtype, jit, turned):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    model = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.LayerNorm((4,)), pn.Dense(4, 2))
    ps, st = pn.setup(0, model, dtype=dtype)
    data = x, x[:, :2]

    def trained(ps, data):
        ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam(0.01, epsilon=1e-3))
        for _ in range(3):
            loss, _, ts = pn.training.train_step(pn.MSELoss(), data, ts, jit=jit)
        return loss, ts.parameters

    given = ps if turned == "data" else _turned(ps)
    _close(trained(given, data if turned == "parameters" else _turned(data)), trained(ps, data))


def test_labels_and_indices():
    x = np.random.default_rng(0).normal(size=(2, 3))
    labels = np.asarray([2, 0], np.int16)
    loss, layer = pn.CrossEntropyLoss(), pn.Embedding(5, 3)
    assert loss(_turned(x), _turned(labels)) == pytest.approx(float(loss(x, labels)))
    ps, st = pn.setup(0, layer)
    assert np.array_equal(layer(_turned(labels), ps, st)[0], layer(labels, ps, st)[0])


def test_long_sums_are_as_exact():
    x = np.full((2**18, 3), 1.1, np.float32)
    for mode in (lambda f: f, pn.jit):
        total = mode(lambda x: pn.array_namespace(x).sum(x, axis=0))(_turned(x))
        np.testing.assert_allclose(total, x.astype(np.float64).sum(axis=0), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_the_way_to_a_device(backend, dtype):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    moved = pn.device(backend.place)(_turned(x))
    assert pn.backends.dtype_name(moved) == dtype
    assert np.array_equal(np.asarray(backend.to_numpy(moved)), x)
    assert pn.astype(_turned(x), "float32").dtype.isnative


def test_another_dtype_is_still_refused():
    ps, st = pn.setup(0, pn.Dense(3, 2))
    with pytest.raises(pn.errors.DTypeError, match=r"^x\.dtype == weight\.dtype: float64 != "):
        pn.Dense(3, 2)(_turned(np.ones((2, 3))), ps, st)
