"""Triangular systems against SciPy and dense ones, with their derivatives, batched and recorded."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import DTypeError, ShapeError

N = 4
OPTIONS = [
    {"lower": lower, "unit_diagonal": unit} for lower in (False, True) for unit in (False, True)
]
SHAPES = [((N, N), (N,)), ((N, N), (N, 3)), ((2, N, N), (N, 3)), ((N, N), (2, N, 3))]


def matrices(shape, seed=0, kind=float):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if kind is complex:
        x = x + 1j * rng.normal(size=shape)
    return x + 3.0 * np.eye(N) if shape[-2:] == (N, N) else x


def dense(a, lower=False, unit_diagonal=False):
    """Return the matrix that counts, by NumPy."""
    a = np.tril(a, -unit_diagonal) if lower else np.triu(a, int(unit_diagonal))
    return a + np.eye(N) if unit_diagonal else a


def solved(a, b):
    return np.linalg.solve(a, b[:, None])[..., 0] if b.ndim == 1 else np.linalg.solve(a, b)


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_values(backend, shapes, options, kind):
    a, b = matrices(shapes[0], kind=kind), matrices(shapes[1], 1, kind)
    x = functional.solve_triangular(backend.asarray(a), backend.asarray(b), **options)
    np.testing.assert_allclose(backend.to_numpy(x), solved(dense(a, **options), b), 1e-10)
    upper = not options["lower"]
    half = np.triu(a) if upper else np.tril(a)
    whole = half.conj().mT @ half if upper else half @ half.conj().mT
    x = functional.cho_solve(backend.asarray(a), backend.asarray(b), upper=upper)
    np.testing.assert_allclose(backend.to_numpy(x), solved(whole, b), 1e-8)


@pytest.mark.parametrize("lower", [False, True])
def test_values_of_scipy(backend, lower):
    scipy = pytest.importorskip("scipy.linalg")
    a, b = matrices((N, N)), matrices((N, 3), 1)
    x = functional.solve_triangular(backend.asarray(a), backend.asarray(b), lower=lower)
    np.testing.assert_allclose(
        backend.to_numpy(x), scipy.solve_triangular(a, b, lower=lower), 1e-12
    )
    x = functional.cho_solve(backend.asarray(a), backend.asarray(b), upper=not lower)
    np.testing.assert_allclose(backend.to_numpy(x), scipy.cho_solve((a, lower), b), 1e-10)


FUNCTIONS = [
    *(
        pytest.param(
            lambda xp, a, b, o=options: xp.linalg.solve_triangular(a, b, **o), id=f"solve {options}"
        )
        for options in OPTIONS
    ),
    *(
        pytest.param(
            lambda xp, a, b, u=upper: xp.linalg.cho_solve(a, b, upper=u), id=f"cho {upper}"
        )
        for upper in (False, True)
    ),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_derivatives(backend, shapes, function):
    """By differences along a direction, in both modes; the other triangle has none."""
    xp, step = backend.xp, 1e-6
    arrays = [matrices(shapes[0]), matrices(shapes[1], 1)]
    along = [matrices(shapes[0], 2), matrices(shapes[1], 3)]
    weight = backend.asarray(np.cos(np.arange(24.0)))

    def total(a, b):
        y = function(xp, a, b)
        return xp.sum(xp.reshape(y, (-1,)) * weight[: math.prod(y.shape)])

    ends = [
        float(total(*(backend.asarray(x + s * t) for x, t in zip(arrays, along, strict=True))))
        for s in (step, -step)
    ]
    expected = (ends[0] - ends[1]) / (2 * step)
    given, directions = map(backend.asarray, arrays), map(backend.asarray, along)
    given, directions = tuple(given), tuple(directions)
    gradients = [backend.to_numpy(g) for g in pn.grad(total, (0, 1))(*given)]
    found = sum(np.sum(g * t) for g, t in zip(gradients, along, strict=True))
    np.testing.assert_allclose(found, expected, 1e-6)
    tangent = pn.jvp(total, given, directions)[1]
    np.testing.assert_allclose(float(tangent), expected, 1e-6)
    used = gradients[0] != 0
    assert not (used & used.mT & ~np.eye(N, dtype=bool)).any()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_second_derivatives(backend, function):
    xp, step = backend.xp, 1e-5
    a, b, t = matrices((N, N)), matrices((N,), 1), matrices((N, N), 2)

    def first(a):
        return pn.grad(lambda a: xp.sum(function(xp, a, backend.asarray(b)) ** 2))(a)

    ends = [backend.to_numpy(first(backend.asarray(a + s * t))) for s in (step, -step)]
    found = pn.jvp(first, (backend.asarray(a),), (backend.asarray(t),))[1]
    expected = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(backend.to_numpy(found), expected, 1e-5, 1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize("rank", [1, 2])
def test_batched_and_recorded(backend, function, axes, rank):
    xp = backend.xp
    a = matrices((3, N, N)) if axes[0] == 0 else matrices((N, N))
    b = matrices((N, 2)[:rank], 1) if axes[1] is None else matrices((3, N, 2)[: rank + 1], 1)
    rows = [
        backend.to_numpy(
            function(
                xp,
                backend.asarray(a[i] if axes[0] == 0 else a),
                backend.asarray(b[i] if axes[1] == 0 else b),
            )
        )
        for i in range(3)
    ]
    batched = pn.vmap(lambda a, b: function(xp, a, b), axes)
    for run in (batched, pn.jit(batched)):
        x = run(backend.asarray(a), backend.asarray(b))
        np.testing.assert_allclose(backend.to_numpy(x), rows, 1e-10)


def test_a_log_density_is_that_of_scipy(backend):
    """What these functions are for: the density of a Gaussian process, and its gradient."""
    stats = pytest.importorskip("scipy.stats")
    xp, root = backend.xp, matrices((N, N))
    cov, x = root @ root.T + np.eye(N), matrices((N,), 1)

    def density(cov, x):
        factor = xp.linalg.cholesky(cov)
        square = xp.sum(x * xp.linalg.cho_solve(factor, x))
        size = 2.0 * xp.sum(xp.log(xp.linalg.diagonal(factor)))
        return -0.5 * (square + size + N * float(np.log(2 * np.pi)))

    given = backend.asarray(cov), backend.asarray(x)
    expected = stats.multivariate_normal.logpdf(x, np.zeros(N), cov)
    np.testing.assert_allclose(float(density(*given)), expected, 1e-10)
    g = backend.to_numpy(pn.grad(density)(*given))
    inverse = np.linalg.inv(cov)
    y = inverse @ x
    np.testing.assert_allclose(g, 0.5 * (np.outer(y, y) - inverse), 1e-8, 1e-10)


def test_what_does_not_fit_is_refused(backend):
    a, b = backend.asarray(np.eye(3)), backend.asarray(np.ones(4))
    for function in (functional.solve_triangular, functional.cho_solve):
        with pytest.raises(ShapeError, match="b has a row for each one of"):
            function(a, b)
        with pytest.raises(ShapeError, match=r"shape\[-2\] == "):
            function(a[:2, ...], b)
        with pytest.raises(ShapeError, match=r"ndim >= 2: 1 < 2"):
            function(b, b)
        with pytest.raises(DTypeError):
            function(backend.asarray(np.eye(3, dtype=np.int64)), b)
        with pytest.raises(DTypeError):
            function(a, backend.asarray(np.ones(3, np.float32)))
