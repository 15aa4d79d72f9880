"""A recorded program as a graph of its operations."""

from __future__ import annotations

from typing import Any

from portanet.errors import ArgumentError, shown
from portanet.plots.svg import Svg, arrow, box, document, text, text_width
from portanet.tracing.call.jitted import Jitted
from portanet.tracing.program import Opaque, Program, Variable

_HEIGHT, _GAP, _ROW = 36.0, 18.0, 34.0
_MARGIN = 14.0
_SWEEPS = 4
_INPUT, _INNER, _OUTPUT = "#fdf3e1", "#eef3f8", "#e6f4e8"


def program_graph(function: Jitted, /, *args: Any, **kwargs: Any) -> Svg:
    """Draw the program that a jitted function replays for some arguments.

    Inputs are at the top; each operation has the shape and the dtype of its result, and stands
    below all that it reads. Results have a colour of their own.

    Parameters
    ----------
    function : Jitted
        What `portanet.jit` made, of arrays of NumPy, CuPy or another library without a compiler.
    *args, **kwargs
        The arguments of a call. It is recorded if it has not been.

    Returns
    -------
    Svg
        Shown by a notebook; ``.save("program.svg")`` writes it to a file.

    Raises
    ------
    ArgumentError
        If `function` is not jitted, or there is no program: it runs as it is, or the compiler of
        the library has it.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> slope = pn.jit(pn.grad(lambda x: np.sum(np.sin(x) ** 2)))
    >>> print(pn.plots.program_graph(slope, np.ones(3)))  # doctest: +ELLIPSIS
    <svg ...</svg>
    """
    if not isinstance(function, Jitted):
        raise ArgumentError(f"program_graph: function is made by pn.jit: got {shown(function)}")
    program = function.program(*args, **kwargs)
    if program is None:
        raise ArgumentError(
            f"program_graph: {function} has a program of portanet for these arguments: it runs as "
            f"it is, or the library of the arrays has compiled it"
        )
    return _drawn(program)


def _drawn(program: Program) -> Svg:
    lines = _lines(program)
    widths = {v: text_width(*lines[v]) + 16.0 for v in lines}
    rows = _ordered(_rows(program), program)
    spans = [sum(widths[v] for v in row) + _GAP * (len(row) - 1) for row in rows]
    whole = max(spans, default=0.0)
    places: dict[Variable, tuple[float, float]] = {}
    for i, (row, span) in enumerate(zip(rows, spans, strict=True)):
        x = _MARGIN + (whole - span) / 2
        for v in row:
            places[v] = x + widths[v] / 2, _MARGIN + i * (_HEIGHT + _ROW)
            x += widths[v] + _GAP
    parts = []
    for operation in program.operations:
        for v in dict.fromkeys(operation.operands):
            if v in places:
                x, y = places[v]
                parts.append(arrow((x, y + _HEIGHT), places[operation.result]))
    inputs, outputs = set(program.inputs), {id(v) for v in program.outputs}
    for v, (x, y) in places.items():
        fill = _OUTPUT if id(v) in outputs else _INPUT if v in inputs else _INNER
        parts.append(box(x - widths[v] / 2, y, widths[v], _HEIGHT, fill))
        parts += [text(x, y + 15, lines[v][0]), text(x, y + 29, lines[v][1], note=True)]
    height = len(rows) * (_HEIGHT + _ROW) - _ROW + 2 * _MARGIN
    return document(whole + 2 * _MARGIN, max(height, 2 * _MARGIN), parts)


def _lines(program: Program) -> dict[Variable, tuple[str, str]]:
    """Return what stands in the box of each input and result."""
    names = {v: f"a{i}" for i, v in enumerate(program.inputs)}
    names |= {operation.result: operation.name for operation in program.operations}
    return {
        v: (name, "" if isinstance(v, Opaque) else f"{v.dtype} {tuple(v.shape)}")
        for v, name in names.items()
    }


def _rows(program: Program) -> list[list[Variable]]:
    """Return the inputs, then the results one below all that they are made of."""
    level: dict[Variable, int] = dict.fromkeys(program.inputs, 0)
    for operation in program.operations:
        above = [level[v] for v in operation.operands if v in level]
        level[operation.result] = 1 + max(above, default=0)
    rows: list[list[Variable]] = [[] for _ in range(1 + max(level.values(), default=0))]
    for v, i in level.items():
        rows[i].append(v)
    return rows


def _ordered(rows: list[list[Variable]], program: Program) -> list[list[Variable]]:
    """Return rows in which what belongs together is one below the other, by their mean places."""
    near: dict[Variable, list[Variable]] = {v: [] for row in rows for v in row}
    for operation in program.operations:
        for v in operation.operands:
            if v in near:
                near[v].append(operation.result)
                near[operation.result].append(v)
    for _ in range(_SWEEPS):
        place = {v: (i + 0.5) / len(row) for row in rows for i, v in enumerate(row)}
        mean = {v: sum(place[n] for n in (*ns, v)) / (len(ns) + 1) for v, ns in near.items()}
        rows = [sorted(row, key=mean.__getitem__) for row in rows]
    return rows
