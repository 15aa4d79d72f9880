"""Wrong trees and misspelt names get one error on every backend, and nothing is changed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from contract.refusals import ATTENTION, MODEL, TREE, ones, refused, replaced

import portanet as pn
from portanet.errors import (
    BackendMismatchError,
    ChildNameError,
    DTypeError,
    ParameterTreeError,
    PortanetError,
    ShapeError,
)
from portanet.testing import Snapshot


def test_a_wrong_parameter_tree(backend, program):
    x, ps, st = program
    names = ", ".join(map(repr, MODEL.names[:-1]))
    refused(
        ParameterTreeError,
        f"'layer_5' in ps: found {names}: {TREE}",
        x,
        replaced(ps, ("layer_5",), None),
        st,
    )
    path = ("layer_2", "layers", "attention", "bias")
    refused(
        ParameterTreeError,
        f"{ATTENTION}: 'bias' in ps: found 'weight': {TREE}",
        x,
        replaced(ps, path, None),
        st,
    )
    refused(
        ShapeError,
        f'{ATTENTION}: ps["bias"].shape == (out_features,): (4, 1) != (4,)',
        x,
        replaced(ps, path, ones(backend, 4, 1)),
        st,
    )
    refused(
        ParameterTreeError, f"model.layer_1: 'weight' in ps: found no entries: {TREE}", x, st, st
    )
    for wrong in (None, 3.0):
        text = f"'layer_1' in ps: found a {type(wrong).__name__}: {TREE}"
        refused(ParameterTreeError, text, x, wrong, st)


def test_wrong_states(program):
    x, ps, st = program
    for layer, entry, found in [
        ("layer_3", "training", "'running_mean', 'running_var'"),
        ("layer_4", "training", "'key'"),
        ("layer_4", "key", "'training'"),
    ]:
        text = f"model.{layer}: '{entry}' in st: found {found}: {TREE}"
        changed = replaced(st, (layer, entry), None)
        refused(ParameterTreeError, text, x, ps, changed | {"layer_3": changed["layer_3"]})
    text = (
        'model.layer_4: st["key"] is a portanet.random.Key: got a int: make one with '
        "pn.random.key(seed)"
    )
    refused(ParameterTreeError, text, x, ps, replaced(st, ("layer_4", "key"), 7))


def test_a_misspelt_child_name(program):
    x, ps, st = program
    known = ", ".join(map(repr, MODEL.names))
    text = f"Chain has no child 'layr_5': did you mean 'layer_5'? it has {known}"
    for look in (lambda: MODEL["layr_5"], lambda: MODEL.layr_5):
        with pytest.raises(ChildNameError, match=re.escape(text)):
            look()
    misspelt = {("layr_5" if name == "layer_5" else name): entry for name, entry in ps.items()}
    found = ", ".join(map(repr, misspelt))
    refused(ParameterTreeError, f"'layer_5' in ps: found {found}: {TREE}", x, misspelt, st)


def test_a_loss_with_shapes_that_differ(backend, program):
    x, ps, st = program
    before = Snapshot(x, ps, st)
    ts = pn.training.TrainState(MODEL, ps, st, pn.optimizers.Adam(0.1))
    text = r"^prediction\.shape == target\.shape: \(5, 2\) != \(5, 1\)"
    for step in (pn.training.compute_gradients, pn.training.train_step):
        with pytest.raises(ShapeError, match=text):
            step(pn.MSELoss(), (x, ones(backend, 5, 1)), ts)
    before.check()


def test_a_vector_of_two_libraries(backend):
    if backend.name == "numpy":
        pytest.skip("a number of NumPy is an array of it")
    with pytest.raises(BackendMismatchError, match=f"two libraries .* {backend.name} and numpy"):
        pn.ravel({"a": ones(backend, 2), "b": np.float64(0.5)})


def test_gradients_that_do_not_fit(backend, program):
    _, ps, _ = program
    state = pn.optimizers.setup(pn.optimizers.Adam(0.1), ps)
    before = Snapshot(ps, state)
    for wrong, kind, text in [
        (ones(backend, 4, 1), ShapeError, "gradient.shape == parameter.shape: (4, 1) != (4,)"),
        (
            ones(backend, 4, dtype="float64"),
            DTypeError,
            "gradient.dtype == parameter.dtype: float64 != float32: convert it with "
            'pn.astype(grads, "float32")',
        ),
    ]:
        gradients = replaced(ps, ("layer_1", "bias"), wrong)
        with pytest.raises(PortanetError) as caught:
            pn.optimizers.update(state, ps, gradients)
        assert type(caught.value) is kind
        assert str(caught.value) == f"parameter 'layer_1.bias': {text}"
    with pytest.raises(ParameterTreeError, match=r"missing \['layer_5\.bias', 'layer_5\.weight'\]"):
        pn.optimizers.update(state, ps, replaced(ps, ("layer_5",), None))
    before.check()
