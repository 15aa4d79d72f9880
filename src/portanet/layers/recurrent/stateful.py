"""A recurrent cell that keeps its carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Container, Layer


@dataclass(frozen=True)
class StatefulRecurrentCell(Container):
    """A recurrent cell whose carry is part of its state: each call is the next step.

    Parameters
    ----------
    cell : Layer
        As in `Recurrence`.

    Notes
    -----
    Input: what the cell takes for one step. Output: what it returns, without the carry.

    Parameters: ``cell``. States: ``cell`` and ``carry``, which is None until the first call.
    ``pn.update_state(st, "carry", None)`` begins a new sequence.

    Raises
    ------
    HyperparameterError
        If `cell` is no layer.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.StatefulRecurrentCell(pn.RNNCell(3, 5)), pn.Dense(5, 1))
    >>> ps, st = pn.setup(0, model)
    >>> for x in np.ones((7, 2, 3), np.float32):
    ...     y, st = model(x, ps, st)
    >>> y.shape, st["layer_1"]["carry"][0].shape
    ((2, 1), (2, 5))
    >>> st = pn.update_state(st, "carry", None)
    """

    cell: Layer

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Layer):
            checks.refuse(self, "cell is a layer", self.cell)

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return {**super().initial_states(rng), "carry": None}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        carry = checks.entry(st, "carry", "st")
        (y, carry), state = self.run("cell", x if carry is None else (x, carry), ps, st)
        return y, {"cell": state, "carry": carry}
