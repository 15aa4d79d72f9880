"""Each rule against finite differences in float64, in both modes and to second order."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

A = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
B = np.asarray([[1.1, 0.6, -0.8], [-0.5, 1.7, 0.2]])
INDEX = np.asarray([2, 0, 2])

CASES = {
    "abs": lambda xp, x: xp.abs(x),
    "acos": lambda xp, x: xp.acos(x / 2),
    "acosh": lambda xp, x: xp.acosh(x * x + 1.5),
    "asin": lambda xp, x: xp.asin(x / 2),
    "asinh": lambda xp, x: xp.asinh(x),
    "atan": lambda xp, x: xp.atan(x),
    "atanh": lambda xp, x: xp.atanh(x / 2),
    "cos": lambda xp, x: xp.cos(x),
    "cosh": lambda xp, x: xp.cosh(x),
    "exp": lambda xp, x: xp.exp(x),
    "expm1": lambda xp, x: xp.expm1(x),
    "log": lambda xp, x: xp.log(x * x + 0.5),
    "log10": lambda xp, x: xp.log10(x * x + 0.5),
    "log1p": lambda xp, x: xp.log1p(x * x),
    "log2": lambda xp, x: xp.log2(x * x + 0.5),
    "negative": lambda xp, x: -x * x,
    "positive": lambda xp, x: +x * x,
    "reciprocal": lambda xp, x: xp.reciprocal(x),
    "sin": lambda xp, x: xp.sin(x),
    "sinh": lambda xp, x: xp.sinh(x),
    "sqrt": lambda xp, x: xp.sqrt(x * x + 0.1),
    "square": lambda xp, x: xp.square(x),
    "tan": lambda xp, x: xp.tan(x / 2),
    "tanh": lambda xp, x: xp.tanh(x),
    "add": lambda xp, x: (x + x[0, :]) * 1.5 + 2,
    "subtract": lambda xp, x: 1 - x * x - x[:, :1],
    "multiply": lambda xp, x: x * x[:, :1] * 3.0,
    "divide": lambda xp, x: x / (x[0, :] ** 2 + 1) + 1 / x,
    "pow": lambda xp, x: (x * x) ** 1.7 + x**3 + 2.0**x + (x * x + 0.1) ** x,
    "remainder": lambda xp, x: xp.remainder(x, 0.43) * x,
    "atan2": lambda xp, x: xp.atan2(x, x[:1, :] + 3),
    "hypot": lambda xp, x: xp.hypot(x, x * x),
    "logaddexp": lambda xp, x: xp.logaddexp(x, x * x),
    "copysign": lambda xp, x: xp.copysign(x * x, x),
    "maximum": lambda xp, x: xp.maximum(x, x * x - 0.5),
    "minimum": lambda xp, x: xp.minimum(x, x * x - 0.5),
    "clip": lambda xp, x: xp.clip(x * x, 0.2, 1.0),
    "where": lambda xp, x: xp.where(x > 0, x * x, xp.exp(x)),
    "sum": lambda xp, x: xp.sum(x * x, axis=0) * xp.sum(x, axis=1, keepdims=True),
    "mean": lambda xp, x: xp.mean(x * x, axis=1) * xp.mean(x),
    "prod": lambda xp, x: xp.prod(x, axis=0) + xp.prod(x),
    "max": lambda xp, x: xp.max(x * x, axis=1, keepdims=True) + xp.max(x),
    "min": lambda xp, x: xp.min(x * x, axis=0) + xp.min(x),
    "var": lambda xp, x: xp.var(x, axis=1, correction=1.0) * xp.var(x),
    "std": lambda xp, x: xp.std(x, axis=0) + xp.std(x),
    "cumulative_sum": lambda xp, x: xp.cumulative_sum(x * x, axis=1),
    "cumulative_sum from zero": lambda xp, x: xp.cumulative_sum(
        x * x, axis=0, include_initial=True
    ),
    "cumulative_prod": lambda xp, x: xp.cumulative_prod(x, axis=1),
    "diff": lambda xp, x: xp.diff(x * x, axis=1),
    "reshape": lambda xp, x: xp.reshape(x * x, (3, 2)),
    "permute_dims": lambda xp, x: xp.permute_dims(xp.reshape(x * x, (1, 2, 3)), (2, 0, 1)),
    "transpose": lambda xp, x: (x * x).T + x.mT,
    "expand_dims": lambda xp, x: xp.squeeze(xp.expand_dims(x * x, axis=1), axis=1),
    "flip": lambda xp, x: xp.flip(x, axis=1) * x,
    "roll": lambda xp, x: xp.roll(x, 1, axis=1) * x,
    "moveaxis": lambda xp, x: xp.moveaxis(x * x, 0, 1),
    "broadcast_to": lambda xp, x: xp.broadcast_to(x * x, (2, 2, 3)),
    "broadcast_arrays": lambda xp, x: xp.broadcast_arrays(x * x, x[:1, :])[1] * x,
    "meshgrid": lambda xp, x: xp.meshgrid(x[0, :], x[1, :] ** 2)[1] * x[0, 0],
    "repeat": lambda xp, x: xp.repeat(x * x, 2, axis=1),
    "tile": lambda xp, x: xp.tile(x * x, (2, 1, 2)),
    "tril": lambda xp, x: xp.tril(x * x) + xp.triu(x * x, k=1),
    "unstack": lambda xp, x: xp.unstack(x, axis=1)[2] * xp.unstack(x)[1][:1],
    "concat": lambda xp, x: xp.concat([x * x, x[:, :1]], axis=1),
    "concat flat": lambda xp, x: xp.concat([x * x, x[:, :1]], axis=None),
    "stack": lambda xp, x: xp.stack([x * x, x], axis=1),
    "asarray": lambda xp, x: xp.asarray(x * x, dtype=xp.float64),
    "astype": lambda xp, x: xp.astype(xp.astype(x * x, xp.float64), xp.float64),
    "full_like": lambda xp, x: xp.full_like(x, 2.0) * x * x,
    "getitem": lambda xp, x: x[1, :] * x[0, 1:2] + x[..., None][0, :, 0],
    "mask": lambda xp, x: x[x > 0] ** 2,
    "take_along_axis": lambda xp, x: xp.take_along_axis(x * x, xp.argsort(x, axis=1), axis=1),
    "sort": lambda xp, x: xp.sort(x, axis=1) * x,
    "matmul": lambda xp, x: x @ xp.matrix_transpose(x) + xp.matmul(x, x.T),
    "matmul vectors": lambda xp, x: (x[0, :] @ x[1, :]) * (x @ x[0, :]) + x[:, 0] @ x[:, :2],
    "matmul batch": lambda xp, x: xp.reshape(x, (2, 1, 3)) @ x.T,
    "tensordot": lambda xp, x: xp.tensordot(x, x, axes=((1,), (1,))),
    "vecdot": lambda xp, x: xp.vecdot(x, x * x, axis=-2),
}


def _weights(shape):
    return np.cos(np.arange(1.0, np.prod(shape, dtype=int) + 1)).reshape(shape)


def _reference(name):
    """The weighted sum of a case as a plain function of NumPy arrays."""
    xp = pn.array_namespace(A)

    def function(x):
        y = CASES[name](xp, x)
        return float(np.sum(y * _weights(y.shape)))

    return function


def _central(function, x, direction, step):
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture
def weighted(backend, case):
    xp = backend.xp

    def function(x):
        y = CASES[case](xp, x)
        return xp.sum(y * backend.asarray(_weights(y.shape)))

    return function


def test_reverse_mode(backend, case, weighted):
    gradient = backend.to_numpy(pn.grad(weighted)(backend.asarray(A)))
    assert gradient.shape == A.shape
    for direction in (B, np.sin(A * 7)):
        expected = _central(_reference(case), A, direction, 1e-6)
        assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_forward_mode(backend, case, weighted):
    tangent = pn.jvp(weighted, (backend.asarray(A),), (backend.asarray(B),))[1]
    expected = _central(_reference(case), A, B, 1e-6)
    assert float(backend.to_numpy(tangent)) == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_second_order(backend, case, weighted):
    x, v = backend.asarray(A), backend.asarray(B)
    forward_over_reverse = backend.to_numpy(pn.hvp(weighted, x, v))
    xp = backend.xp
    reverse_over_reverse = pn.grad(lambda x: xp.sum(pn.grad(weighted)(x) * v))(x)
    gradient = pn.grad(weighted)
    expected = _central(lambda a: backend.to_numpy(gradient(backend.asarray(a))), A, B, 1e-6)
    np.testing.assert_allclose(forward_over_reverse, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        backend.to_numpy(reverse_over_reverse), expected, rtol=1e-5, atol=1e-7
    )


def test_float32_stays_float32(backend, case):
    xp, x = backend.xp, backend.asarray(A.astype(np.float32))

    def total(x):
        y = CASES[case](xp, x)
        return xp.sum(xp.astype(y, xp.float32))

    assert pn.grad(total)(x).dtype == x.dtype
    assert pn.hvp(total, x, x).dtype == x.dtype


def test_take_adds_up_what_is_taken_twice(backend):
    x, index = backend.asarray(A), backend.asarray(INDEX)
    gradient = pn.grad(lambda x: backend.xp.sum(backend.xp.take(x, index, axis=1) ** 2))(x)
    counts = np.asarray([1.0, 0.0, 2.0])
    np.testing.assert_allclose(backend.to_numpy(gradient), 2 * A * counts, rtol=1e-15)
