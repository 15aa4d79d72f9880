"""Guests: plain arrays in the namespace of traced ones, and what libraries ask of all of these."""

from __future__ import annotations

import array_api_compat
import numpy as np
import pytest

import portanet as pn
from portanet.errors import BackendMismatchError, TracedValueError
from portanet.tape import Box

X = np.asarray([0.3, -0.7, 1.2])
W = np.asarray([2.0, -1.0, 0.5])


def foreign(x):
    """A function as a library writes it: fresh arrays, filled piece by piece."""
    xp = array_api_compat.array_namespace(x)
    out = xp.zeros((2, *x.shape), dtype=x.dtype)
    out[0, ...] = x * x
    out[1, :] = xp.exp(x)
    out[:, 0] += 1.0
    weights = xp.arange(1.0, x.shape[0] + 1.0, dtype=x.dtype)
    array_api_compat.array_namespace(out, weights, x, xp.isnan(x), xp.sum(weights))
    return xp.sum(out * weights, axis=0) * xp.where(xp.isfinite(x), 1.0, 0.0)


def branching(x):
    """A function as a library writes it: conditions by operators, beside the arrays themselves."""
    xp = array_api_compat.array_namespace(x)
    low, high = x < 0.0, x >= 1.0
    array_api_compat.array_namespace(x, low, high, ~low & (x != 0.5))
    y = xp.where(low | high, x * x, xp.exp(x))
    return xp.where(low, -y, y)


def branching_plainly(x):
    xp = pn.array_namespace(x)
    y = xp.where(xp.logical_or(x < 0.0, x >= 1.0), x * x, xp.exp(x))
    return xp.where(x < 0.0, -y, y)


VERBS = {
    "grad": lambda f: pn.grad(lambda x: np.sum(f(x) * W))(X),
    "jit of grad": lambda f: pn.jit(pn.grad(lambda x: np.sum(f(x) * W)))(X),
    "vjp": lambda f: pn.vjp(f, X)[1](W)[0],
    "jvp": lambda f: pn.jvp(f, (X,), (W,)),
    "vmap": lambda f: pn.vmap(f)(np.stack([X, W])),
    "jit": lambda f: pn.jit(f)(X),
    "jit of vmap": lambda f: pn.jit(pn.vmap(f))(np.stack([X, W])),
    "hvp": lambda f: pn.hvp(lambda x: np.sum(f(x) * W), X, W),
    "jacobian": lambda f: pn.jacobian(f)(X),
    "vmap in grad": lambda f: pn.grad(lambda x: np.sum(pn.vmap(f)(np.stack([x, x]))))(X),
    "grad in vmap": lambda f: pn.vmap(pn.grad(lambda x: np.sum(f(x) * W)))(np.stack([X, W])),
    "checkpoint": lambda f: pn.grad(lambda x: np.sum(pn.checkpoint(f)(x) * W))(X),
    "scan": lambda f: pn.grad(lambda x: np.sum(pn.scan(lambda c, _: (f(c), c), x, None, 2)[0]))(X),
    "has_aux": lambda f: pn.grad(lambda x: (np.sum(x), f(x)), has_aux=True)(X),
}


def plainly(x):
    xp = pn.array_namespace(x)
    y = x * x + xp.exp(x)
    scale = np.asarray([2.0, 0.0, 0.0]) + 0.0
    return (xp.stack([x * x, xp.exp(x)]).sum(axis=0) + scale) * np.arange(1.0, 4.0) + 0.0 * y


@pytest.mark.parametrize("name", VERBS)
def test_comparisons_are_at_home_once_a_library_has_asked(name):
    found, expected = VERBS[name](branching), VERBS[name](branching_plainly)
    for a, e in zip(pn.trees.leaves(found), pn.trees.leaves(expected), strict=True):
        assert type(a) is type(e)
        np.testing.assert_allclose(a, e, rtol=1e-12)


def test_a_comparison_is_a_plain_array_until_then_and_can_be_used_as_one_after():
    plain = np.arange(3.0)

    def f(x):
        assert type(x > 0) is np.ndarray
        array_api_compat.array_namespace(x)
        mask = x > 0
        assert isinstance(mask, Box)
        assert plain[mask].tolist() == [0.0, 2.0]
        assert (np.asarray([True, True, False]) & mask).tolist() == [True, False, False]
        assert mask.any()
        assert not mask.all()
        assert [i for i in range(3) if x[i] > 0] == [0, 2]
        assert float(np.sum(mask)) == 2.0
        return np.sum(x * mask + x[mask].sum())

    np.testing.assert_array_equal(pn.grad(f)(X), [4.0, 0.0, 4.0])
    assert type(X > 0) is np.ndarray


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_differentiates_what_is_written_into_guests(name):
    found, expected = VERBS[name](foreign), VERBS[name](plainly)
    for a, e in zip(pn.trees.leaves(found), pn.trees.leaves(expected), strict=True):
        assert type(a) is type(e)
        assert not isinstance(a, Box)
        np.testing.assert_allclose(a, e, rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in VERBS if n not in ("scan", "has_aux")])
def test_a_result_that_is_a_guest_comes_out_as_what_it_holds(name):
    def held(x):
        out = x.__array_namespace__().zeros(3)
        out[...] = x * x
        return out

    found, expected = VERBS[name](held), VERBS[name](lambda x: x * x)
    for a, e in zip(pn.trees.leaves(found), pn.trees.leaves(expected), strict=True):
        assert type(a) is type(e)
        np.testing.assert_allclose(a, e, rtol=1e-12)


