"""Trees of arrays from all workers to all, from one to all, from all to one."""

from __future__ import annotations

from typing import Any

from portanet import checks, trees
from portanet.distributed.agreement import check_same, described, gathered
from portanet.distributed.engine import OPERATIONS, Engine
from portanet.distributed.group import current
from portanet.distributed.messages import allreduced, broadcasted, packed, unpacked
from portanet.errors import (
    ArgumentError,
    DTypeError,
    HyperparameterError,
    TracedValueError,
    shown,
)
from portanet.interface import backend_of, dtype_name, is_array
from portanet.trees import Tree

_SAME_CALL = "all workers call this function, in the same order, with trees built the same"


def allreduce(tree: Tree, operation: str = "sum") -> Tree:
    """Combine the arrays of all workers, entry by entry.

    Every worker calls it with a tree of the same structure, shapes and dtypes. All arrays of one
    dtype travel as one message.

    Parameters
    ----------
    tree : tree of arrays
        Of one library.
    operation : {"sum", "mean", "max", "min"}, default "sum"
        The mean is of floating-point numbers, the sum of any but booleans, the others of any but
        complex numbers; of booleans they are "any" and "all".

    Returns
    -------
    tree
        The same bits on every worker, with the dtypes, library and device of `tree`. On NumPy by
        MPI, entries are combined in the order of the ranks.

    Raises
    ------
    ArgumentError
        If there is no such operation.
    DTypeError
        If a leaf is no array, or of a dtype for which the operation is not defined.
    DistributedError
        If the trees of two workers differ, or a worker is gone.
    TracedValueError
        Inside a derivative, a batch or a recorded function.

    Notes
    -----
    Numbers of 16 bits are added up in float32 and rounded once.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> pn.distributed.allreduce({"weight": np.asarray([1.0, 2.0])}, "mean")
    {'weight': array([1., 2.])}
    """
    engine = current()
    arrays, structure = _checked("allreduce", tree, operation)
    _check_alike(engine, "the tree that allreduce gets", tree, operation)
    if not arrays:
        return tree
    vectors = allreduced(engine, packed(arrays), operation)
    return trees.unflatten(structure, unpacked(vectors, arrays))


def reduce(tree: Tree, operation: str = "sum", root: int = 0) -> Tree | None:
    """Combine the arrays of all workers for one of them.

    Parameters
    ----------
    tree, operation
        As for `allreduce`.
    root : int, default 0
        The worker that gets the result.

    Returns
    -------
    tree or None
        On the worker `root` what `allreduce` returns, None on the others.

    Raises
    ------
    HyperparameterError
        If there is no worker `root`.
    ArgumentError, DTypeError, DistributedError, TracedValueError
        As for `allreduce`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> pn.distributed.reduce(np.asarray([1.0, 2.0]))
    array([1., 2.])
    """
    engine = current()
    root = _checked_root("reduce", root, engine)
    total = allreduce(tree, operation)
    return total if engine.rank == root else None


def broadcast(tree: Tree, root: int = 0) -> Tree:
    """Give all workers the arrays of one.

    Parameters
    ----------
    tree : tree of arrays
        Of the same structure, shapes and dtypes on all workers, and of one library.
    root : int, default 0
        The worker whose arrays all get.

    Returns
    -------
    tree
        Built as `tree`, of its library and on its device.

    Raises
    ------
    HyperparameterError
        If there is no worker `root`.
    DTypeError
        If a leaf is no array.
    DistributedError, TracedValueError
        As for `allreduce`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> pn.distributed.broadcast(np.asarray([1, 2]))
    array([1, 2])
    """
    engine = current()
    root = _checked_root("broadcast", root, engine)
    arrays, structure = _checked("broadcast", tree)
    _check_alike(engine, "the tree that broadcast gets", tree, f"root {root}")
    return trees.unflatten(structure, _from(engine, arrays, root))


