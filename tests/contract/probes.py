"""What contract tests ask of a call: where its arrays live, what it leaves alone, its slopes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.backends import backend_of, is_array
from portanet.errors import DTypeError
from portanet.testing import slope

FLOATING = ("float16", "bfloat16", "float32", "float64", "longdouble")
EPSILON = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-23, "float64": 2**-52}


def on_numpy(backend: Any) -> Any:
    """Return the fixture of NumPy, next to that of the library under test."""
    device = pn.backends.get_backend("numpy").parse_device(None)
    return dataclasses.replace(backend, name="numpy", device=device)


def dtypes(backend: Any) -> list[str]:
    """Return the floating dtypes that the library has."""
    return [name for name in FLOATING if _has(backend, name)]


def other_dtypes(backend: Any) -> list[str]:
    """Return those beside float32 and float64, in which the numbers are compared anyway."""
    names = [name for name in dtypes(backend) if name not in ("float32", "float64")]
    return ["bfloat16", "float32"] if backend.name == "jax" else names


def spare(backend: Any, dtype: str) -> None:
    """Skip a comparison in float32 on JAX, which compiles all of it once more."""
    if backend.name == "jax" and dtype == "float32":
        pytest.skip("compiled in float64 alone; float32 is traced")


def _has(backend: Any, name: str) -> bool:
    try:
        backend.dtype(name)
    except DTypeError:
        return False
    return True


def place(backend: Any, tree: Any, dtype: str = "float64") -> Any:
    """Move the arrays of a tree to the library under test, floating ones as `dtype`."""
    return pn.astype(pn.device(backend.place)(tree), dtype)


def to_numpy(tree: Any) -> list[np.ndarray]:
    """Return the leaves of a tree as NumPy arrays, floating ones in float64."""
    return trees.leaves(pn.cpu_device()(pn.astype(tree, "float64")))


def is_floating(x: Any) -> bool:
    return is_array(x) and pn.array_namespace(x).isdtype(x.dtype, "real floating")


def check_home(backend: Any, tree: Any, dtype: str) -> None:
    """Every array is of the library and on the device under test, floating ones of `dtype`."""
    for x in filter(is_array, trees.leaves(tree)):
        assert backend_of(x).name == backend.name
        assert backend.adapter.device_of(x) == backend.device
        if is_floating(x):
            assert x.dtype == backend.dtype(dtype)


def shapes(tree: Any) -> tuple[trees.TreeStructure, list[Any]]:
    """Return the structure of a tree with the shape, dtype and library of each array in it."""
    leaves, structure = trees.flatten(tree)
    return structure, [
        (type(x), tuple(x.shape), x.dtype) if is_array(x) else type(x) for x in leaves
    ]


def _bytes(x: Any) -> Any:
    return backend_of(x).to_numpy(x).tobytes() if is_array(x) else x


def check_identical(actual: Any, expected: Any) -> None:
    """Two trees hold the same, to the last bit."""
    assert shapes(actual) == shapes(expected)
    pairs = zip(trees.leaves(actual), trees.leaves(expected), strict=True)
    assert all(_bytes(x) == _bytes(y) for x, y in pairs)


def check_close(actual: Any, expected: Any, rtol: float, atol: float) -> None:
    """Two trees of arrays, of any libraries, hold nearly the same numbers."""
    pairs = list(zip(to_numpy(actual), to_numpy(expected), strict=True))
    for x, y in pairs:
        assert np.shape(x) == np.shape(y)
        if isinstance(y, np.ndarray | np.generic):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)
        else:
            assert x == y


def check_rounding(actual: Any, expected: Any, dtype: str, slack: float = 0.0) -> None:
    """Two results differ by rounding: first derivatives in float32, second ones in float64.

    An entry may be a sum of larger ones that nearly cancel, which no order of summation makes more
    accurate than these: errors are measured by the largest finite entry of an array.
    """
    tolerance = max({"float32": 64, "float64": 1024}[dtype] * EPSILON[dtype], slack)
    for x, y in zip(trees.leaves(actual), trees.leaves(expected), strict=True):
        sizes = np.abs(to_numpy(y)[0]) if is_array(y) else np.zeros(1)
        largest = max(1.0, float(np.max(sizes, initial=0.0, where=np.isfinite(sizes))))
        check_close(x, y, rtol=tolerance, atol=tolerance * largest)


Function = Callable[[list[Any]], list[Any]]


def of_floats(call: Callable[..., Any], *args: Any) -> tuple[Function, list[Any]]:
    """Return a call as a function from its floating arrays to those of its result."""
    leaves, structure = trees.flatten(args)
    places = [i for i, x in enumerate(leaves) if is_floating(x)]

    def function(floats: Sequence[Any]) -> list[Any]:
        filled = list(leaves)
        for i, x in zip(places, floats, strict=True):
            filled[i] = x
        outputs = trees.leaves(call(*trees.unflatten(structure, filled)))
        return [y for y in outputs if is_floating(y)]

    return function, [leaves[i] for i in places]


def in_all_modes(function: Function, floats: list[Any]) -> tuple[Any, Any, Any]:
    """Return the outputs, themselves pulled back, and the tangent along the inputs."""
    outputs, pullback = pn.vjp(function, floats)
    return outputs, pullback(outputs)[0], pn.jvp(function, (floats,), (floats,))[1]


def to_second_order(function: Function, floats: list[Any]) -> tuple[Any, ...]:
    """Return `in_all_modes`, and the gradient's tangent along the inputs."""
    outputs, gradients, tangents = in_all_modes(function, floats)
    _, curvatures = pn.jvp(lambda xs: _gradients(function, xs, outputs), (floats,), (floats,))
    return outputs, gradients, tangents, curvatures


