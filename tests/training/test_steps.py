"""train_steps takes the steps that as many calls of train_step take."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import errors, trees
from portanet.training import TrainState, train_step, train_steps

STEPS = 5
MODELS = {
    "Dense": lambda: pn.Chain(pn.Dense(3, 8, pn.tanh), pn.Dense(8, 2)),
    "BatchNorm": lambda: pn.Chain(pn.Dense(3, 8), pn.BatchNorm(8, pn.relu), pn.Dense(8, 2)),
    "Dropout": lambda: pn.Chain(pn.Dense(3, 8), pn.Dropout(0.5), pn.Dense(8, 2)),
}


def _start(backend, model):
    ps, st = pn.setup(0, model)
    rng = np.random.default_rng(1)
    xs, ys = (rng.normal(size=(STEPS, 4, n)).astype(np.float32) for n in (3, 2))
    ps, st, xs, ys = pn.device(backend.name)((ps, st, xs, ys))
    return TrainState(model, ps, st, pn.optimizers.Adam(0.01)), xs, ys


def _one_by_one(loss, batches, ts, **options):
    values = []
    for data in batches:
        value, _, ts = train_step(loss, data, ts, **options)
        values.append(value)
    return values, ts


def _check_same(backend, found, expected):
    (values, ts), (each, one) = found, expected
    assert values.shape == (len(each),)
    assert ts.step == one.step
    pairs = zip(trees.leaves(ts), trees.leaves(one), strict=True)
    listed = zip([values[i] for i in range(len(each))], each, strict=True)
    for x, y in [*pairs, *listed]:
        if hasattr(x, "dtype"):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(backend.to_numpy(x), backend.to_numpy(y))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("jit", [None, False])
def test_the_same_numbers_to_the_last_bit(backend, name, jit):
    ts, xs, ys = _start(backend, MODELS[name]())
    batches = [(xs[i, ...], ys[i, ...]) for i in range(STEPS)]
    expected = _one_by_one(pn.MSELoss(), batches, ts, jit=jit)
    for given in (batches, (xs, ys), iter(batches)):
        _check_same(backend, train_steps(pn.MSELoss(), given, ts, jit=jit), expected)
    assert ts.step == 0


def test_batches_of_several_shapes(backend):
    ts, xs, ys = _start(backend, MODELS["Dense"]())
    batches = [(xs[i, : 2 + i % 2, ...], ys[i, : 2 + i % 2, ...]) for i in range(STEPS)]
    expected = _one_by_one(pn.MSELoss(), batches, ts)
    _check_same(backend, train_steps(pn.MSELoss(), batches, ts), expected)


def test_the_memory_of_the_state_is_given_away(backend):
    ts, xs, ys = _start(backend, MODELS["Dense"]())
    batches = [(xs[i, ...], ys[i, ...]) for i in range(STEPS)]
    expected = _one_by_one(pn.MSELoss(), batches, ts)
    again, *_ = _start(backend, MODELS["Dense"]())
    _check_same(backend, train_steps(pn.MSELoss(), (xs, ys), again, donate=True), expected)


def test_a_batch_may_change_what_the_loss_reads():
    factor = [1.0]

    def loss(model, ps, st, data):
        value, st, stats = pn.MSELoss()(model, ps, st, data)
        return factor[0] * value, st, stats

    def batches():
        for i in range(STEPS):
            factor[0] = 1.0 + i // 2
            yield xs[i], ys[i]

    ts, xs, ys = _start(pn.backends.get_backend("numpy"), MODELS["Dense"]())
    expected = _one_by_one(loss, batches(), ts, jit=False)
    values, after = train_steps(loss, batches(), ts)
    np.testing.assert_allclose(values, expected[0], rtol=1e-5)
    assert after.step == STEPS


def test_a_step_that_raises_leaves_the_state_as_it_was():
    ts, xs, ys = _start(pn.backends.get_backend("numpy"), MODELS["Dense"]())
    before = [x.copy() for x in trees.leaves(ts.parameters)]

    def batches():
        yield xs[0], ys[0]
        yield xs[1], ys[1]
        yield xs[2][:, :2], ys[2]

    with pytest.raises(errors.ShapeError, match="in_features"):
        train_steps(pn.MSELoss(), batches(), ts)
    assert ts.step == 0
    for x, y in zip(trees.leaves(ts.parameters), before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("bad", [None, 3, "xy", {"x": 1}, object()])
def test_what_is_no_batches_is_refused(bad):
    ts, *_ = _start(pn.backends.get_backend("numpy"), MODELS["Dense"]())
    with pytest.raises(errors.ArgumentError, match="batches is an array"):
        train_steps(pn.MSELoss(), bad, ts)


def test_no_batches_and_arrays_without_a_common_first_axis_are_refused():
    ts, xs, ys = _start(pn.backends.get_backend("numpy"), MODELS["Dense"]())
    for nothing in ([], (xs[:0], ys[:0])):
        with pytest.raises(errors.ArgumentError, match="at least one batch"):
            train_steps(pn.MSELoss(), nothing, ts)
    for uneven in ((xs, ys[:2]), (xs, np.float32(1.0))):
        with pytest.raises(errors.ShapeError, match="first axis of all arrays"):
            train_steps(pn.MSELoss(), uneven, ts)
    with pytest.raises(errors.ArgumentError, match="TrainState"):
        train_steps(pn.MSELoss(), (xs, ys), "state")
