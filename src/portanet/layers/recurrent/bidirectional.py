"""Two recurrent cells along a sequence, one from either end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet import checks
from portanet.core import Container, Layer
from portanet.interface import array_namespace
from portanet.layers.containers.described import Described
from portanet.layers.recurrent._input import carries, input_parts
from portanet.layers.recurrent.recurrence import Recurrence


@dataclass(frozen=True)
class BidirectionalRNN(Described):
    """A recurrent cell from the start of a sequence and another one from its end [1]_.

    Parameters
    ----------
    cell : Layer
        The cell that reads forward, as in `Recurrence`.
    backward_cell : Layer, optional
        The one that reads backward: by default one like `cell`, with parameters of its own.
    merge : {"concat"} or callable or None
        How two outputs become one: next to each other along the features, by a function of both,
        or None for their tuple.
    return_sequence : bool
        Whether the outputs of all steps are returned, and not those of each cell's last one.
    return_carry : bool
        Whether the pair of carries is returned as well.
    time_first : bool
        Whether the sequence runs along the first axis, and not along the one before the features.
    replaced : mapping of str to Layer, optional
        Layers in the place of those described here, by their names.

    Notes
    -----
    Input: as of `Recurrence`, where a carry is the pair of both cells' carries. Output:
    (N, L, features), or without `return_sequence` (N, features), with the features of both cells
    together when they are concatenated.

    Parameters and states: ``forward_rnn`` and ``backward_rnn``, each with ``cell``.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError, ArgumentError
        In the call, as of `Recurrence`.

    References
    ----------
    .. [1] Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Transactions on
       Signal Processing 45, 1997.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.BidirectionalRNN(pn.GRUCell(3, 5))
    >>> ps, st = pn.setup(0, model)
    >>> y, st = model(np.ones((2, 7, 3), np.float32), ps, st)
    >>> y.shape
    (2, 7, 10)
    """

    cell: Layer
    backward_cell: Layer | None = None
    _: KW_ONLY
    merge: str | Callable[[Any, Any], Any] | None = "concat"
    return_sequence: bool = True
    return_carry: bool = False
    time_first: bool = False
    replaced: Mapping[str, Layer] | None = None

    def __post_init__(self) -> None:
        for name in ("cell", "backward_cell"):
            cell = getattr(self, name)
            if not (isinstance(cell, Layer) or (cell is None and name == "backward_cell")):
                checks.refuse(self, f"{name} is a layer", cell)
        named = isinstance(self.merge, str) and self.merge == "concat"
        joins = not isinstance(self.merge, type) and checks.takes(self.merge, 2)
        if not (self.merge is None or named or joins):
            checks.refuse(self, "merge is 'concat', a function of two arrays or None", self.merge)
        checks.flags(self, "return_sequence", "return_carry", "time_first")
        self._check_replaced()

    def described(self) -> dict[str, Layer]:
        options = {
            "return_sequence": self.return_sequence,
            "return_carry": True,
            "time_first": self.time_first,
        }
        backward = self.backward_cell or self.cell
        return {
            "forward_rnn": Recurrence(self.cell, **options),
            "backward_rnn": Recurrence(backward, reverse=True, **options),
        }

    def redescribed(self, children: Mapping[str, Layer]) -> Container | None:
        forward, backward = (getattr(layer, "cell", None) for layer in children.values())
        if forward is None or backward is None:
            return None
        backward = None if backward == forward else backward
        return dataclasses.replace(self, cell=forward, backward_cell=backward, replaced=None)

    @property
    def takes_mask(self) -> bool:
        return True

    def masked_input(self, x: Any, mask: Any) -> Any:
        return x, None, mask

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, carry, mask = input_parts(x)
        outputs, ends, states = [], [], {}
        for name, start in zip(("forward_rnn", "backward_rnn"), carries(carry, 2), strict=True):
            (y, end), states[name] = self.run(name, (x, start, mask), ps, st)
            outputs.append(y)
            ends.append(end)
        if self.merge is None:
            merged = tuple(outputs)
        elif self.merge == "concat":
            merged = array_namespace(*outputs).concat(outputs, axis=-1)
        else:
            merged = self.merge(*outputs)  # pyright: ignore[reportCallIssue]
        return (merged, tuple(ends)) if self.return_carry else merged, states
