"""How the numbers of weights and gradients are distributed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import ArgumentError
from portanet.plots._figure import new_figure
from portanet.plots.table import arrays_of

_COLUMNS = 3


def histograms(tree: Any, *, bins: int = 40, figure: Any = None) -> Any:
    """Draw a histogram of the numbers of each array of a tree, such as parameters or gradients.

    Parameters
    ----------
    tree : tree of arrays
        Of any library and device. Complex numbers count by their real and imaginary parts; what
        is no finite number is counted in the title.
    bins : int, default 40
        Of small arrays fewer.
    figure : matplotlib.figure.Figure, optional
        What to draw in. A new one of `pyplot` by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the tree has no floating array with entries.
    BackendNotAvailableError
        If `matplotlib` is not installed.

    Examples
    --------
    >>> import portanet as pn
    >>> ps, st = pn.setup(0, pn.Chain(pn.Dense(8, 16), pn.Dense(16, 1)))
    >>> figure = pn.plots.histograms(ps)  # doctest: +SKIP
    """
    bins = checks.integer("histograms: bins", bins, 1)
    found = [(path, x) for path, x in arrays_of(tree) if x.size and x.dtype.kind in "fc"]
    if not found:
        raise ArgumentError("histograms: tree has at least one floating array with entries: none")
    columns = min(_COLUMNS, len(found))
    rows = math.ceil(len(found) / columns)
    if figure is None:
        figure = new_figure("histograms", 3.2 * columns, 2.2 * rows)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (path, x) in zip(places, found, strict=False):
        _draw(axes, path, x, bins)
    for axes in places[len(found) :]:
        axes.set_visible(False)
    return figure


def _draw(axes: Any, path: str, x: np.ndarray, bins: int) -> None:
    parts = np.stack([np.real(x), np.imag(x)]) if x.dtype.kind == "c" else x
    finite = parts[np.isfinite(parts)].astype(np.float64)
    lost = parts.size - finite.size
    fine = min(bins, 5 + math.isqrt(finite.size))
    axes.hist(finite, bins=fine, color="tab:blue", alpha=0.8)
    if finite.size:
        axes.axvline(float(finite.mean()), color="black", linewidth=0.8)
        title = f"{path or 'array'}  {finite.mean():.2g} ± {finite.std():.2g}"
    else:
        title = path or "array"
    axes.set_title(f"{title}{f', {lost} not finite' if lost else ''}", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_yticks([])
