"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import ShapeError
from portanet.plots._figure import new_figure

_MOST_NUMBERS = 20
"""Of more classes the numbers are too small to be read."""


def confusion_matrix(
    matrix: Any, labels: Sequence[str] | None = None, *, normalize: bool = False, axes: Any = None
) -> Any:
    """Draw how often samples of each class, a row, were taken for each, a column.

    Parameters
    ----------
    matrix : array of shape (classes, classes)
        As `portanet.training.metrics.ConfusionMatrix` counts it.
    labels : sequence of str, optional
        The names of the classes. Their numbers by default.
    normalize : bool, default False
        Whether to show shares of the samples of each class instead of counts.
    axes : matplotlib.axes.Axes, optional
        Where to draw. Those of a new figure of `pyplot` by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ShapeError
        If the matrix is not square, or has not as many classes as there are names.
    BackendNotAvailableError
        If `matplotlib` is not installed.

    Examples
    --------
    >>> import portanet as pn
    >>> axes = pn.plots.confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"])  # doctest: +SKIP
    """
    checks.flag_of("confusion_matrix: normalize", normalize)
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(f"matrix.shape == (classes, classes): got {counts.shape}")
    names = list(map(str, range(len(counts)) if labels is None else labels))
    if len(names) != len(counts):
        raise ShapeError(f"len(labels) == the classes of the matrix: {len(names)} != {len(counts)}")
    shown = counts
    if normalize:
        shown = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if axes is None:
        size = 2.0 + 0.45 * min(len(counts), 30)
        axes = new_figure("confusion_matrix", size + 0.8, size).subplots()
    image = axes.imshow(shown, cmap="Blues", vmin=0.0, vmax=1.0 if normalize else None)
    axes.figure.colorbar(image, ax=axes, fraction=0.046)
    places = np.arange(len(counts))
    turned = {"rotation": 45, "ha": "right"} if max(map(len, names)) > 3 else {}
    axes.set_xticks(places, names, **turned)
    axes.set_yticks(places, names)
    axes.set(xlabel="predicted", ylabel="true")
    if len(counts) <= _MOST_NUMBERS:
        half = 0.5 if normalize else 0.5 * float(np.max(shown))
        for (i, j), value in np.ndenumerate(shown):
            text = f"{value:.2f}" if normalize else f"{value:g}"
            colour = "white" if value > half else "black"
            axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=8)
    return axes
