"""`scan`: a loop over the first axis of arrays, with derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.control._carry import Carry, Results, check_function
from portanet.errors import ArgumentError, ShapeError, shown
from portanet.interface import backend_of, is_array, loops


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Loop over the first axis of arrays with a carry, and stack what each step returns.

    As this, at any length and with every derivative::

        carry = init
        for i in range(length):
            carry, y = f(carry, xs[i])
            ys.append(y)
        return carry, stack(ys)

    Parameters
    ----------
    f : callable
        ``f(carry, x) -> (carry, y)``. It may use arrays from around it; their derivatives come
        out right too.
    init : tree
        The first carry. Its arrays and random keys change from step to step and keep their
        shapes and dtypes; numbers and flags stay as they are.
    xs : tree of arrays, optional
        Each step gets their next entry along axis 0; without any, an `x` of None.
    length : int, optional
        The number of steps, needed where `xs` has no arrays.
    reverse : bool
        Whether to begin with the last entry. Entry i of `ys` still belongs to entry i of `xs`.

    Returns
    -------
    carry : tree
    ys : tree of arrays
        What the steps returned, stacked along axis 0.

    Raises
    ------
    ShapeError
        If the lengths of `xs` differ, or a shape differs from step to step.
    DTypeError
        If a dtype differs from step to step.
    ParameterTreeError
        If the structure of the carry or of `y` differs from step to step.
    ArgumentError
        If `f` returns no pair, or something that is no array changes.

    Notes
    -----
    Without steps, `f` runs once on zeros, for nothing but the shapes of `ys`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> def step(total, x):
    ...     total = total + x
    ...     return total, total
    >>> total, sums = pn.scan(step, np.asarray(0.0), np.asarray([1.0, 2.0, 3.0]))
    >>> float(total), sums
    (6.0, array([1., 3., 6.]))
    """
    check_function("scan", "f", f)
    if not isinstance(reverse, bool):
        raise ArgumentError(f"scan: reverse is True or False: got {shown(reverse)}")
    carry, results = Carry(init, "scan: carry"), Results("scan: y")
    columns, structure = trees.flatten(xs)
    steps = _length(xs, columns, length)

    def step(values: Sequence[Any], row: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        outcome = f(carry.join(values), trees.unflatten(structure, row))
        if not (isinstance(outcome, tuple) and len(outcome) == 2):
            raise ArgumentError(f"scan: f returns (carry, y), not {type(outcome).__name__}")
        return carry.split(outcome[0]), results.split(outcome[1])

    arrays = [x for x in (*carry.values, *columns) if is_array(x)]
    run = step, carry.values, columns, steps, reverse
    found = backend_of(*arrays).scan(*run) if arrays else None
    values, ys = loops.scan(*run) if found is None else found
    return carry.join(values), results.join(ys)


def _length(xs: Any, columns: list[Any], length: int | None) -> int:
    if length is not None and (type(length) is not int or length < 0):
        raise ArgumentError(f"scan: length is an integer, at least 0: got {shown(length)}")
    for path, x in trees.flatten_with_paths(xs):
        where = f"xs.{path}" if path else "xs"
        if not is_array(x):
            raise ArgumentError(f"scan: {where} is an array: got {type(x).__name__}")
        if x.ndim == 0:
            raise ShapeError(f"scan: {where} has no axis to loop over: its shape is ()")
        if length is None:
            length = x.shape[0]
        elif x.shape[0] != length:
            raise ShapeError(f"scan: {where}.shape[0] == length: {x.shape[0]} != {shown(length)}")
    if length is None:
        raise ArgumentError("scan: without xs it needs the number of steps: give length")
    return length
