"""Weights written as a function of other arrays."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import HyperparameterError, shown
from portanet.functional.gradient import stop_gradient
from portanet.functional.half import in_float32
from portanet.interface import array_namespace


@in_float32
def weight_norm(v: Any, g: Any, *, axis: int = 0) -> Any:
    """Return the weight ``g * v / ‖v‖``, with one norm for each output [1]_.

    Parameters
    ----------
    v : array
        Directions, of the shape of the weight. None of them is zero.
    g : array
        Norms: the shape of `v` with size 1 along all axes but `axis`.
    axis : int
        The axis of the outputs. The norms are taken over all others.

    Returns
    -------
    array
        Of the shape of `v`.

    References
    ----------
    .. [1] Salimans and Kingma, "Weight Normalization: A Simple Reparameterization to Accelerate
       Training of Deep Neural Networks", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.weight_norm(np.asarray([[3.0, 4.0]]), np.asarray([[10.0]]))
    array([[6., 8.]])
    """
    return v * (g / norms(v, axis))


def norms(v: Any, axis: int) -> Any:
    """Return the norms over all axes but `axis`, which stay with size 1."""
    xp = array_namespace(v)
    others = tuple(i for i in range(v.ndim) if i != axis % v.ndim)
    return xp.sqrt(xp.sum(v * v, axis=others, keepdims=True) if others else v * v)


@in_float32
def spectral_norm(
    weight: Any, u: Any, v: Any, *, iterations: int = 1, axis: int = 0, epsilon: float = 1e-12
) -> tuple[Any, Any, Any]:
    """Divide a weight by an estimate of its largest singular value [1]_.

    The weight is read as a matrix `W` with a row for each output. The estimate is ``u · W v``,
    after `iterations` steps of ``u = W v / ‖W v‖`` and ``v = Wᵀ u / ‖Wᵀ u‖``.

    Parameters
    ----------
    weight : array
    u : array, shape (outputs,)
    v : array, shape (weight.size / outputs,)
        Estimates of the singular vectors, of norm 1; constants for every derivative.
    iterations : int
        Steps of the power iteration; with 0 the vectors are used as they are.
    axis : int
        The axis of the outputs.
    epsilon : float
        The least norm by which a vector is divided.

    Returns
    -------
    weight : array
        Of the shape of `weight`.
    u, v : array
        The better estimates.

    References
    ----------
    .. [1] Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for Generative Adversarial
       Networks", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> u = v = np.asarray([0.6, 0.8])
    >>> weight, _, _ = functional.spectral_norm(np.diag([8.0, 2.0]), u, v, iterations=50)
    >>> weight
    array([[1.  , 0.  ],
           [0.  , 0.25]])
    """
    xp = array_namespace(weight, u)
    rows = xp.moveaxis(weight, axis, 0)
    rows = xp.reshape(rows, (rows.shape[0], math.prod(rows.shape[1:])))
    fixed = stop_gradient(rows)
    if not 0 <= iterations <= checks.LARGEST:
        raise HyperparameterError(f"iterations >= 0, of 64 bits: got {shown(iterations)}")
    for _ in range(iterations):
        u = _unit(xp, fixed @ v, epsilon)
        v = _unit(xp, u @ fixed, epsilon)
    return weight / xp.sum(u * (rows @ v)), u, v


def _unit(xp: Any, x: Any, epsilon: float) -> Any:
    return x / xp.maximum(xp.sqrt(xp.sum(x * x)), epsilon)
