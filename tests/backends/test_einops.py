"""einops and opt_einsum on traced arrays, as their users call them."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

einops = pytest.importorskip("einops")
opt_einsum = pytest.importorskip("opt_einsum")

X = np.random.default_rng(0).normal(size=(2, 3, 4))
W = np.random.default_rng(1).normal(size=(4, 5))
V = np.cos(np.arange(24.0)).reshape(X.shape)


def packed(x):
    return einops.pack([x, x[:, :2]], "a * c")


CALLS = {
    "rearrange": lambda x: einops.rearrange(x, "a b c -> (a c) b"),
    "rearrange, split": lambda x: einops.rearrange(x, "a b (c d) -> d a b c", d=2),
    "rearrange, a list": lambda x: einops.rearrange([x, x * x], "n a b c -> a n b c"),
    "rearrange, a plain array first": lambda x: einops.rearrange([X, x], "n a b c -> n a b c"),
    "reduce, sum": lambda x: einops.reduce(x, "a b c -> ", "sum"),
    "reduce, mean": lambda x: einops.reduce(x**2, "a b c -> a c", "mean"),
    "reduce, max": lambda x: einops.reduce(x, "a (b) (c d) -> a d", "max", d=2),
    "reduce, prod": lambda x: einops.reduce(x, "a b c -> a", "prod"),
    "reduce, any": lambda x: x * einops.reduce(x > 0.5, "a b c -> a b 1", "any"),
    "repeat": lambda x: einops.repeat(x, "a b c -> a (b r) c n", r=2, n=3),
    "einsum": lambda x: einops.einsum(x, W, x, "a b c, c d, a b e -> d e"),
    "einsum, a plain array first": lambda x: einops.einsum(W, x, "c d, a b c -> a b d"),
    "pack": lambda x: packed(x)[0],
    "unpack": lambda x: einops.unpack(packed(x**2)[0], [(3,), (2,)], "a * c")[1],
    "parse_shape": lambda x: x**2 * einops.parse_shape(x, "a _ c")["c"],
    "contract": lambda x: opt_einsum.contract("abc,cd,abc->ad", x, W, x),
    "contract, optimal": lambda x: opt_einsum.contract(
        "abc,abd,cd->", x, x, np.eye(4), optimize="optimal"
    ),
    "an expression": lambda x: opt_einsum.contract_expression("abc,cd->abd", X.shape, W.shape)(
        x, W
    ),
    "an expression with a constant": lambda x: opt_einsum.contract_expression(
        "abc,cd->abd", X.shape, W, constants=[1]
    )(x),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_derivatives(name):
    f = CALLS[name]
    expected = f(X)
    (slope,) = pn.testing.slope(lambda t: [f(X + t * V)])
    g = np.sin(np.arange(expected.size)).reshape(expected.shape)
    value, pull = pn.vjp(f, X)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(np.sum(pull(g)[0] * V), np.sum(g * slope), rtol=1e-9)
    np.testing.assert_allclose(pn.jvp(f, (X,), (V,))[1], slope, rtol=1e-9, atol=1e-11)
    half = X.astype(np.float32)
    assert pn.vjp(f, half)[0].dtype == f(half).dtype


@pytest.mark.parametrize("name", CALLS)
def test_recorded_and_batched(name):
    f = CALLS[name]
    replay, batch = pn.jit(f), np.stack([X, 2 * X])
    for x in (*batch, X):
        np.testing.assert_allclose(replay(x), f(x), rtol=1e-13)
    expected = np.stack([f(x) for x in batch])
    np.testing.assert_allclose(pn.vmap(f)(batch), expected, rtol=1e-13)


def test_traced_arrays_of_other_libraries(backend):
    """Of the tape's libraries; torch and JAX have arrays that einops knows itself."""
    pn.array_namespace(X)  # it looks at what was imported
    x = backend.asarray(X)

    def loss(x):
        y = einops.rearrange(x, "a b c -> (a b) c")
        z = einops.repeat(einops.reduce(y, "n c -> c", "mean"), "c -> c r", r=2)
        return backend.xp.sum(z * z)

    expected = np.broadcast_to(X.mean((0, 1)) * 4 / 6, X.shape)
    pn.testing.assert_close(pn.grad(loss)(x), expected, rtol=1e-12)


def test_einops_own_errors_pass_through():
    with pytest.raises(einops.EinopsError, match="can't divide axis of length 4"):
        pn.grad(lambda x: einops.rearrange(x, "a b (c d) -> a b c d", d=3).sum())(X)
