"""``xp.linalg`` in use: empty arrays, types, mixed arguments, NumPy's own functions."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

taped = pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "cupy"], indirect=True)

A = np.asarray([[1.3, -0.7, 0.4], [0.9, 1.6, -0.2], [-0.3, 0.5, -1.1]])
Z = A + 1j * np.asarray([[0.2, 0.8, -0.5], [-0.6, 0.3, 0.9], [0.7, -0.1, 0.4]])
V = np.sin(7 * A)


_EMPTY = {
    "cholesky": lambda xp, x: xp.linalg.cholesky(x),
    "det": lambda xp, x: xp.linalg.det(x),
    "diagonal": lambda xp, x: xp.linalg.diagonal(x),
    "eig": lambda xp, x: xp.real(xp.linalg.eig(x).eigenvectors),
    "eigh": lambda xp, x: xp.linalg.eigh(x).eigenvectors,
    "eigvalsh": lambda xp, x: xp.linalg.eigvalsh(x),
    "inv": lambda xp, x: xp.linalg.inv(x),
    "matrix_norm": lambda xp, x: xp.linalg.matrix_norm(x),
    "matrix_power": lambda xp, x: xp.linalg.matrix_power(x, 3),
    "pinv": lambda xp, x: xp.linalg.pinv(x),
    "qr": lambda xp, x: xp.linalg.qr(x).Q,
    "slogdet": lambda xp, x: xp.linalg.slogdet(x).logabsdet,
    "solve": lambda xp, x: xp.linalg.solve(x, x),
    "svd": lambda xp, x: xp.linalg.svd(x).U,
    "svdvals": lambda xp, x: xp.linalg.svdvals(x),
    "trace": lambda xp, x: xp.linalg.trace(x),
    "vector_norm": lambda xp, x: xp.linalg.vector_norm(x, axis=-1),
}


@taped
@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("name", _EMPTY)
def test_empty_matrices_have_empty_gradients(backend, name, shape):
    xp, x = backend.xp, backend.asarray(np.zeros(shape))

    def total(x):
        return xp.sum(_EMPTY[name](xp, x))

    gradient = pn.grad(total)
    assert gradient(x).shape == shape
    assert pn.jvp(gradient, (x,), (x,))[1].shape == shape
    assert float(backend.to_numpy(pn.jvp(total, (x,), (x,))[1])) == 0


@taped
def test_results_have_the_types_of_the_library(backend):
    xp, x = backend.xp, backend.asarray(A @ A.T)
    for function in (
        xp.linalg.eig,
        xp.linalg.eigh,
        xp.linalg.qr,
        xp.linalg.slogdet,
        xp.linalg.svd,
    ):
        seen = []

        def traced(x, function=function, seen=seen):
            result = function(x)
            seen.append(type(result))
            return xp.sum(xp.abs(result[1]))

        pn.grad(traced)(x)
        assert seen == [type(function(x))]


@taped
def test_each_side_of_an_equation_by_itself(backend):
    xp = backend.xp
    a, b = backend.asarray(A), backend.asarray(V[:, :2])
    x, w = np.linalg.solve(A, V[:, :2]), np.cos(V[:, :2])
    weights = backend.asarray(w)
    back = np.linalg.solve(A.T, w)
    by_matrix = pn.grad(lambda a: xp.sum(xp.linalg.solve(a, b) * weights))(a)
    by_side = pn.grad(lambda b: xp.sum(xp.linalg.solve(a, b) * weights))(b)
    np.testing.assert_allclose(backend.to_numpy(by_matrix), -back @ x.T, rtol=1e-12)
    np.testing.assert_allclose(backend.to_numpy(by_side), back, rtol=1e-12)


@taped
def test_a_real_matrix_with_a_complex_side_has_a_real_gradient(backend):
    xp = backend.xp
    a, b = backend.asarray(A), backend.asarray(Z)
    gradient = pn.grad(lambda a: xp.sum(xp.real(xp.linalg.solve(a, b))))(a)
    expected = pn.grad(lambda a: xp.sum(xp.linalg.solve(a, xp.real(b))))(a)
    assert gradient.dtype == a.dtype
    np.testing.assert_allclose(backend.to_numpy(gradient), backend.to_numpy(expected), rtol=1e-12)


@taped
def test_the_rank_is_a_constant(backend):
    xp, x = backend.xp, backend.asarray(A)
    gradient = pn.grad(
        lambda x: xp.sum(x) * xp.astype(xp.linalg.matrix_rank(x, rtol=1e-6), x.dtype)
    )(x)
    np.testing.assert_array_equal(backend.to_numpy(gradient), np.full((3, 3), 3.0))


def test_a_function_without_a_rule_says_so():
    xp = pn.array_namespace(A)
    text = "linalg.lstsq has no derivative rule"
    with pytest.raises(pn.errors.NoDerivativeError, match=text):
        pn.grad(lambda x: xp.linalg.lstsq(x, A)[0][0, 0])(A)
    with pytest.raises(pn.errors.NoDerivativeError, match=text):
        pn.grad(lambda x: np.linalg.lstsq(x, A)[0][0, 0])(A)


_P = A @ A.T + np.eye(3)
_NUMPY = {
    "cholesky": lambda x: np.linalg.cholesky(x @ x.T + _P),
    "cholesky upper": lambda x: np.linalg.cholesky(x @ x.T + _P, upper=True),
    "cross": lambda x: np.cross(x, x[0] ** 2),
    "cross along rows": lambda x: np.cross(x, x * x, axis=0),
    "linalg.cross": lambda x: np.linalg.cross(x, x[0] ** 2),
    "det": np.linalg.det,
    "diagonal": lambda x: np.diagonal(np.stack([x, x * x]), 1, 2, 0),
    "linalg.diagonal": lambda x: np.linalg.diagonal(x * x, offset=-1),
    "eigh": lambda x: np.linalg.eigh(x + x.T, "U").eigenvalues,
    "eigvalsh": lambda x: np.linalg.eigvalsh(x + x.T),
    "inv": np.linalg.inv,
    "matrix_norm": lambda x: np.linalg.matrix_norm(x, ord="nuc"),
    "matrix_power": lambda x: np.linalg.matrix_power(x, 3),
    "matrix_rank": lambda x: x * np.linalg.matrix_rank(x, 1e-9),
    "multi_dot": lambda x: np.linalg.multi_dot([x, _P, x * x, x[0]]),
    "norm": np.linalg.norm,
    "norm of a vector": lambda x: np.linalg.norm(x[0], 3),
    "norm of a matrix": lambda x: np.linalg.norm(x, 2),
    "norm along an axis": lambda x: np.linalg.norm(x, axis=(1,), keepdims=True),
    "norm along two axes": lambda x: np.linalg.norm(np.stack([x, x * x]), 1, (2, 0), True),
    "outer": lambda x: np.outer(x, x[0] ** 2),
    "pinv": lambda x: np.linalg.pinv(x[:2], 1e-9),
    "qr": lambda x: np.linalg.qr(x)[0],
    "qr r": lambda x: np.linalg.qr(x, "r"),
    "slogdet": lambda x: np.linalg.slogdet(x)[1],
    "solve": lambda x: np.linalg.solve(x, _P),
    "svd": lambda x: np.linalg.svd(x, False)[1],
    "svd without vectors": lambda x: np.linalg.svd(x, compute_uv=False),
    "svdvals": lambda x: np.linalg.svdvals(x),
    "trace": lambda x: np.trace(np.stack([x, x * x]), 1, 2, 0),
    "linalg.trace": lambda x: np.linalg.trace(x @ x, offset=1),
    "vecdot": lambda x: np.linalg.vecdot(x, x**2),
    "vector_norm": lambda x: np.linalg.vector_norm(x, axis=1, ord=3),
}


@pytest.mark.parametrize("name", _NUMPY)
def test_numpy_functions_work_on_traced_arrays(name):
    def function(x):
        y = _NUMPY[name](x)
        return np.sum(y * np.cos(np.arange(1.0, y.size + 1)).reshape(y.shape))

    expected = (function(A + 1e-6 * V) - function(A - 1e-6 * V)) / 2e-6
    assert np.sum(pn.grad(function)(A) * V) == pytest.approx(expected, rel=1e-7, abs=1e-8)
    assert pn.jvp(function, (A,), (V,))[1] == pytest.approx(expected, rel=1e-7, abs=1e-8)
