"""What happens beside training: after steps, after epochs, at its beginning and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from portanet.errors import ArgumentError, shown
from portanet.training.run import Run


class Callback:
    """Something that `portanet.training.fit` calls while it trains.

    A subclass overrides what it needs. A plain function can stand for a callback that is called
    after each epoch.

    Attributes
    ----------
    runs_last : bool
        Whether it comes after all others, since it keeps what they have done.
    writes : bool
        Whether it only writes or shows something: of several workers the first alone calls it.
    """

    runs_last: ClassVar[bool] = False
    writes: ClassVar[bool] = False

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_step(self, run: Run) -> None:
        """After each step."""

    def on_epoch(self, run: Run) -> None:
        """After each epoch, when it is in the history."""

    def on_end(self, run: Run) -> None:
        """After the last step, also where training was stopped, but not where it failed."""

    def state(self) -> dict[str, Any]:
        """Return what has to be kept for a run that is taken up again, by name.

        Training states, which come back where that of the run is; and whatever a
        `portanet.io.Checkpointer` keeps: numbers, texts, None, arrays, which come back as those of
        NumPy, generators, and lists and dicts of them.
        """
        return {}

    def restore(self, run: Run, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, in a run that has been taken up after `on_start`."""


class AfterEpoch(Callback):
    """A function of the run that is called after each epoch."""

    def __init__(self, function: Callable[[Run], Any]) -> None:
        self._function = function

    def on_epoch(self, run: Run) -> None:
        self._function(run)

    def __repr__(self) -> str:
        return getattr(self._function, "__qualname__", repr(self._function))


def as_callbacks(callbacks: Any) -> list[Callback]:
    """Return callbacks in their order, those that come last behind."""
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Sequence):
        callbacks = [callbacks]
    found = []
    for callback in callbacks:
        if not isinstance(callback, Callback) and (
            isinstance(callback, type) or not callable(callback)
        ):
            raise ArgumentError(
                f"a callback is one of pn.training.callbacks or a function of the run: got "
                f"{shown(callback)}"
            )
        found.append(callback if isinstance(callback, Callback) else AfterEpoch(callback))
    return sorted(found, key=lambda callback: callback.runs_last)
