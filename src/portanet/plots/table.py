"""A tree of arrays as a table."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import trees
from portanet.interface import backend_of, is_array

_HEAD = ("path", "shape", "dtype", "mean", "std", "min", "max", "not finite")
_BARS = 24
_HEIGHT = 18


@dataclass(frozen=True)
class Entry:
    """One array of a table.

    Attributes
    ----------
    path : str
    shape : tuple of int
    dtype : str
    numbers : tuple of float
        Mean, standard deviation, least and greatest of the finite entries; nothing without any.
    lost : int
        How many entries are not finite.
    counts : tuple of int
        The histogram of the finite entries.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    numbers: tuple[float, ...]
    lost: int
    counts: tuple[int, ...]

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows."""
        numbers = [f"{x:.4g}" for x in self.numbers] or [""] * 4
        return self.path, str(self.shape), self.dtype, *numbers, str(self.lost) if self.lost else ""


@dataclass(frozen=True)
class Table:
    """A tree of arrays, made by `table`: text when printed, HTML with histograms in a notebook.

    Attributes
    ----------
    entries : tuple of Entry
    """

    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        rows = [_HEAD, *(entry.cells() for entry in self.entries)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([lines[0], "─" * (sum(widths) + 2 * len(widths) - 2), *lines[1:]])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(_cell("th", text, i) for i, text in enumerate((*_HEAD, "histogram")))
        body = "".join(
            "<tr>"
            + "".join(_cell("td", text, i) for i, text in enumerate(entry.cells()))
            + f"<td>{_bars(entry.counts)}</td></tr>"
            for entry in self.entries
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table(tree: Any) -> Table:
    """Return a table of the arrays of a tree: parameters, gradients, states.

    Parameters
    ----------
    tree : tree of arrays
        Of any library and device.

    Returns
    -------
    Table
        For each array its path, shape and dtype; the mean, standard deviation and bounds of its
        finite entries; and how many are not finite. A notebook shows their histogram too.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.plots.table({"dense": {"bias": np.zeros(2), "weight": np.asarray([[1.0, np.nan]])}})
    path          shape   dtype    mean  std  min  max  not finite
    ──────────────────────────────────────────────────────────────
    dense.bias    (2,)    float64     0    0    0    0
    dense.weight  (1, 2)  float64     1    0    1    1           1
    """
    return Table(tuple(_entry(path, x) for path, x in arrays_of(tree)))


def arrays_of(tree: Any) -> list[tuple[str, np.ndarray]]:
    """Return the arrays of a tree on the host, with their dotted paths."""
    return [
        (path, np.asarray(backend_of(x).to_numpy(x)))
        for path, x in trees.flatten_with_paths(tree)
        if is_array(x)
    ]


def _entry(path: str, x: np.ndarray) -> Entry:
    numbers = np.abs(x) if x.dtype.kind == "c" else x
    finite = numbers[np.isfinite(numbers)].astype(np.float64)
    found: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    if finite.size:
        with np.errstate(over="ignore"):  # of squares, whose root is then infinite
            found = tuple(float(f(finite)) for f in (np.mean, np.std, np.min, np.max))
        if np.isfinite(found[3] - found[2]):
            counts = tuple(np.histogram(finite, bins=_BARS)[0].tolist())
    return Entry(path, x.shape, x.dtype.name, found, numbers.size - finite.size, counts)


def _cell(tag: str, text: str, place: int) -> str:
    side = "left" if place < 3 or place == len(_HEAD) else "right"
    return f'<{tag} style="text-align:{side}">{html.escape(text)}</{tag}>'


def _bars(counts: tuple[int, ...]) -> str:
    """Return a histogram as a picture in a line of text."""
    if not counts:
        return ""
    most = max(counts)
    bars = "".join(
        f'<rect x="{4 * i}" y="{_HEIGHT - h:.1f}" width="3.5" height="{h:.1f}" fill="#4878a8"/>'
        for i, h in enumerate(_HEIGHT * count / most for count in counts)
    )
    return f'<svg width="{4 * len(counts)}" height="{_HEIGHT}">{bars}</svg>'
