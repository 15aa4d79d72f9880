"""How many samples a batch has, and which of them count."""

from __future__ import annotations

from typing import Any

from portanet import trees
from portanet.errors import ShapeError
from portanet.interface import is_array
from portanet.losses.masked import MaskedBatch


def taken_apart(batch: Any) -> tuple[Any, Any]:
    """Return the data of a batch and its mask, None if all samples count."""
    return batch if isinstance(batch, MaskedBatch) else (batch, None)


def common_length(tree: Any, what: str) -> int:
    """Return how many samples all arrays of a tree have along their first axis."""
    found: tuple[str, int] | None = None
    for path, x in trees.flatten_with_paths(tree):
        name = f"{what}.{path}" if path else what
        if not is_array(x):
            continue
        if not x.shape:
            raise ShapeError(f"{name}.ndim >= 1: 0 < 1: the samples are the first axis")
        if found is not None and x.shape[0] != found[1]:
            raise ShapeError(
                f"as many samples in each array: {name}.shape[0] == {found[0]}.shape[0]: "
                f"{x.shape[0]} != {found[1]}"
            )
        found = found or (name, int(x.shape[0]))
    if found is None:
        raise ShapeError(f"{what} has at least one array: got none")
    return found[1]