def test_what_a_library_asks_of_an_array():
    def ask(x):
        xp = array_api_compat.array_namespace(x)
        assert array_api_compat.is_array_api_obj(x)
        assert array_api_compat.is_writeable_array(x)
        assert not array_api_compat.is_numpy_array(x)
        assert array_api_compat.size(x) == 3
        assert array_api_compat.device(x) == "cpu"
        assert array_api_compat.to_device(x, "cpu") is x
        assert xp.__array_api_version__ >= "2023.12"
        info = xp.__array_namespace_info__()
        assert info.default_dtypes()["real floating"] == np.float64
        assert "cpu" in info.devices()
        assert xp.isdtype(xp.result_type(x, xp.float32), "real floating")
        for attribute in ("T", "device", "dtype", "ndim", "shape", "size"):
            assert hasattr(x, attribute)
        return xp.sum(x * x)

    for run in (pn.grad(ask), pn.jit(ask), lambda x: pn.vmap(ask)(x[None])):
        run(X)
    ask(pn.lift(X))


def test_every_function_of_the_standard_is_there():
    strict = pytest.importorskip("array_api_strict")
    missing = []

    def look(x):
        xp = x.__array_namespace__()
        for name in strict.__all__:
            own = name.startswith("ArrayAPIStrict") or name.endswith("_flags")
            if not own and name not in ("Device", "__version__") and not hasattr(xp, name):
                missing.append(name)
        for extension in ("linalg", "fft"):
            of = getattr(xp, extension)
            missing.extend(n for n in getattr(strict, extension).__all__ if not hasattr(of, n))
        return x[0]

    pn.grad(look)(X)
    assert missing == []


class TestLift:
    def test_meets_traced_arrays_and_stays_constant(self):
        y = pn.lift(W)

        def f(x):
            xp = array_api_compat.array_namespace(x, y)
            return xp.sum(x * y + y * y)

        np.testing.assert_array_equal(pn.grad(f)(X), W)
        np.testing.assert_array_equal(pn.jit(pn.grad(f))(X), W)
        np.testing.assert_array_equal(pn.vmap(f)(np.stack([X, X])), [np.sum(X * W + W * W)] * 2)

    def test_can_be_looked_at(self):
        y = pn.lift(W)
        assert float(y[0]) == 2.0
        assert y.tolist() == [2.0, -1.0, 0.5]
        np.testing.assert_array_equal(np.asarray(y), W)
        assert bool((y > 0)[0])
        assert [X[int(i)] for i in pn.lift(np.asarray([2, 0]))] == [1.2, 0.3]
        np.testing.assert_array_equal(X[pn.lift(np.asarray([2, 0]))], [1.2, 0.3])

    def test_never_writes_into_the_array_of_the_caller(self):
        mine = W.copy()
        with pytest.raises(TracedValueError, match="cannot be written in place"):
            pn.lift(mine)[0] = 1.0
        np.testing.assert_array_equal(mine, W)

    def test_is_taken_by_every_verb_as_the_array_in_it(self):
        y = pn.lift(X)
        np.testing.assert_array_equal(pn.grad(lambda x: np.sum(x * x))(y), 2 * X)
        np.testing.assert_array_equal(pn.vmap(lambda x: x * 2)(y), 2 * X)
        np.testing.assert_array_equal(pn.jvp(lambda x: x * x, (y,), (y,))[1], 2 * X * X)

    def test_on_every_backend(self, backend):
        x = backend.asarray(X)
        y = pn.lift(x)
        total = pn.array_namespace(x, y).sum(x * y)
        assert float(total) == pytest.approx(float(np.sum(X * X)))

    @pytest.mark.parametrize("x", [None, "text", [1.0], 3.0])
    def test_takes_arrays_only(self, x):
        with pytest.raises((BackendMismatchError, TypeError)):
            pn.lift(x)


def test_values_of_an_inner_derivative_do_not_get_into_an_outer_guest():
    def outer(x):
        buffer = x.__array_namespace__().zeros(3)

        def inner(w):
            buffer[0] = w[0]
            return np.sum(w)

        pn.grad(inner)(x)
        return np.sum(buffer)

    with pytest.raises(TracedValueError, match="was made outside of the derivative"):
        pn.grad(outer)(X)


def test_a_view_of_a_guest_settles_it():
    def f(x):
        buffer = x.__array_namespace__().zeros((2, 3))
        row = buffer[0]
        buffer[0] = x
        return np.sum(row)

    with pytest.raises(TracedValueError, match="cannot be written in place"):
        pn.grad(f)(X)


def test_functions_of_autograd_take_guests():
    anp = pytest.importorskip("autograd.numpy")
    y = pn.lift(X)
    np.testing.assert_allclose(pn.grad(lambda x: anp.sum(anp.sin(y) * x))(X), np.sin(X))


@pytest.mark.parametrize("verb", VERBS)
def test_a_guest_is_part_of_an_index(verb):
    def picking(x):
        places = array_api_compat.array_namespace(x).asarray(np.asarray([2, 0, 2]))
        return x[places, ...] * x

    expected = VERBS[verb](lambda x: x[np.asarray([2, 0, 2])] * x)
    pn.trees.map_leaves(np.testing.assert_array_equal, VERBS[verb](picking), expected)
