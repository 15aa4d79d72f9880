"""A whole tree of arrays as one vector, and functions of every parameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.errors import (
    ArgumentError,
    BackendMismatchError,
    DTypeError,
    ParameterTreeError,
    ShapeError,
    shown,
)
from portanet.interface import array_namespace, backend_of, is_array, same_dtype
from portanet.trees import Tree

Array = Any


def ravel(tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """Join all arrays of a tree into one vector.

    The entries of a dict are taken in the sorted order of their keys, so that equal trees have
    equal vectors. The library, device and dtype are those of the arrays. The function may be
    differentiated, and so may the one that it returns.

    Parameters
    ----------
    tree : tree
        Arrays of one library and dtype.

    Returns
    -------
    flat : array
        The entries of all arrays, of shape ``(n,)``.
    unravel : callable
        ``unravel(vector)`` builds a tree like `tree` from a vector of shape ``(n,)``.

    Raises
    ------
    DTypeError
        If the arrays differ in dtype.
    BackendMismatchError
        If the arrays are of two libraries, or a leaf is no array.
    ParameterTreeError
        If there is no array.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> flat, unravel = pn.ravel({"weight": np.ones((2, 2)), "bias": np.zeros(2)})
    >>> flat
    array([0., 0., 1., 1., 1., 1.])
    >>> unravel(flat + 1.0)
    {'weight': array([[2., 2.],
           [2., 2.]]), 'bias': array([1., 1.])}
    """
    arrays, structure = trees.flatten(tree)
    flat = join(tree, arrays)
    shapes = [x.shape for x in arrays]

    def unravel(vector: Array) -> Tree:
        check_vector(vector, flat.shape[0])
        xp = array_namespace(vector)
        return trees.unflatten(structure, split(xp, vector, shapes))

    return flat, unravel


def join(tree: Tree, arrays: Sequence[Array]) -> Array:
    """Return the vector of the leaves `arrays` of `tree`, after checking that they are alike."""
    if not arrays:
        raise ParameterTreeError("a tree with at least one array is needed: got none")
    if not all(map(is_array, arrays)):
        path, x = next(pair for pair in trees.flatten_with_paths(tree) if not is_array(pair[1]))
        raise BackendMismatchError(f"{path!r} is an array: got {shown(x)} of {type(x).__name__}")
    xp = array_namespace(*arrays)
    first = arrays[0].dtype
    if not all(same_dtype(x, arrays[0]) for x in arrays):
        (first_path, _), *pairs = trees.flatten_with_paths(tree)
        path, x = next(pair for pair in pairs if not same_dtype(pair[1], arrays[0]))
        name = backend_of(x).dtype_name
        raise DTypeError(
            f"one dtype in the whole tree: {path!r} is {name(x.dtype)} and {first_path!r} is "
            f'{name(first)}: convert it with pn.astype(tree, "{name(first)}")'
        )
    return xp.concat([xp.reshape(x, (-1,)) for x in arrays])


def split(xp: Any, vector: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Cut a vector into arrays of the given shapes, in order."""
    arrays = []
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        arrays.append(xp.reshape(vector[start:stop], shape))
        start = stop
    return arrays


def check_vector(vector: Array, size: int) -> None:
    """Raise `ShapeError` unless `vector` has shape ``(size,)``."""
    shape = tuple(getattr(vector, "shape", ()))
    if shape != (size,):
        raise ShapeError(f"vector.shape == ({size},): {shape} != ({size},)")


def map_parameters(function: Callable[[str, Array], Any], ps: Tree) -> Tree:
    """Apply `function` to the dotted path and the array of every parameter.

    Parameters
    ----------
    function : callable
        ``function(path, array)``; what it returns takes the place of the array.
    ps : tree
        The parameters.

    Returns
    -------
    tree
        The results in the containers of `ps`.

    Examples
    --------
    Halve the weights and leave the biases:

    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"layer_1": {"weight": np.ones(2), "bias": np.ones(2)}}
    >>> pn.map_parameters(lambda path, x: 0.5 * x if path.endswith("weight") else x, ps)
    {'layer_1': {'weight': array([0.5, 0.5]), 'bias': array([1., 1.])}}
    """
    if not callable(function):
        raise ArgumentError(f"map_parameters: function is one: got {shown(function)}")
    structure = trees.flatten(ps)[1]
    return trees.unflatten(
        structure, [function(path, x) for path, x in trees.flatten_with_paths(ps)]
    )
