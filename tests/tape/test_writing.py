"""``x[i] = y`` on traced arrays: what NumPy does with plain ones, or an error that says why not."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import DTypeError, IndexRangeError, ShapeError, TracedValueError

X = np.random.default_rng(7).normal(size=(3, 4))
V = np.random.default_rng(8).normal(size=(3, 4))


def _add_twice(z, x):
    z[0] += x[1]
    z[:, 1] *= x[:, 0]
    part = z[1]
    z[1] = part


WRITES = {
    "an element": lambda z, x: z.__setitem__((1, 2), x[0, 0] ** 2),
    "a number": lambda z, x: z.__setitem__((0, -1), 2),
    "a row": lambda z, x: z.__setitem__(1, x[0] * 3),
    "a slice, broadcast": lambda z, x: z.__setitem__((slice(None), slice(1, 3)), x[:, :1]),
    "all": lambda z, x: z.__setitem__(Ellipsis, x[0]),
    "a mask and a number": lambda z, x: z.__setitem__(X > 0.2, 0.0),
    "a mask and values": lambda z, x: z.__setitem__(X > 0.2, x[X > 0.2] ** 2),
    "a mask of rows": lambda z, x: z.__setitem__(np.asarray([True, False, True]), x[:2]),
    "integers, one of them twice": lambda z, x: z.__setitem__([2, 0, 2], x * x),
    "a new axis": lambda z, x: z.__setitem__((None, 0), x[1:2]),
    "leading axes of length one": lambda z, x: z.__setitem__(0, x[None, :1]),
    "nothing": lambda z, x: z.__setitem__(slice(0, 0), 1.0),
    "integers into float64": lambda z, x: z.__setitem__(0, np.arange(4)),
    "itself": lambda z, x: z.__setitem__(0, z.copy()[1]),
    "an addition": lambda z, x: z.__setitem__(0, z[0] + x[2]),
    "two sums": _add_twice,
}


@pytest.fixture(params=WRITES)
def function(request):
    def written(x):
        z = np.tanh(x)
        WRITES[request.param](z, x)
        return z * z

    return written


def _slope(f, x):
    return (f(x + 1e-6 * V) - f(x - 1e-6 * V)) / 2e-6


def test_values_and_derivatives_are_those_of_numpy(function):
    for run in (lambda x: pn.vjp(function, x)[0], pn.jit(function)):
        np.testing.assert_allclose(run(X), function(X), rtol=1e-14)
    np.testing.assert_allclose(
        pn.jvp(function, (X,), (V,))[1], _slope(function, X), rtol=1e-6, atol=1e-7
    )
    gradient = pn.grad(lambda x: np.sum(function(x)))
    expected = np.sum(_slope(function, X))
    np.testing.assert_allclose(np.sum(gradient(X) * V), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(pn.jit(gradient)(X), gradient(X), rtol=1e-12)


def test_a_batch(function):
    batch = np.stack([X, X + 0.0])
    expected = np.stack([function(X)] * 2)
    np.testing.assert_allclose(pn.vmap(function)(batch), expected, rtol=1e-14)


REFUSED = {
    "an argument": lambda x: x.__setitem__(0, 1.0),
    "a view": lambda x: (x * 2)[1:].__setitem__(0, 1.0),
    "a view in another shape": lambda x: np.reshape(x * 2, (-1,)).__setitem__(0, 1.0),
    "an array of which there is a view": lambda x: (lambda z, part: z.__setitem__(0, 1.0))(
        *(lambda z: (z, z[1:]))(x * 2)
    ),
    "an array of which there is a view of a view": lambda x: (
        lambda z, part: z.__setitem__(0, 1.0)
    )(*(lambda z: (z, z[1:][1]))(x * 2)),
    "an array of which there were two views": lambda x: (
        lambda z, one, other: z.__setitem__(0, one)
    )(*(lambda z: (z, z[1], z[0]))(x * 2)),
    "one whose transpose there is": lambda x: (lambda z: (z.T, z.__setitem__(0, 1.0)))(x * 2),
    "one over which a loop has gone": lambda x: (lambda z, parts: z.__setitem__(0, 1.0))(
        *(lambda z: (z, list(z)))(x * 2)
    ),
    "one that an inner derivative holds": lambda x: (
        lambda z: (pn.vjp(np.exp, z), z.__setitem__(0, 1.0))
    )(x * 2),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "verb",
    [
        lambda f: pn.grad(f)(X),
        lambda f: pn.jvp(f, (X,), (V,)),
        lambda f: pn.vmap(f)(X[None]),
        lambda f: pn.jit(pn.grad(f))(X),
    ],
    ids=["grad", "jvp", "vmap", "jit"],
)
def test_refused_where_something_else_may_see_the_difference(verb, name):
    def f(x):
        REFUSED[name](x)
        return np.sum(x)

    with pytest.raises(TracedValueError, match="cannot be written in place"):
        verb(f)


def test_a_factor_of_an_inner_derivative_keeps_its_value():
    def outer(x):
        z = x * 2

        def inner(w):
            y = z * w
            z[0] = 5.0
            return np.sum(y)

        return np.sum(pn.grad(inner)(x))

    with pytest.raises(TracedValueError, match="cannot be written in place"):
        pn.grad(outer)(X)


def test_values_of_an_inner_derivative_do_not_get_out():
    def outer(x):
        z = x * 2

        def inner(w):
            z[0] = w[0]
            return np.sum(w)

        pn.grad(inner)(x)
        return np.sum(z)

    with pytest.raises(TracedValueError, match=r"x\[index\] = y: the result is not of"):
        pn.grad(outer)(X)


def test_all_names_of_an_array_get_the_new_value_and_older_results_keep_theirs():
    def f(x):
        z = x * 2
        other, before = z, z + 0
        z[0] = 0.0
        return np.sum(other) + 10 * np.sum(before)

    np.testing.assert_allclose(pn.grad(f)(X), [[20.0] * 4, [22.0] * 4, [22.0] * 4])


@pytest.mark.parametrize(
    ("key", "y", "error"),
    [
        (0, 1j, DTypeError),
        (0, np.ones(4, complex), DTypeError),
        (0, np.ones(3), ShapeError),
        ((0, 9), 1.0, IndexRangeError),
        (0, "text", DTypeError),
    ],
)
def test_bad_writes_change_nothing(key, y, error):
    def f(x):
        z = x * 2
        with pytest.raises(error):
            z[key] = y
        return np.sum(z)

    np.testing.assert_array_equal(pn.grad(f)(X), np.full_like(X, 2.0))


def test_an_index_that_differs_from_entry_to_entry():
    def f(x, i):
        z = x * 2
        z[i] = 0.0
        return z

    with pytest.raises(TracedValueError, match="another one in each entry"):
        pn.vmap(f)(X, np.asarray([0, 1, 2]))

    def clipped(x):
        z = x * 2
        z[z < 0] = 0.0
        return z

    np.testing.assert_array_equal(pn.vmap(clipped)(X), np.maximum(X * 2, 0))
    np.testing.assert_array_equal(pn.jit(clipped)(X), np.maximum(X * 2, 0))
