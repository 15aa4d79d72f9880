"""Arrays with short last axes, which a replay lays out with these first."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends import get_backend
from portanet.tracing.plan.short_axes import with_short_axes_first
from portanet.tracing.record.record import record

XP = get_backend("numpy").xp
N = 16


def points(d=3, n=N, dtype=np.float64):
    return np.random.default_rng(0).normal(size=(n, d)).astype(dtype)


def differences(x):
    return x[:, None, :] - x[None, :, :]


def shapes(function, *inputs):
    program = with_short_axes_first(record(lambda *xs: [function(*xs)], inputs, XP)[0])
    return [operation.result.shape for operation in program.operations]


FUNCTIONS = {
    "squares": lambda x: np.sum(differences(x) ** 2, axis=-1),
    "norms": lambda x: np.sqrt(np.sum(np.square(differences(x)), axis=2) + 1e-3),
    "kept axes": lambda x: np.max(differences(x), axis=-1, keepdims=True),
    "rows": lambda x: np.mean(np.tanh(differences(x)), axis=1),
    "rows kept": lambda x: np.sum(np.tanh(differences(x)), axis=(1,), keepdims=True),
    "columns": lambda x: np.min(np.tanh(differences(x)), axis=0),
    "to the axis": lambda x: np.sum(np.tanh(differences(x)), axis=(0, 1)),
    "to one row": lambda x: np.sum(np.exp(differences(x)), axis=(-1, 0)),
    "all": lambda x: np.sum(np.sin(differences(x))),
    "all kept": lambda x: np.mean(np.sin(differences(x)), axis=None, keepdims=True),
    "numbers": lambda x: np.sum(2.0 * differences(x) / np.sum(x) + 1, axis=-1),
    "constants": lambda x: np.sum(
        differences(x) * np.arange(3.0) + np.ones((N, N, 3)) * np.ones((N, 1)), axis=-1
    ),
    "a weight of each": lambda x: np.sum(
        differences(x) * np.exp(-np.sum(differences(x) ** 2, axis=-1, keepdims=True)), axis=1
    ),
    "masks": lambda x: np.sum(np.where(differences(x) > 0.1, differences(x), 0.0), axis=-1),
    "four axes": lambda x: np.sum(
        (x[:, None, None] - x[None, :, None]) * (x + 1.0)[None, None], axis=(0, -1)
    ),
    "norm": lambda x: np.linalg.vector_norm(differences(x) + 1.0, axis=-1),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients(function, dtype):
    x = points(dtype=dtype)

    def slope(x):
        return pn.grad(lambda x: np.sum(np.tanh(0.01 * function(x))))(x)

    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert any(s[:1] == (3,) and s[-1] == N for s in shapes(function, x))
    for run in (function, slope):
        recorded, expected = pn.jit(run), run(x)
        for given in (x, np.asfortranarray(x), x):
            y = recorded(given)
            assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(
                y, expected, rtol=0, atol=tolerance * (1 + np.abs(expected).max())
            )


STAYING = {
    "long last axis": lambda x: np.sum(differences(np.concatenate([x] * 6, axis=1)), axis=-1),
    "short axis before": lambda x: np.sum(
        np.exp(x[:4] - np.concatenate([x] * 6)[:, None]), axis=-1
    ),
    "few rows": lambda x: np.sum(x[:, :1] * x[0], axis=-1),
    "little to spread": lambda x: np.sum(x[:2, None] - np.concatenate([x] * 9), axis=-1),
    "nothing to spread": lambda x: np.sum(np.exp(x), axis=-1),
    "whole operands": lambda x: np.std(np.exp(x) + x[0], axis=0),
    "a result": lambda x: np.exp(differences(x)),
    "a product": lambda x: np.tanh(differences(x)) @ np.ones((3, 2)),
    "a view": lambda x: np.tanh(differences(x))[..., 0],
    "a running sum": lambda x: np.cumulative_sum(np.tanh(differences(x)), axis=-1),
}


@pytest.mark.parametrize("function", STAYING.values(), ids=STAYING)
def test_what_stays_as_it_is(function):
    x = points()
    program = record(lambda x: [function(x)], (x,), XP)[0]
    assert with_short_axes_first(program).operations == program.operations
    np.testing.assert_allclose(pn.jit(function)(x), function(x), rtol=1e-12)


def test_what_one_operation_holds_back_holds_back_its_neighbours():
    def run(x):
        y = differences(x)
        z = np.exp(y)
        return np.sum(z * 2.0, axis=-1), z @ np.ones(3)

    assert not any(s == (3, N, N) for s in shapes(run, points()))


def test_results_lie_by_rows():
    y = pn.jit(FUNCTIONS["rows"])(points())
    assert y.flags.c_contiguous


def test_an_operand_is_laid_out_once():
    def run(x):
        y = x[:, None, :]
        return np.sum((y - x) * (y + x), axis=-1)

    found = shapes(run, points())
    assert found.count((3, N, 1)) == 2  # its view and its copy


def made_at_random(seed):
    """Return a function that mixes differences of points with what is smaller, and reduces them."""
    draw = np.random.default_rng(seed)
    steps = [
        (draw.integers(7), *draw.integers(1000, size=3), float(draw.normal())) for _ in range(9)
    ]

    def run(x):
        rows, columns = x[:, None, :], x[None, :, :]
        parts = [rows - columns, rows * columns, rows, columns, x, x[0], np.sum(x, axis=1)[:, None]]
        for kind, i, j, k, c in steps:
            a, b = parts[i % len(parts)], parts[j % len(parts)]
            if kind < 3:
                parts.append((a * b, a + c * b, np.maximum(a, b))[kind])
            elif kind == 3:
                parts.append(np.where(a > c, a, 0.5) ** 2)
            elif kind == 4:
                parts.append(np.mean(a, axis=k % len(a.shape), keepdims=True))
            elif kind == 5:
                parts.append(np.max(np.sin(a), axis=-1, keepdims=True) * c)
            else:
                parts.append(np.sin(a) / (2.0 + np.cos(c * a)))
        return sum(
            np.sum(np.tanh(part), axis=0).sum() * (i + 1) for i, part in enumerate(parts[2:])
        )

    return run


@pytest.mark.parametrize("seed", range(40))
def test_functions_made_at_random(seed):
    function, x = made_at_random(seed), points(3)
    both = pn.value_and_grad(function)
    recorded = pn.jit(both)
    for _ in range(2):
        for found, expected in zip(recorded(x), both(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_functions_made_at_random_have_short_axes():
    found = [shapes(made_at_random(seed), points(3)) for seed in range(10)]
    assert sum(any(s == (3, N, N) for s in each) for each in found) >= 5
