"""jit on JAX: its own compiler, with keys and counters from outside."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from tracing.same import check_jitted, check_same

import portanet as pn
from portanet.errors import TracedValueError
from portanet.training import TrainState, train_step


@pytest.fixture
def adapter():
    pytest.importorskip("jax")
    return pn.backends.get_backend("jax")


def test_keys_differ_from_call_to_call(adapter):
    x = adapter.from_numpy(np.ones((2, 3)))

    def function(key, x):
        key, mine = key.split()
        return key, x * pn.random.normal(mine, x.shape, like=x), None, "text"

    jitted, key = pn.jit(function), pn.random.key(0)
    for _ in range(3):
        found = jitted(key, x)
        check_same(found, function(key, x))
        key = found[0]
    assert jitted.cache_info()[:3] == (2, 1, 1)
    assert "compiled" in jitted.explain(key, x)


def test_counters_and_draws_of_a_training_step(adapter):
    model = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.Dropout(0.5), pn.Dense(4, 2))
    ps, st = pn.setup(0, model, dtype="float64", device="jax")
    ts = other = TrainState(model, ps, st, pn.optimizers.Adam(0.05))
    rng = np.random.default_rng(0)
    batch = tuple(adapter.from_numpy(rng.normal(size=size)) for size in ((5, 3), (5, 2)))
    for _ in range(4):
        value, _, ts = train_step(pn.MSELoss(), batch, ts, jit=False)
        also, _, other = train_step(pn.MSELoss(), batch, other)
        check_same(also, value, 1e-10, 1e-12)
    check_same(other, ts, 1e-9, 1e-11)


def test_static_arguments_and_derivatives(adapter):
    x = adapter.from_numpy(np.linspace(0.0, 1.0, 4))
    check_jitted(lambda x, n: {"a": x**n, "b": n}, x, 3)
    jitted = pn.jit(lambda x: adapter.xp.sum(adapter.xp.sin(x)))
    check_same(pn.grad(jitted)(x), adapter.xp.cos(x))


def test_nothing_is_computed_before_it_is_compiled(adapter):
    x, seen = adapter.from_numpy(np.ones(3)), []

    def function(key, x):
        seen.append(adapter.is_traced(x))
        return pn.random.uniform(key, (3,), like=x) < x

    jitted = pn.jit(function)
    for _ in range(2):
        jitted(pn.random.key(0), x)
    assert seen == [True, True]  # what it does on the host, then what jax compiles


def test_outputs_of_every_kind(adapter):
    x, constant = adapter.from_numpy(np.ones(3)), adapter.from_numpy(np.arange(2.0))
    host = np.ones(2)

    def function(key, count, x):
        return x, constant, adapter.xp.zeros(2), host, "text", None, key, count + 1, x.shape

    jitted, args = pn.jit(function), (pn.random.key(0), 3, x)
    for _ in range(2):
        check_same(jitted(*args), function(*args))
    assert jitted.cache_info()[:3] == (1, 1, 1)


WRAPPERS = {
    "grad": lambda f, x: pn.grad(f)(x),
    "vmap": lambda f, x: pn.vmap(f)(x),
    "jit": lambda f, x: pn.jit(f)(x),
    "jax.jit": lambda f, x: pytest.importorskip("jax").jit(f)(x),
}
CAPTURING = {
    "used": lambda xp, w, x: w * xp.sum(x),
    "returned": lambda xp, w, x: w,
    "inside": lambda xp, w, x: pn.grad(lambda y: xp.sum(y * w * y))(x)[0],
    "unused": lambda xp, w, x: (w * 2.0, xp.sum(x))[1],
    "in a loop": lambda xp, w, x: pn.scan(lambda c, y: (c * w + y, None), x[0], x)[0],
}


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("capturing", CAPTURING.values(), ids=CAPTURING)
def test_no_program_holds_an_array_of_an_outer_trace(adapter, wrapper, capturing):
    xp, x = adapter.xp, adapter.from_numpy(np.linspace(0.5, 1.0, 3))

    def function(jit, w):
        w = xp.sum(w)
        inner = jit(lambda x: capturing(xp, w, x))
        value = inner(x) * inner(x) * w
        assert jit is not pn.jit or inner.cache_info() == (0, 0, 0, 0)
        return value

    found = wrapper(lambda w: function(pn.jit, w), x)
    check_same(found, wrapper(lambda w: function(lambda f: f, w), x))


def test_a_program_made_inside_of_a_derivative_is_kept(adapter):
    x = adapter.from_numpy(np.linspace(0.5, 1.0, 3))
    inner = pn.jit(adapter.xp.sin)
    for derivative in (pn.grad, lambda f: pn.jit(pn.grad(f))):
        check_same(derivative(lambda w: adapter.xp.sum(w * inner(x)))(x), adapter.xp.sin(x))
    check_same(inner(x), adapter.xp.sin(x))
    assert inner.cache_info().misses == 1


def test_a_key_of_the_outer_of_two_jitted_functions(adapter):
    x = adapter.from_numpy(np.ones(3))

    def function(jit, key, y):
        key, mine = key.split()
        inner = jit(lambda x: (key, x + pn.random.normal(mine, (3,), like=x)))
        return inner(x), inner(y)

    jitted = pn.jit(lambda key, y: function(pn.jit, key, y))
    for key in pn.random.key(1).split(3):
        check_same(jitted(key, x), function(lambda f: f, key, x))
    assert jitted.cache_info()[:2] == (2, 1)


def test_arrays_donated_twice_and_used_beside(adapter):
    def new():
        return adapter.from_numpy(np.arange(3.0))

    jitted = pn.jit(lambda parts, y: [x + y for x in parts], donate_argnums=0)
    for parts in ([new(), new()], [new()] * 2):
        check_same(jitted(parts, new()), [2.0 * new()] * 2)
    y = new()
    check_same(jitted([new(), y], y), [2.0 * new()] * 2)
    check_same(y, new())
    assert jitted.cache_info()[:2] == (2, 1)


REFUSED = {
    "if": (lambda x: x if x[0] > 0.0 else -x, "a condition on a value inside pn.jit"),
    "float": (lambda x: float(x[0]), "an array inside pn.jit has another value in each call"),
    "item": (lambda x: x[0].item(), "an array inside pn.jit has another value in each call"),
    "numpy": (np.asarray, "an array inside pn.jit has another value in each call"),
    "index": (lambda x: [1, 2][x.astype(int)[0]], "an array inside pn.jit has another value"),
    "mask": (lambda x: x[x > 0.5], "the shape of its result depends on values"),
    "device": (lambda x: pn.cpu_device()(x), "an array that jax is tracing cannot become"),
}


@pytest.mark.parametrize(("function", "text"), REFUSED.values(), ids=REFUSED)
def test_values_cannot_be_asked_for(adapter, function, text):
    jitted = pn.jit(function)
    for _ in range(2):
        with pytest.raises(TracedValueError, match=text):
            jitted(adapter.from_numpy(np.ones(3)))
    assert jitted.cache_info() == (0, 0, 0, 0)


def test_an_error_of_the_function_is_as_it_is(adapter):
    jitted = pn.jit(lambda x: {}["mine"])
    with pytest.raises(KeyError, match="mine"):
        jitted(adapter.from_numpy(np.ones(3)))
    assert jitted.cache_info() == (0, 0, 0, 0)


def test_keys_cannot_be_kept_beyond_the_call(adapter):
    x, kept = adapter.from_numpy(np.ones(3)), []
    pn.jit(lambda key, x: kept.append(key) or x)(pn.random.key(0), x)
    with pytest.raises(TracedValueError, match="was kept and used after the call"):
        kept[0].split()
    with pytest.raises(TracedValueError, match="was kept and used after the call"):
        pn.random.uniform(kept[0], (2,), like=x)


def test_keys_go_into_branches(adapter):
    def function(key, x):
        def noisy(key, x):
            return x + pn.random.normal(key, x.shape, like=x)

        return pn.cond(adapter.xp.sum(x) > 0, noisy, lambda key, x: 2.0 * x, key, x)

    jitted, x = pn.jit(function), adapter.from_numpy(np.ones(3))
    for key in pn.random.key(0).split():
        check_same(jitted(key, x), function(key, x))
        check_same(jitted(key, -x), -2.0 * x)


def test_a_program_holds_neither_inputs_nor_results_of_the_first_call(adapter):
    x = adapter.from_numpy(np.ones(3))
    jitted = pn.jit(lambda key, x: (key, 2.0 * x + pn.random.normal(key, (3,), like=x)))
    _, y = jitted(pn.random.key(0), x)
    held = [weakref.ref(x), weakref.ref(y)]
    del x, y
    gc.collect()
    assert [ref() for ref in held] == [None, None]
