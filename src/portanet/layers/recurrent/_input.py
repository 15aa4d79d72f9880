"""What is handed to a recurrent layer: a sequence, and maybe a carry and a mask."""

from __future__ import annotations

from typing import Any

from portanet.errors import ShapeError


def input_parts(x: Any) -> tuple[Any, Any, Any]:
    """Return the sequence, the carry and the mask of an input; the last two may be None."""
    if not isinstance(x, tuple):
        return x, None, None
    if len(x) not in (2, 3):
        raise ShapeError(f"the input is x, (x, carry) or (x, carry, mask): got a tuple of {len(x)}")
    return x[0], x[1], x[2] if len(x) == 3 else None


def carries(carry: Any, count: int) -> tuple[Any, ...]:
    """Return one carry for each of `count` cells, or None for each."""
    if carry is None:
        return (None,) * count
    return parts_of_carry(carry, count, ", one a cell")


def parts_of_carry(carry: Any, count: int, meaning: str) -> tuple[Any, ...]:
    """Return a carry that was handed in, which has `count` parts."""
    if not isinstance(carry, tuple | list) or len(carry) != count:
        raise ShapeError(
            f"carry is a tuple of {count}{meaning}: got {type(carry).__name__}"
            + (f" of {len(carry)}" if isinstance(carry, tuple | list) else "")
        )
    return tuple(carry)
