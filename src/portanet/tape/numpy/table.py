"""The bodies of NumPy's functions by the functions themselves, and the cure for each other one."""

from __future__ import annotations

import inspect
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from portanet.tape.numpy import (
    answers,
    calculus,
    elementwise,
    filling,
    joining,
    linalg,
    nans,
    polynomials,
    products,
    quantiles,
    reductions,
    selecting,
    shapes,
    statistics,
)
from portanet.tape.numpy.operands import function_name, refuse, refuse_out

BY_NAME: dict[str, Callable[..., Any]] = {
    **answers.FUNCTIONS,
    **calculus.FUNCTIONS,
    **elementwise.FUNCTIONS,
    **filling.FUNCTIONS,
    **joining.FUNCTIONS,
    **linalg.FUNCTIONS,
    **nans.FUNCTIONS,
    **polynomials.FUNCTIONS,
    **products.FUNCTIONS,
    **quantiles.FUNCTIONS,
    **reductions.FUNCTIONS,
    **selecting.FUNCTIONS,
    **shapes.FUNCTIONS,
    **statistics.FUNCTIONS,
    "astype": lambda xp, x, dtype, /, *, copy=True, device=None: x.astype(dtype, copy=copy),
    "copy": lambda xp, a, order="K", subok=False: a.copy(),
}

BODIES: dict[Any, Callable[..., Any]] = {
    operator.attrgetter(name)(np): body for name, body in BY_NAME.items()
}
"""What each function of NumPy does with traced arrays."""


def _place_of_out(body: Callable[..., Any]) -> int | None:
    """Where ``out`` stands among the arguments of a function, if it has one."""
    parameters = list(inspect.signature(body).parameters.values())
    places = [i for i, p in enumerate(parameters) if p.name == "out"]
    if not places:
        return None
    return places[0] - 1 if parameters[places[0]].kind is not _KEYWORD else sys.maxsize


_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_OUT = {body: place for body in BY_NAME.values() if (place := _place_of_out(body)) is not None}


def check_out(
    body: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any], function: Any
) -> None:
    """Refuse an array to write the result into."""
    place = _OUT.get(body)
    if place is None:
        return
    if (args[place] if len(args) > place else options.get("out")) is not None:
        refuse_out(function)


_WRITES = "use what pn.functional.at(x)[index].set(y) returns"
_OUTSIDE = "the shape of its result depends on values: compute it outside of the derivative"
_STORES = "return the array with has_aux=True and use it outside"
INSTEAD: dict[str, str] = {
    **dict.fromkeys(
        ("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"), _WRITES
    ),
    **dict.fromkeys(
        (
            "intersect1d", "setdiff1d", "setxor1d", "trim_zeros", "union1d", "unique",
            "unique_all", "unique_counts", "unique_inverse", "unique_values",
        ),
        _OUTSIDE,
    ),
    **dict.fromkeys(("array2string", "save", "savetxt", "savez", "savez_compressed"), _STORES),
    **dict.fromkeys(
        ("histogram", "histogram2d", "histogram_bin_edges", "histogramdd"),
        "find the bins with np.digitize and add up weights with np.bincount",
    ),
    "apply_along_axis": "use pn.vmap, or stack what the function returns for each row",
    "apply_over_axes": "call the function for one axis after the other with keepdims=True",
    "geomspace": "use np.exp(np.linspace(np.log(start), np.log(stop), num))",
    "lib.stride_tricks.sliding_window_view": (
        "index with np.arange(count)[:, None] + np.arange(window)"
    ),
    "linalg.lstsq": "use np.linalg.pinv(a) @ b, or np.linalg.solve(a.T @ a, a.T @ b)",
    "piecewise": "use np.select or np.where",
    "poly": "multiply the factors with np.polymul",
    "polydiv": "divide the values of np.polyval",
    "polyfit": "use np.linalg.pinv(np.vander(x, deg + 1)) @ y",
    "resize": "use np.tile and np.reshape",
    "roots": "use np.linalg.eigvals of the companion matrix",
    "sort_complex": "use np.sort",
}  # fmt: skip


def refuse_function(function: Any) -> NoReturn:
    """Refuse a function without a body, by its name and that of what does the job here."""
    full_name = function_name(function)
    name = full_name.removeprefix("numpy.")
    refuse(full_name, INSTEAD.get(name, "use a function of pn.array_namespace(x)"))
