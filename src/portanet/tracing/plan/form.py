"""The forms of the operations of a program, and the functions of NumPy that they call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet.tape.ops.card import Card
from portanet.tape.ops.form import Form
from portanet.tape.ops.table import CARDS
from portanet.tracing.program import Operation, Variable


def form_of(operation: Operation) -> Form | None:
    """Return the form of an operation, None where only its own function computes it."""
    make = operation.card.form
    return None if make is None else make(operation, *operation.args, **operation.options)


@dataclass(frozen=True, eq=False)
class Planned:
    """The primitive of an operation that only the planner makes, for NumPy: what its card says."""

    card: Card

    @property
    def name(self) -> str:
        return self.card.name


COPY = Planned(
    Card(
        "copy",
        numpy=lambda call, x: Form("{out}[...] = {0}", "{0}.copy()", rows=True),
        fresh=True,
    )
)
"""The primitive of a copy into kept memory."""


_RESHAPING, _PERMUTING = Planned(CARDS["reshape"]), Planned(CARDS["permute_dims"])


def copied(x: Any, result: Variable) -> Operation:
    """Return the operation that copies an array, spread to the shape of `result`."""
    return Operation(COPY, [x], {}, result)


def reshaped(x: Variable, result: Variable) -> Operation:
    """Return the operation that looks at an array in the shape of `result`."""
    return Operation(_RESHAPING, [x, result.shape], {}, result, (x,))


def flattened(array: Any, made: dict[Variable, Operation]) -> Any:
    """Return an array with one axis; what makes one is added to `made`."""
    if len(array.shape) == 1:
        return array
    if not isinstance(array, Variable):
        return np.reshape(array, (-1,))
    if array not in made:
        made[array] = reshaped(array, Variable((array.size,), array.dtype))
    return made[array].result


def permuted(x: Variable, result: Variable, axes: tuple[int, ...]) -> Operation:
    """Return the operation that looks at an array with its axes in another order."""
    return Operation(_PERMUTING, [x, axes], {}, result, (x,))


class NumPy:
    """What ``{np.add.reduce}`` in a form becomes: what `named` makes of ``"add.reduce"``."""

    def __init__(self, named: Callable[[str], str], path: str = "") -> None:
        self._named = named
        self._path = path

    def __getattr__(self, name: str) -> NumPy:
        return NumPy(self._named, f"{self._path}.{name}" if self._path else name)

    def __format__(self, text: str) -> str:
        return self._named(self._path)
