"""What every optimizer keeps: its arguments, dtypes, structures; the same steps everywhere."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from contract.cases import RULES
from contract.probes import (
    EPSILON,
    check_close,
    check_home,
    check_identical,
    dtypes,
    of_floats,
    on_numpy,
    outlined,
    place,
    shapes,
    spare,
)

from portanet import optimizers, trees
from portanet.testing import Snapshot

pytestmark = pytest.mark.parametrize("make", RULES.values(), ids=RULES)


def _tree(seed):
    """Parameters of all shapes, among them none, and what is carried along untrained."""
    rng = np.random.default_rng(seed)
    return {
        "layer_1": {"weight": rng.normal(size=(2, 3)), "bias": rng.normal(size=3)},
        "layer_2": {},
        "nothing": None,
        "scalar": rng.normal(size=()),
        "empty": np.zeros((0, 3)),
        "pair": (rng.normal(size=2), [rng.normal(size=1)]),
    }


def _parameters(backend, dtype):
    extra = {"steps": np.asarray([1, 2]), "name": "carried along"}
    return place(backend, _tree(0) | extra, dtype)


def _gradients(backend, dtype, seed):
    return place(backend, _tree(seed) | {"steps": None, "name": None}, dtype)


def _train(backend, make, dtype, steps=3):
    ps = _parameters(backend, dtype)
    state = optimizers.setup(make(), ps)
    for seed in range(1, steps + 1):
        state, ps = optimizers.update(state, ps, _gradients(backend, dtype, seed))
    return state, ps


def test_it_is_a_value(make):
    rule = make()
    assert rule == make()
    assert hash(rule) == hash(make())
    assert rule != optimizers.SGD(0.77)
    names = {**vars(optimizers), **vars(optimizers.schedules)}
    assert eval(repr(rule), names) == rule
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_dtypes_and_devices_are_kept(backend, make):
    for dtype in dtypes(backend):

        def step(ps, gradients):
            return optimizers.update(optimizers.setup(make(), ps), ps, gradients)

        both = _parameters(backend, dtype), _gradients(backend, dtype, 1)
        function, floats = of_floats(lambda *both: step(*both)[1], *both)
        check_home(backend, outlined(backend, function, floats), dtype)
        # Squares of narrow gradients are kept in float32.
        wide = "float32" if dtype in ("float16", "bfloat16") else dtype
        function, floats = of_floats(lambda *both: step(*both)[0], *both)
        for x in outlined(backend, function, floats):
            assert x.dtype in (backend.dtype(dtype), backend.dtype(wide))


def test_structures_are_kept(backend, make):
    ps = _parameters(backend, "float32")
    state = optimizers.setup(make(), ps)
    new_state, new = optimizers.update(state, ps, _gradients(backend, "float32", 1))
    assert shapes(new) == shapes(ps)
    assert shapes(new_state) == shapes(state)
    assert new["steps"] is ps["steps"]
    assert new["name"] is ps["name"]


def test_nothing_is_changed_and_steps_repeat(backend, make):
    ps, gradients = _parameters(backend, "float32"), _gradients(backend, "float32", 1)
    state = optimizers.setup(make(), ps)
    state, ps = optimizers.update(state, ps, gradients)
    before = Snapshot(ps, gradients, state)
    first, second = (optimizers.update(state, ps, gradients) for _ in range(2))
    before.check()
    check_identical(first, second)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_are_those_on_numpy(backend, make, dtype):
    spare(backend, dtype)
    actual, expected = (_train(lib, make, dtype) for lib in (backend, on_numpy(backend)))
    check_close(actual, expected, rtol=64 * EPSILON[dtype], atol=16 * EPSILON[dtype])


def test_the_steps_move_with_the_gradient_and_a_missing_one_rests(backend, make):
    ps, gradients = _parameters(backend, "float64"), _gradients(backend, "float64", 1)
    state = optimizers.setup(make(), ps)
    gradients["scalar"] = None
    state, new = optimizers.update(state, ps, gradients)
    _, new = optimizers.update(state, new, gradients)
    assert new["scalar"] is ps["scalar"]
    step = trees.map_leaves(lambda a, b: a - b, ps["layer_1"], new["layer_1"])
    for dx, g in zip(trees.leaves(step), trees.leaves(gradients["layer_1"]), strict=True):
        xp = backend.xp
        assert float(xp.sum(dx * g)) > 0
