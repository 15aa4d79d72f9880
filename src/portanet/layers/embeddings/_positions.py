"""Checks of positions."""

from __future__ import annotations

from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.indices import indices_below


def check_even(layer: Any) -> None:
    """The field `features` is an even number."""
    checks.integers(layer, "features", minimum=2)
    if layer.features % 2:
        checks.refuse(layer, "features is even", layer.features)


def check_length(steps: int, length: int) -> None:
    """There is a position for each step."""
    if steps > length:
        raise ShapeError(f"positions in x <= length: {steps} > {length}")


def check_positions(x: Any, positions: Any, length: int) -> Any:
    """Return the positions that were given, which fit `x`, whose last axis holds features."""
    checks.integral("positions", positions)
    checks.same_device("positions", positions, "x", x)
    shape, wanted = tuple(positions.shape), tuple(x.shape[:-1])
    if shape not in (wanted, wanted[-1:]):
        raise ShapeError(f"positions.shape == x.shape[:-1]: {shape} != {wanted}")
    return indices_below(positions, size=length, name="positions", size_name="length")
