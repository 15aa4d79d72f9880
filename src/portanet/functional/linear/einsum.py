"""Sums of products, named by their indices."""

from __future__ import annotations

from typing import Any

from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape import einsum as sums


def einsum(subscripts: str, *operands: Any) -> Any:
    """Sum of products over named indices: Einstein's notation.

    Every operand has a term of letters, one an axis. An index that the output lacks is summed
    over; one that a term repeats takes the diagonal. ``...`` stands for axes that broadcast.
    Several operands are contracted two at a time, in the order that costs least.

    Parameters
    ----------
    subscripts : str
        Terms separated by commas, then ``->`` and the term of the output. Without an arrow the
        output has, in alphabetical order, the indices that occur once.
    *operands : arrays
        One a term, of one dtype.

    Returns
    -------
    array

    Raises
    ------
    ShapeError
        If the terms do not fit the operands.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> a = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> print(functional.einsum("ij,jk->ik", a, a))
    [[ 7. 10.]
     [15. 22.]]
    >>> print(functional.einsum("ii", a))
    5.0
    """
    shapes = tuple(tuple(x.shape) for x in operands)
    return contract(*operands, plan=sums.plan_of(subscripts.replace(" ", ""), shapes))


@kernel
def contract(*operands: Any, plan: sums.Plan) -> Any:
    """Follow a plan with products of matrices."""
    return sums.contract(array_namespace(*operands), operands, plan)
