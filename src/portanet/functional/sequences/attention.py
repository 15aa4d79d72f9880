"""Attention: means of values, weighted by how well queries fit keys."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks, random
from portanet.errors import ArgumentError, ShapeError
from portanet.functional.activations.softmax import softmax, softmax_rule
from portanet.functional.dropout import dropout as drop
from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.functional.sequences.masks import bias_of, check_mask, without_excluded
from portanet.interface import array_namespace
from portanet.tape.ops.batching import natural
from portanet.tape.ops.form import by_rows
from portanet.tape.rule import Explicit


def attention_weights(
    query: Any, key: Any, mask: Any = None, /, *, causal: bool = False, scale: float | None = None
) -> Any:
    """Return how much each query attends to each key, ``softmax(scale * query · key)``.

    Parameters
    ----------
    query, key, mask, causal, scale
        As for `scaled_dot_product_attention`.

    Returns
    -------
    array, shape (..., heads, L, S)
        Each row sums to 1, or is zero where the mask leaves it no key.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.zeros((1, 3, 1, 4))
    >>> functional.attention_weights(x, x, causal=True)[0, 0, 1]
    array([0.5, 0.5, 0. ])
    """
    _check(query, key, key, mask)
    key = without_excluded(key, mask)
    return _weights(query, key, bias_of(query, key, mask, causal), scale)


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    /,
    *,
    causal: bool = False,
    scale: float | None = None,
    dropout: float = 0.0,
    dropout_key: random.Key | None = None,
) -> Any:
    """Average values by how well their keys fit each query [1]_.

    ``softmax(scale * query · key + mask) value``, for each head on its own.

    Parameters
    ----------
    query : array, shape (..., L, heads, d)
        Real floating point numbers: the heads of a position lie next to each other, as a linear
        map of its features leaves them.
    key : array, shape (..., S, kv_heads, d)
    value : array, shape (..., S, kv_heads, e)
        `kv_heads` divides `heads`: as many neighbouring heads of the query share one head of the
        keys and values (grouped queries [2]_).
    mask : array, optional
        Broadcast against (..., heads, L, S). A boolean one is true where a query may attend to a
        key; what is no query's to see may be NaN. A floating one is added to the logits.
    causal : bool
        Whether queries see no later keys, besides what the mask says; see `causal_mask` for how
        sequences of different lengths are aligned.
    scale : float, optional
        What products of queries and keys are multiplied by, ``1 / √d`` by default.
    dropout : float
        The probability with which a weight is dropped; see `portanet.functional.dropout`.
    dropout_key : portanet.random.Key, optional
        Needed if `dropout` is above 0.

    Returns
    -------
    array, shape (..., L, heads, e)
        Zero where the mask leaves a query no key.

    Raises
    ------
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        If the arrays do not fit together.
    ArgumentError
        If there is no key for the dropout.

    Notes
    -----
    On torch this is its fused kernel, in reverse mode of first order; derivatives of other modes
    and orders, and weights that drop out, take the operations one by one.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    .. [2] Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from
       Multi-Head Checkpoints", EMNLP 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> q = k = np.zeros((1, 2, 1, 4))
    >>> v = np.asarray([1.0, 3.0]).reshape(1, 2, 1, 1)
    >>> functional.scaled_dot_product_attention(q, k, v, causal=True).ravel()
    array([1., 2.])
    """
    _check(query, key, value, mask)
    key, value = without_excluded(key, mask), without_excluded(value, mask)
    if dropout:
        if dropout_key is None:
            raise ArgumentError("dropout > 0 needs dropout_key: make one with pn.random.key(seed)")
        weights = _weights(query, key, bias_of(query, key, mask, causal), scale)
        return average(drop(weights, dropout, dropout_key), value)
    return attention(query, key, value, mask, causal=causal, scale=scale)


@in_float32
@kernel
def attention(
    query: Any, key: Any, value: Any, mask: Any = None, *, causal: bool, scale: float | None
) -> Any:
    """Compute `scaled_dot_product_attention` of arrays that fit, without dropout."""
    return average(_weights(query, key, bias_of(query, key, mask, causal), scale), value)


@kernel(rule=Explicit(softmax_rule, softmax_rule), batching=natural, numpy=by_rows, fresh=True)
def masked_softmax(x: Any) -> Any:
    """Return the softmax along the last axis, zero where all of it is minus infinity."""
    xp = array_namespace(x)
    top = xp.max(x, axis=-1, keepdims=True)
    e = xp.exp(x - xp.where(top == -math.inf, 0.0, top))
    total = xp.sum(e, axis=-1, keepdims=True)
    return e / xp.where(total == 0.0, 1.0, total)


@in_float32
def _weights(query: Any, key: Any, bias: Any, scale: float | None) -> Any:
    xp = array_namespace(query, key)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    rows = _grouped(xp, query * scale, key.shape[-2])
    logits = xp.matmul(rows, xp.permute_dims(key, _order(key, (-2, -1, -3))))
    shape = (*query.shape[:-3], query.shape[-2], query.shape[-3], key.shape[-3])
    logits = xp.reshape(logits, shape)
    if shape[-1] == 0:
        return logits
    return softmax(logits) if bias is None else masked_softmax(logits + bias)


def average(weights: Any, value: Any) -> Any:
    """Return the means of `value` by the weights that `attention_weights` gives."""
    xp = array_namespace(weights, value)
    *batch, heads, length, keys = weights.shape
    if tuple(value.shape[:-2]) != (*batch, keys):
        raise ShapeError(
            f"value.shape[:-2] == batch and keys of the weights: {tuple(value.shape[:-2])} != "
            f"{(*batch, keys)}"
        )
    groups, features = value.shape[-2:]
    rows = xp.reshape(weights, (*batch, groups, heads // groups * length, keys))
    means = xp.matmul(rows, xp.permute_dims(value, _order(value, (-2, -3, -1))))
    means = xp.reshape(means, (*batch, heads, length, features))
    return xp.permute_dims(means, _order(means, (-2, -3, -1)))


def _grouped(xp: Any, query: Any, groups: int) -> Any:
    """Put the heads first, and those that share a head of the keys below each other."""
    *batch, length, heads, features = query.shape
    query = xp.permute_dims(query, _order(query, (-2, -3, -1)))
    if groups == heads:
        return query
    return xp.reshape(query, (*batch, groups, heads // groups * length, features))


def _order(x: Any, last: tuple[int, ...]) -> tuple[int, ...]:
    return (*range(x.ndim - 3), *(x.ndim + axis for axis in last))


def _check(query: Any, key: Any, value: Any, mask: Any) -> None:
    for name, x in (("query", query), ("key", key), ("value", value)):
        checks.rank_at_least(name, x, 3)
        checks.same_kind(name, x, "query", query)
    checks.real_floating("query", query)
    for relation, actual, wanted in (
        ("key.shape[:-3] == query.shape[:-3]", tuple(key.shape[:-3]), tuple(query.shape[:-3])),
        ("value.shape[:-1] == key.shape[:-1]", tuple(value.shape[:-1]), tuple(key.shape[:-1])),
        ("key.shape[-1] == query.shape[-1]", key.shape[-1], query.shape[-1]),
    ):
        if actual != wanted:
            raise ShapeError(f"{relation}: {actual} != {wanted}")
    heads, groups = query.shape[-2], key.shape[-2]
    if heads % max(groups, 1):
        raise ShapeError(f"query.shape[-2] % key.shape[-2] == 0: {heads} % {groups} != 0")
    if mask is not None:
        check_mask(query, key, mask)
