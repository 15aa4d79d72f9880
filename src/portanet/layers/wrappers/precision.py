"""A layer in another precision than its surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks, trees
from portanet.backends import array_namespace, is_array
from portanet.core import Container
from portanet.errors import DTypeError
from portanet.layers.utility.functions import as_layer
from portanet.parameters.precision import astype


@dataclass(frozen=True)
class AlternatePrecision(Container):
    """A layer that computes in another floating type than its surroundings.

    Input, parameters and states are converted on the way in; the output and the new states are
    converted back. The parameters stay what they were, as mixed precision wants them, and so do
    their gradients.

    Parameters
    ----------
    layer : Layer or callable
        The layer.
    dtype : str
        The type in which it runs: ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``.

    Notes
    -----
    Input: that of `layer`, of one floating dtype. Output: that of `layer`, in the dtype of the
    input. Parameter tree and state tree: ``layer``.

    Raises
    ------
    HyperparameterError
        If `dtype` is none of these.
    DTypeError
        In the call, if the library lacks the dtype, or the input has no floating array.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.AlternatePrecision(lambda x: (print(x.dtype), x)[1], "float16")
    >>> y, _ = model(np.ones(3, np.float32), *pn.setup(0, model))
    float16
    >>> y.dtype
    dtype('float32')
    """

    layer: Any
    dtype: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer", as_layer(self.layer, "AlternatePrecision"))
        checks.one_of(self, "dtype", ("float16", "bfloat16", "float32", "float64"))

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        floats = [leaf for leaf in trees.leaves(x) if _is_floating(leaf)]
        if not floats:
            raise DTypeError("x has a floating array: there is none to take the dtype from")
        state = checks.entry(st, "layer", "st")
        ps = {"layer": astype(checks.entry(ps, "layer"), self.dtype)}
        y, new = self.run("layer", astype(x, self.dtype), ps, {"layer": astype(state, self.dtype)})
        new = trees.map_leaves(
            lambda after, before: astype(after, before.dtype) if _is_floating(before) else after,
            new,
            state,
        )
        return astype(y, floats[0].dtype), {"layer": new}


def _is_floating(leaf: Any) -> bool:
    return is_array(leaf) and array_namespace(leaf).isdtype(leaf.dtype, "real floating")
