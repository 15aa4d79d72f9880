"""`while_loop`: a loop for as long as a condition holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.control._carry import Carry, check_function, check_predicate
from portanet.errors import ArgumentError, shown
from portanet.interface import backend_of, is_array, loops


def while_loop(
    condition: Callable[[Any], Any],
    body: Callable[[Any], Any],
    init: Any,
    *,
    max_steps: int | None = None,
) -> Any:
    """Run ``carry = body(carry)`` while ``condition(carry)`` holds, and return the carry.

    As this, with the derivatives of the steps that are taken::

        carry = init
        while condition(carry):
            carry = body(carry)
        return carry

    Parameters
    ----------
    condition : callable
        ``condition(carry) -> bool or array of bool, shape ()``.
    body : callable
        ``body(carry) -> carry``. Both may use arrays from around them; their derivatives come out
        right too.
    init : tree
        The first carry. Its arrays and random keys change from step to step and keep their
        shapes and dtypes; numbers and flags stay as they are.
    max_steps : int, optional
        How many steps are taken at most; then the loop ends, whatever the condition says.

    Returns
    -------
    tree
        The last carry; `init` where the condition does not hold at first.

    Raises
    ------
    ShapeError, DTypeError, ParameterTreeError
        If a carry does not fit the first one, or the condition is not one boolean.
    ArgumentError
        If the condition is no boolean, `init` has no array and no key, something else changes, or
        `max_steps` is no number of steps.
    NoDerivativeError
        By a reverse derivative without `max_steps`: how many steps would have to be kept depends
        on values.

    Notes
    -----
    Values and forward mode need no bound and keep one step. With `max_steps` there are derivatives
    of every mode and order; inside `jit` and on JAX it is a `scan` of that many steps then, of
    which those after the end do nothing.

    Under `vmap` each entry takes the steps that it would take alone, while the others wait.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> def root(a):
    ...     def step(x):
    ...         return 0.5 * (x + a / x)
    ...     return pn.while_loop(lambda x: abs(x * x - a) > 1e-12, step, a, max_steps=50)
    >>> a = np.asarray(2.0)
    >>> print(f"{root(a):.6f} {pn.jvp(root, (a,), (np.ones(()),))[1]:.6f}")
    1.414214 0.353553
    >>> print(f"{pn.grad(root)(a):.6f}")
    0.353553
    """
    check_function("while_loop", "condition", condition)
    check_function("while_loop", "body", body)
    if max_steps is not None and (type(max_steps) is not int or not 0 <= max_steps < 2**63):
        raise ArgumentError(
            f"while_loop: max_steps is an integer, at least 0, or None: got {shown(max_steps)}"
        )
    carry = Carry(init, "while_loop: carry")
    if not carry.values:
        raise ArgumentError(
            f"while_loop: init has an array or a random key, for nothing else may change: got "
            f"{shown(init)}"
        )

    def going(*values: Any) -> Any:
        found = condition(carry.join(values))
        if not isinstance(found, bool):
            check_predicate("while_loop: condition", found)
        return found

    def step(*values: Any) -> list[Any]:
        return carry.split(body(carry.join(values)))

    run = going, step, carry.values, max_steps
    arrays = [x for x in carry.values if is_array(x)]
    found = backend_of(*arrays).while_loop(*run) if arrays else None
    return carry.join(loops.while_loop(*run) if found is None else found)
