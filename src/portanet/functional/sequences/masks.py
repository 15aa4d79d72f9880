"""Which keys a query may attend to."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.interface import array_namespace, device_of


def causal_mask(queries: int, keys: int | None = None, *, like: Any) -> Any:
    """Return which keys each query may attend to so that none of them lies in its future.

    The last query is aligned with the last key: with fewer queries than keys, the queries are the
    last ones of the sequence, as in decoding with a cache. Query ``i`` sees the keys up to
    ``i + keys - queries``.

    Parameters
    ----------
    queries, keys : int
        Lengths of the sequences; one length for both by default.
    like : array
        Gives the library and the device.

    Returns
    -------
    array of bool, shape (queries, keys)

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.causal_mask(2, 3, like=np.zeros(1))
    array([[ True,  True, False],
           [ True,  True,  True]])
    """
    keys = queries if keys is None else keys
    xp = array_namespace(like)
    last = xp.arange(keys - queries, keys, device=device_of(like))
    return xp.arange(keys, device=device_of(like))[None, :] <= last[:, None]


def bias_of(query: Any, key: Any, mask: Any, causal: bool) -> Any:
    """Return what is added to the logits: minus infinity where a query may not attend."""
    xp = array_namespace(query, mask)
    bias = mask
    allowed = causal_mask(query.shape[-3], key.shape[-3], like=query) if causal else None
    if mask is not None and _is_boolean(query, mask):
        bias, allowed = None, mask if allowed is None else xp.logical_and(mask, allowed)
    if allowed is None:
        return bias
    zero = xp.zeros((), dtype=query.dtype, device=device_of(query))
    barred = xp.where(allowed, zero, -math.inf)
    return barred if bias is None else bias + barred


def without_excluded(x: Any, mask: Any) -> Any:
    """Return keys or values with zeros where a boolean mask shows them to no query.

    A weight of 0 would not keep NaN out of a mean, nor out of a gradient.
    """
    if mask is None or mask.ndim == 0 or not _is_boolean(x, mask):
        return x
    xp = array_namespace(x, mask)
    around = tuple(range(max(mask.ndim - 3, 0), mask.ndim - 1))
    seen = xp.any(mask, axis=around) if around else mask
    return xp.where(seen[..., None, None], x, 0.0)


def _is_boolean(x: Any, mask: Any) -> bool:
    return bool(array_namespace(x, mask).isdtype(mask.dtype, "bool"))


def check_mask(query: Any, key: Any, mask: Any, remark: str = "") -> None:
    """Refuse a mask that does not broadcast to the weights, or is of another kind."""
    full = (*query.shape[:-3], query.shape[-2], query.shape[-3], key.shape[-3])
    shape = checks.axes("mask", mask)
    fits = len(shape) <= len(full) and all(
        n in (1, wanted) for n, wanted in zip(shape[::-1], full[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f"mask broadcasts to (..., heads, L, S): {tuple(shape)} does not to {full}{remark}"
        )
    if _is_boolean(query, mask):
        checks.same_device("mask", mask, "query", query)
    else:
        checks.same_kind("mask", mask, "query", query)
