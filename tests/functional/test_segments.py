"""Reductions by segments: values against loops, derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from functional.differences import check_derivatives

import portanet as pn
from portanet import functional
from portanet.backends.numpy import scatter
from portanet.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 3))
SEGMENTS = np.asarray([2, 0, 2, 2, 4, 0, 5])
REDUCTIONS = {
    "sum": (np.sum, 0.0), "mean": (np.mean, 0.0), "prod": (np.prod, 1.0),
    "max": (np.max, -np.inf), "min": (np.min, np.inf),
}  # fmt: skip


def _expected(name, x, segments, count):
    reduce, empty = REDUCTIONS[name]
    rows = [x[segments == s] for s in range(count)]
    shape = x.shape[1:]
    return np.stack([reduce(r, axis=0) if len(r) else np.full(shape, empty) for r in rows])


def _of(name):
    return getattr(functional, f"segment_{name}")


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["int64", "uint8", "int8"])
@pytest.mark.parametrize("width", [(), (3,), (3, 1, 2)])
def test_values(backend, name, dtype, width):
    x = RNG.normal(size=(7, *width))
    found = _of(name)(backend.asarray(x), backend.asarray(SEGMENTS.astype(dtype)), 6)
    expected = _expected(name, x, SEGMENTS, 6)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-13)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_derivatives(backend, name):
    segments = backend.asarray(SEGMENTS)
    present = backend.asarray(np.unique(SEGMENTS))

    def function(x):
        return backend.xp.take(_of(name)(x, segments, 6), present, axis=0)

    check_derivatives(backend, function, (X,))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("batched", ["rows", "segments", "both"])
def test_batches(backend, name, batched):
    x, segments = np.stack([X, X[::-1]]), np.stack([SEGMENTS, SEGMENTS[::-1]])
    in_axes = {"rows": (0, None), "segments": (None, 0), "both": (0, 0)}[batched]
    arguments = [a if axis == 0 else a[0] for a, axis in zip((x, segments), in_axes, strict=True)]

    def function(x, segments):
        return _of(name)(x, segments, 6)

    found = pn.vmap(function, in_axes=in_axes)(*map(backend.asarray, arguments))
    pairs = [[a if axis is None else a[k] for a, axis in zip(arguments, in_axes, strict=True)]
             for k in range(2)]  # fmt: skip
    expected = [_expected(name, *pair, 6) for pair in pairs]
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-13)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_replays(backend, name):
    if backend.name == "torch":
        pytest.skip("torch runs as it is")
    replay = pn.jit(lambda x, segments: _of(name)(x, segments, 6))
    for segments in (SEGMENTS, SEGMENTS[::-1].copy(), SEGMENTS):
        found = replay(backend.asarray(X), backend.asarray(segments))
        expected = _expected(name, X, segments, 6)
        np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["sum", "max", "min", "prod"])
def test_integers_stay_integers(backend, name):
    x = np.asarray([3, 7, 2], np.int32)
    found = _of(name)(backend.asarray(x), backend.asarray(np.asarray([1, 1, 0])), 3)
    empty = {"sum": 0, "prod": 1, "max": -(2**31), "min": 2**31 - 1}[name]
    expected = {"sum": [2, 10], "prod": [2, 21], "max": [2, 7], "min": [2, 3]}[name]
    assert found.dtype == backend.dtype("int32")
    np.testing.assert_array_equal(backend.to_numpy(found), [*expected, empty])


def test_complex_numbers(backend):
    z = X * (1 + 0.5j)
    found = functional.segment_sum(backend.asarray(z), backend.asarray(SEGMENTS), 6)
    np.testing.assert_allclose(backend.to_numpy(found), _expected("sum", z, SEGMENTS, 6))


def test_no_row_spoils_those_of_other_segments(backend):
    x = np.asarray([[np.inf], [np.nan], [1.0]])
    segments = backend.asarray(np.asarray([0, 1, 2]))
    for name in REDUCTIONS:
        found = backend.to_numpy(_of(name)(backend.asarray(x), segments, 3))
        np.testing.assert_array_equal(found, x)


def test_equal_extremes_share_the_derivative(backend):
    x = backend.asarray(np.asarray([2.0, 2.0, 1.0, 2.0]))
    segments = backend.asarray(np.asarray([0, 0, 0, 1]))
    found = pn.grad(lambda x: backend.xp.sum(functional.segment_max(x, segments, 2)))(x)
    np.testing.assert_allclose(backend.to_numpy(found), [0.5, 0.5, 0.0, 1.0])


def test_no_rows(backend):
    x, segments = backend.asarray(np.zeros((0, 2))), backend.asarray(np.zeros(0, np.int64))
    for name, (_, empty) in REDUCTIONS.items():
        found = backend.to_numpy(_of(name)(x, segments, 2))
        np.testing.assert_array_equal(found, np.full((2, 2), empty))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_long_segments_lose_nothing(dtype, width):
    x = np.full((100_000, width), 0.1, dtype)
    segments = np.zeros(len(x), np.int64)
    mean = functional.segment_mean(x, segments, 1)
    assert mean.dtype == x.dtype
    np.testing.assert_allclose(mean, x[:1], rtol=2e-3 if dtype == "float16" else 2e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int32"])
@pytest.mark.parametrize("width", [1, 2, 5, 8])
@pytest.mark.parametrize("sparse", [True, False])
def test_numpy_adds_as_it_does_one_by_one(monkeypatch, dtype, width, sparse):
    """With SciPy's product and without it."""
    if not sparse:
        monkeypatch.setattr(scatter, "_sparse_product", lambda: None)
    x = (RNG.normal(size=(3000, width)) * 100).astype(dtype)
    segments = RNG.integers(40, size=3000)
    expected = np.zeros((50, width), dtype)
    np.add.at(expected, segments, x)
    found = functional.segment_sum(x, segments, 50)
    if width > 1 or dtype == "int32":
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("wrong", [[0, 1, 3], [-1, 0, 1]])
def test_a_segment_that_is_not_there(backend, wrong):
    x, segments = backend.asarray(X[:3]), backend.asarray(np.asarray(wrong))
    with pytest.raises(IndexRangeError, match=r"< num_segments: segments has (3|-1)"):
        backend.to_numpy(functional.segment_sum(x, segments, 3))
    if backend.name in ("torch", "jax"):
        return
    replay = pn.jit(lambda x, segments: functional.segment_max(x, segments, 3))
    good = backend.asarray(np.asarray([0, 1, 2]))
    replay(x, good)
    with pytest.raises(IndexRangeError, match="num_segments is 3"):
        backend.to_numpy(replay(x, segments))
    np.testing.assert_array_equal(backend.to_numpy(replay(x, good)), X[:3])


