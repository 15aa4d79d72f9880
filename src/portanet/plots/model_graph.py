"""A model as nested boxes, with arrows where the order of its layers is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet.core import Chain, Layer, resolve
from portanet.core.depth import within_depth
from portanet.core.display import constructor_call, counted, entry_of, spelled
from portanet.errors import HyperparameterError, shown
from portanet.inspection.summary import summary
from portanet.layers.attention.stack import TransformerStack
from portanet.layers.containers.branches import BranchLayer, Parallel
from portanet.layers.containers.skip_connection import SkipConnection
from portanet.layers.recurrent.stacked import StackedRecurrence
from portanet.plots.svg import Svg, arrow, box, document, moved, text, text_width

_ROW = 15.0
_GAP = 26.0
_MARGIN = 14.0
_WIDEST = 60
_LEAF, _GROUPS = "#eef3f8", ("#ffffff", "#f7f9fb")


@dataclass(frozen=True)
class _Block:
    """A part of the drawing; arrows come in at the middle of its top, and leave at the bottom."""

    width: float
    height: float
    parts: list[str]


@within_depth
def model_graph(model: Layer, example: Any = None, *, depth: int | None = None) -> Svg:
    """Draw a model: its layers as boxes, containers as boxes around them.

    Arrows show the way through `Chain`, `Parallel`, `BranchLayer`, `SkipConnection` and stacks.
    Of other containers, whose calls may do anything, the layers are listed in a dashed box.

    Parameters
    ----------
    model : Layer
    example : tree, optional
        An input, with which each box has the shape of its output, and sizes that are None are
        found out.
    depth : int, optional
        How many levels of containers to open. All by default.

    Returns
    -------
    Svg
        Shown by a notebook; ``.save("model.svg")`` writes it to a file.

    Raises
    ------
    HyperparameterError
        If `model` is no layer, or `depth` no number of levels.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(2, 8, pn.relu), pn.SkipConnection(pn.Dense(8, 8), np.add))
    >>> pn.plots.model_graph(model, np.zeros((1, 2), np.float32)).text[:4]
    '<svg'
    """
    if not isinstance(model, Layer):
        raise HyperparameterError(f"model_graph: model is a portanet.Layer: got {shown(model)}")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise HyperparameterError(f"model_graph: depth is an integer >= 0: got {shown(depth)}")
    outputs: dict[tuple[str, ...], Any] = {}
    if example is not None:
        model = resolve(model, example)
        outputs = {row.path: row.output for row in summary(model, example).rows}
    rng = np.random.default_rng(0)
    trees = model.initial_parameters(rng), model.initial_states(rng)
    block = _Drawer(outputs, depth).block("", model, *trees, ())
    width, height = block.width + 2 * _MARGIN, block.height + 2 * _MARGIN
    return document(width, height, [moved(_MARGIN, _MARGIN, block.parts)])


class _Drawer:
    """Makes blocks of layers.

    Parameters
    ----------
    outputs : mapping of path to shapes
    depth : int or None
    """

    def __init__(self, outputs: dict[tuple[str, ...], Any], depth: int | None) -> None:
        self._outputs = outputs
        self._depth = depth

    def block(self, name: str, layer: Layer, ps: Any, st: Any, path: tuple[str, ...]) -> _Block:
        children = layer.children()
        folded = self._depth is not None and len(path) >= self._depth
        note = self._note(ps, st, path)
        if not children or folded:
            label = layer.display_name if children else constructor_call(layer)
            return _leaf(name, label, note)
        blocks = {
            child: self.block(child, part, entry_of(ps, child), entry_of(st, child), (*path, child))
            for child, part in children.items()
        }
        inner, known = _arranged(layer, blocks)
        title = f"{name} = {layer.display_name}" if name else layer.display_name
        return _framed(title, note, inner, len(path), known)

    def _note(self, ps: Any, st: Any, path: tuple[str, ...]) -> str:
        shapes = self._outputs.get(path)
        shape = "" if shapes is None else f"→ {', '.join(map(str, shapes))}"
        return "   ".join(filter(None, (counted(ps, st), shape)))


def _leaf(name: str, label: str, note: str) -> _Block:
    label = label if len(label) <= _WIDEST else f"{label[: _WIDEST - 1]}…"
    lines = [line for line in (name, label, note) if line]
    width, height = text_width(*lines) + 20.0, _ROW * len(lines) + 10.0
    parts = [box(0, 0, width, height, _LEAF)]
    for i, line in enumerate(lines, 1):
        parts.append(text(width / 2, _ROW * i + 2, line, note=line is not label))
    return _Block(width, height, parts)


def _framed(title: str, note: str, inner: _Block, level: int, known: bool) -> _Block:
    width = max(inner.width, text_width(title, note)) + 2 * _MARGIN
    top = _ROW * (2 if note else 1) + 14.0
    parts = [
        box(0, 0, width, top + inner.height + _MARGIN, _GROUPS[level % 2], dashed=not known),
        text(8, _ROW + 1, title, middle=False),
        text(8, 2 * _ROW + 1, note, note=True, middle=False) if note else "",
        moved((width - inner.width) / 2, top, inner.parts),
    ]
    return _Block(width, top + inner.height + _MARGIN, parts)


def _arranged(layer: Layer, blocks: dict[str, _Block]) -> tuple[_Block, bool]:
    """Return the blocks of a container side by side or in a row, and whether the way is known."""
    if isinstance(layer, Chain | TransformerStack | StackedRecurrence):
        return _in_a_row(list(blocks.values()), arrows=True), True
    if isinstance(layer, Parallel | BranchLayer):
        branches = [blocks[name] for name in layer.names]
        join = layer.connection if isinstance(layer, Parallel) else layer.fusion
        return _side_by_side(branches, _join_name(join)), True
    if isinstance(layer, SkipConnection):
        return _skipped(blocks["layers"], _join_name(layer.connection)), True
    return _in_a_row(list(blocks.values()), arrows=False), False


def _join_name(join: Any) -> str:
    return "" if join is None else spelled(join)


def _in_a_row(blocks: list[_Block], arrows: bool) -> _Block:
    width, y, parts = max((b.width for b in blocks), default=0.0), 0.0, []
    for i, block in enumerate(blocks):
        if i:
            if arrows:
                parts.append(arrow((width / 2, y), (width / 2, y + _GAP)))
            y += _GAP if arrows else _GAP / 3
        parts.append(moved((width - block.width) / 2, y, block.parts))
        y += block.height
    return _Block(width, y, parts)


def _side_by_side(blocks: list[_Block], join: str) -> _Block:
    width = sum(block.width for block in blocks) + _GAP * (len(blocks) - 1)
    height = max((block.height for block in blocks), default=0.0)
    bottom = 2 * _GAP + height
    x, parts, middle = 0.0, [], max(width, text_width(join)) / 2
    for block in blocks:
        centre = x + block.width / 2
        parts.append(arrow((middle, 0), (centre, _GAP)))
        parts.append(moved(x, _GAP, block.parts))
        parts.append(arrow((centre, _GAP + block.height), (middle, bottom)))
        x += block.width + _GAP
    if join:
        parts.append(text(middle, bottom + _ROW, join))
    return _Block(2 * middle, bottom + (_ROW + 4 if join else 0), parts)


def _skipped(block: _Block, join: str) -> _Block:
    middle, side = block.width / 2, block.width + _GAP
    bottom, end = 2 * _GAP + block.height, middle + text_width(join) / 2 + 6
    parts = [
        arrow((middle, 0), (middle, _GAP)),
        moved(0, _GAP, block.parts),
        arrow((middle, _GAP + block.height), (middle, bottom)),
        arrow((middle, _GAP / 3), (side, _GAP / 3), (side, bottom + 9), (end, bottom + 9)),
        text(middle, bottom + _ROW - 2, join),
    ]
    return _Block(side + 4, bottom + _ROW + 4, parts)
