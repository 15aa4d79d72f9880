"""`vmap`: a function of one entry, run for a whole batch at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import optree

from portanet import trees
from portanet.autodiff import flat
from portanet.errors import ArgumentError, ShapeError, shown
from portanet.interface import backend_of, is_array

Axes = Any


def vmap(function: Callable[..., Any], in_axes: Axes = 0, out_axes: Axes = 0) -> Callable[..., Any]:
    """Make a function of one entry run for all entries of a batch, in one run.

    `function` sees each array without its batch axis. On the tape (NumPy, CuPy and others without
    a vmap of their own) every operation runs once for the whole batch; on torch and JAX this is
    the library's own. It nests with itself and with every derivative in any order: the gradient
    of each sample is ``pn.vmap(pn.grad(loss), in_axes=(None, 0))(ps, x)``.

    Parameters
    ----------
    function : callable
        Takes and returns trees. What is no array in them (numbers, flags, random keys) is the
        same for every entry, so that a layer which draws random numbers draws them once.
    in_axes : int, None or tuple
        Which axis of the arguments is the batch. None hands an argument whole to every entry. A
        tuple has one entry a positional argument: an int, None, or a tree of these that is a
        prefix of the argument.
    out_axes : int or tree of int
        Where the batch axis goes in the results: a prefix of what `function` returns. A result
        that does not depend on the batch is repeated.

    Returns
    -------
    callable
        Takes the positional arguments of `function`; keyword arguments are handed on whole.

    Raises
    ------
    ArgumentError
        If the axes do not fit the arguments or results, or none of them is a batch axis.
    ShapeError
        If an array lacks its axis, or the lengths of the batch differ.
    TracedValueError
        Inside, on an ``if`` over a batched array, or where a shape would depend on its values:
        use ``xp.where``.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> pn.vmap(lambda v: v @ v)(x)
    array([ 5., 25.])
    >>> pn.vmap(pn.grad(lambda w, v: (w @ v) ** 2), in_axes=(None, 0))(np.ones(2), x)
    array([[ 6., 12.],
           [42., 56.]])
    """
    if not callable(function):
        raise ArgumentError(f"vmap takes a function, not {type(function).__name__}")

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        leaves, structure = trees.flatten(args)
        axes = _input_axes(in_axes, args)
        places = [i for i, axis in enumerate(axes) if axis is not None and is_array(leaves[i])]
        _check_sizes(args, leaves, axes, places)
        backend = backend_of(*(leaves[i] for i in places))
        results = flat.Outputs(backend)

        def flattened(*arrays: Any) -> list[Any]:
            given = list(leaves)
            for i, x in zip(places, arrays, strict=True):
                given[i] = x
            return results.split(function(*trees.unflatten(structure, given), **options))

        arrays, along = [leaves[i] for i in places], [axes[i] for i in places]
        outputs = backend.vmap(flattened, arrays, along)
        goals = _spread(out_axes, results.join(outputs), "out_axes")
        moved = [
            _moved(backend.xp, y, goals[i]) for y, i in zip(outputs, results.places, strict=True)
        ]
        return results.join(moved)

    return wrapped


def _input_axes(in_axes: Axes, args: tuple[Any, ...]) -> list[int | None]:
    if in_axes is None or isinstance(in_axes, int):
        return _spread(in_axes, args, "in_axes")
    if not isinstance(in_axes, tuple | list) or len(in_axes) != len(args):
        raise ArgumentError(
            "in_axes is an int, None or a tuple with one entry a positional argument: "
            f"{shown(in_axes)} for {len(args)} arguments"
        )
    return [
        axis for entry, arg in zip(in_axes, args, strict=True)
        for axis in _spread(entry, arg, "in_axes")
    ]  # fmt: skip


def _spread(axes: Axes, tree: Any, name: str) -> list[Any]:
    """Return the axis of each leaf of `tree`, from a prefix of it."""
    if axes is None or isinstance(axes, int):
        found: list[Any] = [axes] * len(trees.leaves(tree))
    else:
        options: dict[str, Any] = {"none_is_leaf": True, "namespace": trees.NAMESPACE}
        try:
            prefix = optree.broadcast_prefix(axes, tree, **options)
        except RecursionError:
            trees.refuse_depth()
        except ValueError as error:
            raise ArgumentError(f"{name} is not a prefix of the tree: {error}") from None
        full = optree.tree_leaves(tree, **options)
        found = [axis for axis, leaf in zip(prefix, full, strict=True) if leaf is not None]
    for axis in found:
        if type(axis) is not int and not (axis is None and name == "in_axes"):
            kinds = "int or None" if name == "in_axes" else "int"
            raise ArgumentError(f"{name} holds {kinds}, not {shown(axis)}")
    return found


def _check_sizes(args: Any, leaves: list[Any], axes: list[Any], places: list[int]) -> None:
    if not places:
        raise ArgumentError("vmap needs an array with a batch axis: in_axes gives none to any")
    first: tuple[str, int] | None = None
    for i in places:
        x, axis = leaves[i], axes[i]
        if not -x.ndim <= axis < x.ndim:
            raise ShapeError(
                f"vmap: argument {_name(args, i)} of shape {tuple(x.shape)} has no axis "
                f"{shown(axis)}: give None in in_axes to what is the same for every entry"
            )
        if first is None:
            first = _name(args, i), x.shape[axis]
        elif x.shape[axis] != first[1]:
            raise ShapeError(
                f"vmap: the batch has {first[1]} entries in argument {first[0]}, "
                f"but {x.shape[axis]} in argument {_name(args, i)}"
            )


def _name(args: Any, position: int) -> str:
    return trees.flatten_with_paths(args)[position][0]


def _moved(xp: Any, y: Any, axis: int) -> Any:
    if not -y.ndim <= axis < y.ndim:
        raise ArgumentError(
            f"out_axes {shown(axis)} is out of range for a result of shape {y.shape}"
        )
    return xp.moveaxis(y, 0, axis) if axis % y.ndim else y
