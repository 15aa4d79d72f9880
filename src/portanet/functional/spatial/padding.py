"""Widening an array at its ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.errors import HyperparameterError, ShapeError, shown
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, device_of

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
Widths = int | Sequence[int] | Sequence[tuple[int, int]]


@kernel
def pad(x: Any, widths: Widths, mode: str = "constant", value: float = 0.0) -> Any:
    """Widen `x` at the ends of its axes.

    Parameters
    ----------
    x : array
    widths : int, pair of int, or sequence of pairs
        How many entries to put before and after: one pair an axis, one pair for all axes, or one
        number for every end.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}, default "constant"
        What to put there: `value`; the entry at the end; the mirror image about that entry, or
        about its edge, with the entry itself; or the entries from the other end.
    value : float, default 0.0
        For ``"constant"``.

    Returns
    -------
    array
        The dtype of `x`.

    Raises
    ------
    HyperparameterError
        If the mode is unknown or a width negative.
    ShapeError
        If the widths do not fit the axes, or an axis is empty or, for ``"reflect"``, has one
        entry.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.asarray([1.0, 2.0, 3.0])
    >>> print(functional.pad(x, (1, 2)))
    [0. 1. 2. 3. 0. 0.]
    >>> print(functional.pad(x, (1, 2), "reflect"))
    [2. 1. 2. 3. 2. 1.]
    """
    xp = array_namespace(x)
    if mode not in _MODES:
        raise HyperparameterError(f"mode in {_MODES}: got {shown(mode)}")
    for axis, (before, after) in enumerate(_pairs(widths, x.ndim)):
        if before == after == 0:
            continue
        if mode == "constant":
            x = _constant(xp, x, axis, before, after, value)
        else:
            sources = _sources(x.shape[axis], axis, before, after, mode)
            indices = xp.asarray(sources, device=device_of(x))
            x = xp.take(x, indices, axis=axis)
    return x


def _pairs(widths: Any, rank: int) -> list[tuple[int, int]]:
    if isinstance(widths, int):
        widths = (widths, widths)
    if len(widths) == 2 and all(isinstance(n, int) for n in widths):
        widths = [tuple(widths)] * rank
    if len(widths) != rank or any(len(pair) != 2 for pair in widths):
        raise ShapeError(f"widths has one pair for each of the {rank} axes of x: got {widths}")
    if any(n < 0 for pair in widths for n in pair):
        raise HyperparameterError(f"widths >= 0: got {widths}")
    return list(widths)


def _constant(xp: Any, x: Any, axis: int, before: int, after: int, value: float) -> Any:
    def block(width: int) -> Any:
        shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
        return xp.full(shape, value, dtype=x.dtype, device=device_of(x))

    parts = [block(before)] if before else []
    return xp.concat([*parts, x, block(after)] if after else [*parts, x], axis=axis)


def _sources(n: int, axis: int, before: int, after: int, mode: str) -> list[int]:
    """The positions along an axis from which a padded one is read."""
    least = 2 if mode == "reflect" else 1
    if n < least:
        raise ShapeError(
            f"x.shape[{axis}] >= {least}: {n} < {least}: too few to pad with mode={mode!r}"
        )
    positions = range(-before, n + after)
    if mode == "edge":
        return [min(max(i, 0), n - 1) for i in positions]
    if mode == "wrap":
        return [i % n for i in positions]
    if mode == "symmetric":
        return [min(i % (2 * n), 2 * n - 1 - i % (2 * n)) for i in positions]
    period = 2 * (n - 1)
    return [min(i % period, period - i % period) for i in positions]
