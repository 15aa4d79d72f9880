"""What was measured, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, shown
from portanet.plots._figure import new_figure, silent_figure

VALIDATION = "validation_"
"""How the names of what was measured in validation begin."""

_WIDTH, _HEIGHT = 6.4, 2.8


def curves(
    history: Mapping[str, Any], names: Sequence[str] | None = None, *, figure: Any = None
) -> Any:
    """Draw the loss and the metrics of a training as curves over the epochs.

    What was measured in training and in validation is in one drawing, and the best epoch of the
    validation loss is marked.

    Parameters
    ----------
    history : History, or mapping of str to arrays of shape (epochs,)
        What `portanet.training.fit` returned. Entries that are no numbers are left out.
    names : sequence of str, optional
        Which of them, without ``validation_``. All by default.
    figure : matplotlib.figure.Figure, optional
        What to draw in. A new one of `pyplot` by default.

    Returns
    -------
    matplotlib.figure.Figure
        With one drawing below the other.

    Raises
    ------
    ArgumentError
        If there is nothing to draw, or no such name.
    BackendNotAvailableError
        If `matplotlib` is not installed.

    Examples
    --------
    >>> import portanet as pn
    >>> history = {"loss": [0.9, 0.4, 0.2], "validation_loss": [0.8, 0.5, 0.6]}
    >>> figure = pn.plots.curves(history)  # doctest: +SKIP
    """
    if not isinstance(history, Mapping) or not isinstance(names, list | tuple | None):
        raise ArgumentError(
            f"curves: history is what fit returned, names a list of names: got {shown(history)} "
            f"and {shown(names)}"
        )
    numbers = numbers_of(history)
    known = list(dict.fromkeys(name.removeprefix(VALIDATION) for name in numbers))
    chosen = known if names is None else list(names)
    if not chosen:
        raise ArgumentError("curves: history has numbers of at least one epoch: got none")
    for name in chosen:
        if name not in known:
            raise ArgumentError(f"curves: names are of {known}: got {shown(name)}")
    if figure is None:
        figure = new_figure("curves", _WIDTH, _HEIGHT * len(chosen))
    rows = figure.subplots(len(chosen), squeeze=False, sharex=True)[:, 0]
    for name, axes in zip(chosen, rows, strict=True):
        _draw(axes, name, numbers)
    rows[-1].set_xlabel("epoch")
    return figure


def saved_curves(history: Mapping[str, Any], path: str) -> None:
    """Draw a history into a file."""
    count = len({name.removeprefix(VALIDATION) for name in numbers_of(history)})
    figure = silent_figure("Plot", _WIDTH, _HEIGHT * max(count, 1))
    if count:
        curves(history, figure=figure)
    figure.savefig(path)


def numbers_of(history: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return what is one number an epoch, by name."""
    arrays = {name: np.asarray(history[name]) for name in history}
    return {
        name: x for name, x in arrays.items() if x.ndim == 1 and x.size and x.dtype.kind in "biuf"
    }


def _draw(axes: Any, name: str, numbers: Mapping[str, np.ndarray]) -> None:
    sources = {"training": name, "validation": f"{VALIDATION}{name}"}
    for label, source in sources.items():
        if source in numbers:
            values = numbers[source]
            axes.plot(np.arange(1, len(values) + 1), values, marker=".", label=label)
    held_out = numbers.get(sources["validation"])
    if name == "loss" and held_out is not None and np.isfinite(held_out).any():
        best = int(np.nanargmin(held_out))
        axes.axvline(best + 1, color="grey", linewidth=0.8, linestyle=":")
        axes.plot(best + 1, held_out[best], "o", fillstyle="none", color="grey", label="best")
    axes.set_ylabel(name)
    axes.grid(alpha=0.3)
    axes.locator_params(axis="x", integer=True)
    axes.legend()
