"""Writes into an array that a pullback still needs: found and named, when one asks for it."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import TracedValueError

X = np.asarray([0.4, -1.1, np.nan])


@pytest.fixture
def x(backend):
    if backend.name in ("torch", "jax"):
        pytest.skip("torch counts the writes itself, JAX has none")
    return backend.asarray(X)


def test_a_captured_array(backend, x):
    buffer = backend.asarray(np.ones(3))
    with pn.detect_mutation():
        _, pullback = pn.vjp(lambda x: x * buffer, x)
    assert backend.to_numpy(pullback(x)[0]).shape == (3,)
    buffer[0] = 2.0
    with pytest.raises(TracedValueError, match="was written into after multiply had used it"):
        pullback(x)


def test_the_input_and_the_output(backend, x):
    for which in (0, 1):
        with pn.detect_mutation():
            primal = backend.asarray(X.copy())
            value, pullback = pn.vjp(backend.xp.exp, primal)
        (primal, value)[which][0] = 9.0
        with pytest.raises(TracedValueError, match=r"shape \(3,\).*after exp had used it"):
            pullback(x)


def test_a_buffer_used_again_inside_the_function(backend, x):
    def function(x):
        buffer = backend.asarray(np.ones(3))
        y = x * buffer
        buffer[1] = 3.0
        return backend.xp.sum(y * buffer)

    assert backend.to_numpy(pn.grad(function)(x)).shape == (3,)
    with pn.detect_mutation(), pytest.raises(TracedValueError, match="after multiply"):
        pn.grad(function)(x)
    with pn.detect_mutation(), pytest.raises(TracedValueError, match="after multiply"):
        pn.hvp(function, x, x)


def test_right_derivatives_pass(backend, x):
    xp = backend.xp

    def function(x):
        y = xp.concat([x[:2], xp.where(x > 0, x * x, x)])
        return xp.sum(xp.tanh(y) ** 2)

    expected = pn.grad(function)(x), pn.hvp(function, x, x)
    with pn.detect_mutation():
        found = pn.grad(function)(x), pn.hvp(function, x, x)
    for actual, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(actual), backend.to_numpy(wanted))


def test_torch_finds_them_always():
    torch = pytest.importorskip("torch")
    buffer = torch.ones(3)
    _, pullback = pn.vjp(lambda x: x * buffer, torch.ones(3))
    buffer[0] = 2.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        pullback(torch.ones(3))
