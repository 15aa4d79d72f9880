"""The recorded steps of training, found again by the loss, the model and the optimizer."""

from __future__ import annotations

import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from portanet.tracing.call.lock import LOCK
from portanet.tracing.call.recent import Recent
from portanet.tracing.call.retracing import warn_of_retracing, warn_user
from portanet.tracing.watch.surroundings import Surroundings
from portanet.training.known.known_step import Known, Place
from portanet.training.known.weak_loss import loss_key
from portanet.training.steps.layout import LAYOUTS
from portanet.training.steps.rules import DIVIDED, INNER

_MOST = 64
_MOST_BYTES = 2**28
_MOST_WAITING = 8
_MANY = 8


class KnownSteps:
    """The recorded steps of this process: at most 64, and 256 MiB of memory that they keep.

    A loss that keeps little is held here: the next one that is alike, such as each of the functions
    that a loop makes, gets its step. Others are not: the step of one that is gone is left to the
    garbage collector, and may be taken up again before that comes.
    """

    def __init__(self) -> None:
        self._steps: list[Known] = []
        self._places: OrderedDict[tuple[Any, ...], Place] = OrderedDict()
        self._unheld: list[weakref.ref[Known]] = []
        self._refused: list[Known] = []
        self._restless = Recent(_MOST)
        self._told = Recent(_MOST)
        self._warned = Recent(_MOST)
        self._wasted: Counter[Any] = Counter()
        self._is_busy = False
        self._some_are_gone = False

    def clear(self) -> None:
        """Forget all steps, and what was said about them."""
        with self._locked():
            while self._places:
                self._places.pop(next(iter(self._places))).forget()
            steps = self._steps, self._unheld, self._refused
            notes = self._restless, self._told, self._warned, self._wasted
            for cache in (*steps, *notes, LAYOUTS, DIVIDED, INNER):
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
        key = (make, *loss_key(loss), asked_for, donated, *map(id, fixed))
        place = self._place(key)
        if place is not None:
            return place
        new = Known(make, loss, around, donated, fixed, asked_for, self.note_gone)
        if new.name in self._restless and not asked_for:
            return None
        unseen = None if asked_for else new.surroundings.unseen
        with self._locked():
            if unseen is not None:
                self._tell(new, unseen)
                return self._put(key, new, None)
            known = self._found(new)
            return None if known is None else self._put(key, new, known)

    def share(
        self,
        title: str,
        make: Callable[..., Any],
        loss: Any,
        around: tuple[Any, ...],
        asked_for: bool,
        *fixed: Any,
    ) -> Place:
        """Return where the jitted ``make(loss, *fixed)`` is, for an equal loss and equal `fixed`.

        What may change without a sign makes it another one each time, unless it is `asked_for`.
        """
        key = (make, *loss_key(loss), asked_for, *map(id, fixed))
        place = self._place(key)
        if place is not None and place.known is not None:
            return place
        new = Known(make, loss, around, (), fixed, asked_for, self.note_gone, title)
        if new.surroundings.unseen is not None and not asked_for:
            return Place.of(new, new)
        with self._locked():
            return self._put(key, new, self._serving(new) or self._keep(new))

    def _place(self, key: tuple[Any, ...]) -> Place | None:
        place = self._places.get(key)
        if place is None or place.owner() is None:
            return None
        return place if place.surroundings.changed() is None else None

    def _put(self, key: tuple[Any, ...], new: Known, known: Known | None) -> Place:
        self._places[key] = place = Place.of(new, known)
        if len(self._places) > _MOST:
            self._places.pop(next(iter(self._places))).forget()
        return place

    def check_settled(self, known: Known, around: Surroundings) -> None:
        """See to it that a step which changes its own surroundings runs as it is from now on.

        Called after each run that has recorded, with the surroundings of its loss. Where somebody
        has asked for recording, what the step itself has changed counts as it is by then.
        """
        known.recordings = known.run.recordings
        name = around.changed()
        if name is None:
            return
        if known.asked_for:
            around.take()
            return
        with self._locked():
            self._tell(known, f"it changes {name!r} around it")
            known.note_in(self._restless)
            if known in self._steps:
                self._steps.remove(known)
            self._forget(known)

    def note_gone(self) -> None:
        """Let go of what belongs to losses that are gone; called by Python when one goes.

        That may be at any moment, in the middle of what is done here too: then it is done after.
        """
        self._some_are_gone = True
        with self._locked():
            pass

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with LOCK:
            if self._is_busy:
                yield
                return
            self._is_busy = True
            try:
                yield
            finally:
                while self._some_are_gone:
                    self._some_are_gone = False
                    self._leave_what_is_gone()
                self._is_busy = False

    def _leave_what_is_gone(self) -> None:
        for key in [key for key, place in self._places.items() if place.owner() is None]:
            self._places.pop(key).forget()
        self._refused[:] = [known for known in self._refused if not known.is_left()]
        left = self._waiting()
        for known in [known for known in self._steps if known.is_left()]:
            self._steps.remove(known)
            self._note_wasted(known)
            left.append(known)
        for known in left[:-_MOST_WAITING]:
            vars(known).pop("run", None)  # the circle in which a step waits for its end
        self._unheld[:] = map(weakref.ref, left[-_MOST_WAITING:])

    def _note_wasted(self, known: Known) -> None:
        if len(self._wasted) > _MOST:
            self._wasted.clear()
        self._wasted[known.name] += known.was_for_nothing

    def _found(self, new: Known) -> Known | None:
        known = self._serving(new)
        if known is not None:
            return known
        like = [x for x in self._steps if x.name == new.name and x.was_for_nothing]
        many = len(like) + self._wasted[new.name] >= _MANY
        if many and not any(x.serves(new) for x in self._refused):
            self._refused[:] = [new]
            if new.name not in self._warned:
                new.note_in(self._warned)
                like += [x for x in self._waiting() if x.name == new.name]
                warn_of_retracing("train_step", _reason(like, new))
            return None
        return self._keep(new)

    def _serving(self, new: Known) -> Known | None:
        waiting = self._waiting()
        for known in (*reversed(self._steps), *waiting):
            if known.serves(new):
                known.take_up(new)
                if known in waiting:
                    self._unheld.remove(weakref.ref(known))
                    self._wasted[known.name] -= known.was_for_nothing
                else:
                    self._steps.remove(known)
                self._steps.append(known)
                return known
        return None

    def _waiting(self) -> list[Known]:
        """Return the steps that are left to the garbage collector."""
        return [known for known in (gone() for gone in self._unheld) if known is not None]

    def _keep(self, new: Known) -> Known:
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
            self._places.pop(key).forget()

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


def _reason(like: list[Known], new: Known) -> str:
    """Say why a step is another one than those of the same code, as far as these are there."""
    if not like:
        return "its loss is another one each time: define functions once"
    old = like[0]
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
