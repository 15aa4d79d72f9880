"""Muon: momentum made orthogonal, for the matrices of hidden layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.errors import DTypeError, ShapeError
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, cast, zero_mean
from portanet.optimizers.complex_parts import is_complex
from portanet.optimizers.norms import norm

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: the steepest quintic that stays near 1


@dataclass(frozen=True)
class Muon(Rule):
    r"""Muon: the momentum of a matrix with its singular values set to about 1.

    .. math::

        m &\leftarrow \mu m + (1 - \mu) g \\
        o &= \operatorname{orthogonal}(\mu m + (1 - \mu) g) \\
        x &\leftarrow x - \eta \Bigl(\sqrt{\max(1, n_{rows} / n_{columns})} \, o
             + \lambda x\Bigr)

    with :math:`\operatorname{orthogonal}(U S V^T) \approx U V^T`, by the iteration of Newton and
    Schulz :math:`X \leftarrow a X + (b A + c A^2) X`, :math:`A = X X^T`, from
    :math:`X / \lVert X \rVert_F`. It leaves the singular values between about 0.7 and 1.2.

    Parameters
    ----------
    lr : float, default 0.02
        The learning rate :math:`\eta`, not negative.
    momentum : float, default 0.95
        The share :math:`\mu` of the momentum that is kept, in [0, 1).
    weight_decay : float, default 0.0
        The decoupled decay rate :math:`\lambda`, not negative.
    nesterov : bool, default True
        Look ahead along the momentum. Without it, :math:`o = \operatorname{orthogonal}(m)`.
    iterations : int, default 5
        The number of steps of the iteration.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.
    ShapeError, DTypeError
        In `setup`, if a parameter is no real matrix.

    Notes
    -----
    Vectors, embeddings and the last layer are trained by another rule, through `Groups`. The
    iteration runs in the dtype of the parameter, at least float32, where PyTorch's runs in
    bfloat16.

    References
    ----------
    .. [1] K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
       https://kellerjordan.github.io/posts/muon/.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> rule = pn.optimizers.Groups(
    ...     {lambda path, x: x.ndim == 2: pn.optimizers.Muon(0.1)}, pn.optimizers.Adam(0.01)
    ... )
    >>> ps = {"weight": np.zeros((2, 2)), "bias": np.zeros(2)}
    >>> grads = {"weight": np.asarray([[100.0, 0.0], [0.0, 1.0]]), "bias": np.ones(2)}
    >>> state, ps = pn.optimizers.update(pn.optimizers.setup(rule, ps), ps, grads)
    >>> bool(np.all(np.abs(np.diag(ps["weight"]) + 0.1) < 0.04))
    True
    """

    varying: ClassVar[tuple[str, ...]] = ("lr", "weight_decay")

    lr: float = 0.02
    momentum: float = 0.95
    weight_decay: float = 0.0
    nesterov: bool = True
    iterations: int = 5

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr", "weight_decay")
        checks.decays(self, "momentum")
        checks.flags(self, "nesterov")
        checks.integers(self, "iterations")

    def check(self, x: Array) -> None:
        advice = "give other parameters a rule by pn.optimizers.Groups"
        if len(x.shape) != 2:
            raise ShapeError(f"Muon: x.ndim == 2: {len(x.shape)} != 2: {advice}")
        if is_complex(x):
            raise DTypeError(f"Muon: x.dtype is real: {x.dtype}: {advice}")

    def init(self, x: Array) -> tuple[Array]:
        return (zero_mean(x),)

    def apply(self, state: tuple[Array], x: Array, g: Array) -> tuple[Any, Array]:
        (mean,) = state
        xp = array_namespace(g, mean)
        if math.prod(x.shape) == 0:
            return state, g
        wide = cast(xp, g, mean.dtype)
        mean = (1.0 - self.momentum) * wide + self.momentum * mean
        ahead = (1.0 - self.momentum) * wide + self.momentum * mean if self.nesterov else mean
        rows, columns = x.shape
        stretch = max(1.0, rows / columns) ** 0.5
        direction = stretch * orthogonalized(xp, ahead, self.iterations)
        dx = self.lr * direction + (self.lr * self.weight_decay) * cast(xp, x, mean.dtype)
        return (mean,), cast(xp, dx, x.dtype)


def orthogonalized(xp: Any, x: Array, iterations: int) -> Array:
    """Return a matrix with the singular vectors of `x` and singular values of about 1."""
    a, b, c = _COEFFICIENTS
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (norm(xp, x) + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.T if tall else x
