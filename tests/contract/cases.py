"""The catalogue of the contract tests: how each public layer, loss and optimizer is made and fed.

`test_catalogue` fails when a public name has no case here or in `functions`.
"""

from __future__ import annotations

from contract.catalogue import (
    attention,
    containers,
    convolution,
    linear,
    losses,
    normalization,
    optimizers,
    recurrent,
    utility,
)
from contract.catalogue.builders import LayerCase

FAMILIES = (attention, convolution, linear, normalization, recurrent, utility, containers)

LAYERS: dict[str, LayerCase] = {k: case for family in FAMILIES for k, case in family.LAYERS.items()}
LOSSES = losses.LOSSES
RULES = optimizers.RULES
