"""Every layer, loss and function of the catalogue is the same jitted, with its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from contract.cases import LAYERS, LOSSES
from contract.functions import ALL
from contract.probes import in_all_modes, of_floats, place
from tracing.same import check_jitted, check_same

import portanet as pn
from portanet import trees

MODES = {"train": pn.train_mode, "test": pn.test_mode}
CLOSE = {"rtol": 1e-10, "atol": 1e-11}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_layers(replayer, case, mode):
    layer = case.make()
    ps, st = pn.setup(3, layer)
    rng = np.random.default_rng(5)
    ps = trees.map_leaves(lambda x: x + rng.uniform(0.1, 0.5, x.shape).astype(x.dtype), ps)
    x, ps, st = place(replayer, (case.inputs(rng, 4), ps, MODES[mode](st)))
    jitted = check_jitted(layer, x, ps, st, **CLOSE)
    _, other = layer(x, ps, st)
    check_same(jitted(x, ps, other), layer(x, ps, other), **CLOSE)
    function, floats = of_floats(lambda x, ps: layer(x, ps, st), x, ps)
    check_jitted(lambda floats: in_all_modes(function, floats), floats, **CLOSE)


@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_losses(replayer, case):
    pair = place(replayer, case.inputs(np.random.default_rng(4), 4))
    check_jitted(case.make(), *pair, **CLOSE)
    function, floats = of_floats(case.make(), *pair)
    check_jitted(lambda floats: in_all_modes(function, floats), floats, **CLOSE)


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_functions(replayer, case):
    inputs = case.inputs(np.random.default_rng(2), 4)
    inputs = place(replayer, inputs if isinstance(inputs, tuple) else (inputs,))
    check_jitted(case.call, *inputs, **CLOSE)
    function, floats = of_floats(case.call, *inputs)
    check_jitted(lambda floats: in_all_modes(function, floats), floats, **CLOSE)


@pytest.mark.parametrize("name", ["Dropout", "Chain", "RepeatedLayer", "BatchNorm"])
def test_states_move_on_as_without_jit(recorder, name):
    case = LAYERS[name]
    layer = case.make()
    ps, st = pn.setup(0, layer)
    x, ps, st = place(recorder, (case.inputs(np.random.default_rng(1), 4), ps, st))
    jitted, other = pn.jit(layer), st
    for _ in range(4):
        (y, other), (expected, st) = jitted(x, ps, other), layer(x, ps, st)
        check_same((y, other), (expected, st), **CLOSE)
    assert jitted.cache_info()[:3] == (3, 1, 1)
