"""at: values against NumPy's assignment and ufunc.at, derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from functional.differences import check_derivatives

import portanet as pn
from portanet import functional
from portanet.errors import (
    ArgumentError,
    DTypeError,
    IndexRangeError,
    ShapeError,
    TracedValueError,
)

RNG = np.random.default_rng(3)
X = RNG.uniform(0.5, 2.0, size=(2, 3, 4))
ROWS = np.asarray([0, 1, 1])

INDICES = {
    "integer": 1,
    "negative integer": (-1, Ellipsis),
    "NumPy integer": np.int64(1),
    "slice": (slice(None), slice(0, 2)),
    "slice past the end": slice(0, 100),
    "negative step": (slice(None), slice(None, None, -1)),
    "ellipsis": Ellipsis,
    "new axes": (None, 1, Ellipsis, None),
    "array": ROWS,
    "uint8 array": ROWS.astype(np.uint8),
    "negative int8 array": np.asarray([-1, 0, -1], np.int8),
    "0-d array": np.asarray(1),
    "array of two axes": np.asarray([[0, 1], [1, 1]]),
    "arrays": (ROWS, ROWS, ROWS),
    "arrays that broadcast": (ROWS[:, None], np.asarray([2, 0])),
    "array behind a slice": (slice(None), ROWS),
    "arrays apart": (ROWS, slice(None), ROWS),
    "integer and array apart": (0, slice(None), ROWS),
    "array and new axis": (None, ROWS, None),
    "array and negative step": (ROWS, slice(None, None, -2)),
    "list": [0, 1, 0],
    "lists": ([0, 1], [1, 1]),
    "empty list": [],
    "mask": X > 1,
    "mask of the first axes": X[:, :, 0] > 1,
    "mask of one axis": (slice(None), np.asarray([True, False, True])),
    "mask and array": (np.asarray([True, True]), np.asarray([0, 2])),
    "truth value": True,
}
METHODS = {
    "set": None, "add": np.add, "subtract": np.subtract, "multiply": np.multiply,
    "divide": np.divide, "power": None, "min": np.minimum, "max": np.maximum,
}  # fmt: skip


def _index(backend, index):
    if isinstance(index, tuple):
        return tuple(_index(backend, part) for part in index)
    return backend.asarray(index) if isinstance(index, np.ndarray) else index


def _expected(x, index, method, y):
    x = x.copy()
    if method == "set":
        x[index] = y
    elif method == "power":
        x[index] = x[index] ** y
    else:
        METHODS[method].at(x, index, y)
    return x


@pytest.mark.parametrize("name", INDICES)
def test_values(backend, name):
    index = INDICES[name]
    y = RNG.uniform(0.5, 2.0, size=X[index].shape)
    x = backend.asarray(X)
    for method in METHODS:
        changed = getattr(functional.at(x)[_index(backend, index)], method)(backend.asarray(y))
        expected = _expected(X, index, method, y)
        np.testing.assert_allclose(backend.to_numpy(changed), expected, rtol=1e-13)
        assert changed.dtype == x.dtype
    np.testing.assert_array_equal(backend.to_numpy(x), X)


DERIVED = {
    "slice": (slice(None), slice(0, 2)),
    "repeated rows": ROWS,
    "repeated entries": (ROWS, np.asarray([2, 0, 0]), ROWS),
    "negative step": (1, slice(None, None, -1)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DERIVED)
def test_derivatives(backend, name, method):
    index = _index(backend, DERIVED[name])
    y = RNG.uniform(0.5, 2.0, size=X[DERIVED[name]].shape)
    check_derivatives(backend, lambda x, y: getattr(functional.at(x)[index], method)(y), (X, y))


@pytest.mark.parametrize("method", METHODS)
def test_derivatives_under_a_mask(backend, method):
    if backend.name == "jax":
        pytest.skip("its number of entries is no constant of a compiled program")
    mask = backend.asarray(X > 1)
    y = RNG.uniform(0.5, 2.0, size=X[X > 1].shape)
    check_derivatives(backend, lambda x, y: getattr(functional.at(x)[mask], method)(y), (X, y))


@pytest.mark.parametrize("method", ["multiply", "divide"])
def test_products_with_zeros_have_derivatives(backend, method):
    """Each of three updates of one entry, of which one or two are zero."""
    index = backend.asarray(np.asarray([0, 0, 0]))
    x = backend.asarray(np.asarray([2.0]))
    if method == "divide":
        gradient = pn.grad(lambda y: functional.at(x)[index].divide(y)[0])
        found = gradient(backend.asarray(np.asarray([1.0, 2.0, 4.0])))
        np.testing.assert_allclose(backend.to_numpy(found), [-0.25, -0.125, -0.0625])
        return
    gradient = pn.grad(lambda y: functional.at(x)[index].multiply(y)[0])
    for y, expected in (([0.0, 3.0, 5.0], [30.0, 0.0, 0.0]), ([0.0, 0.0, 5.0], [0.0, 0.0, 0.0])):
        found = gradient(backend.asarray(np.asarray(y)))
        np.testing.assert_array_equal(backend.to_numpy(found), expected)


@pytest.mark.parametrize(("method", "other"), [("max", 1.0), ("min", 9.0)])
def test_equal_extremes_share_the_derivative(backend, method, other):
    index = backend.asarray(np.asarray([0, 0, 0]))
    x, y = (backend.asarray(np.asarray(v)) for v in ([5.0], [5.0, other, 5.0]))
    gradient = pn.grad(
        lambda x, y: backend.xp.sum(getattr(functional.at(x)[index], method)(y)), (0, 1)
    )
    for found, expected in zip(gradient(x, y), ([1 / 3], [1 / 3, 0.0, 1 / 3]), strict=True):
        np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-14)


def test_set_gives_the_last_update_the_derivative(backend):
    index = backend.asarray(np.asarray([1, 1]))
    x, y = backend.asarray(np.zeros(3)), backend.asarray(np.asarray([5.0, 7.0]))
    found = pn.grad(lambda y: backend.xp.sum(functional.at(x)[index].set(y)))(y)
    np.testing.assert_array_equal(backend.to_numpy(found), [0.0, 1.0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("where", ["alone", "behind a slice", "with an integer"])
def test_an_index_that_is_an_input(backend, method, where):
    """Recorded and batched, on an array that is a constant."""
    index = np.asarray([[0, 1, 1], [-1, 0, 0]], np.int32)
    keys = {
        "alone": lambda i: i,
        "behind a slice": lambda i: (slice(None), i),
        "with an integer": lambda i: (1, slice(None), i),
    }
    key = keys[where]
    y = RNG.uniform(0.5, 2.0, size=(2, *X[key(index[0])].shape))
    x = backend.asarray(X)

    def function(y, i):
        return getattr(functional.at(x)[key(i)], method)(y)

    expected = [_expected(X, key(i), method, row) for row, i in zip(y, index, strict=True)]
    arrays = backend.asarray(y), backend.asarray(index)
    found = pn.vmap(function)(*arrays)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-13)
    if backend.name == "torch":
        return
    replay = pn.jit(function)
    for k in (0, 1, 0):
        found = replay(*(a[k, ...] for a in arrays))
        np.testing.assert_allclose(backend.to_numpy(found), expected[k], rtol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_a_mask_that_is_an_input_updates_all_alike(backend, method):
    masks, x = np.asarray([[True, False], [True, True]]), backend.asarray(X)

    def function(mask):
        return getattr(functional.at(x)[mask], method)(1.5)

    expected = [_expected(X, mask, method, 1.5) for mask in masks]
    found = pn.vmap(function)(backend.asarray(masks))
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-13)
    if backend.name != "torch":
        replay = pn.jit(function)
        for k in (0, 1):
            found = backend.to_numpy(replay(backend.asarray(masks[k])))
            np.testing.assert_allclose(found, expected[k], rtol=1e-13)
    with pytest.raises(TracedValueError, match="the same update for all of them"):
        pn.vmap(lambda mask: functional.at(x)[mask].set(backend.xp.ones_like(x)))(
            backend.asarray(masks)
        )


def test_what_a_mask_leaves_out_does_not_reach_the_derivative(backend):
    x = backend.asarray(np.asarray([-1.0, 4.0]))
    mask = backend.asarray(np.asarray([False, True]))
    found = pn.grad(lambda x: backend.xp.sum(functional.at(x)[mask].power(0.5)))(x)
    np.testing.assert_allclose(backend.to_numpy(found), [1.0, 0.25])


def test_numbers_and_broadcasting(backend):
    x = backend.asarray(X[0].astype(np.float32))
    expected = X[0].astype(np.float32)
    expected[:, 1] = 2.0
    changed = functional.at(x, (slice(None), 1)).set(2)
    assert changed.dtype == x.dtype
    np.testing.assert_array_equal(backend.to_numpy(changed), expected)
    summed = functional.at(x)[[0, 0]].add(x[1, :])
    expected = X[0].astype(np.float32)
    expected[0] += 2 * expected[1]
    np.testing.assert_allclose(backend.to_numpy(summed), expected, rtol=1e-6)


@pytest.mark.parametrize("index", [3, -4, (0, 4), [0, 3], np.asarray([-4, 0], np.int8)])
def test_an_index_out_of_range(backend, index):
    x = backend.asarray(X[0])
    with pytest.raises(IndexRangeError, match=r"index < x\.shape\[[01]\]: index has -?[34]"):
        backend.to_numpy(functional.at(x)[_index(backend, index)].add(1.0))


def test_an_index_out_of_range_in_a_replay(backend):
    if backend.name in ("torch", "jax"):
        pytest.skip("a compiled program does not show its values")
    x = backend.asarray(X[0])
    replay = pn.jit(lambda i: functional.at(x)[:, i].add(1.0))
    good = backend.asarray(np.asarray([0, 3, 3]))
    expected = backend.to_numpy(replay(good))
    for wrong in ([0, 1, 4], [-5, 0, 1]):
        with pytest.raises(IndexRangeError, match=r"x\.shape\[1\] is 4"):
            backend.to_numpy(replay(backend.asarray(np.asarray(wrong))))
        np.testing.assert_array_equal(backend.to_numpy(replay(good)), expected)


def test_refusals(backend):
    x, whole = backend.asarray(X[0]), backend.asarray(np.asarray([[1, 2]]))
    with pytest.raises(DTypeError, match=r"y\.dtype == x\.dtype: float32 != float64"):
        functional.at(x)[0].set(backend.asarray(np.ones(4, np.float32)))
    with pytest.raises(DTypeError, match=r"y can be held by x\.dtype: 0\.5, int64"):
        functional.at(whole)[0].add(0.5)
    with pytest.raises(DTypeError, match=r"x\.dtype is floating: int64"):
        functional.at(whole)[0].divide(2)
    with pytest.raises(DTypeError, match="integers or truth values"):
        functional.at(x)[backend.asarray(np.asarray([0.5]))].set(1.0)
    with pytest.raises(ShapeError, match=r"y broadcasts to x\[index\]: \(3,\), \(4,\)"):
        functional.at(x)[0].set(backend.asarray(np.ones(3)))
    with pytest.raises(ShapeError, match="3 axes"):
        functional.at(x)[0, 0, 0].set(1.0)
    with pytest.raises(ShapeError, match=r"mask\.shape == x\.shape\[:1\]"):
        functional.at(x)[backend.asarray(np.asarray([True]))].set(1.0)
    with pytest.raises(ShapeError, match="have one shape"):
        functional.at(x)[[0, 1], [0, 1, 2]].set(1.0)
    for index in ("0", None, 0.5):
        if index is not None:
            with pytest.raises(ArgumentError, match="an index is made of"):
                functional.at(x)[index].set(1.0)
    with pytest.raises(ArgumentError, match="y is an array or a number: got list"):
        functional.at(x)[0].set([1.0])


@pytest.mark.parametrize("method", ["set", "add", "multiply"])
def test_a_batch_of_updates_of_one_array(backend, method):
    ys = backend.asarray(X[0, :, 0])
    x = backend.asarray(X[1])
    change = pn.vmap(lambda y: getattr(functional.at(x)[0, 1:3], method)(y))
    expected = np.stack([X[1]] * 3)
    for i, y in enumerate(X[0, :, 0]):
        old = expected[i, 0, 1:3]
        expected[i, 0, 1:3] = {"set": y, "add": old + y, "multiply": old * y}[method]
    np.testing.assert_allclose(backend.to_numpy(change(ys)), expected, rtol=1e-14)
