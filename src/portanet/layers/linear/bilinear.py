"""A layer that is linear in each of two inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.errors import ShapeError
from portanet.functional import bilinear, identity
from portanet.layers._weights import bias_of, symmetric


def _pair(x: Any) -> tuple[Any, Any]:
    inputs = x if isinstance(x, tuple) else (x, x)
    if len(inputs) != 2:
        raise ShapeError(
            f"len(x) == 2: {len(inputs)} != 2: a tuple (x1, x2), or one array for both"
        )
    return inputs


@sized_by_input(in_features=lambda x: tuple(map(last_size, _pair(x))))
@dataclass(frozen=True)
class Bilinear(Layer):
    """A bilinear layer: ``y_k = activation(x1ᵀ W_k x2 + b_k)``.

    Parameters
    ----------
    in_features : tuple of two int, or int
        Sizes of the last axes of the two inputs. One integer stands for two equal sizes. With
        None they are those of the inputs, see `portanet.resolve`.
    out_features : int
        Size of the last axis of the output.
    activation : callable
        Applied to the result.
    use_bias : bool
        Whether there is a bias.
    init_weight, init_bias : initializer, optional
        By default uniform in ``± 1 / √in1``.

    Notes
    -----
    Input: a tuple of arrays (..., in1) and (..., in2) whose leading axes agree, or one array that
    is used twice. Output: (..., out_features).

    Parameter tree: ``weight`` (out_features, in1, in2) and, with a bias, ``bias``
    (out_features,). State tree: empty.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer, or a function cannot be called.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the inputs do not fit each other or the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Bilinear((2, 3), 4)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> x1, x2 = np.ones((5, 2), np.float32), np.ones((5, 3), np.float32)
    >>> model((x1, x2), ps, st)[0].shape
    (5, 4)
    """

    in_features: checks.Sizes
    out_features: int
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    use_bias: bool = True
    init_weight: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.optional_sizes(self, "in_features")
        sizes = self.in_features
        if sizes is not None and len(sizes) == 1:
            object.__setattr__(self, "in_features", sizes * 2)
        elif sizes is not None and len(sizes) != 2:
            checks.refuse(self, "in_features has one or two sizes", sizes)
        checks.integers(self, "out_features")
        checks.functions(self, "activation")
        checks.flags(self, "use_bias")
        checks.optional_functions(self, "init_weight", "init_bias")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        default = symmetric(self.in_features[0])
        shape = (self.out_features, *self.in_features)
        parameters = {"weight": (self.init_weight or default)(rng, shape)}
        if self.use_bias:
            parameters["bias"] = (self.init_bias or default)(rng, (self.out_features,))
        return parameters

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.in_features is None:
            return call_resolved(self, x, ps, st)
        x1, x2 = _pair(x)
        in1, in2 = self.in_features
        shape = self.out_features, in1, in2
        weight = checks.member(ps, "weight", shape, "(out_features, in1, in2)")
        bias = bias_of(self, ps, weight, (self.out_features,), "(out_features,)")
        checks.last_axis("x1", x1, in1, "in1")
        checks.last_axis("x2", x2, in2, "in2")
        if x1.shape[:-1] != x2.shape[:-1]:
            raise ShapeError(
                f"x1.shape[:-1] == x2.shape[:-1]: {tuple(x1.shape[:-1])} != {tuple(x2.shape[:-1])}"
            )
        checks.same_kind("x1", x1, "weight", weight)
        checks.same_kind("x2", x2, "weight", weight)
        return self.activation(bilinear(x1, x2, weight, bias)), st
