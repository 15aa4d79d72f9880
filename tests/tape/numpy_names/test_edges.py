"""NumPy's functions at the edges of their domains: the plain call's dtypes, values and signs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import portanet as pn

N = np.asarray(1.5)
HALF = np.asarray(1.5, np.float16)
EMPTY = np.zeros(0, np.float32)
ROWS = np.zeros((2, 0), np.int64)
BOOLS = np.asarray([True, False, True])
BYTES = np.asarray([-3, 0, 100], np.int8)
WIDE = np.asarray([np.inf, -np.inf, -0.0, 0.0, np.nan, 2.0, -2.5, 7.1])
COMPLEX = np.asarray([1 + 2j, -0.5 + 0.3j, 0j])
PAIRS = np.asarray([[1.0, 2.0], [-0.5, 3.0], [0.2, 0.1]])

CASES = {
    "cumsum of a number": (lambda x: np.cumsum(x, axis=0), N),
    "cumprod of a number": (lambda x: x.cumprod(-1), N),
    "nancumsum of a number": (lambda x: np.nancumsum(x, axis=0), N),
    "argsort of a number": (lambda x: np.argsort(x, axis=0), N),
    "argpartition of a number": (lambda x: np.argpartition(x, 0, axis=0), N),
    "take from a number": (lambda x: np.take(x, [0, 0], axis=-1), N),
    "compress a number": (lambda x: np.compress([True], x, axis=0), N),
    "repeat a number": (lambda x: np.repeat(x, 2, axis=0), N),
    "repeats by name": (lambda x: np.repeat(x, repeats=2), WIDE),
    "repeats by name along an axis": (lambda x: np.repeat(a=x, repeats=3, axis=0), PAIRS),
    "sum of a short number": (lambda x: np.sum(x, axis=0, keepdims=True), HALF),
    "power of booleans": (lambda x: np.power(x, 2), BOOLS),
    "operator of booleans": (lambda x: x**2, BOOLS),
    "power by a half": (lambda x: np.power(x, 0.5), WIDE),
    "operator by a half": (lambda x: x**0.5, WIDE),
    "power by -1": (lambda x: np.power(x, -1), COMPLEX),
    "operator by -1": (lambda x: x**-1, COMPLEX),
    "conjugates of booleans": (lambda x: x.conj(), BOOLS),
    "conjugates of numbers": (lambda x: x.conjugate(), COMPLEX),
    "einsum of bytes": (lambda x: np.einsum("...i->...", x), BYTES),
    "einsum of booleans": (lambda x: np.einsum("i,i->", x, x), BOOLS),
    "largest of none": (lambda x: np.max(x, initial=2.0), EMPTY),
    "smallest of none": (lambda x: np.min(x, axis=1, keepdims=True, initial=3), ROWS),
    "extremes of no rows": (lambda x: np.max(x, axis=0, initial=3), ROWS),
    "parts of extremes": (np.modf, WIDE),
    "parts of integers": (np.modf, BYTES),
    "unwrap extremes": (np.unwrap, WIDE[[1, 5, 7, 6]]),
    "choose by booleans": (lambda x: np.choose(x, [x, PAIRS[:, 0]]), BOOLS),
    "vander of nothing": (np.vander, EMPTY),
    "take no rows along": (
        lambda x: np.take_along_axis(x[:1], np.zeros((0, 2), np.int64), axis=1),
        PAIRS,
    ),
    "take one row along more": (
        lambda x: np.take_along_axis(x[:1], np.ones((2, 1), np.int64), axis=1),
        PAIRS,
    ),
    "cross product of one pair": (lambda x: np.cross(x[0], x[1]), PAIRS),
    "cross products of pairs": (lambda x: np.cross(x, x[::-1], axisc=0), PAIRS),
    "median of nothing": (lambda x: np.median(x, axis=1, keepdims=True), ROWS),
    "median of no rows": (lambda x: np.median(x, axis=0), ROWS),
    "quantiles of no rows": (lambda x: np.quantile(x, [0.3, 0.5], axis=0), ROWS),
    "quantiles of nothing": (lambda x: np.nanquantile(x, [0.3, 0.5], axis=1), ROWS),
    "median of no number": (np.nanmedian, EMPTY),
    "softmax of wrapping bytes": (special.softmax, np.asarray([0, 3], np.uint8)),
    "softmax of bytes": (special.softmax, BYTES // 50),
    "log_softmax of bytes": (special.log_softmax, BYTES // 50),
    "where not boolean": (lambda x: np.where(x, x * 2, -1.5), WIDE),
    "where of complex": (lambda x: np.where(x, 1.0, x), COMPLEX),
    "where of integers": (lambda x: np.where(x, x, 0.5), BYTES),
    "a complex number times a sum": (lambda x: 2j * np.sum(x), PAIRS),
    "a sum times a complex number": (lambda x: np.sum(x) * 2j + 1j, PAIRS),
    "a complex number minus bytes": (lambda x: 1j - x, BYTES),
    "vecdot of bytes": (lambda x: np.vecdot(x, x), BYTES // 50),
    "vecdot of booleans": (lambda x: np.vecdot(x, x), BOOLS),
    "set a number under a mask": (lambda x: pn.functional.at(x)[x > 0].set(0.5), N),
    "differences of nothing": (lambda x: np.diff(x, axis=-1), ROWS),
}


def signs(x):
    """The signs of numbers, which NaN has none of that means anything."""
    parts = (x.real, x.imag) if x.dtype.kind in "fc" else ()
    return [(np.signbit(part) & ~np.isnan(part)).tolist() for part in parts]


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:.*2-dimensional vectors")
@pytest.mark.parametrize("name", CASES)
def test_edges(name):
    function, x = CASES[name]
    expected, jitted = function(x), pn.jit(function)
    for _ in range(2):
        found = jitted(x)
        for a, e in zip(pn.trees.leaves(found), pn.trees.leaves(expected), strict=True):
            e = np.asarray(e)  # a complex number of Python in two of the cases
            assert a.dtype == e.dtype
            np.testing.assert_allclose(a, e, rtol=1e-3 if e.dtype == np.float16 else 1e-14)
            assert signs(a) == signs(e)


@pytest.mark.parametrize("function", [np.sort, np.unwrap, np.diff, np.quantile])
def test_a_number_has_no_axis(function):
    args = (0.3,) if function is np.quantile else ()
    for run in (function, pn.jit(lambda x, *args, axis: function(x, *args, axis=axis))):
        with pytest.raises((ValueError, IndexError)):
            run(N, *args, axis=0)


def test_derivative_of_the_fraction():
    for x in (np.asarray([1.0, 2.5, -3.0]), np.asarray(-0.25)):
        slopes = pn.grad(lambda x: np.sum(3 * np.modf(x)[0] + np.modf(x)[1]))(x)
        np.testing.assert_array_equal(slopes, np.full(x.shape, 3.0))


@pytest.mark.parametrize(
    "function",
    [
        np.std,
        lambda x: np.var(x / 2),
        np.mean,
        np.linalg.norm,
        lambda x: x.std(axis=0),
        lambda x: np.sum(x, axis=0),
    ],
)
def test_float16_gives_one_answer_wherever_it_is_traced(function):
    """Sums and squares are taken in float32, where NumPy's own of a plain array overflow."""
    x = np.full((2000, 2), 350, np.float16)
    x[::2] = -300
    want = function(x.astype(np.float64)).astype(np.float16)
    for run in (
        lambda: pn.vjp(function, x)[0],
        lambda: pn.jvp(function, (x,), (x,))[0],
        lambda: pn.jit(function)(x),
        lambda: pn.jit(lambda x: pn.vjp(function, x)[0])(x),
        lambda: pn.vmap(function)(x[None])[0],
    ):
        got = run()
        assert got.dtype == np.float16
        np.testing.assert_array_equal(got, want)
