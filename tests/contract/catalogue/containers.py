"""Cases of containers."""

from __future__ import annotations

import operator

from contract.catalogue.builders import NO_VALUES, TRAIN, LayerCase, floats, several

import portanet as pn


def _task_and_batch(rng, n):
    """Draw what a generator gets, which is no batch, and the input of its core."""
    return rng.normal(size=3), rng.normal(size=(n, 2))


LAYERS = {
    "AlternatePrecision": LayerCase(
        lambda: pn.AlternatePrecision(
            pn.Chain(pn.Dense(3, 4, pn.tanh), pn.BatchNorm(4), pn.Dense(4, 2)), "float64"
        ),
        floats(3),
        f"model.layer.layer_2: {NO_VALUES}",
        TRAIN,
    ),
    "Frozen": LayerCase(
        lambda: pn.Frozen(pn.Chain(pn.Dense(3, 4, pn.tanh), pn.Dense(4, 2)), "layer_1"), floats(3)
    ),
    "Frozen, all of it": LayerCase(lambda: pn.Frozen(pn.Dense(3, 2, pn.tanh)), floats(3)),
    "HyperNet": LayerCase(
        lambda: pn.HyperNet(pn.Dense(3, 12, pn.tanh), pn.Chain(pn.Dense(2, 4), pn.Dropout(0.3))),
        _task_and_batch,
    ),
    "Tied": LayerCase(
        lambda: pn.Tied(
            pn.Chain(pn.Dense(3, 3, pn.tanh), pn.Dense(3, 3), out=pn.Dense(3, 3)),
            ("layer_1.weight", "out.weight"),
            ("layer_1.bias", "layer_2.bias"),
        ),
        floats(3),
    ),
    "Maxout": LayerCase(lambda: pn.Maxout(lambda: pn.Dense(3, 2), 3), floats(3)),
    "Chain": LayerCase(
        lambda: pn.Chain(
            pn.Dense(3, 4, pn.gelu),
            pn.BatchNorm(4),
            pn.softplus,
            pn.Dropout(0.5),
            head=pn.Dense(4, 2),
        ),
        floats(3),
        f"model.layer_2: {NO_VALUES}",
        TRAIN,
    ),
    "Chain without layers": LayerCase(lambda: pn.Chain(), floats(3)),
    "Parallel": LayerCase(
        lambda: pn.Parallel(operator.mul, pn.Dense(3, 2), second=pn.Dense(4, 2)),
        several(floats(3), floats(4)),
    ),
    "Parallel, joined by a layer": LayerCase(
        lambda: pn.Parallel(pn.Bilinear(2, 3), pn.Dense(3, 2), pn.Dense(3, 2, pn.tanh)), floats(3)
    ),
    "Parallel, not joined": LayerCase(
        lambda: pn.Parallel(None, pn.BatchNorm(3), pn.NoOp()),
        floats(3),
        f"model.layer_1: {NO_VALUES}",
        TRAIN,
    ),
    "BranchLayer": LayerCase(
        lambda: pn.BranchLayer(pn.Dense(3, 2), pn.Dense(3, 2), fusion=operator.sub), floats(3)
    ),
    "BranchLayer, not joined": LayerCase(
        lambda: pn.BranchLayer(left=pn.Dense(3, 2), right=pn.tanh), floats(3)
    ),
    "PairwiseFusion": LayerCase(
        lambda: pn.PairwiseFusion(operator.add, pn.Dense(3, 2), pn.Dense(2, 4, pn.tanh)),
        several(floats(3), floats(2), floats(4)),
    ),
    "PairwiseFusion, joined by a layer": LayerCase(
        lambda: pn.PairwiseFusion(pn.Bilinear(3, 3), pn.Dense(3, 3), pn.Dropout(0.5)), floats(3)
    ),
    "SkipConnection": LayerCase(
        lambda: pn.SkipConnection(pn.Chain(pn.Dense(3, 4, pn.tanh), pn.Dense(4, 3)), operator.add),
        floats(3),
    ),
    "SkipConnection, joined by a layer": LayerCase(
        lambda: pn.SkipConnection(pn.Dense(3, 2), pn.Bilinear((2, 3), 4)), floats(3)
    ),
    "RepeatedLayer": LayerCase(
        lambda: pn.RepeatedLayer(pn.Chain(pn.Dense(3, 3, pn.tanh), pn.Dropout(0.3)), repeats=3),
        floats(3),
    ),
    "RepeatedLayer with injection": LayerCase(
        lambda: pn.RepeatedLayer(
            pn.Parallel(operator.add, pn.Dense(3, 3, pn.tanh), pn.Dense(3, 3)),
            repeats=2,
            input_injection=True,
        ),
        floats(3),
    ),
}
