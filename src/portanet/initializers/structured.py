"""Weights with a structure: orthogonal, identity, mostly zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from portanet.checks import Sizes, finite, integers, positive, probabilities, sizes
from portanet.errors import ShapeError
from portanet.initializers._base import Initializer


def _require_rank(owner: Initializer, shape: tuple[int, ...], relation: str, holds: bool) -> None:
    if not holds:
        raise ShapeError(f"{type(owner).__name__}: {relation}: the shape is {shape}")


@dataclass(frozen=True)
class orthogonal(Initializer):
    """A random matrix with orthogonal rows or columns, whichever are fewer, of length `gain`.

    A shape with more than two axes is one matrix, ``(prod(shape[:-1]), shape[-1])``.

    Parameters
    ----------
    gain : float, default 1
        Above 0; see `gain`.

    References
    ----------
    .. [1] A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact Solutions to the Nonlinear Dynamics of
       Learning in Deep Linear Neural Networks", ICLR 2014.
    .. [2] F. Mezzadri, "How to Generate Random Matrices from the Classical Compact Groups",
       Notices of the AMS 54 (2007).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.initializers.orthogonal()(np.random.default_rng(0), (2, 5), np.float64)
    >>> np.allclose(w @ w.T, np.eye(2))
    True
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "gain")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        _require_rank(self, shape, "len(shape) >= 2", len(shape) >= 2)
        short, long = sorted((math.prod(shape[:-1]), shape[-1]))
        q, r = np.linalg.qr(rng.standard_normal((long, short)))
        # The signs of r's diagonal are the algorithm's choice; without them q is uniform.
        q = self.gain * q * np.copysign(1.0, np.diagonal(r))
        return (q.T if shape[-1] == long else q).reshape(shape)


@dataclass(frozen=True)
class identity(Initializer):
    """A weight that passes its input on, times `gain`.

    A matrix is the identity, cut off or filled with zeros where it is not square. A kernel
    ``(*window, in, out)`` has it at its centre and zeros elsewhere. A vector is zero.

    Parameters
    ----------
    gain : float, default 1
    shift : int or tuple of int, default 0
        How far the first axes are rolled, one number for each.

    References
    ----------
    .. [1] Q. V. Le, N. Jaitly, G. E. Hinton, "A Simple Way to Initialize Recurrent Networks of
       Rectified Linear Units", arXiv:1504.00941.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.identity()(np.random.default_rng(0), (2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """

    gain: float = 1.0
    shift: Sizes = 0

    def __post_init__(self) -> None:
        finite(self, "gain")
        sizes(self, "shift", minimum=None)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        x = np.zeros(shape)
        if not shape:
            raise ShapeError("identity: len(shape) >= 1: 0 < 1: a number without axes has no unit")
        if len(shape) >= 2 and x.size:
            x[_centre(shape)] = self.gain * np.eye(shape[-2], shape[-1])
        rolled = self.shift[: len(shape)]
        return np.roll(x, rolled, tuple(range(len(rolled))))


@dataclass(frozen=True)
class dirac(Initializer):
    """A kernel of a convolution that passes its channels on, in each of its groups.

    A kernel ``(*window, in / groups, out)`` has ones at its centre, from the i-th channel of a
    group to the i-th output of that group, and zeros elsewhere.

    Parameters
    ----------
    groups : int, default 1
        The groups of the convolution; they divide the outputs.

    References
    ----------
    .. [1] S. Zagoruyko, N. Komodakis, "DiracNets: Training Very Deep Neural Networks Without
       Skip-Connections", arXiv:1706.00388.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.dirac(groups=2)(np.random.default_rng(0), (3, 1, 2))[1]
    array([[1., 1.]], dtype=float32)
    """

    groups: int = 1

    def __post_init__(self) -> None:
        integers(self, "groups")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        _require_rank(self, shape, "len(shape) >= 3", len(shape) >= 3)
        *_, n_in, n_out = shape
        if n_out % self.groups:
            raise ShapeError(
                f"dirac: groups divides shape[-1]: groups {self.groups}, shape {shape}"
            )
        x = np.zeros(shape)
        if x.size:
            x[_centre(shape)] = np.tile(np.eye(n_in, n_out // self.groups), self.groups)
        return x


def _centre(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n // 2 for n in shape[:-2])


@dataclass(frozen=True)
class sparse(Initializer):
    """A matrix ``(out, in)`` in which most of the weights into each unit are zero.

    ``round(sparsity * in)`` random entries of every row are zero, the others normal.

    Parameters
    ----------
    sparsity : float
        From 0 to 1.
    std : float, default 0.01
        Standard deviation of the entries that are not zero, above 0.

    References
    ----------
    .. [1] J. Martens, "Deep Learning via Hessian-free Optimization", ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.initializers.sparse(0.75)(np.random.default_rng(0), (2, 8))
    >>> np.count_nonzero(w, axis=1)
    array([2, 2])
    """

    sparsity: float
    std: float = 0.01

    def __post_init__(self) -> None:
        probabilities(self, "sparsity")
        positive(self, "std")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        _require_rank(self, shape, "len(shape) == 2", len(shape) == 2)
        n_out, n_in = shape
        x = rng.normal(0.0, self.std, shape)
        order = rng.permuted(np.tile(np.arange(n_in), (n_out, 1)), axis=1)
        return np.where(order < round(self.sparsity * n_in), 0.0, x)
