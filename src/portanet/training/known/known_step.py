"""A recorded step of training, and where it was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from portanet.tracing.call.jit import jit
from portanet.tracing.call.jitted import Jitted
from portanet.tracing.call.recent import Recent
from portanet.tracing.watch.surroundings import Surroundings
from portanet.training.known.weak_loss import WeakLoss, is_value
from portanet.training.steps.rules import equal


class Known:
    """A step, with what its loss, its model and its optimizer found when it was recorded.

    It may serve several losses that are alike.

    Parameters
    ----------
    make : callable
        ``make(loss, *fixed)`` is the step.
    loss : callable
    around : tuple
        What belongs to its surroundings beside the loss.
    donated : tuple of int
        Positions of arguments.
    fixed : tuple
    asked_for : bool
        Whether it is recorded also where something may change without a sign.
    gone : callable
        Called when a loss that it serves is gone.
    title : str
        What messages call the step.

    Attributes
    ----------
    losses : list of WeakLoss
        Those that it serves; if none is there any more, the last one.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        loss: Any,
        around: tuple[Any, ...],
        donated: tuple[int, ...],
        fixed: tuple[Any, ...],
        asked_for: bool,
        gone: Callable[[], None],
        title: str = "train_step",
    ) -> None:
        weak = WeakLoss(loss, around, gone)
        self.make = make
        self.losses = [weak]
        self.kind = weak.kind
        self.donated = donated
        self.fixed = fixed
        self.asked_for = asked_for
        self.title = title
        # Of a loss that is a value there is nothing to make anew each time: it is for its model.
        self.name = weak.surroundings.code or (object() if is_value(loss) else weak.key)
        self.recordings = 0

    @property
    def loss(self) -> Any:
        """One of the losses that it serves, None if all are gone."""
        return next((loss for weak in self.losses if (loss := weak()) is not None), None)

    @property
    def surroundings(self) -> Surroundings:
        """Those of one of the losses, as they were when that was found."""
        return self.losses[-1].surroundings

    @cached_property
    def run(self) -> Jitted:
        """The jitted step."""

        def step(*args: Any) -> Any:
            return self.make(self.loss, *self.fixed)(*args)

        step.__qualname__ = self.title
        return jit(step, donate_argnums=self.donated).within(self.surroundings)

    @property
    def was_for_nothing(self) -> bool:
        """Whether this was recorded and not replayed so far."""
        info = self.run.cache_info()
        return info.misses > 0 and not info.hits

    def note_in(self, notes: Recent) -> None:
        """Note the name that losses of the same code share.

        A loss that has none of its own is held, so that its name is not used again.
        """
        notes.put(self.name, None if self.surroundings.code else self.loss)

    def serves(self, other: Known) -> bool:
        """Whether this is the step that `other` asks for."""
        if (self.make, self.donated, self.kind) != (other.make, other.donated, other.kind):
            return False
        if self.asked_for is not other.asked_for or len(self.fixed) != len(other.fixed):
            return False
        if not all(map(equal, self.fixed, other.fixed)):
            return False
        asking = other.loss
        for weak in self.losses:
            loss = weak()
            if loss is asking or equal(loss, asking):
                return weak.surroundings.changed() is None
        return self.surroundings.alike(other.surroundings)

    def take_up(self, other: Known) -> None:
        """Serve the losses of another one too."""
        self.losses = [*(weak for weak in self.losses if weak.is_weak), *other.losses]

    def is_left(self) -> bool:
        """Whether all losses are gone."""
        there = [weak for weak in self.losses if weak.owner() is not None]
        self.losses = there or self.losses[-1:]
        return not there


@dataclass(eq=False, slots=True)
class Place:
    """The step for some objects: holding these keeps their ids from being used again.

    Attributes
    ----------
    owner, given : callable
        Those of a `WeakLoss`.
    known : Known or None
        None if the step runs as it is, or has been forgotten.
    """

    owner: Callable[[], Any]
    given: Callable[[], Any]
    donated: tuple[int, ...]
    fixed: tuple[Any, ...]
    surroundings: Surroundings
    known: Known | None

    @classmethod
    def of(cls, asking: Known, known: Known | None) -> Place:
        """Return the place for what a step is asked for with, which `known` serves."""
        weak = asking.losses[0]
        return cls(weak.owner, weak.given, asking.donated, asking.fixed, weak.surroundings, known)

    def forget(self) -> None:
        """Let go of everything, whoever still holds this, such as a training state."""
        self.owner = self.given = lambda: None
        self.known, self.fixed, self.surroundings = None, (), _NOTHING

    def step_after(self, loss: Any, asked_for: bool, donated: tuple[int, ...]) -> Known | None:
        """Return the step that follows the one found here with the same model, None if unknown."""
        known = self.known
        if known is None or known.asked_for is not asked_for:
            return None
        given = self.given()
        if given is not loss and not (is_value(loss) and given == loss):
            return None
        unchanged = self.surroundings.unchanged
        if unchanged is not None and not unchanged() and self.surroundings.changed() is not None:
            return None
        return known if self.donated == donated else None


_NOTHING = Surroundings(None)
