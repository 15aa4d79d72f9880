"""The catalogue of the contract tests: how each public layer, loss and optimizer is made and fed.

`test_catalogue` fails when a public name has no case here or in `functions`. Inputs are NumPy
arrays in float64, drawn for a batch of `n` samples.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import portanet as pn
from portanet import initializers as init
from portanet import optimizers as opt

Builder = Callable[[np.random.Generator, int], Any]


def floats(*sample: int) -> Builder:
    """Draw normal numbers, an array of shape ``(n, *sample)``."""
    return lambda rng, n: rng.normal(size=(n, *sample))


def indices(high: int, *sample: int) -> Builder:
    """Draw integers from 0 up to `high`."""
    return lambda rng, n: rng.integers(0, high, size=(n, *sample))


def several(*builders: Builder) -> Builder:
    """Draw a tuple of inputs."""
    return lambda rng, n: tuple(builder(rng, n) for builder in builders)


@dataclass(frozen=True)
class LayerCase:
    """A layer, its input, and the modes that refuse a batch without samples, with the text."""

    make: Callable[[], pn.Layer]
    inputs: Builder
    refusal: str = ""
    refusing: tuple[str, ...] = ()


NO_VALUES = "values a channel >= 2: 0 < 2"
TRAIN = ("train",)


LAYERS = {
    "Dense": LayerCase(lambda: pn.Dense(3, 4, pn.tanh), floats(3)),
    "Dense, no bias, three axes": LayerCase(
        lambda: pn.Dense(3, 2, pn.relu, use_bias=False), floats(2, 3)
    ),
    "Dense, own initializers": LayerCase(
        lambda: pn.Dense(3, 2, init_weight=init.glorot_uniform(), init_bias=init.ones()),
        floats(3),
    ),
    "Scale": LayerCase(lambda: pn.Scale((2, 3), pn.sigmoid), floats(2, 3)),
    "Scale, no bias": LayerCase(lambda: pn.Scale(3, use_bias=False), floats(3)),
    "Bilinear": LayerCase(lambda: pn.Bilinear((2, 3), 4, pn.tanh), several(floats(2), floats(3))),
    "Bilinear, one input, no bias": LayerCase(
        lambda: pn.Bilinear(3, 2, use_bias=False), floats(2, 3)
    ),
    "Embedding": LayerCase(lambda: pn.Embedding(5, 3), indices(5, 2)),
    "LayerNorm": LayerCase(lambda: pn.LayerNorm(4, pn.tanh), floats(4)),
    "LayerNorm, two axes": LayerCase(lambda: pn.LayerNorm((2, 3), epsilon=0.01), floats(2, 3)),
    "LayerNorm, not affine": LayerCase(lambda: pn.LayerNorm(4, affine=False), floats(2, 4)),
    "BatchNorm": LayerCase(lambda: pn.BatchNorm(3, pn.tanh), floats(3), NO_VALUES, TRAIN),
    "BatchNorm, three axes": LayerCase(
        lambda: pn.BatchNorm(3, momentum=0.3), floats(2, 3), NO_VALUES, TRAIN
    ),
    "BatchNorm, not affine, no statistics": LayerCase(
        lambda: pn.BatchNorm(3, affine=False, track_stats=False),
        floats(2, 3),
        NO_VALUES,
        ("train", "test"),
    ),
    "Dropout": LayerCase(lambda: pn.Dropout(0.4), floats(2, 3)),
    "Dropout along one axis": LayerCase(lambda: pn.Dropout(0.5, axes=(0, -1)), floats(2, 3)),
    "Dropout of everything": LayerCase(lambda: pn.Dropout(1.0), floats(3)),
    "Flatten": LayerCase(lambda: pn.Flatten(), floats(2, 3)),
    "Reshape": LayerCase(lambda: pn.Reshape((3, 2)), floats(6)),
    "SelectDim": LayerCase(lambda: pn.SelectDim(1, -1), floats(3, 2)),
    "SelectDim with a range": LayerCase(lambda: pn.SelectDim(-1, range(0, 4, 2)), floats(2, 4)),
    "NoOp": LayerCase(lambda: pn.NoOp(), floats(3)),
    "WrappedFunction": LayerCase(lambda: pn.WrappedFunction(pn.softmax), floats(3)),
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


@dataclass(frozen=True)
class LossCase:
    """A loss, a prediction and a target."""

    make: Callable[[], pn.losses.Loss]
    inputs: Builder


def _distribution(rng: np.random.Generator, n: int) -> np.ndarray:
    weights = rng.uniform(0.1, 1.0, size=(n, 4))
    return weights / weights.sum(axis=-1, keepdims=True)


def _probability(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.uniform(0.05, 0.95, size=(n, 2))


_NUMBERS = several(floats(2, 3), floats(2, 3))
_CLASSES = several(_distribution, _distribution)
_SCORES = several(floats(4), _distribution)
_BINARY = several(_probability, _probability)
_LOGITS = several(floats(2), _probability)

LOSSES = {
    "MSELoss": LossCase(lambda: pn.MSELoss(), _NUMBERS),
    "MSELoss, sum": LossCase(lambda: pn.MSELoss(reduction="sum"), _NUMBERS),
    "MSELoss, none": LossCase(lambda: pn.MSELoss(reduction="none"), _NUMBERS),
    "MAELoss": LossCase(lambda: pn.MAELoss(), _NUMBERS),
    "MAELoss, none": LossCase(lambda: pn.MAELoss(reduction="none"), _NUMBERS),
    "HuberLoss": LossCase(lambda: pn.HuberLoss(), _NUMBERS),
    "HuberLoss, narrow, sum": LossCase(lambda: pn.HuberLoss(delta=0.3, reduction="sum"), _NUMBERS),
    "CrossEntropyLoss": LossCase(lambda: pn.CrossEntropyLoss(), _CLASSES),
    "CrossEntropyLoss, logits, smooth": LossCase(
        lambda: pn.CrossEntropyLoss(logits=True, label_smoothing=0.1, reduction="none"), _SCORES
    ),
    "CrossEntropyLoss, no epsilon": LossCase(
        lambda: pn.CrossEntropyLoss(epsilon=0.0, reduction="sum"), _CLASSES
    ),
    "BinaryCrossEntropyLoss": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(label_smoothing=0.2), _BINARY
    ),
    "BinaryCrossEntropyLoss, logits": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(logits=True, reduction="none"), _LOGITS
    ),
    "BinaryCrossEntropyLoss, no epsilon": LossCase(
        lambda: pn.BinaryCrossEntropyLoss(epsilon=0.0, reduction="sum"), _BINARY
    ),
}

RULES: dict[str, Callable[[], opt.Rule]] = {
    "SGD": lambda: opt.SGD(0.1),
    "SGD, momentum": lambda: opt.SGD(0.1, momentum=0.9),
    "SGD, Nesterov": lambda: opt.SGD(0.1, momentum=0.8, nesterov=True),
    "Adam": lambda: opt.Adam(0.01),
    "AdamW": lambda: opt.AdamW(0.01, weight_decay=0.1),
    "RMSProp": lambda: opt.RMSProp(0.01),
    "RMSProp, centered": lambda: opt.RMSProp(0.01, centered=True),
    "WeightDecay": lambda: opt.WeightDecay(0.1),
    "ClipGradient": lambda: opt.ClipGradient(0.5),
    "ClipNorm": lambda: opt.ClipNorm(0.5),
    "ClipGlobalNorm": lambda: opt.ClipGlobalNorm(0.5),
    "OptimizerChain": lambda: opt.OptimizerChain(
        opt.ClipGlobalNorm(1.0), opt.WeightDecay(0.01), opt.Adam(0.01)
    ),
}
