"""How a layer is shown in a notebook: its tree, whose containers can be folded."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from portanet.core.display import Printed, constructor_call, count_numbers, counted, entry_of

_NOTE = 'style="color:gray;margin-left:1.5em"'
_CODE = 'style="font-family:monospace"'


def layer_html(layer: Printed) -> str:
    """Return the tree of a model as HTML: each layer with its counts, and the totals."""
    rng = np.random.default_rng(0)
    ps, st = layer.initial_parameters(rng), layer.initial_states(rng)
    total = f"{count_numbers(ps):_} parameters, {count_numbers(st):_} states"
    body = _item("", layer, ps, st)
    return f"<div {_CODE}>{body}<div {_NOTE}>total: {total}</div></div>"


def _item(name: str, layer: Printed, ps: Any, st: Any) -> str:
    children = layer.children()
    label = f"{html.escape(name)} = " if name else ""
    note = f"<span {_NOTE}>{html.escape(counted(ps, st))}</span>"
    if not children:
        return f"<div>{label}<b>{html.escape(constructor_call(layer))}</b>{note}</div>"
    inside = "".join(
        _item(child, part, entry_of(ps, child), entry_of(st, child))
        for child, part in children.items()
    )
    return (
        f"<details open><summary>{label}<b>{html.escape(layer.display_name)}</b>{note}</summary>"
        f'<div style="margin-left:1.5em">{inside}</div></details>'
    )
