"""Whole matrices of derivatives, and products with the second one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from portanet import trees
from portanet.autodiff import flat
from portanet.autodiff.engines import Engine, choose
from portanet.autodiff.gradients import grad
from portanet.autodiff.products import jvp
from portanet.backends import Backend
from portanet.errors import DTypeError, ShapeError


def jacobian(
    function: Callable[..., Any], argnum: int = 0, *, ad: Engine | None = None
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of an array-valued function.

    Forward mode is used where there are no more inputs than outputs, reverse mode elsewhere.

    Parameters
    ----------
    function : callable
        Returns a tree of floating-point arrays.
    argnum : int
        The positional argument to differentiate: a tree of floating-point arrays.
    ad : engine, optional

    Returns
    -------
    callable
        Takes the arguments of `function`. For an output of shape ``s`` and an input of shape
        ``t`` the entry has shape ``s + t`` and the dtype of the output. Trees give the
        structure of the output, with the structure of the input inside each leaf.

    Raises
    ------
    DTypeError
        If an output is not floating point, or it is real while the input is complex: such a
        function has no complex derivative.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.jacobian(lambda x: np.stack([x[0] * x[1], x[0] + x[1]]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [1., 1.]])
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        leaves, structure = flat.primals(args[argnum], f"argument {argnum}")
        backend = choose(ad, leaves)
        results = flat.Outputs()

        def flattened(*arrays: Any) -> list[Any]:
            given = list(args)
            given[argnum] = trees.unflatten(structure, arrays)
            outputs = results.split(function(*given, **options))
            if len(outputs) != len(results.leaves):
                raise DTypeError("jacobian needs a function that returns arrays only")
            return outputs

        outputs, pull = backend.vjp(flattened, leaves)
        join = results.join
        if _forward(backend, leaves, outputs):
            blocks = _by_columns(backend, flattened, leaves, outputs)
        else:
            blocks = _by_rows(backend, pull, leaves, outputs)
        return join([trees.unflatten(structure, row) for row in blocks])

    return wrapped


def _forward(backend: Backend, inputs: list[Any], outputs: list[Any]) -> bool:
    def complex_(x: Any) -> bool:
        return backend.xp.isdtype(x.dtype, "complex floating")

    for y in outputs:
        if not backend.is_floating(y.dtype):
            raise DTypeError(f"jacobian needs floating-point outputs, not {y.dtype}")
    if any(map(complex_, inputs)) and not all(map(complex_, outputs)):
        raise DTypeError("a real function of complex arrays has no complex Jacobian: use pn.grad")
    if any(map(complex_, outputs)):
        return True
    return sum(_size(x) for x in inputs) <= sum(_size(y) for y in outputs)


def _size(x: Any) -> int:
    return math.prod(x.shape)


def _basis(backend: Backend, x: Any) -> list[Any]:
    xp, n = backend.xp, _size(x)
    rows = xp.eye(n, dtype=x.dtype, device=backend.device_of(x))
    return [xp.reshape(rows[i, :], x.shape) for i in range(n)]


def _by_rows(backend: Backend, pull: Any, inputs: list[Any], outputs: list[Any]) -> list[Any]:
    blocks = []
    for i, y in enumerate(outputs):
        seeds: list[Any] = [None] * len(outputs)
        rows = []
        for seed in _basis(backend, y):
            seeds[i] = seed
            rows.append(flat.zeros_for_missing(backend, pull(seeds), inputs))
        blocks.append(
            [_stacked(backend, [r[j] for r in rows], y, x, 0) for j, x in enumerate(inputs)]
        )
    return blocks


def _by_columns(
    backend: Backend, function: Any, inputs: list[Any], outputs: list[Any]
) -> list[Any]:
    zeros = [backend.xp.zeros_like(x) for x in inputs]
    blocks: list[list[Any]] = [[] for _ in outputs]
    for j, x in enumerate(inputs):
        columns = []
        for direction in _basis(backend, x):
            tangents = [*zeros[:j], direction, *zeros[j + 1 :]]
            _, derivatives = backend.jvp(function, inputs, tangents)
            columns.append(flat.zeros_for_missing(backend, derivatives, outputs))
        for i, y in enumerate(outputs):
            blocks[i].append(_stacked(backend, [c[i] for c in columns], y, x, -1))
    return blocks


def _stacked(backend: Backend, parts: list[Any], y: Any, x: Any, axis: int) -> Any:
    xp = backend.xp
    shape = (*y.shape, *x.shape)
    if not parts:
        return xp.zeros(shape, dtype=y.dtype, device=backend.device_of(y))
    return xp.reshape(xp.stack(parts, axis=axis), shape)


def hessian(
    function: Callable[..., Any], argnum: int = 0, *, ad: Engine | None = None
) -> Callable[..., Any]:
    """Make a function that returns the Hessian of a scalar function, forward over reverse.

    For an argument of shape ``t`` the Hessian has shape ``t + t``; trees nest as in `jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """
    return jacobian(grad(function, argnum, ad=ad), argnum, ad=ad)


def hvp(function: Callable[[Any], Any], x: Any, v: Any, *, ad: Engine | None = None) -> Any:
    """Return the product of the Hessian of a scalar function at `x` with `v`.

    Forward over reverse: the cost of a few gradients, and no matrix.

    Parameters
    ----------
    function : callable
        Takes `x`, returns a real floating-point array of shape ``()``.
    x, v : trees of floating-point arrays of one structure, with equal shapes and dtypes
    ad : engine, optional

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.hvp(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    return jvp(grad(function, ad=ad), (x,), (v,), ad=ad)[1]


def derivative(function: Callable[[Any], Any], *, ad: Engine | None = None) -> Callable[[Any], Any]:
    """Make a function that returns the derivative of a function of one number.

    Parameters
    ----------
    function : callable
        Takes a floating-point array of shape ``()`` or a Python float, returns any tree.
    ad : engine, optional

    Examples
    --------
    >>> import portanet as pn
    >>> df = pn.derivative(lambda x: 3 * x**2 + 2 * x + 1)
    >>> float(df(1.0)), float(pn.derivative(df)(1.0))
    (8.0, 6.0)
    """

    @functools.wraps(function)
    def wrapped(t: Any) -> Any:
        (leaf,), _ = flat.primals((t,), "t")
        if leaf.shape != ():
            raise ShapeError(f"derivative needs a number: t.shape {tuple(leaf.shape)} != ()")
        backend = choose(ad, [leaf])
        return jvp(function, (leaf,), (backend.xp.ones_like(leaf),), ad=ad)[1]

    return wrapped
