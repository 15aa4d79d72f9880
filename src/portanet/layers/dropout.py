"""Layers that drop entries at random while training."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.errors import ParameterTreeError, ShapeError
from portanet.functional import dropout
from portanet.random import Key


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
        return {"key": Key.from_generator(rng), "training": True}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.floating("x", x)
        for axis in self.axes or ():
            if not -x.ndim <= axis < x.ndim:
                raise ShapeError(f"-x.ndim <= axis < x.ndim: axis {axis}, x.ndim {x.ndim}")
        if not checks.entry(st, "training", "st") or self.p == 0:
            return x, st
        key = checks.entry(st, "key", "st")
        if not isinstance(key, Key):
            raise ParameterTreeError(
                f'st["key"] is a portanet.random.Key: got a {type(key).__name__}: make one with '
                "pn.random.key(seed)"
            )
        key, now = key.split()
        return dropout(x, self.p, now, axes=self.axes), {**st, "key": key}
