"""The second derivative of a scalar function: the whole matrix, and its products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet import trees
from portanet.autodiff import arguments, flat
from portanet.autodiff.engines import Engine, choose
from portanet.autodiff.gradients import grad, scalar
from portanet.autodiff.matrices import jacobian


def hessian(
    function: Callable[..., Any],
    argnum: int = 0,
    *,
    chunk_size: int | None = None,
    ad: Engine | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the Hessian of a scalar function, forward over reverse.

    For an argument of shape ``t`` the Hessian has shape ``t + t``; trees nest as in `jacobian`,
    and `chunk_size` is that of `jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """
    gradient = grad(function, argnum, ad=ad)
    return jacobian(gradient, argnum, mode="forward", chunk_size=chunk_size, ad=ad)


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
    arguments.function("hvp", function)
    leaves, structure = flat.primals(x, "x")
    backend, engine = choose(ad, leaves)
    along = flat.matched(backend, v, trees.unflatten(structure, leaves), "v")

    def value(*arrays: Any) -> list[Any]:
        return [scalar(backend, function(trees.unflatten(structure, arrays)))]

    def gradient(*arrays: Any) -> list[Any]:
        parts = engine.value_and_grad(value, arrays)[1]
        return flat.zeros_for_missing(backend, parts, arrays)

    products = engine.jvp(gradient, leaves, along)[1]
    return trees.unflatten(structure, flat.zeros_for_missing(backend, products, leaves))
