"""The rules of ``xp.linalg``: finite differences, torch, degenerate matrices, empty ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn


def _adjoint(xp, x):
    return (xp.conj(x) if xp.isdtype(x.dtype, "complex floating") else x).mT


def _hermitian(xp, x):
    return (x + _adjoint(xp, x)) / 2


def _positive(xp, x):
    n = x.shape[-1]
    return x @ _adjoint(xp, x) + xp.eye(n, dtype=x.dtype, device=x.device)


def _projectors(vectors, dual):
    """Products of one column and one row, which do not depend on the phases of either."""
    return [vectors[..., :, i : i + 1] @ dual[..., i : i + 1, :] for i in range(2)]


def _eigh(xp, x):
    values, vectors = xp.linalg.eigh(_hermitian(xp, x))
    return [values, *_projectors(vectors, _adjoint(xp, vectors))]


def _svd(xp, x, full_matrices=False):
    u, s, vh = xp.linalg.svd(x, full_matrices=full_matrices)
    return [s, *_projectors(u, vh), *_projectors(u, _adjoint(xp, u))]


def _eig(xp, x):
    values, vectors = xp.linalg.eig(x)
    weighted = xp.abs(vectors) * xp.abs(values[..., None, :])
    return [xp.sum(values**3, axis=-1), xp.sum(weighted, axis=-1)]


def _slogdet(xp, x):
    sign, log = xp.linalg.slogdet(x)
    return [sign * log, log]


def _tall(x):
    return x[..., :, :2]


def _wide(x):
    return x[..., :2, :]


# Each takes the namespace and a stack of square matrices and returns an array or a list of them.
CASES = {
    "cholesky": lambda xp, x: xp.linalg.cholesky(_positive(xp, x)),
    "cholesky upper": lambda xp, x: xp.linalg.cholesky(_positive(xp, x), upper=True),
    "cross": lambda xp, x: xp.linalg.cross(x, x[..., :1, :] * x),
    "cross along rows": lambda xp, x: xp.linalg.cross(x, x[0, :, :1] ** 2, axis=-2),
    "det": lambda xp, x: xp.linalg.det(x),
    "diagonal": lambda xp, x: xp.linalg.diagonal(x * x),
    "diagonal above": lambda xp, x: xp.linalg.diagonal(_wide(x) ** 2, offset=1),
    "diagonal below": lambda xp, x: xp.linalg.diagonal(_tall(x) ** 2, offset=-2),
    "eig": _eig,
    "eigvals": lambda xp, x: xp.sum(xp.linalg.eigvals(x) ** 3, axis=-1),
    "eigh": _eigh,
    "eigvalsh": lambda xp, x: xp.linalg.eigvalsh(_hermitian(xp, x)),
    "inv": lambda xp, x: xp.linalg.inv(x),
    "matmul": lambda xp, x: xp.linalg.matmul(x, _tall(x)),
    "matrix_norm": lambda xp, x: xp.linalg.matrix_norm(x),
    "matrix_norm keepdims": lambda xp, x: xp.linalg.matrix_norm(x, keepdims=True) * x,
    **{
        f"matrix_norm {order}": lambda xp, x, order=order: (
            xp.linalg.matrix_norm(_tall(x), ord=order, keepdims=True) * x
        )
        for order in ("fro", "nuc", 1, 2, math.inf, -1, -2, -math.inf)
    },
    "matrix_power": lambda xp, x: xp.linalg.matrix_power(x, 5),
    "matrix_power inverse": lambda xp, x: xp.linalg.matrix_power(x, -2),
    "matrix_power zero": lambda xp, x: xp.linalg.matrix_power(x, 0) @ (x * x),
    "matrix_transpose": lambda xp, x: xp.linalg.matrix_transpose(x) @ x,
    "outer": lambda xp, x: xp.linalg.outer(x[0, 0, :], x[1, :, 0] ** 2),
    "pinv": lambda xp, x: xp.linalg.pinv(x),
    "pinv tall": lambda xp, x: xp.linalg.pinv(_tall(x)),
    "pinv wide": lambda xp, x: xp.linalg.pinv(_wide(x)),
    "pinv of low rank": lambda xp, x: xp.linalg.pinv(_tall(x) @ _wide(x), rtol=1e-9),
    "qr": lambda xp, x: list(xp.linalg.qr(x)),
    "qr tall": lambda xp, x: list(xp.linalg.qr(_tall(x))),
    "qr wide": lambda xp, x: list(xp.linalg.qr(_wide(x))),
    "qr wide, only q": lambda xp, x: xp.linalg.qr(_wide(x)).Q,
    "qr wide, only r": lambda xp, x: xp.linalg.qr(_wide(x)).R,
    "qr complete": lambda xp, x: list(xp.linalg.qr(_wide(x), mode="complete")),
    "slogdet": _slogdet,
    "solve": lambda xp, x: xp.linalg.solve(x, _tall(x) ** 2),
    "solve vector": lambda xp, x: xp.linalg.solve(x, x[0, 1, :] ** 2),
    "solve, matrix spread": lambda xp, x: xp.linalg.solve(x[0, ...], x * x),
    "solve, right side spread": lambda xp, x: xp.linalg.solve(x, x[1, :, :2] ** 2),
    "svd": _svd,
    "svd full": lambda xp, x: _svd(xp, x, True),
    "svd tall": lambda xp, x: _svd(xp, _tall(x)),
    "svd wide": lambda xp, x: _svd(xp, _wide(x)),
    "svdvals": lambda xp, x: xp.linalg.svdvals(_wide(x)),
    "tensordot": lambda xp, x: xp.linalg.tensordot(x, x * x, axes=((2, 0), (1, 0))),
    "trace": lambda xp, x: xp.linalg.trace(x @ x),
    "trace above": lambda xp, x: xp.linalg.trace(_wide(x) ** 2, offset=1),
    "vecdot": lambda xp, x: xp.linalg.vecdot(x, x[..., :1, :] ** 2),
    "vector_norm": lambda xp, x: xp.linalg.vector_norm(x),
    "vector_norm axes": lambda xp, x: xp.linalg.vector_norm(x, axis=(0, 2)),
    **{
        f"vector_norm {order}": lambda xp, x, order=order: (
            xp.linalg.vector_norm(x, axis=-1, ord=order, keepdims=True) * x
        )
        for order in (0, 1, 2, 3, 4, 0.5, 1.5, -1, -2.5, math.inf, -math.inf)
    },
}
KINDS = ("real", "complex")

# Torch and jax differentiate by themselves; torch is the oracle of these tests.
taped = pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "cupy"], indirect=True)

_REAL = np.asarray(
    [
        [[1.3, -0.7, 0.4], [0.9, 1.6, -0.2], [-0.3, 0.5, -1.1]],
        [[-0.8, 0.6, 1.2], [0.1, 1.9, 0.7], [0.4, -1.4, 0.9]],
    ]
)
_IMAGINARY = np.asarray(
    [
        [[0.2, 0.8, -0.5], [-0.6, 0.3, 0.9], [0.7, -0.1, 0.4]],
        [[0.5, -0.4, 0.6], [0.8, -0.2, 0.1], [-0.9, 0.3, -0.7]],
    ]
)
_POINTS = {"real": _REAL, "complex": _REAL + 1j * _IMAGINARY}
_DIRECTIONS = {"real": np.sin(7 * _REAL), "complex": np.sin(7 * _REAL) + 1j * np.cos(5 * _REAL)}


def _weight(shape, is_complex):
    steps = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    return np.cos(steps) + 1j * np.sin(2 * steps) if is_complex else np.cos(steps)


def scalar(function, xp, asarray):
    """The real part of a weighted sum of all that a case returns."""

    def total(x):
        results = function(xp, x)
        parts = []
        for y in results if isinstance(results, list) else [results]:
            is_complex = xp.isdtype(y.dtype, "complex floating")
            w = asarray(_weight(y.shape, is_complex))
            w = xp.astype(w, y.dtype)
            parts.append(xp.sum(xp.real(y * w) if is_complex else y * w))
        return sum(parts[1:], parts[0])

    return total


def inner(a, b):
    return np.sum(np.real(np.conj(a) * b))


def central(function, x, direction, step=1e-6):
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def total(backend, case):
    return scalar(CASES[case], backend.xp, backend.asarray)


def _reference(case):
    return scalar(CASES[case], pn.array_namespace(_REAL), np.asarray)


@taped
def test_reverse_mode(backend, case, kind, total):
    x, v = _POINTS[kind], _DIRECTIONS[kind]
    gradient = backend.to_numpy(pn.grad(total)(backend.asarray(x)))
    assert gradient.shape == x.shape
    assert gradient.dtype == x.dtype
    for direction in (v, np.conj(v) * (0.3 + x)):
        expected = central(_reference(case), x, direction)
        assert inner(gradient, direction) == pytest.approx(expected, rel=1e-6, abs=1e-7)


@taped
def test_forward_mode(backend, case, kind, total):
    x, v = _POINTS[kind], _DIRECTIONS[kind]
    tangent = pn.jvp(total, (backend.asarray(x),), (backend.asarray(v),))[1]
    expected = central(_reference(case), x, v)
    assert float(backend.to_numpy(tangent)) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def along(gradient, xp, direction):
    """The inner product of a gradient with a direction: its gradient is the second derivative."""

    def function(x):
        if xp.isdtype(x.dtype, "complex floating"):
            return xp.sum(xp.real(xp.conj(direction) * gradient(x)))
        return xp.sum(direction * gradient(x))

    return function


@taped
def test_second_order(backend, case, kind, total):
    x, v = _POINTS[kind], _DIRECTIONS[kind]
    xp, direction = backend.xp, backend.asarray(v)
    gradient = pn.grad(total)
    expected = central(lambda a: backend.to_numpy(gradient(backend.asarray(a))), x, v)
    scale = max(1.0, np.max(np.abs(expected)))
    for second in (
        pn.jvp(gradient, (backend.asarray(x),), (direction,))[1],
        pn.grad(along(gradient, xp, direction))(backend.asarray(x)),
    ):
        assert backend.to_numpy(second).dtype == x.dtype
        np.testing.assert_allclose(
            backend.to_numpy(second) / scale, expected / scale, rtol=1e-5, atol=1e-7
        )


def test_gradient_and_second_order_agree_with_torch(case, kind):
    torch = pytest.importorskip("torch")
    x, v = _POINTS[kind], _DIRECTIONS[kind]
    gradient = pn.grad(_reference(case))
    a, b = torch.asarray(x), torch.asarray(v)
    xp = pn.array_namespace(a)
    oracle = pn.grad(scalar(CASES[case], xp, torch.asarray))
    np.testing.assert_allclose(gradient(x), oracle(a).numpy(), rtol=1e-9, atol=1e-10)
    expected = pn.grad(along(oracle, xp, b))(a).numpy()
    scale = max(1.0, np.max(np.abs(expected)))
    second = pn.jvp(gradient, (x,), (v,))[1]
    np.testing.assert_allclose(second / scale, expected / scale, rtol=1e-9, atol=1e-10)


@taped
def test_single_precision_is_kept(backend, case, kind, total):
    dtype = {"real": np.float32, "complex": np.complex64}[kind]
    x = backend.asarray(_POINTS[kind].astype(dtype))
    value, tangent = pn.jvp(total, (x,), (x,))
    assert value.dtype == tangent.dtype == backend.dtype("float32")
    assert pn.grad(total)(x).dtype == x.dtype
    assert pn.jvp(pn.grad(total), (x,), (x,))[1].dtype == x.dtype
