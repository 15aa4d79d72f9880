"""Calls of the standard's functions, with every keyword: what the tests of the tape run over.

``CALLS[name]`` is a list of pairs: a function ``call(xp, *arrays)`` and its NumPy arrays in double
precision, chosen away from kinks. The names are those of the capability table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import device

Call = tuple[Callable[..., Any], tuple[np.ndarray, ...]]

X = np.asarray([[0.3, -0.7, 1.2], [0.9, 0.4, -1.6]])
Y = np.asarray([[1.1, 0.6, -0.8], [-0.5, 1.7, 0.2]])
ROW = np.asarray([0.8, -1.3, 0.45])
UNIT = np.asarray([[0.3, -0.7, 0.2], [0.9, 0.4, -0.6]])
ABOVE = np.asarray([[0.3, 0.7, 1.2], [0.9, 0.4, 2.6]])
ZERO_D = np.asarray(0.7)
CUBE = np.sin(np.arange(1.0, 13.0)).reshape(2, 2, 3)
BATCH = np.cos(np.arange(1.0, 13.0)).reshape(2, 3, 2)
Z = X + 1j * Y
W = Y - 0.4j * X
ZERO_PRODUCT = np.asarray([[0.3, 0.0, 1.2], [0.0, 0.4, 0.0]])
DISTINCT = np.asarray([[3.0, -1.0, 2.0], [0.5, 4.0, -2.0]])


def _named(name: str, *args: np.ndarray, **options: Any) -> Call:
    return lambda xp, *arrays: getattr(xp, name)(*arrays, **options), args


def _unary(name: str, real: np.ndarray, complex_: bool = True) -> list[Call]:
    calls = [_named(name, real), _named(name, real[0, 1])]
    return [*calls, _named(name, real * 0.7 + 0.4j * Y)] if complex_ else calls


def _binary(name: str, a: np.ndarray, b: np.ndarray, complex_: bool = True) -> list[Call]:
    row, column = b[0, :], b[:, :1]
    calls = [
        _named(name, a, b),
        _named(name, a, row),
        _named(name, column, a),
        (lambda xp, x: getattr(xp, name)(x, 1.3), (a,)),
        (lambda xp, x: getattr(xp, name)(0.7, x), (b,)),
    ]
    if complex_:
        calls += [
            _named(name, Z, W),
            _named(name, a, W),
            _named(name, Z, b),
            (lambda xp, x: getattr(xp, name)(x, 0.5 - 1j), (Z,)),
            (lambda xp, x: getattr(xp, name)(1.5 + 1j, x), (W,)),
        ]
    return calls


def _axes(name: str, x: np.ndarray = CUBE, complex_: bool = True, **options: Any) -> list[Call]:
    calls = [
        _named(name, x, **options),
        _named(name, x, axis=-1, **options),
        _named(name, x, axis=1, keepdims=True, **options),
        _named(name, x, axis=(0, 2), **options),
        _named(name, x, axis=(0, -1), keepdims=True, **options),
        _named(name, ZERO_D, **options),
    ]
    return [*calls, _named(name, Z, axis=1, **options)] if complex_ else calls


_SMOOTH = {
    **{
        name: _unary(name, X)
        for name in (
            "asinh", "cos", "cosh", "exp", "expm1", "negative", "positive", "reciprocal", "sin",
            "sinh", "square", "tan", "tanh",
        )
    },
    **{name: _unary(name, UNIT) for name in ("acos", "asin", "atan", "atanh")},
    **{name: _unary(name, ABOVE) for name in ("log", "log10", "log1p", "log2", "sqrt")},
    "acosh": _unary("acosh", ABOVE + 1.1),
    "abs": _unary("abs", X),
    "conj": [_named("conj", Z)],
    "imag": [_named("imag", Z)],
    "real": [_named("real", Z)],
    "sign": [_named("sign", Z)],
    **{name: _binary(name, X, Y) for name in ("add", "divide", "multiply", "subtract")},
    "pow": [
        *_binary("pow", ABOVE, Y + 1.5),
        (lambda xp, x: x**3 + x**2 + x**1 + x**0 + x**-1, (X,)),
        (lambda xp, x: 2**x, (X,)),
    ],
    "atan2": _binary("atan2", X, Y, False),
    "copysign": _binary("copysign", X, Y, False),
    "hypot": _binary("hypot", X, Y, False),
    "logaddexp": _binary("logaddexp", X, Y, False),
    "maximum": _binary("maximum", X, Y, False),
    "minimum": _binary("minimum", X, Y, False),
    "nextafter": [_named("nextafter", X, Y)],
    "remainder": _binary("remainder", X, Y + 2.57, False),
    "clip": [
        (lambda xp, x: xp.clip(x, -0.5, 0.8), (X,)),
        (lambda xp, x: xp.clip(x, min=-0.5), (X,)),
        (lambda xp, x: xp.clip(x, max=0.8), (X,)),
        (lambda xp, x: xp.clip(x), (X,)),
        (lambda xp, x, low, high: xp.clip(x, low, high), (X, Y - 1, Y + 0.3)),
        (lambda xp, x, low, high: xp.clip(x, min=low, max=high), (X, Y - 1, Y + 0.3)),
    ],
    "where": [
        (lambda xp, x, y: xp.where(x > 0, x, y), (X, Y)),
        (lambda xp, x, y: xp.where(x > 0, x, y), (X, ROW)),
        (lambda xp, x: xp.where(x > 0, x, 1.0), (X,)),
        (lambda xp, x: xp.where(x > 0, 1.0, x), (X,)),
        (lambda xp, x, y: xp.where(xp.real(x) > 0, x, y), (Z, W)),
    ],
    # Statistics
    **{name: _axes(name, complex_=name == "sum") for name in ("mean", "sum")},
    "max": _axes("max", complex_=False),
    "min": _axes("min", complex_=False),
    "prod": [*_axes("prod"), _named("prod", ZERO_PRODUCT, axis=0), _named("prod", ZERO_PRODUCT)],
    "var": [*_axes("var", complex_=False)[:-1], _named("var", CUBE, axis=(0, 2), correction=1.5)],
    "std": [*_axes("std", complex_=False)[:-1], _named("std", CUBE, axis=1, correction=1)],
    **{
        name: [
            _named(name, CUBE, axis=1),
            _named(name, CUBE, axis=-1, include_initial=True),
            _named(name, ROW),
            _named(name, Z, axis=1),
            _named(name, ZERO_PRODUCT, axis=1),
        ]
        for name in ("cumulative_prod", "cumulative_sum")
    },
    "diff": [
        _named("diff", X),
        _named("diff", X, axis=0),
        _named("diff", X, n=2),
        _named("diff", X, n=0),
        (lambda xp, x, y, z: xp.diff(x, axis=1, prepend=y, append=z), (X, Y, X[:, :1])),
    ],
    # Manipulation
    "broadcast_to": [
        (lambda xp, x: xp.broadcast_to(x, (4, 2, 3)), (X,)),
        (lambda xp, x: xp.broadcast_to(x, shape=(2, 5)), (X[:, :1],)),
        (lambda xp, x: xp.broadcast_to(x, (2, 2)), (ZERO_D,)),
    ],
    "broadcast_arrays": [
        (lambda xp, x, y: tuple(xp.broadcast_arrays(x, y)), (X, ROW)),
        (lambda xp, x, y: tuple(xp.broadcast_arrays(x, y)), (ZERO_D, X[:, :1])),
    ],
    "concat": [
        (lambda xp, x, y: xp.concat([x, y]), (X, Y)),
        (lambda xp, x, y: xp.concat((x, y), axis=-1), (X, Y[:, :1])),
        (lambda xp, x, y: xp.concat([x, y], axis=None), (X, ROW)),
        (lambda xp, x, y: xp.concat([x, y]), (X, W)),
    ],
    "stack": [
        (lambda xp, x, y: xp.stack([x, y]), (X, Y)),
        (lambda xp, x, y: xp.stack((x, y), axis=-1), (X, W)),
    ],
    "expand_dims": [
        (lambda xp, x: xp.expand_dims(x, axis=1), (X,)),
        (lambda xp, x: xp.expand_dims(x, axis=-1), (X,)),
    ],
    "squeeze": [
        (lambda xp, x: xp.squeeze(x, axis=1), (X[:, None, :],)),
        (lambda xp, x: xp.squeeze(x, (0, -1)), (X[None, :, :, None],)),
    ],
    "flip": [_named("flip", X), _named("flip", X, axis=-1), _named("flip", CUBE, axis=(0, 2))],
    "moveaxis": [
        (lambda xp, x: xp.moveaxis(x, 0, -1), (CUBE,)),
        (lambda xp, x: xp.moveaxis(x, (0, 1), (2, 0)), (CUBE,)),
    ],
    "permute_dims": [
        (lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (CUBE,)),
        (lambda xp, x: xp.permute_dims(x, axes=(1, 2, 0)), (CUBE,)),
    ],
    "repeat": [
        (lambda xp, x: xp.repeat(x, 2), (X,)),
        (lambda xp, x: xp.repeat(x, 3, axis=-1), (X,)),
        (
            lambda xp, x: xp.repeat(
                x, xp.asarray([1, 0, 2], dtype=xp.int64, device=device(x)), axis=1
            ),
            (X,),
        ),
    ],
    "reshape": [
        (lambda xp, x: xp.reshape(x, (3, 2)), (X,)),
        (lambda xp, x: xp.reshape(x, shape=(-1,), copy=True), (X,)),
        (lambda xp, x: xp.reshape(x, (1, 1)), (ZERO_D,)),
    ],
    "roll": [
        (lambda xp, x: xp.roll(x, 2), (X,)),
        (lambda xp, x: xp.roll(x, shift=-1, axis=1), (X,)),
        (lambda xp, x: xp.roll(x, (1, 2), axis=(0, -1)), (X,)),
    ],
    "tile": [
        (lambda xp, x: xp.tile(x, (2,)), (X,)),
        (lambda xp, x: xp.tile(x, (2, 1, 3)), (X,)),
    ],
    "unstack": [(lambda xp, x: xp.unstack(x), (X,)), (lambda xp, x: xp.unstack(x, axis=-1), (Z,))],
    "astype": [
        (lambda xp, x: xp.astype(x, xp.float64), (X,)),
        (lambda xp, x: xp.astype(x, xp.complex128), (X,)),
        (lambda xp, x: xp.astype(x, xp.float64, copy=False), (X,)),
        (lambda xp, x: xp.astype(x, xp.float64, device=device(x)), (X,)),
    ],
    # Creation
    "asarray": [
        (lambda xp, x: xp.asarray(x), (X,)),
        (lambda xp, x: xp.asarray(x, dtype=xp.complex128, copy=True), (X,)),
    ],
    "full": [
        (lambda xp, x: xp.full((2, 3), x), (ZERO_D,)),
        (lambda xp, x: xp.full(4, fill_value=x, dtype=xp.complex128), (ZERO_D,)),
    ],
    "linspace": [
        (lambda xp, x: xp.linspace(x, 2.0, 4), (ZERO_D,)),
        (lambda xp, x, y: xp.linspace(x, y, num=3, endpoint=False), (ZERO_D, ZERO_D + 1)),
        (lambda xp, x: xp.linspace(-1.0, x, 1), (ZERO_D,)),
    ],
    "meshgrid": [
        (lambda xp, x, y: tuple(xp.meshgrid(x, y)), (ROW, X[0, :2])),
        (lambda xp, x, y, z: tuple(xp.meshgrid(x, y, z, indexing="ij")), (ROW, ROW, X[0, :2])),
        (lambda xp, x: tuple(xp.meshgrid(x)), (ROW,)),
    ],
    "tril": [_named("tril", X), _named("tril", CUBE, k=1), _named("tril", CUBE, k=-1)],
    "triu": [_named("triu", X), _named("triu", CUBE, k=1), _named("triu", Z, k=-1)],
    # Linear algebra of the main namespace
    "matmul": [
        _named("matmul", X, BATCH[0]),
        _named("matmul", ROW, X.T),
        _named("matmul", X, ROW),
        _named("matmul", ROW, ROW[::-1]),
        _named("matmul", CUBE, BATCH),
        _named("matmul", X, BATCH),
        _named("matmul", CUBE, ROW),
        _named("matmul", ROW, BATCH),
        _named("matmul", Z, BATCH[0] + 0.3j),
        _named("matmul", X, BATCH[0] + 0.3j),
    ],
    "matrix_transpose": [_named("matrix_transpose", CUBE), (lambda xp, x: x.mT + x, (X[:, :2],))],
    "tensordot": [
        _named("tensordot", CUBE, X),
        _named("tensordot", X, BATCH[0], axes=1),
        _named("tensordot", CUBE, BATCH, axes=((0, -1), (0, 1))),
        _named("tensordot", X, ROW, axes=0),
        _named("tensordot", Z, W, axes=((1,), (1,))),
    ],
    "vecdot": [
        _named("vecdot", X, Y),
        _named("vecdot", X, Y, axis=-2),
        _named("vecdot", CUBE, ROW),
        _named("vecdot", Z, W),
        _named("vecdot", X, W),
    ],
    # Reading by index, sorting
    "take": [
        (lambda xp, x: xp.take(x, _index(xp, x, [2, 0, 2, -1]), axis=1), (X,)),
        (lambda xp, x: xp.take(x, _index(xp, x, [1, 1, 0]), axis=-2), (CUBE,)),
        (lambda xp, x: xp.take(x, _index(xp, x, [2, 2])), (ROW,)),
        (lambda xp, x: xp.take(x, _index(xp, x, [0, 0]), axis=0), (Z,)),
    ],
    "take_along_axis": [
        (lambda xp, x: xp.take_along_axis(x, _index(xp, x, [[2, 0], [1, 1]]), axis=1), (X,)),
        (lambda xp, x: xp.take_along_axis(x, _index(xp, x, [[1, 1, 0]]), axis=-2), (X,)),
        (lambda xp, x: xp.take_along_axis(x, _index(xp, x, [[2, 2]])), (X,)),
    ],
    "sort": [
        _named("sort", DISTINCT),
        _named("sort", DISTINCT, axis=0, descending=True),
        _named("sort", DISTINCT, stable=False),
    ],
}  # fmt: skip

MATRIX = np.asarray([[0.9, -0.3, 0.2], [0.4, 1.3, -0.5], [-0.2, 0.7, 1.9]])
_STACK = np.stack([MATRIX, MATRIX.T + np.diag([0.5, 1.0, 1.5])])


def _positive(xp: Any, x: Any) -> Any:
    return x @ xp.matrix_transpose(x) + x + xp.matrix_transpose(x)


def _linalg(name: str, *args: np.ndarray, **options: Any) -> Call:
    return lambda xp, *arrays: getattr(xp.linalg, name)(*arrays, **options), args


def _fft(name: str, *args: np.ndarray, **options: Any) -> Call:
    return lambda xp, *arrays: getattr(xp.fft, name)(*arrays, **options), args


# Eigenvectors and singular vectors have free signs: only what does not depend on them is compared.
_LINALG = {
    "cholesky": [(lambda xp, x: xp.linalg.cholesky(_positive(xp, x)), (MATRIX,))],
    "cross": [_linalg("cross", X, Y)],
    "det": [_linalg("det", _STACK), _linalg("det", MATRIX + 0.3j * MATRIX.T)],
    "diagonal": [_linalg("diagonal", CUBE), _linalg("diagonal", X, offset=1)],
    "eig": [(lambda xp, x: xp.linalg.eig(_positive(xp, x))[0] ** 2, (MATRIX,))],
    "eigh": [(lambda xp, x: _eigh(xp, _positive(xp, x)), (MATRIX,))],
    "eigvals": [(lambda xp, x: xp.sum(xp.linalg.eigvals(_positive(xp, x)) ** 3), (MATRIX,))],
    "eigvalsh": [(lambda xp, x: xp.linalg.eigvalsh(_positive(xp, x)), (_STACK,))],
    "inv": [_linalg("inv", _STACK)],
    "matmul": [_linalg("matmul", X, BATCH)],
    "matrix_norm": [
        _linalg("matrix_norm", CUBE),
        _linalg("matrix_norm", X, ord=1),
        _linalg("matrix_norm", X, ord="nuc", keepdims=True),
        _linalg("matrix_norm", X, ord=2),
    ],
    "matrix_power": [
        (lambda xp, x: xp.linalg.matrix_power(x, 3), (MATRIX,)),
        (lambda xp, x: xp.linalg.matrix_power(x, -2), (_STACK,)),
    ],
    "matrix_transpose": [_linalg("matrix_transpose", CUBE)],
    "outer": [_linalg("outer", ROW, X[0, :])],
    "pinv": [_linalg("pinv", X)],
    "qr": [(lambda xp, x: xp.abs(xp.linalg.qr(x)[1]), (MATRIX,))],
    "slogdet": [(lambda xp, x: xp.linalg.slogdet(x)[1], (_STACK,))],
    "solve": [_linalg("solve", MATRIX, BATCH[0]), _linalg("solve", _STACK, ROW)],
    "svd": [(lambda xp, x: xp.linalg.svd(x, full_matrices=False)[1], (X,))],
    "svdvals": [_linalg("svdvals", CUBE)],
    "tensordot": [_linalg("tensordot", X, BATCH[0], axes=1)],
    "trace": [_linalg("trace", _STACK), _linalg("trace", X, offset=1)],
    "vecdot": [_linalg("vecdot", X, Y)],
    "vector_norm": [
        _linalg("vector_norm", CUBE, axis=(0, 2)),
        _linalg("vector_norm", X, axis=1, ord=1, keepdims=True),
        _linalg("vector_norm", X, ord=3),
        _linalg("vector_norm", X, axis=0, ord=float("inf")),
    ],
}
_FFT = {
    **{name: [_fft(name, Z), _fft(name, Z, n=4, axis=0)] for name in ("fft", "ifft", "hfft")},
    **{name: [_fft(name, Z), _fft(name, CUBE + 0.5j, axes=(0, 2))] for name in ("fftn", "ifftn")},
    **{name: [_fft(name, X), _fft(name, X, n=4, norm="ortho")] for name in ("rfft", "ihfft")},
    "irfft": [_fft("irfft", Z), _fft("irfft", Z, n=5)],
    "rfftn": [_fft("rfftn", X)],
    "irfftn": [_fft("irfftn", Z)],
    **{name: [_fft(name, X), _fft(name, X, axes=1)] for name in ("fftshift", "ifftshift")},
}


def _eigh(xp: Any, x: Any) -> tuple[Any, Any]:
    values, vectors = xp.linalg.eigh(x)
    return values, xp.square(vectors)


_ZERO = {
    **{name: [_named(name, X)] for name in ("ceil", "floor", "round", "trunc")},
    "floor_divide": [_named("floor_divide", X, Y)],
    **{
        name: [_named(name, X, Y)]
        for name in (
            "equal", "greater", "greater_equal", "less", "less_equal", "not_equal",
        )
    },
    **{name: [_named(name, X)] for name in ("isfinite", "isinf", "isnan", "signbit")},
    **{name: [(lambda xp, x, n=name: getattr(xp, n)(x > 0), (X,))] for name in ("all", "any")},
    "logical_not": [(lambda xp, x: xp.logical_not(x > 0), (X,))],
    **{
        name: [(lambda xp, x, n=name: getattr(xp, n)(x > 0, x < 1), (X,))]
        for name in ("logical_and", "logical_or", "logical_xor")
    },
    **{
        name: [(lambda xp, x, n=name: getattr(xp, n)(x > 0, x < 1), (X,))]
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    "isin": [
        (lambda xp, x, y: xp.isin(xp.astype(x, xp.int64), xp.astype(y, xp.int64)), (X, Y)),
    ],
    "bitwise_invert": [(lambda xp, x: xp.bitwise_invert(x > 0), (X,))],
    **{
        name: [(lambda xp, x, n=name: getattr(xp, n)(xp.astype(x, xp.int64), 1), (ABOVE,))]
        for name in ("bitwise_left_shift", "bitwise_right_shift")
    },
    **{name: [_named(name, X), _named(name, X, axis=1)] for name in ("argmax", "argmin")},
    "argsort": [_named("argsort", X, axis=0, descending=True)],
    "count_nonzero": [_named("count_nonzero", X, axis=1)],
    "nonzero": [(lambda xp, x: tuple(xp.nonzero(x)), (X,))],
    "searchsorted": [_named("searchsorted", np.sort(ROW), X[0, :], side="right")],
    "empty_like": [(lambda xp, x: xp.ones_like(xp.empty_like(x)), (X,))],
    "full_like": [_named("full_like", X, fill_value=2.0)],
    **{name: [_named(name, X)] for name in ("ones_like", "zeros_like")},
    "linalg.matrix_rank": [_linalg("matrix_rank", X)],
}  # fmt: skip

_REFUSED = {
    name: [_named(name, X)]
    for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values")
}


def _index(xp: Any, x: Any, values: list[Any]) -> Any:
    return xp.asarray(values, dtype=xp.int64, device=device(x))


# The standard gives these numbers only; with traced arrays of no dimension they work too.
NUMBERS_ONLY = frozenset({"full", "linspace"})

CALLS: dict[str, list[Call]] = {
    **_SMOOTH,
    **_ZERO,
    **_REFUSED,
    **{f"linalg.{name}": calls for name, calls in _LINALG.items()},
    **{f"fft.{name}": calls for name, calls in _FFT.items()},
}
