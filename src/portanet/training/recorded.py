"""The recorded functions of full-batch losses, found again by the loss and the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tracing.call.lock import LOCK
from portanet.tracing.watch.surroundings import Surroundings
from portanet.training.known import Known

_MOST = 16
_MOST_BYTES = 2**28

_functions: list[Known] = []


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
    """

    def __init__(
        self, title: str, make: Callable[..., Any], loss: Any, around: tuple[Any, ...], *fixed: Any
    ) -> None:
        self._given = title, make, loss, around, fixed
        self._known = _find(*self._given)

    def __call__(self, *args: Any) -> Any:
        if self._known.surroundings.changed() is not None:
            self._known = _find(*self._given)
        known = self._known
        outputs = known.run(*args)
        if known.run.recordings != known.recordings:
            known.recordings = known.run.recordings
            known.surroundings.take()  # what the loss changes itself does not count
        return outputs


def _find(
    title: str, make: Callable[..., Any], loss: Any, around: tuple[Any, ...], fixed: tuple[Any, ...]
) -> Known:
    new = Known(make, loss, ((), *fixed), Surroundings(loss, *around), asked_for=True, title=title)
    if new.surroundings.unseen is not None:
        return new
    with LOCK:
        for known in reversed(_functions):
            if known.serves(new):
                _functions.remove(known)
                _functions.append(known)
                return known
        _functions.append(new)
        while len(_functions) > _MOST or (len(_functions) > 1 and _kept_bytes() > _MOST_BYTES):
            _functions.pop(0)
    return new


def forget_recorded() -> None:
    """Let go of all of them."""
    with LOCK:
        _functions.clear()


def _kept_bytes() -> int:
    return sum(known.run.cache_info().kept_bytes for known in _functions)
