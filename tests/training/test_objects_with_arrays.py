"""Losses, layers and rules of one's own that hold arrays, which cannot say that they are equal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from training.problems import TARGETS, X, check_same, fit

import portanet as pn
from portanet.training import metrics


@dataclass(frozen=True, kw_only=True)
class Weighted(pn.losses.Loss):
    weights: np.ndarray
    reduction: str = "mean"

    def values(self, xp, prediction, target):
        return self.weights * (prediction - target) ** 2


@dataclass(frozen=True)
class Scaled(pn.Layer):
    by: np.ndarray

    def __call__(self, x, ps, st):
        return x * self.by, st


@dataclass(frozen=True)
class Descent(pn.optimizers.Rule):
    rates: np.ndarray

    elementwise = True

    def init(self, x):
        return ()

    def apply(self, state, x, g):
        return state, g * self.rates[0]


def weights(scale):
    return np.full((len(X), 1), scale, np.float32)


def rule(scale):
    return Descent(np.full(2, scale, np.float32))


PROBLEMS = {
    "loss": lambda scale: (pn.Dense(3, 1), Weighted(weights=weights(scale)), rule(0.1)),
    "layer": lambda scale: (
        pn.Chain(pn.Dense(3, 1), Scaled(weights(scale))),
        pn.MSELoss(),
        rule(0.1),
    ),
    "rule": lambda scale: (pn.Dense(3, 1), pn.MSELoss(), rule(scale)),
    "groups": lambda scale: (
        pn.Dense(3, 1),
        pn.MSELoss(),
        pn.optimizers.Groups({"bias": rule(scale)}, default=rule(0.1)),
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_each_is_trained_with_its_own(problem):
    """A step of one is never taken for that of another, recorded as not."""

    def trained(scale, **options):
        model, loss, own = PROBLEMS[problem](scale)
        ts = pn.training.TrainState(model, *pn.setup(0, model), own)
        ts, history = fit(
            ts,
            loss,
            (X, TARGETS),
            epochs=3,
            validation=(X, TARGETS),
            metrics=[metrics.R2Score()],
            **options,
        )
        check_same(pn.training.predict(ts, X), pn.training.predict(ts, X))
        return ts.parameters, history["loss"]

    pn.training.clear_steps()
    for scale in (1.0, 0.5, 1.0):
        parameters, losses = trained(scale)
        plain, expected = trained(scale, jit=False)
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
        for a, b in zip(*map(pn.trees.leaves, (parameters, plain)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_full_batches_are_minimised_for_each():
    found = []
    for scale in (1.0, 4.0):
        model, loss, own = PROBLEMS["loss"](scale)
        ts = pn.training.TrainState(model, *pn.setup(0, model), own)
        found.append(pn.training.minimize(ts, loss, (X, TARGETS), max_steps=3)[1].values[0])
    np.testing.assert_allclose(found[1], 4.0 * found[0], rtol=1e-6)
