"""Proving the derivatives of a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from portanet import trees
from portanet.autodiff import grad, hvp, jvp, vjp
from portanet.interface import backend_of, is_array, is_floating
from portanet.parameters.precision import astype
from portanet.testing import arguments
from portanet.testing.compare import assert_close, assert_same_kind, move, require
from portanet.testing.differences import slope


def check_rule(
    function: Callable[..., Any],
    *args: Any,
    backends: Iterable[str] | None = None,
    order: int = 2,
    rtol: float = 1e-7,
    atol: float = 1e-8,
) -> None:
    """Check every derivative of a function at a point against finite differences.

    What is checked, in float64: the function gives the same values whether it is differentiated
    or not; its derivative in forward mode; in reverse mode, for each array alone; the second one,
    forward over reverse and reverse over reverse. And in float32: all of that stays float32.

    Parameters
    ----------
    function : callable
        Takes and returns any trees; smooth near `args`. Its floating-point arrays, real and
        complex, are differentiated.
    *args : tree
        Arrays of any library, away from kinks. Floating-point ones are converted to float64.
    backends : iterable of str, optional
        The libraries on which to check; by default that of `args`.
    order : int
        1 leaves the second derivative out.
    rtol, atol : float
        How closely derivatives agree with finite differences.

    Raises
    ------
    AssertionError
        With the library, the derivative and the numbers that disagree.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.testing.check_rule(pn.gelu, np.linspace(-2.0, 2.0, 5))

    >>> @pn.custom_vjp
    ... def square(x):
    ...     return x * x
    >>> square.defvjp(lambda x: (x * x, x), lambda x, g: (g * x,))  # a factor 2 is missing
    >>> pn.testing.check_rule(square, np.asarray([1.0, 3.0]), order=1)
    Traceback (most recent call last):
    AssertionError: square on numpy: forward derivative.0: 2 of 2 numbers differ, ...
    """
    arguments.check_function("function", function)
    arguments.check_order(order)
    arguments.check_numbers(rtol=rtol, atol=atol)
    name = getattr(function, "__name__", type(function).__name__)
    arrays = [x for x in trees.leaves(args) if is_array(x)]
    require(arrays, f"{name}: no array among the arguments")
    for backend in arguments.names_of(backends, (backend_of(*arrays).name,)):
        where = name if name.endswith(" mode") else f"{name} on {backend}"
        placed = move(args, backend)
        _check_derivatives(where, _Flat(function, astype(placed, "float64")), order, rtol, atol)
        _check_dtype(where, _Flat(function, astype(placed, "float32")), order)


class _Flat:
    """A function from the floating-point arrays of its arguments to those of its result."""

    def __init__(self, function: Callable[..., Any], args: Any) -> None:
        self.function = function
        self.leaves, self.structure = trees.flatten(args)
        self.places = [i for i, x in enumerate(self.leaves) if is_floating(x)]
        self.floats = [self.leaves[i] for i in self.places]

    def __call__(self, floats: Sequence[Any]) -> list[Any]:
        filled = list(self.leaves)
        for i, x in zip(self.places, floats, strict=True):
            filled[i] = x
        outputs = trees.leaves(self.function(*trees.unflatten(self.structure, filled)))
        return [y for y in outputs if is_floating(y)]


def directions(arrays: Sequence[Any], seed: int) -> list[Any]:
    """Return arrays of the kind of `arrays` with random numbers between -1 and 1."""
    rng = np.random.default_rng(seed)
    drawn = []
    for x in arrays:
        backend = backend_of(x)
        numbers = np.asarray(rng.uniform(-1, 1, tuple(x.shape)))
        if backend.xp.isdtype(x.dtype, "complex floating"):
            numbers = numbers + 1j * rng.uniform(-1, 1, tuple(x.shape))
        moved = backend.from_numpy(numbers, backend.device_of(x))
        drawn.append(backend.xp.astype(moved, x.dtype))
    return drawn


def _dot(left: Sequence[Any], right: Sequence[Any]) -> Any:
    """The real inner product of two lists of arrays, an array of theirs without axes."""
    total: Any = 0.0
    for x, y in zip(left, right, strict=True):
        xp = backend_of(x, y).xp
        complex_ = xp.isdtype(x.dtype, "complex floating")
        total = total + xp.sum(xp.real(xp.conj(x) * y) if complex_ else x * y)
    return total


def _check_derivatives(where: str, f: _Flat, order: int, rtol: float, atol: float) -> None:
    tangents = directions(f.floats, 1)

    def moved(t: float, only: int | None = None) -> list[Any]:
        pairs = enumerate(zip(f.floats, tangents, strict=True))
        return [x + t * v if only in (None, i) else x for i, (x, v) in pairs]

    value = f(f.floats)
    require(f.floats and value, f"{where}: no floating-point array goes in and comes out")
    pushed, forward = jvp(f, (f.floats,), (tangents,))
    pulled, pullback = vjp(f, f.floats)
    assert_close(pushed, value, 1e-13, 1e-14, f"{where}: value in forward mode")
    assert_close(pulled, value, 1e-13, 1e-14, f"{where}: value in reverse mode")
    differences = slope(lambda t: f(moved(t)))
    assert_close(forward, differences, rtol, atol, f"{where}: forward derivative")

    cotangents = directions(value, 2)
    (gradients,) = pullback(cotangents)
    assert_same_kind(gradients, f.floats, f"{where}: reverse derivative")

    def projected(xs: Any) -> Any:
        return _dot(cotangents, f(xs))

    for i, (g, v) in enumerate(zip(gradients, tangents, strict=True)):
        (expected,) = slope(lambda t, i=i: [projected(moved(t, i))])
        what = f"{where}: reverse derivative[{i}] along a direction"
        assert_close(_dot([g], [v]), expected, rtol, atol, what)

    if order == 2:
        slopes = slope(lambda t: grad(projected)(moved(t)))
        assert_close(
            hvp(projected, f.floats, tangents), slopes, rtol, atol,
            f"{where}: second derivative, forward over reverse",
        )  # fmt: skip
        twice = grad(lambda xs: _dot(tangents, grad(projected)(xs)))(f.floats)
        what = f"{where}: second derivative, reverse over reverse"
        assert_close(twice, slopes, rtol, atol, what)


def _check_dtype(where: str, f: _Flat, order: int) -> None:
    value, pullback = vjp(f, f.floats)
    tangents = directions(f.floats, 1)
    narrow = ("float32", "complex64")
    for y in value:
        name = backend_of(y).dtype_name(y.dtype)
        require(name in narrow, f"{where}: float32 goes in, {name} comes out")
    assert_same_kind(value, f(f.floats), f"{where}: value in reverse mode")
    pushed, forward = jvp(f, (f.floats,), (tangents,))
    assert_same_kind(pushed, value, f"{where}: value in forward mode")
    assert_same_kind(forward, value, f"{where}: forward derivative in float32")
    cotangents = directions(value, 2)
    (gradients,) = pullback(cotangents)
    assert_same_kind(gradients, f.floats, f"{where}: reverse derivative in float32")
    if order == 2:
        curvature = hvp(lambda xs: _dot(cotangents, f(xs)), f.floats, tangents)
        assert_same_kind(curvature, f.floats, f"{where}: second derivative in float32")
