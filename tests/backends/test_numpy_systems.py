"""Triangular systems on NumPy against the general solver, which does not look for zeros."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends.numpy import lapack

RNG = np.random.default_rng(0)
xp = pn.array_namespace(np.ones(1))


@pytest.fixture(params=["SciPy", "without SciPy"])
def routines(request, monkeypatch):
    """Both ways of solving: by SciPy's routines, and by NumPy alone."""
    if request.param == "SciPy":
        pytest.importorskip("scipy.linalg")
    else:
        monkeypatch.setattr(lapack, "_routine", lambda name, char: None)


def _triangular(n: int, dtype: str, upper: bool) -> np.ndarray:
    a = np.tril(RNG.normal(size=(n, n)) / n) + np.eye(n)
    if dtype in "FD":
        a = a + 1j * np.tril(RNG.normal(size=(n, n)) / n)
    return (a.T if upper else a).astype(dtype)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_a_triangular_system_is_solved(n, dtype, upper):
    a = _triangular(n, dtype, upper)
    tolerance = 2e-4 if dtype in "fF" else 1e-11
    for shape in ((n,), (n, 1), (n, n), (n, 300)):
        b = RNG.normal(size=shape).astype(dtype)
        before = b.copy()
        x = xp.linalg.solve(a, b)
        assert (x.dtype, x.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(b, before)
        np.testing.assert_allclose(x, np.linalg.solve(a, b), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("unit_diagonal", [False, True])
@pytest.mark.parametrize("n", [1, 3, 64, 150])
@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_the_other_triangle_is_not_read(n, dtype, order, unit_diagonal, lower, routines):
    a = _triangular(n, dtype, not lower)
    noise = RNG.normal(size=(n, n)).astype(dtype)
    full = a + (np.triu if lower else np.tril)(noise, 1 if lower else -1)
    if unit_diagonal:
        np.fill_diagonal(full, np.nan)
        np.fill_diagonal(a, 1.0)
    full = np.repeat(full, 2, axis=1)[:, ::2] if order == "strided" else full.copy(order)
    given, tolerance = full.copy(), 5e-4 if dtype in "fF" else 1e-9
    for shape in ((n,), (n, 2), (n, 300)):
        b = RNG.normal(size=shape).astype(dtype)
        before = b.copy()
        x = xp.linalg.solve_triangular(full, b, lower=lower, unit_diagonal=unit_diagonal)
        np.testing.assert_allclose(x, np.linalg.solve(a, b), rtol=tolerance, atol=tolerance)
        assert (x.dtype, x.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(b, before)
    np.testing.assert_array_equal(full, given)


@pytest.mark.parametrize("n", [2, 80])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_triangle_with_a_zero_on_its_diagonal_is_refused(n, shape, routines):
    a = _triangular(n, "d", False)
    a[n // 2, n // 2] = 0.0
    with pytest.raises(np.linalg.LinAlgError):
        xp.linalg.solve_triangular(a, np.ones((n, *shape)), lower=True)
    np.fill_diagonal(a, 0.0)
    xp.linalg.solve_triangular(a, np.ones((n, *shape)), lower=True, unit_diagonal=True)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
@pytest.mark.parametrize("n", [0, 1, 2, 70])
def test_the_cholesky_factor_is_numpys(n, dtype, upper, routines):
    half = _triangular(n, dtype, False)
    x = half @ half.conj().T
    given = np.triu(x) if upper else np.tril(x)
    factor = xp.linalg.cholesky(x, upper=upper)
    expected = np.linalg.cholesky(x).conj().T if upper else np.linalg.cholesky(x)
    np.testing.assert_allclose(factor, expected, rtol=1e-5 if dtype in "fF" else 1e-12, atol=1e-6)
    assert factor.dtype == x.dtype
    np.testing.assert_array_equal(np.triu(x) if upper else np.tril(x), given)


@pytest.mark.parametrize("x", [-np.eye(3), np.zeros((2, 2))])
def test_what_is_not_positive_definite_is_refused(x, routines):
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        xp.linalg.cholesky(x)


@pytest.mark.parametrize("k", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (2, 3, 3), (70, 70)])
def test_triangles_are_numpys(shape, k):
    for dtype in ("f", "D", "i", "?"):
        x = np.asarray(RNG.normal(size=shape) * 3).astype(dtype)
        for name in ("tril", "triu"):
            y = getattr(xp, name)(x, k=k)
            np.testing.assert_array_equal(y, getattr(np, name)(x, k))
            assert y.dtype == x.dtype


def test_blocks_on_the_diagonal_need_no_zeros():
    a = np.tril(RNG.normal(size=(128, 128))) + 128 * np.eye(128)
    a[:32, :32] = RNG.normal(size=(32, 32)) + 32 * np.eye(32)
    b = RNG.normal(size=128)
    np.testing.assert_allclose(xp.linalg.solve(a, b), np.linalg.solve(a, b), rtol=1e-12)


@pytest.mark.parametrize("place", [(0, 127), (3, 90), (127, 0), (90, 3), (40, 33)])
def test_one_number_beside_the_triangle_makes_a_system_general(place):
    for upper in (False, True):
        a = _triangular(128, "d", upper)
        a[place] = 0.5
        b = RNG.normal(size=128)
        np.testing.assert_allclose(xp.linalg.solve(a, b), np.linalg.solve(a, b), rtol=1e-9)


def test_a_singular_triangle_is_refused_as_any_other():
    a = _triangular(128, "d", False)
    a[70, :71] = 0.0
    for b in (np.ones(128), np.ones((128, 128))):
        with pytest.raises(np.linalg.LinAlgError):
            np.linalg.solve(a, b)
        with pytest.raises(np.linalg.LinAlgError):
            xp.linalg.solve(a, b)


def test_wrong_shapes_are_refused_as_by_numpy():
    a = _triangular(128, "d", False)
    for b in (np.ones(127), np.ones((127, 2))):
        with pytest.raises(ValueError, match="mismatch"):
            xp.linalg.solve(a, b)


def test_the_derivative_of_a_log_likelihood_solves_triangular_systems(monkeypatch, routines):
    """Cholesky's derivative and the solve's: no system is factorised anew."""
    from portanet.backends.numpy import systems

    n = 96
    x = RNG.normal(size=(n, 1))
    unit = np.eye(n)
    y = RNG.normal(size=n)

    def density(length):
        root = np.linalg.cholesky(np.exp(-((x - x.T) ** 2) / length**2) + unit)
        white = np.linalg.solve(root, y)
        return -0.5 * np.sum(white**2) - np.sum(np.log(np.diagonal(root)))

    sizes = []
    solve = np.linalg.solve
    monkeypatch.setattr(systems, "_solve", lambda a, b: sizes.append(len(a)) or solve(a, b))
    slope = pn.grad(density)(np.asarray(1.3))
    assert max(sizes, default=0) <= 32
    difference = (density(np.asarray(1.3 + 1e-6)) - density(np.asarray(1.3 - 1e-6))) / 2e-6
    np.testing.assert_allclose(slope, difference, rtol=1e-6)