def synchronize(tree: Tree, root: int = 0) -> Tree:
    """Give all workers the tree of one: what all training should begin with.

    As `broadcast`, of a tree whose leaves need not be arrays: random keys, numbers and flags
    come along. A `portanet.training.TrainState` becomes the other worker's in all that training
    changes; its model and its optimizer stay.

    Parameters
    ----------
    tree : tree
        Parameters, states, an optimizer's state or a training state.
    root : int, default 0
        The worker whose tree all get.

    Returns
    -------
    tree

    Raises
    ------
    HyperparameterError
        If there is no worker `root`.
    DistributedError
        As for `allreduce`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> ps, st = pn.distributed.synchronize(pn.setup(0, pn.Dense(2, 1)))
    >>> ps["weight"].shape
    (1, 2)
    """
    engine = current()
    root = _checked_root("synchronize", root, engine)
    return tree if engine.workers == 1 else _synchronized(engine, tree, root)


def _synchronized(engine: Engine, tree: Tree, root: int) -> Tree:
    if hasattr(type(tree), "to_state_dict"):
        parts = tree.to_state_dict().items()
        return tree.from_state_dict({k: _synchronized(engine, part, root) for k, part in parts})
    _check_alike(engine, "the tree that synchronize gets", tree, f"root {root}")
    leaves, structure = trees.flatten(tree)
    places = [place for place, leaf in enumerate(leaves) if is_array(leaf)]
    rest = [leaf for leaf in leaves if not is_array(leaf)]
    others = iter(gathered(engine, rest if engine.rank == root else None)[root])
    arrays = iter(_from(engine, [leaves[place] for place in places], root))
    found = [next(arrays if is_array(leaf) else others) for leaf in leaves]
    return trees.unflatten(structure, found)


def _from(engine: Engine, arrays: list[Any], root: int) -> list[Any]:
    if not arrays or engine.workers == 1:
        return arrays
    return unpacked(broadcasted(engine, packed(arrays), root), arrays)


def _checked_root(name: str, root: Any, engine: Engine) -> int:
    root = checks.integer(f"{name}: root", root, 0)
    if root >= engine.workers:
        raise HyperparameterError(f"{name}: root < workers: {root} >= {engine.workers}")
    return root


def _checked(name: str, tree: Any, operation: Any = None) -> tuple[list[Any], Any]:
    """Return the arrays of a tree, fit to be sent, and its structure."""
    if not (operation is None or operation in OPERATIONS):
        raise ArgumentError(
            f"{name}: operation is one of {list(OPERATIONS)}: got {shown(operation)}"
        )
    for path, leaf in trees.flatten_with_paths(tree):
        where = f"{name}: tree.{path}" if path else f"{name}: tree"
        if not is_array(leaf):
            raise DTypeError(f"{where} is an array: got {shown(leaf)}")
        check_plain(where, leaf)
        if operation is not None:
            _check_defined(where, leaf, operation)
    return trees.flatten(tree)


def check_plain(what: str, x: Any) -> None:
    """Raise `TracedValueError` for an array without a value that could be sent."""
    if backend_of(x).is_traced(x):
        raise TracedValueError(
            f"{what} is an array outside of derivatives, batches and recorded functions: what "
            f"other workers have is no part of them"
        )


def _check_defined(where: str, x: Any, operation: str) -> None:
    backend = backend_of(x)
    if operation == "mean":
        fits, wanted = backend.is_floating(x.dtype), "of floating point for a mean"
    elif operation == "sum":
        fits, wanted = not backend.xp.isdtype(x.dtype, "bool"), "of numbers for a sum"
    else:
        fits = not backend.xp.isdtype(x.dtype, "complex floating")
        wanted = f"of real numbers for a {operation}"
    if not fits:
        raise DTypeError(f"{where} is {wanted}: got {dtype_name(x)}")


def _check_alike(engine: Engine, what: str, tree: Tree, call: str) -> None:
    check_same(engine, what, [call, *described(tree)], _SAME_CALL)
