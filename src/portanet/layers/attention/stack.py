"""Equal layers in a row, given the same masks and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.layers.containers.described import Described


@dataclass(frozen=True)
class TransformerStack(Described):
    """Equal layers in a row, each with its own parameters, all given the same masks and memory.

    Parameters
    ----------
    layer : Layer
        A `TransformerEncoderLayer`, `TransformerDecoderLayer`, or another layer whose input is an
        array or a tuple that begins with one, and whose output is an array.
    depth : int
        How many there are.
    norm : Layer, optional
        Applied to the last output; layers with their norm first need one.
    replaced : mapping of str to Layer, optional
        Layers in the place of some of them, by their names.

    Notes
    -----
    Input: as for the layer; what follows the first array of a tuple goes to each of them.

    Parameters and states: ``layer_1``, ``layer_2``, …, and ``norm`` if there is one.

    Raises
    ------
    HyperparameterError
        If `layer` or `norm` is no layer, or `depth` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.TransformerStack(pn.TransformerEncoderLayer(8, 2), 3, norm=pn.LayerNorm(8))
    >>> ps, st = pn.setup(0, model)
    >>> model(np.ones((3, 5, 8), np.float32), ps, st)[0].shape
    (3, 5, 8)
    """

    layer: Layer
    depth: int
    _: KW_ONLY
    norm: Layer | None = None
    replaced: Mapping[str, Layer] | None = None

    def __post_init__(self) -> None:
        checks.integers(self, "depth")
        for name in ("layer", "norm"):
            value = getattr(self, name)
            if not (isinstance(value, Layer) or (name == "norm" and value is None)):
                checks.refuse(self, f"{name} is a layer", value)
        self._check_replaced()

    def described(self) -> dict[str, Layer]:
        layers: dict[str, Layer] = {f"layer_{i}": self.layer for i in range(1, self.depth + 1)}
        return layers if self.norm is None else {**layers, "norm": self.norm}

    @property
    def takes_mask(self) -> bool:
        return self.layer.takes_mask

    def masked_input(self, x: Any, mask: Any) -> Any:
        return self.layer.masked_input(x, mask)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if isinstance(x, tuple | list) and not x:
            raise ShapeError("x is an array, or a tuple that begins with it: got an empty one")
        x, *others = x if isinstance(x, tuple | list) else (x,)
        states = {}
        for name in self._children:
            given = (x, *others) if others and name != "norm" else x
            x, states[name] = self.run(name, given, ps, st)
        return x, states
