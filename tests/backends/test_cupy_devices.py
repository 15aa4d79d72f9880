"""Arrays on a second CUDA device, while the first is the current one: all work is done there.

CuPy would do it on the current device, with a warning, which is an error here.
"""

from __future__ import annotations

import cupy
import numpy as np
import pytest
from contract.cases import LAYERS, LOSSES, RULES
from contract.functions import ALL
from contract.probes import of_floats

import portanet as pn
from portanet import trees
from portanet.backends import available
from portanet.backends.cupy import devices

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(available()["cupy"] is not None, reason=f"cupy: {available()['cupy']}"),
]
if available()["cupy"] is None and cupy.cuda.runtime.getDeviceCount() < 2:
    pytest.skip("there is one device", allow_module_level=True)


def there(tree):
    return pn.device("cupy:1")(tree)


def check(results):
    assert cupy.cuda.Device().id == 0
    for x in trees.leaves(results):
        if isinstance(x, cupy.ndarray):
            assert x.device.id == 1


def run(function, floats):
    """Call a function differentiated and recorded."""
    xp = pn.array_namespace(*floats)

    def total(xs):
        outputs = [y for y in trees.leaves(function(xs)) if hasattr(y, "dtype")]
        return sum(xp.sum(xp.real(y)) for y in outputs if xp.isdtype(y.dtype, "real floating"))

    recorded = pn.jit(function)
    for _ in range(2):
        check(recorded(floats))
    check(pn.grad(total)(floats))
    check(pn.jit(pn.grad(total))(floats))


@pytest.mark.sweep("cupy")
@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_layers(case):
    layer = case.make()
    ps, st = there(pn.setup(3, layer, dtype="float64"))
    x = there(case.inputs(np.random.default_rng(5), 4))
    function, floats = of_floats(lambda x, ps: layer(x, ps, st), x, ps)
    run(function, floats)


@pytest.mark.sweep("cupy")
@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_losses(case):
    loss, inputs = case.make(), there(case.inputs(np.random.default_rng(4), 4))
    check(loss(*inputs))
    run(*of_floats(loss, *inputs))


@pytest.mark.sweep("cupy")
@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_functions(case):
    inputs = case.inputs(np.random.default_rng(2), 4)
    run(*of_floats(case.call, *there(inputs if isinstance(inputs, tuple) else (inputs,))))


@pytest.mark.sweep("cupy")
@pytest.mark.parametrize("name", RULES)
def test_optimizers(name):
    ps = there({"layer_1": {"weight": np.ones((3, 2)), "bias": np.zeros(3)}})
    state = pn.optimizers.setup(RULES[name](), ps)
    for _ in range(2):
        state, ps = pn.optimizers.update(state, ps, ps)
        check((state, ps))


def test_training():
    model = pn.Chain(pn.Conv((3, 3), 1, 2, pn.relu), pn.Flatten(), pn.Dense(8, 3), pn.LayerNorm(3))
    ps, st = pn.setup(0, model)
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(5, 4, 4, 1)).astype(np.float32), rng.integers(3, size=5)
    ts, data = there((pn.training.TrainState(model, ps, st, pn.optimizers.Adam()), (x, labels)))
    for jit in (False, True, True):
        value, _, ts = pn.training.train_step(pn.CrossEntropyLoss(logits=True), data, ts, jit=jit)
        check((value, ts.parameters, ts.optimizer_state))
    key = pn.random.key(0)
    check(pn.random.normal(key, (3,), like=data[0]))


def test_an_index_out_of_range_is_noted_where_it_is():
    index, table = there((np.asarray([0, 7]), np.ones((3, 2), np.float32)))
    pn.functional.embedding(index, table)
    pn.backends.get_backend("cupy").to_numpy(cupy.ones(1))
    with pytest.raises(pn.errors.IndexRangeError):
        pn.cpu_device()(table)


def test_nothing_is_followed_without_a_driver(monkeypatch):
    """CuPy is imported there too, by whoever asks why it cannot be used."""

    def missing():
        raise cupy.cuda.runtime.CUDARuntimeError(35)

    devices.are_several.cache_clear()
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", missing)
    try:
        assert devices.following(len) is len
    finally:
        devices.are_several.cache_clear()
