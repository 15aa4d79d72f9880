"""Activations with a bent line: the rectifier and its kin.

At a kink each has one derivative, which its text states, on every backend. The bodies avoid
``where``, whose branch on every entry is the slowest way on a processor.
"""

from __future__ import annotations

from typing import Any

from portanet import checks, random
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.batching import elementwise
from portanet.tape.rule import Elementwise, Explicit


def identity(x: Any) -> Any:
    """Return `x` itself: the activation of a linear layer.

    Parameters
    ----------
    x : any
        An array, or anything else.

    Returns
    -------
    any
        The same object.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.identity(3)
    3
    """
    return x


@kernel(
    takes=checks.real_floating,
    rule=Elementwise(lambda xp, d, y, x: d * xp.astype(x > 0, d.dtype)),
    fresh=True,
)
def relu(x: Any) -> Any:
    """Rectifier, ``max(x, 0)``. NaN is kept; the derivative at 0 is 0.

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
    .. [1] V. Nair, G. E. Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines",
       ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.relu(np.asarray([-1.0, 0.0, 2.0])))
    [0. 0. 2.]
    """
    return array_namespace(x).maximum(x, 0.0)


def _leaky_scale(xp: Any, d: Any, y: Any, x: Any, negative_slope: float = 0.01) -> Any:
    above = xp.astype(x > 0, d.dtype)
    return d * (above + negative_slope * (1.0 - above))


@kernel(
    takes=checks.real_floating,
    rule=Explicit(_leaky_scale, _leaky_scale, arity=None),
    batching=elementwise,
)
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """Leaky rectifier: `x` where it is positive, else ``negative_slope * x``.

    The derivative at 0 is `negative_slope`. As the activation of a layer with another slope:
    ``lambda x: pn.leaky_relu(x, 0.2)``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.
    negative_slope : float, default 0.01
        Slope on the negative side.

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
    .. [1] A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier Nonlinearities Improve Neural Network
       Acoustic Models", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.leaky_relu(np.asarray([-1.0, 0.0, 2.0]), 0.2))
    [-0.2  0.   2. ]
    """
    xp = array_namespace(x)
    return xp.maximum(x, 0.0) + negative_slope * xp.minimum(x, 0.0)


def _prelu_scale(xp: Any, d: Any, y: Any, x: Any, slope: Any) -> Any:
    above = xp.astype(x > 0, d.dtype)
    return d * (above + slope * (1.0 - above))


@kernel(
    takes=checks.real_floating,
    rule=Elementwise(_prelu_scale, lambda xp, d, y, x, slope: d * xp.minimum(x, 0.0)),
)
def prelu(x: Any, slope: Any, /) -> Any:
    """Parametric rectifier: `x` where it is positive, else ``slope * x`` [1]_.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.
    slope : array
        Of a shape that broadcasts against that of `x`, such as (channels,). The derivative by `x`
        at 0 is the slope.

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
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers: Surpassing Human-Level
       Performance on ImageNet Classification", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.prelu(np.asarray([[-1.0, -1.0], [0.0, 2.0]]), np.asarray([0.25, 0.5])))
    [[-0.25 -0.5 ]
     [ 0.    2.  ]]
    """
    xp = array_namespace(x, slope)
    return xp.maximum(x, 0.0) + slope * xp.minimum(x, 0.0)


def rrelu(x: Any, key: random.Key, lower: float = 1 / 8, upper: float = 1 / 3) -> Any:
    """Randomised leaky rectifier: each negative entry gets a slope drawn from an interval.

    The derivative at 0 is the drawn slope. For prediction use `leaky_relu` with the mean slope,
    ``(lower + upper) / 2``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.
    key : portanet.random.Key
        Where the slopes come from: the same key, the same slopes.
    lower, upper : float, default 1/8 and 1/3
        Ends of the interval.

    Returns
    -------
    array
        The shape and dtype of `x`.

    References
    ----------
    .. [1] B. Xu, N. Wang, T. Chen, M. Li, "Empirical Evaluation of Rectified Activations in
       Convolutional Network", arXiv:1505.00853.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> y = pn.rrelu(np.asarray([-24.0, 1.0]), pn.random.key(0))
    >>> bool(-8 <= y[0] <= -3), float(y[1])
    (True, 1.0)
    """
    slope = lower + (upper - lower) * random.uniform(key, x.shape, like=x)
    return array_namespace(x).where(x > 0, x, slope * x)


def _within(xp: Any, d: Any, y: Any, x: Any) -> Any:
    return d * xp.astype(xp.logical_and(x > 0, x < 6.0), d.dtype)


@kernel(takes=checks.real_floating, rule=Elementwise(_within))
def relu6(x: Any) -> Any:
    """Rectifier with a ceiling, ``min(max(x, 0), 6)``. The derivative at 0 and at 6 is 0.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from 0 to 6; the shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] A. Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.relu6(np.asarray([-1.0, 2.0, 9.0])))
    [0. 2. 6.]
    """
    xp = array_namespace(x)
    return xp.minimum(xp.maximum(x, 0.0), 6.0)


def _threshold_scale(xp: Any, d: Any, y: Any, x: Any, threshold: float = 1.0) -> Any:
    return xp.where(x > threshold, d, 0.0)


@kernel(
    takes=checks.real_floating,
    rule=Explicit(_threshold_scale, _threshold_scale, arity=None),
    batching=elementwise,
)
def threshold_relu(x: Any, threshold: float = 1.0) -> Any:
    """Thresholded rectifier: `x` where it exceeds `threshold`, else 0.

    The derivative at the threshold is 0.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.
    threshold : float, default 1.0
        Where the line begins.

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
    .. [1] K. Konda, R. Memisevic, D. Krueger, "Zero-bias Autoencoders and the Benefits of
       Co-adapting Features", ICLR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.threshold_relu(np.asarray([-1.0, 1.0, 2.0])))
    [0. 0. 2.]
    """
    return array_namespace(x).where(x <= threshold, 0.0, x)
