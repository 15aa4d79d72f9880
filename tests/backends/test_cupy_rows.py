"""Softmaxes, norms and losses on CuPy, each by one kernel: on the stand-in, or on a GPU."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import special
from standin import can_compile

import portanet as pn
from portanet.backends import available, get_backend

F = pn.functional
DTYPES = ["float16", "float32", "float64"]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(available()["cupy"] is not None, reason=f"cupy: {available()['cupy']}"),
    pytest.mark.skipif(not can_compile(), reason="no g++ of 12 or later"),
]


@pytest.fixture(scope="module")
def adapter():
    return get_backend("cupy")


def _layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


# Of each the formula in float64.
FUNCTIONS = {
    "softmax": (pn.softmax, lambda x: special.softmax(x, axis=-1)),
    "log_softmax": (pn.log_softmax, lambda x: special.log_softmax(x, axis=-1)),
    "logsumexp": (
        lambda x: F.logsumexp(x, axis=-1), lambda x: special.logsumexp(x, axis=-1)
    ),
    "layer_norm": (F.layer_norm, _layer_norm),
    "rms_norm": (
        F.rms_norm, lambda x: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    ),
}  # fmt: skip
LENGTHS = [1, 2, 3, 31, 32, 33, 255, 256, 257, 1000, 5000]


def launches(call):
    """Return what a call launches, None on a GPU, where nothing counts."""
    state = sys.modules.get("cupy._state")
    if state is None:
        call()
        return None
    state.counts.clear()
    call()
    return state.counts.launches


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(adapter, name, dtype):
    """Of rows of any length, however they lie."""
    function, formula = FUNCTIONS[name]
    eps, recorded = float(np.finfo(dtype).eps), pn.jit(function)
    for length in LENGTHS:
        for shape in ((length,), (3, 5, length)) if length < 300 else ((2, length),):
            x = (3 * np.random.default_rng(length).normal(size=shape)).astype(dtype)
            there = adapter.from_numpy(x)
            turned = adapter.from_numpy(np.ascontiguousarray(x.T)).T
            strided = adapter.from_numpy(np.repeat(x[..., ::-1], 2, axis=-1))[..., ::-2]
            expected, near = formula(x.astype(np.float64)), 16 * eps
            for run in (function, recorded):
                for y in (there, turned, strided):
                    got = adapter.to_numpy(run(y))
                    assert got.dtype == dtype
                    np.testing.assert_allclose(got, expected, near, near, err_msg=f"{shape}")
            if length > 1:
                assert launches(lambda there=there: function(there)) in (1, None)
                assert launches(lambda there=there: recorded(there)) in (1, None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_extremes(adapter, name, dtype):
    function, _ = FUNCTIONS[name]
    inf, nan, big = np.inf, np.nan, 1e4
    rows = [[inf, 1, 2], [-inf, 1, 2], [-inf] * 3, [nan, 1, 2], [big, -big, 0], [1, inf, -inf]]
    x = np.asarray(rows, dtype)
    with np.errstate(all="ignore"):
        expected = function(x)
    eps = float(np.finfo(dtype).eps)
    for run in (function, pn.jit(function)):
        got = adapter.to_numpy(run(adapter.from_numpy(x)))
        np.testing.assert_allclose(got, expected, 16 * eps, 16 * eps)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_rows_and_other_axes(adapter, name):
    function, _ = FUNCTIONS[name]
    empty = adapter.from_numpy(np.zeros((0, 4), np.float32))
    for run in (function, pn.jit(function)):
        assert run(empty).shape[0] == 0
    x = np.random.default_rng(0).normal(size=(4, 3, 5))
    there = adapter.from_numpy(x)
    if name in ("softmax", "log_softmax"):
        for axis in (0, 1, 2, -1):
            got, wanted = adapter.to_numpy(function(there, axis)), function(x, axis)
            np.testing.assert_allclose(got, wanted, 1e-12)
        with pytest.raises(Exception, match=r"axis|3"):
            function(there, 3)
    if name == "layer_norm":
        got = adapter.to_numpy(F.layer_norm(there, rank=2))
        np.testing.assert_allclose(got, F.layer_norm(x, rank=2), 1e-12)


def test_scales_and_wrong_ones(adapter):
    rng = np.random.default_rng(0)
    x, scale, bias = rng.normal(size=(6, 7)), rng.normal(size=7), rng.normal(size=(1, 7))
    given = [adapter.from_numpy(y) for y in (x, scale, bias)]
    for _ in range(2):
        got = adapter.to_numpy(F.layer_norm(*given))
        np.testing.assert_allclose(got, F.layer_norm(x, scale, bias), 1e-12)
    assert launches(lambda: F.layer_norm(*given)) in (1, None)
    with pytest.raises(pn.errors.PortanetError):
        F.layer_norm(given[0], adapter.from_numpy(rng.normal(size=6)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(adapter, name):
    """In both modes and twice, of the library's arrays as of NumPy's."""
    function, _ = FUNCTIONS[name]
    x = np.random.default_rng(0).normal(size=(4, 9))

    def value(x):
        xp = pn.array_namespace(x)
        return xp.sum(xp.sin(function(x)))

    there = adapter.from_numpy(x)
    for call in (
        pn.grad(value),
        pn.jit(pn.grad(value)),
        lambda x: pn.hvp(value, x, x),
        lambda x: pn.jvp(function, (x,), (x,))[1],
        pn.vmap(function),
    ):
        np.testing.assert_allclose(adapter.to_numpy(call(there)), call(x), 1e-10, 1e-12)


ROWS, CLASSES = 12, 5
TARGETS = {
    "labels": (np.random.default_rng(1).integers(CLASSES, size=ROWS), {}),
    "distributions": (np.eye(CLASSES)[np.arange(ROWS) % CLASSES], {}),
    "smoothed": (np.eye(CLASSES)[np.arange(ROWS) % CLASSES], {"label_smoothing": 0.1}),
    "weighted": (np.eye(CLASSES)[np.arange(ROWS) % CLASSES], {"class_weights": (1, 2, 3, 4, 5)}),
}


@pytest.mark.parametrize("name", TARGETS)
def test_cross_entropy_is_one_kernel(adapter, name):
    """With its gradient; labels are checked by another."""
    target, options = TARGETS[name]
    x = np.random.default_rng(0).normal(size=(ROWS, CLASSES))
    loss = pn.CrossEntropyLoss(logits=True, **options)
    step = pn.jit(pn.value_and_grad(loss))
    there = adapter.from_numpy(x), adapter.from_numpy(target)
    expected = pn.value_and_grad(loss)(x, target)
    for got, wanted in zip(step(*there), expected, strict=True):
        np.testing.assert_allclose(adapter.to_numpy(got), wanted, 1e-12)
    assert launches(lambda: step(*there)) in (1 + (name == "labels"), None)
