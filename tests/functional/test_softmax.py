"""The softmax family against SciPy, torch and its own definition at the extremes."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet import autodiff, functional

X = np.random.default_rng(1).normal(size=(3, 4, 5)) * 3


def _put(backend, x, dtype="float64"):
    return backend.asarray(np.asarray(x, dtype=dtype))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_those_of_scipy(backend, name, axis, dtype):
    special = pytest.importorskip("scipy.special")
    x = X.astype(dtype)
    y = getattr(functional, name)(_put(backend, x, dtype), axis)
    assert y.dtype == backend.dtype(dtype)
    expected = getattr(special, name)(x.astype(np.float64), axis=axis)
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("axis", [None, 1, -1, (0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_is_that_of_scipy(backend, axis, keepdims):
    special = pytest.importorskip("scipy.special")
    y = functional.logsumexp(_put(backend, X), axis=axis, keepdims=keepdims)
    expected = special.logsumexp(X, axis=axis, keepdims=keepdims)
    assert tuple(y.shape) == np.shape(expected)
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("softmax", {"axis": 1}),
        ("log_softmax", {"axis": 0}),
        ("logsumexp", {"axis": 1}),
        ("logsumexp", {"axis": (0, 2)}),
        ("logsumexp", {"axis": -1, "keepdims": True}),
        ("logsumexp", {}),
    ],
)
def test_first_and_second_derivatives_are_those_of_torch(backend, name, options):
    torch = pytest.importorskip("torch")
    axis = options.get("axis", (0, 1, 2))
    oracles = {
        "softmax": lambda t: torch.softmax(t, axis),
        "log_softmax": lambda t: torch.log_softmax(t, axis),
        "logsumexp": lambda t: torch.logsumexp(t, axis, options.get("keepdims", False)),
    }
    t = torch.tensor(X, requires_grad=True)
    y = oracles[name](t)
    weights = np.cos(np.arange(y.numel(), dtype=np.float64)).reshape(y.shape)
    (first,) = torch.autograd.grad((y * torch.tensor(weights)).sum(), t, create_graph=True)
    (second,) = torch.autograd.grad((first * torch.sin(t.detach())).sum(), t)

    xp, x, w = backend.xp, _put(backend, X), _put(backend, weights)
    gradient = autodiff.grad(lambda x: xp.sum(w * getattr(functional, name)(x, **options)))
    direction = _put(backend, np.sin(X))
    actual = gradient(x)
    np.testing.assert_allclose(backend.to_numpy(actual), first.detach(), rtol=1e-12, atol=1e-13)
    actual = autodiff.grad(lambda x: xp.sum(direction * gradient(x)))(x)
    np.testing.assert_allclose(backend.to_numpy(actual), second, rtol=1e-11, atol=1e-13)
    _, tangent = autodiff.jvp(lambda x: getattr(functional, name)(x, **options), (x,), (direction,))
    np.testing.assert_allclose(
        float(np.sum(backend.to_numpy(tangent) * weights)),
        float((first.detach() * torch.sin(t.detach())).sum()),
        rtol=1e-11,
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nothing_overflows_at_the_extremes(backend, dtype):
    if backend.name == "array_api_strict" and dtype == "float16":
        pytest.skip("the standard has no float16")
    xp = backend.xp
    x = _put(backend, [[1e4, -1e4, 1e4], [-1e4, -1e4, 1e4]], dtype)
    cases = {
        "softmax": ([[0.5, 0, 0.5], [0, 0, 1]], [[0.25, 0.0, -0.25], [0, 0, 0]]),
        "log_softmax": (
            [[-math.log(2), -2e4, -math.log(2)], [-2e4, -2e4, 0]],
            [[0.5, 0, -0.5], [1, 0, -1]],
        ),
    }
    w = _put(backend, [[1, 0, 0], [1, 0, 0]], dtype)
    for name, (values, slopes) in cases.items():
        function = getattr(functional, name)
        np.testing.assert_allclose(backend.to_numpy(function(x)), values, rtol=1e-3)
        actual = autodiff.grad(lambda x, function=function: xp.sum(w * function(x)))(x)
        np.testing.assert_allclose(backend.to_numpy(actual), slopes, rtol=1e-3)
    y = functional.logsumexp(x, axis=1)
    np.testing.assert_allclose(backend.to_numpy(y), [1e4 + math.log(2), 1e4], rtol=1e-3)


def test_masked_entries_count_as_zero(backend):
    xp = backend.xp
    x = _put(backend, [[0.0, -math.inf, math.log(3)], [-math.inf] * 3])
    y = functional.softmax(x[0, :])
    np.testing.assert_allclose(backend.to_numpy(y), [0.25, 0.0, 0.75], rtol=1e-15)
    y = functional.logsumexp(x, axis=1)
    np.testing.assert_allclose(backend.to_numpy(y), [math.log(4), -math.inf], rtol=1e-15)
    gradient = autodiff.grad(lambda x: xp.sum(functional.logsumexp(x, axis=1)[:1]))(x)
    expected = [[0.25, 0.0, 0.75], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(backend.to_numpy(gradient), expected, rtol=1e-15)


def test_an_empty_batch_is_kept(backend):
    x = _put(backend, np.zeros((0, 3)))
    assert functional.softmax(x).shape == (0, 3)
    assert functional.log_softmax(x).shape == (0, 3)
    assert functional.logsumexp(x, axis=1).shape == (0,)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), [((2, 0), -1), ((0, 3), 0), ((0, 3), 1)])
def test_of_nothing_there_is_nothing(backend, name, shape, axis):
    x, function = backend.asarray(np.ones(shape)), getattr(pn, name)
    for y in (function(x, axis=axis), pn.jit(lambda x: function(x, axis=axis))(x)):
        assert y.shape == shape
        assert y.dtype == x.dtype
    gradient = pn.grad(lambda x: backend.xp.sum(function(x, axis=axis)))(x)
    assert gradient.shape == shape
