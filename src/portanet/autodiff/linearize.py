"""One run, many directions: `linearize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet import trees
from portanet.autodiff import arguments, flat
from portanet.autodiff.engines import Engine, choose


def linearize(
    function: Callable[..., Any], *primals: Any, ad: Engine | None = None
) -> tuple[Any, Callable[..., Any]]:
    """Run a function and return its value and its derivative there, a linear map.

    As `pn.jvp`, for many directions: `function` runs once, and each direction costs about as much
    as one backward pass.

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
    tangent_map : callable
        Takes one tangent an argument, with the structure, shapes and dtypes of `primals`, and
        returns the tangent of `value` as `pn.jvp` does. It may be called more than once.

    Raises
    ------
    ArgumentError
        If `function` is none.
    DTypeError, BackendMismatchError
        If the primals are not floating point, or of two libraries.
    ParameterTreeError, ShapeError
        By the map, if the tangents do not fit the primals.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> value, tangent_map = pn.linearize(lambda x: x * x / 2, np.array([1.0, 3.0]))
    >>> tangent_map(np.array([1.0, 10.0])), tangent_map(np.array([0.0, 1.0]))
    (array([ 1., 30.]), array([0., 3.]))
    """
    arguments.function("linearize", function)
    leaves, structure = flat.primals(primals, "primals")
    backend, engine = choose(ad, leaves)
    results = flat.Outputs(backend)

    def flattened(*arrays: Any) -> list[Any]:
        return results.split(function(*trees.unflatten(structure, arrays)))

    outputs, push = engine.linearize(flattened, leaves)
    like = trees.unflatten(structure, leaves)

    def tangent_map(*tangents: Any) -> Any:
        directions = flat.matched(backend, tangents, like, "tangents")
        return results.join_tangents(flat.zeros_for_missing(backend, push(directions), outputs))

    return results.join(outputs), tangent_map
