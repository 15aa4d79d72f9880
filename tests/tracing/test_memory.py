"""Results are the caller's alone, and so are the arguments."""

from __future__ import annotations

import numpy as np
import pytest
from tracing.same import check_same
from tracing.test_results import FUNCTIONS, X

import portanet as pn
from portanet import trees
from portanet.testing import Snapshot


def _written(tree):
    """Write into every array of a tree that can be written."""
    for x in trees.leaves(tree):
        if isinstance(x, np.ndarray) and x.flags.writeable and x.size:
            x[...] = 77 if x.dtype != bool else True


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_kept_result_does_not_change_and_a_written_one_does_not_matter(function):
    def call(x):
        return function(pn.array_namespace(x), x)

    jitted = pn.jit(call)
    inputs = [X, X + 0.5, X * 2.0 - 0.3, X]
    copies = [x.copy() for x in inputs]
    results = [jitted(x) for x in inputs]
    for result, x, copy in zip(results, inputs, copies, strict=True):
        check_same(result, call(copy))
        np.testing.assert_array_equal(x, copy)
    for result, x in zip(results, inputs, strict=True):
        if x is not X:
            _written(result)
    check_same(jitted(copies[0]), call(copies[0]))
    check_same(jitted(copies[2]), call(copies[2]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 1.0,
        lambda x: x.astype(x.dtype),
        lambda x: x + 0.0 * x,
        lambda x: np.reshape(x * 1.0, (-1,)),
        lambda x: np.concatenate([x]),
    ],
)
def test_writing_into_a_result_leaves_the_argument_alone(function):
    jitted, x = pn.jit(function), X.copy()
    for _ in range(3):
        before = Snapshot(x)
        jitted(x)[...] = 5.0
        before.check()


def test_equal_results_are_two_arrays():
    jitted = pn.jit(lambda x: (np.sin(x), np.sin(x)))
    for _ in range(3):
        a, b = jitted(X)
        a[...] = 9.0
        np.testing.assert_allclose(b, np.sin(X))


def test_a_view_of_an_argument_stays_one():
    x = X.copy()
    jitted = pn.jit(lambda x: (x, x[0], x.T))
    for _ in range(2):
        assert all(np.shares_memory(x, y) for y in jitted(x))


def test_constants_in_results_are_copied():
    constant = np.ones(3)
    jitted = pn.jit(lambda x: (constant, x + constant, np.zeros_like(x)))
    jitted(np.ones(3))
    first, _, zeros = jitted(np.ones(3))
    first[...] = 5.0
    zeros[...] = 5.0
    check_same(jitted(np.ones(3)), (np.ones(3), np.full(3, 2.0), np.zeros(3)))
    np.testing.assert_array_equal(constant, 1.0)


def test_views_of_kept_memory_through_functions_without_a_form():
    """Each of these may return a view; later operations must not write over what it sees."""

    def function(x):
        y = x + 1.0
        views = [np.flip(y), pn.array_namespace(x).moveaxis(y, 0, 1), np.real(y)]
        z = np.sin(x)
        for _ in range(5):
            z = np.cos(z * 2.0)
        return z, [v * 1.5 for v in views], views

    jitted = pn.jit(function)
    for x in (X, X + 1.0, X):
        result = jitted(x)
        jitted(x * 3.0)
        check_same(result, function(x))


def test_overflow_warns_as_without_jit():
    jitted = pn.jit(lambda x: np.exp(x) + 1.0)
    with np.errstate(over="ignore"):
        jitted(np.full(2, 1000.0))
        assert np.all(np.isinf(jitted(np.full(2, 1000.0))))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        jitted(np.full(2, 1000.0))
    np.testing.assert_allclose(jitted(np.zeros(2)), 2.0)


def test_explain_and_source_and_kept_bytes():
    jitted = pn.jit(lambda x: np.sum(np.sin(x) - np.cos(x)))
    text = jitted.explain(X)
    assert "operations: 4" in text
    assert "sin: 1" in text
    assert jitted.cache_info() == (0, 1, 1, 128)
    assert "kept bytes: 128" in text
    assert "def replay(a0):" in jitted.source(X)
    assert jitted.cache_info()[:3] == (0, 1, 1)


def test_a_matrix_that_is_turned_over_is_copied_row_by_row():
    from portanet.tracing.plan.storage import straight

    rng = np.random.default_rng(0)
    for shape in ((256, 1024), (1000, 333), (70000, 1), (3, 4)):
        x = rng.normal(size=shape)
        for given in (x, x.T, x[::2], x.T[:, ::-1]):
            y = straight(given)
            assert y.flags.c_contiguous
            np.testing.assert_array_equal(y, given)
