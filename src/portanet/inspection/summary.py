"""What a model is made of and what a call of it costs, as a table."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portanet import trees
from portanet.core import Layer, resolve, setup, surround, test_mode
from portanet.core.depth import within_depth
from portanet.core.display import constructor_call, count_numbers
from portanet.core.lazy import on_host
from portanet.errors import HyperparameterError, shown
from portanet.interface import backend_of
from portanet.tape.observe import ObserveTrace

_HEAD = ("layer", "output", "parameters", "states", "bytes", "multiply-adds")
_WIDEST = 56


@dataclass(frozen=True)
class Row:
    """One layer of a summary.

    Attributes
    ----------
    path : tuple of str
        The names from the model down to the layer.
    layer : str
        The layer as it is printed; a container by its name alone.
    output : tuple of shapes
        Those of the arrays that it returned last; None if it was not called.
    parameters, states, bytes : int
        What it holds, without the layers inside it that have rows of their own.
    multiply_adds : int
        The multiplications and additions of its matrix products, over all calls.
    """

    path: tuple[str, ...]
    layer: str
    output: tuple[Any, ...] | None
    parameters: int
    states: int
    bytes: int
    multiply_adds: int

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows."""
        label = f"{self.path[-1]} = {self.layer}" if self.path else self.layer
        label = label if len(label) <= _WIDEST else f"{label[: _WIDEST - 1]}…"
        shape = "–" if self.output is None else ", ".join(map(str, self.output))
        counts = (self.parameters, self.states, self.bytes, self.multiply_adds)
        return label, shape, *(f"{n:_}" if n else "" for n in counts)


