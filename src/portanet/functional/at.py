"""Changing entries of an array without writing into it."""

from __future__ import annotations

from typing import Any

from portanet import tape
from portanet.backends import array_namespace, device_of
from portanet.functional.kernel import kernel
from portanet.tape.rules.indexing import has_integer_array

__all__ = ["at"]


class at:
    """Return changed copies of an array: what assignment to an index would make of it.

    ``at(x)[index].set(y)`` is a copy of `x` in which ``x[index]`` is `y`; `x` stays as it is. The
    derivatives with respect to `x` and `y` are right in every mode and order.

    Parameters
    ----------
    x : array
    index : index, optional
        ``at(x, index)`` is ``at(x)[index]``.

    Notes
    -----
    Where integer arrays name an entry more than once, `add` and `subtract` add up all of the
    updates; for the other methods which one counts is not defined. The methods take arrays that
    broadcast to ``x[index]``, and numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.zeros(4)
    >>> print(functional.at(x)[1:3].set(5.0))
    [0. 5. 5. 0.]
    >>> print(functional.at(x)[np.asarray([0, 0, 3])].add(1.0))
    [2. 0. 0. 1.]
    """

    __slots__ = ("index", "x")

    def __init__(self, x: Any, index: Any = None) -> None:
        self.x = x
        self.index = index

    def __getitem__(self, index: Any) -> at:
        return at(self.x, index)

    def set(self, y: Any) -> Any:
        """Replace the entries by `y`."""
        return replace_at(self.x, self._spread(y), index=self.index)

    def add(self, y: Any) -> Any:
        """Add `y` to the entries."""
        return add_at(self.x, self._spread(y), index=self.index)

    def subtract(self, y: Any) -> Any:
        """Subtract `y` from the entries."""
        return add_at(self.x, -self._spread(y), index=self.index)

    def multiply(self, y: Any) -> Any:
        """Multiply the entries by `y`."""
        return self.set(self.x[self.index] * y)

    def divide(self, y: Any) -> Any:
        """Divide the entries by `y`."""
        return self.set(self.x[self.index] / y)

    def power(self, y: Any) -> Any:
        """Raise the entries to the power `y`."""
        return self.set(self.x[self.index] ** y)

    def min(self, y: Any) -> Any:
        """Replace the entries by `y` where it is smaller."""
        return self.set(array_namespace(self.x, y).minimum(self.x[self.index], self._spread(y)))

    def max(self, y: Any) -> Any:
        """Replace the entries by `y` where it is larger."""
        return self.set(array_namespace(self.x, y).maximum(self.x[self.index], self._spread(y)))

    def _spread(self, y: Any) -> Any:
        """Give `y` the shape and dtype of the entries."""
        xp = array_namespace(self.x, y)
        like = tape.strip(self.x)[self.index]
        if not hasattr(y, "shape"):
            return xp.full_like(like, y)
        return xp.broadcast_to(xp.astype(y, self.x.dtype, copy=False), like.shape)


@kernel
def add_at(x: Any, y: Any, *, index: Any) -> Any:
    """Return `x` with `y` added to ``x[index]``."""
    xp = array_namespace(x, y)
    return x + xp.scatter_getitem(y, index, x.shape)


@kernel
def replace_at(x: Any, y: Any, *, index: Any) -> Any:
    """Return `x` with `y` in the place of ``x[index]``; of several updates the last one counts."""
    xp = array_namespace(x, y)
    if y.size == 0:
        return x
    hit, source = _sources(xp, x, y, index)
    taken = xp.take(xp.reshape(y, (-1,)), xp.reshape(source, (-1,)), axis=0)
    return xp.where(hit, xp.reshape(taken, x.shape), x)


def _sources(xp: Any, x: Any, y: Any, index: Any) -> tuple[Any, Any]:
    """For each entry of `x` whether it is replaced, and by which entry of a flat `y`."""
    order = xp.arange(y.size, device=device_of(x))
    if not has_integer_array(index):
        source = xp.full(x.shape, -1, dtype=order.dtype, device=device_of(x))
        source[index] = xp.reshape(order, y.shape)
        return source >= 0, xp.maximum(source, 0)
    places = xp.arange(x.size, device=device_of(x))
    targets = xp.reshape(xp.reshape(places, x.shape)[index], (-1,))
    order = xp.argsort(targets, stable=True)
    targets = xp.take(targets, order, axis=0)
    last = xp.maximum(xp.searchsorted(targets, places, side="right") - 1, 0)
    hit = xp.take(targets, last, axis=0) == places
    return xp.reshape(hit, x.shape), xp.take(order, last, axis=0)
