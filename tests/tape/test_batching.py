"""Every function of the standard on a batch at once, against a Python loop over its entries."""

from __future__ import annotations

import numpy as np
import pytest
from standard_calls import CALLS, NUMBERS_ONLY

import portanet as pn
from portanet.errors import TracedValueError
from portanet.tape.capabilities import State, capability

SIZE = 3
BY_VALUE = {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
CASES = [
    pytest.param(name, i, id=f"{name}-{i}")
    for name, calls in CALLS.items()
    for i in range(len(calls))
]


# The libraries whose batches are the tape's.
pytestmark = pytest.mark.parametrize("backend", ["numpy", "array_api_strict"], indirect=True)


def _entries(x, k):
    """Entries of a batch near `x`, each different."""
    steps = [0.02 * np.sin(np.arange(i + k, i + k + x.size)).reshape(x.shape) for i in range(SIZE)]
    return np.stack([x + (step * (1 - 0.5j) if np.iscomplexobj(x) else step) for step in steps])


def _outputs(value):
    return list(value) if isinstance(value, list | tuple) else [value]


def _ready(backend, name, i):
    if name in NUMBERS_ONLY:
        pytest.skip("the standard gives it numbers only")
    call, arrays = CALLS[name][i]
    single = [backend.asarray(x) for x in arrays]
    batched = [backend.asarray(_entries(x, k)) for k, x in enumerate(arrays)]
    return (lambda *a: _outputs(call(backend.xp, *a))), single, batched


def _choices(count):
    """All arguments batched, and each of them alone."""
    return [(0,) * count] + [
        tuple(0 if i == j else None for i in range(count)) for j in range(count if count > 1 else 0)
    ]


def _loss(xp, call):
    def loss(*arrays):
        total = 0.0
        for y in call(*arrays):
            if xp.isdtype(y.dtype, "complex floating"):
                total = total + xp.sum(xp.real(y * y) + xp.imag(y))
            elif xp.isdtype(y.dtype, "real floating"):
                total = total + xp.sum(y * y + y)
        return total

    return loss


def _assert_equal(backend, actual, rows):
    """`actual` holds batches, `rows` the same for each entry."""
    for k, y in enumerate(actual):
        expected = np.stack([backend.to_numpy(row[k]) for row in rows])
        got = backend.to_numpy(y)
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def _compare(backend, function, single, batched):
    for axes in _choices(len(single)):
        given = [x if a is None else b for x, b, a in zip(single, batched, axes, strict=True)]
        rows = [
            function(*(x if a is None else x[e, ...] for x, a in zip(given, axes, strict=True)))
            for e in range(SIZE)
        ]
        _assert_equal(backend, pn.vmap(function, axes)(*given), rows)


@pytest.mark.parametrize(("name", "i"), CASES)
def test_values(backend, name, i):
    call, single, batched = _ready(backend, name, i)
    if name in BY_VALUE:
        with pytest.raises(TracedValueError, match=name):
            pn.vmap(call)(*batched)
        return
    _compare(backend, call, single, batched)


def _differentiable(backend, name):
    row = capability(name, backend.name)
    if name in BY_VALUE or row.vjp is not State.WORKS:
        pytest.skip("no derivative")


@pytest.mark.parametrize(("name", "i"), CASES)
def test_derivatives(backend, name, i):
    _differentiable(backend, name)
    call, single, batched = _ready(backend, name, i)
    loss = _loss(backend.xp, call)
    everything = tuple(range(len(single)))

    def gradient(*arrays):
        return list(pn.grad(loss, everything)(*arrays))

    def tangent(*arrays):
        return [pn.jvp(loss, arrays, arrays)[1]]

    _compare(backend, gradient, single, batched)
    _compare(backend, tangent, single, batched)
    # The other way round: the gradient of a batch is the batch of gradients.
    xp = backend.xp
    outer = pn.grad(lambda *arrays: xp.sum(pn.vmap(loss)(*arrays)), everything)(*batched)
    rows = [gradient(*(x[e, ...] for x in batched)) for e in range(SIZE)]
    _assert_equal(backend, outer, rows)