@dataclass(frozen=True)
class Summary:
    """A table of layers, made by `summary`: text when printed, HTML in a notebook.

    Attributes
    ----------
    rows : tuple of Row
        One for each layer, a container before its parts.
    total : Row
        Their sum.
    """

    rows: tuple[Row, ...]
    total: Row

    def __str__(self) -> str:
        lines = [("  " * len(row.path) + row.cells()[0], *row.cells()[1:]) for row in self.rows]
        table = [_HEAD, *lines, self.total.cells()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        rule = "─" * (sum(widths) + 2 * len(widths) - 2)
        text = ["  ".join(_aligned(cells, widths)).rstrip() for cells in table]
        return "\n".join([text[0], rule, *text[1:-1], rule, text[-1]])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def line(tag: str, cells: Sequence[str], depth: int = 0) -> str:
            first, *others = map(html.escape, cells)
            style = f"text-align:left;padding-left:{0.5 + 1.5 * depth}em"
            parts = "".join(f'<{tag} style="text-align:right">{x}</{tag}>' for x in others)
            return f'<tr><{tag} style="{style}">{first}</{tag}>{parts}</tr>'

        body = "".join(line("td", row.cells(), len(row.path)) for row in self.rows)
        return (
            f"<table><thead>{line('th', _HEAD)}</thead><tbody>{body}</tbody>"
            f"<tfoot>{line('th', self.total.cells())}</tfoot></table>"
        )


@within_depth
def summary(model: Layer, example: Any, depth: int | None = None) -> Summary:
    """Run a model on an example and return a table of its layers.

    Parameters
    ----------
    model : Layer
        The model, with layers of any kind; sizes that follow from the input may be None.
    example : tree
        An input. What is no array but has a shape and a dtype stands for an array of zeros.
    depth : int, optional
        How many levels of containers to open; what lies deeper is added up. All by default.

    Returns
    -------
    Summary
        Of each layer: the shapes of its outputs, the numbers and bytes of its parameters and
        states, and the multiply-adds of one call in test mode. They are counted in the matrix
        products that the call comes down to, with convolutions, attention and `einsum`, of the
        user's own layers too; what is done element by element does not count.

    Raises
    ------
    HyperparameterError
        If `model` is no layer, or `depth` no number of levels.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(None, 16, pn.relu), pn.BatchNorm(16), pn.Dense(16, 10))
    >>> pn.summary(model, np.zeros((32, 64), np.float32))
    layer                            output    parameters  states  bytes  multiply-adds
    ───────────────────────────────────────────────────────────────────────────────────
    Chain                            (32, 10)
      layer_1 = Dense(64, 16, relu)  (32, 16)       1_040          4_160         32_768
      layer_2 = BatchNorm(16)        (32, 16)          32      33    256
      layer_3 = Dense(16, 10)        (32, 10)         170            680          5_120
    ───────────────────────────────────────────────────────────────────────────────────
    total                            (32, 10)       1_242      33  5_096         37_888
    """
    if not isinstance(model, Layer):
        raise HyperparameterError(f"summary: model is a portanet.Layer: got {shown(model)}")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise HyperparameterError(f"summary: depth is an integer >= 0: got {shown(depth)}")
    x = trees.map_leaves(on_host, example)
    model = resolve(model, x)
    ps, st = setup(0, model)
    rows = list(_rows(model, ps, st, (), _Run(model, x, ps, test_mode(st))))
    total = _sum(replace(rows[0], layer="total"), rows)
    return Summary(tuple(rows if depth is None else _folded(rows, depth)), total)


class _Run:
    """One call of a model: the shapes that each layer returned, and its own multiply-adds."""

    def __init__(self, model: Layer, x: Any, ps: Any, st: Any) -> None:
        self.outputs: dict[tuple[str, ...], tuple[Any, ...]] = {}
        self.products: dict[tuple[str, ...], int] = {}
        self._places: list[tuple[str, ...]] = [()]
        trace = ObserveTrace(self._count, backend_of(np.zeros(0)).xp, whole=False)
        x, ps, st = trees.map_leaves(
            lambda leaf: trace.lift(leaf) if isinstance(leaf, np.ndarray) else leaf, (x, ps, st)
        )
        surround(model, self._around)(x, ps, st)

    def _around(
        self, path: tuple[str, ...], layer: Layer, call: Any, x: Any, ps: Any, st: Any
    ) -> Any:
        self._places.append(path)
        y, new = call(x, ps, st)
        self._places.pop()
        self.outputs[path] = tuple(tuple(getattr(leaf, "shape", ())) for leaf in trees.leaves(y))
        return y, new

    def _count(self, name: str, run: Any, args: Sequence[Any]) -> Any:
        result = run(args)
        products = 0
        if name == "matmul":
            products = result.size * args[0].shape[-1]
        elif name == "tensordot":  # rows x inner, inner x columns and rows x columns
            products = math.isqrt(args[0].size * args[1].size * result.size)
        place = self._places[-1]
        self.products[place] = self.products.get(place, 0) + products
        return result


def _rows(layer: Layer, ps: Any, st: Any, path: tuple[str, ...], run: _Run) -> Iterator[Row]:
    """Yield the row of a layer, then those of the layers inside it."""
    children = layer.children()
    own_ps, own_st = ({n: e for n, e in tree.items() if n not in children} for tree in (ps, st))
    yield Row(
        path,
        layer.display_name if children else constructor_call(layer),
        run.outputs.get(path),
        count_numbers(own_ps),
        count_numbers(own_st),
        sum(_bytes(leaf) for leaf in trees.leaves((own_ps, own_st))),
        run.products.get(path, 0),
    )
    for name, child in children.items():
        yield from _rows(child, ps.get(name, {}), st.get(name, {}), (*path, name), run)


def _folded(rows: Sequence[Row], depth: int) -> Iterator[Row]:
    """Yield the rows down to a depth, the last of them with what lies below."""
    for row in rows:
        level = len(row.path)
        if level < depth:
            yield row
        elif level == depth:
            yield _sum(row, [below for below in rows if below.path[:level] == row.path])


def _sum(first: Row, rows: Sequence[Row]) -> Row:
    names = ("parameters", "states", "bytes", "multiply_adds")
    return replace(first, **{name: sum(getattr(row, name) for row in rows) for name in names})


def _bytes(leaf: Any) -> int:
    return math.prod(leaf.shape) * leaf.dtype.itemsize if hasattr(leaf, "dtype") else 0


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Pad the names and shapes on their right, the numbers on their left."""
    for i, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        yield cell.ljust(width) if i < 2 else cell.rjust(width)
