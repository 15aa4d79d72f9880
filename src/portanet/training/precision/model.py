"""A model that computes in 16 bits on parameters of 32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from portanet import checks, trees
from portanet.core import Layer
from portanet.layers.wrappers.precision import Precision, is_floating, wide_paths


@final
@dataclass(frozen=True)
class MixedPrecision(Layer):
    """The model of a training state that `mixed_precision` made.

    The parameter tree is that of `layer`. The state tree has that of `layer` under ``"model"`` and,
    where gradients are scaled, ``scale``, ``clean_steps`` and ``finite`` under ``"loss_scale"``.

    Parameters
    ----------
    layer : Layer or callable
        The model itself, with its parameters in float32 or wider.
    dtype : str
        ``"float16"`` or ``"bfloat16"``: what it computes in. Its output is in the dtype of the
        parameters, or of its input if it has none.
    growth_interval : int, optional
        After how many steps without an overflow the scale is doubled. None is without a scale.
    """

    layer: Any
    dtype: str
    growth_interval: int | None = None

    def __post_init__(self) -> None:
        checks.functions(self, "layer")
        checks.one_of(self, "dtype", ("float16", "bfloat16"))
        checks.optional_integers(self, "growth_interval")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.layer.initial_parameters(rng)

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"model": self.layer.initial_states(rng)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        state = checks.entry(st, "model", "st")
        floats = [leaf.dtype for leaf in trees.leaves((ps, x)) if is_floating(leaf)]
        outside = floats[0] if floats else "float32"
        run = Precision(self.dtype, outside, wide_paths(self.layer))
        y, state = run(self.layer, x, ps, state)
        return y, {**st, "model": state}
