"""Holding layers over images, channels last, against those of torch, channels first."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import trees

hypothesis = pytest.importorskip("hypothesis")
few = hypothesis.settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
TOLERANCES = {"float32": 2e-4, "float64": 1e-11}


def draw(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def first(x):
    """Channels first, as torch has them."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def last(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


def kernel_first(w):
    return np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1)))


def check(backend, layer, x, oracle, jitted=False):
    """The output and all gradients of a layer are those of ``oracle(x[, weight[, bias]])``."""
    torch = pytest.importorskip("torch")
    dtype = str(x.dtype)
    ps, states = pn.setup(1, layer, dtype=dtype)
    leaves = [torch.tensor(first(x), requires_grad=True)]
    for name, value in sorted(ps.items(), reverse=True):  # the weight before the bias
        moved = kernel_first(value) if name == "weight" else value
        leaves.append(torch.tensor(moved, requires_grad=True))
    expected = oracle(*leaves)
    u = draw(*last(expected).shape, seed=9, dtype=dtype)
    slopes = torch.autograd.grad((expected * torch.tensor(first(u))).sum(), leaves)

    def run(x, ps, u):
        xp = pn.array_namespace(x)
        y = layer(x, ps, states)[0]
        return y, pn.gradient(lambda x, ps: xp.sum(layer(x, ps, states)[0] * u), x, ps)

    place = backend.asarray
    y, (dx, dps) = (pn.jit(run) if jitted else run)(place(x), trees.map_leaves(place, ps), place(u))
    assert backend.to_numpy(y).dtype == dtype
    near(backend, y, last(expected), dtype)
    near(backend, dx, last(slopes[0]), dtype)
    for name, slope in zip(sorted(ps, reverse=True), slopes[1:], strict=True):
        wanted = slope.numpy()
        if name == "weight":
            wanted = np.moveaxis(wanted, (0, 1), (-1, -2))
        near(backend, dps[name], wanted, dtype)


def near(backend, actual, expected, dtype="float64"):
    tolerance = TOLERANCES[dtype]
    scale = max(1.0, np.max(np.abs(expected), initial=0.0))
    np.testing.assert_allclose(
        backend.to_numpy(actual), expected, rtol=tolerance, atol=tolerance * scale
    )
