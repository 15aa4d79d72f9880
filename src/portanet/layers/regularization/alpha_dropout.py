"""Dropout for self-normalising networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.functional import alpha_dropout
from portanet.layers.regularization._keys import initial_key, key_of


@dataclass(frozen=True)
class AlphaDropout(Layer):
    """Dropout that keeps mean 0 and variance 1, for networks of `selu` [1]_.

    In training mode entries become the limit of `selu` at minus infinity with probability `p`,
    and an affine map restores the moments; see `portanet.functional.alpha_dropout`. ``y = x`` in
    test mode.

    Parameters
    ----------
    p : float
        The probability with which an entry is dropped, between 0 and 1. With 1 all is zero.

    Notes
    -----
    Input and output: real floating array of any shape.

    Parameter tree: empty. State tree: ``key``, a `portanet.random.Key`, and ``training``, as for
    `Dropout`.

    Raises
    ------
    HyperparameterError
        If `p` is not between 0 and 1.
    DTypeError
        In the call, if the input is not real floating.
    ParameterTreeError
        In the call, if the states hold no key.

    References
    ----------
    .. [1] Klambauer, Unterthiner, Mayr and Hochreiter, "Self-Normalizing Neural Networks",
       NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.AlphaDropout(0.5)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> y, st = model(np.random.default_rng(1).normal(size=10_000), ps, st)
    >>> bool(abs(y.mean()) < 0.05), bool(abs(y.std() - 1) < 0.05)
    (True, True)
    """

    p: float

    def __post_init__(self) -> None:
        checks.probabilities(self, "p")

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return initial_key(rng)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.real_floating("x", x)
        if not checks.flag(st, "training") or self.p == 0:
            return x, st
        key, now = key_of(st).split()
        return alpha_dropout(x, self.p, now), {**st, "key": key}
