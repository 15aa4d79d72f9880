"""`cond`: one of two functions, chosen by a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.control._carry import Carry, Results, check_function, check_predicate
from portanet.interface import backend_of


def cond(
    predicate: Any,
    true_function: Callable[..., Any],
    false_function: Callable[..., Any],
    *operands: Any,
) -> Any:
    """Call `true_function` or `false_function`, whichever a value asks for.

    Parameters
    ----------
    predicate : bool or array of bool, shape ()
    true_function, false_function : callable
        Take `operands` and return trees of equal structure, shapes and dtypes.
    *operands : trees

    Returns
    -------
    tree
        What the chosen function returned, with its derivatives.

    Raises
    ------
    ArgumentError, ShapeError, DTypeError
        If `predicate` is not one boolean, or a result is no array.
    ShapeError, DTypeError, ParameterTreeError
        If the branches return different trees, where both are looked at: inside `jit`, and where
        the entries of a batch may choose differently.

    Notes
    -----
    Eagerly the value decides and the other branch is not run. Inside `jit` both are recorded once,
    and each replay runs one: give it what it works on as operands, since what it computes from
    arrays around it alone is computed before the choice.

    Under `vmap` each entry chooses. A branch gets the operands of the entries that choose it alone,
    with those of one of them in the places of the others: what an entry does not choose reaches
    neither its value nor its gradient. A branch that none chooses is not run.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.asarray(-2.0)
    >>> float(pn.cond(x > 0, lambda x: x, lambda x: x**2, x))
    4.0
    """
    check_function("cond", "true_function", true_function)
    check_function("cond", "false_function", false_function)
    if isinstance(predicate, bool):
        return (true_function if predicate else false_function)(*operands)
    check_predicate("cond: predicate", predicate)
    given, results = Carry(operands, "cond: operands"), Results("cond: result")

    def branch(function: Callable[..., Any]) -> Callable[..., list[Any]]:
        return lambda *values: results.split(function(*given.join(values)))

    run = backend_of(predicate).cond
    return results.join(run(predicate, branch(true_function), branch(false_function), given.values))
