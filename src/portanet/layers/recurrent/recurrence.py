"""A recurrent cell along a sequence."""

from __future__ import annotations

import dataclasses
from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet import checks
from portanet.control import scan
from portanet.core import Container, Layer, met
from portanet.errors import ArgumentError, DTypeError, ShapeError
from portanet.interface import array_namespace
from portanet.layers.recurrent._cell import RecurrentCell
from portanet.layers.recurrent._input import input_parts


@dataclass(frozen=True)
class Recurrence(Container):
    """A recurrent cell, called for each entry of a sequence with the carry of the one before.

    Parameters
    ----------
    cell : Layer
        An `RNNCell`, `LSTMCell` or `GRUCell`; or any layer that takes an input, or a tuple of an
        input and a carry, and returns the pair of an output and a carry.
    return_sequence : bool
        Whether the outputs of all steps are returned, and not that of the last one.
    return_carry : bool
        Whether the carry after the last step is returned as well.
    time_first : bool
        Whether the sequence runs along the first axis, and not along the one before the features.
    reverse : bool
        Whether the sequence is read from its end. Outputs stay at the places of their inputs.

    Notes
    -----
    Input: floating array of shape (N, L, in_features), or (L, N, in_features) with `time_first`,
    where N may be missing; or a tuple ``(x, carry)`` or ``(x, carry, mask)``. The carry is what
    the cell starts from, None for its own start. The mask, boolean of shape (N, L) or (L, N), is
    False where a sequence is padded: there the carry stays as it is, and the outputs of the
    sequence are zero.

    Output: (N, out_features), or (N, L, out_features) with `return_sequence`, in the order of the
    input's axes; with `return_carry` the pair of it and the carry.

    The products of all inputs with ``weight_ih`` are computed as one. The steps are a
    `portanet.scan`: `portanet.jit` records one of them.

    Parameters and states: ``cell``.

    Raises
    ------
    ShapeError
        If the sequence is empty, or an array does not fit.
    DTypeError, DeviceError, BackendMismatchError
        In the call, if an array does not fit the parameters.
    ArgumentError
        If a mask comes with a cell of one's own.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Recurrence(pn.LSTMCell(3, 5), return_sequence=True, return_carry=True)
    >>> ps, st = pn.setup(0, model)
    >>> x = np.ones((2, 7, 3), np.float32)
    >>> (y, (hidden, memory)), st = model(x, ps, st)
    >>> y.shape, hidden.shape
    ((2, 7, 5), (2, 5))
    >>> lengths = np.asarray([7, 4])
    >>> mask = np.arange(7) < lengths[:, None]
    >>> (y, _), st = model((x, None, mask), ps, st)
    >>> float(np.sum(np.abs(y[1, 4:])))
    0.0
    """

    cell: Layer
    _: KW_ONLY
    return_sequence: bool = False
    return_carry: bool = False
    time_first: bool = False
    reverse: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Layer):
            checks.refuse(self, "cell is a layer", self.cell)
        checks.flags(self, "return_sequence", "return_carry", "time_first", "reverse")

    @property
    def takes_mask(self) -> bool:
        return True

    def masked_input(self, x: Any, mask: Any) -> Any:
        return x, None, mask

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.cell.unresolved:
            return self._resolved(x, ps, st)
        x, carry, mask = input_parts(x)
        time = self._time_axis(x)
        if mask is not None:
            self._check_mask(mask, x)
        try:
            run = self._scan if isinstance(self.cell, RecurrentCell) else self._scan_any
            sequence = x if time == 0 else array_namespace(x).moveaxis(x, time, 0)
            y, carry, state = run(sequence, carry, mask, ps["cell"], st["cell"])
        except Exception as error:
            self._locate(error, "cell", ps, st)
            raise
        if self.return_sequence and time != 0:
            y = array_namespace(y).moveaxis(y, 0, -2)
        return (y, carry) if self.return_carry else y, {"cell": state}

    def _resolved(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Call with a cell that has the size of the input."""
        cell, *own = met(self.cell, input_parts(x)[0], ps["cell"], st["cell"])
        whole = dataclasses.replace(self, cell=cell)
        return whole(x, *({"cell": tree} for tree in own))

    def _time_axis(self, x: Any) -> int:
        checks.rank_at_least("x", x, 2)
        axis = 0 if self.time_first else x.ndim - 2
        if x.shape[axis] == 0:
            raise ShapeError(f"x.shape[{axis}] >= 1: 0 < 1: a sequence has at least one entry")
        return axis

    def _check_mask(self, mask: Any, x: Any) -> None:
        checks.shape_of("mask", mask, x.shape[:-1], "x.shape[:-1]")
        if not array_namespace(x, mask).isdtype(mask.dtype, "bool"):
            raise DTypeError(
                "mask.dtype is bool: compare the places with the lengths, as in "
                "xp.arange(L) < lengths[:, None]"
            )
        if not isinstance(self.cell, RecurrentCell):
            raise ArgumentError(
                f"mask goes with RNNCell, LSTMCell or GRUCell: the cell is "
                f"{self.cell.display_name}: let the cell choose with xp.where itself"
            )

    def _scan(self, sequence: Any, carry: Any, mask: Any, ps: Any, st: Any) -> tuple[Any, Any, Any]:
        cell = self.cell
        assert isinstance(cell, RecurrentCell)
        cell.check(sequence, ps)
        batch = sequence.shape[1:-1]
        if carry is None:
            carry = cell.initial_carry(batch, sequence, ps, st)
        else:
            carry = cell.check_carry(carry, batch, sequence)
        if mask is None:
            y, carry = cell.along(sequence, carry, ps, self.reverse)
            return y if self.return_sequence else carry[0], carry, st
        xp = array_namespace(sequence)

        def masked_step(carry: Any, entry: Any) -> tuple[Any, Any]:
            projected, valid = entry
            new = cell.step(projected, carry, ps)
            y = xp.where(valid, new[0], 0.0) if self.return_sequence else None
            return tuple(xp.where(valid, a, b) for a, b in zip(new, carry, strict=True)), y

        mask = xp.expand_dims(mask if self.time_first else xp.moveaxis(mask, -1, 0), axis=-1)
        # What the mask excludes is no number that a derivative of 0 could be multiplied by.
        entries = cell.project(xp.where(mask, sequence, 0.0), ps), mask
        carry, y = scan(masked_step, carry, entries, reverse=self.reverse)
        return y if self.return_sequence else carry[0], carry, st

    def _scan_any(
        self, sequence: Any, carry: Any, mask: Any, ps: Any, st: Any
    ) -> tuple[Any, Any, Any]:
        """Scan with a cell of which only the call is known: the first one makes the carry."""
        first, rest = (-1, slice(None, -1)) if self.reverse else (0, slice(1, None))
        entry = sequence[first, ...]
        (y, carry), st = self.cell(entry if carry is None else (entry, carry), ps, st)

        def step(carry: Any, x: Any) -> tuple[Any, Any]:
            _, carry, st = carry
            (y, carry), st = self.cell((x, carry), ps, st)
            return (y, carry, st), y if self.return_sequence else None

        start = y, carry, st
        (last, carry, st), others = scan(step, start, sequence[rest, ...], reverse=self.reverse)
        if not self.return_sequence:
            return last, carry, st
        xp = array_namespace(y)
        y = xp.expand_dims(y, axis=0)
        return xp.concat([others, y] if self.reverse else [y, others]), carry, st
