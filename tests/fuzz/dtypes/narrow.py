"""Numbers as a narrow dtype holds them, and the error that working with them allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import portanet as pn
from portanet import trees

BLOCK = 256  # terms that a sum adds one after another at most; two sums are off by its root
DRAWS = 3  # of what rounded inputs change a value by


@dataclass(frozen=True)
class Narrow:
    """A floating dtype: its name, machine epsilon, largest number and smallest one above 0."""

    name: str
    epsilon: float
    largest: float
    least: float

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """Return the numbers of float64 that the dtype has, the nearest ones to `x`."""
        if self.name != "bfloat16":
            return x.astype(self.name).astype(np.float64)
        bits = x.astype(np.float32).view(np.uint32)
        bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


NARROW = {
    kind.name: kind
    for kind in (
        Narrow("float16", 2.0**-10, 65504.0, 2.0**-24),
        Narrow("bfloat16", 2.0**-7, 3.38e38, 2.0**-133),
        Narrow("float32", 2.0**-23, 3.4e38, 2.0**-149),
    )
}


def is_float(x: Any) -> bool:
    """Whether `x` is an array of real floating numbers."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def map_floats(function: Any, tree: Any) -> Any:
    """Apply a function to the floating arrays of a tree."""
    return trees.map_leaves(lambda x: function(x) if is_float(x) else x, tree)


def tolerances(
    function: Any,
    given: Any,
    kind: Narrow,
    rng: np.random.Generator,
    *,
    together: bool,
    terms: int = BLOCK,
) -> list[Any]:
    """Return, for each result in float64, its value and the error that rounding allows.

    An algorithm as good as the dtype lets it be is off by some roundings of its result, as many as
    the root of the `terms` it adds one after another, or by so many times what roundings of its
    inputs change that by, which is more where the function is steep. Results
    that are derivatives of one number may be what is left of the largest, or of an input, when
    those cancelled: they are measured `together`.
    """
    values = results(function(given))
    spreads = [np.zeros(v.shape) for v in values]
    for _ in range(DRAWS):
        other = map_floats(
            lambda x: x * (1 + kind.epsilon * rng.choice([-1.0, 1.0], size=x.shape)), given
        )
        for spread, v, w in zip(spreads, values, results(function(other)), strict=True):
            np.fmax(spread, np.abs(w - v), out=spread)
    sizes = [np.max(np.abs(v[np.isfinite(v)]), initial=0.0) for v in values]
    if together:
        inputs = [np.max(np.abs(x), initial=0.0) for x in trees.leaves(given) if is_float(x)]
        sizes = [max(*sizes, *inputs)] * len(sizes)
    allowed = []
    for v, size, spread in zip(values, sizes, spreads, strict=True):
        scale = kind.epsilon * size + np.max(spread[np.isfinite(spread)], initial=0.0)
        allowed.append((v, math.sqrt(terms) * (scale + kind.least)))
    return allowed


def results(tree: Any) -> list[np.ndarray]:
    """Return the floating arrays of a tree of results, on the host in float64."""
    arrays = [x for x in trees.leaves(tree) if hasattr(x, "dtype")]
    host = [np.asarray(pn.cpu_device()(pn.astype(x, "float64"))) for x in arrays]
    return [x for x in host if x.dtype.kind == "f"]


def complaint(got: np.ndarray, want: np.ndarray, allowed: float, kind: Narrow) -> str | None:
    """Say what is wrong with a result, None if nothing is."""
    if got.shape != want.shape:
        return f"shape {got.shape} for {want.shape}"
    held = np.isfinite(want) & (np.abs(want) < kind.largest / 2)
    lost = held & ~np.isfinite(got)
    if lost.any():
        return f"{got[lost][0]} for {want[lost][0]:.4g}"
    error = np.where(held, np.abs(got - want), 0.0)
    worst = np.unravel_index(np.argmax(error), error.shape) if error.size else ()
    if error.size and error[worst] > allowed:
        return f"{got[worst]:.6g} for {want[worst]:.6g}: {error[worst] / allowed:.1f} times allowed"
    return None
