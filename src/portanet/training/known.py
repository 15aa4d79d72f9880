"""The recorded steps of training, found again by the loss, the model and the optimizer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from portanet.tracing.call.anew import warn_of_anew, warn_user
from portanet.tracing.call.jit import jit
from portanet.tracing.call.jitted import Jitted
from portanet.tracing.call.lock import LOCK
from portanet.tracing.call.recent import Recent
from portanet.tracing.watch.surroundings import Surroundings
from portanet.training.layout import LAYOUTS
from portanet.training.rules import DIVIDED, INNER

_MOST = 64
_MOST_BYTES = 2**28
_MANY = 8


@dataclass(eq=False)
class Known:
    """A step, with what its loss, its model and its optimizer found when it was recorded.

    Attributes
    ----------
    asked_for : bool
        Whether it is recorded also where something may change without a sign.
    title : str
        What messages call the step.
    """

    make: Callable[..., Any]
    loss: Any
    fixed: tuple[Any, ...]
    surroundings: Surroundings
    asked_for: bool
    title: str = "train_step"
    warned: bool = False
    recordings: int = 0

    @cached_property
    def run(self) -> Jitted:
        """The jitted step."""
        donated, *rest = self.fixed
        step = self.make(self.loss, *rest)
        step.__qualname__ = self.title
        return jit(step, donate_argnums=donated).within(self.surroundings)

    @property
    def name(self) -> Any:
        """What losses of the same code share."""
        return self.surroundings.code or id(self.loss)

    @property
    def was_for_nothing(self) -> bool:
        """Whether this was recorded and not replayed so far."""
        info = self.run.cache_info()
        return info.misses > 0 and not info.hits

    def note_in(self, notes: Recent) -> None:
        """Note the name of the loss; one by its id is held, so that the name stays its own."""
        notes.put(self.name, None if self.surroundings.code else self.loss)

    def serves(self, other: Known) -> bool:
        """Whether this is the step that `other` asks for."""
        if self.make is not other.make or self.fixed != other.fixed:
            return False
        if self.asked_for is not other.asked_for:
            return False
        if self.loss is other.loss or _equal(self.loss, other.loss):
            return self.surroundings.changed() is None
        return self.surroundings.alike(other.surroundings)

    def resembles(self, other: Known) -> bool:
        """Whether both take the same loss, or functions of the same code."""
        code = self.surroundings.code
        return self.loss is other.loss or (code is not None and code is other.surroundings.code)


@dataclass(eq=False, slots=True)
class Place:
    """The step for some objects: holding these keeps their ids from being used again.

    Attributes
    ----------
    known : Known or None
        None if the step runs as it is, or has been forgotten.
    """

    loss: Any
    fixed: tuple[Any, ...]
    surroundings: Surroundings
    known: Known | None

    def step_after(self, loss: Any, asked_for: bool, donated: tuple[int, ...]) -> Known | None:
        """Return the step that follows the one found here with the same model, None if unknown."""
        known = self.known
        if known is None or self.loss is not loss or known.asked_for is not asked_for:
            return None
        unchanged = self.surroundings.unchanged
        if unchanged is not None and not unchanged() and self.surroundings.changed() is not None:
            return None
        return known if self.fixed[0] == donated else None


class KnownSteps:
    """The recorded steps of this process: at most 64, and 256 MiB of memory that they keep."""

    def __init__(self) -> None:
        self._steps: list[Known] = []
        self._places: OrderedDict[tuple[Any, ...], Place] = OrderedDict()
        self._refused: list[Known] = []
        self._restless = Recent(_MOST)
        self._told = Recent(_MOST)

    def clear(self) -> None:
        """Forget all steps, and what was said about them."""
        with LOCK:
            while self._places:
                self._drop(next(iter(self._places)))
            for cache in (self._steps, self._refused, self._restless, self._told):
                cache.clear()
            for cache in (LAYOUTS, DIVIDED, INNER):
                cache.clear()

    def find(
        self,
        make: Callable[..., Any],
        loss: Any,
        around: tuple[Any, ...],
        asked_for: bool,
        donated: tuple[int, ...],
        *fixed: Any,
    ) -> Place | None:
        """Return where the jitted ``make(loss, *fixed)`` is, for an equal loss and equal `fixed`.

        None, or a place without a step, if it should run as it is: if there would be another one
        nearly every time, or if what `loss` or something of `around` reads may change without a
        sign and nobody has `asked_for` it. `donated` are positions of its arguments.
        """
        key = (id(loss), asked_for, donated, *map(id, fixed))
        place = self._places.get(key)
        if place is not None and place.surroundings.changed() is None:
            return place
        fixed = (donated, *fixed)
        new = Known(make, loss, fixed, Surroundings(loss, *around), asked_for)
        if new.name in self._restless and not asked_for:
            return None
        unseen = None if asked_for else new.surroundings.unseen
        with LOCK:
            if unseen is not None:
                self._tell(new, unseen)
            known = self._find(new) if unseen is None else None
            if known is None and unseen is None:
                return None
            place = self._places[key] = Place(loss, fixed, new.surroundings, known)
            if len(self._places) > _MOST:
                self._drop(next(iter(self._places)))
        return place

    def check_settled(self, known: Known) -> None:
        """See to it that a step which changes its own surroundings runs as it is from now on.

        Called after each run that has recorded. Where somebody has asked for recording, what the
        step itself has changed while it was recorded counts as it is by then.
        """
        known.recordings = known.run.recordings
        name = known.surroundings.changed()
        if name is None:
            return
        if known.asked_for:
            known.surroundings.take()
            return
        with LOCK:
            self._tell(known, f"it changes {name!r} around it")
            known.note_in(self._restless)
            if known in self._steps:
                self._steps.remove(known)
            self._forget(known)

    def _find(self, new: Known) -> Known | None:
        for known in reversed(self._steps):
            if known.serves(new):
                self._steps.remove(known)
                self._steps.append(known)
                return known
        unused = [x for x in self._steps if x.resembles(new) and x.was_for_nothing]
        if len(unused) >= _MANY and not any(x.serves(new) for x in self._refused):
            self._refused[:] = [new]
            if not any(x.warned for x in unused):
                new.warned = unused[0].warned = True
                warn_of_anew("train_step", _reason(unused[-1], new))
            return None
        self._steps.append(new)
        while len(self._steps) > _MOST or (
            len(self._steps) > 2 and self._kept_bytes() > _MOST_BYTES
        ):
            self._forget(self._steps.pop(0))
        return new

    def _kept_bytes(self) -> int:
        return sum(known.run.cache_info().kept_bytes for known in self._steps)

    def _forget(self, gone: Known) -> None:
        for key in [key for key, place in self._places.items() if place.known is gone]:
            self._drop(key)

    def _drop(self, key: Any) -> None:
        """Forget what is at a place, whoever still holds it, such as a training state."""
        place = self._places.pop(key)
        place.known, place.loss, place.surroundings = None, None, _NOTHING

    def _tell(self, known: Known, reason: str) -> None:
        """Say once for each loss why its steps are not recorded."""
        if known.name in self._told:
            return
        known.note_in(self._told)
        name = getattr(known.loss, "__qualname__", type(known.loss).__qualname__)
        warn_user(
            f"train_step runs {name} as it is, without recording it: {reason}. Pass what changes "
            "in the data, or say jit=False, or jit=True to take it for constant"
        )


STEPS = KnownSteps()
_NOTHING = Surroundings(None)


def _reason(old: Known, new: Known) -> str:
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
