"""Every layer, loss and function of the catalogue is exported, and proved against itself."""

from __future__ import annotations

import os

import numpy as np
import pytest
from contract.cases import LAYERS, LOSSES
from contract.functions import ALL

import portanet as pn
from portanet import trees

OF_SEVERAL_LENGTHS = {"EmbeddingBag with offsets", "HyperNet"}
TARGETS = {"numpy": "made.py", "onnx": "made.onnx"}
# ndonnx has no linear algebra or Fourier transforms, scatters nothing, and rounds the cosine of
# float64 to float32, which the proof finds.
NOT_IN_ONNX = {
    "at", "cbrt", "cho_solve", "istft", "log_cosh", "rotary_tables", "solve_triangular", "stft"
}  # fmt: skip


_STEP = 1 if os.environ.get("PORTANET_SWEEPS") else 6  # of the models of ONNX that are tried


def cases(names):
    """Return pairs of a target and a name, of ONNX a share of them."""
    names = list(names)
    return [("numpy", x) for x in names] + [("onnx", x) for x in names[::_STEP]]


def export(target, folder, function, *examples, **options):
    if target == "onnx":
        pytest.importorskip("ndonnx")
        pytest.importorskip("onnxruntime")
    getattr(pn.export, target)(function, folder / TARGETS[target], *examples, **options)


@pytest.mark.filterwarnings("ignore:.*a lossy cast to 'float32'.*:UserWarning")
@pytest.mark.parametrize(("target", "name"), cases(LAYERS))
def test_layers(tmp_path, target, name):
    layer = LAYERS[name].make()
    ps, st = pn.setup(3, layer)
    st = pn.test_mode(st)
    x = LAYERS[name].inputs(np.random.default_rng(5), 4)
    x = trees.map_leaves(lambda x: x.astype(np.float32) if x.dtype.kind == "f" else x, x)
    axis = None if name in OF_SEVERAL_LENGTHS else 0
    export(target, tmp_path, lambda x: layer(x, ps, st)[0], x, batch_axis=axis)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses(tmp_path, name):
    loss = LOSSES[name].make()
    pair = LOSSES[name].inputs(np.random.default_rng(4), 4)

    def total(prediction, target):
        return np.sum(loss(prediction, target))

    export("numpy", tmp_path, pn.value_and_grad(total), *pair, batch_axis=None)


@pytest.mark.filterwarnings("ignore:.*a lossy cast to 'float32'.*:UserWarning")
@pytest.mark.parametrize(("target", "name"), cases(ALL))
def test_functions(tmp_path, target, name):
    if target == "onnx" and name in NOT_IN_ONNX:
        pytest.skip("what ndonnx lacks")
    inputs = ALL[name].inputs(np.random.default_rng(2), 4)
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    export(target, tmp_path, ALL[name].call, *inputs, batch_axis=None)
