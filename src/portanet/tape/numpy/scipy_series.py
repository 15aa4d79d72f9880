"""Functions of ``scipy.integrate`` and ``scipy.signal`` that turn their arguments into NumPy's."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.numpy.operands import along, array, concrete, floating, one_axis, window


def simpson(xp: Any, y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integrate by parabolas through three points each, as `scipy.integrate.simpson` does.

    Of an even number of points the last interval has the parabola of the last three [1]_.

    References
    ----------
    .. [1] K. V. Cartwright, "Simpson's rule cumulative integration with MS Excel and irregularly-
       spaced data", Journal of Mathematical Sciences and Mathematics Education, 2017.
    """
    y = floating(xp, array(xp, y))
    axis = one_axis("scipy.integrate.simpson", axis, y.ndim)
    y = xp.moveaxis(y, axis, -1)
    count = y.shape[-1]
    steps = _steps(xp, x, dx, y, axis)
    if count == 1:
        return 0.0 * y[..., 0] * np.ones((), steps.dtype)
    if count == 2:
        return 0.5 * steps[..., 0] * (y[..., 0] + y[..., 1])
    odd = count - 1 + count % 2
    h0, h1 = steps[..., 0 : odd - 1 : 2], steps[..., 1 : odd - 1 : 2]
    y0, y1, y2 = y[..., 0 : odd - 2 : 2], y[..., 1 : odd - 1 : 2], y[..., 2:odd:2]
    both = h0 + h1
    parabolas = y0 * (2 - h1 / h0) + y1 * (both**2 / (h0 * h1)) + y2 * (2 - h0 / h1)
    total = xp.sum(both / 6 * parabolas, axis=-1)
    if count % 2:
        return total
    h0, h1 = steps[..., -2], steps[..., -1]
    last = y[..., -1] * (2 * h1**2 + 3 * h0 * h1) / (6 * (h0 + h1))
    last = last + y[..., -2] * (h1**2 + 3 * h0 * h1) / (6 * h0)
    return total + last - y[..., -3] * h1**3 / (6 * h0 * (h0 + h1))


def _steps(xp: Any, x: Any, dx: Any, y: Any, axis: int) -> Any:
    """Return the distances of the points, along the last axis."""
    if x is None:
        return dx * np.ones(max(y.shape[-1] - 1, 1), y.real.dtype)
    x = array(xp, x)
    x = x if x.ndim == 1 else xp.moveaxis(x, axis, -1)
    if x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            f"scipy.integrate.simpson: x.shape[axis] == y.shape[axis]: {x.shape[-1]}, {y.shape[-1]}"
        )
    return x[..., 1:] - x[..., :-1]


def detrend(
    xp: Any, data: Any, axis: int = -1, type: str = "linear", bp: Any = 0,
    overwrite_data: bool = False,
) -> Any:  # fmt: skip
    """Take the mean, or lines fitted to the parts between the points `bp`, from `data`."""
    if type not in ("linear", "l", "constant", "c"):
        raise ArgumentError(f"scipy.signal.detrend: type is 'linear' or 'constant': got {type!r}")
    data, axis = along(xp, floating(xp, array(xp, data)), axis)
    if type in ("constant", "c"):
        return data - xp.mean(data, axis=axis, keepdims=True)
    count = data.shape[axis]
    ends = np.unique([0, *np.atleast_1d(concrete("scipy.signal.detrend: bp", bp)), count])
    if ends[0] < 0 or ends[-1] > count:
        raise ArgumentError(f"scipy.signal.detrend: 0 <= bp <= {count}: got {bp!r}")
    parts = [
        _without_line(xp, data[window(axis, start, stop)], axis)
        for start, stop in itertools.pairwise(ends)
    ]
    return xp.concat(parts, axis=axis)


def _without_line(xp: Any, x: Any, axis: int) -> Any:
    """Subtract the line of least squares along an axis."""
    x = xp.moveaxis(x, axis, -1)
    count = x.shape[-1]
    places = np.stack([np.arange(1, count + 1) / count, np.ones(count)], -1).astype(x.real.dtype)
    fitted = (x @ np.linalg.pinv(places).T) @ places.T
    return xp.moveaxis(x - fitted, -1, axis)
