"""`fori_loop`: a loop that counts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from portanet import trees
from portanet.control._carry import check_function
from portanet.control.scan import scan
from portanet.errors import ArgumentError, shown
from portanet.interface import backend_of, is_array


def fori_loop(lower: int, upper: int, body: Callable[[Any, Any], Any], init: Any) -> Any:
    """Run ``carry = body(i, carry)`` for i from `lower` to `upper` - 1, and return the carry.

    Parameters
    ----------
    lower, upper : int
        Numbers of Python: how many steps there are does not depend on values.
    body : callable
        ``body(i, carry) -> carry``. `i` is an integer array of shape ``()`` in the library and on
        the device of `init`, the same eagerly and inside `jit`: it can be an index and be
        calculated with, but is no number of Python.
    init : tree
        The first carry, with an array in it; see `scan`.

    Returns
    -------
    tree
        The last carry; `init` without steps.

    Raises
    ------
    ArgumentError
        If a bound is no integer, or `init` has no array.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.asarray([3.0, 4.0, 5.0])
    >>> float(pn.fori_loop(0, 3, lambda i, total: total + x[i] ** 2, np.asarray(0.0)))
    50.0
    """
    check_function("fori_loop", "body", body)
    try:
        lower, upper = operator.index(lower), operator.index(upper)
    except TypeError:
        raise ArgumentError(
            f"fori_loop: lower and upper are integers: got {shown(lower)} and {shown(upper)}"
        ) from None
    if not max(abs(lower), abs(upper)) < 2**63:
        raise ArgumentError("fori_loop: lower and upper are integers of 64 bits")
    arrays = [x for x in trees.leaves(init) if is_array(x)]
    if not arrays:
        raise ArgumentError("fori_loop: init needs an array, which gives the library of the index")
    if lower >= upper:
        return init
    backend = backend_of(*arrays)
    indices = backend.xp.arange(lower, upper, device=backend.device_of(arrays[0]))
    return scan(lambda carry, i: (body(i, carry), None), init, indices)[0]
