"""Hyperparameters outside their domain are refused by the constructor, with their name."""

from __future__ import annotations

import dataclasses
import math
import operator

import pytest
from contract.cases import LAYERS, LOSSES, RULES

import portanet as pn
from portanet.errors import HyperparameterError

LEAVES = [case.make() for case in (*LAYERS.values(), *LOSSES.values())] + [
    make() for make in RULES.values()
]


def _fields(kind):
    """Return an instance and a name for each field of the catalogue of a kind of number."""
    found = {}
    for instance in LEAVES:
        for field in dataclasses.fields(instance):
            value = getattr(instance, field.name)
            if field.init and isinstance(value, kind) and not isinstance(value, bool):
                found.setdefault((type(instance).__name__, field.name), instance)
    return [pytest.param(x, name, id=f"{owner}.{name}") for (owner, name), x in found.items()]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, "0.1", True])
@pytest.mark.parametrize(("instance", "name"), _fields(float))
def test_a_number_that_is_none(instance, name, wrong):
    with pytest.raises(HyperparameterError) as caught:
        dataclasses.replace(instance, **{name: wrong})
    text = f"{type(instance).__name__}: {name} is a finite number: got {wrong!r}"
    assert str(caught.value) == text


@pytest.mark.parametrize("wrong", [math.nan, 2.5, "3", True])
@pytest.mark.parametrize(("instance", "name"), _fields(int))
def test_an_integer_that_is_none(instance, name, wrong):
    with pytest.raises(HyperparameterError) as caught:
        dataclasses.replace(instance, **{name: wrong})
    assert str(caught.value).startswith(f"{type(instance).__name__}: {name} is ")
    assert str(caught.value).endswith(f": got {wrong!r}")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.Dense(-1, 2), "Dense: in_features >= 1: got -1"),
        (lambda: pn.Dense(2, 0), "Dense: out_features >= 1: got 0"),
        (lambda: pn.Scale((2, -3)), "Scale: shape[1] >= 1: got -3"),
        (lambda: pn.Bilinear((2, -3), 4), "Bilinear: in_features[1] >= 1: got -3"),
        (lambda: pn.Bilinear((2, 3, 4), 4), "Bilinear: in_features has one or two sizes: got"),
        (lambda: pn.Embedding(-5, 2), "Embedding: vocabulary >= 1: got -5"),
        (lambda: pn.LayerNorm(()), "LayerNorm: shape has at least one size: got ()"),
        (lambda: pn.LayerNorm(3, epsilon=-1e-5), "LayerNorm: epsilon >= 0: got -1e-05"),
        (lambda: pn.BatchNorm(0), "BatchNorm: features >= 1: got 0"),
        (lambda: pn.BatchNorm(3, momentum=1.5), "BatchNorm: 0 <= momentum <= 1: got 1.5"),
        (lambda: pn.Dropout(-0.1), "Dropout: 0 <= p <= 1: got -0.1"),
        (lambda: pn.Reshape((2, -1)), "Reshape: shape[1] >= 1: got -1"),
        (lambda: pn.RepeatedLayer(pn.NoOp(), 0), "RepeatedLayer: repeats >= 1: got 0"),
        (lambda: pn.Maxout(), "Maxout: number of layers >= 1: got 0"),
        (lambda: pn.Dense(2, 3, "relu"), "Dense: activation is a function: got 'relu'"),
        (lambda: pn.Dense(2, 3, use_bias=1), "Dense: use_bias is True or False: got 1"),
        (lambda: pn.Chain(3), "Chain: every part is a layer or a function: got 3"),
        (lambda: pn.Parallel(3), "Parallel: connection is a function, a layer or None: got 3"),
        (lambda: pn.SkipConnection(pn.NoOp(), None), "SkipConnection: connection is a function:"),
        (lambda: pn.PairwiseFusion(None), "PairwiseFusion: connection is a function or a layer"),
        (
            lambda: pn.BranchLayer(pn.Dense, fusion=operator.add),
            "BranchLayer: every part is a layer or a function: got the class Dense: call it",
        ),
        (lambda: pn.HuberLoss(delta=0.0), "HuberLoss: delta > 0: got 0.0"),
        (lambda: pn.MSELoss(reduction="max"), "MSELoss: reduction is one of 'mean', 'sum', 'none'"),
        (
            lambda: pn.CrossEntropyLoss(label_smoothing=2.0),
            "CrossEntropyLoss: 0 <= label_smoothing <= 1: got 2.0",
        ),
        (lambda: pn.optimizers.SGD(-0.1), "SGD: lr >= 0: got -0.1"),
        (lambda: pn.optimizers.SGD(0.1, momentum=1.0), "SGD: 0 <= momentum < 1: got 1.0"),
        (lambda: pn.optimizers.SGD(0.1, nesterov=True), "SGD: nesterov needs momentum > 0: got"),
        (
            lambda: pn.optimizers.Adam(betas=(math.nan, 0.9)),
            "Adam: 0 <= betas[0] < 1: got nan",
        ),
        (lambda: pn.optimizers.Adam(epsilon=0.0), "Adam: epsilon > 0: got 0.0"),
        (lambda: pn.optimizers.ClipNorm(0.0), "ClipNorm: limit > 0: got 0.0"),
        (lambda: pn.optimizers.OptimizerChain(), "OptimizerChain: at least one rule: got none"),
    ],
)
def test_a_value_outside_its_domain(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value).startswith(text)
