"""`while_loop` on every library: values, forward mode, batches, and what a bound adds."""

from __future__ import annotations

import numpy as np
import pytest
from tracing.same import check_same

import portanet as pn
from portanet.errors import (
    ArgumentError,
    DTypeError,
    NoDerivativeError,
    ParameterTreeError,
    ShapeError,
)

A = np.asarray([2.0, 0.5, 100.0])


def root(a, max_steps=None):
    """The square root by Newton's method: how many steps it takes depends on `a`."""

    def going(x):
        return pn.array_namespace(x).abs(x * x - a) > 1e-13 * a

    return pn.while_loop(going, lambda x: 0.5 * (x + a / x), a, max_steps=max_steps)


def bounded(a):
    return root(a, 40)


def norm_of_powers(w, x):
    """Multiply by a matrix for as long as the result is small."""
    xp = pn.array_namespace(x)

    def going(carry):
        return xp.sum(carry["x"] ** 2) < 100.0

    def step(carry):
        return {"x": xp.tanh(carry["x"] @ w) + carry["x"], "n": carry["n"] + 1}

    start = {"x": x, "n": xp.asarray(0, device=pn.backends.backend_of(x).device_of(x))}
    carry = pn.while_loop(going, step, start, max_steps=20)
    return xp.sum(carry["x"] ** 2), carry["n"]


def kinds(jit, backend):
    if jit and backend.name == "torch":
        pytest.skip("torch: refused, see below")
    return pn.jit if jit else lambda function: function


@pytest.mark.parametrize("jit", [False, True])
def test_values_and_forward_mode_without_a_bound(backend, jit):
    wrap = kinds(jit, backend)
    function = wrap(lambda a: pn.jvp(root, (a,), (pn.array_namespace(a).ones_like(a),)))
    for a in A:
        value, tangent = function(backend.asarray(np.asarray(a)))
        np.testing.assert_allclose(backend.to_numpy(value), np.sqrt(a), rtol=1e-12)
        np.testing.assert_allclose(backend.to_numpy(tangent), 0.5 / np.sqrt(a), rtol=1e-12)


@pytest.mark.parametrize("jit", [False, True])
def test_each_entry_of_a_batch_takes_its_own_steps(backend, jit):
    wrap = kinds(jit, backend)

    def count(a):
        return pn.while_loop(lambda c: c[0] > 1.0, lambda c: (c[0] / 2.0, c[1] + 1.0), (a, a * 0.0))

    a = backend.asarray(A)
    values, counts = wrap(pn.vmap(count))(a)
    np.testing.assert_array_equal(backend.to_numpy(counts), [1.0, 0.0, 7.0])
    np.testing.assert_array_equal(backend.to_numpy(values), [1.0, 0.5, 0.78125])
    tangents = wrap(pn.vmap(lambda a: pn.jvp(root, (a,), (a,))[1]))(a)
    np.testing.assert_allclose(backend.to_numpy(tangents), 0.5 * np.sqrt(A), rtol=1e-12)


@pytest.mark.parametrize("jit", [False, True])
def test_a_bound_gives_reverse_mode(backend, jit):
    wrap = kinds(jit, backend)
    a = backend.asarray(A)
    rows = wrap(pn.vmap(pn.value_and_grad(bounded)))(a)
    second = wrap(pn.vmap(pn.hessian(bounded)))(a)
    for found, wanted in zip(
        (*rows, second), (np.sqrt(A), 0.5 / np.sqrt(A), -0.25 * A**-1.5), strict=True
    ):
        np.testing.assert_allclose(backend.to_numpy(found), wanted, rtol=1e-9)


@pytest.mark.parametrize("jit", [False, True])
def test_without_a_bound_reverse_mode_is_refused(backend, jit):
    wrap = kinds(jit, backend)
    with pytest.raises(NoDerivativeError, match=r"without a bound.*: give max_steps, loop with"):
        wrap(pn.grad(root))(backend.asarray(np.asarray(2.0)))


def test_torch_refuses_an_open_loop_inside_jit():
    torch = pytest.importorskip("torch")
    with pytest.raises(pn.errors.TracedValueError, match="leave this function out of jit"):
        pn.jit(root)(torch.tensor(2.0, dtype=torch.float64))


