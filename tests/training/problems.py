"""Small problems to train on."""

from __future__ import annotations

import numpy as np

import portanet as pn
from portanet import trees

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 3)).astype(np.float32)
LABELS = (X[:, 0] > X[:, 1]).astype(np.int32)
TARGETS = (X @ np.asarray([[1.0], [-2.0], [0.5]], np.float32)).astype(np.float32)
MODEL = pn.Chain(pn.Dense(3, 6), pn.BatchNorm(6, pn.tanh), pn.Dropout(0.2), pn.Dense(6, 2))
LOSS = pn.CrossEntropyLoss(logits=True)


def fresh(place="numpy", model=MODEL, rule=None, seed=0):
    ps, st = pn.setup(seed, model)
    rule = rule or pn.optimizers.Adam(0.02)
    return pn.device(place)(pn.training.TrainState(model, ps, st, rule))


def loader(**options):
    return pn.data.DataLoader((X, LABELS), 8, **{"shuffle": True, "rng": 7, **options})


def fit(ts, loss, data, **options):
    return pn.training.fit(ts, loss, data, progress=False, **options)


def check_same(one, other):
    """Two trees have the same structure, and the same bits."""
    assert trees.flatten(one)[1] == trees.flatten(other)[1]
    host = pn.cpu_device()
    for a, b in zip(trees.leaves(host(one)), trees.leaves(host(other)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)


def check_same_history(one, other):
    assert one.stopped == other.stopped
    assert list(one) == list(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
