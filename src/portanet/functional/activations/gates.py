"""Activations of the form ``x * gate(x)``."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.activations.sigmoids import bounded_sigmoid, sigmoid, softplus
from portanet.functional.half import rounded, widened
from portanet.functional.kernel import kernel
from portanet.functional.special.error_function import FAR, erfc, limited
from portanet.interface import array_namespace
from portanet.tape.ops.form import by_entries
from portanet.tape.ops.words import Words
from portanet.tape.rule import Elementwise

_GELU = math.sqrt(8.0 / math.pi)
_CUBIC = 0.044715
_GELU_ERF = """
template <typename T> __device__ T portanet_gelu(T a) {
    return T(0.5) * a * erfc(a * T(-0.70710678118654752440));
}"""


def _near(xp: Any, x: Any) -> Any:
    """Keep `x` where nothing of the gate overflows: beyond, that is 0 or 1."""
    return xp.clip(x, -FAR, 21.0 if xp.finfo(x.dtype).bits == 64 else 10.0)


def _gate(near: Any, square: Any) -> Any:
    """The factor of `gelu`."""
    return bounded_sigmoid(near * (square * (_GELU * _CUBIC) + _GELU))


@kernel
def gelu_scale(d: Any, x: Any) -> Any:
    """Return `d` times the derivative of `gelu` at `x`."""
    near = _near(array_namespace(x), widened(x))
    square = near * near
    gate = _gate(near, square)
    slope = near * (square * (3.0 * _GELU * _CUBIC) + _GELU)
    return rounded(d * gate * ((1.0 - gate) * slope + 1.0), d)


@kernel(
    takes=checks.real_floating, rule=Elementwise(lambda xp, d, y, x: gelu_scale(d, x)), fresh=True
)
def gelu(x: Any) -> Any:
    """Gaussian error linear unit in its tanh form.

    ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``, computed as the product of `x`
    and the sigmoid of twice that argument, which is the same and accurate for negative `x`.
    `gelu_erf` is the function that this one approximates.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.gelu(np.asarray([-1.0, 0.0, 1.0])))
    [-0.15880801  0.          0.84119199]
    """
    near = _near(array_namespace(x), widened(x))
    return x * rounded(_gate(near, near * near), x)


def _gelu_erf_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    near = limited(xp, x)
    density = xp.exp(near * near * -0.5) / math.sqrt(2.0 * math.pi)
    return d * (0.5 * erfc(near * -math.sqrt(0.5)) + near * density)


@kernel(
    takes=checks.real_floating,
    rule=Elementwise(_gelu_erf_scale),
    numpy=by_entries,
    words=Words("portanet_gelu({0})", helpers=(_GELU_ERF,), several=True),
    fresh=True,
)
def gelu_erf(x: Any) -> Any:
    """Gaussian error linear unit, `x` times the normal distribution function at `x`.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.gelu_erf(np.asarray([-1.0, 0.0, 1.0])))
    [-0.15865525  0.          0.84134475]
    """
    return 0.5 * x * erfc(x * -math.sqrt(0.5))


def _silu_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    gate = sigmoid(x)
    return d * (gate + y * (1.0 - gate))


@kernel(takes=checks.real_floating, rule=Elementwise(_silu_scale), fresh=True)
def silu(x: Any) -> Any:
    """Sigmoid linear unit, ``x * sigmoid(x)``, also known as swish.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-Weighted Linear Units for Neural Network
       Function Approximation in Reinforcement Learning", Neural Networks 107 (2018).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.silu(np.asarray([-1.0, 0.0, 1.0])))
    [-0.26894142  0.          0.73105858]
    """
    return x * sigmoid(x)


def _lisht_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    t = xp.tanh(x)
    return d * (t + x * (1.0 - t * t))


@kernel(takes=checks.real_floating, rule=Elementwise(_lisht_scale))
def lisht(x: Any) -> Any:
    """Linearly scaled hyperbolic tangent, ``x * tanh(x)``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from 0 up; the shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] S. K. Roy, S. Manna, S. R. Dubey, B. B. Chaudhuri, "LiSHT: Non-Parametric Linearly
       Scaled Hyperbolic Tangent Activation Function for Neural Networks", arXiv:1901.05894.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.lisht(np.asarray([-1.0, 0.0, 1.0])))
    [0.76159416 0.         0.76159416]
    """
    return x * array_namespace(x).tanh(x)


def _mish_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    t = xp.tanh(softplus(x))
    return d * (t + x * ((1.0 - t * t) * sigmoid(x)))


@kernel(takes=checks.real_floating, rule=Elementwise(_mish_scale))
def mish(x: Any) -> Any:
    """Self-regularised gate, ``x * tanh(softplus(x))``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] D. Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", BMVC 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.mish(np.asarray([-1.0, 0.0, 1.0])))
    [-0.30340146  0.          0.86509839]
    """
    return x * array_namespace(x).tanh(softplus(x))


def glu(x: Any, axis: int = -1) -> Any:
    """Gated linear unit: the first half of an axis times the sigmoid of its second half.

    Parameters
    ----------
    x : array
        Real floating point numbers; ``x.shape[axis]`` is even.
    axis : int, default -1
        Axis to halve.

    Returns
    -------
    array
        The dtype of `x`; its shape with half the entries along `axis`.

    Raises
    ------
    ShapeError
        If the axis does not exist or has an odd size.

    References
    ----------
    .. [1] Y. N. Dauphin, A. Fan, M. Auli, D. Grangier, "Language Modeling with Gated
       Convolutional Networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.glu(np.asarray([[1.0, 2.0, 0.0, 100.0]])))
    [[0.5 2. ]]
    """
    before = (slice(None),) * checks.axis_of("x", x, axis)
    size = x.shape[axis]
    if size % 2:
        raise ShapeError(f"x.shape[{axis}] is even: got {size}: it holds values and their gates")
    values = x[(*before, slice(None, size // 2), ...)]
    return values * sigmoid(x[(*before, slice(size // 2, None), ...)])
