"""Changing entries of an array without writing into it."""

from __future__ import annotations

from typing import Any

from portanet.functional.indexing.updates import updated


class at:
    """Return changed copies of an array: what assignment to an index would make of it.

    ``at(x)[index].set(y)`` is a copy of `x` in which ``x[index]`` is `y`; `x` stays as it is. The
    derivatives with respect to `x` and `y` are right in every mode and order.

    Parameters
    ----------
    x : array
    index : index, optional
        ``at(x, index)`` is ``at(x)[index]``. It is made of integers, slices, None, an ellipsis,
        and arrays or lists of integers or truth values, and means what it means to NumPy.

    Raises
    ------
    BackendMismatchError
        If `x` is no array, or `y` or an index one of another library.
    IndexRangeError
        If an index lies outside of its axis. Inside ``pn.jit`` on torch and JAX, and on
        accelerators, whose values cannot be looked at for free, such an index is the library's
        to treat.
    ShapeError
        If the index has too many axes, or `y` does not broadcast to ``x[index]``.
    DTypeError
        If `y` is an array of another dtype than `x`, or a number that `x` cannot hold, or if an
        integer array is divided.

    Notes
    -----
    The methods take numbers, and arrays that broadcast to ``x[index]``. Where integer arrays name
    an entry more than once, `add` and `subtract` add up all of the updates, `multiply` and
    `divide` multiply all, `min` and `max` compare all, and of `set` and `power` the last one
    counts. Entries that are equally large share a derivative in equal parts.

    A mask may be another one in each call of a jitted function, or in each entry of a batch, where
    all of its entries get the same update, such as a number.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.zeros(4)
    >>> print(functional.at(x)[1:3].set(5.0))
    [0. 5. 5. 0.]
    >>> print(functional.at(x)[np.asarray([0, 0, 3])].add(1.0))
    [2. 0. 0. 1.]
    >>> print(functional.at(x)[[0, 0, 3]].max(np.asarray([5.0, 2.0, -1.0])))
    [5. 0. 0. 0.]
    """

    __slots__ = ("index", "x")

    def __init__(self, x: Any, index: Any = None) -> None:
        self.x = x
        self.index = index

    def __getitem__(self, index: Any) -> at:
        return at(self.x, index)

    def set(self, y: Any) -> Any:
        """Replace the entries by `y`."""
        return updated(self.x, self.index, "set", y)

    def add(self, y: Any) -> Any:
        """Add `y` to the entries."""
        return updated(self.x, self.index, "add", y)

    def subtract(self, y: Any) -> Any:
        """Subtract `y` from the entries."""
        return updated(self.x, self.index, "subtract", y)

    def multiply(self, y: Any) -> Any:
        """Multiply the entries by `y`."""
        return updated(self.x, self.index, "multiply", y)

    def divide(self, y: Any) -> Any:
        """Divide the entries by `y`."""
        return updated(self.x, self.index, "divide", y)

    def power(self, y: Any) -> Any:
        """Raise the entries to the power `y`."""
        return updated(self.x, self.index, "power", y)

    def min(self, y: Any) -> Any:
        """Replace the entries by `y` where it is smaller."""
        return updated(self.x, self.index, "min", y)

    def max(self, y: Any) -> Any:
        """Replace the entries by `y` where it is larger."""
        return updated(self.x, self.index, "max", y)
