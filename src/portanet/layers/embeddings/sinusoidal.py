"""Positions as waves."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.functional.half import in_float32
from portanet.interface import array_namespace
from portanet.layers.embeddings._positions import check_even


@dataclass(frozen=True)
class SinusoidalPositionalEmbedding(Layer):
    """Sines and cosines of numbers, such as positions or times, in waves of many lengths [1]_.

    ``scale * [sin(x * σ_1), …, sin(x * σ_k), cos(x * σ_1), …, cos(x * σ_k)]``, where ``k`` is half
    of `features` and the frequencies σ run from `max_freq` down to `min_freq` in equal ratios.

    Parameters
    ----------
    features : int
        The size of the last axis of the output, an even number.
    min_freq, max_freq : float
        The lowest and the highest frequency.
    scale : float, optional
        By default ``√(2 / features)``, which makes every output a vector of length 1.
    full_turns : bool
        Whether frequencies count turns: they are multiplied by 2π.

    Notes
    -----
    Input: real floating array of any shape. Output: ``(*x.shape, features)``.

    Parameter tree: empty. State tree: ``frequencies`` (features // 2,).

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the states.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.SinusoidalPositionalEmbedding(4, scale=1.0)
    >>> y, _ = model(np.asarray([0.0, 1.0], np.float32), *pn.setup(0, model))
    >>> print(np.round(y, 2))
    [[0.   0.   1.   1.  ]
     [0.84 0.   0.54 1.  ]]
    """

    features: int
    _: KW_ONLY
    min_freq: float = 1e-4
    max_freq: float = 1.0
    scale: float | None = None
    full_turns: bool = False

    def __post_init__(self) -> None:
        check_even(self)
        checks.positive(self, "min_freq", "max_freq")
        if self.scale is not None:
            checks.positive(self, "scale")
        checks.flags(self, "full_turns")

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        turn = 2 * math.pi if self.full_turns else 1.0
        waves = turn * np.geomspace(float(self.max_freq), float(self.min_freq), self.features // 2)
        return {"frequencies": waves.astype(np.float32)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        shape = (self.features // 2,)
        waves = checks.member(st, "frequencies", shape, "(features // 2,)", "st")
        checks.same_kind("x", x, "frequencies", waves)
        scale = math.sqrt(2 / self.features) if self.scale is None else self.scale
        return _sines(x, waves, scale), st

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        return (*input_shape, self.features)


@in_float32
def _sines(x: Any, waves: Any, scale: float) -> Any:
    xp = array_namespace(x, waves)
    angles = xp.expand_dims(x, axis=-1) * waves
    return xp.concat((xp.sin(angles), xp.cos(angles)), axis=-1) * scale
