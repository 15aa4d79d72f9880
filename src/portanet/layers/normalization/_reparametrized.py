"""What the layers share that rewrite the weights of another."""

from __future__ import annotations

from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.core.lazy import refuse_unresolved
from portanet.errors import HyperparameterError
from portanet.layers.linear.bilinear import Bilinear
from portanet.layers.spatial.transposed_convolution import ConvTranspose


def check(owner: Any) -> None:
    """Check the fields `layer`, `names` and `axis`; `names` becomes a tuple."""
    if not isinstance(owner.layer, Layer):
        checks.refuse(owner, "layer is a layer", owner.layer)
    names = (owner.names,) if isinstance(owner.names, str) else owner.names
    given = isinstance(names, list | tuple) and bool(names)
    if not given or not all(isinstance(name, str) for name in names):
        checks.refuse(owner, "names is a string or a sequence of strings", owner.names)
    object.__setattr__(owner, "names", tuple(names))
    if owner.axis is not None:
        checks.integers(owner, "axis", minimum=None)


def weights(owner: Any, ps: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the inner layer that are rewritten."""
    refuse_unresolved((), ps)
    for name in owner.names:
        if not hasattr(ps.get(name), "shape"):
            arrays = ", ".join(repr(key) for key, x in ps.items() if hasattr(x, "shape"))
            raise HyperparameterError(
                f"{type(owner).__name__}: {owner.layer!r} has a parameter {name!r}: it has "
                f"{arrays or 'no arrays'}"
            )
    return {name: ps[name] for name in owner.names}


def output_axis(owner: Any, weight: Any) -> int:
    """Return the axis that counts the outputs of a weight, from 0 up.

    That is the first of a matrix, the last of a kernel ``(*window, in, out)``, and the last but
    one of a kernel of a transposed convolution.
    """
    axis = owner.axis
    if axis is None and isinstance(owner.layer, ConvTranspose):
        axis = -2 if weight.ndim > 2 else 0
    elif axis is None:
        axis = 0 if weight.ndim <= 2 or isinstance(owner.layer, Bilinear) else -1
    if not -weight.ndim <= axis < weight.ndim:
        checks.refuse(owner, f"-{weight.ndim} <= axis < {weight.ndim}", axis)
    return axis % weight.ndim
