"""Products with the Jacobian, from either side: `vjp`, `jvp` and their direct forms."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.autodiff import arguments, flat
from portanet.autodiff.engines import Engine, choose
from portanet.errors import ShapeError
from portanet.interface import array_namespace


def vjp(
    function: Callable[..., Any], *primals: Any, ad: Engine | None = None
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Run a function and return its value and its pullback.

    Parameters
    ----------
    function : callable
        Takes `primals`, returns any tree.
    *primals : trees of floating-point arrays
    ad : engine, optional
        By default the engine of the arrays' own library.

    Returns
    -------
    value : tree
        What `function` returned.
    pullback : callable
        Takes a cotangent with the structure, shapes and dtypes of `value` and returns a tuple,
        one cotangent an argument. It may be called more than once. What belongs to integers,
        arrays of other libraries or other leaves of `value` without a derivative is ignored.

    Raises
    ------
    ArgumentError
        If `function` is none.
    DTypeError, BackendMismatchError
        If the primals are not floating point, or of two libraries.
    ParameterTreeError, ShapeError
        By the pullback, if the cotangent does not fit the value.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> value, pullback = pn.vjp(lambda x: x * x / 2, np.array([1.0, 3.0]))
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 1., 30.]),)
    """
    arguments.function("vjp", function)
    leaves, structure = flat.primals(primals, "primals")
    backend, engine = choose(ad, leaves)
    results = flat.Outputs(backend)

    def flattened(*arrays: Any) -> list[Any]:
        return results.split(function(*trees.unflatten(structure, arrays)))

    outputs, pull = engine.vjp(flattened, leaves)
    value = results.join(outputs)
    floating = [backend.is_floating(y.dtype) for y in outputs]

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given = flat.matched(backend, cotangent, value, "cotangent")
        seeds = [
            given[i] if used else None for i, used in zip(results.places, floating, strict=True)
        ]
        return trees.unflatten(structure, flat.zeros_for_missing(backend, pull(seeds), leaves))

    return value, pullback


def jvp(
    function: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    ad: Engine | None = None,
) -> tuple[Any, Any]:
    """Run a function and return its value and its derivative along `tangents`.

    Parameters
    ----------
    function : callable
        Takes the entries of `primals` as arguments, returns any tree.
    primals : tuple of trees of floating-point arrays
    tangents : tuple of trees
        The structure, shapes and dtypes of `primals`.
    ad : engine, optional

    Returns
    -------
    value, tangent : tree
        The tangent has the structure, shapes and dtypes of the value; it is zero where the value
        does not depend on the primals or is not floating point.

    Raises
    ------
    ArgumentError
        If `function` is none, or `primals` or `tangents` is no tuple.
    DTypeError, BackendMismatchError
        If the primals are not floating point, or of two libraries.
    ParameterTreeError, ShapeError
        If the tangents do not fit the primals.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.jvp(lambda x: x * x / 2, (np.array([1.0, 3.0]),), (np.array([1.0, 10.0]),))
    (array([0.5, 4.5]), array([ 1., 30.]))
    """
    arguments.function("jvp", function)
    primals = arguments.directions("primals", primals)
    tangents = arguments.directions("tangents", tangents)
    leaves, structure = flat.primals(primals, "primals")
    backend, engine = choose(ad, leaves)
    directions = flat.matched(backend, tangents, trees.unflatten(structure, leaves), "tangents")
    results = flat.Outputs(backend)

    def flattened(*arrays: Any) -> list[Any]:
        return results.split(function(*trees.unflatten(structure, arrays)))

    outputs, derivatives = engine.jvp(flattened, leaves, directions)
    value = results.join(outputs)
    return value, results.join_tangents(flat.zeros_for_missing(backend, derivatives, outputs))


def jacobian_vector_product(
    function: Callable[[Any], Any], x: Any, v: Any, *, ad: Engine | None = None
) -> Any:
    """Return ``J v``, the derivative of `function` at `x` along `v`, by forward mode.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> pn.jacobian_vector_product(lambda x: x * x / 2, x, np.ones(3))
    array([1., 2., 3.])
    """
    return jvp(function, (x,), (v,), ad=ad)[1]


def vector_jacobian_product(
    function: Callable[[Any], Any], x: Any, u: Any, *, ad: Engine | None = None
) -> Any:
    """Return ``Jᵀ u`` (conjugated where complex), the pullback of `u` at `x`, by reverse mode.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> pn.vector_jacobian_product(lambda x: x * x / 2, x, np.ones(3))
    array([1., 2., 3.])
    """
    return vjp(function, x, ad=ad)[1](u)[0]


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
    arguments.function("derivative", function)

    @functools.wraps(function)
    def wrapped(t: Any) -> Any:
        leaves, structure = flat.primals(t, "t")
        if structure != trees.flatten(0.0)[1]:
            raise ShapeError(f"derivative needs a number, not a tree: {type(t).__name__}")
        (leaf,) = leaves
        if leaf.shape != ():
            raise ShapeError(f"derivative needs a number: t.shape {tuple(leaf.shape)} != ()")
        one = array_namespace(leaf).ones_like(leaf)
        return jvp(function, (leaf,), (one,), ad=ad)[1]

    return wrapped
