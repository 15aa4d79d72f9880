"""Which results may look at the memory of an operand, and which are new whatever its layout.

What NumPy did with the arrays of the recorded run says nothing of a replay: there a sum is an array
in kept memory and no scalar, and an input may lie in memory in another order. So it is a trait of
the operation, on its card. One whose card does not say so may look at all of its operands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from portanet.tracing.program import Operation, Variable, variables


def looked_at(operation: Operation, value: Any, values: Sequence[Any]) -> tuple[Variable, ...]:
    """Return the operands at whose memory a result may look.

    Parameters
    ----------
    operation : Operation
    value : array or sequence of arrays
        The result in the recorded run.
    values : sequence
        What the arguments were there, with the options after them.
    """
    seen = [] if is_fresh(operation) else list(operation.operands)
    if not _is_of_numpy(value):
        seen += _the_same(operation, value, values)
    return tuple(dict.fromkeys(seen))


def is_fresh(operation: Operation) -> bool:
    """Whether the result of an operation is always in new memory, but for what is given back."""
    own = operation.primitive.compute
    return operation.card.is_fresh(operation.args) or isinstance(own, np.ufunc)


def _is_of_numpy(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_is_of_numpy, value))
    return isinstance(value, np.ndarray | np.generic)


def _the_same(operation: Operation, value: Any, values: Sequence[Any]) -> Iterator[Variable]:
    """Yield the operands that the result is: other libraries give back what they need not copy."""
    results = value if isinstance(value, tuple | list) else (value,)
    for x, noted in zip(values, (*operation.args, *operation.options.values()), strict=True):
        parts = x if isinstance(x, tuple | list) else (x,)
        if any(y is part for y in results for part in parts):
            yield from variables(noted)
