"""Layers that drop entries at random while training."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.functional import dropout
from portanet.layers.regularization._keys import initial_key, key_of


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout: entries are set to zero with probability `p` while training [1]_.

    ``y = x * mask / (1 - p)`` in training mode, with a mask of zeros and ones; ``y = x`` in test
    mode.

    Parameters
    ----------
    p : float
        The probability with which an entry is dropped, between 0 and 1.
    axes : int or tuple of int, optional
        The axes along which the mask varies; along the others entries are dropped together. By
        default it varies along all.

    Notes
    -----
    Input and output: floating array of any shape.

    Parameter tree: empty. State tree: ``key``, a `portanet.random.Key`, and ``training``. The
    same input and states give the same output; the returned states hold the next key. The mask is
    a constant for derivatives.

    Raises
    ------
    HyperparameterError
        If `p` is not between 0 and 1, or an axis is not an integer.
    ShapeError
        In the call, if the input does not have one of the axes.
    DTypeError
        In the call, if the input is not floating.
    ParameterTreeError
        In the call, if the states hold no key.

    References
    ----------
    .. [1] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: A Simple Way to
       Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Dropout(0.5)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> x = np.ones((2, 1000), np.float32)
    >>> y, st = model(x, ps, st)
    >>> np.unique(y)
    array([0., 2.], dtype=float32)
    >>> bool(np.all(model(x, ps, pn.test_mode(st))[0] == x))
    True
    """

    p: float
    _: KW_ONLY
    axes: checks.Sizes | None = None

    def __post_init__(self) -> None:
        checks.probabilities(self, "p")
        if self.axes is not None:
            checks.sizes(self, "axes", minimum=None)

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return initial_key(rng)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.floating("x", x)
        _check_axes(x, self.axes)
        if not checks.flag(st, "training") or self.p == 0:
            return x, st
        key, now = key_of(st).split()
        return dropout(x, self.p, now, axes=self.axes), {**st, "key": key}


@dataclass(frozen=True)
class DropPath(Layer):
    """Stochastic depth: whole samples are set to zero with probability `p` while training [1]_.

    ``y = x * mask / (1 - p)`` in training mode, with one zero or one for each sample; ``y = x`` in
    test mode. At the end of a residual branch it leaves the branch out.

    Parameters
    ----------
    p : float
        The probability with which a sample is dropped, between 0 and 1.

    Notes
    -----
    Input and output: floating array of shape (N, ...).

    Parameter tree: empty. State tree: ``key``, a `portanet.random.Key`, and ``training``, as for
    `Dropout`.

    Raises
    ------
    HyperparameterError
        If `p` is not between 0 and 1.
    ShapeError, DTypeError
        In the call, if the input has no axes or is not floating.
    ParameterTreeError
        In the call, if the states hold no key.

    References
    ----------
    .. [1] Huang, Sun, Liu, Sedra and Weinberger, "Deep Networks with Stochastic Depth", ECCV 2016.

    Examples
    --------
    >>> import operator
    >>> import numpy as np
    >>> import portanet as pn
    >>> branch = pn.Chain(pn.Dense(3, 3), pn.DropPath(0.2))
    >>> model = pn.SkipConnection(branch, operator.add)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> x = np.ones((100, 3), np.float32)
    >>> y, st = model(x, ps, st)
    >>> bool(10 <= np.sum(np.all(y == x, axis=1)) <= 30)
    True
    """

    p: float

    def __post_init__(self) -> None:
        checks.probabilities(self, "p")

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return initial_key(rng)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.floating("x", x)
        checks.rank_at_least("x", x, 1)
        if not checks.flag(st, "training") or self.p == 0:
            return x, st
        key, now = key_of(st).split()
        return dropout(x, self.p, now, axes=(0,)), {**st, "key": key}


@dataclass(frozen=True)
class VariationalHiddenDropout(Layer):
    """Dropout whose mask stays the same from call to call, as between the steps of a cell [1]_.

    ``y = x * mask / (1 - p)`` in training mode; ``y = x`` in test mode.

    Parameters
    ----------
    p : float
        The probability with which an entry is dropped, between 0 and 1.
    axes : int or tuple of int, optional
        The axes along which the mask varies; along the others entries are dropped together. By
        default it varies along all.

    Notes
    -----
    Input and output: floating array of any shape.

    Parameter tree: empty. State tree: ``key``, a `portanet.random.Key`, from which the mask is
    drawn anew in each call, for the shape at hand; ``update_mask``; and ``training``. For another
    mask: ``st = pn.update_state(st, "update_mask", True)``; the next call in training mode moves to
    the next key and sets ``update_mask`` back. So the states keep their structure.

    Raises
    ------
    HyperparameterError
        If `p` is not between 0 and 1, or an axis is not an integer.
    ShapeError, DTypeError
        In the call, if the input does not have one of the axes or is not floating.
    ParameterTreeError
        In the call, if the states do not hold a key.

    References
    ----------
    .. [1] Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
       Networks", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.VariationalHiddenDropout(0.5)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> x = np.ones((2, 1000), np.float32)
    >>> y, st = model(x, ps, st)
    >>> bool(np.all(model(x, ps, st)[0] == y))
    True
    >>> st = pn.update_state(st, "update_mask", True)
    >>> bool(np.all(model(x, ps, st)[0] == y))
    False
    """

    p: float
    _: KW_ONLY
    axes: checks.Sizes | None = None

    def __post_init__(self) -> None:
        checks.probabilities(self, "p")
        if self.axes is not None:
            checks.sizes(self, "axes", minimum=None)

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return {**initial_key(rng), "update_mask": False}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.floating("x", x)
        _check_axes(x, self.axes)
        if not checks.flag(st, "training") or self.p == 0:
            return x, st
        key = key_of(st)
        if checks.flag(st, "update_mask"):
            key = key.split(1)[0]
            st = {**st, "key": key, "update_mask": False}
        return dropout(x, self.p, key, axes=self.axes), st


def _check_axes(x: Any, axes: tuple[int, ...] | None) -> None:
    for axis in axes or ():
        checks.axis_of("x", x, axis)
