"""Which results may look at the memory of an operand, and which are new whatever its layout.

What NumPy did with the arrays of the recorded run says nothing of a replay: there a sum is an array
in kept memory and no scalar, and an input may lie in memory in another order. So it is a trait of
the operation. One that is not known here may look at all of its operands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from portanet.tracing.program import Operation, Variable, variables
from portanet.tracing.write.forms import UFUNCS

FRESH = frozenset(UFUNCS) | {
    "add_patches", "all", "any", "argmax", "argmin", "argsort", "astype", "checked_index",
    "clip_between", "concat_arrays", "convert", "count_nonzero", "cumulative_prod",
    "cumulative_sum", "digamma", "erf", "erfc", "gelu", "lgamma", "silu",
    "empty_like", "fft.fft", "fft.fftshift", "fft.ifft", "fft.ifftshift",
    "fft.irfft", "fft.rfft", "gelu_erf", "isin", "linalg.cholesky", "linalg.cofactors",
    "linalg.cofactors_along", "linalg.cross", "linalg.det", "linalg.eig", "linalg.eigh",
    "linalg.inv", "linalg.matrix_rank", "linalg.outer", "linalg.pinv_within", "linalg.qr",
    "linalg.slogdet", "linalg.solve", "linalg.svd", "linalg.vector_norm", "logistic",
    "masked_softmax", "matmul", "max", "mean", "min", "ones_like", "patch_collect",
    "patch_product", "patch_spread", "pick_largest", "prod", "repeat", "roll", "round",
    "route_to_largest", "scatter_getitem", "scatter_sum", "scatter_take", "searchsorted",
    "segment_max", "sigmoid", "softmax", "stack_arrays", "std", "sum", "take",
    "take_along_axis", "tensordot", "tile", "tril", "triu", "var", "vecdot", "where",
    "window_max", "window_patches", "window_spread", "window_sum", "zeros_like",
}  # fmt: skip
"""The functions whose results are new: a test holds each against the function itself."""


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
    if operation.name == "getitem":
        key = operation.args[1]
        parts = key if isinstance(key, tuple) else (key,)
        return any(isinstance(part, list) or getattr(part, "shape", ()) for part in parts)
    return operation.name in FRESH or isinstance(operation.primitive.compute, np.ufunc)


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