@pytest.mark.parametrize("name", ["numpy", "array_api_strict"])
@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: norm_of_powers(w, x),
        lambda w, x: pn.grad(lambda w, x: norm_of_powers(w, x)[0], (0, 1))(w, x),
        lambda w, x: pn.jvp(lambda w, x: norm_of_powers(w, x)[0], (w, x), (w, x)),
        lambda w, x: pn.hvp(lambda w: norm_of_powers(w, x)[0], w, w),
        lambda w, x: pn.jvp(pn.grad(lambda w: norm_of_powers(w, x)[0]), (w,), (w,)),
        lambda w, x: pn.vmap(norm_of_powers, (None, 0))(w, stacked(x, 2.0 * x, 3.0 * x)),
        lambda w, x: pn.vmap(norm_of_powers, (0, None))(stacked(w, -w), x),
    ],
    ids=["value", "gradient", "forward", "second", "forward of reverse", "batch", "weights"],
)
def test_recorded_loops_give_what_eager_ones_give(name, function):
    adapter = pn.backends.get_backend(name)
    rng = np.random.default_rng(0)
    w, x = (adapter.from_numpy(rng.normal(size=shape)) for shape in ((3, 3), (3,)))
    jitted = pn.jit(function)
    for scale in (1.0, 0.1, 1.0):
        check_same(jitted(w, x * scale), function(w, x * scale), rtol=1e-10, atol=1e-10)
    assert jitted.cache_info()[:3] == (2, 1, 1)


def stacked(*arrays):
    return pn.array_namespace(*arrays).stack(arrays)


def test_the_program_does_not_grow_with_the_bound():
    def lines(most):
        return len(pn.jit(pn.grad(lambda a: root(a, most))).source(np.asarray(2.0)).splitlines())

    assert lines(10) == lines(1000)


def test_the_bound_ends_a_loop(backend):
    x = backend.asarray(np.asarray(0.0))
    found = pn.while_loop(lambda x: x < 10.0, lambda x: x + 1.0, x, max_steps=3)
    assert float(found) == 3.0
    assert float(pn.while_loop(lambda x: x < 10.0, lambda x: x + 1.0, x, max_steps=0)) == 0.0


def test_a_random_key_is_carried():
    def function(key, x):
        def step(carry):
            key, x = carry
            key, own = key.split()
            return key, x + pn.random.uniform(own, (), like=x)

        return pn.while_loop(lambda carry: carry[1] < 3.0, step, (key, x))

    jitted = pn.jit(function)
    for seed in (0, 1, 2):
        arguments = pn.random.key(seed), np.asarray(0.0)
        check_same(jitted(*arguments), function(*arguments))


def test_a_loop_inside_a_scan_and_a_scan_inside_a_loop():
    def function(xs):
        total, ys = pn.scan(lambda c, x: (c + bounded(x + c), c), np.asarray(1.0), xs)
        inner = pn.while_loop(
            lambda c: c < 50.0, lambda c: pn.scan(lambda d, x: (d + x * c, None), c, xs)[0], total,
            max_steps=9,
        )  # fmt: skip
        return inner + np.sum(ys)

    gradient = pn.value_and_grad(function)
    check_same(pn.jit(gradient)(A), gradient(A), rtol=1e-11)


def test_results_are_arrays_of_their_own():
    x = np.asarray([1.0, 2.0])
    found = pn.jit(lambda x: pn.while_loop(lambda x: x[0] > 1.0, lambda x: x - 1.0, x))(x)
    found[...] = 7.0
    np.testing.assert_array_equal(x, [1.0, 2.0])


REFUSED = {
    "bound": (ArgumentError, "max_steps is an integer, at least 0", {"max_steps": -1}),
    "predicate": (ShapeError, r"condition\.shape == \(\)", {"condition": lambda x: x > 0.0}),
    "floating": (DTypeError, "condition is boolean, not float64", {"condition": np.sum}),
    "number": (ArgumentError, "condition is a boolean or an array of one", {"condition": len}),
    "shape": (ShapeError, r"carry: shape \(1,\) != \(2,\)", {"body": lambda x: x[:1]}),
    "structure": (ParameterTreeError, "carry", {"body": lambda x: (x, x)}),
    "function": (ArgumentError, "body is a function: got int", {"body": 1}),
}


@pytest.mark.parametrize(("kind", "text", "given"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit(kind, text, given):
    options = {"condition": lambda x: x[0] > 0.0, "body": lambda x: x - 1.0, **given}
    for wrap in (pn.jit, lambda function: function):
        with pytest.raises(kind, match=text):
            wrap(lambda x: pn.while_loop(init=x, **options))(np.ones(2))


@pytest.mark.parametrize("init", [None, 3, "text", [], {"a": 1.0}])
def test_a_carry_in_which_nothing_may_change(init):
    with pytest.raises(pn.errors.ArgumentError, match="init has an array or a random key"):
        pn.while_loop(lambda carry: carry < 3, lambda carry: carry, init)
