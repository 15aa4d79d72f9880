"""Recorded functions of a loss, found again by the loss and what belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from portanet.training.known.known_steps import STEPS


class Recorded:
    """The jitted ``make(loss, *fixed)``: one program for an equal loss and equal `fixed`.

    Recorded anew where something has changed that `loss` or a part of `around` reads. What may
    change without a sign is looked at while it is recorded, and then by nobody else.

    Parameters
    ----------
    title : str
        What messages call it.
    make : callable
    loss : any
    around : tuple
    *fixed
    asked_for : bool
        Whether others may use the program though something may change without a sign.
    """

    def __init__(
        self,
        title: str,
        make: Callable[..., Any],
        loss: Any,
        around: tuple[Any, ...],
        *fixed: Any,
        asked_for: bool = False,
    ) -> None:
        self._find = partial(STEPS.share, title, make, loss, around, asked_for, *fixed)
        self._place = self._find()

    def __call__(self, *args: Any) -> Any:
        if self._place.surroundings.changed() is not None:
            self._place = self._find()
        while (known := self._place.known) is None:
            self._place = self._find()
        around = self._place.surroundings
        outputs = known.run(*args)
        if known.run.recordings != known.recordings:
            known.recordings = known.run.recordings
            around.take()  # what the loss changes itself does not count
        return outputs
