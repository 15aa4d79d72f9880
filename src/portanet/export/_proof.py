"""Whether what is exported computes what the function does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import ExportError
from portanet.export._arguments import Arguments

_ROUNDING = 4096
"""Units in the last place, of the largest number of a result, by which two ways of computing it
may differ. NumPy's kernels of portanet and what they are made of differ by 2 to 8 for one layer,
and each layer passes on the differences of those before it."""


def prove(
    made: Callable[..., Any], function: Callable[..., Any], arguments: Sequence[Arguments]
) -> None:
    """Call both functions, and compare.

    Raises
    ------
    ExportError
        Where results differ by more than rounding.
    """
    for each in arguments:
        given = each.examples
        expected = trees.flatten_with_paths(function(*given))
        try:
            found = trees.flatten_with_paths(made(*given))
        except Exception as error:
            raise ExportError(
                f"what is exported fails where the function does not, for arguments of "
                f"{_shapes(each)}: {error}. Nothing is written; please report it"
            ) from error
        for (path, y), (_, z) in zip(expected, found, strict=True):
            y, z = np.asarray(y), np.asarray(z)
            if y.dtype != z.dtype or y.shape != z.shape or not _close(y, z):
                raise ExportError(
                    "what is exported gives other numbers than the function: "
                    f"{path or 'the result'} is {z.dtype} of shape {z.shape} in the place of "
                    f"{y.dtype} of shape {y.shape}{_distance(y, z)}, for arguments of "
                    f"{_shapes(each)}. Nothing is written. If the function gives the same for the "
                    "same arguments, please report it"
                )


def _close(y: np.ndarray, z: np.ndarray) -> bool:
    if y.dtype.kind not in "fc":
        return bool(np.array_equal(y, z))
    finite = np.isfinite(y)
    if not np.array_equal(y[~finite], z[~finite], equal_nan=True):
        return False
    if not finite.any():
        return True
    largest = np.max(np.abs(y[finite]))
    return bool(np.all(np.abs(y - z)[finite] <= _ROUNDING * np.finfo(y.dtype).eps * largest))


def _distance(y: np.ndarray, z: np.ndarray) -> str:
    if y.shape != z.shape or y.dtype.kind not in "fc":
        return ""
    return f", off by up to {np.nanmax(np.abs(y - z)):.3g}"


def _shapes(arguments: Arguments) -> str:
    pairs = zip(arguments.paths, arguments.leaves, strict=True)
    return ", ".join(f"{path} {x.shape}" for path, x in pairs)
