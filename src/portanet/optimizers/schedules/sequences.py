"""Schedules one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from portanet import checks


@dataclass(frozen=True)
class Sequence:
    """One schedule after the other, each from its own step 0.

    Parameters
    ----------
    schedules : tuple of schedules
        At least one.
    steps : tuple of int
        How long each but the last one takes, 0 to leave it out.

    Examples
    --------
    A warm-up, then a decay:

    >>> from portanet.optimizers import schedules
    >>> warmup, decay = schedules.Polynomial(0.0, 1.0, 2), schedules.ExponentialDecay(1.0, 0.5)
    >>> schedule = schedules.Sequence((warmup, decay), (2,))
    >>> [schedule(t) for t in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.25]
    """

    schedules: tuple[Callable[[int], float], ...]
    steps: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.schedules, tuple | list):
            checks.refuse(self, "schedules is a sequence of functions", self.schedules)
        object.__setattr__(self, "schedules", tuple(self.schedules))
        for schedule in self.schedules:
            if not callable(schedule):
                checks.refuse(self, "each schedule is a function of the step", schedule)
        if not (isinstance(self.steps, tuple | list) and len(self.steps) == 0):
            checks.sizes(self, "steps", minimum=0)
        object.__setattr__(self, "steps", tuple(self.steps))
        if len(self.steps) != len(self.schedules) - 1:
            relation = f"len(steps) == len(schedules) - 1 == {len(self.schedules) - 1}"
            checks.refuse(self, relation, self.steps)

    @checks.checked
    def __call__(self, step: int) -> float:
        for schedule, length in zip(self.schedules, self.steps, strict=False):
            if step < length:
                return schedule(step)
            step -= length
        return self.schedules[-1](step)
