"""Bad input gets one error on every backend, with the path of the layer, and changes nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from contract.refusals import ATTENTION, MODEL, ones, refused, replaced

import portanet as pn
from portanet.errors import (
    BackendMismatchError,
    BackendNotAvailableError,
    DeviceError,
    DTypeError,
    ShapeError,
)
from portanet.testing import Snapshot


def test_a_wrong_feature_size(backend, program):
    x, ps, st = program
    refused(ShapeError, "model.layer_1: x.shape[-1] == in_features: 2 != 3", x[:, :2], ps, st)
    refused(
        ShapeError,
        f"{ATTENTION}: x.shape[-1] == in_features: 5 != 4",
        x,
        ps | {"layer_1": {"weight": ones(backend, 5, 3), "bias": ones(backend, 5)}},
        st,
        pn.Chain(dict(zip(MODEL.names, (pn.Dense(3, 5), *MODEL.layers[1:]), strict=True))),
    )


def test_a_wrong_rank(backend, program):
    x, ps, st = program
    text = "model.layer_1: x.ndim >= 1: 0 < 1: the features are the last axis of x"
    refused(ShapeError, text, backend.asarray(np.float32(1.0)), ps, st)
    refused(ShapeError, "model.layer_3: x.ndim >= 2: 1 < 2", x[0, :], ps, st)


def test_float64_meeting_float32(backend, program):
    x, ps, st = program
    wide = pn.astype(x, "float64")
    text = (
        "model.layer_1: x.dtype == weight.dtype: float64 != float32: convert the input with "
        'pn.astype(x, "float32") or build the parameters with '
        'pn.setup(rng, model, dtype="float64")'
    )
    refused(DTypeError, text, wide, ps, st)
    for path, relation, tree in [
        (("layer_1", "bias"), ("bias", "weight"), "ps"),
        (("layer_2", "layers", "attention", "bias"), ("bias", "weight"), "ps"),
        (("layer_3", "bias"), ("bias", "scale"), "ps"),
        (("layer_3", "running_var"), ("running_var", "running_mean"), "st"),
    ]:
        name, other = (f'{tree}["{entry}"]' for entry in relation)
        text = (
            f"model.{'.'.join(path[:-1])}: {name}.dtype == {other}.dtype: float64 != float32: "
            f'convert the whole tree with pn.astype({tree}, "float32")'
        )
        wrong = ones(backend, 4, dtype="float64")
        changed = replaced(ps if tree == "ps" else st, path, wrong)
        refused(DTypeError, text, x, *((changed, st) if tree == "ps" else (ps, changed)))


def test_integers_where_floats_belong(backend, program):
    x, ps, st = program
    integers = backend.asarray(np.ones((5, 3), np.int64))
    text = 'model.layer_1: x.dtype is floating: int64: convert it with pn.astype(x, "float32")'
    refused(DTypeError, text, integers, ps, st)
    refused(
        DTypeError,
        'model.layer_5: ps["bias"].dtype == ps["weight"].dtype: int64 != float32: convert the '
        'whole tree with pn.astype(ps, "float32")',
        x,
        replaced(ps, ("layer_5", "bias"), ones(backend, 2, dtype="int64")),
        st,
    )
    for layer in (pn.LayerNorm(3), pn.LayerNorm(3, affine=False), pn.Scale(3), pn.Dropout(0.5)):
        ps, st = pn.setup(0, layer, device=backend.place)
        with pytest.raises(DTypeError, match=r"^x\.dtype is floating: int64: convert it with"):
            layer(integers, ps, st)
    embedding = pn.Embedding(3, 2)
    with pytest.raises(DTypeError, match=r"^x\.dtype is an integer: float32: convert it with"):
        embedding(x, *pn.setup(0, embedding, device=backend.place))


def test_the_error_is_the_same_while_differentiating(backend, program):
    x, ps, st = program
    text = r"^model\.layer_5: x\.shape\[-1\] == in_features: 4 != 3"
    model = pn.Chain(*MODEL.layers[:-1], pn.Dense(3, 2))
    ps = ps | {"layer_5": {"weight": ones(backend, 2, 3), "bias": ones(backend, 2)}}
    before = Snapshot(x, ps, st)
    for differentiate in (
        lambda f: pn.vjp(f, ps),
        lambda f: pn.jvp(f, (ps,), (ps,)),
        lambda f: pn.jvp(lambda ps: pn.vjp(f, ps)[0], (ps,), (ps,)),
    ):
        with pytest.raises(ShapeError, match=text):
            differentiate(lambda ps: model(x, ps, st)[0])
    before.check()


def test_what_is_no_array(program):
    _, ps, st = program
    for wrong, name in (([[1.0, 2.0, 3.0]], "list"), (None, "NoneType"), (2.0, "float")):
        text = (
            f"model.layer_1: x is an array: got {name}: convert it first, for example with "
            "numpy.asarray(x, dtype=numpy.float32)"
        )
        refused(BackendMismatchError, text, wrong, ps, st)


def test_arrays_of_two_libraries(backend, program):
    x, ps, st = program
    other = "array_api_strict" if backend.name == "numpy" else "numpy"
    if pn.backends.available()[other] is not None:
        pytest.skip(f"{other} is not here")
    stranger = pn.device(other)

    def text(where, first, second):
        return (
            f"model.{where}: arrays of two libraries in one operation: {first} and {second}; move "
            f'them together with pn.device("{first}")(...)'
        )

    own = backend.name
    refused(BackendMismatchError, text("layer_1", other, own), stranger(x), ps, st)
    for tree, path, entries in [
        ("ps", ("layer_5",), (own, other)),
        ("ps", ("layer_5", "bias"), (other, own)),
        ("ps", ("layer_3", "bias"), (other, own)),
        ("st", ("layer_3", "running_mean"), (own, other)),
        ("st", ("layer_3", "running_var"), (other, own)),
    ]:
        entry = program[1] if tree == "ps" else program[2]
        for name in path:
            entry = entry[name]
        changed = replaced(ps if tree == "ps" else st, path, stranger(entry))
        trees = (changed, st) if tree == "ps" else (ps, changed)
        refused(BackendMismatchError, text(path[0], *entries), x, *trees)


def test_arrays_of_two_devices(backend, program):
    x, ps, st = program
    others = [d for d in backend.adapter.devices() if d != backend.device]
    if not others:
        pytest.skip(f"{backend.name} has one device here")
    name = backend.adapter.device_name(others[0])
    elsewhere = pn.device(f"{backend.name}:{name}")
    _, here = backend.place.split(":", 1)
    before = Snapshot(x, ps, st)
    for args, where in [
        ((elsewhere(x), ps, st), "layer_1"),
        ((x, replaced(ps, ("layer_1", "bias"), elsewhere(ps["layer_1"]["bias"])), st), "layer_1"),
        ((x, ps | {"layer_5": elsewhere(ps["layer_5"])}, st), "layer_5"),
    ]:
        with pytest.raises(DeviceError, match=rf"^model\.{where}: .*\.device == .*\.device: ") as e:
            MODEL(*args)
        assert name in str(e.value)
        assert here in str(e.value)
        assert str(e.value).endswith("move both with the same device, as in device((ps, st, x))")
    before.check()


def test_a_missing_backend(backend):
    with pytest.raises(BackendNotAvailableError, match=r"^unknown backend 'nothere'; known are"):
        pn.setup(0, MODEL, device="nothere")
    with pytest.raises(DeviceError, match=f"^{backend.name} has no device 'nowhere'; it has"):
        pn.setup(0, MODEL, device=f"{backend.name}:nowhere")
    for name, reason in pn.backends.available().items():
        if reason is not None:
            with pytest.raises(BackendNotAvailableError, match=re.escape(reason)):
                pn.setup(0, MODEL, device=name)
