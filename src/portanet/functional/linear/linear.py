"""Linear maps of the last axis."""

from __future__ import annotations

from typing import Any

from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.batching import natural, through
from portanet.tape.rule import Rule, conj


class _LinearRule(Rule):
    """The derivative of ``x @ weight.T + bias``, one operation on the tape."""

    arity = 3

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp, (x, weight) = primitive.xp, args[:2]
        return [
            (_input_cotangent, _weight_cotangent, _bias_cotangent)[i](xp, cotangent, x, weight)
            for i in argnums
        ]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp, (x, weight) = primitive.xp, args[:2]
        total = None
        for i, tangent in zip(argnums, tangents, strict=True):
            if i == 2:
                part = xp.broadcast_to(tangent, result.shape)
            else:
                part = _product(xp, *((tangent, weight) if i == 0 else (x, tangent)))
            total = part if total is None else xp.add(total, part)
        return total


def _rows(xp: Any, x: Any) -> Any:
    """Make a matrix of `x`: one row a sample, the features along it."""
    shape = x.shape
    if len(shape) == 2:
        return x
    rows = 1
    for n in shape[:-1]:
        rows *= n
    return xp.reshape(x, (rows, shape[-1]))


def _product(xp: Any, x: Any, weight: Any) -> Any:
    return _times(xp, x, xp.matrix_transpose(weight))


def _times(xp: Any, x: Any, matrix: Any) -> Any:
    """Multiply all rows of an array at once with a matrix; a vector is one row."""
    if x.ndim <= 2:
        return xp.matmul(x, matrix)
    return xp.reshape(xp.matmul(_rows(xp, x), matrix), (*x.shape[:-1], matrix.shape[1]))


def _input_cotangent(xp: Any, g: Any, x: Any, weight: Any) -> Any:
    return _times(xp, g, conj(xp, weight))


def _weight_cotangent(xp: Any, g: Any, x: Any, weight: Any) -> Any:
    return xp.matmul(xp.matrix_transpose(_rows(xp, g)), conj(xp, _rows(xp, x)))


def _bias_cotangent(xp: Any, g: Any, x: Any, weight: Any) -> Any:
    return xp.sum(_rows(xp, g), axis=0)


def _of_entries(xp: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    y = xp.matmul(x, xp.matrix_transpose(weight))
    return y if bias is None else y + bias


_of_parameters = through(_of_entries)


def _batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    rule = _of_parameters if any(batched[1:]) else natural
    return rule(trace, primitive, values, batched, kwargs)


@kernel(rule=_LinearRule(), batching=_batch, fresh=True)
def linear(x: Any, weight: Any, bias: Any = None, /) -> Any:
    """Apply the linear map ``y = x Wᵀ + b`` to the last axis of `x`.

    Parameters
    ----------
    x : array, shape (..., in)
    weight : array, shape (out, in)
    bias : array, shape (out,), optional

    Returns
    -------
    array, shape (..., out)

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.linear(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 4.0]]), np.asarray([5.0]))
    array([[16.]])
    """
    y = x @ weight.mT if x.ndim <= 2 else _product(array_namespace(x, weight), x, weight)
    if bias is not None:
        y += bias
    return y


@in_float32
@kernel
def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None, /) -> Any:
    """Apply the bilinear map ``y_k = x1ᵀ W_k x2 + b_k`` to the last axes of `x1` and `x2`.

    Parameters
    ----------
    x1 : array, shape (..., in1)
    x2 : array, shape (..., in2)
        The leading axes are those of `x1`.
    weight : array, shape (out, in1, in2)
    bias : array, shape (out,), optional

    Returns
    -------
    array, shape (..., out)

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.asarray([[1.0, 2.0]])
    >>> functional.bilinear(x, x, np.ones((1, 2, 2)))
    array([[9.]])
    """
    xp = array_namespace(x1, x2, weight)
    out, in1, in2 = weight.shape
    columns = xp.reshape(xp.permute_dims(weight, (1, 0, 2)), (in1, out * in2))
    half = xp.reshape(xp.matmul(x1, columns), (*x1.shape[:-1], out, in2))
    y = xp.squeeze(xp.matmul(half, xp.expand_dims(x2, axis=-1)), axis=-1)
    return y if bias is None else xp.add(y, bias)
