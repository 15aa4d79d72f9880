"""``scipy.integrate.odeint`` on traced arrays: SciPy's own, and the primitive of autograd."""

from __future__ import annotations

import autograd.scipy.integrate
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from autograd import builtins

import portanet as pn
from portanet.errors import NoDerivativeError, TracedValueError

MATRIX = np.asarray([[-0.3, 1.2], [-0.8, -0.1]])
START = np.asarray([1.0, 0.3])
TIMES = np.asarray([0.0, 0.4, 1.1, 1.5])
WEIGHTS = np.arange(8.0).reshape(4, 2) - 3.0
TIGHT = {"rtol": 1e-11, "atol": 1e-11}


def linear(y, t, a):
    return np.dot(a, y)


def solved(y0, t, a):
    return scipy.integrate.odeint(linear, y0, t, (a,), **TIGHT)


def exact(y0, t, a):
    """The solution of ``dy/dt = a y`` by the exponential of a matrix."""
    return np.stack([scipy.linalg.expm(a * (s - t[0])) @ y0 for s in t])


def driven(y, t, p):
    """An equation that returns a list, depends on the time, and takes a tree."""
    force = p["force"][0] * np.sin(t)
    return [y[1], -p["k"] * np.sin(y[0]) + force * p["force"][1]]


TREE = {"k": np.asarray(1.7), "force": [np.asarray(0.6), np.asarray(-1.3)]}


def energy(y0, t, p, odeint=scipy.integrate.odeint):
    return np.sum(odeint(driven, y0, t, (p,), **TIGHT) ** 2 * WEIGHTS)


def slope(f, x, v):
    return pn.testing.slope(lambda s: [f(x + s * v)], 1e-2)[0]


def test_both_modes_against_the_exponential():
    given = (START, TIMES, MATRIX)
    directions = tuple(np.cos(np.arange(1.0, x.size + 1)).reshape(x.shape) for x in given)
    value, pull = pn.vjp(solved, *given)
    np.testing.assert_allclose(value, exact(*given), rtol=1e-8)
    for i, (part, v) in enumerate(zip(pull(WEIGHTS), directions, strict=True)):

        def f(x, i=i):
            return exact(*given[:i], x, *given[i + 1 :])

        expected = slope(f, given[i], v)
        assert np.sum(part * v) == pytest.approx(np.sum(WEIGHTS * expected), rel=1e-6)
        only = tuple(v if j == i else np.zeros_like(x) for j, x in enumerate(given))
        np.testing.assert_allclose(pn.jvp(solved, given, only)[1], expected, rtol=1e-6, atol=1e-7)


def test_a_tree_of_parameters_and_a_list_of_slopes():
    gradient = pn.grad(energy, argnums=2)(START, TIMES, TREE)
    expected = slope(lambda k: energy(START, TIMES, {**TREE, "k": k}), TREE["k"], 1.0)
    assert gradient["k"] == pytest.approx(expected, rel=1e-6)
    for i in range(2):

        def f(x, i=i):
            force = [x if j == i else y for j, y in enumerate(TREE["force"])]
            return energy(START, TIMES, {**TREE, "force": force})

        assert gradient["force"][i] == pytest.approx(slope(f, TREE["force"][i], 1.0), rel=1e-6)


def test_autograds_odeint_is_the_same():
    for argnum in range(3):
        given, place = [START, TIMES, TREE], argnum

        def through(x, given=given, place=place):
            y0, t, p = (*given[:place], x, *given[place + 1 :])
            p = builtins.tuple((p,)) if place == 2 else (p,)
            solution = autograd.scipy.integrate.odeint(driven, y0, t, p, **TIGHT)
            return np.sum(solution**2 * WEIGHTS)

        found = pn.grad(through)(given[argnum])
        expected = pn.grad(energy, argnums=argnum)(*given)
        pn.testing.assert_close(found, expected, rtol=1e-9)


def test_second_order():
    def f(y0):
        return energy(y0, TIMES, TREE)

    v = np.asarray([0.4, -0.7])
    expected = slope(pn.grad(f), START, v)
    np.testing.assert_allclose(pn.hvp(f, START, v), expected, rtol=1e-6)
    twice = pn.grad(lambda y0: np.sum(pn.grad(f)(y0) * v))(START)
    np.testing.assert_allclose(twice, expected, rtol=1e-6)


def test_recorded_and_batched():
    gradient = pn.grad(lambda y0, p: energy(y0, TIMES, p), argnums=(0, 1))
    replay = pn.jit(gradient)
    for scale in (1.0, 1.0, 1.5):
        given = (scale * START, {**TREE, "k": scale * TREE["k"]})
        pn.testing.assert_close(replay(*given), gradient(*given), rtol=1e-12)
    batch = np.stack([START, 2 * START])
    found = pn.vmap(lambda y0: gradient(y0, TREE)[0])(batch)
    np.testing.assert_allclose(found, [gradient(y0, TREE)[0] for y0 in batch], rtol=1e-12)


def test_options_of_the_equation():
    def jacobian(t, y, a):
        return a

    def function(t, y, a):
        return a @ y

    def f(a):
        y = scipy.integrate.odeint(
            function,
            START,
            TIMES,
            (a,),
            Dfun=jacobian,
            rtol=[1e-10, 1e-11],
            atol=1e-11,
            tfirst=True,
        )
        return np.sum(WEIGHTS * y)

    expected = pn.grad(lambda a: np.sum(WEIGHTS * solved(START, TIMES, a)))(MATRIX)
    np.testing.assert_allclose(pn.grad(f)(MATRIX), expected, rtol=1e-7)
    assert pn.vjp(f, MATRIX)[0] == f(MATRIX)


def test_one_number():
    def f(y0):
        return np.sum(scipy.integrate.odeint(lambda y, t: -y, y0, [0.0, 1.0], **TIGHT))

    assert pn.grad(f)(np.asarray(2.0)) == pytest.approx(1.0 + np.exp(-1.0), rel=1e-8)
    assert pn.grad(f)(np.asarray(2.0, np.float32)).dtype == np.float32


def test_refusals():

    def around(a):
        return scipy.integrate.odeint(lambda y, t: a * y, a * START, TIMES)[-1, 0]

    with pytest.raises(TracedValueError, match=r"odeint: func uses .* give it in args"):
        pn.grad(around)(np.asarray(0.5))

    def report(y0):
        return scipy.integrate.odeint(linear, y0, TIMES, (MATRIX,), full_output=1)[0][-1, 0]

    with pytest.raises(NoDerivativeError, match="odeint with full_output"):
        pn.grad(report)(START)


def test_an_error_of_the_equation_passes_through():
    def broken(y, t):
        return {}["missing"]

    with pytest.raises(KeyError, match="missing"):
        pn.grad(lambda y0: scipy.integrate.odeint(broken, y0, TIMES)[0, 0])(START)
