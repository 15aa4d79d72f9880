"""What every public function keeps, and its values, derivatives, limits and seams."""

from __future__ import annotations

import math

import numpy as np
import pytest
from contract.activations import ELEMENTWISE
from contract.functions import ALL, FUNCTIONS
from contract.probes import (
    check_close,
    check_derivatives,
    check_home,
    check_identical,
    check_rounding,
    compiled,
    dtypes,
    in_all_modes,
    of_floats,
    on_numpy,
    other_dtypes,
    outlined,
    place,
    spare,
    to_numpy,
    to_second_order,
)

import portanet as pn
from portanet import trees
from portanet.testing import Snapshot

every_function = pytest.mark.parametrize("case", ALL.values(), ids=ALL)
elementwise = pytest.mark.parametrize("name", ELEMENTWISE)


def _inputs(case, n=4):
    inputs = case.inputs(np.random.default_rng(2), n)
    return inputs if isinstance(inputs, tuple) else (inputs,)


def _function(backend, case, dtype="float64", n=4):
    return of_floats(case.call, *place(backend, _inputs(case, n), dtype))


@every_function
def test_the_dtype_and_the_device_are_kept(backend, case):
    for dtype in other_dtypes(backend):
        if dtype == "longdouble" and case.of_lapack:
            continue
        function, floats = _function(backend, case, dtype)
        results = outlined(backend, lambda xs, f=function: to_second_order(f, xs), floats)
        check_home(backend, results, dtype)


@every_function
def test_nothing_is_changed(backend, case):
    args = place(backend, _inputs(case), "float32")
    before = Snapshot(args)
    check_identical(case.call(*args), case.call(*args))
    before.check()
    if backend.name != "jax":  # whose arrays cannot be changed
        function, floats = of_floats(case.call, *args)
        in_all_modes(function, floats)
        before.check()


@every_function
def test_a_batch_without_samples_keeps_its_shape(backend, case):
    if not case.per_sample:
        pytest.skip("the samples depend on each other")
    function, floats = _function(backend, case)
    like = trees.leaves(function(floats))
    function, floats = _function(backend, case, n=0)
    outputs, _, tangents, _ = outlined(backend, lambda xs: to_second_order(function, xs), floats)
    assert [tuple(y.shape) for y in outputs] == [(0, *y.shape[1:]) for y in like]
    check_home(backend, (outputs, tangents), "float64")


@every_function
def test_derivatives_are_those_of_finite_differences(backend, case):
    if backend.name == "jax":
        pytest.skip("held to the numbers of NumPy, of any order, below")
    if case.smooth:
        check_derivatives(backend, case.call, *place(backend, _inputs(case)))


@every_function
@pytest.mark.usefixtures("host_draws")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_those_of_numpy(backend, case, dtype):
    spare(backend, dtype)
    run = to_second_order if dtype == "float64" else in_all_modes
    results = []
    for library in (backend, on_numpy(backend)):
        function, floats = _function(library, case, dtype)
        results.append(compiled(library, lambda xs, f=function: run(f, xs), floats))
    check_home(backend, results[0], dtype)
    slack = case.slack if backend.name == "torch" else 0.0
    check_rounding(*results, dtype, slack)


@pytest.mark.parametrize("case", [c for c in FUNCTIONS.values() if c.oracle], ids=lambda c: c.name)
def test_values_and_slopes_are_those_of_torch(backend, case):
    torch = pytest.importorskip("torch")
    inputs = _inputs(case)
    tensors = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    expected = trees.leaves(case.oracle(torch, *tensors))
    scalar = sum((y * y).sum() for y in expected)
    active = [t for t in tensors if t.requires_grad]
    slopes = torch.autograd.grad(scalar, active, allow_unused=True, materialize_grads=True)
    function, floats = of_floats(case.call, *place(backend, inputs))

    def run(xs):
        outputs, pullback = pn.vjp(function, xs)
        return outputs, pullback([2 * y for y in outputs])[0]

    actual = compiled(backend, run, floats)
    oracle = [y.detach().numpy() for y in expected], [g.numpy() for g in slopes]
    check_close(actual, oracle, rtol=max(1e-12, case.slack), atol=1e-13)


@elementwise
def test_large_numbers_have_finite_slopes_and_the_limits_are_right(backend, name):
    case, function = ELEMENTWISE[name], getattr(pn.functional, name)
    for dtype in set(dtypes(backend)) & {"float32", "float64"}:
        x = place(backend, np.asarray([-1e4, -50.0, 50.0, 1e4]), dtype)
        run, floats = of_floats(function, x)
        results = compiled(backend, lambda xs, f=run: to_second_order(f, xs), floats)
        assert all(np.all(np.isfinite(y)) for y in to_numpy(results))
        limits = [(at, y) for at, y in case.limits if not math.isnan(y)]
        ends = place(backend, np.asarray([at for at, _ in limits]), dtype)
        expected = np.asarray([y for _, y in limits])
        check_close(function(ends), expected, rtol=1e-6, atol=0)


@elementwise
def test_the_seams_have_one_slope_everywhere(backend, name):
    seams = ELEMENTWISE[name].seams
    function = getattr(pn.functional, name)
    x = backend.asarray(np.asarray([at for at, _ in seams]))
    ones = backend.asarray(np.ones(len(seams)))
    expected = np.asarray([slope for _, slope in seams])
    _, pullback = pn.vjp(function, x)
    reverse, forward = pullback(ones)[0], pn.jvp(function, (x,), (ones,))[1]
    check_close([reverse, forward], [expected, expected], rtol=1e-14, atol=0)


@elementwise
def test_arrays_without_axes_or_entries_have_derivatives(backend, name):
    for shape in ((), (0, 3)):
        x = backend.asarray(np.full(shape, 0.7))
        function, floats = of_floats(getattr(pn.functional, name), x)
        results = outlined(backend, lambda xs, f=function: to_second_order(f, xs), floats)
        assert {tuple(y.shape) for y in trees.leaves(results)} == {shape}
        check_home(backend, results, "float64")
