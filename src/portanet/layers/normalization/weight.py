"""Weights as a norm and a direction."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, sized_by_input
from portanet.functional import weight_norm
from portanet.functional.normalization.weights import norms
from portanet.layers.normalization._reparametrized import check, output_axis, weights


@sized_by_input()
@dataclass(frozen=True)
class WeightNorm(Layer):
    """A layer whose weights are trained as norms and directions [1]_.

    ``weight = weight_g * weight_v / ‖weight_v‖``, with one norm for each output.

    Parameters
    ----------
    layer : Layer
        The layer that uses the weights; a size of it that is None is that of the input.
    names : str or sequence of str
        Which of its parameters are split so.
    axis : int, optional
        The axis of the outputs: a norm is taken over all others. By default the first one of a
        matrix, the last one of a kernel of `Conv`, the last but one of `ConvTranspose`.

    Notes
    -----
    Input and output: those of `layer`.

    Parameter tree: that of `layer`, where ``weight`` is replaced by ``weight_v``, of its shape, and
    ``weight_g``, of the same shape with size 1 along all axes but that of the outputs. At first
    ``weight`` is what `layer` drew. State tree: that of `layer`.

    The norms are those of the paper, one an output. (Lux's documentation speaks of the norm of the
    whole array, and its layer has one for each index of the last axis.)

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain; from `setup` if `layer` has no such parameter,
        or if the weights of an output are all zero.
    ParameterTreeError, ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the parameters do not fit, or whatever `layer` raises.

    References
    ----------
    .. [1] Salimans and Kingma, "Weight Normalization: A Simple Reparameterization to Accelerate
       Training of Deep Neural Networks", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.WeightNorm(pn.Dense(3, 2))
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> {name: x.shape for name, x in ps.items()}
    {'bias': (2,), 'weight_g': (2, 1), 'weight_v': (2, 3)}
    """

    layer: Layer
    names: Any = ("weight",)
    axis: int | None = None

    def __post_init__(self) -> None:
        check(self)

    @property
    def unresolved(self) -> tuple[str, ...]:
        return self.layer.unresolved

    def with_sizes_of(self, x: Any) -> Layer:
        return dataclasses.replace(self, layer=self.layer.with_sizes_of(x))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        ps = self.layer.initial_parameters(rng)
        split = weights(self, ps)
        new = {name: x for name, x in ps.items() if name not in split}
        for name, v in split.items():
            g = norms(v, output_axis(self, v))
            if not np.all(g > 0):
                checks.refuse(self, f"the norms of {name!r} > 0", float(np.min(g)))
            new |= {f"{name}_g": g, f"{name}_v": v}
        return new

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.layer.initial_states(rng)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.unresolved:
            return call_resolved(self, x, ps, st)
        new = {}
        for name in self.names:
            v, g = checks.entry(ps, f"{name}_v"), checks.entry(ps, f"{name}_g")
            checks.floating(f'ps["{name}_v"]', v)
            axis = output_axis(self, v)
            shape = tuple(n if i == axis else 1 for i, n in enumerate(v.shape))
            checks.shape_of(f'ps["{name}_g"]', g, shape, "one norm an output")
            checks.alike("ps", f"{name}_g", g, f"{name}_v", v)
            new[name] = weight_norm(v, g, axis=axis)
        used = {f"{name}_{part}" for name in self.names for part in "gv"}
        new |= {name: x for name, x in ps.items() if name not in used}
        return self.layer(x, new, st)
