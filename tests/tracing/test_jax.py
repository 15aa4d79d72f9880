"""jit on JAX: its own compiler, with keys and counters from outside."""

from __future__ import annotations

import numpy as np
import pytest
from tracing.same import check_jitted, check_same

import portanet as pn
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
