"""Recurrent cells on top of each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet import checks
from portanet.core import Container, Layer
from portanet.layers.containers.described import Described
from portanet.layers.recurrent._input import carries, input_parts
from portanet.layers.recurrent.bidirectional import BidirectionalRNN
from portanet.layers.recurrent.recurrence import Recurrence
from portanet.layers.regularization.dropout import Dropout


@dataclass(frozen=True)
class StackedRecurrence(Described):
    """Recurrent cells on top of each other: each reads the sequence of outputs of the one below.

    Parameters
    ----------
    cells : sequence of Layer
        From the input upwards, as in `Recurrence`.
    dropout : float
        The probability with which an output between two cells is dropped in training.
    bidirectional : bool
        Whether each cell is used from both ends, as in `BidirectionalRNN`: the cells above the
        first one get twice the features.
    return_sequence, return_carry, time_first : bool
        As in `Recurrence`. The carry is the tuple of the cells' carries.
    replaced : mapping of str to Layer, optional
        Layers in the place of those described here, by their names.

    Notes
    -----
    Input: as of `Recurrence`. Output: that of the last cell.

    Parameters and states: ``layer_1``, ``layer_2``, …, each as a `Recurrence` or a
    `BidirectionalRNN`; with dropout also the states ``dropout_1``, ….

    Raises
    ------
    HyperparameterError
        If there is no cell, or a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError, ArgumentError
        In the call, as of `Recurrence`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.StackedRecurrence([pn.LSTMCell(3, 5), pn.LSTMCell(5, 4)], dropout=0.1)
    >>> ps, st = pn.setup(0, model)
    >>> y, st = model(np.ones((2, 7, 3), np.float32), ps, st)
    >>> y.shape
    (2, 4)
    """

    cells: Sequence[Layer]
    _: KW_ONLY
    dropout: float = 0.0
    bidirectional: bool = False
    return_sequence: bool = False
    return_carry: bool = False
    time_first: bool = False
    replaced: Mapping[str, Layer] | None = None

    def __post_init__(self) -> None:
        cells = self.cells
        if not isinstance(cells, list | tuple) or not cells:
            checks.refuse(self, "cells is a sequence of at least one layer", cells)
        for i, cell in enumerate(cells):
            if not isinstance(cell, Layer):
                checks.refuse(self, f"cells[{i}] is a layer", cell)
        object.__setattr__(self, "cells", tuple(cells))
        checks.probabilities(self, "dropout")
        checks.flags(self, "bidirectional", "return_sequence", "return_carry", "time_first")
        self._check_replaced()

    def described(self) -> dict[str, Layer]:
        kind = BidirectionalRNN if self.bidirectional else Recurrence
        layers: dict[str, Layer] = {}
        for i, cell in enumerate(self.cells, start=1):
            last = i == len(self.cells)
            layers[f"layer_{i}"] = kind(
                cell,
                return_sequence=self.return_sequence or not last,
                return_carry=True,
                time_first=self.time_first,
            )
            if self.dropout and not last:
                layers[f"dropout_{i}"] = Dropout(self.dropout)
        return layers

    def redescribed(self, children: Mapping[str, Layer]) -> Container | None:
        layers = [layer for name, layer in children.items() if name.startswith("layer_")]
        cells = [layer.cell for layer in layers if isinstance(layer, Recurrence | BidirectionalRNN)]
        if len(cells) != len(self.cells):
            return None
        return dataclasses.replace(self, cells=cells, replaced=None)

    @property
    def takes_mask(self) -> bool:
        return True

    def masked_input(self, x: Any, mask: Any) -> Any:
        return x, None, mask

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        y, carry, mask = input_parts(x)
        ends, states = [], {}
        starts = iter(carries(carry, len(self.cells)))
        for name in self._children:
            if name.startswith("dropout_"):
                y, states[name] = self.run(name, y, ps, st)
            else:
                (y, end), states[name] = self.run(name, (y, next(starts), mask), ps, st)
                ends.append(end)
        return (y, tuple(ends)) if self.return_carry else y, states
