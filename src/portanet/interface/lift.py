"""Plain arrays beside traced ones in the functions of other libraries."""

from __future__ import annotations

from typing import Any

from portanet.errors import BackendMismatchError
from portanet.interface.lookup import backend_of, is_array
from portanet.tape import Box
from portanet.tape.guests import guest


def lift(x: Any) -> Any:
    """Return an array that a library on the Array API standard takes beside traced ones.

    SciPy and scikit-learn ask all arrays of a call for their namespace and refuse several. A traced
    array has the namespace that differentiates, a plain one that of its library. Lifted, a plain
    array has the first too, and keeps its values, shape and dtype; it is still a constant.

    Parameters
    ----------
    x : array
        A plain array; a traced one is returned as it is. So is one of a library that
        differentiates by itself, torch or JAX, whose arrays have one namespace.

    Returns
    -------
    array

    Raises
    ------
    BackendMismatchError
        If `x` is no array of a known library.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> targets = pn.lift(np.asarray([1.0, 2.0]))

    It has the namespace of the array that is being differentiated:

    >>> def same(x):
    ...     print(x.__array_namespace__() is targets.__array_namespace__())
    ...     return np.sum(x * targets)
    >>> print(pn.grad(same)(np.asarray([3.0, 4.0])))
    True
    [1. 2.]
    """
    if not is_array(x):
        raise BackendMismatchError(f"lift: x is an array: got {type(x).__name__}")
    backend = backend_of(x)
    if isinstance(x, Box) or backend.differentiates_itself:
        return x
    return guest(backend.xp, x)
