"""The recorded steps of training, found again by the loss, the model and the optimizer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from portanet.tracing.call.anew import warn_of_anew
from portanet.tracing.call.jit import Jitted, jit
from portanet.tracing.call.surroundings import Surroundings

_MOST = 64
_MOST_BYTES = 2**28
_MANY = 8


@dataclass(eq=False, slots=True)
class _Known:
    make: Callable[..., Any]
    loss: Any
    fixed: tuple[Any, ...]
    surroundings: Surroundings
    warned: bool = False
    made: Jitted | None = None

    @property
    def run(self) -> Jitted:
        """The jitted step, made when it is first asked for."""
        if self.made is None:
            donated, *rest = self.fixed
            step = self.make(self.loss, *rest)
            step.__qualname__ = "train_step"
            self.made = jit(step, donate_argnums=donated)
            self.made.around = self.loss
        return self.made

    @property
    def was_for_nothing(self) -> bool:
        """Whether this was recorded and not replayed so far."""
        info = self.run.cache_info()
        return info.misses > 0 and not info.hits

    def serves(self, other: _Known) -> bool:
        """Whether this is the step that `other` asks for."""
        if self.make is not other.make or self.fixed != other.fixed:
            return False
        if self.loss is other.loss or _equal(self.loss, other.loss):
            return self.surroundings.changed() is None
        return self.surroundings.alike(other.surroundings)

    def resembles(self, other: _Known) -> bool:
        """Whether both take the same loss, or functions of the same code."""
        code = self.surroundings.code
        return self.loss is other.loss or (code is not None and code is other.surroundings.code)


class _Place(NamedTuple):
    """The step for some objects: holding these keeps their ids from being used again."""

    objects: tuple[Any, ...]
    surroundings: Surroundings
    run: Jitted


_steps: list[_Known] = []
_places: OrderedDict[tuple[int, ...], _Place] = OrderedDict()
_refused: list[_Known] = []
_lock = threading.Lock()


def known_step(
    make: Callable[..., Any], loss: Any, donated: tuple[int, ...], *fixed: Any
) -> Jitted | None:
    """Return the jitted ``make(loss, *fixed)``, the same for an equal loss and equal `fixed`.

    None if there would be another one nearly every time. `donated` are positions of its arguments.
    """
    fixed = (donated, *fixed)
    place = (id(loss), *map(id, fixed))
    entry = _places.get(place)
    if entry is not None and entry.surroundings.changed() is None:
        return entry.run
    new = _Known(make, loss, fixed, Surroundings(loss))
    with _lock:
        known = _find(new)
        if known is None:
            return None
        _places[place] = _Place((loss, fixed), new.surroundings, known.run)
        if len(_places) > _MOST:
            _places.popitem(last=False)
    return known.run


def _find(new: _Known) -> _Known | None:
    for known in reversed(_steps):
        if known.serves(new):
            _steps.remove(known)
            _steps.append(known)
            return known
    unused = [x for x in _steps if x.resembles(new) and x.was_for_nothing]
    if len(unused) >= _MANY and not any(x.serves(new) for x in _refused):
        _refused[:] = [new]
        if not any(x.warned for x in unused):
            new.warned = unused[0].warned = True
            warn_of_anew("train_step", _reason(unused[-1], new))
        return None
    _steps.append(new)
    while len(_steps) > _MOST or (len(_steps) > 2 and _kept_bytes() > _MOST_BYTES):
        _forget(_steps.pop(0))
    return new


def _kept_bytes() -> int:
    return sum(known.run.cache_info().kept_bytes for known in _steps)


def _forget(gone: _Known) -> None:
    for place in [p for p, entry in _places.items() if entry.run is gone.run]:
        del _places[place]


def _reason(old: _Known, new: _Known) -> str:
    if old.loss is new.loss:
        name = old.surroundings.changed()
    else:
        name = old.surroundings.difference(new.surroundings)
    if name is None:
        return "the model or the optimizer is another one each time"
    return (
        f"the loss finds another {name!r} around it each time: pass what changes in the data, "
        "define functions once"
    )


def _equal(x: Any, y: Any) -> bool:
    return type(x) is type(y) and type(x).__eq__ is not object.__eq__ and bool(x == y)
