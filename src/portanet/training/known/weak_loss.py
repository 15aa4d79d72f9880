"""A loss that is found again and not kept alive."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from portanet.interface import is_array
from portanet.losses import GenericLoss
from portanet.tracing.watch.entries import Cell
from portanet.tracing.watch.kinds import is_constant
from portanet.tracing.watch.surroundings import Surroundings
from portanet.training.objective import Objective

_MOST_BYTES = 2**20
_MOST_OBJECTS = 1000


class WeakLoss:
    """A loss that its user alone holds, unless it keeps little.

    What is held weakly is the function or the object, or that of which the loss is a method.

    Parameters
    ----------
    loss : callable
    around : tuple
        What belongs to its surroundings.
    gone : callable
        Called, without arguments, when the function or the object goes.

    Attributes
    ----------
    given : callable
        Returns the very object `loss`, None if that is gone: a method is another one each time.
    key : tuple
        As `loss_key` gives it.
    kind : object
        What two losses may differ in beside their surroundings.
    owner : callable
        Returns the function or the object, None if it is gone.
    surroundings : Surroundings
    """

    __slots__ = ("_method", "given", "key", "kind", "owner", "surroundings")

    def __init__(self, loss: Any, around: tuple[Any, ...], gone: Callable[[], None]) -> None:
        weak = not keeps_little(loss)
        self.given = (lambda: loss) if is_value(loss) else _weak(loss)
        self.key = loss_key(loss)
        self.kind = self.key[-1]
        owner, self._method = _owner_and_method(loss)
        self.owner = _weak(owner, gone) if weak else lambda: owner
        unheld = owner if self.is_weak else None
        self.surroundings = Surroundings(_root(loss), *around, unheld=unheld)

    @property
    def is_weak(self) -> bool:
        return isinstance(self.owner, weakref.ref)

    def __call__(self) -> Any:
        """Return the loss, None if it is gone."""
        loss = self.owner()
        if loss is not None and self._method is not None:
            loss = MethodType(self._method, loss)
        return loss if loss is None or self.kind is None else Objective(loss, self.kind)


def _root(loss: Any) -> Any:
    return loss.loss if isinstance(loss, Objective) else loss


def is_value(loss: Any) -> bool:
    """Whether a loss is one of portanet, equal by its numbers, and nothing in it may change."""
    kind = type(loss)
    return kind.__module__.startswith("portanet.losses.") and kind is not GenericLoss


def loss_key(loss: Any) -> tuple[Any, ...]:
    """Return what tells a loss from all others as long as its owner is there."""
    if is_value(loss):
        return loss, None, None
    owner, method = _owner_and_method(loss)
    return id(owner), id(method), loss.predicts if isinstance(loss, Objective) else None


def _owner_and_method(loss: Any) -> tuple[Any, Any]:
    root = _root(loss)
    return (root.__self__, root.__func__) if isinstance(root, MethodType) else (root, None)


def _weak(x: Any, gone: Callable[[], None] | None = None) -> Callable[[], Any]:
    try:
        return weakref.ref(x, gone and (lambda _: gone()))
    except TypeError:  # there are objects that cannot be referred to weakly
        return lambda: x


def keeps_little(loss: Any) -> bool:
    """Whether what a loss keeps alive, besides modules, classes and code, is known and small."""
    todo, known, total = [_root(loss)], {}, 0
    while todo:
        x = todo.pop()
        if id(x) in known or is_constant(x) or isinstance(x, ModuleType | type):
            continue
        known[id(x)] = x
        if is_array(x):
            total += _bytes(x)
        else:
            parts = _parts(x)
            if parts is None:
                return False
            todo += parts
        if total > _MOST_BYTES or len(known) > _MOST_OBJECTS:
            return False
    return True


def _bytes(x: Any) -> int:
    """Return how much memory an array keeps; a view keeps all that it looks at."""
    while isinstance(x, np.ndarray) and isinstance(x.base, np.ndarray):
        x = x.base
    return math.prod(x.shape) * getattr(x.dtype, "itemsize", 16)


def _parts(x: Any) -> list[Any] | None:
    """Return what an object holds, None if that is not known."""
    if isinstance(x, FunctionType):
        cells = [Cell("", cell).held for cell in x.__closure__ or ()]
        return [*cells, *(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values()]
    if isinstance(x, MethodType):
        return [x.__self__, x.__func__]
    if isinstance(x, BuiltinFunctionType):
        return [x.__self__]
    if isinstance(x, partial):
        return [x.func, *x.args, *x.keywords.values()]
    if isinstance(x, dict):
        return [*x, *x.values()]
    if isinstance(x, tuple | list | set | frozenset):
        return list(x)
    if hasattr(type(x), "__dataclass_fields__") and type(x).__module__.startswith("portanet."):
        return list(vars(x).values())
    return None
