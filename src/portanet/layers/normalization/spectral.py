"""Weights divided by their largest singular value."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, sized_by_input
from portanet.functional import spectral_norm
from portanet.layers.normalization._reparametrized import check, output_axis, weights
from portanet.random import replicate


@sized_by_input()
@dataclass(frozen=True)
class SpectralNorm(Layer):
    """A layer whose weights are divided by their largest singular value [1]_.

    In training mode each call moves an estimate of the singular vectors on by a power iteration;
    in test mode the estimate rests. The vectors are constants for derivatives.

    Parameters
    ----------
    layer : Layer
        The layer that uses the weights; a size of it that is None is that of the input.
    names : str or sequence of str
        Which of its parameters are divided.
    axis : int, optional
        The axis of the outputs, which become the rows of a matrix. By default the first one of a
        matrix, the last one of a kernel of `Conv`, the last but one of `ConvTranspose`.
    iterations : int
        Steps of the power iteration in each call.
    epsilon : float
        The least norm by which a vector is divided.

    Notes
    -----
    Input and output: those of `layer`.

    Parameter tree: that of `layer`. State tree: ``layer``, its states; for each weight
    ``weight_u`` of shape (outputs,) and ``weight_v`` of shape (size / outputs,), at first random
    vectors of norm 1; and ``training``. The estimate needs some calls in training mode before it
    is good.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain; from `setup` if `layer` has no such parameter.
    ParameterTreeError, ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the parameters or states do not fit, or whatever `layer` raises.

    References
    ----------
    .. [1] Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for Generative Adversarial
       Networks", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.SpectralNorm(pn.Dense(2, 2, use_bias=False), iterations=100)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> y, st = model(np.eye(2, dtype=np.float32), ps, st)
    >>> print(round(float(np.linalg.norm(y, 2)), 5))
    1.0
    """

    layer: Layer
    names: Any = ("weight",)
    axis: int | None = None
    _: KW_ONLY
    iterations: int = 1
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        check(self)
        checks.integers(self, "iterations")
        checks.positive(self, "epsilon")

    @property
    def unresolved(self) -> tuple[str, ...]:
        return self.layer.unresolved

    def with_sizes_of(self, x: Any) -> Layer:
        return dataclasses.replace(self, layer=self.layer.with_sizes_of(x))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        ps = self.layer.initial_parameters(rng)
        weights(self, ps)
        return ps

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        shapes = weights(self, self.layer.initial_parameters(replicate(rng)))
        st: dict[str, Any] = {"layer": self.layer.initial_states(rng)}
        for name, weight in shapes.items():
            outputs = weight.shape[output_axis(self, weight)]
            st[f"{name}_u"] = _unit_vector(rng, outputs)
            st[f"{name}_v"] = _unit_vector(rng, weight.size // outputs)
        return {**st, "training": True}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.unresolved:
            return call_resolved(self, x, ps, st)
        iterations = self.iterations if checks.flag(st, "training") else 0
        new, vectors = {}, {}
        for name in self.names:
            weight = checks.entry(ps, name)
            checks.real_floating(f'ps["{name}"]', weight)
            axis = output_axis(self, weight)
            outputs = weight.shape[axis]
            u = checks.member(st, f"{name}_u", (outputs,), "(outputs,)", "st")
            others = math.prod(weight.shape) // max(outputs, 1)
            v = checks.member(st, f"{name}_v", (others,), "(size / outputs,)", "st")
            checks.same_kind(f'st["{name}_u"]', u, f'ps["{name}"]', weight)
            checks.alike("st", f"{name}_v", v, f"{name}_u", u)
            new[name], vectors[f"{name}_u"], vectors[f"{name}_v"] = spectral_norm(
                weight, u, v, iterations=iterations, axis=axis, epsilon=self.epsilon
            )
        y, inner = self.layer(x, {**ps, **new}, checks.entry(st, "layer", "st"))
        return y, {**st, **vectors, "layer": inner}


def _unit_vector(rng: np.random.Generator, n: int) -> np.ndarray:
    x = rng.normal(size=n)
    return (x / np.linalg.norm(x)).astype(np.float32)
