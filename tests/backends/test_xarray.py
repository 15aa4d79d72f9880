"""Functions that build arrays of xarray around traced ones, and what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import BackendMismatchError, DTypeError, TracedValueError

xr = pytest.importorskip("xarray")

X = np.random.default_rng(0).normal(size=(3, 4))
V = np.cos(np.arange(12.0)).reshape(X.shape)


def labelled(x):
    return xr.DataArray(x, dims=("a", "b"), coords={"a": [1, 2, 3]})


LINE = xr.DataArray(np.arange(4.0), dims="b")

CALLS = {
    "sum": lambda x: (labelled(x) ** 2).sum(),
    "mean": lambda x: labelled(x) .mean("b") ** 2,
    "std": lambda x: labelled(x).std("a"),
    "max": lambda x: labelled(x).max("a"),
    "cumsum": lambda x: labelled(x).cumsum("a"),
    "diff": lambda x: labelled(x).diff("a") ** 2,
    "a universal function": lambda x: np.sin(labelled(x)),
    "apply_ufunc": lambda x: xr.apply_ufunc(np.tanh, labelled(x)),
    "sel": lambda x: labelled(x).sel(a=2) ** 2,
    "isel": lambda x: labelled(x).isel(b=slice(1, 3)) ** 2,
    "dot": lambda x: xr.dot(labelled(x), labelled(x)),
    "where": lambda x: labelled(x).where(labelled(x) > 0, 0) ** 2,
    "by names": lambda x: labelled(x).T * labelled(x) * LINE,
    "concat": lambda x: xr.concat([labelled(x), labelled(x) ** 2], "c"),
    "groupby": lambda x: labelled(x).groupby("a").mean() ** 2,
    "a data set": lambda x: xr.Dataset({"u": labelled(x) ** 2}).sum()["u"],
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_derivatives_and_replays(name):
    def f(x):
        return CALLS[name](x).data

    (slope,) = pn.testing.slope(lambda t: [np.asarray(f(X + t * V))])
    expected = np.asarray(f(X))
    g = np.sin(np.arange(expected.size)).reshape(expected.shape)
    value, pull = pn.vjp(f, X)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(np.sum(pull(g)[0] * V), np.sum(g * slope), rtol=1e-8)
    np.testing.assert_allclose(pn.jvp(f, (X,), (V,))[1], slope, rtol=1e-8, atol=1e-10)
    if name != "groupby":
        replay = pn.jit(f)
        for x in (X, X, 1.5 * X):
            np.testing.assert_allclose(replay(x), f(x), rtol=1e-13)


def test_rows_of_a_batch():
    def f(x):
        return (xr.DataArray(x, dims="b") ** 2).mean().data

    np.testing.assert_allclose(pn.vmap(pn.grad(f))(X), X / 2, rtol=1e-14)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: labelled(x).sum(), DTypeError, r"must be a real array, not DataArray"),
        (lambda x: labelled(x).values.sum(), TracedValueError, "no concrete value here"),
        (lambda x: np.sum(x * labelled(X)), BackendMismatchError, r"DataArray beside .*to_numpy"),
    ],
)
def test_refusals(f, error, message):
    with pytest.raises(error, match=message):
        pn.grad(f)(X)


def test_a_labelled_argument_is_refused():
    with pytest.raises(DTypeError, match=r"DataArray is no array: .*x\.to_numpy"):
        pn.grad(lambda d: (d**2).sum().data)(labelled(X))
