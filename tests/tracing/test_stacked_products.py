"""Products of few rows with the same matrix, and sums that are negated."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

RNG = np.random.default_rng(0)
W, V = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 4))
X, Y = RNG.normal(size=(2, 5))
ROWS, MANY, LARGE = RNG.normal(size=(3, 5)), RNG.normal(size=(200, 5)), np.ones((5, 300))


def products(function, *args):
    """Return how many products a recorded function computes."""
    return pn.jit(function).source(*args).count("dot(")


FUNCTIONS = {
    "vectors": (lambda x, y: (x @ W, y @ W * 2.0), (X, Y), 1),
    "vector and rows": (lambda x, y: (x @ W, np.exp(y) @ W), (X, ROWS), 1),
    "rows": (lambda x, y: (x[None] @ W, y @ W), (X, ROWS), 1),
    "three": (lambda x, y: (x @ W, y @ W, (x + y) @ W), (X, Y), 1),
    "matrix of the caller": (lambda x, y, w: (x @ w, y @ w), (X, Y, W), 1),
    "turned over": (lambda x, y, w: (x @ w.T, np.sin(y) @ w.T), (X, Y, W.T.copy()), 1),
    "columns of a view": (lambda x, y: (x @ W[:, 1:], y @ W[:, 1:]), (X, Y), 1),
    "one from the other": (lambda x: (x @ V, np.tanh(x @ V) @ V), (X[:4],), 2),
    "others between": (lambda x, y: np.tanh(x @ W) @ V + np.tanh(y @ W) @ V, (X, Y), 2),
    "crossed": (
        lambda x, y: (np.sin(x @ W) @ V, np.cos(y @ V) @ V, y @ V.T, (y @ V)[1:] @ W[:3]),
        (X, X[:4]),
        5,
    ),
    "other matrices": (lambda x, y: (x @ W, y @ (W + 1.0)), (X, Y), 2),
    "many rows": (lambda x, y: ((x + 1.0) @ W, (y + 1.0) @ W), (MANY, MANY[::-1]), 1),
    "many rows of the caller": (lambda x, y: (x @ W, y @ W), (MANY, MANY), 2),
    "many rows and a large matrix": (
        lambda x, y: ((x + 1.0) @ LARGE, (y + 1.0) @ LARGE),
        (MANY[:9], MANY[:9]),
        2,
    ),
    "integers": (lambda x, y: (x @ x[:, None], y @ x[:, None]), (np.arange(5), np.arange(5)), 2),
}


@pytest.mark.parametrize(("function", "args", "count"), FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_with_one_matrix_are_one_product(function, args, count, dtype):
    if args[0].dtype.kind == "f" and dtype == np.float32:
        args = tuple(x.astype(dtype) for x in args)
    recorded = pn.jit(function)
    for shift in (0, 1, 0):
        shifted = tuple(x + shift for x in args)
        found, expected = recorded(*shifted), function(*shifted)
        for y, z in zip(*map(pn.trees.leaves, (found, expected)), strict=True):
            assert (y.shape, y.dtype) == (z.shape, z.dtype)
            np.testing.assert_allclose(y, z, rtol=1e-5, atol=1e-5)
    if args[0].dtype == np.float64 or args[0].dtype.kind == "i":
        assert products(function, *args) == count


def test_results_are_the_callers():
    recorded = pn.jit(lambda x, y: (x @ W, y @ W))
    first, second = recorded(X, Y)
    first[...] = 0.0
    kept = second.copy()
    np.testing.assert_allclose(recorded(Y, X), (Y @ W, X @ W))
    np.testing.assert_array_equal(second, kept)


def test_a_product_with_a_hessian_has_half_of_the_products():
    def energy(x):
        return np.sum(np.tanh(np.tanh(x @ W) @ V) ** 2)

    found = pn.jit(lambda x, v: pn.hvp(energy, x, v))
    assert found.source(X, Y).count("dot(") == 4  # two there, one back, and one of the last
    step = 1e-5
    ahead, back = (pn.grad(energy)(X + sign * step * Y) for sign in (1, -1))
    np.testing.assert_allclose(found(X, Y), (ahead - back) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "complex64"])
def test_a_negated_double_is_the_same_to_the_last_bit(dtype):
    extreme = [np.iinfo(dtype).min] if dtype.startswith("int") else [1e-45, 3e38, np.inf]
    x = np.asarray([0.0, -0.0, 1.5, -3.0, *extreme], dtype)

    def function(x):
        return -(x + x), x + x

    recorded = pn.jit(function)
    with np.errstate(all="ignore"):
        for found, expected in zip(recorded(x), function(x), strict=True):
            assert found.dtype == expected.dtype
            assert found.tobytes() == expected.tobytes()
    assert ("negative" in recorded.source(x)) == (not dtype.startswith("float"))
