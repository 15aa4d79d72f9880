"""Memory for time: functions that are recomputed in the backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portanet.autodiff import arguments
from portanet.autodiff.layout import Layout, is_floating
from portanet.interface import backend_of


def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that stores its inputs only and is recomputed in the backward pass.

    The value and all derivatives are those of `function`, in every mode, order and nesting. The
    memory that a gradient needs falls from the sum of the steps of a chain to the sum of its
    checkpointed pieces' inputs and the largest piece; each piece is computed once more.

    Parameters
    ----------
    function : callable
        Takes and returns any trees. Arrays that it takes from around it, such as the parameters
        of a model, have their derivatives too. It must do the same each time it is called:
        random numbers come from keys.

    Returns
    -------
    callable

    Notes
    -----
    Forward mode stores no steps; there a checkpoint only costs a second run.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = np.array([2.0, 3.0])
    >>> def block(x):
    ...     return np.tanh(np.exp(x * w))
    >>> x = np.array([0.5, -0.5])
    >>> gradient = pn.grad(lambda x: pn.checkpoint(block)(x).sum())(x)
    >>> np.array_equal(gradient, pn.grad(lambda x: block(x).sum())(x))
    True
    """
    arguments.function("checkpoint", function)

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        given = (args, options)
        layout = Layout(given, is_floating)
        arrays = layout.arrays(given)
        if not arrays:
            return function(*args, **options)
        backend = backend_of(*arrays)
        results: Any = None

        def run(*inputs: Any) -> list[Any]:
            nonlocal results
            args, options = layout.join(inputs)
            value = function(*args, **options)
            results = Layout.of_arrays(backend, value)
            return results.arrays(value)

        outputs = backend.checkpoint(run, arrays)
        return results.join(outputs)

    return wrapped
