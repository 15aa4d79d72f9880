"""Sums, means and norms of narrow numbers: as accurate as float64 rounded once, or nearly."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

XP = pn.array_namespace(np.ones(1))
SHAPES = [(3000,), (700, 5), (5, 700), (40, 20, 60), (3, 1000, 7), (300, 2, 300), (1000, 1, 3)]
VIEWS = {
    "as it is": lambda x: x,
    "turned": lambda x: x.T,
    "backwards": lambda x: x[..., ::-1],
    "strided": lambda x: x[::2, ...],
    "repeated": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "a column": lambda x: x[..., :1],
}
ERRORS = {"float16": 6e-4, "float32": 2e-6, "complex64": 2e-6, "float64": 1e-12}


def _norm(xp):
    return xp.linalg.vector_norm


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ERRORS)
def test_reductions_of_every_layout_on_numpy(dtype, view):
    rng = np.random.default_rng(0)
    wide = "complex128" if dtype == "complex64" else "float64"
    for shape in SHAPES:
        x = (rng.uniform(0.1, 0.2, size=shape) * (1j if dtype == "complex64" else 1)).astype(dtype)
        x = VIEWS[view](x)
        axes = [None, 0, -1, tuple(range(x.ndim - 1)), tuple(range(1, x.ndim)), (0, -1)]
        for axis in axes if x.ndim > 1 else (None, 0):
            for name in ("sum", "mean", "var", "std", "norm"):
                keep = {"axis": axis, "keepdims": x.ndim == 2}
                ours, theirs = (_norm(m) if name == "norm" else getattr(m, name) for m in (XP, np))
                got, want = ours(x, **keep), theirs(x.astype(wide), **keep)
                real = name not in ("sum", "mean") and dtype == "complex64"
                assert got.dtype == ("float32" if real else dtype)
                tiny = 2e-4 if dtype == "float16" else 1e-7
                np.testing.assert_allclose(got, want, rtol=ERRORS[dtype], atol=tiny)


@pytest.mark.parametrize("recorded", [False, True])
def test_a_megapixel_does_not_stall(recorded):
    x = np.full((1, 1024, 1024, 2), 0.1, np.float32)
    for function in (
        lambda x: XP.mean(x, axis=(1, 2)),
        lambda x: XP.sum(x * 1.0, axis=(1, 2)) / 2**20,
        lambda x: pn.GlobalMeanPool()(x, {}, {})[0],
        lambda x: pn.grad(lambda b: XP.sum(x * b))(np.ones(2, np.float32)) / 2**20,
    ):
        run = pn.jit(function) if recorded else function
        for _ in range(2):
            np.testing.assert_allclose(np.ravel(run(x)), [0.1, 0.1], rtol=5e-6)


def test_a_recorded_sum_is_the_plain_one():
    for dtype in ("float16", "float32", "complex64"):
        x = np.random.default_rng(1).normal(size=(3, 700, 5)).astype(dtype)
        for function in (
            lambda x: XP.sum(x, axis=1),
            lambda x: XP.mean(x * x, axis=(0, 1), keepdims=True),
            lambda x: XP.sum(x, axis=(0, 1)) + 1,
            lambda x: XP.sum(x[0, ...], axis=0, dtype=x.dtype),
        ):
            recorded = pn.jit(function)
            for _ in range(2):
                got = recorded(x)
                assert got.dtype == dtype
                np.testing.assert_array_equal(got, function(x))


def test_the_gradient_of_a_half_bias_counts_all_rows(backend):
    if backend.name == "array_api_strict":
        pytest.skip("it has no float16")
    x = backend.xp.astype(backend.asarray(np.ones((4096, 3), np.float32)), backend.dtype("float16"))
    bias = x[0, :] * 0
    gradient = pn.grad(lambda b: backend.xp.sum(x + b))
    for run in (gradient, pn.jit(gradient)):
        assert backend.to_numpy(run(bias)).tolist() == [4096.0] * 3


@pytest.mark.parametrize("wrap", [lambda f: f, pn.jit], ids=["eager", "recorded"])
def test_means_of_more_float16_than_it_can_count_have_a_derivative(wrap):
    x = np.ones((100_000, 2), np.float16)
    g = wrap(pn.grad(lambda x: XP.sum(XP.mean(x, axis=0)) * 64))(x)
    assert g.dtype == np.float16
    np.testing.assert_allclose(g, 64e-5, rtol=2e-3)
