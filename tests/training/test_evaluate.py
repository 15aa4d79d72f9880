"""Evaluation, prediction, and losses of batches that are filled up."""

from __future__ import annotations

import numpy as np
import pytest
from training.problems import LABELS, LOSS, MODEL, TARGETS, X, fresh

import portanet as pn
from portanet.errors import ArgumentError, HyperparameterError, ShapeError, TracedValueError
from portanet.training import metrics
from portanet.training.known.known_steps import STEPS

RNG = np.random.default_rng(1)
SCORES = RNG.normal(size=(5, 4))
SOFT = np.exp(SCORES[::-1]) / np.exp(SCORES[::-1]).sum(axis=-1, keepdims=True)
CLASSES = np.asarray([0, 3, 1, 1, 2])
WEIGHTS = (1.0, 2.0, 0.5, 3.0)


def test_evaluation_is_in_test_mode_and_changes_nothing(backend):
    ts = fresh(backend.place)
    device = pn.device(backend.place)
    for data in (pn.data.DataLoader((X, LABELS), 8), pn.data.DataLoader((X, LABELS), 8, pad=True)):
        found = pn.training.evaluate(ts, LOSS, data, metrics=[metrics.Accuracy()])
        y, _ = MODEL(device(X), ts.parameters, pn.test_mode(ts.states))
        np.testing.assert_allclose(found["loss"], float(LOSS(y, device(LABELS))), rtol=1e-5)
        right = pn.cpu_device()(y).argmax(axis=-1) == LABELS
        assert found["accuracy"] == right.mean()


def test_programs_are_recorded_once_for_all_calls():
    pn.training.clear_steps()
    for _ in range(2):
        model = pn.Chain(pn.Dense(3, 4), pn.tanh)
        ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD())
        pn.training.predict(ts, X)
        pn.training.evaluate(ts, pn.MSELoss(), (X, np.ones((len(X), 4), np.float32)))
    assert [known.run.recordings for known in STEPS._steps] == [1, 1]


def test_prediction_in_batches(backend):
    ts = fresh(backend.place)
    y, _ = MODEL(pn.device(backend.place)(X), ts.parameters, pn.test_mode(ts.states))
    for size in (1, 8, 22, 1000):
        found = pn.training.predict(ts, X, batch_size=size)
        assert type(found) is type(y)
        np.testing.assert_allclose(backend.to_numpy(found), backend.to_numpy(y), rtol=1e-5)
    of_loader = pn.training.predict(ts, pn.data.DataLoader(X, 8))
    np.testing.assert_allclose(backend.to_numpy(of_loader), backend.to_numpy(y), rtol=1e-5)


def test_prediction_of_trees():
    def both(x, ps, st):
        return {"a": x["u"] + 1.0, "b": (x["v"], x["u"])}, st

    ts = pn.training.TrainState(both, {}, {}, pn.optimizers.SGD())
    found = pn.training.predict(ts, {"u": X, "v": TARGETS}, batch_size=4)
    np.testing.assert_array_equal(found["a"], X + 1.0)
    np.testing.assert_array_equal(found["b"][0], TARGETS)


def test_prediction_of_what_is_refused():
    with pytest.raises(ShapeError, match="data"):
        pn.training.predict(fresh(), {"x": X, "y": X[:3]})
    with pytest.raises(HyperparameterError, match="data has at least one sample"):
        pn.training.predict(fresh(), X[:0])
    with pytest.raises(ArgumentError, match="at least one batch"):
        pn.training.predict(fresh(), [])
    with pytest.raises(ArgumentError, match="data is"):
        pn.training.predict(fresh(), None)
    with pytest.raises(ArgumentError, match="ts is"):
        pn.training.evaluate(None, LOSS, (X, LABELS))


def test_what_cannot_be_recorded_says_how_to_do_without():
    def branching(y):
        return y if float(y.sum()) < 1e9 else -y

    model = pn.Chain(pn.Dense(3, 2), branching)
    ts = fresh(model=model)
    for verb in (
        lambda **options: pn.training.predict(ts, X, **options),
        lambda **options: pn.training.evaluate(ts, LOSS, (X, LABELS), **options),
    ):
        with pytest.raises(TracedValueError, match="With jit=False it is not recorded"):
            verb()
        verb(jit=False)


def test_the_mean_of_the_loss_is_weighted_by_the_samples():
    ts = fresh(model=pn.Dense(3, 1))
    whole = pn.training.evaluate(ts, pn.MSELoss(), (X, TARGETS))
    for size in (1, 5, 21):
        data = pn.data.DataLoader((X, TARGETS), size)
        found = pn.training.evaluate(ts, pn.MSELoss(), data)
        np.testing.assert_allclose(found["loss"], whole["loss"], rtol=1e-6)
