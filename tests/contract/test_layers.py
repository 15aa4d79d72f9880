"""What every layer keeps: dtype and device, its arguments, the structure of its states."""

from __future__ import annotations

import copy
import operator
import pickle
import re

import numpy as np
import pytest
from contract.cases import LAYERS
from contract.probes import (
    check_close,
    check_derivatives,
    check_home,
    check_identical,
    check_rounding,
    compiled,
    in_all_modes,
    of_floats,
    on_numpy,
    other_dtypes,
    outlined,
    place,
    shapes,
    spare,
    to_numpy,
    to_second_order,
)

import portanet as pn
from portanet import trees
from portanet.errors import ShapeError
from portanet.testing import Snapshot

pytestmark = pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
MODES = {"train": pn.train_mode, "test": pn.test_mode}


def _program(backend, case, dtype="float64", n=4):
    """Return a layer, an input, parameters away from their symmetric start, and states."""
    layer = case.make()
    ps, st = pn.setup(3, layer)
    rng = np.random.default_rng(5)
    ps = trees.map_leaves(lambda x: x + rng.uniform(0.1, 0.5, x.shape).astype(x.dtype), ps)
    return layer, *place(backend, (case.inputs(rng, n), ps, st), dtype)


def _function(layer, x, ps, st):
    """Return the call as a function of its floating inputs and parameters, and these."""
    return of_floats(lambda x, ps: layer(x, ps, st), x, ps)


def test_it_is_a_value(case):
    layer, other = case.make(), case.make()
    assert layer == other
    assert hash(layer) == hash(other)
    assert layer != pn.Dense(99, 98)
    assert copy.deepcopy(layer) == layer
    names = {**vars(operator), **vars(pn.initializers), **vars(pn)}
    assert eval(repr(layer), names) == layer
    assert str(layer)
    assert pickle.loads(pickle.dumps(layer)) == layer


def test_setup_draws_the_same_numbers_everywhere(backend, case):
    layer = case.make()
    expected = pn.setup(11, layer)
    actual = pn.setup(11, layer, device=backend.place)
    check_home(backend, actual, "float32")
    check_identical(pn.cpu_device()(actual), expected)
    wide = pn.setup(11, layer, device=backend.place, dtype="float64")
    check_home(backend, wide, "float64")
    check_close(wide, expected, rtol=0, atol=0)


def test_the_dtype_and_the_device_are_kept(backend, case):
    for dtype in other_dtypes(backend):
        layer, x, ps, st = _program(backend, case, dtype)
        for mode in MODES.values():
            function, floats = _function(layer, x, ps, mode(st))
            check_home(
                backend,
                outlined(backend, lambda xs, f=function: in_all_modes(f, xs), floats),
                dtype,
            )


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_changed_and_the_states_keep_their_structure(backend, case, mode):
    layer, x, ps, st = _program(backend, case, "float32")
    st = MODES[mode](st)
    if case.remembers:
        _, st = layer(x, ps, st)
    before = Snapshot(x, ps, st)
    y, new = layer(x, ps, st)
    before.check()
    assert shapes(new) == shapes(st)
    check_identical(layer(x, ps, st), (y, new))
    before.check()
    if mode == "test" and not case.remembers:
        check_identical(new, st)


def test_derivatives_change_nothing(backend, case):
    if backend.name == "jax":
        pytest.skip("arrays of JAX cannot be changed")
    function, floats = _function(*_program(backend, case, "float32"))
    before = Snapshot(floats)
    outputs, pullback = pn.vjp(function, floats)
    seeds = Snapshot(outputs)
    check_identical(pullback(outputs), pullback(outputs))
    pn.jvp(function, (floats,), (floats,))
    before.check()
    seeds.check()


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_without_samples_has_its_shape_or_is_refused(backend, case, mode):
    layer, x, ps, st = _program(backend, case, "float32")
    like = trees.leaves(layer(x, ps, MODES[mode](st))[0])
    layer, x, ps, st = _program(backend, case, "float32", n=0)
    st = MODES[mode](st)
    if mode in case.refusing:
        with pytest.raises(ShapeError, match=re.escape(case.refusal)):
            layer(x, ps, st)
        return
    function, floats = _function(layer, x, ps, st)
    outputs, gradients, _ = outlined(backend, lambda xs, f=function: in_all_modes(f, xs), floats)
    wanted = [(0, *y.shape[1:]) for y in like]
    assert [tuple(y.shape) for y in outputs[: len(like)]] == wanted
    assert shapes(gradients) == shapes(floats)
    assert all(np.all(g == 0) for g in to_numpy(gradients))


def test_derivatives_are_those_of_finite_differences(backend, case):
    if backend.name == "jax":
        pytest.skip("held to the numbers of NumPy, of any order, below")
    layer, x, ps, st = _program(backend, case)
    for mode in map(MODES.__getitem__, case.smooth):
        check_derivatives(backend, lambda x, ps, mode=mode: layer(x, ps, mode(st))[0], x, ps)


@pytest.mark.usefixtures("host_draws")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_those_of_numpy(backend, case, dtype):
    spare(backend, dtype)
    results = []
    for library in (backend, on_numpy(backend)):
        layer, x, ps, st = _program(library, case, dtype)
        functions = [_function(layer, x, ps, mode(st))[0] for mode in MODES.values()]
        _, floats = _function(layer, x, ps, st)
        run = to_second_order if dtype == "float64" else in_all_modes
        results.append(
            compiled(library, lambda xs, fs=functions, run=run: [run(f, xs) for f in fs], floats)
        )
    check_home(backend, results[0], dtype)
    check_rounding(*results, dtype)
