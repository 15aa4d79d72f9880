"""Reducing rows that belong together, in the words of the standard, which has no scatter.

Rows are sorted by their places, then each takes in the one before it, those two before, four, …
as long as they have the same place: n rows take log2(n) steps, whatever the values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def reduced(
    xp: Any, combine: Callable[[Any, Any], Any], neutral: Any, x: Any, places: Any, count: int
) -> Any:
    """Combine the rows of `x` at equal places.

    Parameters
    ----------
    xp : namespace
    combine : callable
        An associative function of two arrays.
    neutral : number
        What it leaves everything as it is with, and what stands where no row belongs.
    x : array, shape (n, ...)
    places : array of int, shape (n,)
        From 0 to ``count - 1``.
    count : int

    Returns
    -------
    array, shape (count, ...)
    """
    n, device = x.shape[0], getattr(places, "device", None)  # JAX has none for a traced array
    if n == 0 or count == 0:
        return xp.full((count, *x.shape[1:]), neutral, dtype=x.dtype, device=device)
    order = xp.argsort(places, stable=True)
    places, x = xp.take(places, order, axis=0), xp.take(x, order, axis=0)
    step = 1
    while step < n:
        none = xp.zeros((step,), dtype=xp.bool, device=device)
        same = xp.concat([none, places[step:] == places[:-step]])
        first = xp.full((step, *x.shape[1:]), neutral, dtype=x.dtype, device=device)
        before = xp.concat([first, x[:-step, ...]])
        x = combine(x, _where(xp, same, before, neutral))
        step *= 2
    wanted = xp.arange(count, dtype=places.dtype, device=device)
    last = xp.searchsorted(places, wanted, side="right") - 1
    last = xp.where(last < 0, 0, last)
    return _where(xp, xp.take(places, last, axis=0) == wanted, xp.take(x, last, axis=0), neutral)


def _where(xp: Any, condition: Any, x: Any, neutral: Any) -> Any:
    condition = xp.reshape(condition, (condition.shape[0], *(1,) * (x.ndim - 1)))
    return xp.where(condition, x, xp.full_like(x[:1, ...], neutral))
