"""The error function, which the standard lacks, accurate to the last digits of float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from portanet import checks
from portanet.functional.half import widened
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.form import by_entries
from portanet.tape.rule import Elementwise

# Chebyshev coefficients of (1 + 2 y) exp(y²) erfc(y) in (y - 3) / (y + 3) for y >= 0,
# and of erf(x) / x in 2 x² - 1 for |x| <= 1, computed with 60 digits.
_TAIL = (
    1.17756257419656,
    0.005353904539615676,
    -0.09377550342284209,
    0.05436652555744322,
    -0.018976596707845208,
    0.004453426061462712,
    -0.0006335531710553147,
    1.7661719523171593e-05,
    1.2841532864056671e-05,
    -2.0072285659059913e-06,
    -1.807522790414837e-07,
    7.549828343825093e-08,
    1.885668523838603e-09,
    -2.699519049798364e-09,
    -1.460079119939105e-11,
    1.0361607445969489e-10,
    1.475715976623473e-12,
    -4.277340064396911e-12,
    -2.07922492859799e-13,
    1.8134502003176963e-13,
    1.973425574544739e-14,
    -7.287943737592673e-15,
    -1.5169878690228116e-15,
    2.3514112258781403e-16,
    1.0006111691821667e-16,
    -2.0572528169538546e-18,
    -5.608608218863183e-18,
)
_CENTRE = (
    0.9754769393826541,
    -0.14226120510371365,
    0.010035582187599796,
    -0.0005768764699767485,
    2.741993125219606e-05,
    -1.1043175507344507e-06,
    3.8488755420345036e-08,
    -1.1808582533875466e-09,
    3.2334215826050907e-11,
    -7.991015947004549e-13,
    1.7990725113961456e-14,
    -3.718635487818693e-16,
    7.103599003714253e-18,
    -1.2612455119155226e-19,
)

# exp(-30²) is zero in float64, and 30³ does not overflow in float16.
FAR = 30.0


def _series(t: Any, coefficients: Sequence[float]) -> Any:
    """Sum a Chebyshev series at `t` by Clenshaw's recurrence."""
    above, current, twice = 0.0, coefficients[-1], 2.0 * t
    for coefficient in coefficients[-2:0:-1]:
        above, current = current, twice * current + (coefficient - above)
    return t * current + (coefficients[0] - above)


def _terms(xp: Any, x: Any, coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """The part of a series that matters in the dtype of `x`: the terms fall geometrically."""
    return (
        coefficients if xp.finfo(x.dtype).bits > 32 else coefficients[: len(coefficients) * 3 // 5]
    )


def _tail(xp: Any, y: Any) -> Any:
    """The complement ``erfc(y)`` for ``0 <= y <= 30``, with a small relative error."""
    # y² is rounded: exp(-y²) is accurate only as a product of two, one with an exact exponent.
    coarse = xp.trunc(y * 16.0) / 16.0
    gauss = xp.exp(-coarse * coarse) * xp.exp((coarse - y) * (coarse + y))
    return gauss * _series((y - 3.0) / (y + 3.0), _terms(xp, y, _TAIL)) / (1.0 + 2.0 * y)


def limited(xp: Any, x: Any) -> Any:
    """Keep `x` where its square and cube are finite and functions of it are not yet constant."""
    return xp.clip(x, -FAR, FAR)


def _gauss(xp: Any, x: Any) -> Any:
    """The derivative of the error function."""
    x = limited(xp, x)
    return (2.0 / math.sqrt(math.pi)) * xp.exp(-x * x)


@kernel(rule=Elementwise(lambda xp, d, y, x: d * _gauss(xp, x)), numpy=by_entries, fresh=True)
def erf(x: Any) -> Any:
    r"""Error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t²)`` from 0 to `x`.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`. The relative error is a few units of the last place.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] M. M. Shepherd and J. G. Laframboise, "Chebyshev Approximation of
       (1 + 2x) exp(x²) erfc x in 0 <= x < inf", Mathematics of Computation 36 (1981).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.functional import erf
    >>> print(erf(np.asarray([-1.0, 0.0, 0.5])))
    [-0.84270079  0.          0.52049988]
    """
    checks.real_floating("x", x)
    xp = array_namespace(x)
    wide = widened(x)
    size = xp.minimum(xp.abs(wide), FAR)
    near = size < 1.0
    inner = xp.where(near, wide, 0.0)
    outer = 1.0 - _tail(xp, size)
    outer = xp.where(wide < 0, -outer, outer)
    y = xp.where(near, inner * _series(2.0 * inner * inner - 1.0, _terms(xp, wide, _CENTRE)), outer)
    return xp.astype(y, x.dtype, copy=False)


@kernel(rule=Elementwise(lambda xp, d, y, x: -d * _gauss(xp, x)), numpy=by_entries, fresh=True)
def erfc(x: Any) -> Any:
    r"""Complementary error function, ``1 - erf(x)`` without its cancellation for large `x`.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`. The relative error is a few units of the last place.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] M. M. Shepherd and J. G. Laframboise, "Chebyshev Approximation of
       (1 + 2x) exp(x²) erfc x in 0 <= x < inf", Mathematics of Computation 36 (1981).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.functional import erfc
    >>> print(erfc(np.asarray([0.0, 1.0, 10.0])))
    [1.00000000e+00 1.57299207e-01 2.08848758e-45]
    """
    checks.real_floating("x", x)
    xp = array_namespace(x)
    wide = widened(x)
    tail = _tail(xp, xp.minimum(xp.abs(wide), FAR))
    return xp.astype(xp.where(wide < 0, 2.0 - tail, tail), x.dtype, copy=False)
