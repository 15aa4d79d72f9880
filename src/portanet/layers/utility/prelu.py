"""A rectifier that learns its slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.functional import prelu
from portanet.initializers import constant


@sized_by_input(features=last_size)
@dataclass(frozen=True)
class PReLU(Layer):
    """A rectifier that learns its slope on the negative side [1]_.

    ``y = max(0, x) + slope * min(0, x)``

    Parameters
    ----------
    features : int
        With 1 there is one slope for all channels, otherwise one for each: the size of the last
        axis. With None it is that of the input.
    init_slope : initializer, optional
        By default 0.25 throughout.

    Notes
    -----
    Input and output: real floating array of shape (..., features), or of any shape with one slope.
    The derivative at 0 is the slope.

    Parameter tree: ``slope`` (features,). State tree: empty. A decay of weights should leave the
    slopes out [1]_: see `portanet.optimizers.Masked`.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the slopes.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers: Surpassing Human-Level
       Performance on ImageNet Classification", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.PReLU()
    >>> ps, st = pn.setup(0, model)
    >>> model(np.asarray([-2.0, 4.0], np.float32), ps, st)[0]
    array([-0.5,  4. ], dtype=float32)
    """

    features: checks.Size = 1
    _: KW_ONLY
    init_slope: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.optional_integers(self, "features")
        checks.optional_functions(self, "init_slope")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        slope = self.init_slope or constant(0.25)
        return {"slope": slope(rng, (self.features,))}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.features is None:
            return call_resolved(self, x, ps, st)
        if self.features > 1:
            checks.last_axis("x", x, self.features, "features")
        slope = checks.member(ps, "slope", (self.features,), "(features,)")
        checks.same_kind("x", x, 'ps["slope"]', slope)
        return prelu(x, slope), st
