"""NumPy and SciPy on traced arrays: the plain call's values, and derivatives in every mode."""

from __future__ import annotations

import numpy as np
import pytest
from tape.numpy_names import mathematics, numbers, shapes
from tape.numpy_names.checks import (
    check_batches,
    check_derivatives,
    check_gradients,
    check_replays,
    check_values,
)

import portanet as pn

try:
    from tape.numpy_names.special import CASES as SPECIAL
except ImportError:  # SciPy is no part of every environment
    SPECIAL = []

NUMPY = [*shapes.CASES, *numbers.CASES, *mathematics.CASES]
CASES = [*NUMPY, *SPECIAL]

# What sums in another order than NumPy, or in C, where a compiler may contract products and sums.
OTHER_BITS = {
    "correlate", "einsum", "inner", "interp", "linalg.eigvalsh", "linalg.matrix_power",
    "logsumexp", "vdot", "vecdot",
}  # fmt: skip


@pytest.fixture(params=range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{i}")
def case(request):
    _, function, x = CASES[request.param]
    return function, x


@pytest.mark.parametrize("i", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{i}")
def test_values(i):
    name, function, x = CASES[i]
    check_values(function, x, rtol=1e-15 if name in OTHER_BITS else 0.0)


def test_derivatives(case):
    check_derivatives(*case)


def test_replays(case):
    check_replays(*case)


def test_batches(case):
    check_batches(*case)


def test_gradients_recorded_and_batched(case):
    check_gradients(*case)


def test_float32_stays(case):
    """Where the plain call keeps float32, the gradient and the value do."""
    function, x = case
    x = x.astype(np.float32)
    assert pn.vjp(function, x)[0].dtype == np.asarray(function(x)).dtype
    assert pn.grad(lambda x: np.sum(np.real(function(x))))(x).dtype == np.float32
