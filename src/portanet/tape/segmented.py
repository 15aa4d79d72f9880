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
    device = getattr(places, "device", None)  # JAX has none for a traced array
    # A neutral row at each place, sorted behind the others, takes in all of them.
    ends = xp.full((count, *x.shape[1:]), neutral, dtype=x.dtype, device=device)
    x = xp.concat([x, ends])
    places = xp.concat([places, xp.arange(count, dtype=places.dtype, device=device)])
    n = x.shape[0]
    order = xp.argsort(places, stable=True)
    places, x = xp.take(places, order, axis=0), xp.take(x, order, axis=0)
    step = 1
    while step < n:
        none = xp.zeros((step,), dtype=xp.bool, device=device)
        same = xp.concat([none, places[step:] == places[:-step]])
        first = xp.full((step, *x.shape[1:]), neutral, dtype=x.dtype, device=device)
        before = xp.concat([first, x[:-step, ...]])
        same = xp.reshape(same, (n, *(1,) * (x.ndim - 1)))
        x = combine(x, xp.where(same, before, xp.full_like(before, neutral)))
        step *= 2
    return xp.take(x, xp.argsort(order, stable=True)[n - count :], axis=0)
