"""What every loss keeps and refuses, and its values and derivatives on every backend."""

from __future__ import annotations

import operator
import pickle

import numpy as np
import pytest
from contract.cases import LOSSES
from contract.probes import (
    check_derivatives,
    check_home,
    check_identical,
    check_rounding,
    compiled,
    dtypes,
    in_all_modes,
    of_floats,
    on_numpy,
    outlined,
    place,
    spare,
    to_second_order,
)

import portanet as pn
from portanet import trees
from portanet.errors import DTypeError, PortanetError, ShapeError
from portanet.testing import Snapshot

pytestmark = pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)


def _pair(backend, case, dtype="float64", n=4):
    return place(backend, case.inputs(np.random.default_rng(4), n), dtype)


def test_it_is_a_value(case):
    loss = case.make()
    assert loss == case.make()
    assert hash(loss) == hash(case.make())
    assert loss != pn.HuberLoss(delta=77.0)
    assert eval(repr(loss), {**vars(operator), **vars(pn)}) == loss
    assert pickle.loads(pickle.dumps(loss)) == loss


def test_the_dtype_the_device_and_the_arguments_are_kept(backend, case):
    loss = case.make()
    for dtype in dtypes(backend):
        pair = _pair(backend, case, dtype)
        before = Snapshot(pair) if dtype == "float32" else None
        function, floats = of_floats(loss, *pair)
        results = outlined(backend, lambda xs, f=function: in_all_modes(f, xs), floats)
        check_home(backend, results, dtype)
        (value,) = results[0]
        batch = (4,) if case.per_sample else trees.leaves(pair[0])[0].shape
        assert tuple(value.shape) == (tuple(batch) if loss.reduction == "none" else ())
        if before:
            check_identical(loss(*pair), loss(*pair))
            before.check()


def test_as_an_objective_it_passes_the_states_on(backend, case):
    loss = case.make()
    x, y = _pair(backend, case, "float32")
    model = pn.Chain(pn.NoOp(), pn.Dropout(0.5))
    if isinstance(x, tuple):
        model = pn.Parallel(None, model, pn.NoOp())
    ps, st = pn.setup(0, model, device=backend.place)
    value, new, stats = loss(model, ps, pn.test_mode(st), (x, y))
    check_identical(value, loss(x, y))
    assert stats == {}
    assert new == pn.test_mode(st)


def test_derivatives_are_those_of_finite_differences(backend, case):
    if backend.name == "jax":
        pytest.skip("held to the numbers of NumPy, of any order, below")
    check_derivatives(backend, case.make(), *_pair(backend, case))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_those_of_numpy(backend, case, dtype):
    spare(backend, dtype)
    run = to_second_order if dtype == "float64" else in_all_modes
    results = []
    for library in (backend, on_numpy(backend)):
        function, floats = of_floats(case.make(), *_pair(library, case, dtype))
        results.append(compiled(library, lambda xs, f=function: run(f, xs), floats))
    check_rounding(*results, dtype)


def test_a_batch_without_samples_has_no_mean(backend, case):
    loss = case.make()
    pair = _pair(backend, case, "float32", n=0)
    if loss.reduction == "mean":
        with pytest.raises(ShapeError, match="prediction has entries to average: its shape is"):
            loss(*pair)
        return
    value = loss(*pair)
    check_home(backend, value, "float32")
    if loss.reduction == "sum":
        assert float(value) == 0.0
    else:
        assert value.shape[0] == 0


def test_shapes_dtypes_and_arrays_have_to_agree(backend, case):
    if not case.of_arrays:
        pytest.skip("its arrays differ in shape or dtype")
    loss = case.make()
    x, y = _pair(backend, case, "float32")
    before = Snapshot(x, y)
    cases = [
        ((x, y[:1, ...]), ShapeError, r"prediction\.shape == target\.shape: \(4, .* != \(1, "),
        ((x[..., :1], y), ShapeError, r"prediction\.shape == target\.shape: "),
        ((x, y[0, ...]), ShapeError, r"prediction\.shape == target\.shape: "),
        (
            (x, pn.astype(y, "float64")),
            DTypeError,
            r"target\.dtype == prediction\.dtype: float64 != float32: convert",
        ),
        ((x, [[1.0]]), PortanetError, "list"),
    ]
    if not isinstance(loss, pn.CrossEntropyLoss | pn.FocalLoss):  # to which integers are labels
        integers = backend.asarray(np.ones(tuple(y.shape), np.int64))
        text = r'target\.dtype is floating: int64: convert it with pn\.astype\(target, "float32"\)'
        cases.append(((x, integers), DTypeError, text))
    for arguments, kind, text in cases:
        with pytest.raises(kind, match=text):
            loss(*arguments)
    before.check()
