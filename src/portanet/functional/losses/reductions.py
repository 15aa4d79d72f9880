"""The maths of the commonest losses, recorded as one operation for the sake of small models."""

from __future__ import annotations

import math
from typing import Any

from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.batching import through
from portanet.tape.rule import Elementwise, Multilinear, Rule, conj


class _MeanSquaredError(Rule):
    arity = 2

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        prediction, target = args
        slope = (prediction - target) * (cotangent * (2.0 / math.prod(prediction.shape)))
        return [slope if i == 0 else -slope for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        prediction, target = args
        signed = [t if i == 0 else -t for i, t in zip(argnums, tangents, strict=True)]
        tangent = signed[0] if len(signed) == 1 else signed[0] + signed[1]
        return primitive.xp.sum((prediction - target) * tangent) * (
            2.0 / math.prod(prediction.shape)
        )


@in_float32
@kernel(
    rule=_MeanSquaredError(),
    batching=through(lambda xp, x, y: xp.mean((x - y) * (x - y))),
    fresh=True,
)
def mean_squared_error(prediction: Any, target: Any, /) -> Any:
    """Mean of the squares of all differences of two arrays.

    Parameters
    ----------
    prediction, target : array
        Real floating point numbers of one shape.

    Returns
    -------
    array
        One number, in an array without axes, of the dtype of `prediction`.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.functional import mean_squared_error
    >>> float(mean_squared_error(np.asarray([1.0, 5.0]), np.asarray([0.0, 2.0])))
    5.0
    """
    residual = prediction - target
    return array_namespace(prediction).mean(residual * residual)


@in_float32
@kernel(
    rule=Multilinear(lambda xp, g, x, y: g * conj(xp, y), lambda xp, g, x, y: g * conj(xp, x)),
    batching=through(lambda xp, x, y: xp.sum(x * y)),
    fresh=True,
)
def inner_product(x: Any, y: Any, /) -> Any:
    """Sum of the products of all entries of two arrays, ``sum(x * y)``; nothing is conjugated.

    Parameters
    ----------
    x, y : array
        Floating point numbers of one shape and dtype.

    Returns
    -------
    array
        One number, in an array without axes, of the dtype of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.functional import inner_product
    >>> float(inner_product(np.asarray([1.0, 2.0]), np.asarray([3.0, 4.0])))
    11.0
    """
    return array_namespace(x).sum(x * y)


def _possible(xp: Any, weight: Any, log: Any) -> Any:
    """Return logarithms, with 0 in the place of those that count for nothing."""
    return xp.where(xp.logical_and(weight == 0.0, log == -math.inf), 0.0, log)


def _times_log_scale(xp: Any, d: Any, y: Any, weight: Any, log: Any) -> Any:
    return d * _possible(xp, weight, log)


@kernel(rule=Elementwise(_times_log_scale, lambda xp, d, y, weight, log: d * weight))
def times_log(weight: Any, log: Any, /) -> Any:
    """Return ``weight * log``, which is 0 where the weight is 0 and the logarithm that of 0."""
    return weight * _possible(array_namespace(weight, log), weight, log)