def test_refusals(backend):
    x, segments = backend.asarray(X), backend.asarray(SEGMENTS)
    with pytest.raises(ShapeError, match=r"segments\.shape == \(x\.shape\[0\],\)"):
        functional.segment_sum(x, segments[:3], 6)
    with pytest.raises(ArgumentError, match=r"integer >= 0: got 6\.0"):
        functional.segment_sum(x, segments, 6.0)
    with pytest.raises(DTypeError, match=r"segments\.dtype is an integer"):
        functional.segment_sum(x, x[:, 0], 6)
    with pytest.raises(DTypeError, match=r"x\.dtype is real floating or complex floating: int64"):
        functional.segment_mean(segments, segments, 6)


@pytest.mark.parametrize("read", ["x[i]", "take"])
def test_reading_out_of_range_in_a_replay(backend, read):
    """The error is that of the plain call, and the next call is right."""
    if backend.name in ("torch", "jax", "cupy") or (backend.name, read) == (
        "array_api_strict", "x[i]",
    ):  # fmt: skip
        pytest.skip("the library has its own way")
    xp, x = backend.xp, backend.asarray(X)

    def function(x, i):
        return xp.take(x, i, axis=0) if read == "take" else x[i]

    replay = pn.jit(function)
    good, wrong = (backend.asarray(np.asarray(i)) for i in ([0, 6], [0, 7]))
    replay(x, good)
    with pytest.raises(IndexError) as plain:
        function(x, wrong)
    with pytest.raises(plain.type):
        replay(x, wrong)
    np.testing.assert_array_equal(backend.to_numpy(replay(x, good)), X[[0, 6]])
