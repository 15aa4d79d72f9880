"""``xp.linalg`` where care is needed: singular and repeated values, kinks, conventions, errors."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import portanet as pn

taped = pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "cupy"], indirect=True)

A = np.asarray([[1.3, -0.7, 0.4], [0.9, 1.6, -0.2], [-0.3, 0.5, -1.1]])
Z = A + 1j * np.asarray([[0.2, 0.8, -0.5], [-0.6, 0.3, 0.9], [0.7, -0.1, 0.4]])
V = np.sin(7 * A)


def _permutations(xp, x):
    """The determinant by its definition."""
    n = x.shape[-1]
    total = 0.0
    for order in itertools.permutations(range(n)):
        sign = (-1) ** sum(a > b for a, b in itertools.combinations(order, 2))
        term = sign
        for i, j in enumerate(order):
            term = term * x[i, j]
        total = total + term
    return total


_SINGULAR = {
    "rank two": np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]),
    "rank two with a zero row": np.asarray([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 5.0, 7.0]]),
    "rank one": np.outer([1.0, -2.0, 3.0], [2.0, 1.0, 0.5]),
    "zero": np.zeros((3, 3)),
    "complex": np.outer([1.0, -2.0j, 3.0], [2.0, 1.0 + 1j, 0.5]),
    "identity": np.eye(3),
}


def _real(xp, x):
    return xp.real(x * (1 + 2j)) if xp.isdtype(x.dtype, "complex floating") else x


@taped
@pytest.mark.parametrize("name", _SINGULAR)
def test_determinant_has_two_derivatives_at_singular_matrices(backend, name):
    xp, x = backend.xp, backend.asarray(_SINGULAR[name])
    v = backend.asarray(np.cos(_SINGULAR[name] + A))

    def check(transform):
        found, expected = (
            backend.to_numpy(transform(f))
            for f in (
                lambda x: _real(xp, xp.linalg.det(x)),
                lambda x: _real(xp, _permutations(xp, x)),
            )
        )
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)

    check(lambda f: pn.grad(f)(x))
    check(lambda f: pn.jvp(f, (x,), (v,))[1])
    check(lambda f: pn.jvp(pn.grad(f), (x,), (v,))[1])
    check(lambda f: pn.grad(lambda x: xp.sum(xp.real(pn.grad(f)(x) * v)))(x))


@taped
@pytest.mark.parametrize("point", [A, Z], ids=["real", "complex"])
def test_third_derivative_of_the_determinant(backend, point):
    xp, x, v = backend.xp, backend.asarray(point), backend.asarray(V)

    def third(f):
        def second(x):
            return pn.jvp(pn.grad(f), (x,), (xp.astype(v, x.dtype),))[1]

        reverse = pn.grad(lambda x: xp.sum(xp.real(second(x) * v)))(x)
        return [backend.to_numpy(y) for y in (pn.jvp(second, (x,), (x,))[1], reverse)]

    found = third(lambda x: _real(xp, xp.linalg.det(x)))
    np.testing.assert_allclose(found, third(lambda x: _real(xp, _permutations(xp, x))), rtol=1e-10)


_CONVENTIONS = {
    "cholesky": lambda xp, x: xp.linalg.cholesky(x),
    "cholesky upper": lambda xp, x: xp.linalg.cholesky(x, upper=True),
    "eigvalsh": lambda xp, x: xp.linalg.eigvalsh(x),
    "eigh": lambda xp, x: xp.abs(xp.linalg.eigh(x).eigenvectors),
}


@pytest.mark.parametrize("name", _CONVENTIONS)
@pytest.mark.parametrize("point", [A, Z], ids=["real", "complex"])
def test_gradients_of_hermitian_matrices_are_hermitian_as_in_torch(name, point):
    torch = pytest.importorskip("torch")
    x = point @ point.conj().T + np.eye(3)

    def gradient(x, weights):
        xp = pn.array_namespace(x)
        return pn.grad(lambda x: xp.sum(xp.real(_CONVENTIONS[name](xp, x) * weights)))(x)

    weights = np.cos(np.arange(9.0)).reshape(3, 3)
    found = gradient(x, weights)
    expected = gradient(torch.asarray(x), torch.asarray(weights)).numpy()
    expected = (expected + expected.conj().T) / 2  # torch's cholesky adds an antihermitian part
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found, found.conj().T, rtol=1e-12, atol=1e-12)
    xp = pn.array_namespace(x)
    v = (V + point).astype(x.dtype)
    tangent = pn.jvp(lambda x: xp.sum(xp.real(_CONVENTIONS[name](xp, x) * weights)), (x,), (v,))[1]
    assert tangent == pytest.approx(np.sum(np.real(found.conj() * v)), rel=1e-10)


@taped
def test_repeated_eigenvalues_have_a_derivative_and_their_vectors_have_none(backend):
    xp = backend.xp
    x = backend.asarray(np.diag([2.0, 2.0, 5.0]))
    gradient = pn.grad(lambda x: xp.sum(xp.linalg.eigvalsh(x) ** 2))(x)
    np.testing.assert_allclose(backend.to_numpy(gradient), np.diag([4.0, 4.0, 10.0]), atol=1e-14)
    vectors = pn.grad(lambda x: xp.sum(xp.linalg.eigh(x).eigenvectors ** 3))(x)
    assert np.all(np.isnan(backend.to_numpy(vectors)[:2, :2]))
    v = backend.asarray(V)
    tangents = pn.jvp(lambda x: tuple(xp.linalg.eigh(x)), (x,), (v,))[1]
    assert np.all(np.isfinite(backend.to_numpy(tangents[0])))
    assert np.any(np.isnan(backend.to_numpy(tangents[1])))


@taped
def test_repeated_singular_values_have_a_derivative(backend):
    xp = backend.xp
    x = backend.asarray(2 * np.eye(3))
    gradient = pn.grad(lambda x: xp.sum(xp.linalg.svdvals(x) ** 2))(x)
    np.testing.assert_allclose(backend.to_numpy(gradient), 4 * np.eye(3), atol=1e-14)
    gradient = pn.grad(lambda x: xp.sum(xp.linalg.svd(x).S))(x)
    np.testing.assert_allclose(backend.to_numpy(gradient), np.eye(3), atol=1e-14)


@taped
@pytest.mark.parametrize(
    ("name", "function", "text"),
    [
        (
            "qr",
            lambda xp, x: xp.linalg.qr(x, mode="complete").Q,
            "linalg.qr: the last columns of Q are arbitrary and have no derivative: use "
            "mode='reduced'",
        ),
        (
            "svd tall",
            lambda xp, x: xp.linalg.svd(x).U,
            "linalg.svd: the last columns of U are arbitrary and have no derivative: use "
            "full_matrices=False",
        ),
        (
            "svd wide",
            lambda xp, x: xp.linalg.svd(x.mT).Vh,
            "linalg.svd: the last rows of Vh are arbitrary and have no derivative: use "
            "full_matrices=False",
        ),
    ],
)
def test_arbitrary_vectors_have_no_derivative(backend, name, function, text):
    xp, x = backend.xp, backend.asarray(A[:, :2])

    def total(x):
        return xp.sum(function(xp, x) ** 2)

    for attempt in (
        lambda: pn.grad(total)(x),
        lambda: pn.jvp(total, (x,), (x,)),
        lambda: pn.jvp(lambda x: function(xp, x), (x,), (x,)),
    ):
        with pytest.raises(pn.errors.NoDerivativeError, match=re.escape(text)):
            attempt()


@taped
@pytest.mark.parametrize(
    ("full", "thin"),
    [
        (
            lambda xp, x: xp.linalg.qr(x, mode="complete").R[:2, :],
            lambda xp, x: xp.linalg.qr(x).R,
        ),
        (
            lambda xp, x: xp.linalg.svd(x).S * xp.abs(xp.linalg.svd(x).Vh),
            lambda xp, x: (
                xp.linalg.svd(x, full_matrices=False).S
                * xp.abs(xp.linalg.svd(x, full_matrices=False).Vh)
            ),
        ),
    ],
    ids=["qr", "svd"],
)
def test_the_other_factors_of_a_completed_basis_have_theirs(backend, full, thin):
    xp, x, v = backend.xp, backend.asarray(A[:, :2]), backend.asarray(V[:, :2])
    for transform in (
        lambda f: pn.grad(lambda x: xp.sum(f(xp, x) ** 3))(x),
        lambda f: pn.jvp(lambda x: f(xp, x), (x,), (v,))[1],
    ):
        np.testing.assert_allclose(
            backend.to_numpy(transform(full)), backend.to_numpy(transform(thin)), rtol=1e-12
        )
