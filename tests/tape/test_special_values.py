"""Special values, kinks, shapes: traced calls give what plain ones do, and no needless NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
from standard_calls import CALLS

import portanet as pn
from portanet.tape.capabilities import STANDARD, State, capability

INF, NAN = math.inf, math.nan
VALUES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e300, -1e300, 1e-300, 5e-324, INF, -INF, NAN]
A, B = (x.reshape(-1) for x in np.meshgrid(VALUES, VALUES))
UNARY = [
    name
    for name in STANDARD["Elementwise"]
    if len(CALLS[name][0][1]) == 1 and not name.startswith(("bitwise", "logical"))
]
UNARY.remove("clip")
BINARY = [
    name
    for name in STANDARD["Elementwise"]
    if len(CALLS[name][0][1]) == 2 and not name.startswith(("bitwise", "logical"))
]
REDUCTIONS = [
    "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "sort", "std",
    "sum", "var",
]  # fmt: skip


def _same(backend, function, *arrays):
    """Compare value, dtype and shape under both modes with the plain call."""
    with np.errstate(all="ignore"):
        expected = function(*arrays)
        ones = tuple(map(backend.xp.ones_like, arrays))
        for actual in (pn.vjp(function, *arrays)[0], pn.jvp(function, arrays, ones)[0]):
            assert actual.dtype == expected.dtype
            assert actual.shape == expected.shape
            got, wanted = backend.to_numpy(actual), backend.to_numpy(expected)
            np.testing.assert_array_equal(got, wanted)
            if wanted.dtype.kind == "f":
                np.testing.assert_array_equal(
                    np.signbit(got)[~np.isnan(got)], np.signbit(wanted)[~np.isnan(wanted)]
                )


@pytest.mark.parametrize("name", UNARY)
def test_elementwise_of_one(backend, name):
    x = np.asarray(VALUES, complex if name in ("conj", "imag", "real") else float)
    _same(backend, getattr(backend.xp, name), backend.asarray(x))


@pytest.mark.parametrize("name", BINARY)
def test_elementwise_of_two(backend, name):
    x, y = backend.asarray(A), backend.asarray(B)
    _same(backend, getattr(backend.xp, name), x, y)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reductions(backend, name, dtype):
    rows = np.asarray([VALUES[:5], VALUES[8:], [0.0, -0.0, 2.0, -3.0, 1.0]]).astype(dtype)
    for x in (rows, rows[2:], rows[2]):
        _same(backend, lambda x: getattr(backend.xp, name)(x, axis=-1), backend.asarray(x))


EMPTY = [
    name
    for name, calls in CALLS.items()
    if "." not in name
    and len(calls[0][1]) == 1
    and calls[0][1][0].ndim > 0
    and calls[0][1][0].dtype.kind == "f"
    and name
    not in (
        "max",
        "mean",
        "min",
        "repeat",
        "reshape",
        "std",
        "take",
        "take_along_axis",
        "broadcast_to",
        "var",
    )
]  # what is left out has no value for an empty array, or needs other arguments


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_array_has_an_empty_gradient(backend, name):
    if capability(name, backend.name).vjp is not State.WORKS:
        pytest.skip("has no derivative")
    call, (like,) = CALLS[name][0]
    xp = backend.xp
    x = backend.asarray(np.zeros((0, *like.shape[1:])))

    def loss(x):
        y = call(xp, x)
        parts = y if isinstance(y, list | tuple) else [y]
        return sum((xp.sum(p) for p in parts), xp.sum(x))

    gradient = pn.grad(loss)(x)
    assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype)
    assert pn.jvp(loss, (x,), (x,))[1].shape == ()


# Function, arguments, gradients: what a kink or an edge has on every backend.
KINKS = {
    "abs": (lambda xp, x: xp.abs(x), [[0.0]], [[0.0]]),
    "sqrt": (lambda xp, x: xp.sqrt(x), [[4.0]], [[0.25]]),
    "sign": (lambda xp, x: xp.sign(x), [[0.0, 3.0]], [[0.0, 0.0]]),
    "maximum": (lambda xp, x, y: xp.maximum(x, y), [[1.0], [1.0]], [[0.5], [0.5]]),
    "minimum": (lambda xp, x, y: xp.minimum(x, y), [[1.0], [1.0]], [[0.5], [0.5]]),
    "clip": (lambda xp, x: xp.clip(x, 0.0, 1.0), [[0.0, 1.0, 2.0]], [[1.0, 1.0, 0.0]]),
    "clip bounds": (
        lambda xp, x, low, high: xp.clip(x, low, high),
        [[0.0, 1.0, 0.5], [0.0, 0.0, 0.7], [1.0, 1.0, 0.9]],
        [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
    ),
    "max": (lambda xp, x: xp.max(x), [[1.0, 2.0, 2.0]], [[0.0, 0.5, 0.5]]),
    "min along an axis": (lambda xp, x: xp.min(x, axis=0), [[1.0, 1.0, 2.0]], [[0.5, 0.5, 0.0]]),
    "prod": (lambda xp, x: xp.prod(x), [[0.0, 2.0, 3.0]], [[6.0, 0.0, 0.0]]),
    "two zeros": (lambda xp, x: xp.prod(x), [[0.0, 0.0, 3.0]], [[0.0, 0.0, 0.0]]),
    "cumulative_prod": (lambda xp, x: xp.cumulative_prod(x), [[2.0, 0.0, 3.0]], [[1.0, 8.0, 0.0]]),
    "std": (lambda xp, x: xp.std(x), [[2.0, 2.0]], [[0.0, 0.0]]),
    "copysign": (lambda xp, x, y: xp.copysign(x, y), [[0.0], [1.0]], [[0.0], [0.0]]),
    "hypot": (lambda xp, x, y: xp.hypot(x, y), [[0.0], [0.0]], [[0.0], [0.0]]),
    "atan2": (lambda xp, x, y: xp.atan2(x, y), [[0.0], [0.0]], [[0.0], [0.0]]),
    "logaddexp": (
        lambda xp, x, y: xp.logaddexp(x, y),
        [[-1000.0, -1000.0, 800.0], [0.0, -1000.0, -800.0]],
        [[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]],
    ),
    "logaddexp of nothing": (
        lambda xp, x, y: xp.logaddexp(x, y), [[-INF, -INF], [-INF, 0.0]], [[0.5, 0.0], [0.5, 1.0]]
    ),
    "square root by pow": (lambda xp, x: x**2, [[0.0]], [[0.0]]),
    "pow zero": (lambda xp, x: x**0, [[0.0]], [[0.0]]),
    "pow at zero": (lambda xp, x, p: x**p, [[0.0], [2.0]], [[0.0], [0.0]]),
    "sort": (lambda xp, x: xp.sort(x)[:1], [[1.0, 1.0]], [[1.0, 0.0]]),
    "sigmoid": (lambda xp, x: pn.sigmoid(x), [[-1000.0, 0.0, 1000.0]], [[0.0, 0.25, 0.0]]),
    "softplus": (lambda xp, x: pn.softplus(x), [[-1000.0, 0.0, 1000.0]], [[0.0, 0.5, 1.0]]),
    "log_sigmoid": (lambda xp, x: pn.log_sigmoid(x), [[-1000.0, 0.0, 1000.0]], [[1.0, 0.5, 0.0]]),
    "logsumexp": (lambda xp, x: pn.logsumexp(x), [[1000.0, 1000.0]], [[0.5, 0.5]]),
    "softmax": (lambda xp, x: pn.softmax(x)[:1], [[1000.0, 0.0]], [[0.0, 0.0]]),
    "relu": (lambda xp, x: pn.relu(x), [[0.0]], [[0.0]]),
    "norm by where": (lambda xp, x: xp.where(x > 0, xp.sqrt(xp.abs(x)), x), [[0.25]], [[1.0]]),
}  # fmt: skip


@pytest.mark.parametrize("name", KINKS)
def test_kinks(backend, name):
    function, arguments, expected = KINKS[name]
    arrays = [backend.asarray(np.asarray(x)) for x in arguments]
    xp = backend.xp
    gradient = pn.grad(lambda *a: xp.sum(function(xp, *a)), tuple(range(len(arrays))))(*arrays)
    for g, e in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(backend.to_numpy(g), e, rtol=1e-12, atol=1e-300)
    for i, e in enumerate(expected):
        for k in range(len(e)):
            seeds = [np.zeros(len(e)) for _ in arrays]
            seeds[i][k] = 1.0
            tangents = tuple(map(backend.asarray, seeds))
            slope = pn.jvp(lambda *a: xp.sum(function(xp, *a)), tuple(arrays), tangents)[1]
            assert float(backend.to_numpy(slope)) == pytest.approx(e[k], rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    "bounds", [([-5, 1, 1], None), (None, [300, 2, 2]), ([-5, 1, 1], [300, 2, 2])]
)
def test_clip_leaves_its_bounds_alone(backend, bounds):
    """Also those beyond the range of the array, which array_api_compat writes into."""
    x = backend.asarray(np.asarray([0, 1, 200], np.uint8))
    low, high = (b if b is None else backend.asarray(np.asarray(b, np.int64)) for b in bounds)
    xp = pn.array_namespace(x)
    try:
        found = backend.to_numpy(xp.clip(x, low, high))
    except TypeError:
        pytest.skip("this library takes bounds of its own dtype alone")
    expected = np.clip(np.asarray([0, 1, 200]), *bounds)
    np.testing.assert_array_equal(found, expected)
    for bound, given in ((low, bounds[0]), (high, bounds[1])):
        if given is not None:
            np.testing.assert_array_equal(backend.to_numpy(bound), given)