def compiled(backend: Any, function: Callable[..., Any], floats: list[Any]) -> Any:
    """Return ``function(floats)``, on JAX as one program: one operation at a time is slow there."""
    if backend.name != "jax":
        return function(floats)
    import jax

    return jax.jit(function)(floats)


def outlined(backend: Any, function: Callable[..., Any], floats: list[Any]) -> Any:
    """Return ``function(floats)``; on JAX, which would compile it, zeros of the same kinds."""
    if backend.name != "jax":
        return function(floats)
    import jax

    outline = jax.eval_shape(function, floats)
    return jax.tree.map(lambda x: jax.device_put(np.zeros(x.shape, x.dtype)), outline)


def check_derivatives(
    backend: Any, call: Callable[..., Any], *args: Any, rtol: float = 3e-8, atol: float = 1e-9
) -> None:
    """Forward, reverse and second derivative of a call agree with finite differences."""
    function, floats = of_floats(call, *args)
    rng = np.random.default_rng(7)

    def draw(arrays: Sequence[Any]) -> list[Any]:
        return [backend.asarray(rng.uniform(-1, 1, size=tuple(x.shape))) for x in arrays]

    directions = draw(floats)

    def moved(t: float, only: int | None = None) -> list[Any]:
        return [
            x + t * v if only in (None, i) else x
            for i, (x, v) in enumerate(zip(floats, directions, strict=True))
        ]

    def close(actual: Any, expected: Any) -> None:
        check_close(actual, expected, rtol, atol)

    outputs, tangents = pn.jvp(function, (floats,), (directions,))
    close(tangents, slope(lambda t: function(moved(t))))

    cotangents = draw(outputs)
    gradients = _gradients(function, floats, cotangents)
    assert shapes(gradients) == shapes(floats)
    for i, (g, v) in enumerate(zip(gradients, directions, strict=True)):
        changes = slope(lambda t, i=i: function(moved(t, i)))
        close(_dot([g], [v]), _dot(changes, cotangents))

    _, curvatures = pn.jvp(
        lambda xs: _gradients(function, xs, cotangents), (floats,), (directions,)
    )
    close(curvatures, slope(lambda t: _gradients(function, moved(t), cotangents)))


def _gradients(function: Function, floats: list[Any], cotangents: list[Any]) -> list[Any]:
    return pn.vjp(function, floats)[1](cotangents)[0]


def _dot(left: Any, right: Any) -> np.ndarray:
    pairs = zip(to_numpy(left), to_numpy(right), strict=True)
    return np.asarray(sum(float(np.sum(x * y)) for x, y in pairs))
