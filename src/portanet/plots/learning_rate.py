"""The loss over the learning rate."""

from __future__ import annotations

from typing import Any

from portanet.errors import ArgumentError, shown
from portanet.plots._figure import new_figure


def learning_rate_test(found: Any, *, axes: Any = None) -> Any:
    """Draw what `portanet.training.learning_rate_test` found: the loss over the learning rate.

    Parameters
    ----------
    found : LearningRateTest
    axes : matplotlib.axes.Axes, optional
        Where to draw. Those of a new figure of `pyplot` by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If `found` is something else.
    BackendNotAvailableError
        If `matplotlib` is not installed.

    Examples
    --------
    >>> import portanet as pn
    >>> found = pn.training.learning_rate_test(ts, loss, loader)  # doctest: +SKIP
    >>> axes = pn.plots.learning_rate_test(found)  # doctest: +SKIP
    """
    if not all(hasattr(found, name) for name in ("rates", "losses", "smoothed", "suggestion")):
        raise ArgumentError(
            f"learning_rate_test: found is what pn.training.learning_rate_test returned: got "
            f"{shown(found)}"
        )
    if axes is None:
        axes = new_figure("learning_rate_test", 6.4, 3.2).subplots()
    axes.plot(found.rates, found.losses, color="tab:blue", alpha=0.3, label="loss")
    axes.plot(found.rates, found.smoothed, color="tab:blue", label="smoothed")
    axes.axvline(
        found.suggestion,
        color="tab:orange",
        linestyle="--",
        label=f"suggestion {found.suggestion:.2g}",
    )
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    return axes
