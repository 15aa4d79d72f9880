"""Reading by index: every kind of index, its derivatives, and its transposes."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import NoDerivativeError, TracedValueError

CUBE = np.sin(np.arange(1.0, 25.0)).reshape(2, 3, 4)
_I = [[1, 0], [1, 1]]

# An index, as NumPy has it; lists of integers stand for arrays of them.
INDICES = {
    "integer": 1,
    "negative integer": (-1, slice(None), slice(None)),
    "integers": (1, 2, 3),
    "slice": (slice(None), slice(1, 3), Ellipsis),
    "step": (Ellipsis, slice(0, 4, 2)),
    "ellipsis": Ellipsis,
    "ellipsis between": (0, Ellipsis, 1),
    "new axes": (None, slice(None), None, Ellipsis, None),
    "new axis and integer": (None, 1, Ellipsis, slice(0, 2)),
    "empty slice": (slice(1, 1), Ellipsis),
    "mask": CUBE > 0,
    "integer arrays": (np.asarray([1, 0, 1]), np.asarray([2, 0, 2]), np.asarray([3, 3, 3])),
    "integer arrays of two axes": (np.asarray(_I), np.asarray(_I), np.asarray(_I)),
    "integer arrays that broadcast": (
        np.asarray([[1], [0]]), np.asarray([[2, 0, 2]]), np.asarray([[0, 1, 0]]),
    ),
}  # fmt: skip

# What the standard leaves out, and a library may have.
BEYOND = {
    "negative step": (slice(None), slice(None, None, -1), Ellipsis),
    "one integer array": np.asarray([1, 0, 1]),
    "array and slice": (slice(None), np.asarray([2, 0, 2])),
    "array, slice and array": (np.asarray([0, 1]), slice(None), np.asarray([2, 3])),
    "array and new axis": (None, slice(None), np.asarray([2, 2])),
    "list": [1, 0, 1],
    "mask of the first axes": CUBE[:, :, 0] > 0,
    "mask of one axis": (slice(None), np.asarray([True, False, True])),
}


def _index(backend, index):
    if isinstance(index, np.ndarray):
        return backend.asarray(index)
    if isinstance(index, tuple):
        return tuple(_index(backend, part) for part in index)
    return index


def _check(backend, index):
    key = _index(backend, index)
    xp, x = backend.xp, backend.asarray(CUBE)
    expected = CUBE[index]
    value, pullback = pn.vjp(lambda x: x[key], x)
    np.testing.assert_array_equal(backend.to_numpy(value), expected)
    g = np.cos(np.arange(1.0, expected.size + 1)).reshape(expected.shape)
    scattered = np.zeros_like(CUBE)
    np.add.at(scattered, index, g)
    np.testing.assert_allclose(backend.to_numpy(pullback(backend.asarray(g))[0]), scattered)
    tangent = pn.jvp(lambda x: x[key], (x,), (x * x,))[1]
    np.testing.assert_array_equal(backend.to_numpy(tangent), (CUBE * CUBE)[index])

    def third(x):
        return xp.sum(x[key] ** 3)

    second = np.zeros_like(CUBE)
    np.add.at(second, index, 6 * CUBE[index])
    ones = backend.asarray(np.ones_like(CUBE))
    over_reverse = pn.hvp(third, x, ones)
    np.testing.assert_allclose(backend.to_numpy(over_reverse), second, rtol=1e-14, atol=1e-15)
    over_forward = pn.grad(lambda x: xp.sum(pn.grad(third)(x)))(x)
    np.testing.assert_allclose(backend.to_numpy(over_forward), second, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", INDICES)
def test_indices_of_the_standard(backend, name):
    if name == "mask" and backend.name == "jax":
        pytest.skip("jax cannot read by a traced mask: use xp.where")
    if name == "integer" and backend.name == "array_api_strict":
        pytest.skip("the standard wants an index for every axis, or an ellipsis")
    _check(backend, INDICES[name])


@pytest.mark.parametrize("name", BEYOND)
def test_indices_beyond_the_standard(backend, name):
    if backend.name == "array_api_strict" and name != "negative step":
        pytest.skip("the standard leaves it out")
    if backend.name == "torch" and name == "negative step":
        pytest.skip("torch has no negative steps: use xp.flip")
    if backend.name == "jax" and name == "list":
        pytest.skip("jax takes no lists")
    _check(backend, BEYOND[name])


def test_a_negative_step_on_strict_arrays_names_every_axis(backend):
    if backend.name == "torch":
        pytest.skip("torch has no negative steps: use xp.flip")
    x = backend.asarray(CUBE)
    gradient = pn.grad(lambda x: backend.xp.sum(x[:, ::-2, ...] ** 2))(x)
    expected = np.zeros_like(CUBE)
    expected[:, ::-2] = 2 * CUBE[:, ::-2]
    np.testing.assert_array_equal(backend.to_numpy(gradient), expected)


def test_iteration_and_unpacking(backend):
    if backend.name == "array_api_strict":
        pytest.skip("arrays of the standard cannot be iterated")
    x = backend.asarray(CUBE[:, 0, 0])

    def product(x):
        first, second = x
        return first * second

    np.testing.assert_array_equal(backend.to_numpy(pn.grad(product)(x)), CUBE[::-1, 0, 0])


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_take_and_its_transpose(backend, axis, dtype):
    x = (CUBE * (1 + 0.5j) if dtype == "complex128" else CUBE).astype(dtype)
    index = np.asarray([1, 0, 1, -1])
    xp = backend.xp
    value, pullback = pn.vjp(
        lambda x: xp.take(x, backend.asarray(index), axis=axis), backend.asarray(x)
    )
    np.testing.assert_array_equal(backend.to_numpy(value), np.take(x, index, axis=axis))
    g = backend.to_numpy(value) * 2
    cotangent = pullback(backend.asarray(g))[0]
    expected = np.zeros_like(x)
    np.add.at(expected, (slice(None),) * (axis % 3) + (index,), g)
    assert cotangent.dtype == value.dtype
    np.testing.assert_allclose(backend.to_numpy(cotangent), expected, rtol=1e-6)


def test_writing_into_a_traced_array_says_what_to_write_instead(backend):
    if backend.name in ("torch", "jax"):
        pytest.skip("the library has its own rules")

    def write(x):
        x[0, ...] = 1.0
        return backend.xp.sum(x)

    with pytest.raises(TracedValueError, match=r"xp.where, .* or pn.functional.at"):
        pn.grad(write)(backend.asarray(CUBE))


def test_a_function_without_a_rule_is_named(backend):
    if backend.name in ("torch", "jax"):
        pytest.skip("the library has its own rules")
    xp = backend.xp
    with pytest.raises(NoDerivativeError, match="arange has no derivative rule"):
        pn.grad(lambda x: xp.sum(xp.arange(x[0, 0, 0])))(backend.asarray(CUBE))


def test_nested_lists_of_traced_numbers_become_arrays(backend):
    xp = backend.xp
    x = backend.asarray(np.asarray([2.0, 3.0], np.float32))

    def matrix(x):
        return xp.asarray([[x[0], 1.0], [x[0] * x[1], x[1]]])

    if backend.name == "jax":
        pytest.skip("jax has its own asarray")
    value, pullback = pn.vjp(matrix, x)
    assert value.dtype == x.dtype
    np.testing.assert_array_equal(backend.to_numpy(value), [[2.0, 1.0], [6.0, 3.0]])
    seed = backend.asarray(np.asarray([[1.0, 5.0], [1.0, 10.0]], np.float32))
    np.testing.assert_array_equal(backend.to_numpy(pullback(seed)[0]), [4.0, 12.0])


def _by_rows(xp, x):
    """Rows read in a loop, by negative numbers, slices and new axes, some twice, and all of it."""
    total = xp.sum(x * x)
    for i in range(x.shape[0]):
        total = total + (i + 1.0) * xp.sum(x[i, ...] ** 3) + xp.sum(x[-1 - i, None, :] ** 2)
    for row in xp.unstack(x[1:, :], axis=1):
        total = total + xp.sum(row**3)
    return total


def _by_rows_at_once(x):
    weights = np.arange(1.0, x.shape[0] + 1)[:, None]
    return np.sum(2 * x**2 + weights * x**3) + np.sum(x[1:] ** 3)


def _slope_by_rows(x):
    weights = np.arange(1.0, x.shape[0] + 1)[:, None]
    late = np.arange(x.shape[0])[:, None] > 0
    return 4 * x + 3 * (weights + late) * x**2, 4 + 6 * (weights + late) * x


def test_rows_read_in_a_loop(backend):
    xp, host = backend.xp, CUBE[0]
    x, v = backend.asarray(host), backend.asarray(np.cos(host))

    def function(x):
        return _by_rows(xp, x)

    slope, curvature = _slope_by_rows(host)
    along = curvature * np.cos(host)
    close = np.testing.assert_allclose
    close(float(backend.to_numpy(function(x))), _by_rows_at_once(host), rtol=1e-12)
    close(backend.to_numpy(pn.grad(function)(x)), slope, rtol=1e-12)
    close(backend.to_numpy(pn.hvp(function, x, v)), along, rtol=1e-12)
    twice = pn.grad(lambda x: xp.sum(pn.grad(function)(x) * v))(x)
    close(backend.to_numpy(twice), along, rtol=1e-12)
    mixed = pn.grad(lambda x: pn.jvp(function, (x,), (v,))[1])(x)
    close(backend.to_numpy(mixed), along, rtol=1e-12)
    batch = pn.vmap(pn.grad(function))(xp.stack([x, v]))
    close(backend.to_numpy(batch[1, ...]), _slope_by_rows(np.cos(host))[0], rtol=1e-12)
    if backend.name != "torch":
        close(backend.to_numpy(pn.jit(pn.grad(function))(x)), slope, rtol=1e-12)


def test_the_gradient_of_a_loop_over_rows_writes_them_into_one_array():
    def function(x):
        total = 0.0
        for row in x:
            total = total + np.sum(row**3)
        return total

    x = np.arange(600.0).reshape(300, 2)
    gradient = pn.jit(pn.grad(function))
    explained = gradient.explain(x)
    assert "scatter_sum: 1\n" in explained
    assert "scatter_getitem" not in explained
    np.testing.assert_allclose(gradient(x), 3 * x**2)


def test_rows_taken_from_a_large_table_cost_no_pairs_of_elements(backend):
    indices = np.random.default_rng(0).integers(2000, size=2000)
    table = backend.asarray(np.ones((2000, 500), np.float32))
    rows = backend.asarray(indices)
    gradient = pn.grad(lambda x: backend.xp.sum(backend.xp.take(x, rows, axis=0)))(table)
    counts = np.bincount(indices, minlength=2000)
    expected = np.broadcast_to(counts[:, None], (2000, 500))
    np.testing.assert_array_equal(backend.to_numpy(gradient), expected)
