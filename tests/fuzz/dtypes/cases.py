"""What is swept: the catalogue of the contract tests, as functions of a tree of arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from contract.cases import LAYERS, LOSSES
from contract.functions import ALL

import portanet as pn
from portanet import trees
from portanet.random import Key

# Their draws are compared with a probability, and so depend on the dtype.
_RANDOM = ("alpha_dropout", "dropout", "rrelu")
# The derivative of their weights, a product of two inputs, leaves float16 by itself.
_SQUARING = ("WeightNorm of the other axis", "PairwiseFusion, joined by a layer")


@dataclass(frozen=True)
class Case:
    """A function of a tuple of trees, and the tuple, in float64.

    So many of its entries are `inputs`, which come in any magnitude; what follows are parameters.
    Libraries in `terms` add so many numbers one after another in a kernel of their own.
    """

    name: str
    call: Callable[[Any], Any]
    given: Any
    smooth: bool = True
    inputs: int | None = None
    terms: Mapping[str, int] = field(default_factory=dict)

    def takes(self, magnitude: float) -> bool:
        """Whether the inputs may be scaled so: probabilities and the like are at most 1."""
        inputs = self.given if self.inputs is None else self.given[: self.inputs]
        floats = [x for x in trees.leaves(inputs) if getattr(x, "dtype", None) == np.float64]
        shares = all(((x >= 0) & (x <= 1)).all() for x in floats)
        return magnitude <= 1 or not (shares or self.name.startswith(_SQUARING))


def cases(seed: int = 0) -> Iterator[Case]:
    """Yield every layer in both modes, every loss and every function."""
    for name, layer_case in LAYERS.items():
        layer = layer_case.make()
        x = layer_case.inputs(np.random.default_rng(seed), 4)
        ps, st = pn.setup(seed, layer, dtype="float64")
        for mode, state in (("train", pn.train_mode(st)), ("test", pn.test_mode(st))):
            if mode == "train" and any(isinstance(leaf, Key) for leaf in trees.leaves(st)):
                continue
            yield Case(
                f"{name}, {mode}",
                lambda given, layer=layer: layer(*given),
                (x, ps, state),
                mode in layer_case.smooth,
                1,
            )
    for name, loss_case in LOSSES.items():
        loss = loss_case.make()
        if getattr(loss, "epsilon", 0) is None:  # by default that of the dtype
            loss = dataclasses.replace(loss, epsilon=0.001)  # pyright: ignore
        given = loss_case.inputs(np.random.default_rng(seed), 4)
        yield Case(name, lambda given, loss=loss: loss(*given), given)
    for name, case in ALL.items():
        if case.name in _RANDOM:
            continue
        given = case.inputs(np.random.default_rng(seed), 4)
        given = given if isinstance(given, tuple) else (given,)
        yield Case(name, lambda given, call=case.call: call(*given), given, case.smooth)
