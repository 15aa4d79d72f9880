"""Third derivatives on torch, whose own kernels do not all have right ones: those of the tape."""

from __future__ import annotations

import numpy as np
import pytest
from contract.cases import LAYERS
from contract.functions import ALL
from contract.probes import of_floats

import portanet as pn
from portanet import trees

pytest.importorskip("torch")

NORMS = [name for name in LAYERS if "Norm" in name]


def third(function, floats):
    """Return the gradient of numbers made of a gradient of numbers made of a gradient."""
    xp = pn.array_namespace(*trees.leaves(floats))

    def first(values):
        leaves = trees.leaves(function(values))
        return sum((xp.sum(xp.sin(y)) for y in leaves if "float" in str(y.dtype)), 0.0)

    def second(values):
        return sum((xp.sum(g * g) for g in trees.leaves(pn.grad(first)(values))), 0.0)

    def last(values):
        pairs = zip(trees.leaves(pn.grad(second)(values)), trees.leaves(values), strict=True)
        return sum((xp.sum(h * xp.cos(x)) for h, x in pairs), 0.0)

    return pn.grad(last)(floats)


def check(call, inputs):
    found = []
    for library in ("numpy", "torch"):
        function, floats = of_floats(call, *pn.device(library)(inputs))
        found.append(pn.device("numpy")(third(function, floats)))
    scale = max(np.max(np.abs(y), initial=1e-9) for y in trees.leaves(found[0]))
    for expected, got in zip(*map(trees.leaves, found), strict=True):
        np.testing.assert_allclose(got / scale, expected / scale, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_functions(case):
    inputs = case.inputs(np.random.default_rng(2), 4)
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    try:
        function, floats = of_floats(case.call, *inputs)
        third(function, floats)
    except Exception:
        pytest.skip("it has no third derivative on the tape")
    check(case.call, inputs)


@pytest.mark.parametrize("name", NORMS)
def test_norms(name):
    layer = LAYERS[name].make()
    ps, st = pn.setup(3, layer, dtype="float64")
    x = LAYERS[name].inputs(np.random.default_rng(5), 4)
    check(lambda x, ps, st: layer(x, ps, st)[0], (x, ps, st))
