"""Arrays given by keyword: differentiated and refused like those given by position."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
from contract.called import as_called, by_keyword
from contract.functions import FUNCTIONS
from contract.probes import check_identical, in_all_modes, of_floats, place
from contract.refusals import ones

import portanet as pn
from portanet.checks import ArrayCheck, is_of_array
from portanet.errors import BackendMismatchError

F = pn.functional


def _takes_several_by_name(name):
    parameters = inspect.signature(getattr(F, name)).parameters.values()
    return sum(p.kind is p.POSITIONAL_OR_KEYWORD and is_of_array(p) for p in parameters) > 1


SEVERAL = {label: case for label, case in FUNCTIONS.items() if _takes_several_by_name(case.name)}


@pytest.mark.parametrize("case", SEVERAL.values(), ids=SEVERAL)
def test_they_are_differentiated_like_those_by_position(backend, case):
    if backend.name == "jax":
        pytest.skip("each mode is compiled, and differentiates what it is given all the same")
    function = getattr(F, case.name)
    inputs = place(backend, case.inputs(np.random.default_rng(2), 3))
    args, options = as_called(case, inputs if isinstance(inputs, tuple) else (inputs,))

    def named(*args):
        leading, rest = by_keyword(function, args, options)
        assert len(leading) < len(args)
        return function(*leading, **rest)

    def placed(*args):
        return function(*args, **options)

    expected = in_all_modes(*of_floats(placed, *args))
    check_identical(in_all_modes(*of_floats(named, *args)), expected)
    x, *rest = args  # a plain array, which finds the library's own kernel
    expected = in_all_modes(*of_floats(lambda *rest: placed(x, *rest), *rest))
    check_identical(in_all_modes(*of_floats(lambda *rest: named(x, *rest), *rest)), expected)


def _other_array(backend):
    other = "numpy" if backend.name != "numpy" else "array_api_strict"
    return pn.device(other)(np.ones(3, np.float32))


@pytest.mark.parametrize(
    "make",
    [
        lambda backend: 3,
        lambda backend: 2.5,
        lambda backend: [1.0, 1.0, 1.0],
        lambda backend: range(3),
        lambda backend: np.ma.masked_array(np.ones(3, np.float32), mask=[0, 1, 0]),
        _other_array,
    ],
    ids=["integer", "float", "list", "range", "masked array", "array of another library"],
)
def test_what_is_no_array_of_the_library_is_refused(backend, make):
    x, y, bad = ones(backend, 2, 3), ones(backend, 3), make(backend)
    for call in (
        lambda: F.layer_norm(x, y, bad),
        lambda: F.layer_norm(x, y, bias=bad),
        lambda: F.layer_norm(x, bias=bad),
        lambda: F.rms_norm(x, scale=bad),
        lambda: F.group_norm(x, scale=y, bias=bad, groups=1),
        lambda: F.batch_norm(x, y, y, bad, y),
        lambda: F.batch_norm(x, running_mean=y, running_var=bad),
        lambda: F.cosine_similarity(x, y=bad),
        lambda: F.weight_norm(v=x, g=bad),
        lambda: F.linear(x, x, bad),
    ):
        with pytest.raises(BackendMismatchError):
            call()


def test_a_parameter_of_another_library_is_refused_each_time(backend):
    x = ones(backend, 2)
    check = ArrayCheck(F.rms_norm)
    check((x,), {"scale": pn.Param(x)})
    with pytest.raises(BackendMismatchError, match=r"^arrays of two libraries in one operation"):
        check((x,), {"scale": pn.Param(_other_array(backend))})


def test_a_number_of_numpy_is_an_array_of_numpy_alone(backend):
    """A float64 is a number of Python too; what it is must not hang on what was seen before."""
    if backend.name == "numpy":
        pytest.skip("it is one of them")
    program = f"""
import numpy as np, portanet as pn
x = pn.device({backend.name!r})(np.ones((2, 2), np.float32))
for function in (pn.array_namespace, pn.backends.backend_of, pn.functional.rms_norm):
    try:
        function(x, np.float64(1.0))
    except pn.errors.BackendMismatchError:
        continue
    raise AssertionError(function)
"""
    path = os.pathsep.join(sys.path)  # with the stand-in for CuPy
    command = [sys.executable, "-c", program]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": path})


def test_functions_whose_first_array_has_another_name(backend):
    x, y = ones(backend, 2, 3), ones(backend, 2)
    by_name = F.spectral_norm(weight=x, u=y, v=ones(backend, 3))
    check_identical(by_name, F.spectral_norm(x, y, ones(backend, 3)))
    check_identical(
        F.weight_norm(v=x, g=ones(backend, 2, 1)), F.weight_norm(x, ones(backend, 2, 1))
    )


def test_masked_arrays_are_arrays_of_no_library():
    masked = np.ma.masked_array(np.ones(3), mask=[0, 1, 0])
    assert not pn.backends.is_array(masked)
    with pytest.raises(BackendMismatchError, match=r"^numpy\.ma\.MaskedArray is not an array"):
        pn.array_namespace(masked)
    with pytest.raises(pn.errors.DTypeError, match=r"not MaskedArray: convert it"):
        pn.grad(np.sum)(masked)
