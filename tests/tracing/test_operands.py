"""Operands that a replay turns over or spreads before they are used."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends import get_backend
from portanet.tracing.plan import turned_operands
from portanet.tracing.plan.spread_operands import with_spread_operands
from portanet.tracing.plan.turned_operands import with_turned_operands
from portanet.tracing.record.record import record

XP = get_backend("numpy").xp


@pytest.fixture
def small_kernels(monkeypatch):
    monkeypatch.setattr(turned_operands, "_has_kernels_for_small_matrices", lambda: True)


def arrays(*shapes, dtype: object = np.float32):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def names(function, *inputs, passed):
    program = passed(record(lambda *xs: [function(*xs)], inputs, XP)[0])
    return [operation.name for operation in program.operations]


def times_transpose(x, w):
    return x @ w.T


@pytest.mark.usefixtures("small_kernels")
class TestTurned:
    def names(self, *shapes, dtype=np.float32, function=times_transpose):
        return names(function, *arrays(*shapes, dtype=dtype), passed=with_turned_operands)

    def test_the_smaller_operand_is_copied(self):
        left = ["permute_dims", "copy", "permute_dims", "matmul"]
        assert self.names((32, 64), (128, 64))[1:] == left
        assert self.names((128, 32), (64, 32))[1:] == ["copy", "matmul"]

    @pytest.mark.parametrize(
        ("m", "k", "n"), [(32, 64, 32), (1, 64, 2000), (40, 15, 40), (200, 200, 200), (0, 16, 9)]
    )
    def test_not_where_it_does_not_pay(self, m, k, n):
        assert "copy" not in self.names((m, k), (n, k))

    def test_of_one_matrix_half_is_needed(self):
        x = (64, 40)
        assert "copy" not in self.names(x, function=lambda x: x @ x.T)
        result = pn.jit(lambda x: x @ x.T)(*arrays(x))
        np.testing.assert_array_equal(result, result.T)

    def test_what_lies_as_it_should_stays(self):
        assert "copy" not in self.names((64, 32), (64, 128), function=lambda x, w: x.T @ w)
        assert "copy" not in self.names((64, 32), (128, 64), function=lambda x, w: x.T @ w.T)

    @pytest.mark.parametrize("dtype", ["complex64", "int64", "float16"])
    def test_other_dtypes_stay(self, dtype):
        assert "copy" not in self.names((32, 64), (128, 64), dtype=dtype)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(("m", "k", "n"), [(32, 64, 128), (128, 32, 64), (35, 16, 36)])
    @pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray])
    def test_values(self, m, k, n, dtype, layout):
        def run(x, w, v):
            y = np.tanh(times_transpose(x, w))
            return y, np.tanh(times_transpose(y, v)), x.T @ y

        given = [layout(x) for x in arrays((m, k), (n, k), (40, n), dtype=dtype)]
        before = [x.copy() for x in given]
        recorded = pn.jit(run)
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        for _ in range(2):
            for y, expected in zip(recorded(*given), run(*given), strict=True):
                assert (y.dtype, y.shape) == (expected.dtype, expected.shape)
                np.testing.assert_allclose(y, expected, rtol=tolerance, atol=10 * tolerance)
        for x, same in zip(given, before, strict=True):
            np.testing.assert_array_equal(x, same)


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(turned_operands, "_has_kernels_for_small_matrices", lambda: False)
    assert "copy" not in names(
        times_transpose, *arrays((32, 64), (128, 64)), passed=with_turned_operands
    )


@pytest.mark.parametrize(
    ("features", "library", "known"),
    [
        ({"found": ["X86_V3", "X86_V4"]}, "scipy-openblas", True),
        ({"found": ["AVX2", "AVX512_SKX"]}, "openblas64", True),
        ({"baseline": ["X86_V4"], "found": []}, "openblas", True),
        ({"found": ["X86_V3"]}, "scipy-openblas", False),
        ({"found": ["X86_V4"]}, "mkl", False),
        ({}, "openblas", False),
        ({"found": ["X86_V4"]}, "", False),
    ],
)
def test_the_library_is_asked(features, library, known, monkeypatch):
    config: dict = {"Build Dependencies": {"blas": {"name": library}} if library else {}}
    config |= {"SIMD Extensions": features}
    monkeypatch.setattr(np, "show_config", lambda mode: config)
    asked = turned_operands._has_kernels_for_small_matrices.__wrapped__
    assert asked() is known


class TestSpread:
    def copies(self, function, *shapes, dtype=np.float32):
        found = names(function, *arrays(*shapes, dtype=dtype), passed=with_spread_operands)
        return found.count("copy")

    @pytest.mark.parametrize("shape", [(8,), (1, 8), (4, 1), (1, 1, 8)])
    def test_rows_and_columns_are_copied(self, shape):
        expected = 1 if len(shape) < 3 else 0  # more axes than the other operand has
        assert self.copies(lambda x, b: x + b, (4, 8), shape) == expected
        assert self.copies(lambda x, b: b > x, (4, 8), shape) == expected

    def test_not_where_it_does_not_pay(self):
        assert self.copies(lambda x, b: x + b, (4, 8), (4, 8)) == 0
        assert self.copies(lambda x, b: x + b, (4, 8), ()) == 0
        assert self.copies(lambda x, b: x + b, (4, 8), (1, 1)) == 0
        assert self.copies(lambda x, b: x + b, (1, 8), (8,)) == 0
        assert self.copies(lambda x, b: x + b, (4, 1), (1, 8)) == 0
        assert self.copies(lambda x, b: x + b, (1024, 8), (8,)) == 1
        assert self.copies(lambda x, b: x + b, (1025, 8), (8,)) == 0
        assert self.copies(lambda x, b: x + b, (0, 8), (8,)) == 0

    def test_values(self):
        def run(x, row, column):
            y = (x + row) * column
            z = (column / y - row) ** 2.0
            return y, z, np.maximum(z, row), row < z, np.sum(z * column, axis=-1), x[0] + x

        given = arrays((6, 5), (5,), (6, 1), dtype=np.float64)
        recorded = pn.jit(run)
        for _ in range(2):
            for y, expected in zip(recorded(*given), run(*given), strict=True):
                assert (y.dtype, y.shape) == (expected.dtype, expected.shape)
                np.testing.assert_allclose(y, expected, rtol=1e-14)
